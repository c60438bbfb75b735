"""What an invariant is, and what breaks one."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Invariant(NamedTuple):
    """A promise about the whole database. `sql` selects the rows that break it, by their keys; none: it holds."""

    name: str
    promise: str
    sql: str


class Violation(NamedTuple):
    """A row that breaks a promise: `keys` find it, together with the values that contradict each other."""

    invariant: str
    promise: str
    keys: Mapping[str, Any]

    def line(self) -> str:
        """The violation as a line for people."""
        told = ", ".join(f"{name}={'-' if value is None else value}" for name, value in self.keys.items())
        return f"{self.invariant}: {self.promise}; not so for {told}"
