"""Payment links: rows of payment pages at providers; at most one of an invoice is open."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.states import PayLinkState
from shared.store import bulk, tables
from shared.store.database import Transaction


class PayLink(NamedTuple):
    """A payment link. `reference` and `url` are the provider's, None until it has answered.

    `closing`: another one is to follow, so it is closed unless somebody has paid there. `agreed`: the client has, and the
    provider refused us the money so far. `accepted`: the provider has said that a payment is under way.
    """

    invoice_id: str
    link_seq: int
    subscription_id: str
    provider: str
    key: str
    amount_minor: int
    currency: str
    state: PayLinkState
    reference: str | None
    url: str | None
    opened_at: datetime
    expires_at: datetime
    wake_at: datetime | None
    settled_at: datetime | None
    doubtful_since: datetime | None = None
    keeps_method: bool = False
    closing: bool = False
    agreed: bool = False
    accepted: bool = False
    # What the provider said and could not be written.
    unrecorded: str | None = None


OPEN = ("opening", "open", "paying")
_READ = ", ".join(PayLink._fields)
_WRITTEN = ("state", "reference", "url", "wake_at", "settled_at", "doubtful_since", "unrecorded")
_FLAGS = ("closing", "agreed", "accepted")


def insert(tx: Transaction, agency_id: str, link: PayLink) -> None:
    """Write a new link."""
    bulk.insert(tx, tables.pay_links, ("agency_id", *PayLink._fields), [(agency_id, *link)])


def write(tx: Transaction, agency_id: str, links: Sequence[PayLink]) -> None:
    """Write how links go on."""
    names = (*_WRITTEN, *_FLAGS)
    rows = [(each.invoice_id, each.link_seq, *(getattr(each, name) for name in names)) for each in links]
    bulk.update(tx, tables.pay_links, agency_id, keys=("invoice_id", "link_seq"), columns=names, rows=rows)


def of_invoices(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[PayLink]:
    """Every link of these invoices, in their order."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM pay_links
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) ORDER BY invoice_id, link_seq
        """,  # noqa: S608
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [PayLink._make(row) for row in rows]


def open_of(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> dict[str, PayLink]:
    """The open link of each of these invoices that has one."""
    return {each.invoice_id: each for each in of_invoices(tx, agency_id, invoice_ids) if each.state in OPEN}


def wake_unwanted(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> None:
    """Let every open link of these invoices that asks for what they do not ask for any more be checked, and closed, now.

    To be called wherever the status or the outstanding amount of an invoice changes. One where somebody is paying is checked
    anyway.
    """
    tx.run(
        """
        UPDATE pay_links AS l SET wake_at = :as_of
        FROM invoices AS i
        WHERE l.agency_id = :agency_id AND l.invoice_id = ANY(CAST(:ids AS text[])) AND l.state IN ('opening', 'open')
          AND l.wake_at > :as_of AND i.agency_id = l.agency_id AND i.invoice_id = l.invoice_id
          AND (i.status NOT IN ('open', 'uncollectible') OR l.amount_minor <> i.total_minor
                 - (SELECT coalesce(sum(p.amount_minor), 0) FROM payments AS p
                    WHERE p.agency_id = i.agency_id AND p.invoice_id = i.invoice_id)
                 + (SELECT coalesce(sum(v.amount_minor), 0) FROM payment_reversals AS v
                    WHERE v.agency_id = i.agency_id AND v.invoice_id = i.invoice_id))
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
        as_of=tx.as_of,
    )


def due(tx: Transaction, agency_id: str, invoice_ids: Collection[str]) -> list[tuple[str, str]]:
    """(invoice, subscription) of these invoices whose open link is to be checked now. Read before the lock."""
    rows = tx.rows(
        """
        SELECT invoice_id, subscription_id FROM pay_links
        WHERE agency_id = :agency_id AND invoice_id = ANY(CAST(:ids AS text[])) AND state IN ('opening', 'open', 'paying')
          AND wake_at IS NOT NULL
        ORDER BY invoice_id
        """,
        agency_id=agency_id,
        ids=list(invoice_ids),
    )
    return [(row[0], row[1]) for row in rows]


def named(tx: Transaction, agency_id: str, provider: str, reference: str | None, key: str | None) -> PayLink | None:
    """The link that a provider knows under this id, or that has this key."""
    rows = tx.rows(
        f"""
        SELECT {_READ} FROM pay_links
        WHERE agency_id = :agency_id AND provider = :provider AND (reference = :reference OR key = :key)
        ORDER BY key = :key DESC NULLS LAST, invoice_id, link_seq LIMIT 1
        """,  # noqa: S608
        agency_id=agency_id,
        provider=provider,
        reference=reference,
        key=key,
    )
    return PayLink._make(rows[0]) if rows else None
