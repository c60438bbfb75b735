"""What collection looks back on: what was tried and declined, by what the provider sees of a method, and what is failing."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain.dunning import Tried
from shared.domain.refusals import UNPAYABLE
from shared.store.database import Transaction
from shared.store.invoices import Invoice


class Declines(NamedTuple):
    """Declined attempts of one method and amount in the window, and when the oldest of them leaves it."""

    declined: int
    frees_at: datetime


def recent_declines(
    tx: Transaction, agency_id: str, credentials: Collection[str], window: timedelta
) -> dict[tuple[str, int, str], Declines]:
    """Declines per (credential, amount, currency) that were answered inside the window, whoever's invoice it was."""
    rows = tx.rows(
        """
        SELECT credential, amount_minor, currency, count(*), min(settled_at) FROM charges
        WHERE agency_id = :agency_id AND state = 'declined' AND credential = ANY(CAST(:credentials AS text[]))
          AND settled_at > :since AND sent_at IS NOT NULL
        GROUP BY credential, amount_minor, currency
        """,
        agency_id=agency_id,
        credentials=list(credentials),
        since=tx.as_of - window,
    )
    return {(row[0], row[1], row[2]): Declines(row[3], row[4] + window) for row in rows}


class Ahead(NamedTuple):
    """A call to come: a planned attempt, or (without an invoice) the next invoice of a subscription, of whatever amount."""

    client_id: str
    invoice_id: str | None
    amount_minor: int | None
    currency: str | None
    at: datetime
    daily: bool

    def until(self, now: datetime, until: datetime, invoice: Invoice) -> int:
        """At most so many calls over the amount of another invoice of that client, up to a moment."""
        if self.client_id != invoice.client_id or self.invoice_id == invoice.invoice_id or self.at > until:
            return 0
        if self.invoice_id is None:
            return 1 + (until - now).days if self.daily else 1
        return int((self.amount_minor, self.currency) == (invoice.outstanding_minor, invoice.currency))


def ahead(tx: Transaction, agency_id: str, client_ids: Collection[str]) -> list[Ahead]:
    """What these clients are going to be charged for: planned attempts, and the invoices that come next."""
    rows = tx.rows(
        """
        SELECT i.client_id, i.invoice_id, i.total_minor - coalesce(p.collected, 0) + coalesce(v.reversed, 0), i.currency,
               c.planned_at, false
        FROM invoices AS i
        JOIN charges AS c ON c.agency_id = i.agency_id AND c.invoice_id = i.invoice_id AND c.state = 'due'
        LEFT JOIN LATERAL (SELECT sum(amount_minor)::bigint AS collected FROM payments
                           WHERE agency_id = i.agency_id AND invoice_id = i.invoice_id) AS p ON true
        LEFT JOIN LATERAL (SELECT sum(amount_minor)::bigint AS reversed FROM payment_reversals
                           WHERE agency_id = i.agency_id AND invoice_id = i.invoice_id) AS v ON true
        WHERE i.agency_id = :agency_id AND i.client_id = ANY(CAST(:ids AS text[])) AND i.failing_since IS NOT NULL
        UNION ALL
        SELECT b.client_id, NULL, NULL, NULL, s.next_at, s.unit = 'day'
        FROM subscriptions AS b
        JOIN schedules AS s ON s.agency_id = b.agency_id AND s.subscription_id = b.subscription_id
          AND s.stream = 'invoice' AND s.next_at IS NOT NULL
        WHERE b.agency_id = :agency_id AND b.client_id = ANY(CAST(:ids AS text[]))
        """,
        agency_id=agency_id,
        ids=list(client_ids),
    )
    return [Ahead._make(row) for row in rows]


def tried(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> dict[str, list[Tried]]:
    """The attempts of these invoices that went out, in order; an invoice without any is absent."""
    rows = tx.rows(
        """
        SELECT invoice_id, attempt, credential, sent_at, decline_class,
               state NOT IN ('due', 'sending', 'not_sent') OR coalesce(code = ANY(CAST(:unpayable AS text[])), false)
        FROM charges
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND sent_at IS NOT NULL
          AND credential IS NOT NULL
        ORDER BY invoice_id, attempt
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        unpayable=sorted(UNPAYABLE),
    )
    found: dict[str, list[Tried]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Tried._make(row[1:]))
    return found


def refused_in_row(tx: Transaction, agency_id: str, invoice_id: str, refused: str) -> int:
    """How many of an invoice's attempts, the newest first, ended unsent with a code that begins with `refused`."""
    found: int = tx.scalar(
        """
        SELECT count(*) FROM charges AS c
        WHERE agency_id = :agency_id AND invoice_id = :invoice_id AND state = 'not_sent' AND starts_with(code, :refused)
          AND attempt > coalesce((SELECT max(attempt) FROM charges AS o
                                  WHERE o.agency_id = c.agency_id AND o.invoice_id = c.invoice_id
                                    AND o.state IN ('declined', 'succeeded')), 0)
        """,
        agency_id=agency_id,
        invoice_id=invoice_id,
        refused=refused,
    )
    return found


def failing_of_client(tx: Transaction, agency_id: str, client_id: str) -> dict[str, str]:
    """Open failing invoices of a client that are collected by us, oldest first, each with its subscription.

    Collected automatically, or charged once because somebody asked; the former may never have been charged, if it was paid
    otherwise and that was taken back.
    """
    rows = tx.rows(
        """
        SELECT i.invoice_id, i.subscription_id FROM invoices AS i
        WHERE i.agency_id = :agency_id AND i.client_id = :client_id AND i.failing_since IS NOT NULL AND i.status = 'open'
          AND (i.collection = 'automatic' OR EXISTS
               (SELECT 1 FROM charges AS c WHERE c.agency_id = i.agency_id AND c.invoice_id = i.invoice_id))
        ORDER BY i.issued_on, coalesce(i.cycle_starts_on, i.issued_on), i.invoice_id
        """,
        agency_id=agency_id,
        client_id=client_id,
    )
    return {row[0]: row[1] for row in rows}


def clients_with_failing(
    tx: Transaction, agency_id: str, client_ids: Collection[str], besides: Collection[str]
) -> list[str]:
    """Which of these clients have an open failing invoice besides those named."""
    rows = tx.rows(
        """
        SELECT DISTINCT client_id FROM invoices
        WHERE agency_id = :agency_id AND client_id = ANY(CAST(:ids AS text[])) AND failing_since IS NOT NULL
          AND status = 'open' AND NOT invoice_id = ANY(CAST(:besides AS text[]))
        ORDER BY client_id
        """,
        agency_id=agency_id,
        ids=list(client_ids),
        besides=list(besides),
    )
    return [row[0] for row in rows]
