"""A store whose transactions run under the database role of the process whose code opens them.

So every test of a stage or a journey also shows that the role may do what its process does.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from shared.store.database import Store, Transaction
from shared.store.grants import KINDS, role_of

# Parts of the command line that run whole clusters in themselves; a private database has one user.
_WHOLE = ("ops.simulate", "ops.bench", "ops.cluster", "ops.drills", "ops.report")


class RoleStore(Store):
    """A transaction that no process opens, but a test itself, may do everything."""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        kind = kind_of_caller()
        with super().transaction() as tx:
            if kind is not None and has_roles(tx):
                tx.run(f"SET LOCAL ROLE {role_of(kind)}")
            yield tx


def kind_of_caller() -> str | None:
    """Whose code is running: the nearest pool or the scheduler, unless an operator's command called it."""
    found = None
    frame = sys._getframe(1)
    while frame is not None:
        parts = frame.f_globals.get("__name__", "").split(".")
        if parts[0] == "ops" and not ".".join(parts).startswith(_WHOLE):
            return "ops"
        kind = parts[0] if parts[0] == "scheduler" else parts[1] if parts[0] == "workers" and len(parts) > 2 else None
        if found is None and kind in KINDS:
            found = kind
        frame = frame.f_back  # type: ignore[assignment]
    return found


_HAVE: dict[str, bool] = {}


def has_roles(tx: Transaction) -> bool:
    """Whether the server has our roles: one that somebody else runs need not."""
    url = tx.connection.engine.url.render_as_string()
    if url not in _HAVE:
        _HAVE[url] = bool(tx.scalar("SELECT 1 FROM pg_roles WHERE rolname = :name", name=role_of("ops")))
    return _HAVE[url]
