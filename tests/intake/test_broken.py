"""A message that can't be applied is kept as rejected, and the ones after it go on."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from shared.messages import ClientUpserted, SubscriptionUpserted
from shared.store.database import Transaction
from tests.event_shapes import event
from tests.journeys.diary import Diary
from workers.intake import kinds

AT = "2026-05-20T08:00:00Z"
Apply = Callable[[Transaction, Any, Any], Any]


def bug(_tx: Transaction, _change: Any, _data: Any) -> None:
    raise ZeroDivisionError("a bug")


def data_error(tx: Transaction, _change: Any, _data: Any) -> None:
    tx.run("SELECT 1 / 0")


def after_writing(tx: Transaction, _change: Any, data: Any) -> None:
    tx.record(event("invoice.paid", agency_id=data.agency_id, subscription_id="never"))
    tx.run("INSERT INTO heartbeats VALUES ('half done', :at)", at=tx.as_of)
    tx.run("SELECT 'x'::int")


@pytest.fixture(params=[bug, data_error, after_writing], ids=["bug", "data error", "halfway"])
def broken(request: pytest.FixtureRequest) -> Apply:
    found: Apply = request.param
    return found


def test_what_breaks_is_kept_as_rejected_and_undone(
    diary: Diary, monkeypatch: pytest.MonkeyPatch, broken: Apply
) -> None:
    """With its bytes and a reason, told to upstream; the next message is applied."""
    diary.say("agency.upserted", AT)
    with monkeypatch.context() as patched:
        patched.setitem(kinds.APPLY, ClientUpserted, broken)
        received = diary.say("client.upserted", id="bad")
    assert received.state == "rejected"
    assert received.reason.startswith("could not be applied (")
    assert diary.say("client.upserted").state == "applied"
    assert diary.ask("SELECT state, length(raw) > 100 FROM inbox WHERE id = 'bad'") == [("rejected", True)]
    assert [each.data["change_id"] for each in diary.events("change.rejected")] == ["bad"]
    assert diary.ask("SELECT count(*) FROM heartbeats WHERE name = 'half done'") == [(0,)]
    assert diary.ask("SELECT count(*) FROM events WHERE subject = 'subscription/never'") == [(0,)]


def test_a_waiting_message_that_breaks_does_not_take_along_what_it_waited_for(
    diary: Diary, monkeypatch: pytest.MonkeyPatch, broken: Apply
) -> None:
    diary.open(AT, card=None)
    for number in range(3):
        diary.say("subscription.upserted", id=f"w{number}", subscription_id=f"s{number}", service_id="new")
    real = kinds.APPLY[SubscriptionUpserted]

    def second_breaks(tx: Transaction, change: Any, data: Any) -> Any:
        return broken(tx, change, data) if data.subscription_id == "s1" else real(tx, change, data)

    monkeypatch.setitem(kinds.APPLY, SubscriptionUpserted, second_breaks)
    assert diary.say("service.upserted", service_id="new").state == "applied"
    assert diary.ask("SELECT id, state FROM inbox WHERE id LIKE 'w%' ORDER BY id") == [
        ("w0", "applied"),
        ("w1", "rejected"),
        ("w2", "applied"),
    ]
    assert diary.ask("SELECT count(*) FROM events WHERE subject = 'subscription/never'") == [(0,)]


def test_an_error_of_the_moment_rejects_nothing(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is not kept, so that it can be received again; the second try counts."""
    diary.say("agency.upserted", AT)

    def gone(_tx: Transaction, _change: Any, _data: Any) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    with monkeypatch.context() as patched:
        patched.setitem(kinds.APPLY, ClientUpserted, gone)
        with pytest.raises(OperationalError):
            diary.say("client.upserted", id="later", revision=1)
    assert diary.ask("SELECT count(*) FROM inbox WHERE id = 'later'") == [(0,)]
    assert diary.say("client.upserted", id="later", revision=1).state == "applied"


@pytest.mark.parametrize(
    ("raw", "field"),
    [(b"no json", ""), (b"{}", "specversion"), (b'{"specversion": "1.0", "id": "x"}', "source"), (b"\xff\xfe", "")],
)
def test_bytes_that_are_no_message_are_kept_once(diary: Diary, raw: bytes, field: str) -> None:
    """Without an id they go by their content: told again, they change nothing."""
    diary.say("agency.upserted", AT)
    first = diary.hear(raw)
    assert (first.state, first.field) == ("rejected", field)
    assert diary.hear(raw).state == "repeated"
    assert diary.ask("SELECT count(*) FROM inbox WHERE state = 'rejected'") == [(1,)]
    assert len(diary.events("change.rejected")) == 1
    assert diary.say("client.upserted").state == "applied"
