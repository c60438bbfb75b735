"""What a connection that can't be made is told as."""

from collections.abc import Sequence

from shared.broker.errors import BrokerError
from shared.broker.startup_check import connected


def reachable(urls: Sequence[str], name: str) -> str | None:
    """None if a connection can be made, else why not."""
    try:
        with connected(urls, name):
            return None
    except BrokerError as error:
        return str(error)
