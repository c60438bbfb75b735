"""Statements that go straight to the driver: errors and lost sessions are told as SQLAlchemy tells them."""

from collections.abc import Callable

import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from shared.store.database import Store, Transaction, make_engine
from shared.store.errors import is_connection_error, is_data_error


def test_a_row_that_breaks_a_rule_is_an_error_of_the_data(store: Store) -> None:
    with pytest.raises(IntegrityError, match="violates not-null") as refused, store.transaction() as tx:
        tx.run("INSERT INTO deployment (deployment_id) VALUES (:id)", id=None)
    assert is_data_error(refused.value)
    assert refused.value.params is None


@pytest.mark.parametrize("read", [Transaction.rows, Transaction.mappings, Transaction.scalar])
def test_a_value_that_cannot_be_read_is_an_error_of_the_data(
    store: Store, read: Callable[[Transaction, str], object]
) -> None:
    """The driver refuses it when the rows are fetched, not before."""
    with pytest.raises(DataError) as refused, store.transaction() as tx:
        read(tx, "SELECT date 'infinity'")
    assert is_data_error(refused.value)


def test_a_lost_session_is_an_error_of_the_connection_and_the_next_transaction_has_a_new_one(database_url: str) -> None:
    """Also where no session is asked beforehand whether it still lives."""
    engine = make_engine(database_url, pool_size=1, ping=False)
    try:
        store = Store(engine)
        with pytest.raises(DBAPIError) as lost, store.transaction() as tx:
            tx.rows("SELECT pg_terminate_backend(pg_backend_pid())")
        assert is_connection_error(lost.value)
        with store.transaction() as tx:
            assert tx.scalar("SELECT 1") == 1
    finally:
        engine.dispose()


def test_a_colon_and_a_percent_sign_stay_what_they_are(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.rows("SELECT '50 %', CAST(:name AS text)::varchar", name="100 % :name") == [("50 %", "100 % :name")]


def test_rows_come_by_the_names_of_their_columns(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.mappings("SELECT 1 AS one, :two AS two", two=2) == [{"one": 1, "two": 2}]
