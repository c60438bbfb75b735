"""The sandbox's own ledger, in a table and transactions of its own: it plays the outside world."""

from shared.gateways.sandbox import Entry
from shared.store.database import Store

_COLUMNS = "agency_id, key, amount_minor, currency, token, outcome, code, reference, settles_on"


class SandboxLedger:
    """Entries by agency and key; the first one under a key stays."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, agency_id: str, key: str) -> Entry | None:
        """The entry under a key, None if nothing was ever sent with it."""
        with self._store.transaction() as tx:
            rows = tx.rows(
                f"SELECT {_COLUMNS} FROM sandbox_ledger WHERE agency_id = :agency_id AND key = :key",  # noqa: S608
                agency_id=agency_id,
                key=key,
            )
        return Entry._make(rows[0]) if rows else None

    def keep(self, entry: Entry) -> Entry:
        """Write an entry unless its key is taken; returns what is there now."""
        with self._store.transaction() as tx:
            tx.run(
                f"""
                INSERT INTO sandbox_ledger ({_COLUMNS}, created_at)
                VALUES (:agency_id, :key, :amount_minor, :currency, :token, :outcome, :code, :reference, :settles_on, :at)
                ON CONFLICT (agency_id, key) DO NOTHING
                """,  # noqa: S608
                **entry._asdict(),
                at=tx.as_of,
            )
        kept = self.find(entry.agency_id, entry.key)
        return kept if kept is not None else entry
