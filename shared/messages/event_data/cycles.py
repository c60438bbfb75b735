"""Events about cycles, orders, series and subscriptions."""

from typing import ClassVar

from shared.messages.event_data import fields as f
from shared.messages.event_data.base import OfCycle, OfSubscription


class OrderCreated(OfSubscription, frozen=True, kw_only=True):
    """A cycle brought an order."""

    event_type: ClassVar[str] = "order.created"
    client_id: f.ClientId
    order_id: f.OrderId
    service_id: f.ServiceId
    quantity: f.Quantity
    period_starts_on: f.PeriodStartsOn
    period_ends_on: f.PeriodEndsOn
    origin: f.Origin


class OrderRenewed(OfSubscription, frozen=True, kw_only=True):
    """A cycle went on with the latest order, as its service wants it."""

    event_type: ClassVar[str] = "order.renewed"
    client_id: f.ClientId
    order_id: f.OrderId
    service_id: f.ServiceId
    quantity: f.Quantity
    period_starts_on: f.PeriodStartsOn
    period_ends_on: f.PeriodEndsOn


class CycleHeld(OfCycle, frozen=True, kw_only=True):
    """An order is held until an invoice is paid."""

    event_type: ClassVar[str] = "cycle.held"
    reason: f.Reason
    blocking_period_starts_on: f.BlockingPeriodStartsOn | None
    blocking_invoice_id: f.BlockingInvoiceId | None


class CycleBlocked(OfCycle, frozen=True, kw_only=True):
    """A cycle can't be carried out yet; it is retried automatically."""

    event_type: ClassVar[str] = "cycle.blocked"
    period_ends_on: f.PeriodEndsOn
    reason: f.Reason
    detail: f.Detail


class CycleSkipped(OfCycle, frozen=True, kw_only=True):
    """A cycle ends without a document, by a rule or by an operator's word."""

    event_type: ClassVar[str] = "cycle.skipped"
    reason: f.Reason | None
    detail: f.Detail | None
    by: f.By | None


class CycleCancelled(OfCycle, frozen=True, kw_only=True):
    """A cycle ends without a document, for its subscription has ended."""

    event_type: ClassVar[str] = "cycle.cancelled"
    reason: f.Reason | None


class CycleReleasedLate(OfCycle, frozen=True, kw_only=True):
    """The regular check found an order that should have been released before. It must not happen: please report it."""

    event_type: ClassVar[str] = "cycle.released_late"
    previous_state: f.PreviousState


class CycleRepeated(OfCycle, frozen=True, kw_only=True):
    """The database refused a second document for a cycle. It must not happen: please report it."""

    event_type: ClassVar[str] = "cycle.repeated"
    document_id: f.DocumentId


class CycleRetried(OfCycle, frozen=True, kw_only=True):
    """An operator had a blocked cycle tried again."""

    event_type: ClassVar[str] = "cycle.retried"
    reason: f.Reason | None
    by: f.By


class CycleReopened(OfCycle, frozen=True, kw_only=True):
    """A skipped cycle is carried out after all."""

    event_type: ClassVar[str] = "cycle.reopened"
    previous_reason: f.PreviousReason | None
    by: f.By | None


class SeriesStopped(OfSubscription, frozen=True, kw_only=True):
    """No further invoices: the latest one is void or was given up."""

    event_type: ClassVar[str] = "series.stopped"
    reason: f.Reason


class SeriesResumed(OfSubscription, frozen=True, kw_only=True):
    """A stopped series of invoices goes on."""

    event_type: ClassVar[str] = "series.resumed"
    resumes_on: f.ResumesOn
    previous_reason: f.PreviousReason | None


class ScheduleChanged(OfSubscription, frozen=True, kw_only=True):
    """The recurrence of a subscription's orders or invoices changed."""

    event_type: ClassVar[str] = "schedule.changed"
    stream: f.Stream
    unit: f.Unit
    every: f.Every
    anchor_on: f.AnchorOn | None


class SubscriptionEnded(OfSubscription, frozen=True, kw_only=True):
    """A subscription ended by a rule of ours, not by a message."""

    event_type: ClassVar[str] = "subscription.ended"
    reason: f.Reason
