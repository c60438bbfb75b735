"""What a drill saw: lines of figures, printed as they come."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from rich.console import Console

from shared.store.database import Store

_GAP = """
SELECT max(extract(epoch FROM later - at)) FROM (
  SELECT settled_at AS at, lead(settled_at) OVER (ORDER BY settled_at) AS later FROM cycles WHERE settled_at IS NOT NULL) AS g
WHERE later BETWEEN :broken AND CAST(:broken AS timestamptz) + interval '20 seconds'"""


class Report:
    """Prints each step with the seconds since the drill began."""

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self._say = say or Console(highlight=False).print
        self._began = monotonic()

    def __call__(self, text: str) -> None:
        self._say(f"{monotonic() - self._began:6.1f} s  {text}")


def now(store: Store) -> datetime:
    """The database's clock."""
    with store.transaction() as tx:
        return tx.as_of


def longest_silence(store: Store, broken: datetime) -> float:
    """The longest time, in seconds, without any cycle ending, in the 20 seconds after an instant."""
    with store.transaction() as tx:
        return float(tx.scalar(_GAP, broken=broken) or 0.0)
