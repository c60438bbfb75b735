"""PayPal: each answer and each kind of trouble becomes the outcome it must, and every request is one that PayPal describes."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ops.servers.rabbitmq import free_ports
from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    NotSent,
    NotYetKnowable,
    Pending,
    Sent,
    Succeeded,
    Unknown,
)
from tests.gateways.contracts import at_hand, violations
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.test_stripe import asked

TODAY = date(2026, 6, 1)
SENT = Sent(datetime(2026, 6, 1, tzinfo=UTC), None)


@pytest.fixture
def provider() -> Iterator[PayPalLike]:
    with PayPalLike() as running:
        yield running
        described = [each for each in running.seen if each[1].status not in (0, 302, 401, 429, 500)]
        assert not at_hand() or violations("paypal", described) == []


@pytest.fixture
def gateway(provider: PayPalLike) -> PayPalGateway:
    return PayPalGateway("client", "secret", base=provider.url, timeout=(1.0, 1.0))


def order(token: str = "ok", **changed: Any) -> ChargeRequest:  # noqa: S107 - no password
    return asked(token, **changed)


def test_an_order_says_everything_that_is_needed_and_nothing_else(provider: PayPalLike, gateway: PayPalGateway) -> None:
    """The request id is ours, the invoice's id is the same for every attempt, and the whole order is asked for."""
    assert gateway.charge(order(), TODAY) == Succeeded("CAPTURE0001")

    token, created = (request for request, _ in provider.seen)
    assert json.loads(created.body) == {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "amount": {"currency_code": "EUR", "value": "119.00"},
                "invoice_id": "inv:sub:2026-06-01",
                "custom_id": f"inv1-{1:040}",
                "description": "Invoice NL-00001",
            }
        ],
        "payment_source": {"paypal": {"vault_id": "ok"}},
    }
    assert created.headers["paypal-request-id"] == f"inv1-{1:040}"
    assert created.headers["prefer"] == "return=representation"
    assert "paypal-request-id" not in token.headers
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("token", "source"),
    [
        (
            "card/abc",
            {
                "card": {
                    "vault_id": "abc",
                    "stored_credential": {
                        "payment_initiator": "MERCHANT",
                        "payment_type": "RECURRING",
                        "usage": "SUBSEQUENT",
                    },
                }
            },
        ),
        ("B-123", {"token": {"id": "B-123", "type": "BILLING_AGREEMENT"}}),
    ],
)
def test_cards_and_agreements_are_charged_as_what_they_are(
    token: str, source: object, provider: PayPalLike, gateway: PayPalGateway
) -> None:
    assert isinstance(gateway.charge(order(token), TODAY), Succeeded)
    assert json.loads(provider.seen[-1][0].body)["payment_source"] == source


@pytest.mark.parametrize(
    ("token", "outcome", "charged"),
    [
        ("later", Succeeded("CAPTURE0001"), 1),
        ("pending", Pending("ORDER0001"), 0),
        ("action", ActionRequired("PAYER_ACTION_REQUIRED"), 0),
        ("capture_DECLINED", Declined("DECLINED"), 0),
        ("capture_FAILED", Declined("FAILED"), 0),
        ("INSTRUMENT_DECLINED", Declined("INSTRUMENT_DECLINED"), 0),
        ("TOKEN_ID_NOT_FOUND", Declined("TOKEN_ID_NOT_FOUND"), 0),
        ("PAYER_ACTION_REQUIRED", ActionRequired("PAYER_ACTION_REQUIRED"), 0),
        ("ORDER_COMPLETION_IN_PROGRESS", Unknown("PayPal answered 422 ORDER_COMPLETION_IN_PROGRESS"), 0),
        (
            "INVALID_CURRENCY_CODE",
            NotSent("PayPal refuses the amount: INVALID_CURRENCY_CODE", "currency_not_supported", "request", True),
            0,
        ),
    ],
)
def test_answers_become_outcomes(
    token: str, outcome: object, charged: int, provider: PayPalLike, gateway: PayPalGateway
) -> None:
    """An order that is COMPLETED while its capture is not has moved no money."""
    assert gateway.charge(order(token), TODAY) == outcome
    assert len(provider.ledger) == charged


@pytest.mark.parametrize(
    ("weather", "outcome", "charged"),
    [
        ("drop_before", Unknown, 0),
        ("drop_after", Unknown, 1),
        ("slow", Unknown, 1),
        ("busy", Unknown, 0),
        ("stored_500", Unknown, 0),
        ("lost_500", Unknown, 1),
        ("html", Unknown, 1),
        ("redirect", Unknown, 0),
        ("rate_limited", NotSent, 0),
    ],
)
def test_trouble_becomes_unknown_unless_nothing_was_sent_for_sure(
    weather: str, outcome: type, charged: int, provider: PayPalLike, gateway: PayPalGateway
) -> None:
    provider.weather.append(weather)

    assert isinstance(gateway.charge(order(), TODAY), outcome)

    assert len(provider.ledger) == charged
    assert len(provider.seen) == 2  # the token, and one order


def test_the_second_call_of_an_order_may_be_lost_and_is_made_again(
    provider: PayPalLike, gateway: PayPalGateway
) -> None:
    """The same request finds the order, and captures it or sees that it is captured."""
    for weather in ("drop_before", "drop_after", "rate_limited"):
        provider.weather += ["fine", weather]
        request = order("later", key=f"inv1-{weather:0>40}", invoice_id=weather)
        assert isinstance(gateway.charge(request, TODAY), Unknown | NotSent)
        assert isinstance(gateway.charge(request, TODAY), Succeeded)

    assert [each.invoice_id for each in provider.ledger] == ["drop_before", "drop_after", "rate_limited"]


def test_a_persistent_401_is_asked_twice_and_no_more(provider: PayPalLike, gateway: PayPalGateway) -> None:
    """Once with the token there is, once with a new one."""
    provider.weather += ["unauthorised", "unauthorised"]

    assert gateway.charge(order(), TODAY) == NotSent("PayPal refused our credentials", "credentials_refused", "account")

    assert [request.path for request, _ in provider.seen] == [
        "/v1/oauth2/token",
        "/v2/checkout/orders",
        "/v1/oauth2/token",
        "/v2/checkout/orders",
    ]


def test_a_token_that_ended_early_is_replaced(provider: PayPalLike, gateway: PayPalGateway) -> None:
    gateway.charge(order(), TODAY)
    provider.revoked.add("token-1")

    assert isinstance(gateway.charge(order(attempt=2), TODAY), Succeeded)
    assert provider.tokens == 2


def test_a_token_is_asked_for_once_by_many_threads_and_again_before_it_ends(
    provider: PayPalLike, gateway: PayPalGateway
) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda attempt: gateway.charge(order(attempt=attempt), TODAY), range(1, 17)))
    assert {type(each) for each in found} == {Succeeded}
    assert provider.tokens == 1

    provider.expires_in = 59
    short = PayPalGateway("client", "secret", base=provider.url)
    for attempt in (20, 21):
        short.charge(order(attempt=attempt), TODAY)
    assert provider.tokens == 3


def test_what_was_certainly_not_sent_has_a_word_for_why(provider: PayPalLike, gateway: PayPalGateway) -> None:
    closed = PayPalGateway("client", "secret", base=f"http://127.0.0.1:{free_ports(1)[0]}")
    stranger = PayPalGateway("client", "wrong-secret", base=provider.url)
    provider.weather.append("rate_limited")

    found = [
        gateway.charge(order(), TODAY),
        closed.charge(order(), TODAY),
        stranger.charge(order(), TODAY),
        gateway.charge(order(currency="HUF", amount_minor=50050), TODAY),
        gateway.charge(order(currency="AED"), TODAY),
    ]

    assert [each.code for each in found if isinstance(each, NotSent)] == [
        "rate_limited",
        "unreachable",
        "credentials_refused",
        "amount_not_payable",
        "currency_not_supported",
    ]
    assert "wrong-secret" not in str(found)


@pytest.mark.parametrize("weather", ["drop_before", "drop_after", "slow", "html"])
def test_the_same_request_again_charges_once(weather: str, provider: PayPalLike, gateway: PayPalGateway) -> None:
    provider.weather.append(weather)
    gateway.charge(order(), TODAY)

    assert gateway.charge(order(), TODAY) == Succeeded("CAPTURE0001")

    assert len(provider.ledger) == 1
    assert provider.seen[1][0].body == provider.seen[-1][0].body


def test_a_repeated_invoice_is_doubtful_and_not_declined(provider: PayPalLike, gateway: PayPalGateway) -> None:
    """The account's own barrier says that something was paid already under this invoice."""
    provider.blocks_repeated_invoices = True
    gateway.charge(order(), TODAY)

    assert isinstance(gateway.charge(order(attempt=2), TODAY), Unknown)
    assert len(provider.ledger) == 1


def test_a_lookup_finds_an_attempt_by_its_order(provider: PayPalLike, gateway: PayPalGateway) -> None:
    pending = gateway.charge(order("pending"), TODAY)
    assert pending == Pending("ORDER0001")
    known = Sent(SENT.at, "ORDER0001")

    assert gateway.lookup(order("pending"), TODAY, known) == pending
    provider.settle()
    assert gateway.lookup(order("pending"), TODAY, known) == Succeeded("CAPTURE0001")


def test_a_lookup_finds_an_attempt_by_its_key_among_the_events(provider: PayPalLike, gateway: PayPalGateway) -> None:
    """That no event names the key proves nothing: it is never "not found"."""
    provider.weather += ["drop_after", "fine", "drop_after"]
    gateway.charge(order(), TODAY)
    gateway.charge(order(attempt=2), TODAY)
    gateway.charge(order("pending", attempt=3), TODAY)

    assert gateway.lookup(order(), TODAY, SENT) == Succeeded("CAPTURE0001")
    assert gateway.lookup(order("pending", attempt=3), TODAY, SENT) == Pending("ORDER0003")
    assert isinstance(gateway.lookup(order(attempt=9), TODAY, SENT), NotYetKnowable)


def test_a_lookup_that_can_not_be_made_says_nothing(provider: PayPalLike) -> None:
    closed = PayPalGateway("client", "secret", base=f"http://127.0.0.1:{free_ports(1)[0]}")
    stranger = PayPalGateway("client", "wrong", base=provider.url)

    for gateway in (closed, stranger):
        assert isinstance(gateway.lookup(order(), TODAY, SENT), NotYetKnowable)
        assert isinstance(gateway.lookup(order(), TODAY, Sent(SENT.at, "ORDER0001")), NotYetKnowable)


def test_nothing_of_a_request_is_logged(
    provider: PayPalLike, gateway: PayPalGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    gateway.charge(order(), TODAY)

    assert not [record for record in caplog.records if record.name.startswith("paypalrestsdk")]
    assert "token-1" not in caplog.text
    assert "secret" not in caplog.text
