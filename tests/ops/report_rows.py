"""Rows as a run leaves them, the report made of them, and the page as a browser would find it."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ops.report import write_report

Row = dict[str, Any]
SINCE = datetime(2026, 6, 1, tzinfo=UTC)
UNTIL = datetime(2026, 8, 30, tzinfo=UTC)  # 90 days


def cycle(subscription_id: str = "sub-1", stream: str = "order", **more: Any) -> Row:
    """A monthly cycle of June that is done on time."""
    return {
        "agency_id": "northlight",
        "subscription_id": subscription_id,
        "stream": stream,
        "index": 0,
        "starts_on": "2026-06-01",
        "ends_on": "2026-07-01",
        "due_at": "2026-05-31T22:00:00Z",
        "state": "done",
        "reason": None,
        "held_at": None,
        "blocked_at": None,
        "settled_at": "2026-05-31T22:00:05Z",
        "blocking_starts_on": None,
        "blocking_invoice_id": None,
        "order_id": None,
        "invoice_id": None,
        **more,
    }


def invoice(invoice_id: str = "inv-1", **more: Any) -> Row:
    """A paid invoice of June over EUR 1,785.00."""
    return {
        "agency_id": "northlight",
        "invoice_id": invoice_id,
        "number": "NL-1",
        "subscription_id": "sub-1",
        "client_id": "law",
        "cycle_index": 0,
        "period_starts_on": "2026-06-01",
        "period_ends_on": "2026-07-01",
        "issued_on": "2026-06-01",
        "due_on": "2026-06-15",
        "status": "paid",
        "currency": "EUR",
        "subtotal_minor": 150000,
        "tax_minor": 28500,
        "total_minor": 178500,
        "collected_minor": 178500,
        "paid_at": "2026-06-11T09:00:00Z",
        "failing_since": None,
        "external_number": None,
        "origin": "automatic",
        **more,
    }


def report(folder: Path, rows: Mapping[str, Iterable[Row]], outage: tuple[datetime, datetime] | None = None) -> str:
    """Write the rows, one file per name, and return the page made of them."""
    folder.mkdir(exist_ok=True)
    for name, each in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in each), encoding="utf-8")
    path = write_report(
        folder, title="A summer", since=SINCE, until=UNTIL, outage=outage, input_name="portal.jsonl", seed=7
    )
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a browser would find: every element with its attributes, the text, and the lanes by agency."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def lanes(self) -> list[str]:
        return [found["data-words"] for tag, found in self.elements if tag == "details" and "data-words" in found]

    def drawn(self, tag: str, css: str) -> list[dict[str, str]]:
        """Elements of the lanes; those of the legend have no place in per cent."""
        return [
            found
            for name, found in self.elements
            if name == tag and found.get("class") == css and "%" in found.get("x", found.get("cx", ""))
        ]
