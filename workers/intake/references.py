"""What a message is about: the rows it asks for, and what may have been waiting for it."""

from collections.abc import Iterator, Sequence

from shared.messages import (
    AgencyUpserted,
    ChangeData,
    ClientUpserted,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    ServiceUpserted,
    SubscriptionUpserted,
)
from shared.store import tables
from shared.store.fact_buffer import Key, Table


def arrivals_of(data: ChangeData) -> tuple[str, ...]:
    """What is known once the message is applied, as waiting messages call it."""
    match data:
        case AgencyUpserted():
            return (f"agency/{data.agency_id}",)
        case ClientUpserted():
            return (f"client/{data.client_id}",)
        case ServiceUpserted():
            return (f"service/{data.service_id}",)
        case PaymentMethodUpserted():
            return (f"payment_method/{data.client_id}/{data.payment_method_id}",)
        case SubscriptionUpserted():
            return (f"subscription/{data.subscription_id}",)
        case _:
            return ()


def keys_by_table(told: Sequence[ChangeData]) -> dict[Table, list[Key]]:
    """The facts that these messages write or refer to, by table."""
    found: dict[Table, list[Key]] = {}
    for data in told:
        for table, key in _keys(data):
            found.setdefault(table, []).append(key)
    return found


def _keys(data: ChangeData) -> Iterator[tuple[Table, Key]]:
    match data:
        case AgencyUpserted():
            yield tables.agencies, (data.agency_id,)
        case ClientUpserted():
            yield tables.agencies, (data.agency_id,)
            yield tables.clients, (data.agency_id, data.client_id)
        case ServiceUpserted():
            yield tables.agencies, (data.agency_id,)
            yield tables.services, (data.agency_id, data.service_id)
        case PaymentMethodUpserted() | PaymentMethodRemoved():
            yield tables.clients, (data.agency_id, data.client_id)
            yield tables.payment_methods, (data.agency_id, data.client_id, data.payment_method_id)
        case SubscriptionUpserted():
            yield tables.clients, (data.agency_id, data.client_id)
            yield tables.services, (data.agency_id, data.service_id)
            yield tables.subscriptions, (data.agency_id, data.subscription_id)
        case _:
            return
