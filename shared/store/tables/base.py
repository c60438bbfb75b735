"""Column shorthands and the naming of constraints."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Constraint, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *, columns: Iterable[Column[Any]], rules: Iterable[Constraint] = (), **options: Any) -> Table:
    """A table; `rules`: its keys and checks; `options`: how it is stored."""
    return Table(name, metadata, *columns, *rules, **options)


def text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def key(name: str) -> Column[str]:
    """A text column of the primary key."""
    return Column(name, Text, primary_key=True)


def minor(name: str, *, null: bool = False) -> Column[int]:
    """Money in minor units; the currency is in a column beside it."""
    return Column(name, BigInteger, nullable=null)


def instant(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=null)


def document(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, JSONB, nullable=null)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")
