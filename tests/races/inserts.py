"""What every statement wrote, and what the database refused: `bulk.insert` is the one way in for documents and cycles."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Table

from shared.store import bulk
from shared.store.database import Transaction


class Inserts:
    """Rows written, by table and by thread; and rows offered that existed already, by table."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self._guard = threading.Lock()
        real = bulk.insert

        def counted(tx: Transaction, table: Table, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> int:
            new = real(tx, table, columns, rows)
            with self._guard:
                self.written[table.name, threading.current_thread().name] += new
                self.refused[table.name] += len(rows) - new
            return new

        monkeypatch.setattr(bulk, "insert", counted)

    def refused_rows(self) -> dict[str, int]:
        """By table, the rows that existed already; tables without any are left out."""
        return {table: count for table, count in self.refused.items() if count}

    def by_thread(self, table: str) -> dict[str, int]:
        """Rows written into a table by each thread."""
        return {thread: count for (of, thread), count in self.written.items() if of == table and count}
