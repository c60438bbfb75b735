"""What Duecycle tells the world: the names of its events, sent as CloudEvents of type `duecycle.<name>.v1`."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from shared.domain.segments import segment

CONTENT_TYPE: Final = "application/cloudevents+json"
_MESSAGE_ID_MAX: Final = 255  # bytes of a short string of AMQP 0-9-1
_encode = msgspec.json.encode

EVENT_TYPES: tuple[str, ...] = (
    "change.applied",
    "change.repeated",
    "change.stale",
    "change.rejected",
    "change.waiting",
    "invoice.issued",
    "invoice.paid",
    "invoice.failing",
    "invoice.voided",
    "invoice.uncollectible",
    "invoice.refunded",
    "refund.requested",
    "refund.pending",
    "refund.unknown",
    "refund.failed",
    "refund.answered_late",
    "refund.unrecorded",
    "order.created",
    "order.renewed",
    "cycle.held",
    "cycle.blocked",
    "cycle.skipped",
    "cycle.cancelled",
    "cycle.released_late",
    "cycle.repeated",
    "charge.succeeded",
    "charge.declined",
    "charge.action_required",
    "charge.pending",
    "charge.unknown",
    "charge.not_sent",
    "charge.answered_late",
    "charge.doubtful",
    "charge.resolved",
    "charge.unrecorded",
    "books.differ",
    "dunning.exhausted",
    "series.stopped",
    "series.resumed",
    "schedule.changed",
    "payment.recorded",
    "payment.surplus",
    "payment.unapplied",
    "payment.disputed",
    "payment.reversed",
    "payment.reinstated",
    "link.opened",
    "link.failed",
    "link.unrecorded",
    "inquiry.unrecorded",
    "subscription.ended",
    "change.replayed",
    "cycle.retried",
    "cycle.reopened",
    "pool.paused",
    "pool.resumed",
    "clock.accepted",
    "account.set",
    "account.refused",
    "notice.failed",
    "notice.retried",
    "notice.skipped",
)


def event_type(name: str) -> str:
    """The CloudEvents type of an event, which is also its routing key."""
    return f"duecycle.{name}.v1"


def event_id(agency_id: str, subject: str, subject_seq: int) -> str:
    """The id of an event: the same whenever it is sent, and no other event's, of whichever agency."""
    return f"{segment(agency_id) if agency_id else ''}/{subject}/{subject_seq}"


def message_id(agency_id: str, subject: str, subject_seq: int) -> str:
    """The id of an event where AMQP has room for 255 bytes: hashed if it is longer."""
    id_ = event_id(agency_id, subject, subject_seq)
    return id_ if len(id_.encode()) <= _MESSAGE_ID_MAX else f"sha256/{sha256(id_.encode()).hexdigest()}"


def cloud_event(agency_id: str, name: str, subject: str, subject_seq: int, at: datetime, data: Any) -> bytes:
    """An event in CloudEvents' structured JSON. Its source is the agency; "" stands for the installation as a whole."""
    return _encode(
        {
            "specversion": "1.0",
            "id": event_id(agency_id, subject, subject_seq),
            "source": f"/duecycle/agencies/{segment(agency_id)}" if agency_id else "/duecycle",
            "type": event_type(name),
            "time": at,
            "subject": subject,
            "subjectseq": subject_seq,
            "datacontenttype": "application/json",
            "data": data,
        }
    )
