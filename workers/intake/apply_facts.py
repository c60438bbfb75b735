"""Agencies, clients, services and payment methods: whole-state upserts by revision."""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.keys import OUR_FORMS, credential, is_our_form
from shared.messages import (
    AgencyUpserted,
    Change,
    ClientUpserted,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    ServiceUpserted,
    content_digest,
)
from shared.store import fact_buffer, tables
from shared.store.fact_buffer import FactBuffer
from workers.intake.references import arrivals_of
from workers.intake.verdicts import Accepted, Applied, Refused, Stale, Verdict, Waits, compare


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def agency(work: FactBuffer, change: Change, data: AgencyUpserted) -> Verdict:
    """The agency itself; a new zone, issue time or hold rule reaches every subscription through a recheck."""
    accepted = compare(change, data.revision, work.standing(tables.agencies, data.agency_id))
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
    work.upsert(tables.agencies, (data.agency_id,), values)
    if not accepted.first:
        work.recheck(data.agency_id, "agency", data.agency_id, accepted.effective_at)
        work.readdress(data.agency_id, sender=True)
    return Applied(arrivals_of(data))


def client(work: FactBuffer, change: Change, data: ClientUpserted) -> Verdict:
    """A client; names and addresses count from the next document on."""
    if not work.known(tables.agencies, data.agency_id):
        return Waits(f"agency/{data.agency_id}")
    key = (data.agency_id, data.client_id)
    accepted = compare(change, data.revision, work.standing(tables.clients, *key))
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
    work.upsert(tables.clients, key, values)
    if not accepted.first:
        work.readdress(data.agency_id, sender=False)
    return Applied(arrivals_of(data))


def service(work: FactBuffer, change: Change, data: ServiceUpserted) -> Verdict:
    """A service; every revision is kept, for a cycle is priced by the one in force when it fell due."""
    if not work.known(tables.agencies, data.agency_id):
        return Waits(f"agency/{data.agency_id}")
    keys = {"agency_id": data.agency_id, "service_id": data.service_id}
    key = (data.agency_id, data.service_id)
    accepted = compare(change, data.revision, work.standing(tables.services, *key))
    if isinstance(accepted, Stale):
        late = _service_values(data, change.time, content_digest(data))
        work.flush()
        fact_buffer.keep_late(work.tx, tables.service_revisions, keys, late)
    if not isinstance(accepted, Accepted):
        return accepted
    values = _service_values(data, accepted.effective_at, accepted.digest)
    work.upsert(tables.services, key, values)
    work.insert(tables.service_revisions, {**keys, **values})
    if not accepted.first:
        work.recheck(data.agency_id, "service", data.service_id, accepted.effective_at)
    return Applied(arrivals_of(data))


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


def payment_method(work: FactBuffer, change: Change, data: PaymentMethodUpserted) -> Verdict:
    """A payment method; a new credential, or one made the default, is tried on open failing invoices at once."""
    if not work.known(tables.clients, data.agency_id, data.client_id):
        return Waits(f"client/{data.client_id}")
    if is_our_form(data.payment_method_id):
        return Refused(
            "data.payment_method_id",
            f"begins with a prefix reserved for our own ids ({OUR_FORMS}); send an id of your own",
        )
    key = (data.agency_id, data.client_id, data.payment_method_id)
    accepted = compare(change, data.revision, work.standing(tables.payment_methods, *key))
    if not isinstance(accepted, Accepted):
        return accepted
    values = {
        "revision": data.revision,
        "effective_at": accepted.effective_at,
        "received_at": work.tx.as_of,
        "instructed_at": accepted.effective_at,
        "provider": data.provider,
        "token": data.token,
        "customer": data.customer,
        "credential": credential(data.provider, data.token, data.customer),
        "is_default": data.default,
        "removed_at": None,
        "digest": accepted.digest,
    }
    work.upsert(tables.payment_methods, key, values)
    work.recheck(data.agency_id, "payment_method", data.client_id, accepted.effective_at)
    return Applied(arrivals_of(data))


def payment_method_removed(work: FactBuffer, change: Change, data: PaymentMethodRemoved) -> Verdict:
    """A payment method goes out of use."""
    key = (data.agency_id, data.client_id, data.payment_method_id)
    stored = work.standing(tables.payment_methods, *key)
    if stored is None:
        return Waits(f"payment_method/{data.client_id}/{data.payment_method_id}")
    accepted = compare(change, data.revision, stored)
    if not isinstance(accepted, Accepted):
        return accepted
    work.flush()
    fact_buffer.remove_method(work.tx, key, data.revision, accepted.effective_at, accepted.digest)
    work.forget()
    return Applied()
