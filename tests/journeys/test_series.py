"""Invoices repeat while the latest one is open or paid; void and uncollectible stop them until they are resumed."""

from tests.journeys.diary import Diary, told

BROKE = "decline:insufficient_funds"


def test_invoices_go_on_while_orders_are_held(diary: Diary) -> None:
    diary.open(card=BROKE)
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-08-05")
    assert told(diary.invoices(), "period_starts_on status failing_since") == [
        ("2026-06-01", "open", "2026-06-01T10:00Z"),
        ("2026-07-01", "open", "2026-06-30T22:00Z"),
        ("2026-08-01", "open", "2026-07-31T22:00Z"),
    ]
    assert told(diary.cycles(stream="order"), "starts_on state reason blocking_starts_on") == [
        ("2026-06-01", "held", "payment_failed", "2026-06-01"),
        ("2026-07-01", "held", "payment_failed", "2026-06-01"),
        ("2026-08-01", "held", "payment_failed", "2026-06-01"),
    ]
    assert diary.orders() == []


def voided_in_june(diary: Diary) -> None:
    diary.open(card=BROKE)
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("invoice.voided", "2026-06-20", subscription_id="sub", period_starts_on="2026-06-01", reason="dispute")


def test_a_void_invoice_stops_the_series_at_once_and_tells_the_agency(diary: Diary) -> None:
    voided_in_june(diary)
    assert told(diary.cycles(), "stream starts_on state reason") == [
        ("invoice", "2026-06-01", "done", None),
        ("order", "2026-06-01", "skipped", "invoice_void"),
    ]
    diary.go("2026-09-10")
    assert told(diary.cycles(stream="invoice"), "starts_on state reason") == [("2026-06-01", "done", None)]
    assert told(diary.notices("series_stopped"), "audience at subscription_id") == [
        ("agency", "2026-06-20T10:00Z", "sub"),
    ]
    assert told(diary.invoices(), "status") == ["void"]
    assert told(diary.cycles(stream="order"), "starts_on state reason") == [
        ("2026-06-01", "skipped", "invoice_void"),
        ("2026-07-01", "waiting", "series_stopped"),
        ("2026-08-01", "waiting", "series_stopped"),
        ("2026-09-01", "waiting", "series_stopped"),
    ]


def test_a_stopped_series_resumes_at_the_next_boundary_and_what_it_missed_is_skipped(diary: Diary) -> None:
    voided_in_june(diary)
    diary.new_card("2026-06-21")
    diary.say("subscription.resumed", "2026-09-15")
    diary.go("2026-10-02")
    assert told(diary.cycles(stream="invoice"), "starts_on ends_on state reason") == [
        ("2026-06-01", "2026-07-01", "done", None),
        ("2026-07-01", "2026-08-01", "skipped", "series_stopped"),
        ("2026-08-01", "2026-09-01", "skipped", "series_stopped"),
        ("2026-09-01", "2026-10-01", "skipped", "series_stopped"),
        ("2026-10-01", "2026-11-01", "done", None),
    ]
    assert told(diary.cycles(stream="order"), "starts_on state reason")[2:] == [
        ("2026-08-01", "skipped", "series_stopped"),
        ("2026-09-01", "skipped", "series_stopped"),
        ("2026-10-01", "done", None),
    ]
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "void"), ("2026-10-01", "paid")]


def test_a_stopped_series_resumed_from_a_date_issues_from_there_on(diary: Diary) -> None:
    voided_in_june(diary)
    diary.new_card("2026-06-21")
    diary.say("subscription.resumed", "2026-09-15", **{"from": "2026-08-15"})
    assert told(diary.cycles(stream="invoice"), "starts_on state reason") == [
        ("2026-06-01", "done", None),
        ("2026-07-01", "skipped", "series_stopped"),
        ("2026-08-01", "skipped", "series_stopped"),
        ("2026-09-01", "done", None),
    ]
    assert told(diary.invoices(), "period_starts_on issued_on status") == [
        ("2026-06-01", "2026-06-01", "void"),
        ("2026-09-01", "2026-09-15", "paid"),
    ]
    assert told(diary.orders(), "cycle_starts_on created_at") == [("2026-09-01", "2026-09-15T10:00Z")]


def test_resuming_a_series_that_runs_is_refused_and_changes_nothing(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    assert diary.say("subscription.resumed", "2026-06-15").state == "rejected"
    diary.go("2026-07-01")
    assert told(diary.cycles(stream="invoice"), "starts_on state") == [("2026-06-01", "done"), ("2026-07-01", "done")]


def written_off_in_june(diary: Diary) -> None:
    off = {"dunning": {"retry_days": [1, 3], "on_exhausted": "mark_uncollectible"}}
    diary.open(card=BROKE, agency=off)
    diary.say("subscription.upserted", "2026-06-01")


def test_an_uncollectible_invoice_stops_the_series_and_keeps_its_order_held(diary: Diary) -> None:
    written_off_in_june(diary)
    diary.go("2026-07-10")
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "uncollectible")]
    assert told(diary.cycles(), "stream starts_on state reason") == [
        ("invoice", "2026-06-01", "done", None),
        ("order", "2026-06-01", "held", "invoice_uncollectible"),
        ("order", "2026-07-01", "held", "invoice_uncollectible"),
    ]
    assert told(diary.notices("series_stopped"), "audience") == ["agency"]


def test_an_uncollectible_invoice_that_gets_paid_resumes_the_series_automatically(diary: Diary) -> None:
    written_off_in_june(diary)
    diary.new_card("2026-07-19")
    diary.say("invoice.paid", "2026-07-20", number="00001", reference="bank 9")
    diary.go("2026-08-02")
    assert told(diary.invoices(), "period_starts_on status") == [("2026-06-01", "paid"), ("2026-08-01", "paid")]
    assert told(diary.orders(), "cycle_starts_on created_at") == [
        ("2026-06-01", "2026-07-20T10:00Z"),
        ("2026-08-01", "2026-07-31T22:00Z"),
    ]
    assert told(diary.cycles(stream="order"), "starts_on state reason")[1] == (
        "2026-07-01",
        "skipped",
        "series_stopped",
    )
    assert [row.data["previous_reason"] for row in diary.events("series.resumed")] == ["previous_invoice_uncollectible"]


def test_an_uncollectible_invoice_that_is_voided_frees_its_order_as_skipped(diary: Diary) -> None:
    written_off_in_june(diary)
    diary.say("invoice.voided", "2026-06-20", number="00001")
    assert told(diary.cycles(stream="order"), "starts_on state reason") == [("2026-06-01", "skipped", "invoice_void")]


def test_a_paid_invoice_is_not_voided_but_refused(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01")
    received = diary.say("invoice.voided", "2026-06-02", number="00001")
    assert (received.state, received.field) == ("rejected", "data.invoice_id")
    assert "refund" in received.reason
    assert told(diary.invoices(), "status") == ["paid"]


def stopped_manual(diary: Diary) -> None:
    """A manual order whose invoice of 3 July was voided: its series stops then."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.say("invoice.voided", "2026-07-10", subscription_id="sub", period_starts_on="2026-07-03")
    diary.go("2026-08-05")


def test_an_invoice_by_hand_anchors_a_stopped_series_again_and_ends_the_period_it_falls_into(diary: Diary) -> None:
    stopped_manual(diary)
    diary.say("invoice.issued", "2026-08-20", invoice_id="by-hand-2", issued_on="2026-08-20")
    diary.go("2026-09-25")
    assert told(diary.cycles(stream="invoice"), "index starts_on ends_on state reason") == [
        (0, "2026-06-03", "2026-07-03", "done", None),
        (1, "2026-07-03", "2026-08-03", "done", None),
        (2, "2026-08-03", "2026-08-20", "skipped", "series_stopped"),
        (3, "2026-08-20", "2026-09-20", "done", None),
        (4, "2026-09-20", "2026-10-20", "done", None),
    ]
    assert told(diary.invoices(), "period_starts_on status origin") == [
        ("2026-06-03", "open", "manual"),
        ("2026-07-03", "void", "automatic"),
        ("2026-08-20", "open", "manual"),
        ("2026-09-20", "open", "automatic"),
    ]


def test_an_invoice_by_hand_after_the_planned_period_of_a_stopped_series_leaves_no_cycle_unexplained(
    diary: Diary,
) -> None:
    stopped_manual(diary)
    diary.say("invoice.issued", "2026-10-15", invoice_id="by-hand-2", issued_on="2026-10-15")
    diary.go("2026-11-20")
    assert told(diary.cycles(stream="invoice"), "starts_on ends_on state reason")[2:] == [
        ("2026-08-03", "2026-09-03", "skipped", "series_stopped"),
        ("2026-09-03", "2026-10-03", "skipped", "series_stopped"),
        ("2026-10-03", "2026-10-15", "skipped", "series_stopped"),
        ("2026-10-15", "2026-11-15", "done", None),
        ("2026-11-15", "2026-12-15", "done", None),
    ]
