"""A payment fails: the ladder of retries, who is told when, and what is held meanwhile."""

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, RETRY_DAYS, checkout, days, mails, order_states, orders, statuses


def test_a_card_that_never_works(diary: Diary) -> None:
    """Seven attempts, both sides told at the first failure and at the end, the client before the last attempt, silence
    between; the order is held all the time, and created once the invoice is paid by hand."""
    checkout(diary, "decline:insufficient_funds")
    diary.go("2026-06-16")
    assert days(diary) == [(day, "declined") for day in RETRY_DAYS]
    assert [at.strftime("%H") for at in (each.at for each in diary.charges()[1:])] == ["07"] * 6  # 09:00 … 09:59 local
    assert mails(diary) == [
        ("2026-06-01", "payment_failed", "agency"),
        ("2026-06-01", "payment_failed", "client"),
        ("2026-06-11", "payment_failed", "client"),
        ("2026-06-15", "dunning_exhausted", "agency"),
        ("2026-06-15", "dunning_exhausted", "client"),
    ]
    assert [each.type for each in diary.rows("events") if each.type.startswith(("invoice.", "cycle.", "dunning."))] == [
        "invoice.issued",
        "invoice.failing",
        "cycle.held",
        "dunning.exhausted",
    ]
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]
    assert statuses(diary) == [("2026-06-01", "open", 0)]
    diary.say("invoice.paid", "2026-06-17", invoice_id=INVOICE)
    assert order_states(diary) == [("2026-06-01", "done", None)]
    assert orders(diary) == [("2026-06-01", "2026-06-17")]
    assert diary.events("cycle.released_late") == []


def test_a_retry_that_succeeds_lets_the_order_go(diary: Diary) -> None:
    checkout(diary, "decline_until:2026-06-06")
    diary.go("2026-06-05")
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]
    assert told(diary.cycles("sub", "order"), "blocking_starts_on blocking_invoice_id") == [("2026-06-01", INVOICE)]
    diary.go("2026-06-07")
    assert days(diary) == [
        ("2026-06-01", "declined"),
        ("2026-06-02", "declined"),
        ("2026-06-04", "declined"),
        ("2026-06-06", "succeeded"),
    ]
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]
    assert orders(diary) == [("2026-06-01", "2026-06-06")]
    assert mails(diary)[2:] == [("2026-06-06", "invoice_paid", "client")]


def test_retries_stay_at_nine_local_over_a_change_of_time(diary: Diary) -> None:
    """Summer time begins in Berlin on 29 March: 09:00 is 08:00 UTC before and 07:00 UTC from then on."""
    diary.open("2026-03-20", "decline:insufficient_funds", agency={"dunning": {"retry_days": [1, 2, 3]}})
    diary.say("subscription.upserted", "2026-03-21", starts_on="2026-03-27")
    diary.go("2026-03-31")
    assert [f"{each.at:%m-%dT%H}" for each in diary.charges()] == ["03-26T23", "03-28T08", "03-29T07", "03-30T07"]
    minutes = {f"{each.at:%M:%S}" for each in diary.charges()[1:]}
    assert len(minutes) == 1  # the same second of the hour on every retry day


def test_retries_missed_in_an_outage_collapse_into_one(diary: Diary) -> None:
    """Down from 2 to 9 June: one attempt on coming back instead of four, then the ladder's next retry."""
    checkout(diary, "decline:insufficient_funds")
    diary.outage("2026-06-02", "2026-06-09")
    diary.go("2026-06-12")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-09", "declined"), ("2026-06-11", "declined")]


def test_an_outage_over_the_last_retry_day_leaves_one_attempt_and_then_the_end(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    diary.outage("2026-06-02", "2026-06-20")
    diary.go("2026-06-21")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-20", "declined")]
    assert mails(diary, "dunning_exhausted") == [
        ("2026-06-20", "dunning_exhausted", "agency"),
        ("2026-06-20", "dunning_exhausted", "client"),
    ]


def test_a_ladder_without_retry_days_ends_with_the_first_failure(diary: Diary) -> None:
    """One coherent message each: the end, not the failure and the end."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": []})
    diary.go("2026-06-03")
    assert days(diary) == [("2026-06-01", "declined")]
    assert mails(diary) == [
        ("2026-06-01", "dunning_exhausted", "agency"),
        ("2026-06-01", "dunning_exhausted", "client"),
    ]


def test_a_ladder_of_one_retry_tells_its_first_failure_once(diary: Diary) -> None:
    """The first failure is also the one before the last attempt: one message, not two."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": [2]})
    diary.go("2026-06-04")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-03", "declined")]
    assert mails(diary) == [
        ("2026-06-01", "payment_failed", "agency"),
        ("2026-06-01", "payment_failed", "client"),
        ("2026-06-03", "dunning_exhausted", "agency"),
        ("2026-06-03", "dunning_exhausted", "client"),
    ]


def test_invoices_go_on_while_orders_are_held(diary: Diary) -> None:
    """An unpaid invoice is open, so the next one is issued, fails for itself, and both orders are held by the oldest."""
    checkout(diary, "decline:insufficient_funds", dunning={"retry_days": [1]})
    diary.go("2026-07-02")
    assert statuses(diary) == [("2026-06-01", "open", 0), ("2026-07-01", "open", 0)]
    assert told(diary.cycles("sub", "order"), "starts_on state blocking_invoice_id") == [
        ("2026-06-01", "held", INVOICE),
        ("2026-07-01", "held", INVOICE),
    ]
    diary.say("invoice.paid", "2026-07-03", invoice_id=INVOICE)
    assert told(diary.cycles("sub", "order"), "starts_on state blocking_invoice_id")[1] == (
        "2026-07-01",
        "held",
        "inv:sub:2026-07-01",
    )
    assert orders(diary) == []
    diary.say("invoice.paid", "2026-07-04", invoice_id="inv:sub:2026-07-01")
    assert orders(diary) == [("2026-06-01", "2026-07-04"), ("2026-07-01", "2026-07-04")]
