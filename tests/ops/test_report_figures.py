"""The figures of the report page: money to the last decimal, on the right day, and what went wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.report.money_view import top_and_step
from tests.ops.report_rows import Page, Row, cycle, invoice, report


def test_money_has_its_code_and_the_decimals_of_its_currency(tmp_path: Path) -> None:
    void = invoice("inv-5", status="void", paid_at=None, collected_minor=0, total_minor=99900)
    yen = invoice("inv-2", currency="JPY", total_minor=1234567, collected_minor=1234567)
    dinar = invoice("inv-3", currency="KWD", total_minor=1234567, collected_minor=0, status="open", paid_at=None)
    text = Page(report(tmp_path, {"invoices": [invoice(), yen, dinar, void]})).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Collected: EUR 1,785.00 of 1,785.00, JPY 1,234,567 of 1,234,567, KWD 0.000 of 1,234.567." in text
    assert "1 void invoice (999.00) left out" in text


def chart(text: str) -> Any:
    """The data of the first money chart."""
    return json.loads(text.partition('<script type="application/json">')[2].partition("</script>")[0])["days"]


def test_collected_money_counts_on_the_day_it_was_received(tmp_path: Path) -> None:
    def payment(amount_minor: int, at: str) -> Row:
        data = {"invoice_id": "inv-1", "currency": "EUR", "amount_minor": amount_minor, "received_at": at}
        return {"type": "payment.recorded", "subject": "subscription/sub-1", "at": at, "data": data}

    parts = [payment(78500, "2026-06-03T08:00:00Z"), payment(100000, "2026-06-11T09:00:00Z")]
    text = report(tmp_path, {"invoices": [invoice()], "events": parts})
    assert chart(text) == [[0, "1,785.00", "0.00"], [2, "1,785.00", "785.00"], [10, "1,785.00", "1,785.00"]]


def test_without_payment_events_money_counts_on_the_day_the_invoice_was_paid_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    text = report(tmp_path, {"invoices": [invoice()]})
    assert chart(text) == [[0, "1,785.00", "0.00"], [10, "1,785.00", "1,785.00"]]
    assert "not in events.jsonl" in text


def test_a_message_that_still_waits_is_counted_until_it_is_applied(tmp_path: Path) -> None:
    def answer(kind: str, message_id: str) -> Row:
        return {
            "type": f"duecycle.change.{kind}.v1",
            "subject": "s",
            "data": {"change_source": "/p", "change_id": message_id},
        }

    told = [answer("waiting", "m-1"), answer("waiting", "m-2"), answer("applied", "m-1")]
    text = report(tmp_path, {"events": told})
    assert '<h3>Waiting messages</h3><p class="figure">1</p>' in text


def test_failed_charges_are_listed_by_invoice_with_cause_and_how_it_ended(tmp_path: Path) -> None:
    def attempt(number: int, at: str, outcome: str, code: str | None) -> Row:
        about = {"agency_id": "northlight", "invoice_id": "inv-1", "invoice_number": "NL-1", "subscription_id": "sub-1"}
        return about | {"attempt": number, "at": at, "outcome": outcome, "code": code, "key": "k"}

    tries = [
        attempt(1, "2026-06-01T00:00:00Z", "declined", "insufficient_funds"),
        attempt(2, "2026-06-02T07:00:00Z", "declined", "insufficient_funds"),
        attempt(3, "2026-06-11T09:00:00Z", "succeeded", None),
    ]
    page = Page(report(tmp_path, {"cycles": [cycle(stream="invoice")], "invoices": [invoice()], "charges": tries}))
    assert "declined insufficient_funds × 21 Jun 00:002 Jun 07:00paid 11 Jun 09:00" in page.text
    assert [mark["x"] for mark in page.drawn("use", "refused")] == ["0%", "1.43%"]


@pytest.mark.parametrize(
    ("highest", "top", "step"),
    [(1, 1, 1), (9, 10, 2), (178500, 200000, 50000), (500, 500, 100), (501, 600, 200), (1_000_001, 1_500_000, 500_000)],
)
def test_the_scale_is_round_and_holds_the_highest_figure(highest: int, top: int, step: int) -> None:
    assert top_and_step(highest) == (top, step)
