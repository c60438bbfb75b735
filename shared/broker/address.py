"""How every connection with the broker is made: all options spelled out, one place for their reasons."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pika

# Each wait is at most half of the one around it: a connection attempt ends before its caller gives up, a blocked publisher
# before its message's lease, and a dead peer is noticed well within a lease of two minutes.
CONNECT_SECONDS = 5.0  # TCP, and again for the AMQP handshake
HANDSHAKE_SECONDS = 10.0
HEARTBEAT_SECONDS = 30  # a dead peer is noticed after one to two of them
BLOCKED_SECONDS = 15.0  # a disk or memory alarm stops publishers; without a limit they would hang for ever


def parameters(urls: Sequence[str], name: str) -> list[pika.URLParameters]:
    """Connection parameters for each node of the cluster. `name` is what operators see in the list of connections.

    Raises ValueError for an address that is none.
    """
    made = []
    for url in urls:
        try:
            each = pika.URLParameters(url)
        except TypeError:  # its way to say that there is a user without a password
            raise ValueError("a user without a password") from None
        each.heartbeat = HEARTBEAT_SECONDS
        each.blocked_connection_timeout = BLOCKED_SECONDS
        each.socket_timeout = CONNECT_SECONDS
        each.stack_timeout = HANDSHAKE_SECONDS
        each.connection_attempts = 1  # waits between tries are ours (backoff), so that they can grow and be interrupted
        each.retry_delay = 0
        each.tcp_options = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
        each.client_properties = {"connection_name": name, "product": "duecycle"}
        made.append(each)
    return made


def shown(url: str) -> str:
    """An address as it may be told: user, host and virtual host, never the password."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
