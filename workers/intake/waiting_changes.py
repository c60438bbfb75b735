"""What waited is applied beside what arrived, in one transaction; what arrived never fails by it."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from shared.error_words import safe_words
from shared.store import inbox
from shared.store.inbox import NO_ROOM, Room

log = structlog.get_logger()
T = TypeVar("T")


class BesideError(OSError):
    """What waited hit a limit or a lock while it was applied beside something else: not an error of that one's data."""


def apart_if_held_up(attempt: Callable[[Room], T]) -> T:
    """Do `attempt`, a transaction, with room for what waited; should that hit a limit or a lock, once more without it.

    Then what waited is released instead, and the scheduler dispatches it at its next tick: each is applied on its own, and
    refused or reported as always.
    """
    try:
        return attempt(inbox.ROOM)
    except BesideError as error:
        log.warning("change.beside_failed", error=safe_words(error.__cause__ or error))
    return attempt(NO_ROOM)
