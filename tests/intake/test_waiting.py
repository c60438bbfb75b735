"""Messages that come before what they speak of wait, and are applied in order when it arrives."""

import pytest

from shared.store.database import FixedClock
from tests.journeys.diary import Diary, told

AT = "2026-05-20T08:00:00Z"
STATES = "SELECT id, state, waits_for FROM inbox ORDER BY inbox_id"


def test_a_subscription_waits_for_its_agency_its_client_and_its_service(diary: Diary) -> None:
    """One after the other, whatever comes first; once everything is there it counts, and cycle 0 is made."""
    assert diary.say("subscription.upserted", AT, id="sub", starts_on="2026-05-01").reason == "waits for agency/ag"
    diary.say("agency.upserted", id="agency")
    assert diary.ask(STATES)[0] == ("sub", "waiting", "client/law")
    diary.say("client.upserted", id="client")
    assert diary.ask(STATES)[0] == ("sub", "waiting", "service/seo")
    diary.say("service.upserted", id="service")
    assert diary.ask(STATES) == [(id_, "applied", None) for id_ in ("sub", "agency", "client", "service")]
    assert told(diary.invoices(), "period_starts_on issued_on") == [("2026-05-01", "2026-05-20")]


def test_everything_about_an_agency_waits_for_it(diary: Diary) -> None:
    diary.say("client.upserted", AT, id="client")
    diary.say("service.upserted", id="service")
    diary.say("invoice.issued", id="issued", issued_on="2026-05-20")
    diary.say("subscription.upserted", id="sub", checkout="manual")
    diary.say("payment_method.upserted", id="card")
    assert diary.ask(STATES) == [
        ("client", "waiting", "agency/ag"),
        ("service", "waiting", "agency/ag"),
        ("issued", "waiting", "subscription/sub"),
        ("sub", "waiting", "agency/ag"),
        ("card", "waiting", "client/law"),
    ]
    diary.say("agency.upserted", id="agency")
    assert {state for _, state, _ in diary.ask(STATES)} == {"applied"}
    assert told(diary.invoices(), "invoice_id cycle_index issued_on") == [("by-hand-1", 0, "2026-05-20")]


def test_a_removal_waits_for_its_payment_method(diary: Diary) -> None:
    diary.open(AT, card=None)
    assert diary.say("payment_method.removed", revision=2).reason == "waits for payment_method/law/card"
    diary.say("payment_method.upserted", revision=1)
    assert diary.ask("SELECT revision, removed_at IS NULL FROM payment_methods") == [(2, False)]


def test_messages_that_waited_are_applied_in_the_order_they_came(diary: Diary) -> None:
    """A part, a void and another part, told before the invoice is known: by the void all of it is surplus."""
    diary.open(AT)
    diary.say("subscription.upserted", AT, checkout="manual")
    diary.say("invoice.paid", id="one", invoice_id="by-hand-1", amount_minor=1900, reference="r-1")
    diary.say("invoice.voided", id="void", invoice_id="by-hand-1")
    diary.say("invoice.paid", id="two", invoice_id="by-hand-1", amount_minor=10000, reference="r-2")
    diary.say("invoice.issued", issued_on="2026-05-20")
    assert told(diary.invoices(), "status collected_minor") == [("void", 11900)]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [1900, 10000]


@pytest.mark.parametrize(
    ("selector", "waits_for"),
    [
        ({"invoice_id": "inv:sub:2026-06-01"}, "invoice/inv:sub:2026-06-01"),
        ({"subscription_id": "sub", "period_starts_on": "2026-06-01"}, "invoice-period/sub/2026-06-01"),
    ],
    ids=["id", "period"],
)
@pytest.mark.parametrize("name", ["invoice.paid", "invoice.voided", "charge.requested"])
def test_what_is_said_of_an_invoice_waits_for_it(
    diary: Diary, name: str, selector: dict[str, str], waits_for: str
) -> None:
    """By id or by period, for every kind of message; and it counts before the invoice is charged.

    Where a charge was asked for, the first attempt goes out anyway: so that is refused, and says why.
    """
    diary.open(AT)
    diary.say("subscription.upserted", AT)
    assert diary.say(name, "2026-05-30", id="early", **selector).reason == f"waits for {waits_for}"
    diary.go("2026-06-01")
    answer = "rejected" if name == "charge.requested" else "applied"
    assert diary.ask("SELECT state FROM inbox WHERE id = 'early'") == [(answer,)]
    ((status,),) = diary.ask("SELECT status FROM invoices")
    sent = [each for each in diary.charges() if each.outcome == "succeeded"]
    assert (status, len(sent)) == {
        "invoice.paid": ("paid", 0),
        "invoice.voided": ("void", 0),
        "charge.requested": ("paid", 1),
    }[name]


@pytest.mark.parametrize(
    "name", ["invoice.paid", "invoice.voided", "invoice.refunded", "refund.requested", "charge.requested"]
)
def test_a_number_of_our_own_series_that_was_not_given_yet_is_waited_for_by_nobody(diary: Diary, name: str) -> None:
    """Whoever gets it later may be somebody else: a typo must not pay, void or charge a stranger's invoice."""
    diary.open(AT)
    diary.say("subscription.upserted", AT)
    received = diary.say(name, "2026-05-30", number="00001")
    assert (received.state, received.field) == ("rejected", "data.number")
    assert "invoice_id" in received.reason
    diary.go("2026-06-01")
    assert told(diary.invoices(), "number status collected_minor") == [("00001", "paid", 11900)]


def test_an_invoice_by_hand_ends_the_wait_by_its_external_number(diary: Diary) -> None:
    diary.open(AT)
    diary.say("subscription.upserted", AT, checkout="manual")
    diary.say("invoice.paid", number="2026/17")
    diary.say("invoice.issued", issued_on="2026-05-20", number="2026/17")
    assert told(diary.invoices(), "number status") == [("2026/17", "paid")]


def test_upstream_is_told_once_after_five_minutes(diary: Diary, clock: FixedClock) -> None:
    """Not earlier, not twice, and the message is still applied when the time comes."""
    diary.say("client.upserted", AT, id="early")
    diary.go("2026-05-20T08:04:59Z")
    assert diary.events("change.waiting") == []
    diary.go("2026-05-21")
    (answer,) = diary.events("change.waiting")
    assert f"{answer.at:%H:%M}" == "08:05"
    assert (answer.data["change_id"], answer.data["reason"]) == ("early", "waits for agency/ag")
    diary.say("agency.upserted")
    assert diary.ask("SELECT state FROM inbox WHERE id = 'early'") == [("applied",)]
    assert [each.data["change_id"] for each in diary.events("change.applied")][-1] == "early"


def test_a_message_that_goes_on_to_wait_for_something_else_is_told_of_too(diary: Diary) -> None:
    """Five minutes after it came, however often it was looked at in between."""
    diary.say("subscription.upserted", AT, id="sub")
    diary.say("agency.upserted", "2026-05-20T08:02:00Z")
    diary.say("client.upserted", "2026-05-20T08:03:00Z")
    diary.go("2026-05-20T09:00:00Z")
    (answer,) = diary.events("change.waiting")
    assert f"{answer.at:%H:%M}" == "08:05"
    assert answer.data["reason"] == "waits for service/seo"


def test_a_message_that_had_to_wait_only_a_moment_is_not_told_of(diary: Diary) -> None:
    diary.say("client.upserted", AT)
    diary.say("agency.upserted", "2026-05-20T08:01:00Z")
    diary.go("2026-05-21")
    assert diary.events("change.waiting") == []


def test_agencies_do_not_wait_for_each_other(diary: Diary) -> None:
    """The same ids in another agency are other things."""
    diary.say("client.upserted", AT, id="early")
    diary.say("agency.upserted", agency_id="other")
    assert diary.ask("SELECT state FROM inbox WHERE id = 'early'") == [("waiting",)]
