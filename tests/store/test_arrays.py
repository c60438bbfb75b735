"""Lists reach the database as the arrays they are, whatever characters they hold."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DataError

from shared.store.database import Store

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))
AWKWARD = ['say "hi"', "back\\slash", "{a,b}", "NULL", "", " ", "line\nbreak", "Zoë – ✓", "','", '","']


def echo(store: Store, kind: str, values: list[object]) -> object:
    with store.transaction() as tx:
        return tx.scalar(f"SELECT CAST(:values AS {kind}[])", values=values)


def test_awkward_texts_come_back_as_they_were(store: Store) -> None:
    """Quotes, backslashes, braces, commas, the word NULL, nothing at all."""
    assert echo(store, "text", AWKWARD) == AWKWARD
    assert echo(store, "text", [None, *AWKWARD, None]) == [None, *AWKWARD, None]


@given(TEXTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_texts_come_back_as_they_were(store: Store, texts: list[str | None]) -> None:
    """The same for whatever hypothesis thinks of."""
    assert echo(store, "text", list(texts)) == texts


def test_other_elements_come_back_as_they_were(store: Store) -> None:
    """Numbers, dates, instants, truth, with and without gaps; an empty list."""
    at = datetime(2026, 6, 1, 12, 30, 1, 250, tzinfo=UTC)
    assert echo(store, "bigint", [1, -2, 2**62]) == [1, -2, 2**62]
    assert echo(store, "date", [date(2026, 6, 1), None]) == [date(2026, 6, 1), None]
    assert echo(store, "date", [date(999, 6, 1)]) == [date(999, 6, 1)]
    assert echo(store, "timestamptz", [at, None]) == [at, None]
    assert echo(store, "timestamptz", [at]) == [at]
    assert echo(store, "boolean", [True, False, None]) == [True, False, None]
    assert echo(store, "boolean", [True]) == [True]
    assert echo(store, "text", []) == []


def test_a_nul_is_refused_and_never_splits_an_element(store: Store) -> None:
    """PostgreSQL cannot store it."""
    with pytest.raises(DataError, match="NUL"):
        echo(store, "text", ["a\0b"])
    with pytest.raises(DataError, match="NUL"):
        echo(store, "text", ["a\0b", None])


def test_what_cannot_be_an_element_is_named(store: Store) -> None:
    """A float is no amount, a list no element."""
    with pytest.raises(TypeError, match="float"):
        echo(store, "text", [1.5])
