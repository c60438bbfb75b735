"""Events that answer upstream's messages."""

from typing import ClassVar

from shared.domain.keys import message_subject
from shared.messages.event_data import fields as f
from shared.messages.event_data.base import EventData


class OfChange(EventData, frozen=True, kw_only=True):
    """About a message from upstream; `agency_id` is null if the message names none that could be read."""

    agency_id: f.AgencyId | None
    change_source: f.ChangeSource
    change_id: f.ChangeId
    change_type: f.ChangeType

    def subject(self) -> str:
        """The message."""
        return message_subject(self.change_source, self.change_id)


class ChangeApplied(OfChange, frozen=True, kw_only=True):
    """A message was applied."""

    event_type: ClassVar[str] = "change.applied"


class ChangeRepeated(OfChange, frozen=True, kw_only=True):
    """A message said what was known already."""

    event_type: ClassVar[str] = "change.repeated"


class ChangeStale(OfChange, frozen=True, kw_only=True):
    """A message came after a later revision, which counts."""

    event_type: ClassVar[str] = "change.stale"


class ChangeRejected(OfChange, frozen=True, kw_only=True):
    """A message can't be applied: which field is wrong, why, and what to send instead."""

    event_type: ClassVar[str] = "change.rejected"
    field: f.Field
    reason: f.Reason


class ChangeWaiting(OfChange, frozen=True, kw_only=True):
    """A message still refers to something that has not arrived."""

    event_type: ClassVar[str] = "change.waiting"
    reason: f.Reason


class ChangeReplayed(OfChange, frozen=True, kw_only=True):
    """An operator had a message read again."""

    event_type: ClassVar[str] = "change.replayed"
    previous_state: f.PreviousState
    by: f.By
