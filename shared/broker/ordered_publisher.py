"""Publishing in order: messages of many subjects at once, those of one subject in their order, none held up by another
subject."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from shared.broker.errors import UnansweredError
from shared.broker.publish_batch import Verdict
from shared.broker.publisher import Outgoing, Publisher

# The relay's transaction is open meanwhile: together they stay below the time that an idle transaction is allowed (20 s).
WAVE_SECONDS, PASS_SECONDS = 5.0, 5.0


class InOrder(NamedTuple):
    """A message about a subject; messages with the same `subject` reach the exchange in the order they are given."""

    subject: tuple[str, str]
    message: Outgoing


def publish_in_order(
    publisher: Publisher,
    messages: Sequence[InOrder],
    on_unrouted: Callable[[int], None] = lambda _count: None,
    wave_seconds: float = WAVE_SECONDS,
) -> list[bool | None]:
    """Publish in waves, each with at most one message of a subject. Returns of each message whether it was taken.

    False: a queue refused it or did not answer in time, or there is no queue for it (`on_unrouted` hears how many). Such a
    message holds back the later ones of its subject, and of no other. None: it was not tried, or nobody knows. Raises
    BrokerError if not even the first wave got through; when the connection ends later, or PASS_SECONDS are over, what was
    answered by then counts.
    """
    until = monotonic() + PASS_SECONDS
    taken: list[bool | None] = [None] * len(messages)
    unrouted = 0
    held: set[tuple[str, str]] = set()
    for number, wave in enumerate(_waves(messages)):
        if number and monotonic() > until:
            break
        going = [place for place in wave if messages[place].subject not in held]
        verdicts, ended = _one_wave(publisher, [messages[place].message for place in going], wave_seconds, number == 0)
        for place, verdict in zip(going, verdicts, strict=True):
            taken[place] = None if verdict is None else verdict == "confirmed"
            unrouted += verdict == "unrouted"
            if verdict != "confirmed":
                held.add(messages[place].subject)
        if ended:
            break
    if unrouted:
        on_unrouted(unrouted)
    return taken


def _one_wave(
    publisher: Publisher, wave: Sequence[Outgoing], seconds: float, must_arrive: bool
) -> tuple[Sequence[Verdict | None], bool]:
    """The verdicts, and whether this pass is over.

    Without an answer nobody knows; but while the connection is well, it is a queue that does not answer: a refusal.
    """
    try:
        return publisher.publish(wave, seconds), False
    except UnansweredError as error:
        if error.silent:
            return error.verdicts, True
        if must_arrive and "confirmed" not in error.verdicts:
            raise
        return [None if each == "unanswered" else each for each in error.verdicts], True
    except OSError:
        if must_arrive:
            raise
        return [None] * len(wave), True


def _waves(messages: Sequence[InOrder]) -> list[list[int]]:
    """The places of each subject's first message, then of each one's second, and so on."""
    counted: dict[tuple[str, str], int] = {}
    waves: list[list[int]] = []
    for place, each in enumerate(messages):
        wave = counted.get(each.subject, 0)
        counted[each.subject] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves
