"""How every process of the cluster starts: a store, a port for probes, and a wait until database and broker are ready."""

import os
import socket
from collections.abc import Callable
from threading import Event
from typing import Literal

import structlog

from shared.broker.backoff import Backoff
from shared.broker.errors import BrokerError
from shared.broker.startup_check import check_broker
from shared.broker.topology import Role
from shared.settings import Settings
from shared.store import migrate, roles
from shared.store.clock_watch import ClockStoppedError, ClockWatch
from shared.store.database import Store, machine_now, make_engine
from shared.store.errors import describe, is_connection_error, lacks_right, unreachable
from shared.telemetry import http, metrics

log = structlog.get_logger()


class Stopped(Exception):  # noqa: N818 - it states what happened
    """The process was told to stop before it had begun to work."""


class Process:
    """What a process holds from its first moment on. `alive` is asked by /healthz, `connected` by /readyz: it says why the
    broker does not answer on the connection that the process works on, and opens none of its own. `takes_more` of a
    process that listens to the web says why it can take no more for now, `paused` of one that an operator has paused
    that it is: /readyz says so too, and is 200 all the same.

    Everything that holds a connection is made here, in the process that uses it, never before a fork. `role` is what the
    process is on the broker, with which `webhooks` has nothing to do; `connections` how many sessions with the database it
    may have at a time.
    """

    def __init__(self, role: Role | Literal["webhooks"], settings: Settings, connections: int) -> None:
        self.role = role
        self.settings = settings
        self.name = f"duecycle {role} {socket.gethostname()}:{os.getpid()}"
        milliseconds = round(settings.statement_timeout.total_seconds() * 1000)
        self.store = Store(
            make_engine(
                settings.database_url,
                pool_size=connections,
                statement_timeout_ms=milliseconds,
                application_name=self.name[:63],
            ),
            watch=ClockWatch(self.name, machine_now, settings.clock_jump, on_change=metrics.CLOCK_STOPPED.set),
        )
        self.alive: Callable[[], bool] = lambda: True
        self.connected: Callable[[], str | None] = lambda: "no connection yet"
        self.takes_more: Callable[[], str | None] = lambda: None
        self.paused: Callable[[], str | None] = lambda: None
        checks: dict[str, Callable[[], str | None]] = {"database": self._database, "clock": self._clock}
        if role == "webhooks":
            checks["listener"] = lambda: self.takes_more()
        else:
            checks["broker"] = lambda: self.connected()
        self._server = http.serve(settings.http, checks, alive=lambda: self.alive(), paused=lambda: self.paused())

    def wait_for_surroundings(self, stop: Event | None) -> None:
        """Return once the schema is right, the database's role may do what this process does, its clock can be trusted, and
        the broker has what this process needs.

        Until then it says what is wrong and checks again, with growing waits, and raises Stopped when `stop` is set. Without
        a `stop` it checks once and raises RuntimeError: whoever started the process starts it again.
        """
        surroundings = (
            ("database", self._database),
            ("database", self._rights),
            ("clock", self._clock),
            ("broker", self._broker),
        )
        for what, wrong in surroundings:
            backoff = Backoff()
            while (words := wrong()) is not None:
                log.error(f"{what}.awaited", reason=words)
                if stop is None:
                    raise RuntimeError(f"{what}: {words}")
                if backoff.wait(stop):
                    raise Stopped

    def close(self) -> None:
        """Let go of every connection."""
        if self._server is not None:
            self._server.close()
        self.store.engine.dispose()

    def _database(self) -> str | None:
        return self._ask(lambda: migrate.mismatch(self.store.engine))

    def _rights(self) -> str | None:
        return self._ask(lambda: roles.missing(self.store.engine, self.role))

    def _ask(self, question: Callable[[], str | None]) -> str | None:
        try:
            return question()
        except Exception as error:
            if lacks_right(error):
                return describe(error)
            if not is_connection_error(error):
                raise
            return f"can't be reached: {unreachable(error)}"

    def _clock(self) -> str | None:
        try:
            with self.store.transaction():
                return None
        except ClockStoppedError as stopped:
            return str(stopped)
        except Exception as error:
            if not is_connection_error(error) and not lacks_right(error):
                raise
            return None  # the database's own check says so

    def _broker(self) -> str | None:
        if self.role == "webhooks":
            return None
        try:
            check_broker(self.settings.broker_urls, self.role, self.name)
        except BrokerError as error:
            return str(error)
        return None
