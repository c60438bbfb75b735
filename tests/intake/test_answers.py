"""Every message has an effect or says why not: `applied` means that something changed."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.messages.changes import CHANGE_TYPES
from tests.journeys.diary import Diary
from tests.table_contents import changed, contents

AT = "2026-05-20T08:00:00Z"
INVOICE = "inv:sub:2026-06-01"
BY_HAND: dict[str, Any] = {"invoice_id": "by-hand", "issued_on": "2026-06-01", "total_minor": 500, "currency": "EUR"}
PAID: dict[str, Any] = {"invoice_id": INVOICE, "amount_minor": 500, "reference": "r"}
REFUND: dict[str, Any] = {"invoice_id": INVOICE, "amount_minor": 500, "reference": "back"}


def _running(diary: Diary) -> None:
    diary.open(AT)
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-02")


def _failing(diary: Diary) -> None:
    diary.open(AT, card="decline:insufficient_funds")
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-02")


def _by_transfer(diary: Diary) -> None:
    diary.open(AT)
    diary.say("subscription.upserted", AT, collection="manual")
    diary.go("2026-06-02")


def _void(diary: Diary) -> None:
    _by_transfer(diary)
    diary.say("invoice.voided", invoice_id=INVOICE)


def _free(diary: Diary) -> None:
    diary.open(AT, service={"price_minor": 0})
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-02")


def _paused(diary: Diary) -> None:
    _running(diary)
    diary.say("subscription.upserted", status="paused")


def _cancelled(diary: Diary) -> None:
    _running(diary)
    diary.say("subscription.upserted", status="cancelled")


def _ended_by_dunning(diary: Diary) -> None:
    diary.open(AT, card="decline:insufficient_funds", agency={"dunning": {"retry_days": [1], "on_exhausted": "cancel"}})
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-10")


def _void_and_cancelled(diary: Diary) -> None:
    _void(diary)
    diary.say("subscription.upserted", status="cancelled")


def _void_and_ends_soon(diary: Diary) -> None:
    _void(diary)
    diary.say("subscription.upserted", cancel_on="2026-06-20")


def _void_and_ended_by_dunning(diary: Diary) -> None:
    _ended_by_dunning(diary)
    diary.say("invoice.voided", invoice_id=INVOICE)


def _issued_by_hand(diary: Diary) -> None:
    _running(diary)
    diary.say("invoice.issued", **BY_HAND)


def _void_by_hand(diary: Diary) -> None:
    _issued_by_hand(diary)
    diary.say("invoice.voided", invoice_id="by-hand")


def _paid_in_part(diary: Diary) -> None:
    _by_transfer(diary)
    diary.say("invoice.paid", **PAID)


def _refunded(diary: Diary) -> None:
    _running(diary)
    diary.say("invoice.refunded", **REFUND)


def _all_refunded(diary: Diary) -> None:
    _running(diary)
    diary.say("refund.requested", invoice_id=INVOICE)
    diary.settle()


REPEATED = ("repeated", "")
# (message, what came before, what it says, the answer): each of them has nothing to do.
NOTHING_TO_DO: list[tuple[str, Callable[[Diary], None], dict[str, Any], tuple[str, str]]] = [
    ("agency.upserted", _running, {"revision": 1}, REPEATED),
    ("client.upserted", _running, {"revision": 1}, REPEATED),
    ("service.upserted", _running, {"revision": 1}, REPEATED),
    ("payment_method.upserted", _running, {"revision": 1}, REPEATED),
    ("payment_method.removed", _running, {"payment_method_id": "none", "revision": 1}, ("waiting", "")),
    ("subscription.upserted", _running, {"revision": 1}, REPEATED),
    ("subscription.upserted", _ended_by_dunning, {}, ("rejected", "data.status")),
    ("subscription.upserted", _running, {"bill_from": "2026-07-15"}, ("rejected", "data.bill_from")),
    ("subscription.resumed", _running, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _paused, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _cancelled, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _ended_by_dunning, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _void_and_cancelled, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _void_and_ends_soon, {}, ("rejected", "data.subscription_id")),
    ("subscription.resumed", _void_and_ended_by_dunning, {}, ("rejected", "data.subscription_id")),
    ("invoice.issued", _issued_by_hand, BY_HAND, REPEATED),
    ("invoice.issued", _issued_by_hand, {**BY_HAND, "status": "paid"}, ("rejected", "data.status")),
    ("invoice.issued", _void_by_hand, BY_HAND, ("rejected", "data.status")),
    ("invoice.issued", _void_by_hand, {**BY_HAND, "status": "paid"}, ("rejected", "data.status")),
    ("invoice.issued", _issued_by_hand, {**BY_HAND, "total_minor": 501}, ("rejected", "data.invoice_id")),
    ("invoice.paid", _paid_in_part, PAID, REPEATED),
    ("invoice.paid", _paid_in_part, {**PAID, "amount_minor": 501}, ("rejected", "data.amount_minor")),
    ("invoice.paid", _paid_in_part, {"invoice_id": INVOICE, "reference": "r"}, REPEATED),
    ("invoice.paid", _running, {"invoice_id": INVOICE}, ("rejected", "data.amount_minor")),
    ("invoice.paid", _void, {"invoice_id": INVOICE}, ("rejected", "data.amount_minor")),
    ("invoice.voided", _void, {"invoice_id": INVOICE}, REPEATED),
    ("invoice.voided", _running, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
    ("invoice.voided", _free, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
    ("invoice.refunded", _refunded, REFUND, REPEATED),
    ("invoice.refunded", _refunded, {**REFUND, "amount_minor": 501}, ("rejected", "data.amount_minor")),
    ("invoice.refunded", _all_refunded, {"invoice_id": INVOICE}, ("rejected", "data.amount_minor")),
    ("invoice.refunded", _by_transfer, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
    ("refund.requested", _all_refunded, {"invoice_id": INVOICE}, ("rejected", "data.amount_minor")),
    ("refund.requested", _by_transfer, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
    ("charge.requested", _running, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
    ("charge.requested", _void, {"invoice_id": INVOICE}, ("rejected", "data.invoice_id")),
]


@pytest.mark.parametrize(
    ("name", "before", "data", "answer"),
    NOTHING_TO_DO,
    ids=[f"{name}-{before.__name__.strip('_')}-{number}" for number, (name, before, *_) in enumerate(NOTHING_TO_DO)],
)
def test_a_message_that_changes_nothing_is_never_called_applied(
    diary: Diary, name: str, before: Callable[[Diary], None], data: dict[str, Any], answer: tuple[str, str]
) -> None:
    before(diary)
    diary.settle()
    rows = contents(diary.store)
    received = diary.say(name, id="m-nothing", **data)
    assert (received.state, received.field) == answer
    assert set(changed(rows, contents(diary.store))) <= {"inbox", "events"}
    if received.state == "rejected":
        assert received.reason
        (said,) = [each for each in diary.events("change.rejected") if each.data["change_id"] == "m-nothing"]
        assert said.data["field"] == answer[1]


def test_every_type_of_message_is_walked_through_nothing_to_do() -> None:
    walked = {f"duecycle.{name}.v1" for name, *_ in NOTHING_TO_DO}
    assert walked == set(CHANGE_TYPES)


@pytest.mark.parametrize(
    ("name", "field", "data"),
    [
        ("client.upserted", "time", {}),
        ("invoice.paid", "data.paid_at", {"invoice_id": INVOICE, "paid_at": "2026-06-01T12:05:01Z", "amount_minor": 5}),
        ("invoice.refunded", "data.refunded_at", {"invoice_id": INVOICE, "refunded_at": "2026-06-02T00:00:00Z"}),
        ("invoice.issued", "data.issued_on", {"invoice_id": "x", "issued_on": "2026-06-02"}),
        (
            "subscription.upserted",
            "data.initial_payment.paid_at",
            {
                "initial_payment": {
                    "provider": "sandbox",
                    "reference": "pi",
                    "amount_minor": 1,
                    "currency": "EUR",
                    "paid_at": "2036-06-01T00:00:00Z",
                }
            },
        ),
    ],
)
def test_what_lies_ahead_of_our_clock_is_refused_with_its_field(
    diary: Diary, name: str, field: str, data: dict[str, Any]
) -> None:
    """A revision dated ten years ahead by a typo would outrank the cancellation that follows it."""
    diary.zone = "UTC"
    diary.open(AT, agency={"timezone": "UTC"})
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-01T12:00:00Z")
    if field == "time":
        raw = diary.message(name, "2036-06-01T12:00:00Z", **data)
        received = diary.hear(raw)
    else:
        received = diary.say(name, **data)
    assert (received.state, received.field) == ("rejected", field)
    assert "ahead of our clock" in received.reason or "after today" in received.reason


def test_five_minutes_ahead_is_taken(diary: Diary) -> None:
    """Clocks of two machines differ."""
    diary.open(AT)
    diary.say("subscription.upserted", AT, collection="manual")
    diary.go("2026-06-01T12:00:00Z")
    paid = {"invoice_id": INVOICE, "paid_at": "2026-06-01T12:05:00Z"}
    assert diary.say("invoice.paid", **paid).state == "applied"


def test_a_mended_message_under_the_same_id_is_taken_since_the_first_was_rejected(diary: Diary) -> None:
    """Both are kept; the second counts once."""
    diary.open(AT)
    assert diary.say("subscription.upserted", AT, id="outbox-1", quantity=-1).state == "rejected"
    assert diary.say("subscription.upserted", AT, id="outbox-1", quantity=2, revision=1).state == "applied"
    assert diary.say("subscription.upserted", AT, id="outbox-1", quantity=2, revision=1).state == "repeated"
    other = diary.say("subscription.upserted", AT, id="outbox-1", quantity=3, revision=1)
    assert (other.state, other.field) == ("rejected", "id")
    kept = "SELECT state, count(*) FROM inbox WHERE id = 'outbox-1' GROUP BY state ORDER BY state"
    assert diary.ask(kept) == [("applied", 1), ("rejected", 2)]


def test_two_agencies_may_use_one_id(diary: Diary) -> None:
    diary.open(AT)
    diary.say("agency.upserted", agency_id="b")
    assert diary.say("client.upserted", id="1", client_id="c").state == "applied"
    assert diary.say("client.upserted", id="1", client_id="c", agency_id="b").state == "applied"


def test_the_same_change_in_other_bytes_is_a_repeat(diary: Diary) -> None:
    """A broker or a proxy may write the keys in another order."""
    diary.open(AT)
    raw = diary.message("client.upserted", AT, id="same", client_id="c2")
    assert diary.hear(raw).state == "applied"
    assert diary.hear(raw.replace(b", ", b",  ")).state == "repeated"


def test_ids_in_our_own_form_are_refused(diary: Diary) -> None:
    """They would one day be given by us, too."""
    diary.open(AT)
    diary.say("subscription.upserted", AT, checkout="manual")
    order = diary.say(
        "subscription.upserted", AT, subscription_id="o", checkout="manual", order_id="ord:sub:2026-06-01"
    )
    assert (order.state, order.field) == ("rejected", "data.order_id")
    invoice = diary.say("invoice.issued", invoice_id="inv:sub:2026-07-01", issued_on="2026-05-20")
    assert (invoice.state, invoice.field) == ("rejected", "data.invoice_id")
