"""The port of a process: /metrics for Prometheus, /healthz (is it alive?) and /readyz (is everything right around it?)."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread

import structlog

from shared.telemetry import multiprocess

CHECK_SECONDS = 4.0  # a probe gets its answer within this, also when the database hangs
FRESH_SECONDS = 3.0  # answers are kept so long, so that probes cost the same however often they come
REQUEST_SECONDS = 5.0
PORT_RETRY_SECONDS = 2.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
log = structlog.get_logger()

Checks = Mapping[str, Callable[[], str | None]]
Paused = Callable[[], str | None]
"""Says that the process is paused; None while it is not."""


class PortError(OSError):
    """The port can't be listened on; the words say what to set."""


class Server:
    """Serves until closed. `port` is the one in use, None while another process of the same pool serves for all."""

    def __init__(self, address: tuple[str, int], checks: Checks, alive: Callable[[], bool], paused: Paused) -> None:
        self._address = address
        self._readiness = Readiness(checks)
        self._alive, self._paused = alive, paused
        self._server: ThreadingHTTPServer | None = None
        self._closed = Event()
        if not self._listen():
            if not multiprocess.shared():
                host, port = address
                raise PortError(f"port {port} of {host} is taken; set DUECYCLE_HTTP to another HOST:PORT, or to off")
            # The process that holds the port may die; then one of the others takes over.
            Thread(target=self._wait_for_port, name="metrics-port", daemon=True).start()

    @property
    def port(self) -> int | None:
        return None if self._server is None else self._server.server_address[1]

    def close(self) -> None:
        """Stop serving."""
        self._closed.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._readiness.close()

    def _listen(self) -> bool:
        try:
            server = _Server(self._address, _handler(self._readiness, self._alive, self._paused))
        except OSError:
            return False
        self._server = server
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True).start()
        log.info("http.served", host=self._address[0], port=self.port)
        return True

    def _wait_for_port(self) -> None:
        while not self._closed.wait(PORT_RETRY_SECONDS):
            if self._listen():
                return


def serve(
    address: tuple[str, int] | None, checks: Checks, *, alive: Callable[[], bool], paused: Paused = lambda: None
) -> Server | None:
    """Serve on (host, port), port 0 for any free one; None for nowhere. Raises PortError if the port is taken."""
    return None if address is None else Server(address, checks, alive, paused)


class Readiness:
    """Asks all checks at once, each with a limit, and keeps the answers for a moment."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._pool = ThreadPoolExecutor(max_workers=max(4, 2 * len(checks)), thread_name_prefix="ready")
        self._lock = Lock()
        self._asked_at = float("-inf")
        self._found: dict[str, str] = {}

    def wrong(self) -> dict[str, str]:
        """What is not right, by the name of its check; empty when all is."""
        with self._lock:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._found = self._ask()
                self._asked_at = time.monotonic()
            return self._found

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> dict[str, str]:
        until = time.monotonic() + CHECK_SECONDS
        asked = {name: self._pool.submit(check) for name, check in self._checks.items()}
        found = {}
        for name, answer in asked.items():
            try:
                words = answer.result(max(0.0, until - time.monotonic()))
            except FutureTimeout:
                words = f"no answer within {CHECK_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001 - a check that breaks is an answer too
                words = f"{type(error).__name__}"
            if words is not None:
                found[name] = words
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16


def _handler(readiness: Readiness, alive: Callable[[], bool], paused: Paused) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "duecycle"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, METRICS_TYPE, multiprocess.render())
            elif path == "/healthz":
                lives = alive()
                self._json(200 if lives else 503, {"alive": lives})
            elif path == "/readyz":
                wrong = readiness.wrong()
                told = {"ready": not wrong, "wrong": wrong, "paused": paused()}
                self._json(
                    503 if wrong else 200, {name: value for name, value in told.items() if value not in (None, {})}
                )
            else:
                self._json(404, {"paths": ["/metrics", "/healthz", "/readyz"]})

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_words: object) -> None:
            """Probes come every few seconds; their lines would hide the others."""

        def _json(self, code: int, told: Mapping[str, object]) -> None:
            self._answer(code, "application/json", json.dumps(told).encode() + b"\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
