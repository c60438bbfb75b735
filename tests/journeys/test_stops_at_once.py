"""A series stops when its latest invoice is void or given up, not when the next cycle finds it; and what restarts it."""

from tests.journeys.diary import Diary, told

JUNE = "inv:sub:2026-06-01"


def _by_transfer(diary: Diary, until: str = "2026-06-02") -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go(until)


def test_a_void_of_the_latest_invoice_stops_the_series_in_that_moment(diary: Diary) -> None:
    _by_transfer(diary)
    diary.say("invoice.voided", "2026-06-05", invoice_id=JUNE)
    (event,) = diary.events("series.stopped")
    assert (f"{event.at:%Y-%m-%d}", event.data["reason"]) == ("2026-06-05", "previous_invoice_void")
    assert len(diary.notices("series_stopped", "agency")) == 1
    diary.go("2026-08-01")
    assert len(diary.invoices()) == 1
    diary.check()


def test_a_void_of_an_older_invoice_stops_nothing(diary: Diary) -> None:
    _by_transfer(diary, "2026-07-02")
    diary.say("invoice.voided", "2026-07-05", invoice_id=JUNE)
    diary.go("2026-08-02")
    assert diary.events("series.stopped") == []
    assert len(diary.invoices()) == 3


def test_paying_an_old_uncollectible_invoice_does_not_restart_what_a_void_stopped(diary: Diary) -> None:
    diary.open(card="decline:lost_card", agency={"dunning": {"retry_days": [1], "on_exhausted": "mark_uncollectible"}})
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-07-05", collection="manual")
    diary.say("subscription.resumed", "2026-07-06")
    diary.go("2026-08-02")
    diary.say("invoice.voided", "2026-08-03", subscription_id="sub", period_starts_on="2026-08-01")
    diary.say("invoice.paid", "2026-08-20", invoice_id=JUNE)
    diary.go("2026-10-02")
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "paid"), ("2026-08-01", "void")]
    diary.check()


def test_an_uncollectible_invoice_stops_its_series_at_once_and_its_payment_resumes_it(diary: Diary) -> None:
    diary.open(card="decline:lost_card", agency={"dunning": {"retry_days": [1], "on_exhausted": "mark_uncollectible"}})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-03")
    assert [f"{each.at:%Y-%m-%d}" for each in diary.events("series.stopped")] == ["2026-06-02"]
    diary.say("invoice.paid", "2026-06-20", invoice_id=JUNE)
    diary.go("2026-07-02")
    assert told(diary.invoices(), "period_starts_on") == ["2026-06-01", "2026-07-01"]


def test_a_first_invoice_by_hand_is_corrected_by_a_void_and_a_new_one(diary: Diary) -> None:
    """The new one re-anchors the series: the later ones follow its date."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", invoice_id="a", issued_on="2026-06-03")
    diary.say("invoice.voided", "2026-06-04", invoice_id="a")
    diary.say("invoice.issued", "2026-06-05", invoice_id="b", issued_on="2026-06-05")
    diary.go("2026-08-06")
    assert told(diary.invoices(), "period_starts_on period_ends_on status") == [
        ("2026-06-03", "2026-07-03", "void"),
        ("2026-06-05", "2026-07-05", "open"),
        ("2026-07-05", "2026-08-05", "open"),
        ("2026-08-05", "2026-09-05", "open"),
    ]
    diary.check()


def test_it_may_be_issued_again_on_the_same_day(diary: Diary) -> None:
    """The void one keeps its number and its period; the new one stands in its place."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    for id_ in ("a", "b", "c"):
        diary.say("invoice.issued", "2026-06-03", invoice_id=id_, issued_on="2026-06-03")
        if id_ != "c":
            diary.say("invoice.voided", "2026-06-03", invoice_id=id_)
    diary.go("2026-07-04")
    assert told(diary.invoices(), "number period_starts_on cycle_index status") == [
        ("00001", "2026-06-03", 0, "void"),
        ("00002", "2026-06-03", 0, "void"),
        ("00003", "2026-06-03", 0, "open"),
        ("00004", "2026-07-03", 1, "open"),
    ]
    assert diary.say("invoice.paid", subscription_id="sub", period_starts_on="2026-06-03").state == "applied"
    diary.check()


def test_the_policy_latest_is_decided_once_when_the_hold_ends(diary: Diary) -> None:
    """The order that was running then is created when its own invoice is paid, also after its period."""
    diary.open(card="decline:insufficient_funds", agency={"backlog": "latest", "dunning": {"retry_days": [1]}})
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", "2026-06-10", collection="manual")
    diary.say("invoice.paid", "2026-07-20", invoice_id=JUNE)
    diary.say("invoice.paid", "2026-08-05", invoice_id="inv:sub:2026-07-01")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-07-01"]
    assert told(diary.cycles(stream="order"), "starts_on state reason")[0] == (
        "2026-06-01",
        "skipped",
        "backlog_latest",
    )
    diary.check()


def test_dunnings_own_cancel_does_not_touch_the_order_of_that_instant(diary: Diary) -> None:
    diary.open(card="decline:insufficient_funds", agency={"dunning": {"retry_days": [], "on_exhausted": "cancel"}})
    diary.say("subscription.upserted", "2026-05-25")
    diary.go("2026-06-05")
    diary.new_card("2026-06-06")
    diary.go("2026-08-01")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01"]
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "paid")]
    diary.check()


def test_behind_any_number_of_stuck_orders_each_is_judged_by_its_own_facts(diary: Diary) -> None:
    """Forty-four daily periods, of which three far behind the first 36 are paid."""
    diary.open(service={"billing_cycle": {"unit": "day", "every": 1}})
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.go("2026-07-14")
    for day in ("2026-07-08", "2026-07-10", "2026-07-13"):
        diary.say("invoice.paid", "2026-07-14", subscription_id="sub", period_starts_on=day)
    assert told(diary.orders(), "cycle_starts_on") == ["2026-07-08", "2026-07-10", "2026-07-13"]
    stuck = [each for each in diary.cycles(stream="order") if each.state == "waiting"]
    assert {(each.reason, each.blocking_starts_on == each.starts_on) for each in stuck} == {("invoice_unpaid", True)}
    assert len(stuck) == 41
    diary.check()


def test_an_overdue_invoice_that_holds_orders_is_told_to_both_sides_once(diary: Diary) -> None:
    diary.open(agency={"hold_on": "overdue", "payment_terms_days": 5})
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-08-02")
    assert told(diary.notices("invoice_overdue"), "audience invoice_number") == [
        ("agency", "00001"),
        ("client", "00001"),
    ]


def test_a_manual_order_waits_for_the_answer_to_the_charge_of_its_day(diary: Diary) -> None:
    """The invoice of 1 July is charged and declined at midnight: the order of that day does not go out."""
    diary.open(card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", collection="automatic")
    diary.say("invoice.issued", "2026-06-01", issued_on="2026-06-01", status="paid")
    diary.go("2026-07-02")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01"]
    assert told(diary.cycles(stream="order"), "state")[1:] == ["held"]
    diary.check()


def test_a_manual_order_goes_out_once_the_charge_is_pending(diary: Diary) -> None:
    """A debit that is on its way is no failure."""
    diary.open(card="pending:4")
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", collection="automatic")
    diary.say("invoice.issued", "2026-06-01", issued_on="2026-06-01", status="paid")
    diary.go("2026-07-01")
    assert told(diary.orders(), "cycle_starts_on") == ["2026-06-01", "2026-07-01"]
    diary.check()
