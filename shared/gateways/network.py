"""What an error of the network says about a request: certainly not sent, or nobody knows."""

from typing import Final

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
