"""What stands on an invoice: exact products, one half-up rounding a line, tax per rate, currencies of 0, 2 and 3 decimals."""

from typing import Any

import pytest

from tests.journeys.diary import Diary, told


def rate(percent: str, *, inclusive: bool = False) -> dict[str, Any]:
    return {"name": "VAT", "rate": percent, "inclusive": inclusive}


# price, quantity, tax → subtotal, tax, total; worked out by hand.
CASES = [
    (10000, 1, rate("19"), (10000, 1900, 11900)),
    (150, 1, rate("19"), (150, 29, 179)),  # 28.50 → 29
    (10, 1, rate("5"), (10, 1, 11)),  # 0.50 → 1
    (9, 1, rate("5"), (9, 0, 9)),  # 0.45 → 0
    (33, 3, rate("7"), (99, 7, 106)),  # 6.93 → 7 on the line, not 3 × 2.31 → 6
    (999, 1, rate("7.7"), (999, 77, 1076)),  # 76.923 → 77
    (11900, 1, rate("19", inclusive=True), (10000, 1900, 11900)),
    (999, 1, rate("19", inclusive=True), (839, 160, 999)),  # 839.4958 → 839
    (21, 1, rate("100", inclusive=True), (11, 10, 21)),  # 10.50 → 11
    (10000, 1, rate("0"), (10000, 0, 10000)),
    (10000, 1, None, (10000, 0, 10000)),
    (999_999_999_999, 99_999, rate("19"), (99998999999900001, 18999809999981000, 118998809999881001)),  # beyond 2^53
]


@pytest.mark.parametrize(("price", "quantity", "tax", "totals"), CASES)
def test_an_invoice_adds_up_to_the_minor_unit(
    diary: Diary, price: int, quantity: int, tax: dict[str, Any] | None, totals: tuple[int, int, int]
) -> None:
    diary.open(service={"price_minor": price, "tax": tax})
    diary.say("subscription.upserted", "2026-06-01", quantity=quantity)
    assert told(diary.invoices(), "subtotal_minor tax_minor total_minor") == [totals]
    assert told(diary.charges(), "amount_minor outcome") == [(totals[2], "succeeded")]
    assert diary.ask("SELECT unit_price_minor, quantity, net_minor FROM invoice_lines") == [
        (price, quantity, totals[0])
    ]


@pytest.mark.parametrize(
    ("currency", "price", "tax", "totals", "shown"),
    [
        ("JPY", 1005, rate("10"), (1005, 101, 1106), "1106 JPY"),  # 100.5 → 101
        ("KWD", 12345, rate("5"), (12345, 617, 12962), "12.962 KWD"),  # 617.25 → 617
        ("EUR", 5, rate("19"), (5, 1, 6), "0.06 EUR"),  # 0.95 → 1
    ],
)
def test_currencies_keep_their_own_decimals(
    diary: Diary, currency: str, price: int, tax: dict[str, Any], totals: tuple[int, int, int], shown: str
) -> None:
    diary.open(service={"price_minor": price, "tax": tax, "currency": currency})
    diary.say("subscription.upserted", "2026-06-01")
    assert told(diary.invoices(), "currency subtotal_minor tax_minor total_minor") == [(currency, *totals)]
    assert told(diary.charges(), "currency amount_minor") == [(currency, totals[2])]
    mail = next(diary.mails.rglob("*.eml")).read_text()
    assert shown in mail


@pytest.mark.parametrize("of", [{"quantity": 0}, {"price_minor": 0}])
def test_nothing_to_pay_is_issued_as_paid_without_a_charge_and_ordered(diary: Diary, of: dict[str, Any]) -> None:
    diary.open(card=None, service={key: value for key, value in of.items() if key == "price_minor"})
    diary.say("subscription.upserted", "2026-06-01", **{k: v for k, v in of.items() if k == "quantity"})
    assert told(diary.invoices(), "status total_minor paid_at") == [("paid", 0, "2026-06-01T10:00Z")]
    assert diary.charges() == []
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01"]
    assert told(diary.notices(), "occasion audience") == [("invoice_paid", "client")]


def test_an_invoice_by_hand_in_another_currency_than_the_service_is_refused(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    usd: dict[str, Any] = {"issued_on": "2026-06-03", "total_minor": 11900, "currency": "USD"}
    received = diary.say("invoice.issued", "2026-06-03", **usd)
    assert (received.state, received.field) == ("rejected", "data.currency")
    assert "USD" in received.reason
    assert "EUR" in received.reason


def test_payments_in_parts_pay_an_invoice_when_they_reach_its_total(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-06-01")
    diary.say("invoice.paid", "2026-06-05", number="00001", amount_minor=4000, reference="a")
    diary.say("invoice.paid", "2026-06-05", number="00001", amount_minor=4000, reference="a")
    assert told(diary.invoices(), "status collected_minor") == [("open", 4000)]
    diary.say("invoice.paid", "2026-06-06", number="00001", amount_minor=8000, reference="b")
    assert told(diary.invoices(), "status collected_minor") == [("paid", 12000)]
    assert told(diary.notices(), "occasion audience") == [
        ("invoice_open", "client"),
        ("invoice_paid", "client"),
        ("surplus_payment", "agency"),
    ]
    assert [row.data["amount_minor"] for row in diary.events("payment.surplus")] == [100]
