"""The check against the providers' descriptions finds what it has to: a misspelt field, a wrong type, an answer of fiction."""

import json
from urllib.parse import urlencode

import pytest

from tests.gateways.contracts import at_hand, violations
from tests.gateways.providers.server import Request, Response

pytestmark = pytest.mark.skipif(
    not at_hand(), reason="DUECYCLE_CONTRACTS names no folder with the providers' API descriptions"
)
INTENT = {"amount": "100", "currency": "eur", "off_session": "true", "metadata[key]": "k"}
ORDER = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "1.00"}}]}


def stripe(**fields: str) -> Request:
    body = urlencode({**INTENT, **fields}).encode()
    return Request("POST", "/v1/payment_intents", {}, {"idempotency-key": "k"}, body)


def paypal(body: object) -> Request:
    headers = {"paypal-request-id": "k", "prefer": "return=representation"}
    return Request("POST", "/v2/checkout/orders", {}, headers, json.dumps(body).encode())


def test_what_is_right_passes() -> None:
    assert violations("stripe", [(stripe(), Response(0))]) == []
    assert violations("paypal", [(paypal(ORDER), Response(0))]) == []


@pytest.mark.parametrize(
    ("provider", "request_", "response", "says"),
    [
        ("stripe", stripe(offsession="true"), Response(0), "offsession"),
        ("stripe", stripe(amount="ten"), Response(0), "amount"),
        ("stripe", stripe(), Response(200, {"object": "payment_intent"}), "answer 200"),
        ("stripe", Request("POST", "/v1/paymentintents", {}, {}, b""), Response(0), "no such operation"),
        ("stripe", Request("GET", "/v1/payment_intents", {"since": ["1"]}, {}, b""), Response(0), "since"),
        ("paypal", paypal({**ORDER, "intend": "CAPTURE"}), Response(0), "intend"),
        ("paypal", paypal({**ORDER, "payment_source": {"paypal": {"vaultid": "x"}}}), Response(0), "vaultid"),
        ("paypal", paypal({"intent": "CAPTURE"}), Response(0), "purchase_units"),
        ("paypal", paypal(ORDER), Response(201, {"id": "X", "status": "DONE"}), "answer 201"),
    ],
)
def test_what_is_wrong_is_found(provider: str, request_: Request, response: Response, says: str) -> None:
    assert any(says in found for found in violations(provider, [(request_, response)]))
