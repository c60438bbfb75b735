"""Connections of the listener: each has so long to say what it wants, and one that says nothing makes way for others.

uvicorn knows neither a deadline for a request's head nor a limit for an address. Whoever has not sent his whole request yet
can be let go without harm; so when there are too many, the one that has taken longest goes, and the new one is heard.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # from the first moment, or from the last answer, to the whole head of a request
WRITE_SECONDS = 10.0  # an answer of ours is taken within this
CONNECTIONS_MAX = 400
OF_AN_ADDRESS_MAX = 100
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Network = IPv4Network | IPv6Network


class Doorkeeper:
    """Who is connected, and since when somebody's request has been incomplete.

    `proxies`: addresses that speak for many, and therefore have no limit of their own. `on_closed` is told why a connection
    was closed: late, unread, displaced or refused.
    """

    def __init__(
        self,
        proxies: Sequence[Network] = (),
        *,
        connections: int = CONNECTIONS_MAX,
        of_an_address: int = OF_AN_ADDRESS_MAX,
        head_seconds: float = HEAD_SECONDS,
        on_closed: Callable[[str], object] = lambda _why: None,
    ) -> None:
        self._proxies = tuple(proxies)
        self._connections_max, self._of_an_address_max = connections, of_an_address
        self.head_seconds = head_seconds
        self.on_closed = on_closed
        self._addresses: dict[Guarded, str] = {}
        self._counts: Counter[str] = Counter()
        self._incomplete: dict[Guarded, None] = {}  # oldest first

    def admit(self, connection: "Guarded", host: str) -> bool:
        """Let a connection in, if need be in the place of one that has said nothing yet. False: there is no place."""
        address = self._who(host)
        own = address if self._counts[address] >= self._of_an_address_max and not self._speaks_for_many(host) else None
        if own is not None or len(self._addresses) >= self._connections_max:
            silent = next((each for each in self._incomplete if own in (None, self._addresses[each])), None)
            if silent is None:
                return False
            silent.end("displaced")
        self._addresses[connection] = address
        self._counts[address] += 1
        return True

    def leave(self, connection: "Guarded") -> None:
        """A connection has ended."""
        self._incomplete.pop(connection, None)
        address = self._addresses.pop(connection, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def note(self, connection: "Guarded", *, complete: bool) -> None:
        """Whether a connection's request is there, with its body."""
        if complete:
            self._incomplete.pop(connection, None)
        elif connection in self._addresses:
            self._incomplete.setdefault(connection, None)

    def full(self) -> bool:
        """Whether nobody else can be heard: all places are taken by requests that are being answered."""
        return len(self._addresses) >= self._connections_max and not self._incomplete

    def count(self) -> int:
        """How many are connected."""
        return len(self._addresses)

    def _who(self, host: str) -> str:
        """An IPv6 user has a whole network of addresses, so that counts as one."""
        try:
            address = ip_address(host)
        except ValueError:
            return host
        return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host

    def _speaks_for_many(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return True  # a socket of this machine has no address: who reaches it is a proxy
        return any(address in network for network in self._proxies)


def guarded(keeper: Doorkeeper) -> type[H11Protocol]:
    """The protocol for uvicorn, with this doorkeeper."""
    return type("GuardedBy", (Guarded,), {"keeper": keeper})


class Guarded(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with deadlines."""

    keeper: Doorkeeper
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        # Any byte that is not taken counts as an answer under way.
        transport.set_write_buffer_limits(high=0)
        if not self.keeper.admit(self, self.client[0] if self.client else ""):
            self._refused = True
            self.keeper.on_closed("refused")
            transport.write(REFUSAL)
            transport.close()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever was there has gone."""
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()
        self.keeper.leave(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """A part of a request, or all of it."""
        if not self._refused and not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """The next request has as long as the first."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """What we said is not taken yet."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(WRITE_SECONDS, self.end, "unread")

    def resume_writing(self) -> None:
        """It was taken."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def end(self, why: str) -> None:
        """Close at once, and forget what was under way."""
        self.keeper.on_closed(why)
        self.keeper.leave(self)
        self.transport.abort()

    def _watch(self) -> None:
        cycle: Any = self.cycle
        headless = cycle is None or cycle.response_complete
        if headless and self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.keeper.head_seconds, self.end, "late")
        elif not headless and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.keeper.note(self, complete=not headless and not cycle.more_body)
