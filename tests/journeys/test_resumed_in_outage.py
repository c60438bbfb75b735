"""What was voided, resumed or cancelled while nothing ran comes out as if everything had run."""

from tests.journeys.diary import Diary, told


def _story(diary: Diary) -> None:
    """A manual collection whose June invoice is voided, and whose series is then resumed."""
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-25", subscription_id="sub", starts_on="2026-06-01", collection="manual")
    diary.go("2026-06-24")
    june = diary.invoices("sub")[0].invoice_id
    diary.say("invoice.voided", "2026-06-28", invoice_id=june)
    diary.say("subscription.resumed", "2026-07-15", subscription_id="sub")
    diary.go("2026-09-30")


LEFT = [
    ("2026-06-01", "done", None),
    ("2026-07-01", "skipped", "series_stopped"),
    ("2026-08-01", "done", None),
    ("2026-09-01", "done", None),
]


def test_a_series_voided_and_resumed_goes_on(diary: Diary) -> None:
    """The void stops it at once; from August on the series runs again."""
    _story(diary)
    assert told(diary.cycles("sub", "invoice"), "starts_on state reason") == LEFT


def test_a_series_voided_and_resumed_in_one_outage_goes_on_too(diary: Diary) -> None:
    """The stop and its end are told at once: the same documents all the same."""
    diary.outage("2026-06-25", "2026-09-25")
    _story(diary)
    assert told(diary.cycles("sub", "invoice"), "starts_on state reason") == LEFT


def test_a_series_voided_in_an_outage_stops_once(diary: Diary) -> None:
    """Nothing is planned after it; the agency is told once."""
    diary.open(card=None)
    diary.say("subscription.upserted", "2026-05-25", subscription_id="sub", starts_on="2026-06-01", collection="manual")
    diary.go("2026-06-24")
    diary.outage("2026-06-25", "2026-08-25")
    diary.say("invoice.voided", "2026-06-28", invoice_id=diary.invoices("sub")[0].invoice_id)
    diary.go("2026-08-31")
    assert told(diary.cycles("sub", "invoice"), "starts_on state reason") == [
        ("2026-06-01", "done", None),
    ]
    assert len(diary.notices("series_stopped")) == 1


def test_an_end_set_ahead_is_kept_while_the_subscription_is_still_active(diary: Diary) -> None:
    """`cancel_on` with status active: July is the last cycle."""
    diary.open()
    diary.say(
        "subscription.upserted", "2026-05-25", subscription_id="sub", starts_on="2026-06-01", cancel_on="2026-08-01"
    )
    diary.go("2026-09-30")
    assert told(diary.invoices("sub"), "period_starts_on status") == [("2026-06-01", "paid"), ("2026-07-01", "paid")]
    assert told(diary.orders("sub"), "cycle_starts_on") == ["2026-06-01", "2026-07-01"]
