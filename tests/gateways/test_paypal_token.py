"""PayPal's token: whoever needs one while it is being asked for waits for that answer, whatever it is."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import NotSent, Outcome
from tests.gateways.test_paypal import TODAY, order


def test_a_token_that_does_not_come_is_waited_for_once_by_all() -> None:
    """Sixteen who need it wait for one answer, not for sixteen one after the other."""
    together = Barrier(16)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(0)
        gateway = PayPalGateway("client", "secret", base=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=(2, 2))

        def charge(attempt: int) -> Outcome:
            together.wait(10)
            return gateway.charge(order(attempt=attempt), TODAY)

        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(charge, range(1, 17)))
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert [each.code for each in found if isinstance(each, NotSent)] == ["unreachable"] * 16
