"""Money that goes back: by the provider it came from or outside, with a credit note, told once, and never more than came in."""

import json
from typing import Any

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, checkout, mails, statuses

ROWS = "SELECT refund_seq, amount_minor, state, origin, source, reason FROM refunds ORDER BY invoice_id, refund_seq"
NOTES = (
    "SELECT refund_seq, number, issued_on, subtotal_minor, tax_minor, total_minor FROM credit_notes ORDER BY sequence"
)


def test_all_of_a_paid_invoice_goes_back_with_a_credit_note(diary: Diary) -> None:
    """By the provider, in full; the client is told once, the invoice stays paid, and the series goes on."""
    checkout(diary, "ok", invoice_prefix="NL-")
    diary.say("refund.requested", "2026-06-10", invoice_id=INVOICE, reason="late start")
    diary.go("2026-07-02")
    assert diary.ask(ROWS) == [(1, 11900, "succeeded", "requested", "sandbox", "late start")]
    assert diary.ask(NOTES) == [(1, "NL-CN-00001", "2026-06-10", 10000, 1900, 11900)]
    assert statuses(diary) == [("2026-06-01", "paid", 11900), ("2026-07-01", "paid", 11900)]
    assert mails(diary, "refunded") == [("2026-06-10", "refunded", "client")]
    (event,) = diary.events("invoice.refunded")
    assert (event.data["amount_minor"], event.data["credit_note_number"]) == (11900, "NL-CN-00001")
    assert [each.data["refund_seq"] for each in diary.events("refund.requested")] == [1]


def test_parts_go_back_until_nothing_is_left(diary: Diary) -> None:
    """Three parts make three notes with numbers in a row, which take back exactly the invoice; a fourth is refused."""
    checkout(diary, "ok")
    for day, amount in (("2026-06-10", 3333), ("2026-06-11", 3333), ("2026-06-12", None)):
        more = {} if amount is None else {"amount_minor": amount}
        assert diary.say("refund.requested", day, invoice_id=INVOICE, **more).state == "applied"
    refused = diary.say("refund.requested", "2026-06-13", invoice_id=INVOICE)
    assert (refused.state, refused.field) == ("rejected", "data.amount_minor")
    assert "nothing is left" in refused.reason
    notes = diary.ask(NOTES)
    assert [note[1] for note in notes] == ["CN-00001", "CN-00002", "CN-00003"]
    assert [sum(note[index] for note in notes) for index in (3, 4, 5)] == [10000, 1900, 11900]
    assert len(mails(diary, "refunded")) == 3


def test_more_than_came_in_is_refused(diary: Diary) -> None:
    checkout(diary, "ok")
    refused = diary.say("refund.requested", "2026-06-10", invoice_id=INVOICE, amount_minor=11901)
    assert (refused.state, refused.field) == ("rejected", "data.amount_minor")
    assert "11900 is left" in refused.reason
    assert diary.ask(ROWS) == []


def test_an_open_invoice_has_nothing_to_give_back(diary: Diary) -> None:
    """A part was paid: while the outstanding amount is asked for, nothing goes back; once it is void, the part is surplus and
    does."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("invoice.paid", "2026-06-02", invoice_id=INVOICE, amount_minor=1900, reference="bank-1")
    refused = diary.say("invoice.refunded", "2026-06-03", invoice_id=INVOICE)
    assert (refused.field, "void it first" in refused.reason) == ("data.invoice_id", True)
    diary.say("invoice.voided", "2026-06-04", invoice_id=INVOICE)
    assert diary.say("invoice.refunded", "2026-06-05", invoice_id=INVOICE).state == "applied"
    assert diary.ask(ROWS) == [(1, 1900, "succeeded", "outside", "upstream:/portal", None)]
    assert diary.ask(NOTES) == []


def test_money_from_outside_goes_back_outside(diary: Diary) -> None:
    """A transfer can't be sent back by a provider: that is refused with the way out, and recorded when it was done."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("invoice.paid", "2026-06-02", invoice_id=INVOICE, reference="bank-1")
    refused = diary.say("refund.requested", "2026-06-03", invoice_id=INVOICE)
    assert "goes back outside" in refused.reason
    diary.say(
        "invoice.refunded", "2026-06-04", invoice_id=INVOICE, amount_minor=5950, reference="bank-2", reason="half"
    )
    assert diary.ask(ROWS) == [(1, 5950, "succeeded", "outside", "upstream:/portal", "half")]
    assert diary.ask(NOTES) == [(1, "CN-00001", "2026-06-04", 5000, 950, 5950)]
    assert [each.data["reference"] for each in diary.events("invoice.refunded")] == ["bank-2"]


def test_a_surplus_goes_back_without_a_credit_note(diary: Diary) -> None:
    """What was paid too much takes nothing back of the invoice; only what goes beyond it does."""
    checkout(diary, "ok")
    diary.say("invoice.paid", "2026-06-02", invoice_id=INVOICE, amount_minor=2000, reference="bank-1")
    diary.say("invoice.refunded", "2026-06-03", invoice_id=INVOICE, amount_minor=1500)
    assert diary.ask(NOTES) == []
    diary.say("refund.requested", "2026-06-04", invoice_id=INVOICE, amount_minor=1000)
    assert told(diary.events("invoice.refunded")[1:], "type") == ["invoice.refunded"]
    assert [note[5] for note in diary.ask(NOTES)] == [500]


def test_several_payments_go_back_newest_first(diary: Diary) -> None:
    checkout(diary, "decline_until:2026-06-04")
    diary.say("invoice.paid", "2026-06-02", invoice_id=INVOICE, amount_minor=1900, reference="bank-1")
    diary.go("2026-06-05")
    diary.say("invoice.refunded", "2026-06-06", invoice_id=INVOICE, amount_minor=11000)
    assert [(row[1], row[4]) for row in diary.ask(ROWS)] == [(10000, "sandbox"), (1000, "upstream:/portal")]


@pytest.mark.parametrize("twice", ["refund.requested", "invoice.refunded"])
def test_a_message_that_comes_twice_gives_back_once(diary: Diary, twice: str) -> None:
    checkout(diary, "ok")
    for _ in range(2):
        diary.say(twice, "2026-06-10", id="the-same", invoice_id=INVOICE, amount_minor=100)
    assert [row[1] for row in diary.ask(ROWS)] == [100]


def test_a_refund_waits_for_its_invoice(diary: Diary) -> None:
    """It came before its invoice, so it waits; then it is judged like any other, and nothing came in yet that could go back."""
    diary.open()
    assert diary.say("refund.requested", "2026-05-21", invoice_id=INVOICE).state == "waiting"
    diary.say("subscription.upserted", "2026-05-22")
    diary.go("2026-06-02")
    (event,) = diary.events("change.rejected")
    assert "the invoice is open" in json.dumps(event.data)


def test_credit_notes_have_a_series_of_their_own(diary: Diary) -> None:
    """An agency's invoices keep their numbers without a gap, however many notes stand between them."""
    checkout(diary, "ok", invoice_prefix="NL-")
    diary.say("refund.requested", "2026-06-10", invoice_id=INVOICE, amount_minor=100)
    diary.go("2026-07-02")
    numbers: list[Any] = list(told(diary.invoices(), "number"))
    assert numbers == ["NL-00001", "NL-00002"]
