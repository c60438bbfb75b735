"""What Duecycle publishes: one struct per type of event, with its name, its subject and its payload.

`tx.record` takes one of these structs and nothing else. The published schemas, the AsyncAPI document and docs/events.md are
made from them, so a field that is added here is documented, and a second shape of a type can't come into being.
"""

from collections.abc import Mapping

from shared.messages.event_data.base import EventData
from shared.messages.event_data.changes import (
    ChangeApplied,
    ChangeRejected,
    ChangeRepeated,
    ChangeReplayed,
    ChangeStale,
    ChangeWaiting,
)
from shared.messages.event_data.charges import (
    BooksDiffer,
    ChargeActionRequired,
    ChargeAnsweredLate,
    ChargeDeclined,
    ChargeDoubtful,
    ChargeNotSent,
    ChargePending,
    ChargeResolved,
    ChargeSucceeded,
    ChargeUnknown,
    ChargeUnrecorded,
    DunningExhausted,
    LinkFailed,
    LinkOpened,
    LinkUnrecorded,
)
from shared.messages.event_data.cycles import (
    CycleBlocked,
    CycleCancelled,
    CycleHeld,
    CycleReleasedLate,
    CycleReopened,
    CycleRepeated,
    CycleRetried,
    CycleSkipped,
    OrderCreated,
    OrderRenewed,
    ScheduleChanged,
    SeriesResumed,
    SeriesStopped,
    SubscriptionEnded,
)
from shared.messages.event_data.invoices import (
    InvoiceFailing,
    InvoiceIssued,
    InvoiceLine,
    InvoicePaid,
    InvoiceTax,
    InvoiceUncollectible,
    InvoiceVoided,
)
from shared.messages.event_data.operations import (
    AccountRefused,
    AccountSet,
    ClockAccepted,
    NoticeFailed,
    NoticeRetried,
    NoticeSkipped,
    PoolPaused,
    PoolResumed,
)
from shared.messages.event_data.parts import ProviderAnswer
from shared.messages.event_data.payments import (
    InquiryUnrecorded,
    InvoiceRefunded,
    PaymentDisputed,
    PaymentRecorded,
    PaymentReinstated,
    PaymentReversed,
    PaymentSurplus,
    PaymentUnapplied,
    RefundAnsweredLate,
    RefundFailed,
    RefundPending,
    RefundRequested,
    RefundUnknown,
    RefundUnrecorded,
)

__all__ = [
    "EVENT_TYPES",
    "AccountRefused",
    "AccountSet",
    "BooksDiffer",
    "ChangeApplied",
    "ChangeRejected",
    "ChangeRepeated",
    "ChangeReplayed",
    "ChangeStale",
    "ChangeWaiting",
    "ChargeActionRequired",
    "ChargeAnsweredLate",
    "ChargeDeclined",
    "ChargeDoubtful",
    "ChargeNotSent",
    "ChargePending",
    "ChargeResolved",
    "ChargeSucceeded",
    "ChargeUnknown",
    "ChargeUnrecorded",
    "ClockAccepted",
    "CycleBlocked",
    "CycleCancelled",
    "CycleHeld",
    "CycleReleasedLate",
    "CycleReopened",
    "CycleRepeated",
    "CycleRetried",
    "CycleSkipped",
    "DunningExhausted",
    "EventData",
    "InquiryUnrecorded",
    "InvoiceFailing",
    "InvoiceIssued",
    "InvoiceLine",
    "InvoicePaid",
    "InvoiceRefunded",
    "InvoiceTax",
    "InvoiceUncollectible",
    "InvoiceVoided",
    "LinkFailed",
    "LinkOpened",
    "LinkUnrecorded",
    "NoticeFailed",
    "NoticeRetried",
    "NoticeSkipped",
    "OrderCreated",
    "OrderRenewed",
    "PaymentDisputed",
    "PaymentRecorded",
    "PaymentReinstated",
    "PaymentReversed",
    "PaymentSurplus",
    "PaymentUnapplied",
    "PoolPaused",
    "PoolResumed",
    "ProviderAnswer",
    "RefundAnsweredLate",
    "RefundFailed",
    "RefundPending",
    "RefundRequested",
    "RefundUnknown",
    "RefundUnrecorded",
    "ScheduleChanged",
    "SeriesResumed",
    "SeriesStopped",
    "SubscriptionEnded",
    "event_types",
]


def event_types(root: type[EventData] = EventData) -> dict[str, type[EventData]]:
    """Every type of event by its name. Raises ValueError where two structs claim one name."""
    found: dict[str, type[EventData]] = {}
    for struct in _below(root):
        name = vars(struct).get("event_type")
        if name is None:
            continue
        if name in found:
            both = f"{found[name].__name__} and {struct.__name__}"
            raise ValueError(f"{name} has two shapes, {both}; give one of them a type of its own")
        found[name] = struct
    return dict(sorted(found.items()))


def _below(struct: type[EventData]) -> list[type[EventData]]:
    return [each for child in struct.__subclasses__() for each in (child, *_below(child))]


EVENT_TYPES: Mapping[str, type[EventData]] = event_types()
