"""A printed number stands on one document of its agency, whoever gave it."""

from tests.journeys.diary import Diary, told


def test_our_series_steps_over_a_number_that_upstream_has_given(diary: Diary) -> None:
    """That is no gap: the series together with the taken numbers has none."""
    diary.open(agency={"invoice_prefix": "AC-"})
    diary.say("subscription.upserted", "2026-05-20", subscription_id="hand", checkout="manual")
    diary.say("invoice.issued", subscription_id="hand", issued_on="2026-05-20", number="AC-00002")
    for day in ("01", "02", "03"):
        diary.say(
            "subscription.upserted", subscription_id=f"sub-{day}", starts_on=f"2026-06-{day}", collection="manual"
        )
    diary.go("2026-06-03")
    assert told(diary.rows("invoices"), "number") == ["AC-00002", "AC-00001", "AC-00003", "AC-00004"]
    diary.check()


def test_a_number_is_given_once(diary: Diary) -> None:
    """Also one that our own series gave, and one that a credit note has."""
    diary.open(agency={"invoice_prefix": "AC-"})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01")
    diary.say("refund.requested", "2026-06-02", number="AC-00001", amount_minor=100)
    diary.settle()
    diary.say("subscription.upserted", subscription_id="hand", checkout="manual")
    for number in ("AC-00001", "AC-CN-00001"):
        received = diary.say("invoice.issued", subscription_id="hand", issued_on="2026-06-02", number=number)
        assert (received.state, received.field) == ("rejected", "data.number")
    assert diary.say("invoice.issued", subscription_id="hand", issued_on="2026-06-02", number="7").state == "applied"
    again = diary.say("invoice.issued", subscription_id="hand", invoice_id="b", issued_on="2026-06-02", number="7")
    assert (again.state, again.field) == ("rejected", "data.number")


def test_credit_notes_step_over_taken_numbers_too(diary: Diary) -> None:
    diary.open(agency={"invoice_prefix": "AC-"})
    diary.say("subscription.upserted", "2026-06-01")
    diary.say("subscription.upserted", subscription_id="hand", checkout="manual")
    diary.say("invoice.issued", subscription_id="hand", issued_on="2026-06-01", number="AC-CN-00001")
    diary.go("2026-06-01")
    diary.say("refund.requested", "2026-06-02", number="AC-00001", amount_minor=100)
    assert diary.ask("SELECT number FROM credit_notes") == [("AC-CN-00002",)]
    diary.check()


def test_a_selector_by_the_number_of_a_credit_note_is_refused(diary: Diary) -> None:
    diary.open(agency={"invoice_prefix": "AC-"})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-01")
    diary.say("refund.requested", "2026-06-02", number="AC-00001", amount_minor=100)
    diary.settle()
    received = diary.say("invoice.paid", "2026-06-03", number="AC-CN-00001")
    assert (received.state, received.field) == ("rejected", "data.number")
    assert "credit note" in received.reason
