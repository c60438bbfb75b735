"""When the scheduler was last seen at work."""

from datetime import datetime

from shared.store.database import Transaction


def last(tx: Transaction, name: str) -> datetime | None:
    """The last beat under a name, None if there was never one."""
    found: datetime | None = tx.scalar("SELECT at FROM heartbeats WHERE name = :name", name=name)
    return found


def beat(tx: Transaction, name: str) -> None:
    """Leave a beat; it never goes backwards."""
    tx.run(
        """
        INSERT INTO heartbeats AS h (name, at) VALUES (:name, :as_of)
        ON CONFLICT (name) DO UPDATE SET at = greatest(h.at, excluded.at)
        """,
        name=name,
        as_of=tx.as_of,
    )
