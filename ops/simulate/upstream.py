"""The file of change messages, read line by line, each with the moment it happens."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared.messages import MESSAGE_BYTES_MAX
from shared.messages.decoding import is_blank, without_mark

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """A line of the file: its number, from 1, its bytes, its own time and its agency, as far as they can be read."""

    number: int
    raw: bytes
    time: datetime | None
    agency_id: str


class _Peek(msgspec.Struct):
    time: datetime | None = None
    data: dict[str, object] = msgspec.field(default_factory=dict)


_decoder = msgspec.json.Decoder(_Peek)


class Upstream:
    """Hands out lines in file order, one lookahead at a time, so that a file of any size is read once."""

    def __init__(self, path: Path) -> None:
        # Lines before it that can't be read happen then too, not at the beginning of time.
        self.start = next((line.time for line in _read(path) if line.time is not None), None)
        self._lines = _read(path)
        self._ahead = next(self._lines, None)

    def at(self) -> datetime | None:
        """When the next line happens; one without a readable time happens at once, at the start; None at the end."""
        if self._ahead is None:
            return None
        return self._ahead.time or self.start or EPOCH

    def take(self, until: datetime) -> Iterator[Line]:
        """The next lines, as long as they have happened by `until`."""
        while self._ahead is not None and (self._ahead.time is None or self._ahead.time <= until):
            line, self._ahead = self._ahead, next(self._lines, None)
            yield line

    def skip(self) -> Line | None:
        """Pass over the next line."""
        line, self._ahead = self._ahead, next(self._lines, None)
        return line


def _read(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not is_blank(raw):
                stripped = without_mark(raw).strip()
                yield Line(number, stripped, *_peek(stripped))


def _peek(raw: bytes) -> tuple[datetime | None, str]:
    """Time and agency of a line; intake will judge it, here an unreadable one only has no time."""
    if len(raw) > MESSAGE_BYTES_MAX:
        return None, ""
    try:
        found = _decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None, ""
    agency = found.data.get("agency_id")
    at = found.time
    if at is None or at.tzinfo is None:
        return None, agency if isinstance(agency, str) else ""
    return at.astimezone(UTC), agency if isinstance(agency, str) else ""
