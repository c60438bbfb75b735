"""The envelope of events: CloudEvents of type `duecycle.<name>.v1`. Their payloads are :mod:`shared.messages.event_data`."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from shared.domain.keys import segment

CONTENT_TYPE: Final = "application/cloudevents+json"
_MESSAGE_ID_MAX: Final = 255  # bytes of a short string of AMQP 0-9-1
_encode = msgspec.json.encode


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


def cloud_event(agency_id: str, name: str, subject: str, *, subject_seq: int, at: datetime, data: Any) -> bytes:
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
