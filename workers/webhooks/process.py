"""The process that listens to the web: it serves until told to end, and finishes the requests that are under way."""

import asyncio
from threading import Event, Thread

import structlog
import uvicorn

from shared.gateways.providers import ONLINE
from shared.pay_urls import PayUrls
from shared.process import Process
from shared.secret_store import reader
from shared.settings import Settings
from shared.telemetry import logs, metrics
from workers.gateway_accounts import GatewayRegistry
from workers.webhooks import pay_page, receive_event
from workers.webhooks.app import WebhookDeps, make_app
from workers.webhooks.connections import Doorkeeper, guarded
from workers.webhooks.prove_events import Prover
from workers.webhooks.rooms import Rooms

SESSIONS = 12  # with the database; as many again for a moment
BACKLOG = 256  # connections that the kernel holds for us
ANSWER_SECONDS = 2.0
log = structlog.get_logger()


def run(settings: Settings, stop: Event) -> None:
    """Serve on the address of the settings. Raises Stopped if told to end before the database was there, OSError for a port
    that is taken."""
    logs.configure("webhooks", settings.log_level)
    process = Process("webhooks", settings, connections=SESSIONS)
    try:
        process.wait_for_surroundings(stop)
        read_secret = reader()
        gateways = GatewayRegistry(read_secret, {})
        page = None
        if settings.public_url:
            page = pay_page.Runtime(process.store, gateways, PayUrls(settings.public_url, settings.link_secret))
        events = receive_event.Runtime(process.store, gateways, read_secret)
        prover = Prover(events, _count_webhook)
        deps = WebhookDeps(
            events,
            page,
            _count_webhook,
            lambda outcome: metrics.PAY_PAGES.labels(outcome).inc(),
            prover.wake,
        )
        proving = Thread(target=prover.loop, args=(stop,), name="prover", daemon=True)
        proving.start()
        _serve(Listener(deps, settings), process, proving, settings, stop)
    finally:
        process.close()


def _count_webhook(provider: str, outcome: str) -> None:
    metrics.WEBHOOKS.labels(provider, outcome).inc()


class Listener:
    """The web server, in a thread of its own: signals are the process's."""

    def __init__(self, deps: WebhookDeps, settings: Settings) -> None:
        self.rooms = Rooms(tuple(ONLINE))
        self.keeper = Doorkeeper(settings.proxies, on_closed=lambda why: metrics.CONNECTIONS_CLOSED.labels(why).inc())
        metrics.CONNECTIONS.set_function(self.keeper.count)
        host, port = settings.webhooks
        self.server = uvicorn.Server(
            uvicorn.Config(
                make_app(deps, self.rooms),
                host=host,
                port=port,
                http=guarded(self.keeper),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=round(settings.stop_within.total_seconds()),
            )
        )
        self.thread = Thread(target=self._run, name="webhooks")
        self._loop: asyncio.AbstractEventLoop | None = None

    def takes_more(self) -> str | None:
        """Why nobody else can be heard for now; None while somebody can."""
        if not self.server.started or self._loop is None:
            return "does not listen yet"
        if self.keeper.full():
            return f"all {self.keeper.count()} connections are being answered"
        if full := self.rooms.full():
            return f"no more can wait in {', '.join(full)}"
        answered = Event()
        self._loop.call_soon_threadsafe(answered.set)
        return None if answered.wait(ANSWER_SECONDS) else f"does not answer within {ANSWER_SECONDS:g} s"

    def _run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.server.serve()


def _serve(listener: Listener, process: Process, proving: Thread, settings: Settings, stop: Event) -> None:
    host, port = settings.webhooks
    thread, server = listener.thread, listener.server
    thread.start()
    process.alive = lambda: thread.is_alive() and proving.is_alive()
    process.takes_more = listener.takes_more
    log.info("process.began", pool="webhooks", host=host, port=port)
    while thread.is_alive() and not stop.wait(0.2):
        pass
    ended = not thread.is_alive()
    server.should_exit = True
    thread.join()
    if ended:
        raise OSError(f"{host}:{port} can't be listened on; set DUECYCLE_WEBHOOKS to another HOST:PORT")
    log.info("process.ended", pool="webhooks")
