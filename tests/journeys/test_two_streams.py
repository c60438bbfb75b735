"""Orders and invoices of one subscription each have an anchor and a cycle of their own."""

from tests.journeys.diary import Diary, told


def test_manual_order_on_1_june_and_first_invoice_on_3_june_give_1_july_and_3_july(diary: Diary) -> None:
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", order_id="ord-7")
    diary.say("invoice.issued", "2026-06-03", issued_on="2026-06-03")
    diary.go("2026-07-05")
    assert told(diary.orders(), "order_id cycle_starts_on cycle_ends_on created_at origin") == [
        ("ord-7", "2026-06-01", "2026-07-01", "2026-06-01T10:00Z", "manual"),
        ("ord:sub:2026-07-01", "2026-07-01", "2026-08-01", "2026-06-30T22:00Z", "automatic"),
    ]
    assert told(diary.invoices(), "period_starts_on period_ends_on issued_on origin total_minor") == [
        ("2026-06-03", "2026-07-03", "2026-06-03", "manual", 11900),
        ("2026-07-03", "2026-08-03", "2026-07-03", "automatic", 11900),
    ]
