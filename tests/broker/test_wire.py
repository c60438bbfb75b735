"""A work message says what we send, and nothing else is read from it."""

import pytest

from shared.broker.names import message_of
from shared.broker.wire import UnreadError, read
from shared.messages import Due
from tests.broker.sent import with_changes, work_message

KWARGS = {"agency_id": "a", "ids": ["s1"], "again": False}
# Every name by which dramatiq 2.2 reads something from a message: its worker, its composition, and each middleware it ships.
OPTIONS = (
    *("eta", "delay", "broker_priority", "throws", "retries", "max_retries", "min_backoff", "max_backoff"),
    *("requeue_timestamp", "traceback", "on_retry_exhausted", "max_age", "time_limit", "notify_shutdown"),
    *("on_success", "on_failure", "pipe_target", "pipe_ignore", "group_completion_uuid", "group_completion_callbacks"),
    *("store_results", "result_ttl", "redelivered", "no_such_option"),
)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        *((with_changes(options={option: 9_999_999_999_999}), "unexpected") for option in OPTIONS),
        (with_changes(queue_name="duecycle.charges.v1"), "unexpected"),
        (with_changes(args=["a"]), "unexpected"),
        (with_changes(kwargs={**KWARGS, "amount_minor": 1}), "unexpected"),
        (with_changes(kwargs={**KWARGS, "ids": []}), "unexpected"),
        (with_changes(kwargs={**KWARGS, "ids": ["s"] * 501}), "unexpected"),
        (with_changes(kwargs={**KWARGS, "ids": [1]}), "unexpected"),
        (with_changes(kwargs={"agency_id": "a"}), "unexpected"),
        (with_changes(priority=0), "unexpected"),
        (with_changes(message_id="x" * 65), "unexpected"),
        (with_changes(actor_name="charges.work"), "unknown_actor"),
        (b"[]", "undecodable"),
        (b"[" * 100_000, "undecodable"),
        (work_message("a", "x" * 1_048_576), "unexpected"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_message_says_what_we_send_and_nothing_else(what: bytes, why: str) -> None:
    with pytest.raises(UnreadError) as refused:
        read(what, "orders")
    assert refused.value.why == why


def test_what_we_send_is_read_as_it_was_meant() -> None:
    due = Due("orders", "a", ["s"] * 500, again=True)

    found = read(message_of(due).encode(), "orders")

    assert (found.kwargs, found.args, found.options) == (
        {"agency_id": "a", "ids": due.ids, "again": True},
        (),
        {},
    )
