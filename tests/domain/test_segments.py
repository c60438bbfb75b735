"""Ids of upstream's as parts of paths, and joined with others: readable where they are plain, never the same for two ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.keys import id_of, joined, message_subject, segment
from shared.messages.events import event_id, message_id

# Every kind of legal id that a path, a proxy or a file system may take for something else.
ODD = [
    "eu/acme",
    "trailing/",
    "/",
    ".",
    "..",
    ".hidden",
    "%2F",
    "a%2Fb",
    "ä ö",
    "~plain",
    "~" + "YQ",
    "a+b=c&d?e#f",
    "x" * 128,
    "ü" * 128,
    "𝔘" * 128,
    "a:b",
    "con\\aux",
]


@pytest.mark.parametrize("id_", ["acme", "a1", "A_b-c.d", "x" * 128, "-", "_"])
def test_a_plain_id_is_its_own_segment(id_: str) -> None:
    assert (segment(id_), id_of(id_)) == (id_, id_)


@pytest.mark.parametrize("id_", ODD)
def test_any_other_id_is_one_plain_segment_and_comes_back(id_: str) -> None:
    found = segment(id_)
    assert re.fullmatch(r"~?[A-Za-z0-9._-]+", found)
    assert found not in (".", "..")
    assert id_of(found) == id_


def test_known_segments() -> None:
    """Python's own base64 of the UTF-8; these addresses stand in providers' settings and never change."""
    assert segment("eu/acme") == "~ZXUvYWNtZQ"
    assert segment("ä ö") == "~w6Qgw7Y"


@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_two_ids_never_share_a_segment(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) == (one == other)


@pytest.mark.parametrize("found", ["~", "~YWNtZQ", "~ZXUvYWNtZQ==", "~%%", "~_w", "~ZXUvYWNtZR"])
def test_a_marked_segment_that_we_would_not_write_names_nobody(found: str) -> None:
    """A plain id in disguise, padding, bytes that are no UTF-8, other last bits: one id, one address."""
    assert id_of(found) is None


def test_two_texts_that_are_joined_can_be_told_apart() -> None:
    of = [("a", "b/c"), ("a/b", "c"), ("a", "b%2Fc"), ("/portal", "m-1")]
    assert len({joined(*each) for each in of}) == len(of)
    assert joined("/portal", "m-1") == "/portal/m-1"
    assert len({message_subject(*each) for each in of}) == len(of)
    assert message_subject("/portal", "m-1") == "message//portal/m-1"


def test_events_of_two_agencies_never_have_one_id() -> None:
    of = [("a", "subscription/b/subscription/c"), ("a/subscription/b", "subscription/c")]
    assert len({event_id(*each, 1) for each in of}) == 2
    assert event_id("acme", "subscription/s1", 7) == "acme/subscription/s1/7"


def test_a_long_message_id_is_hashed_not_cut() -> None:
    """AMQP has room for 255 bytes; the beginning alone would be the same for all events of a subscription."""
    long = [message_id("ü" * 128, f"subscription/{'s' * 128}", number) for number in (1, 2)]
    assert len(set(long)) == 2
    assert all(len(each.encode()) <= 255 for each in long)
