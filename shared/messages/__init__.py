"""Messages: changes from upstream, work messages from the scheduler to the pools, and events."""

from shared.messages.changes import (
    CHANGE_TYPES,
    AgencyUpserted,
    ChangeData,
    ChargeRequested,
    ClientUpserted,
    InvoiceIssued,
    InvoicePaid,
    InvoiceRefunded,
    InvoiceSelector,
    InvoiceVoided,
    PaymentMethodRemoved,
    PaymentMethodUpserted,
    RefundRequested,
    ServiceUpserted,
    SubscriptionResumed,
    SubscriptionUpserted,
)
from shared.messages.decoding import MESSAGE_BYTES_MAX, Change, Envelope, decode_change
from shared.messages.event_data import EVENT_TYPES, EventData
from shared.messages.parts import Address, Cycle, Dunning, InitialPayment, MisfitError, Tax, content_digest
from shared.messages.rejection import Rejected
from shared.messages.work import Due, Pool

__all__ = [
    "CHANGE_TYPES",
    "EVENT_TYPES",
    "MESSAGE_BYTES_MAX",
    "Address",
    "AgencyUpserted",
    "Change",
    "ChangeData",
    "ChargeRequested",
    "ClientUpserted",
    "Cycle",
    "Due",
    "Dunning",
    "Envelope",
    "EventData",
    "InitialPayment",
    "InvoiceIssued",
    "InvoicePaid",
    "InvoiceRefunded",
    "InvoiceSelector",
    "InvoiceVoided",
    "MisfitError",
    "PaymentMethodRemoved",
    "PaymentMethodUpserted",
    "Pool",
    "RefundRequested",
    "Rejected",
    "ServiceUpserted",
    "SubscriptionResumed",
    "SubscriptionUpserted",
    "Tax",
    "content_digest",
    "decode_change",
]
