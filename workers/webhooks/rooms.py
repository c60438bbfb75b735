"""Threads in rooms: each kind of work has its own, and in a room no agency takes more than its share.

Work that waits, for a lock or for a provider, then holds up its own kind and its own agency, and nobody else. Who waits is
counted and waits for a limited time; without a free place the caller is told so at once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 10.0


class FullError(Exception):
    """The room takes no more for now."""


class Room:
    """At most `threads` at work, `each` of one key; `waiting` more may wait, `each_waiting` of one key. For one event loop."""

    def __init__(
        self,
        name: str,
        threads: int,
        each: int,
        *,
        waiting: int = 100,
        each_waiting: int = 30,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.name = name
        self._threads, self._each = threads, each
        self._waiting_max, self._each_waiting = waiting, each_waiting
        self._patience = patience
        self._working: Counter[str] = Counter()
        self._queue: list[tuple[str, asyncio.Future[None]]] = []

    async def run(self, key: str, work: Callable[..., T], *given: Any) -> T:
        """Do the work in a thread of the room. Raises FullError, and what the work raises."""
        await self._enter(key)
        running = _in_thread(self.name, work, given)
        # The place is free when the thread is, even if nobody waits for the answer any more.
        running.add_done_callback(lambda _done: self._leave(key))
        return await asyncio.shield(running)

    def full(self) -> bool:
        """Whether nobody else may even wait, whatever his key."""
        return len(self._queue) >= self._waiting_max

    async def _enter(self, key: str) -> None:
        if self._has_place(key):
            self._working[key] += 1
            return
        if self.full() or sum(waits == key for waits, _ in self._queue) >= self._each_waiting:
            raise FullError(self.name)
        called = asyncio.get_running_loop().create_future()
        self._queue.append((key, called))
        try:
            async with asyncio.timeout(self._patience):
                await called
        except TimeoutError:
            if not _was_called(called):
                raise FullError(self.name) from None
        except asyncio.CancelledError:
            if _was_called(called):
                self._leave(key)
            raise
        finally:
            self._queue = [each for each in self._queue if each[1] is not called]

    def _leave(self, key: str) -> None:
        self._working[key] -= 1
        self._working += Counter()  # keys with nothing under way are forgotten
        for waits, called in list(self._queue):
            if not called.done() and self._has_place(waits):
                self._working[waits] += 1
                called.set_result(None)

    def _has_place(self, key: str) -> bool:
        return self._working.total() < self._threads and self._working[key] < self._each


def _in_thread(name: str, work: Callable[..., T], given: tuple[Any, ...]) -> "asyncio.Future[T]":
    """The answer of a new thread. It is a daemon: what a provider never answers does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work(*given)
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            told: Callable[[], None] = partial(answer.set_exception, error)
        else:
            told = partial(answer.set_result, result)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(lambda: None if answer.done() else told())

    Thread(target=run, name=name, daemon=True).start()
    return answer


def _was_called(called: "asyncio.Future[None]") -> bool:
    return called.done() and not called.cancelled()


class Rooms:
    """The rooms of the application: of the webhooks of each provider, of the pages, and of pressed buttons of each provider."""

    def __init__(self, providers: tuple[str, ...]) -> None:
        self.events = {name: Room(f"events_{name}", threads=4, each=2) for name in providers}
        self.pages = Room("pages", threads=4, each=2)
        self.presses = {name: Room(f"presses_{name}", threads=4, each=2) for name in providers}

    def __iter__(self) -> Iterator[Room]:
        yield from (*self.events.values(), self.pages, *self.presses.values())

    def full(self) -> list[str]:
        """The names of the rooms that take no more."""
        return [room.name for room in self if room.full()]
