"""The messages of one publishing call: what was sent, what the broker said of each, and what is still on its way."""

from collections.abc import Sequence
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shared.broker.publisher import Outgoing

Verdict = Literal["confirmed", "refused", "unrouted", "unanswered"]
CONFIRMED: Verdict = "confirmed"


class Batch:
    """Written by the publisher's thread alone; `ended` tells the caller that there is nothing more to wait for."""

    def __init__(self, messages: Sequence["Outgoing"], window: int) -> None:
        self._messages, self._window = messages, window
        self._said: list[Verdict | None] = [None] * len(messages)
        self._came_back: set[int] = set()
        self._places: dict[int, int] = {}  # of unconfirmed messages, by delivery tag, oldest first
        self._ids: dict[str, list[int]] = {}
        self._next = 0
        self._left = len(messages)
        self.failure: str | None = None
        self.ended = Event()

    def following(self) -> tuple[int, "Outgoing"] | None:
        """The next message to send and its place; None if all are sent, or the window is full."""
        if self._next >= len(self._messages) or len(self._places) >= self._window:
            return None
        self._next += 1
        return self._next - 1, self._messages[self._next - 1]

    def sent(self, place: int, tag: int, message_id: str) -> None:
        """A message went out under a delivery tag. Only of one that is given twice is an id told twice."""
        self._places[tag] = place
        self._ids.setdefault(message_id, []).append(place)

    def returned(self, message_id: str) -> None:
        """No queue took it; its confirm, which comes after this, says only that the broker has dealt with it.

        One of an earlier call is none of ours.
        """
        waiting = self._places.values()
        places = (each for each in self._ids.get(message_id, ()) if each in waiting and each not in self._came_back)
        self._came_back.update(islice(places, 1))

    def answered(self, tag: int, said: Verdict, *, multiple: bool) -> None:
        """The broker spoke of one tag, or of all up to it."""
        tags = [each for each in self._places if each <= tag] if multiple else [tag]
        for each in tags:
            place = self._places.pop(each, None)
            if place is None:
                continue
            self._said[place] = "unrouted" if place in self._came_back else said
            self._left -= 1
        if self._left == 0:
            self.ended.set()

    def fail(self, reason: str) -> None:
        """The connection is gone: what was not answered stays unanswered."""
        if not self.ended.is_set():
            self.failure = reason
            self.ended.set()

    def verdicts(self) -> list[Verdict]:
        """What became of each message, in their order."""
        return [each if each is not None else "unanswered" for each in self._said]

    def so_far(self) -> list[Verdict | None]:
        """What became of each message of a batch that has failed, None of one that was not sent."""
        return [each if place < self._next else None for place, each in enumerate(self.verdicts())]
