"""Publishing in order: many streams of messages at once, each in its own order, none held up by another."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from shared.broker.publisher import Outgoing, Publisher

# The relay's transaction is open meanwhile: together they stay below the time that an idle transaction is allowed (20 s).
WAVE_SECONDS, PASS_SECONDS = 5.0, 5.0


class InOrder(NamedTuple):
    """A message of a stream; messages with the same `stream` reach the exchange in the order they are given."""

    stream: tuple[str, str]
    message: Outgoing


def publish_in_order(
    publisher: Publisher, messages: Sequence[InOrder], on_unrouted: Callable[[int], None] = lambda _count: None
) -> list[bool]:
    """Publish in waves, each with at most one message of a stream. Returns which messages were taken.

    A refused message holds back the later ones of its stream, and of no other. One that no queue takes counts as taken, for
    nobody is bound who would want it; `on_unrouted` hears how many. Raises BrokerError if not even the first wave got
    through; when the connection ends later, or PASS_SECONDS are over, what was confirmed by then counts.
    """
    until = monotonic() + PASS_SECONDS
    taken = [False] * len(messages)
    unrouted = 0
    refused: set[tuple[str, str]] = set()
    for number, wave in enumerate(_waves(messages)):
        if number and monotonic() > until:
            break
        going = [place for place in wave if messages[place].stream not in refused]
        try:
            verdicts = publisher.publish([messages[place].message for place in going], WAVE_SECONDS)
        except OSError:
            if number == 0:
                raise
            break
        for place, verdict in zip(going, verdicts, strict=True):
            taken[place] = verdict != "refused"
            unrouted += verdict == "unrouted"
            if verdict == "refused":
                refused.add(messages[place].stream)
    if unrouted:
        on_unrouted(unrouted)
    return taken


def _waves(messages: Sequence[InOrder]) -> list[list[int]]:
    """The places of each stream's first message, then of each one's second, and so on."""
    counted: dict[tuple[str, str], int] = {}
    waves: list[list[int]] = []
    for place, each in enumerate(messages):
        turn = counted.get(each.stream, 0)
        counted[each.stream] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(place)
    return waves
