"""Money from outside and requests from upstream, in the middle of dunning."""

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, card, checkout, days, mails, moved, order_states, orders, statuses


def test_a_requested_charge_goes_out_now(diary: Diary) -> None:
    """It is the planned attempt, moved forward: the ladder goes on behind it, and keeps its retry days."""
    checkout(diary, "decline_until:2026-06-06")
    diary.say("charge.requested", "2026-06-03T10:00:00Z", invoice_id=INVOICE)
    diary.go("2026-06-03")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-02", "declined"), ("2026-06-03", "declined")]
    diary.go("2026-06-05")
    assert days(diary)[3:] == [("2026-06-04", "declined")]
    diary.say("charge.requested", "2026-06-06T05:00:00Z", subscription_id="sub", period_starts_on="2026-06-01")
    assert told(diary.charges()[4:], "at outcome") == [("2026-06-06T05:00Z", "succeeded")]
    late = diary.say("charge.requested", "2026-06-07", invoice_id=INVOICE)
    assert (late.state, late.field) == ("rejected", "data.invoice_id")
    diary.go("2026-06-09")
    assert len(moved(diary)) == 5


def test_a_charge_can_be_requested_after_the_end(diary: Diary) -> None:
    """One attempt; nobody is told a second time that dunning has ended."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": [1]})
    diary.say("charge.requested", "2026-06-05", invoice_id=INVOICE)
    diary.go("2026-06-06")
    assert [day for day, _ in days(diary)] == ["2026-06-01", "2026-06-02", "2026-06-05"]
    assert len(mails(diary, "dunning_exhausted")) == 2


def test_nothing_can_be_collected_on_a_void_invoice(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    diary.say("invoice.voided", "2026-06-02", invoice_id=INVOICE, reason="wrong price")
    received = diary.say("charge.requested", "2026-06-03", invoice_id=INVOICE)
    assert (received.state, received.field) == ("rejected", "data.invoice_id")
    diary.go("2026-06-05")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-02", "declined"), ("2026-06-02", "not_sent")]
    assert order_states(diary) == [("2026-06-01", "skipped", "invoice_void")]


def test_the_clients_own_payment_ends_the_ladder(diary: Diary) -> None:
    """The planned attempt is not sent, the order goes out at once, and the receipt is the last word."""
    checkout(diary, "decline:insufficient_funds")
    diary.say(
        "invoice.paid", "2026-06-03T10:00:00Z", invoice_id=INVOICE, reference="bank-1", paid_at="2026-06-02T08:00:00Z"
    )
    diary.go("2026-06-16")
    assert len(moved(diary)) == 2
    assert told(diary.charges()[2:], "outcome code settled_at") == [("not_sent", "invoice_paid", "2026-06-03T10:00Z")]
    assert told(diary.invoices(), "status paid_at failing_since") == [("paid", "2026-06-02T08:00Z", None)]
    assert orders(diary) == [("2026-06-01", "2026-06-03")]
    assert mails(diary)[2:] == [("2026-06-03", "invoice_paid", "client")]


def test_after_a_part_only_the_outstanding_amount_is_charged(diary: Diary) -> None:
    """Each part counts; the invoice stays failing until the whole is there."""
    checkout(diary, "decline_until:2026-06-04")
    diary.say("invoice.paid", "2026-06-02T12:00:00Z", invoice_id=INVOICE, reference="bank-1", amount_minor=1900)
    assert statuses(diary) == [("2026-06-01", "open", 1900)]
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]
    diary.go("2026-06-05")
    assert [(amount, outcome) for _, amount, outcome in moved(diary)] == [
        (11900, "declined"),
        (11900, "declined"),
        (10000, "succeeded"),
    ]
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]


def test_more_than_the_total_is_surplus_and_told_once(diary: Diary) -> None:
    """Recorded in full; the same reference a second time is the same money."""
    checkout(diary, "decline:insufficient_funds")
    for _ in range(2):
        diary.say("invoice.paid", "2026-06-03", invoice_id=INVOICE, reference="bank-1", amount_minor=12000)
    assert statuses(diary) == [("2026-06-01", "paid", 12000)]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [100]
    assert mails(diary, "surplus_payment") == [("2026-06-03", "surplus_payment", "agency")]
    (file,) = diary.mails.glob("2026-06-03*office@agency*.eml")
    assert "received 1.00 EUR more" in " ".join(file.read_text().replace("=\n", "").split())


def test_money_for_a_void_invoice_is_surplus(diary: Diary) -> None:
    """Never refused, never lost; but how much it was has to be said."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("invoice.voided", "2026-06-02", invoice_id=INVOICE)
    assert diary.say("invoice.paid", "2026-06-03", invoice_id=INVOICE).field == "data.amount_minor"
    diary.say("invoice.paid", "2026-06-04", invoice_id=INVOICE, amount_minor=11900)
    assert statuses(diary) == [("2026-06-01", "void", 11900)]
    assert [each.data["amount_minor"] for each in diary.events("payment.surplus")] == [11900]
    assert mails(diary, "surplus_payment") == [("2026-06-04", "surplus_payment", "agency")]
    assert orders(diary) == []


def test_a_payment_told_before_its_invoice_exists_is_counted_before_it_is_charged(diary: Diary) -> None:
    checkout(diary, "ok")
    waiting = diary.say(
        "invoice.paid", "2026-05-30", subscription_id="sub", period_starts_on="2026-06-01", reference="b-1"
    )
    assert waiting.state == "waiting"
    diary.go("2026-06-01")
    assert moved(diary) == []
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert orders(diary) == [("2026-06-01", "2026-06-01")]


def test_a_part_told_before_its_invoice_exists_leaves_what_is_outstanding_to_be_charged(diary: Diary) -> None:
    checkout(diary, "ok")
    diary.say("invoice.paid", "2026-05-30", invoice_id=INVOICE, reference="b-1", amount_minor=1900)
    diary.go("2026-06-01")
    assert [(amount, outcome) for _, amount, outcome in moved(diary)] == [(10000, "succeeded")]
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]


def test_an_invoice_issued_by_hand_is_never_charged_automatically(diary: Diary) -> None:
    """Not when it is recorded, not when a card comes or works; the next one, made by us, is."""
    diary.open(card="ok")
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", collection="automatic")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    card(diary, "2026-06-10", "ok", payment_method_id="second")
    diary.go("2026-07-04")
    assert statuses(diary) == [("2026-06-03", "open", 0), ("2026-07-03", "paid", 11900)]
    assert [each.invoice_id for each in diary.charges()] == ["inv:sub:2026-07-03"]


def test_manual_collection_is_never_charged(diary: Diary) -> None:
    """The client is asked to pay; past its due date it is open, not failing, and orders go on."""
    diary.open(card="ok")
    diary.say("subscription.upserted", "2026-05-21", checkout="manual", starts_on="2026-05-21")
    diary.say("invoice.issued", "2026-05-21", issued_on="2026-05-21")
    diary.go("2026-06-22")
    assert moved(diary) == []
    assert mails(diary) == [("2026-06-21", "invoice_open", "client")]
    assert orders(diary) == [("2026-05-21", "2026-05-21"), ("2026-06-21", "2026-06-21")]
