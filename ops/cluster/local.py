"""Everything a cluster needs, in one folder, ended together: for trying out, for tests and for measuring."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ops.cluster.members import Members
from ops.servers.postgres import EmbeddedPostgres
from ops.servers.rabbitmq import PrivateRabbitmq
from shared.messages.work import POOLS
from shared.store import migrate, roles
from shared.store.grants import KINDS, role_of

ONE_OF_EACH: Mapping[str, int] = {"scheduler": 1, **{str(pool): 1 for pool in POOLS}}
MONITORING = "monitoring"  # a user, and its password


def add_monitoring(rabbitmq: PrivateRabbitmq, vhost: str = "%2F") -> None:
    """Create a user that may read a virtual host in RabbitMQ's management pages and change nothing."""
    rabbitmq.manage("PUT", f"users/{MONITORING}", {"password": MONITORING, "tags": "monitoring"})
    rabbitmq.permit(vhost, MONITORING, "^$", "^$", "^$")


class LocalCluster:
    """PostgreSQL and RabbitMQ on addresses of their own, and the processes on them. A context manager.

    `durable=False` gives up safety against power loss for speed. `environ` is added to the processes' environment.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        environ: Mapping[str, str] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.postgres = EmbeddedPostgres(self.folder / "postgres", durable=durable)
        self.rabbitmq = PrivateRabbitmq(self.folder / "rabbitmq")
        self._added = dict(environ or {})
        self._words = words
        self.members: Members

    @property
    def database_url(self) -> str:
        """The database that the processes work on."""
        return self.postgres.url()

    @property
    def mails(self) -> Path:
        """Where the notices pool writes its mails."""
        return self.folder / "mails"

    @property
    def environ(self) -> dict[str, str]:
        """What a process, or an operator's command, needs to find this cluster."""
        return {
            "DUECYCLE_DATABASE_URL": self.database_url,
            "DUECYCLE_BROKER_URL": self.rabbitmq.url,
            "DUECYCLE_MAIL_URL": f"file://{self.mails}",
            **self._added,
        }

    def start(self, sizes: Mapping[str, int] = ONE_OF_EACH) -> Self:
        """Start the servers, bring the database to the schema, and start the processes."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.postgres.start()
            self.rabbitmq.start()
            add_monitoring(self.rabbitmq)
            migrate.upgrade(self.database_url)
            roles.apply(self.database_url)
            own = {kind: {"DUECYCLE_DATABASE_URL": self.postgres.url(user=role_of(kind))} for kind in KINDS}
            self.members = Members({**os.environ, **self.environ}, self.folder / "logs", self._words, own)
            for kind, count in sizes.items():
                self.members.scale(kind, count)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> list[int]:
        """End the processes in order, then the servers. Returns the processes' exit codes."""
        codes = self.members.stop() if hasattr(self, "members") else []
        self.rabbitmq.stop()
        self.postgres.stop()
        return codes

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
