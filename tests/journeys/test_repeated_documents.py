"""A document that exists already: the constraint holds, the cycle is done, and the alarm is left behind."""

import pytest

from tests.forced import unguarded
from tests.journeys.diary import Diary, told


@pytest.mark.parametrize("stream", ["invoice", "order"])
def test_a_cycle_that_is_processed_a_second_time_ends_done_with_the_document_it_has(diary: Diary, stream: str) -> None:
    """As if somebody had forgotten the lock: the cycle looks due though its document is there. No number is lost."""
    diary.open()
    diary.say("subscription.upserted", "2026-05-25", subscription_id="sub", starts_on="2026-06-01")
    diary.go("2026-06-02")
    before = (told(diary.invoices("sub"), "number"), told(diary.orders("sub"), "order_id"))
    numbers = diary.ask("SELECT next_sequence FROM number_series")
    with diary.store.transaction() as tx, unguarded(tx):
        tx.run(
            "UPDATE cycles SET state = 'due', wake_at = :at, settled_at = NULL, order_id = NULL WHERE stream = :stream",
            at=tx.as_of,
            stream=stream,
        )

    diary.go("2026-06-03")

    assert (told(diary.invoices("sub"), "number"), told(diary.orders("sub"), "order_id")) == before
    assert diary.ask("SELECT next_sequence FROM number_series") == numbers
    assert told(diary.cycles("sub", stream), "state") == ["done"]
    assert [event.data["stream"] for event in diary.events("cycle.repeated")] == [stream]
