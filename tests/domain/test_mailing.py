"""How long each trouble of a mail is tried: until its last day, or for as long as it takes."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from shared.domain.mailing import OUTCOMES, PATIENCE, TROUBLES, Tried, Trouble, last_try, next_try

PAGE = (Path(__file__).parents[2] / "docs" / "operating" / "mails.md").read_text("utf-8")
AT = datetime(2026, 6, 1, tzinfo=UTC)


def tries_of(trouble: Trouble, *, lasting: bool = False, most: int = 2000) -> list[timedelta]:
    """When a mail with always the same trouble is tried, from the first try on, until it is given up."""
    moments, now, since = [timedelta(0)], AT, AT if PATIENCE[trouble].lasts is not None else None
    while len(moments) < most:
        number = len(moments)
        tried = Tried(number if PATIENCE[trouble].counts else 0, number if trouble == "in_doubt" else 0, since, lasting)
        at = next_try(trouble, tried, now)
        if at is None:
            return moments
        assert at > now
        now = at
        moments.append(now - AT)
    return moments


def test_a_recipient_is_tried_for_five_days() -> None:
    """1, 2, 4 … minutes, then every six hours; the last try is at the very end."""
    moments = tries_of("recipient")
    assert moments[:4] == [timedelta(minutes=each) for each in (0, 1, 3, 7)]
    assert moments[-1] == timedelta(days=5)
    assert max(later - before for before, later in pairwise(moments)) == timedelta(hours=6)
    assert last_try("recipient", AT) == AT + timedelta(days=5)


def test_a_recipient_that_never_takes_it_is_tried_once() -> None:
    assert tries_of("recipient", lasting=True) == [timedelta(0)]


@pytest.mark.parametrize("lasting", [False, True])
def test_an_agencys_trouble_is_tried_for_seven_days_whatever_the_server_says(lasting: bool) -> None:
    """The agency may correct its address."""
    moments = tries_of("agency", lasting=lasting)
    assert moments[-1] == timedelta(days=7)
    assert moments[-2] >= timedelta(days=7) - timedelta(hours=1)


@pytest.mark.parametrize(("trouble", "minutes"), [("account", 10), ("away", 2)])
def test_our_own_trouble_is_waited_for_without_end(trouble: Trouble, minutes: int) -> None:
    moments = tries_of(trouble, lasting=True, most=1000)
    assert moments[-1] == timedelta(minutes=minutes * 999)
    assert last_try(trouble, AT) is None


def test_a_client_gets_three_copies_of_a_mail_in_doubt_at_most() -> None:
    assert tries_of("in_doubt") == [timedelta(0), timedelta(hours=1), timedelta(hours=5)]


def test_patience_does_not_begin_again_when_troubles_alternate() -> None:
    """Five days after the first refusal it is over, though the server was away in between."""
    assert next_try("recipient", Tried(3, 0, AT, lasting=False), AT + timedelta(days=5)) is None


def test_the_page_has_a_row_for_every_outcome() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(OUTCOMES)
    assert set(TROUBLES) == set(PATIENCE)
