"""Orders: one per cycle, or one renewed from cycle to cycle."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.store import bulk, tables
from shared.store.database import Transaction


class NewOrder(NamedTuple):
    """An order to write."""

    order_id: str
    subscription_id: str
    cycle_starts_on: date
    cycle_ends_on: date
    client_id: str
    service_id: str
    quantity: int
    origin: str
    created_at: datetime
    snapshot: str


class Renewal(NamedTuple):
    """An order that was renewed for a later period."""

    order_id: str
    renewed_starts_on: date
    renewed_ends_on: date
    renewed_at: datetime


def insert(tx: Transaction, agency_id: str, orders: Sequence[NewOrder]) -> int:
    """Write orders. Returns how many were new."""
    return bulk.insert(tx, tables.orders, ("agency_id", *NewOrder._fields), [(agency_id, *each) for each in orders])


def renew(tx: Transaction, agency_id: str, renewals: Sequence[Renewal]) -> None:
    """Renew orders for a later period."""
    bulk.update(tx, tables.orders, agency_id, keys=("order_id",), columns=Renewal._fields[1:], rows=renewals)


def latest(tx: Transaction, agency_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Of each subscription: the id of its latest order."""
    rows = tx.rows(
        """
        SELECT k.subscription_id, o.order_id
        FROM unnest(CAST(:ids AS text[])) AS k(subscription_id)
        CROSS JOIN LATERAL (
            SELECT order_id FROM orders WHERE agency_id = :agency_id AND subscription_id = k.subscription_id
            ORDER BY cycle_starts_on DESC LIMIT 1
        ) AS o
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: row[1] for row in rows}


def taken(tx: Transaction, agency_id: str, ids: Sequence[str]) -> set[str]:
    """Which of these order ids exist already."""
    rows = tx.rows(
        "SELECT order_id FROM orders WHERE agency_id = :agency_id AND order_id = ANY(CAST(:ids AS text[]))",
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0] for row in rows}


def without_first_invoice(tx: Transaction, agency_id: str, ids: Sequence[str]) -> set[str]:
    """Which subscriptions of manual orders still have no first invoice, so no anchor for the later ones."""
    rows = tx.rows(
        """
        SELECT subscription_id FROM schedules
        WHERE agency_id = :agency_id AND stream = 'invoice' AND anchor_on IS NULL
          AND subscription_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0] for row in rows}
