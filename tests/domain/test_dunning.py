"""The ladder of retries: retries by local days, missed ones as one, one end; and what a decline means."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.dunning import (
    DECLINES_MAX,
    DECLINES_WINDOW,
    Ladder,
    Method,
    Step,
    Tried,
    after_failure,
    begin,
    choose,
    doubling,
    ends_at,
    newer_than_used,
    retry_day_at,
)
from tests.domain.facts_of import at

DAYS = (1, 3, 5, 7, 10, 14)
BERLIN = "Europe/Berlin"
FIRST = at("2026-06-30T22:05")  # 1 July in Berlin
NEW = Ladder("inv-1", None, None, 0)
BEGUN = Ladder("inv-1", FIRST, FIRST, 0)
# "inv-1" is spread by 59 min 18 s (its CRC-32, 3558 modulo 3600).


def failed(ladder: Ladder, now: datetime, *, callable_method: bool = True, newer_method: bool = False) -> Step:
    return after_failure(ladder, DAYS, BERLIN, now, callable_method=callable_method, newer_method=newer_method)


def test_the_retries_of_the_default_ladder() -> None:
    """+1 +3 +5 +7 +10 +14 local days from the first failure, at 09:00 local and within the hour."""
    retries, now = [], FIRST
    while (step := failed(BEGUN, now)).plan_at is not None:
        retries.append((f"{step.plan_at:%Y-%m-%dT%H:%M:%S}", step.last_call))
        now = step.plan_at
    assert retries == [
        ("2026-07-02T07:59:18", False),
        ("2026-07-04T07:59:18", False),
        ("2026-07-06T07:59:18", False),
        ("2026-07-08T07:59:18", False),
        ("2026-07-11T07:59:18", False),
        ("2026-07-15T07:59:18", True),
    ]
    assert step == Step(BEGUN, False, None, False, True)


@pytest.mark.parametrize(
    ("started_on", "retry"),
    [
        (date(2026, 3, 27), "2026-03-28T08:59:18"),  # winter time, UTC+1
        (date(2026, 3, 28), "2026-03-29T07:59:18"),  # the night of the change, UTC+2 by 09:00
        (date(2026, 10, 24), "2026-10-25T08:59:18"),
    ],
)
def test_a_retry_is_at_nine_local_on_both_sides_of_a_time_change(started_on: date, retry: str) -> None:
    assert f"{retry_day_at(started_on, 1, BERLIN, 'inv-1'):%Y-%m-%dT%H:%M:%S}" == retry


@given(st.text(min_size=1, max_size=40))
def test_retries_are_spread_within_the_hour_and_always_alike(invoice_id: str) -> None:
    """Whatever the invoice, its retry lies in 09:00 … 09:59:59 local, and at the same second each time."""
    retry = retry_day_at(date(2026, 7, 1), 1, BERLIN, invoice_id)
    assert at("2026-07-02T07:00") <= retry < at("2026-07-02T08:00")
    assert retry == retry_day_at(date(2026, 7, 1), 1, BERLIN, invoice_id)


def test_retries_are_spread_at_all() -> None:
    minutes = {retry_day_at(date(2026, 7, 1), 1, BERLIN, f"inv:{n}").minute for n in range(1000)}
    assert len(minutes) == 60


def test_missed_retries_collapse_into_the_next_one() -> None:
    """After an outage over three retries the next attempt is the fourth, not three at once."""
    step = failed(BEGUN, at("2026-07-07T12:00"))
    assert step.plan_at is not None
    assert f"{step.plan_at:%Y-%m-%d}" == "2026-07-08"


def test_a_retry_at_this_very_moment_is_past() -> None:
    step = failed(BEGUN, at("2026-07-02T07:59:18"))
    assert f"{step.plan_at:%Y-%m-%d}" == "2026-07-04"


def test_the_first_failure_begins_the_ladder() -> None:
    step = failed(NEW, FIRST)
    assert step.first_failure
    assert step.ladder == BEGUN
    assert not failed(BEGUN, FIRST + timedelta(days=1)).first_failure


def test_the_second_ladder_keeps_since_when_the_invoice_fails() -> None:
    later = at("2026-07-20T10:00")
    assert begin(Ladder("inv-1", FIRST, None, 1), later) == Ladder("inv-1", FIRST, later, 1)


def test_without_a_method_to_call_the_ladder_ends_at_nine_on_its_last_retries_day() -> None:
    """No spread: nobody is called. The end is over once that moment has come."""
    step = failed(NEW, FIRST, callable_method=False)
    assert (step.plan_at, step.exhausted, step.last_call) == (at("2026-07-15T07:00"), False, False)
    over = failed(BEGUN, at("2026-07-15T07:00"), callable_method=False)
    assert (over.plan_at, over.exhausted) == (None, True)


def test_without_retries_the_first_failure_is_the_end() -> None:
    for callable_method in (True, False):
        step = after_failure(NEW, (), BERLIN, FIRST, callable_method=callable_method, newer_method=False)
        assert (step.first_failure, step.exhausted, step.plan_at) == (True, True, None)
    assert ends_at(BEGUN, (), BERLIN, at("2026-07-09")) == FIRST


def test_a_method_that_came_meanwhile_is_tried_at_once_on_a_new_ladder() -> None:
    step = failed(BEGUN, at("2026-07-20"), newer_method=True)
    assert step == Step(Ladder("inv-1", FIRST, None, 1), False, at("2026-07-20"), False, False)


def method(id_: str, *, default: bool = False, since: str = "2026-06-01", usable: bool = True) -> Method:
    return Method(
        payment_method_id=id_,
        revision=1,
        provider="sandbox",
        token="ok",  # noqa: S106
        customer=None,
        is_default=default,
        credential=f"seen-{id_}",
        instructed_at=at(since),
        received_at=at(since),
        usable=usable,
    )


def tried(
    id_: str, on: str, attempt: int = 1, decline_class: str | None = "retryable", *, judged: bool = True
) -> Tried:
    return Tried(attempt, f"seen-{id_}", at(on), decline_class, judged)


@pytest.mark.parametrize(
    ("methods", "chosen"),
    [
        ([], None),
        ([method("a")], "a"),
        ([method("a", default=True), method("b", since="2026-07-01")], "a"),
        ([method("a", default=True), method("b", default=True, since="2026-07-01")], "b"),
        ([method("a", default=True, usable=False), method("b"), method("c", since="2026-07-01")], "c"),
        ([method("a", default=True, usable=False)], None),
    ],
    ids=["none", "one", "default", "newest default", "newest other", "all unusable"],
)
def test_which_method_is_taken(methods: list[Method], chosen: str | None) -> None:
    """The default; if that is unusable, the newest other usable one."""
    found = choose(methods)
    assert (None if found is None else found.payment_method_id) == chosen
    assert choose(methods[::-1]) == found


A, B = method("a", default=True), method("b", since="2026-06-10")


@pytest.mark.parametrize(
    ("methods", "before", "chosen"),
    [
        ([A, B], [], "a"),
        ([A, B], [tried("a", "2026-06-05")], "b"),
        ([A, B], [tried("a", "2026-06-05"), tried("b", "2026-06-10", 2)], "a"),
        ([A, B], [tried("a", "2026-06-05"), tried("b", "2026-06-10", 2, None, judged=False)], "b"),
        ([A, B._replace(usable=False)], [tried("a", "2026-06-05")], "a"),
        ([A], [tried("a", "2026-06-05", 1, "customer")], None),
        ([A._replace(received_at=at("2026-06-06"))], [tried("a", "2026-06-05", 1, "customer")], "a"),
        ([A, B], [tried("a", "2026-06-20", 1, "customer")], "b"),
    ],
    ids=[
        "the default comes first",
        "a new one is tried itself",
        "then the default again",
        "an attempt that did not get through has not tried it",
        "one that is dead is not tried",
        "it needs the customer",
        "asked for again since",
        "another one, when the default needs the customer",
    ],
)
def test_which_method_an_invoice_is_tried_with_next(
    methods: list[Method], before: list[Tried], chosen: str | None
) -> None:
    found = choose(methods, before)
    assert (None if found is None else found.payment_method_id) == chosen


@pytest.mark.parametrize(
    ("methods", "used", "newer"),
    [
        ([A, B], "a", True),
        ([A, B._replace(received_at=at("2026-06-05"))], "a", False),
        ([A._replace(received_at=at("2026-06-05")), B._replace(received_at=at("2026-06-04"))], "b", True),
        ([A, B._replace(usable=False)], "a", False),
        ([B._replace(received_at=at("2026-06-04"))], "a", False),
        ([A._replace(usable=False), B._replace(received_at=at("2026-06-04"))], "a", False),
    ],
    ids=["came later", "known then", "would have been taken", "dead", "the one used is gone", "the one used has died"],
)
def test_whether_a_method_came_while_an_attempt_was_in_flight(methods: list[Method], used: str, newer: bool) -> None:
    assert newer_than_used(methods, [], f"seen-{used}", at("2026-06-08")) is newer


def test_the_limit_of_declined_attempts() -> None:
    assert (15, timedelta(days=30)) == (DECLINES_MAX, DECLINES_WINDOW)


def test_waits_double_with_age_between_first_and_cap() -> None:
    since, minute, cap = at("2026-07-01T00:00"), timedelta(minutes=1), timedelta(hours=6)
    seen, now = [], since
    for _ in range(6):
        now = doubling(since, now, minute, cap)
        seen.append(int((now - since).total_seconds() // 60))
    assert seen == [1, 2, 4, 8, 16, 32]
    assert doubling(since, at("2026-07-03T00:00"), minute, cap) == at("2026-07-03T06:00")
