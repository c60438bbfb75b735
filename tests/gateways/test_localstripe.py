"""Against code that somebody else wrote: localstripe, a stand-in for Stripe, as a process of its own on loopback.

DUECYCLE_LOCALSTRIPE names a Python interpreter that has it, as `make test-localstripe` does; without one this is left out. It
is under the GPL, so it is never imported here, and no dependency. It knows no idempotency and fewer fields than Stripe, so what
it does not know is taken out on the way.
"""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest
import requests

from ops.servers.rabbitmq import free_ports
from shared.gateways.port import BadSignatureError, ChargeRequest, Declined, RefundRequest, Sent, Succeeded
from shared.gateways.stripe import StripeGateway

PYTHON = os.environ.get("DUECYCLE_LOCALSTRIPE", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="DUECYCLE_LOCALSTRIPE names no Python that has localstripe")
SERVE = """
import sys
import localstripe.resources, localstripe.server
from aiohttp import web
localstripe.resources.Store.dump_to_disk = lambda self: None
web.run_app(localstripe.server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
KEY, HOOK = "sk_test_12345", "whsec_local"
UNKNOWN_THERE = ("description", "automatic_payment_methods")
TODAY = date(2026, 6, 1)


class _Between(BaseHTTPRequestHandler):
    """Takes out of a request what localstripe does not know."""

    behind = ""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        kept = [(name, value) for name, value in parse_qsl(body) if not name.startswith(UNKNOWN_THERE)]
        headers = {"Authorization": self.headers["Authorization"], "Content-Type": "application/x-www-form-urlencoded"}
        answer = requests.request(
            self.command, f"{self.behind}{self.path}", data=urlencode(kept), headers=headers, timeout=10
        )
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = _pass  # noqa: N815 - the names are the library's

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Heard(NamedTuple):
    raw: bytes
    headers: dict[str, str]


class Local:
    """localstripe, the gateway in front of it, and what it tells by webhook."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Heard] = []

    def post(self, path: str, **fields: Any) -> Any:
        answer = requests.post(f"{self.url}{path}", data=fields, auth=(KEY, ""), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def card(self, number: str) -> tuple[str, str]:
        """(customer, payment method) with a card."""
        customer = self.post("/v1/customers", email="accounts@law.example")["id"]
        of = {"card[number]": number, "card[exp_month]": 12, "card[exp_year]": 2036, "card[cvc]": 123}
        method = self.post("/v1/payment_methods", type="card", **of)["id"]
        self.post(f"/v1/payment_methods/{method}/attach", customer=customer)
        return customer, method

    def event(self, type_: bytes) -> Heard:
        until = time.monotonic() + 20
        while not (found := [each for each in self.heard if type_ in each.raw]):
            assert time.monotonic() < until, "localstripe sent no webhook"
            time.sleep(0.05)
        return found[0]


def _serve(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    (port,) = free_ports(1)
    made = Local(f"http://127.0.0.1:{port}")

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            made.heard.append(Heard(raw, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    ear = _serve(Ear)
    process = subprocess.Popen([PYTHON, "-c", SERVE, str(port)], cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    try:
        until = time.monotonic() + 20
        while True:
            try:
                requests.get(made.url, timeout=1)
                break
            except requests.ConnectionError:
                assert time.monotonic() < until, "localstripe did not begin"
                time.sleep(0.1)
        hook = {"url": f"http://127.0.0.1:{ear.server_address[1]}/", "secret": HOOK}
        requests.post(f"{made.url}/_config/webhooks/ours", data=hook, timeout=10).raise_for_status()
        yield made
    finally:
        process.terminate()
        process.wait(10)
        ear.shutdown()


@pytest.fixture
def gateway(local: Local) -> Iterator[StripeGateway]:
    between = _serve(type("Between", (_Between,), {"behind": local.url}))
    yield StripeGateway(KEY, base=f"http://127.0.0.1:{between.server_address[1]}", timeout=(2.0, 10.0))
    between.shutdown()


def asked(customer: str, token: str, attempt: int = 1) -> ChargeRequest:
    return ChargeRequest(
        agency_id="acme",
        invoice_id="inv:sub:2026-06-01",
        attempt=attempt,
        key=f"inv1-{attempt}",
        amount_minor=11900,
        currency="EUR",
        payment_method_id="card",
        token=token,
        customer=customer,
        description="Invoice NL-00001",
    )


def test_charge_refund_and_webhook_from_end_to_end(local: Local, gateway: StripeGateway) -> None:
    request = asked(*local.card("4242424242424242"))
    charged = gateway.charge(request, TODAY)
    assert isinstance(charged, Succeeded)
    assert gateway.lookup(request, TODAY, Sent(datetime.now(UTC), charged.reference)) == charged

    heard = local.event(b"payment_intent.succeeded")
    event = gateway.parse_webhook(heard.raw, heard.headers, HOOK, datetime.now(UTC))
    assert (event.about, event.reference, event.key, event.settled) == ("payment", charged.reference, "inv1-1", True)
    with pytest.raises(BadSignatureError):
        gateway.parse_webhook(heard.raw, heard.headers, "whsec_other", datetime.now(UTC))

    back = RefundRequest(
        agency_id="acme",
        invoice_id="inv:sub:2026-06-01",
        refund_seq=1,
        key="ref1-1",
        amount_minor=1900,
        currency="EUR",
        payment_reference=charged.reference,
    )
    refunded = gateway.refund(back)
    assert isinstance(refunded, Succeeded)
    assert gateway.find_refund(back, Sent(datetime.now(UTC), refunded.reference)) == refunded


def test_a_decline_of_theirs_is_one_of_ours(local: Local, gateway: StripeGateway) -> None:
    assert gateway.charge(asked(*local.card("4000000000000341")), TODAY) == Declined("card_declined")
