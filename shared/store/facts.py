"""Read what is known: agencies, clients, services and subscriptions with their revisions, payment methods."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.dunning import Method
from shared.domain.facts import (
    Agency,
    Client,
    InitialPayment,
    ServiceRevision,
    Subscription,
    SubscriptionRevision,
    never_begun,
)
from shared.domain.keys import credential
from shared.store import bulk, tables
from shared.store.database import Transaction

_SERVICE = (
    "service_id, revision, effective_at, name, price_minor, currency, tax_name, tax_rate, tax_inclusive,"
    " unit, every, order_unit, order_every, renewal"
)


def agency(tx: Transaction, agency_id: str) -> Agency | None:
    """The agency as it is now, None while it is unknown."""
    rows = tx.rows(
        """
        SELECT agency_id, name, timezone, currency, email, locale, invoice_prefix, payment_terms_days, issue_time, gateway,
               address, tax_id, retry_days, on_exhausted, backlog, hold_on
        FROM agencies WHERE agency_id = :agency_id
        """,
        agency_id=agency_id,
    )
    if not rows:
        return None
    found = Agency._make(rows[0])
    return found._replace(retry_days=tuple(found.retry_days))


def require_agency(tx: Transaction, agency_id: str) -> Agency:
    """The agency of rows that exist. Raises LookupError when it is unknown all the same."""
    found = agency(tx, agency_id)
    if found is None:
        raise LookupError(f"agency {agency_id} has rows but no facts")
    return found


def clients(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, Client]:
    """Clients by id, as they are now."""
    rows = tx.rows(
        """
        SELECT client_id, name, email, locale, address, tax_id FROM clients
        WHERE agency_id = :agency_id AND client_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: Client._make(row) for row in rows}


def subscriptions(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, Subscription]:
    """Subscriptions by id, as they are now."""
    rows = tx.rows(
        """
        SELECT subscription_id, client_id, service_id, checkout, starts_on, known_since, bill_from, order_id,
               initial_payment, ended_at, ended_reason, status
        FROM subscriptions WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    return {row[0]: _subscription(row) for row in rows}


def _subscription(row: tuple[Any, ...]) -> Subscription:
    found = Subscription._make(row)
    if found.initial_payment is None:
        return found
    paid: dict[str, Any] = row[8]
    payment = InitialPayment(
        paid["provider"],
        paid["reference"],
        paid["amount_minor"],
        paid["currency"],
        datetime.fromisoformat(paid["paid_at"]),
    )
    return found._replace(initial_payment=payment)


def subscription_revisions(
    tx: Transaction, agency_id: str, ids: Collection[str]
) -> dict[str, list[SubscriptionRevision]]:
    """Every accepted revision of each subscription, ascending."""
    rows = tx.rows(
        """
        SELECT subscription_id, revision, effective_at, client_id, service_id, status, cancel_on, quantity, collection
        FROM subscription_revisions WHERE agency_id = :agency_id AND subscription_id = ANY(CAST(:ids AS text[]))
        ORDER BY subscription_id, revision
        """,
        agency_id=agency_id,
        ids=list(ids),
    )
    found: dict[str, list[SubscriptionRevision]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(SubscriptionRevision._make(row))
    return {id_: never_begun(listed) for id_, listed in found.items()}


def service_revisions(tx: Transaction, agency_id: str, ids: Collection[str]) -> dict[str, list[ServiceRevision]]:
    """Every accepted revision of each service, ascending."""
    rows = tx.rows(
        f"""
        SELECT {_SERVICE} FROM service_revisions
        WHERE agency_id = :agency_id AND service_id = ANY(CAST(:ids AS text[])) ORDER BY service_id, revision
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(ids),
    )
    found: dict[str, list[ServiceRevision]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(ServiceRevision._make(row))
    return found


def payment_methods(tx: Transaction, agency_id: str, client_ids: Collection[str]) -> dict[str, list[Method]]:
    """The payment methods of each client that were not removed; a client without any is absent.

    A credential given under another id is not a new one: it counts from when it was first given, even if that was removed.
    It is unusable once any attempt with it was declined for good, whoever's invoice that was.
    """
    rows = tx.rows(
        """
        SELECT client_id, payment_method_id, revision, provider, token, customer, is_default, credential, instructed_at,
               first_received_at,
               NOT EXISTS (SELECT 1 FROM charges AS c
                           WHERE c.agency_id = :agency_id AND c.credential = m.credential AND c.state = 'declined'
                             AND c.decline_class = 'final')
        FROM (SELECT *, min(received_at) OVER (PARTITION BY client_id, credential) AS first_received_at
              FROM payment_methods
              WHERE agency_id = :agency_id AND client_id = ANY(CAST(:ids AS text[]))) AS m
        WHERE removed_at IS NULL
        ORDER BY client_id, payment_method_id
        """,
        agency_id=agency_id,
        ids=list(client_ids),
    )
    found: dict[str, list[Method]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Method._make(row[1:]))
    return found


class SavedMethod(NamedTuple):
    """A payment method that a client saved on our page; upstream does not know it."""

    client_id: str
    payment_method_id: str
    provider: str
    token: str
    customer: str | None


def save_method(tx: Transaction, agency_id: str, saved: SavedMethod) -> None:
    """Keep it as the client's default; of several defaults the newest counts, so a later word of upstream's takes its place."""
    written = {
        "revision": 1,
        "effective_at": tx.as_of,
        "instructed_at": tx.as_of,
        "received_at": tx.as_of,
        "is_default": True,
        "credential": credential(saved.provider, saved.token, saved.customer),
        "digest": "page",
    }
    columns = ("agency_id", *SavedMethod._fields, *written)
    bulk.insert(tx, tables.payment_methods, columns, [(agency_id, *saved, *written.values())])


def timezones(tx: Transaction) -> dict[str, str]:
    """The zone of every agency."""
    return {row[0]: row[1] for row in tx.rows("SELECT agency_id, timezone FROM agencies")}
