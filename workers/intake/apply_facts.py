"""Agencies, clients, services and payment methods: whole-state upserts by revision."""

from datetime import datetime
from typing import Any

import msgspec

from shared.messages import (
    AgencyUpserted,
    Change,
    ClientUpserted,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    ServiceUpserted,
    content_digest,
)
from shared.store import rechecks, tables, upserts
from shared.store.transaction import Tx
from workers.intake.verdicts import Accepted, Applied, Stale, Verdict, Waits, compare


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def agency(tx: Tx, change: Change, data: AgencyUpserted) -> Verdict:
    """The agency itself; a new zone, issue time or hold rule reaches every subscription through a recheck."""
    keys = {"agency_id": data.agency_id}
    accepted = compare(change, data.revision, upserts.standing(tx, tables.agencies, keys))
    if not isinstance(accepted, Accepted):
        return accepted
    values = {
        "revision": data.revision,
        "effective_at": accepted.effective_at,
        "name": data.name,
        "timezone": data.timezone,
        "currency": data.currency,
        "email": data.email,
        "locale": data.locale,
        "invoice_prefix": data.invoice_prefix,
        "payment_terms_days": data.payment_terms_days,
        "issue_time": data.issue_time,
        "gateway": data.gateway,
        "address": _json(data.address),
        "tax_id": data.tax_id,
        "retry_days": _json(data.dunning.retry_days),
        "on_exhausted": data.dunning.on_exhausted,
        "backlog": data.backlog,
        "hold_on": data.hold_on,
        "digest": accepted.digest,
    }
    upserts.upsert(tx, tables.agencies, keys, values)
    if not accepted.first:
        rechecks.add(tx, data.agency_id, "agency", data.agency_id, accepted.effective_at)
    return Applied((f"agency/{data.agency_id}",))


def client(tx: Tx, change: Change, data: ClientUpserted) -> Verdict:
    """A client; names and addresses count from the next document on."""
    if not upserts.known(tx, tables.agencies, {"agency_id": data.agency_id}):
        return Waits(f"agency/{data.agency_id}")
    keys = {"agency_id": data.agency_id, "client_id": data.client_id}
    accepted = compare(change, data.revision, upserts.standing(tx, tables.clients, keys))
    if not isinstance(accepted, Accepted):
        return accepted
    values = {
        "revision": data.revision,
        "effective_at": accepted.effective_at,
        "name": data.name,
        "email": data.email,
        "locale": data.locale,
        "address": _json(data.address),
        "tax_id": data.tax_id,
        "digest": accepted.digest,
    }
    upserts.upsert(tx, tables.clients, keys, values)
    return Applied((f"client/{data.client_id}",))


def service(tx: Tx, change: Change, data: ServiceUpserted) -> Verdict:
    """A service; every revision is kept, for a cycle is priced by the one in force when it fell due."""
    if not upserts.known(tx, tables.agencies, {"agency_id": data.agency_id}):
        return Waits(f"agency/{data.agency_id}")
    keys = {"agency_id": data.agency_id, "service_id": data.service_id}
    accepted = compare(change, data.revision, upserts.standing(tx, tables.services, keys))
    if isinstance(accepted, Stale):
        late = _service_values(data, change.time, content_digest(data))
        upserts.keep_late(tx, tables.service_revisions, keys, late)
    if not isinstance(accepted, Accepted):
        return accepted
    values = _service_values(data, accepted.effective_at, accepted.digest)
    upserts.upsert(tx, tables.services, keys, values)
    upserts.insert(tx, tables.service_revisions, {**keys, **values})
    if not accepted.first:
        rechecks.add(tx, data.agency_id, "service", data.service_id, accepted.effective_at)
    return Applied((f"service/{data.service_id}",))


def _service_values(data: ServiceUpserted, effective_at: datetime, digest: str) -> dict[str, Any]:
    order_cycle = data.order_cycle or data.billing_cycle
    return {
        "revision": data.revision,
        "effective_at": effective_at,
        "name": data.name,
        "price_minor": data.price_minor,
        "currency": data.currency,
        "tax_name": data.tax.name if data.tax else None,
        "tax_rate": data.tax.rate if data.tax else "0",
        "tax_inclusive": data.tax.inclusive if data.tax else False,
        "unit": data.billing_cycle.unit,
        "every": data.billing_cycle.every,
        "order_unit": order_cycle.unit,
        "order_every": order_cycle.every,
        "renewal": data.renewal,
        "digest": digest,
    }


def payment_method(tx: Tx, change: Change, data: PaymentMethodUpserted) -> Verdict:
    """A payment method; any newer revision counts as a new one, and open failing invoices are tried again at once."""
    if not upserts.known(tx, tables.clients, {"agency_id": data.agency_id, "client_id": data.client_id}):
        return Waits(f"client/{data.client_id}")
    keys = _method_keys(data)
    accepted = compare(change, data.revision, upserts.standing(tx, tables.payment_methods, keys))
    if not isinstance(accepted, Accepted):
        return accepted
    values = {
        "revision": data.revision,
        "effective_at": accepted.effective_at,
        "received_at": tx.as_of,
        "provider": data.provider,
        "token": data.token,
        "customer": data.customer,
        "is_default": data.default,
        "removed_at": None,
        "digest": accepted.digest,
    }
    upserts.upsert(tx, tables.payment_methods, keys, values)
    rechecks.add(tx, data.agency_id, "payment_method", data.client_id, accepted.effective_at)
    return Applied((f"payment_method/{data.client_id}/{data.payment_method_id}",))


def payment_method_removed(tx: Tx, change: Change, data: PaymentMethodRemoved) -> Verdict:
    """A payment method goes out of use."""
    keys = _method_keys(data)
    stored = upserts.standing(tx, tables.payment_methods, keys)
    if stored is None:
        return Waits(f"payment_method/{data.client_id}/{data.payment_method_id}")
    accepted = compare(change, data.revision, stored)
    if not isinstance(accepted, Accepted):
        return accepted
    upserts.remove_method(tx, keys, data.revision, accepted.effective_at, accepted.digest)
    return Applied()


def _method_keys(data: PaymentMethodUpserted | PaymentMethodRemoved) -> dict[str, str]:
    return {
        "agency_id": data.agency_id,
        "client_id": data.client_id,
        "payment_method_id": data.payment_method_id,
    }
