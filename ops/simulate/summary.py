"""The figures of a run, counted in the database."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ops.simulate.run import Ran
from shared.domain.money import display, exponent
from shared.store import run_counts
from shared.store.database import Store


class Summary(NamedTuple):
    """Counts by state or kind, and money by currency as (invoiced, collected, open), in minor units."""

    counts: Mapping[str, Mapping[str, int]]
    money: Mapping[str, tuple[int, int, int]]
    lines: int
    moments: int
    after_end: int

    def as_json(self) -> dict[str, Any]:
        """The summary as plain data."""
        names = ("invoiced_minor", "collected_minor", "open_minor")
        money = {currency: dict(zip(names, amounts, strict=True)) for currency, amounts in self.money.items()}
        return {
            "moments": self.moments,
            **{what.replace(" ", "_"): dict(counts) for what, counts in self.counts.items()},
            "messages": {"read": self.lines, "after_the_end": self.after_end, **self.counts["messages"]},
            "money": money,
        }

    def rows(self) -> Sequence[tuple[str, str, str]]:
        """(what, count, of these) for a table."""
        rows = [("messages", str(self.lines), _listed(self.counts["messages"]))]
        for what in ("orders", "invoices", "charges", "notices", "order cycles", "invoice cycles"):
            counts = self.counts[what]
            rows.append((what, str(sum(counts.values())), _listed(counts)))
        for currency, amounts in self.money.items():
            shown = [display(amount, currency, exponent(currency)) for amount in amounts]
            rows.append(("money", shown[0], f"collected {shown[1]}, open {shown[2]}"))
        return rows


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def summarise(store: Store, ran: Ran) -> Summary:
    """Count what a run left behind."""
    with store.transaction() as tx:
        counts = run_counts.by_state(tx)
        money = run_counts.money(tx)
    if ran.repeated:  # a repeated message leaves one row
        counts["messages"]["repeated"] = ran.repeated
    return Summary(counts, money, ran.lines, ran.moments, ran.after_end)
