"""Connections to providers, and what an error of the network says about a request: certainly not sent, or nobody knows."""

from threading import local
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

CONNECT_SECONDS: Final = 3.05  # a little above a multiple of 3, the TCP retransmission window, as `requests` advises
READ_SECONDS: Final = 20.0


def certainly_not_sent(error: BaseException | None) -> bool:
    """True if no connection was ever made: refused, unreachable, or a name without an address.

    A timeout while connecting is not counted: the price of asking is one look-up, that of being wrong a second charge.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, NewConnectionError):
            return True
        waiting += [each.__cause__, each.__context__, getattr(each, "reason", None)]
        waiting += [argument for argument in each.args if isinstance(argument, BaseException)]
    return False


class Sessions:
    """A kept connection for each thread. Nothing is tried again, and no redirect followed: where one leads, money may move
    twice, and whether the first place took the request nobody would know. What the environment says of proxies and passwords
    does not count."""

    def __init__(self) -> None:
        self._own = local()

    def request(self, method: str, url: str, **given: Any) -> requests.Response:
        """Send one request. Raises requests.RequestException."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            self._own.session = session = requests.Session()
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=0))
        return session.request(method, url, **{**given, "allow_redirects": False})

    def close(self) -> None:
        """End the calling thread's connection."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is not None:
            self._own.session = None
            session.close()
