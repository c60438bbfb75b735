"""Mails that are not sent: what is recorded of each class, how long it is tried, who hears of it, and who is not held up."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.documents.mail import Mail
from shared.documents.sending import Envelope, UnsentError
from shared.domain.mailing import TROUBLES, Trouble
from shared.store import figures, notices
from shared.store.database import FixedClock, Store
from shared.store.invariants import violations
from shared.store.notices import NewNotice
from tests.journeys.diary import Diary
from tests.limits import timed_out
from workers.notices.send_notices import Runtime, send_notices

FAILED = "SELECT subject, data ->> 'outcome', data ->> 'reason' FROM events WHERE type = 'notice.failed' ORDER BY 1"


class Post:
    """A way to send that does as it is told, by recipient; else it takes everything."""

    def __init__(self) -> None:
        self.does: dict[str, Callable[[], None]] = {}
        self.sent: list[Envelope] = []
        self.tried: Counter[str] = Counter()

    def send(self, envelope: Envelope, mail: Mail) -> None:
        self.tried[envelope.recipient] += 1
        self.does.get(envelope.recipient, lambda: None)()
        self.sent.append(envelope)

    def refuse(self, recipient: str, trouble: Trouble, **how: Any) -> None:
        def refuse() -> None:
            raise UnsentError(trouble, f"words of {trouble}", **how)

        self.does[recipient] = refuse


class Office:
    """An agency's notices, and the pool that sends them."""

    def __init__(self, store: Store, clock: FixedClock, diary: Diary) -> None:
        self.store, self.clock, self.diary, self.post = store, clock, diary, Post()
        self.outcomes: list[str] = []
        self.runtime = Runtime(store=store, sender=self.post, on_outcome=self.outcomes.append)
        diary.open()

    def rows(self, sql: str) -> list[Any]:
        """The first column of what is found now."""
        with self.store.transaction() as tx:
            return [row[0] for row in tx.rows(sql, as_of=tx.as_of)]

    def write(self, *names: str) -> None:
        """A mail to each, about nothing that exists."""
        context = (
            '{"agency": "Northlight", "agency_email": "old@agency.example", "subscription_id": "s", "reason": "r"}'
        )
        new = [
            NewNotice(
                key=f"n-{name}",
                occasion="series_stopped",
                audience="client",
                recipient=f"{name}@x.example",
                subscription_id=None,
                invoice_id=None,
                context=context,
            )
            for name in names
        ]
        with self.store.transaction() as tx:
            notices.insert(tx, "ag", [each._replace(audience="agency") for each in new])
            tx.run("UPDATE agencies SET email = 'now@agency.example'")

    def send(self) -> None:
        """One pass over everything that is due."""
        due = self.ask("SELECT key FROM notices WHERE wake_at <= :at ORDER BY key", at=self.clock.at)
        send_notices(self.runtime, "ag", [row[0] for row in due])

    def pass_time(self, until: datetime) -> None:
        """The pool runs whenever something is due."""
        while (at := self.ask("SELECT min(wake_at) FROM notices")[0][0]) is not None and at <= until:
            self.clock.at = max(at, self.clock.at)
            self.send()
        self.clock.at = until

    def ask(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        with self.store.transaction() as tx:
            return [tuple(row) for row in tx.rows(sql, **params)]

    def row(self, name: str, columns: str) -> tuple[Any, ...]:
        return self.ask(f"SELECT {columns} FROM notices WHERE key = :key", key=f"n-{name}")[0]  # noqa: S608


@pytest.fixture
def office(store: Store, clock: FixedClock, diary: Diary) -> Iterator[Office]:
    made = Office(store, clock, diary)
    yield made
    assert violations(store) == []


def test_a_process_that_is_to_end_begins_no_further_mail(office: Office) -> None:
    """What was sent is recorded; the rest is sent by whoever comes next, at its first try."""
    office.write("a", "b", "c")
    office.runtime = office.runtime._replace(stopping=lambda: bool(office.post.sent))
    office.send()
    assert [office.row(name, "state")[0] for name in "abc"] == ["sent", "due", "due"]
    office.runtime = office.runtime._replace(stopping=lambda: False)
    office.clock.at += timedelta(minutes=5)
    office.send()
    assert [office.row(name, "state, tries") for name in "abc"] == [("sent", 1)] * 3


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_became_of_a_try_is_recorded_with_its_words(office: Office, trouble: Trouble) -> None:
    office.write("a")
    office.post.refuse("now@agency.example", trouble)
    office.post.refuse("a@x.example", trouble)
    office.send()

    assert office.row("a", "state, outcome, reason, tried_at, sent_at") == (
        *("due", trouble, f"words of {trouble}"),
        *(office.clock.at, None),
    )
    assert office.outcomes == [trouble]
    with office.store.transaction() as tx:
        assert figures.snapshot(tx).notices[trouble].rows == 1


def test_a_recipient_that_does_not_exist_is_given_up_at_once_and_upstream_hears_of_it(office: Office) -> None:
    office.write("a", "b")
    office.post.refuse("a@x.example", "recipient", lasting=True)
    office.send()

    assert office.row("a", "state, wake_at") == ("failed", None)
    assert office.row("b", "state, outcome") == ("sent", "sent")
    assert office.ask(FAILED) == [("notice/n-a", "recipient", "words of recipient")]
    assert office.ask("SELECT count(*) FROM notices WHERE occasion = 'mail_undelivered'") == [
        (0,)
    ]  # it was the agency's
    with office.store.transaction() as tx:
        assert figures.snapshot(tx).notices_failed.rows == 1


@pytest.mark.parametrize(("trouble", "days"), [("recipient", 5), ("agency", 7)])
def test_patience_ends_on_its_last_day_and_not_before(office: Office, trouble: Trouble, days: int) -> None:
    office.write("a")
    began = office.clock.at
    for each in ("a@x.example", "now@agency.example"):
        office.post.refuse(each, trouble)
    office.pass_time(began + timedelta(days=days, seconds=-1))
    assert office.row("a", "state") == ("due",)
    assert office.ask(FAILED) == []

    office.pass_time(began + timedelta(days=days))
    assert office.row("a", "state, tried_at") == ("failed", began + timedelta(days=days))
    assert len(office.ask(FAILED)) == 1


@pytest.mark.parametrize("trouble", ["account", "away"])
def test_our_own_trouble_gives_up_nothing_and_counts_nothing(office: Office, trouble: Trouble) -> None:
    """Of a batch one mail is tried. However long it lasts, all go out minutes after it is over."""
    names = ["a", "b", "c"]
    office.write(*names)
    for name in (*(f"{each}@x.example" for each in names), "now@agency.example"):
        office.post.refuse(name, trouble)
    office.send()
    assert sum(office.post.tried.values()) == 1
    office.pass_time(office.clock.at + timedelta(hours=3))
    assert office.ask("SELECT DISTINCT state, tries FROM notices") == [("due", 0)]

    office.post.does.clear()
    office.pass_time(office.clock.at + timedelta(minutes=10))
    assert office.ask("SELECT DISTINCT state FROM notices") == [("sent",)]
    assert len(office.post.sent) == 3


def test_a_mail_in_doubt_goes_out_three_times_at_most_then_a_person_decides(office: Office) -> None:
    office.write("a")
    began = office.clock.at
    for each in ("a@x.example", "now@agency.example"):
        office.post.refuse(each, "in_doubt")
    office.pass_time(began + timedelta(days=30))

    assert sum(office.post.tried.values()) == 3
    assert office.row("a", "state, outcome, doubts, tried_at") == ("failed", "in_doubt", 3, began + timedelta(hours=5))
    assert len(office.ask(FAILED)) == 1


def test_one_mail_that_looks_like_a_trouble_of_all_holds_up_nobody(office: Office) -> None:
    """It is first by its key; after one pass it is the last."""
    office.write("a", "b", "c")
    office.post.refuse("a@x.example", "account")
    office.post.refuse("now@agency.example", "account")  # its address of now, once it was refused
    with office.store.transaction() as tx:
        tx.run("UPDATE agencies SET email = 'a@x.example'")
    office.send()
    assert office.post.sent == []
    office.pass_time(office.clock.at + timedelta(minutes=10))

    assert office.ask("SELECT key FROM notices WHERE state = 'sent' ORDER BY key") == [("n-b",), ("n-c",)]


@pytest.mark.parametrize("bug", [RuntimeError("bug"), UnicodeError("bug")])
def test_a_bug_in_one_mail_holds_up_no_other(office: Office, bug: Exception) -> None:
    def stumble() -> None:
        raise bug

    office.write("a", "b")
    office.post.does["a@x.example"] = stumble
    office.send()
    assert office.row("a", "state, outcome") == ("due", "agency")
    assert office.row("b", "state") == ("sent",)


def test_a_text_that_cant_be_made_waits_for_a_new_release(office: Office) -> None:
    office.write("a", "b")
    with office.store.transaction() as tx:
        tx.run("UPDATE notices SET occasion = 'unheard_of' WHERE key = 'n-a'")
    office.send()
    assert office.row("a", "state, outcome, left(reason, 23)") == ("due", "agency", "the text can't be made:")
    assert office.row("b", "state") == ("sent",)


def test_each_mail_is_recorded_before_the_next_is_sent(office: Office) -> None:
    """A worker that dies leaves one mail in the air, not the batch."""

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    office.write("a", "b", "c")
    office.post.does["b@x.example"] = die
    with pytest.raises(Killed):
        office.send()
    assert office.row("a", "state") == ("sent",)

    office.post.does.clear()
    office.clock.at += timedelta(minutes=2)
    office.send()
    assert [each.recipient for each in office.post.sent] == [f"{each}@x.example" for each in "abc"]


def test_a_corrected_address_ends_the_trouble_at_once(office: Office) -> None:
    """The client's, as the invoice names him; and the sender is the agency's address of now. No other mail is tried earlier."""
    office.diary.say("subscription.upserted", "2026-06-01", collection="manual")
    office.diary.go("2026-06-02")
    with office.store.transaction() as tx:
        (key,) = tx.rows("SELECT key FROM notices WHERE occasion = 'invoice_open'")[0]
        context = "SELECT recipient, subscription_id, invoice_id, context::text FROM notices WHERE key = :key"
        recipient, subscription, invoice, told = tx.rows(context, key=key)[0]
        to = {"a": (recipient, invoice), "b": ("b@x.example", None), "c": ("c@x.example", None)}
        new = [
            NewNotice(
                key=f"n-{n}",
                occasion="invoice_open",
                audience="client",
                recipient=to[n][0],
                subscription_id=subscription,
                invoice_id=to[n][1],
                context=told,
            )
            for n in to
        ]
        notices.insert(tx, "ag", new)
    office.post.refuse(recipient, "recipient")
    office.post.refuse("b@x.example", "recipient")
    office.post.refuse("c@x.example", "agency")
    office.send()
    due = "SELECT key FROM notices WHERE wake_at <= :as_of ORDER BY key"
    office.diary.say("client.upserted", name="The same address")
    assert office.rows(due) == []
    office.diary.say("client.upserted", email="right@law.example")
    assert office.rows(due) == ["n-a"]
    office.diary.say("agency.upserted", email="new@agency.example")
    assert office.rows(due) == ["n-a", "n-c"]
    office.send()

    assert [(each.recipient, each.sender) for each in office.post.sent] == [("right@law.example", "new@agency.example")]
    assert office.row("a", "state, recipient") == ("sent", "right@law.example")


def test_mails_that_could_not_be_sent_in_time_are_left_for_later(office: Office) -> None:
    """A quarter of the lease to begin, for the last one may take half of it."""
    seconds = [0.0]
    runtime = office.runtime._replace(monotonic=lambda: seconds[0])
    office.write("a", "b")
    office.post.does["a@x.example"] = lambda: seconds.__setitem__(0, 31.0)
    send_notices(runtime, "ag", ["n-a", "n-b"])
    assert office.row("b", "state, outcome, tries, wake_at") == ("due", None, 0, office.clock.at)


def test_a_claim_that_takes_too_long_is_made_of_a_part(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is dispatched again after its lease; none is tried twice."""
    kept = notices.claim

    def claim(tx, agency_id, ids, lease):
        if len(ids) > 2:
            raise timed_out()
        return kept(tx, agency_id, ids, lease)

    monkeypatch.setattr(notices, "claim", claim)
    office.write("a", "b", "c", "d", "e")

    office.send()
    first = list(office.outcomes)
    office.send()
    office.send()

    assert (first, office.outcomes) == (["sent"] * 2, ["sent"] * 5)
