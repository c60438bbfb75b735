"""More cycles than one pass reads: none is forgotten behind the others, and none is dispatched for ever."""

from datetime import timedelta

from tests.journeys.diary import Diary, told

DAILY = {"billing_cycle": {"unit": "day", "every": 1}}


def _wakes_soon(diary: Diary) -> int:
    soon = diary.clock.at + timedelta(minutes=10)
    return diary.ask(f"SELECT count(*) FROM cycles WHERE wake_at <= '{soon}'")[0][0]  # noqa: S608


def test_forty_held_orders_are_all_held_and_all_released(diary: Diary) -> None:
    """A pass reads 36 cycles; the others are held behind them, and all go out when the card works."""
    diary.open(card="decline:stolen_card", service=DAILY)
    diary.say("subscription.upserted", "2026-05-25", starts_on="2026-06-01")
    diary.go("2026-07-10T12:00:00Z")
    assert set(told(diary.cycles("sub", "order"), "state")) == {"held"}
    assert len(diary.cycles("sub", "order")) == 40
    assert _wakes_soon(diary) == 0
    diary.new_card("2026-07-10T13:00:00Z")
    assert set(told(diary.cycles("sub", "order"), "state")) == {"done"}
    assert len(diary.orders("sub")) == 40


def test_forty_blocked_invoices_are_all_blocked_and_all_issued(diary: Diary) -> None:
    """Without a price nothing is issued out of order; with one, everything is, oldest first."""
    diary.open(service={**DAILY, "price_minor": None})
    diary.say("subscription.upserted", "2026-05-25", starts_on="2026-06-01")
    diary.go("2026-07-10T12:00:00Z")
    assert set(told(diary.cycles("sub", "invoice"), "state")) == {"blocked"}
    assert _wakes_soon(diary) == 0
    diary.say("service.upserted", "2026-07-10T13:00:00Z", price_minor=500)
    assert told(diary.invoices("sub"), "cycle_index") == list(range(40))
    assert set(told(diary.cycles("sub", "order"), "state")) == {"done"}
