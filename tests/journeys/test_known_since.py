"""What came before we knew a subscription is not billed by accident; what came after is always created."""

from tests.journeys.diary import Diary, told


def test_an_import_bills_the_running_period_and_skips_those_that_ended_before_the_first_message(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-15", starts_on="2026-03-10")
    assert told(diary.cycles(stream="invoice"), "index starts_on ends_on state reason") == [
        (0, "2026-03-10", "2026-04-10", "skipped", "before_known"),
        (1, "2026-04-10", "2026-05-10", "skipped", "before_known"),
        (2, "2026-05-10", "2026-06-10", "skipped", "before_known"),
        (3, "2026-06-10", "2026-07-10", "done", None),
    ]
    assert told(diary.cycles(stream="order"), "state") == ["skipped", "skipped", "skipped", "done"]
    assert told(diary.invoices(), "period_starts_on issued_on") == [("2026-06-10", "2026-06-15")]


def test_a_period_that_ends_on_the_day_of_the_first_message_has_ended_before(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-10", starts_on="2026-05-10")
    assert told(diary.cycles(stream="order"), "starts_on state") == [("2026-05-10", "skipped"), ("2026-06-10", "done")]


def test_bill_from_replaces_the_first_message_as_the_line(diary: Diary) -> None:
    diary.open("2026-03-01")
    diary.say("subscription.upserted", "2026-06-15", starts_on="2026-03-10", bill_from="2026-05-01")
    assert told(diary.invoices(), "cycle_index period_starts_on issued_on status") == [
        (1, "2026-04-10", "2026-06-15", "paid"),
        (2, "2026-05-10", "2026-06-15", "paid"),
        (3, "2026-06-10", "2026-06-15", "paid"),
    ]
    assert told(diary.orders(), "cycle_starts_on") == ["2026-04-10", "2026-05-10", "2026-06-10"]


def test_a_message_that_arrives_late_counts_from_its_own_time(diary: Diary) -> None:
    diary.open()
    diary.go("2026-08-20")
    diary.say("subscription.upserted", "2026-06-01", starts_on="2026-06-01")
    assert told(diary.invoices(), "period_starts_on issued_on") == [
        ("2026-06-01", "2026-08-20"),
        ("2026-07-01", "2026-08-20"),
        ("2026-08-01", "2026-08-20"),
    ]


def test_messages_that_came_in_the_wrong_order_give_the_same_first_moment(diary: Diary) -> None:
    diary.open()
    diary.outage("2026-06-10", "2026-08-20")
    diary.say("subscription.upserted", "2026-08-01", revision=2, quantity=2)
    diary.say("subscription.upserted", "2026-06-12", revision=1, quantity=1)
    assert told(diary.cycles(stream="invoice"), "starts_on state") == [
        ("2026-06-01", "done"),
        ("2026-07-01", "done"),
        ("2026-08-01", "done"),
    ]


def test_a_manual_order_that_was_made_before_we_knew_it_goes_on_from_its_own_anchor(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-15", checkout="manual", starts_on="2026-04-01")
    diary.go("2026-07-01")
    assert told(diary.cycles(stream="order"), "starts_on state reason") == [
        ("2026-04-01", "skipped", "before_known"),
        ("2026-05-01", "skipped", "before_known"),
        ("2026-06-01", "done", None),
        ("2026-07-01", "done", None),
    ]
