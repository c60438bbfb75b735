"""The process that listens to the web: it serves until told to end, and finishes the requests that are under way."""

from threading import Event, Thread

import structlog
import uvicorn

from shared.pay_urls import PayUrls
from shared.process import Process
from shared.secret_store import reader
from shared.settings import Settings
from shared.telemetry import logs, metrics
from workers.directory import Directory
from workers.webhooks import pay_page, receive_event
from workers.webhooks.app import Doors, make_app

CONNECTIONS = 10
REQUESTS_MAX = 100
log = structlog.get_logger()


def run(settings: Settings, stop: Event) -> None:
    """Serve on the address of the settings. Raises Stopped if told to end before the database was there, OSError for a port
    that is taken."""
    logs.configure("webhooks", settings.log_level)
    process = Process("webhooks", settings, connections=CONNECTIONS)
    try:
        process.wait_for_surroundings(stop)
        read_secret = reader()
        gateways = Directory(read_secret, {})
        page = None
        if settings.public_url:
            page = pay_page.Runtime(process.store, gateways, PayUrls(settings.public_url, settings.link_secret))
        doors = Doors(
            receive_event.Runtime(process.store, gateways, read_secret),
            page,
            lambda provider, outcome: metrics.WEBHOOKS.labels(provider, outcome).inc(),
            lambda outcome: metrics.PAY_PAGES.labels(outcome).inc(),
        )
        _serve(make_app(doors), process, settings, stop)
    finally:
        process.close()


def _serve(app: object, process: Process, settings: Settings, stop: Event) -> None:
    host, port = settings.webhooks
    server = uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # an ASGI application
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=REQUESTS_MAX,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=round(settings.stop_within.total_seconds()),
        )
    )
    # In a thread of its own: signals are ours.
    thread = Thread(target=server.run, name="webhooks")
    thread.start()
    process.alive = thread.is_alive
    log.info("process.began", pool="webhooks", host=host, port=port)
    while thread.is_alive() and not stop.wait(0.2):
        pass
    ended = not thread.is_alive()
    server.should_exit = True
    thread.join()
    if ended:
        raise OSError(f"{host}:{port} can't be listened on; set DUECYCLE_WEBHOOKS to another HOST:PORT")
    log.info("process.ended", pool="webhooks")
