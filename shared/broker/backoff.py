"""Waits between tries that grow, so that a broker that comes back is not met by everybody at once."""

from random import Random
from threading import Event

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 15.0


class Backoff:
    """Half a second, doubling up to 15 s, each shortened by up to a half at random."""

    def __init__(self, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._first, self._longest = first, longest
        self._random = Random()  # noqa: S311 - a spread, not a secret
        self._tries = 0

    def next(self) -> float:
        """Seconds until the next try."""
        most: float = min(self._first * 2 ** min(self._tries, 16), self._longest)
        self._tries += 1
        return most * self._random.uniform(0.5, 1)

    def wait(self, stop: Event) -> bool:
        """Wait until the next try. Returns True at once when `stop` is set."""
        return stop.wait(self.next())

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._tries = 0
