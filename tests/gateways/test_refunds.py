"""Money back at Stripe and PayPal: each answer and each kind of trouble becomes the outcome it must."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ops.servers.rabbitmq import free_ports
from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import (
    ChargeRequest,
    Declined,
    Gateway,
    NotFound,
    NotSent,
    NotYetKnowable,
    Pending,
    RefundRequest,
    Sent,
    Succeeded,
    Unknown,
)
from shared.gateways.stripe import StripeGateway
from tests.gateways.contracts import at_hand, violations
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.gateways.providers.stripe_wire import decoded

TODAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
OK = {"stripe": "pm_ok", "paypal": "ok"}


class Till:
    """A provider on loopback, its gateway, and the reference of 119.00 EUR that were paid there."""

    def __init__(self, name: str, provider: StripeLike | PayPalLike, gateway: Gateway) -> None:
        self.name, self.provider, self.gateway = name, provider, gateway
        charged = gateway.charge(
            ChargeRequest(
                agency_id="acme",
                invoice_id="inv:sub:2026-06-01",
                attempt=1,
                key="inv1-1",
                amount_minor=11900,
                currency="EUR",
                payment_method_id="card",
                token=OK[name],
                customer=None,
                description="Invoice NL-00001",
            ),
            TODAY,
        )
        assert isinstance(charged, Succeeded)
        self.payment = charged.reference

    def asked(self, amount_minor: int = 1000, refund_seq: int = 1, **changed: Any) -> RefundRequest:
        given: dict[str, Any] = {
            "agency_id": "acme",
            "invoice_id": "inv:sub:2026-06-01",
            "refund_seq": refund_seq,
            "key": f"ref1-{refund_seq}",
            "amount_minor": amount_minor,
            "currency": "EUR",
            "payment_reference": self.payment,
        }
        return RefundRequest(**{**given, **changed})

    def returned(self) -> list[str]:
        return [money.amount for money in self.provider.returned]


def make(name: str, provider: StripeLike | PayPalLike, url: str) -> Gateway:
    if isinstance(provider, StripeLike):
        return StripeGateway(provider.secret, base=url, timeout=(1.0, 0.5))
    return PayPalGateway("client", "secret", base=url, timeout=(1.0, 0.5))


@pytest.fixture(params=["stripe", "paypal"])
def till(request: pytest.FixtureRequest) -> Iterator[Till]:
    with StripeLike() if request.param == "stripe" else PayPalLike() as provider:
        yield Till(request.param, provider, make(request.param, provider, provider.url))
        # PayPal's description of errors leaves out those that come before its own layer.
        undescribed = (0, 302) if request.param == "stripe" else (0, 302, 401, 429, 500)
        described = [each for each in provider.seen if each[1].status not in undescribed]
        assert not at_hand() or violations(request.param, described) == []


def test_money_goes_back_once_however_often_it_is_asked_for(till: Till) -> None:
    """The same key stands for the same refund; the reference is the provider's id of it."""
    first = till.gateway.refund(till.asked())
    assert isinstance(first, Succeeded)
    assert till.gateway.refund(till.asked()) == first
    assert till.returned() == ["1000" if till.name == "stripe" else "10.00"]


def test_what_is_sent_says_what_goes_back_of_what(till: Till) -> None:
    till.gateway.refund(till.asked())
    request, _ = till.provider.seen[-1]
    if till.name == "stripe":
        about = {"agency_id": "acme", "invoice_id": "inv:sub:2026-06-01", "refund_seq": "1", "key": "ref1-1"}
        assert decoded(request.body) == {"payment_intent": till.payment, "amount": "1000", "metadata": about}
        assert request.headers["idempotency-key"] == "ref1-1"
    else:
        assert request.path == f"/v2/payments/captures/{till.payment}/refund"
        money = {"currency_code": "EUR", "value": "10.00"}
        assert json.loads(request.body) == {"amount": money, "invoice_id": "inv:sub:2026-06-01", "custom_id": "ref1-1"}
        assert request.headers["paypal-request-id"] == "ref1-1"


def test_one_unit_may_go_back(till: Till) -> None:
    """The least amounts that a provider collects do not count on the way back."""
    assert isinstance(till.gateway.refund(till.asked(1)), Succeeded)


def test_more_than_was_paid_has_failed(till: Till) -> None:
    """The provider would refuse it again: a failure, not something to try again."""
    assert isinstance(till.gateway.refund(till.asked(11900)), Succeeded)
    again = till.gateway.refund(till.asked(1, refund_seq=2))
    assert again == Declined("charge_already_refunded" if till.name == "stripe" else "CAPTURE_FULLY_REFUNDED")


def test_an_unknown_payment_has_failed(till: Till) -> None:
    assert isinstance(till.gateway.refund(till.asked(payment_reference="pi_none")), Declined)


@pytest.mark.parametrize(
    ("weather", "outcome", "returned"),
    [
        ("drop_before", Unknown, 0),
        ("drop_after", Unknown, 1),
        ("slow", Unknown, 1),
        ("busy", Unknown, 0),
        ("rate_limited", NotSent, 0),
        ("stored_500", Unknown, 0),
        ("lost_500", Unknown, 1),
        ("html", Unknown, 1),
        ("redirect", Unknown, 0),
    ],
)
def test_trouble_is_never_taken_for_an_answer(till: Till, weather: str, outcome: type, returned: int) -> None:
    till.provider.weather.append(weather)
    assert isinstance(till.gateway.refund(till.asked()), outcome)
    assert len(till.provider.returned) == returned


def test_refused_credentials_are_not_sent() -> None:
    with StripeLike() as provider:
        assert isinstance(StripeGateway("sk_test_other", base=provider.url).refund(asked_of("pi_1")), NotSent)
    with PayPalLike() as provider:
        assert isinstance(PayPalGateway("client", "wrong", base=provider.url).refund(asked_of("C1")), NotSent)


def asked_of(payment: str) -> RefundRequest:
    return RefundRequest(
        agency_id="acme",
        invoice_id="i",
        refund_seq=1,
        key="ref1-1",
        amount_minor=100,
        currency="EUR",
        payment_reference=payment,
    )


@pytest.mark.parametrize("name", ["stripe", "paypal"])
def test_a_refused_connection_is_not_sent(name: str) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    gateway: Gateway = StripeGateway("sk_test_x", base=url) if name == "stripe" else PayPalGateway("c", "s", base=url)
    assert gateway.refund(asked_of("x")) == NotSent(
        f"{'Stripe' if name == 'stripe' else 'PayPal'} can't be reached"
        if name == "stripe"
        else "PayPal gave no token (ConnectionError)",
        "unreachable",
    )


def test_a_refund_is_found_by_its_id(till: Till) -> None:
    done = till.gateway.refund(till.asked())
    assert isinstance(done, Succeeded)
    assert till.gateway.find_refund(till.asked(), Sent(NOW, done.reference)) == done


@pytest.mark.parametrize(("state", "outcome"), [("pending", Pending), ("failed", Declined)])
def test_what_is_pending_is_asked_about_until_it_ends(till: Till, state: str, outcome: type) -> None:
    till.provider.refunds_are = state if till.name == "stripe" else state.upper()
    assert isinstance(till.gateway.refund(till.asked()), outcome)
    (refund,) = till.provider.refunds.values()
    assert isinstance(till.gateway.find_refund(till.asked(), Sent(NOW, refund["id"])), outcome)


def test_without_an_id_it_is_found_by_its_key(till: Till) -> None:
    """In Stripe's list, or in PayPal's events, where that there is none proves nothing."""
    sent = Sent(NOW, None)
    before = till.gateway.find_refund(till.asked(), sent)
    assert isinstance(before, NotFound if till.name == "stripe" else NotYetKnowable)
    till.gateway.refund(till.asked())
    found = till.gateway.find_refund(till.asked(), sent)
    assert isinstance(found, Succeeded)


def test_a_question_that_fails_says_nothing(till: Till) -> None:
    (port,) = free_ports(1)
    away = make(till.name, till.provider, f"http://127.0.0.1:{port}")
    for reference in (None, "re_1"):
        assert isinstance(away.find_refund(till.asked(), Sent(NOW, reference)), NotYetKnowable)


def test_a_payment_that_is_only_pending_is_tried_again_later() -> None:
    with PayPalLike() as provider:
        till = Till("paypal", provider, make("paypal", provider, provider.url))
        for order in provider.orders.values():
            order["purchase_units"][0]["payments"]["captures"][0]["status"] = "PENDING"
        assert till.gateway.refund(till.asked()) == NotSent("the payment itself is pending", "pending_capture")
