"""What each message about an invoice does to one in each state: the table of docs/messages.md, walked cell by cell."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.diary import Diary
from tests.table_contents import changed, contents

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
AT = "2026-05-20T08:00:00Z"
INVOICE = "inv:sub:2026-06-01"


def _invoice(diary: Diary, card: str = "ok", collection: str = "automatic", **of: dict[str, Any]) -> None:
    diary.open(AT, card=card, **of)
    diary.say("subscription.upserted", AT, collection=collection)
    diary.go("2026-06-02")


def _open(diary: Diary) -> None:
    _invoice(diary, collection="manual")


def _partly_paid(diary: Diary) -> None:
    _open(diary)
    diary.say("invoice.paid", invoice_id=INVOICE, amount_minor=500, reference="first")


def _under_way(diary: Diary) -> None:
    _invoice(diary, card="pending:3")


def _failing(diary: Diary) -> None:
    _invoice(diary, card="decline:insufficient_funds")


def _uncollectible(diary: Diary) -> None:
    dunning = {"retry_days": [1], "on_exhausted": "mark_uncollectible"}
    _invoice(diary, "decline:insufficient_funds", agency={"dunning": dunning})
    diary.go("2026-06-10")


def _paid(diary: Diary) -> None:
    _invoice(diary)


def _refunded(diary: Diary) -> None:
    _paid(diary)
    diary.say("refund.requested", invoice_id=INVOICE)


def _void(diary: Diary) -> None:
    _open(diary)
    diary.say("invoice.voided", invoice_id=INVOICE)


STATES: dict[str, Callable[[Diary], None]] = {
    "open": _open,
    "partly paid": _partly_paid,
    "charge under way": _under_way,
    "failing": _failing,
    "uncollectible": _uncollectible,
    "paid": _paid,
    "refunded": _refunded,
    "void": _void,
}
MESSAGES: dict[str, dict[str, Any]] = {
    "invoice.paid": {},
    "invoice.paid with `amount_minor`": {"amount_minor": 700, "reference": "second"},
    "invoice.voided": {},
    "invoice.refunded": {"reference": "back"},
    "refund.requested": {},
    "charge.requested": {},
}


def said_by_the_page() -> dict[tuple[str, str], str]:
    """(state, message) → the answer, by the table of the page."""
    text = PAGE.read_text("utf-8").partition("## What they do to an invoice\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    (_, *states), _, *cells = rows
    return {(state, row[0]): answer for row in cells for state, answer in zip(states, row[1:], strict=True)}


SAID = said_by_the_page()


def test_the_page_has_a_cell_for_every_state_and_message() -> None:
    assert set(SAID) == {(state, message) for state in STATES for message in MESSAGES}


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", STATES)
def test_a_message_does_to_an_invoice_what_the_page_says(diary: Diary, state: str, message: str) -> None:
    STATES[state](diary)
    diary.settle()
    rows = contents(diary.store)
    received = diary.say(message.split()[0], id="m-said", invoice_id=INVOICE, **MESSAGES[message])
    answer = received.state if received.state != "rejected" else f"rejected: `{received.field}`"
    assert answer == SAID[state, message]
    assert bool(received.reason) == (received.state in ("rejected", "waiting"))
    touched = set(changed(rows, contents(diary.store)))
    assert (touched <= {"inbox", "events"}) == (received.state != "applied")
    diary.settle()
    diary.check()
