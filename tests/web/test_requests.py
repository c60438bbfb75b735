"""What the descriptions at hand leave out is checked against what else there is: the library's own types, and by eye."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from stripe.params.checkout import _session_create_params

from shared.gateways.paypal_links import approval_order
from shared.gateways.port import LinkRequest
from shared.gateways.stripe_links import checkout_session
from tests.web.conftest import Shop

REQUEST = LinkRequest(
    agency_id="ag",
    invoice_id="inv:sub:2026-06-01",
    link_seq=1,
    key="pay1-1",
    amount_minor=11900,
    currency="EUR",
    description="Invoice NL-00001",
    expires_at=datetime(2026, 6, 1, 9, tzinfo=UTC),
    success_url="https://pay.example/pay/x?paid=1",
    cancel_url="https://pay.example/pay/x",
)


def strangers(given: dict[str, Any], *path: str) -> set[str]:
    """Names that the library's type of that place does not know."""
    known = getattr(_session_create_params, "SessionCreateParams" + "".join(path)).__annotations__
    return set(given) - set(known)


def test_a_checkout_session_has_only_fields_that_the_library_knows() -> None:
    session = checkout_session(REQUEST)
    (line,) = session["line_items"]
    assert strangers(session) == set()
    assert strangers(line, "LineItem") == set()
    assert strangers(line["price_data"], "LineItem", "PriceData") == set()
    assert strangers(line["price_data"]["product_data"], "LineItem", "PriceData", "ProductData") == set()
    assert strangers(session["payment_intent_data"], "PaymentIntentData") == set()
    assert strangers({"linee_items": []}) == {"linee_items"}


def test_a_checkout_session_says_what_is_to_be_paid_once() -> None:
    """One line for the outstanding amount, our key on the session and on its payment, an end, and the way back."""
    about = {"agency_id": "ag", "invoice_id": "inv:sub:2026-06-01", "key": "pay1-1"}
    price = {"currency": "eur", "unit_amount": 11900, "product_data": {"name": "Invoice NL-00001"}}
    assert checkout_session(REQUEST) == {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": "inv:sub:2026-06-01",
        "metadata": about,
        "payment_intent_data": {"description": "Invoice NL-00001", "metadata": about},
        "expires_at": 1780304400,
        "success_url": "https://pay.example/pay/x?paid=1",
        "cancel_url": "https://pay.example/pay/x",
    }


def test_an_order_to_approve_says_what_is_to_be_paid_and_the_way_back() -> None:
    order = approval_order(REQUEST)
    assert order["payment_source"] == {
        "paypal": {
            "experience_context": {
                "return_url": "https://pay.example/pay/x?paid=1",
                "cancel_url": "https://pay.example/pay/x",
                "user_action": "PAY_NOW",
            }
        }
    }
    (unit,) = order["purchase_units"]
    assert (unit["amount"], unit["custom_id"]) == ({"currency_code": "EUR", "value": "119.00"}, "pay1-1")


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_paypal_is_asked_with_the_event_in_its_own_bytes(shop: Shop) -> None:
    """Spaces and the order of names are PayPal's: read and written again the signature would be of something else."""
    shop.open("")
    raw = b'{ "summary" : "z","id":"WH-9" , "event_type": "X", "resource_type": "other", "resource": {} }'
    answer = shop.post(raw, shop.provider.signed(raw, shop.clock.at.isoformat()))  # type: ignore[union-attr, arg-type]
    assert answer.status_code == 200
    question = shop.provider.seen[-1][0].body
    assert raw in question
    assert json.loads(question)["webhook_id"] == "WEBHOOK1"
