"""A payment provider on loopback: real HTTP, a real idempotency store, a ledger of money, and weather between it and us."""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# What may happen to a request that moves money.
WEATHER = (
    "fine",
    "drop_before",  # the connection breaks before anything is done
    "drop_after",  # everything is done, and the answer is lost
    "slow",  # everything is done, and the answer comes too late
    "busy",  # 409: another request with this key is under way
    "rate_limited",  # 429
    "stored_500",  # it fails, and this failure is what the key answers from now on
    "lost_500",  # everything is done, and the answer is a 500 that is stored
    "html",  # everything is done, and the answer is a page of some proxy
    "unauthorised",  # 401
    "redirect",  # 302 to somewhere else
)


@dataclass(frozen=True)
class Request:
    """A request as it was seen on the wire."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Money:
    """Money that moved, as the provider remembers it."""

    reference: str
    invoice_id: str
    amount: str
    currency: str
    key: str


class Provider:
    """Answers requests. Subclasses say what a request does; here is what happens to it on its way."""

    slow_seconds = 1.5

    def __init__(self) -> None:
        self.now: Callable[[], float] = time.time
        self.seen: list[tuple[Request, Response]] = []
        self.ledger: list[Money] = []
        self.returned: list[Money] = []
        self.weather: deque[str] = deque()
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Provider":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def moves_money(self, request: Request) -> bool:
        """Whether weather happens to this request."""
        raise NotImplementedError

    def answer(self, request: Request) -> Response:
        """Do it, and say what came of it."""
        raise NotImplementedError

    def busy(self) -> Response:
        raise NotImplementedError

    def rate_limited(self) -> Response:
        raise NotImplementedError

    def unauthorised(self) -> Response:
        raise NotImplementedError

    def failure(self) -> Response:
        raise NotImplementedError

    def remember(self, request: Request, response: Response) -> None:
        """What the request's key answers from now on."""
        raise NotImplementedError

    def respond(self, request: Request) -> Response | None:
        """The answer on the wire; None: the connection breaks."""
        with self.lock:
            weather = self.weather.popleft() if self.weather and self.moves_money(request) else "fine"
            response = self._under(weather, request)
            self.seen.append((request, response or Response(0)))
        if weather == "slow":
            time.sleep(self.slow_seconds)
        return response

    def _under(self, weather: str, request: Request) -> Response | None:
        before: Mapping[str, Callable[[], Response]] = {
            "busy": self.busy,
            "rate_limited": self.rate_limited,
            "unauthorised": self.unauthorised,
            "redirect": lambda: Response(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
        }
        if weather in before:
            return before[weather]()
        if weather == "drop_before":
            return None
        if weather == "stored_500":
            self.remember(request, self.failure())
            return self.failure()
        response = self.answer(request)
        if weather == "drop_after":
            return None
        if weather == "lost_500":
            self.remember(request, self.failure())
            return self.failure()
        return Response(200, b"<html>gateway time-out</html>") if weather == "html" else response


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # a connection that finds no room is tried again by the kernel after a second

    def __init__(self, address: tuple[str, int], provider: Provider) -> None:
        self.provider = provider
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
        response = self.server.provider.respond(request)
        if response is None:
            # A reset, not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        raw = response.raw
        head = [f"HTTP/1.1 {response.status} X", f"Content-Length: {len(raw)}", "Content-Type: application/json"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        # Head and body in one write: with two, kept connections wait for each other's acknowledgements.
        try:
            self.wfile.write("\r\n".join([*head, "", ""]).encode() + raw)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names are the library's

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Nothing: tests speak for themselves."""
