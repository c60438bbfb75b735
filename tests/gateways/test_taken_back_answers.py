"""What each provider says of money that it took back, and that a search or an id never ends halfway."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared.domain.keys import fitted
from shared.gateways.paypal import PayPalGateway
from shared.gateways.paypal_events import paypal_event
from shared.gateways.paypal_links import approval_order
from shared.gateways.port import ChargeRequest, NotYetKnowable, RefundRequest, Sent, Succeeded, TakenBack
from shared.gateways.providers import provider_of
from shared.gateways.stripe import StripeGateway
from shared.gateways.stripe_links import checkout_session
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.test_requests import REQUEST, strangers

EURO = {"value": "19.00", "currency_code": "EUR"}
GONE, KEPT = TakenBack(1900, "EUR"), TakenBack(0, "EUR")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        *((status, KEPT) for status in ("needs_response", "under_review", "warning_closed", "won")),
        ("lost", GONE),
    ],
)
def test_a_dispute_at_stripe_counts_once_it_is_lost(status: str, said: TakenBack) -> None:
    with StripeLike() as provider:
        provider.disputes["dp_1"] = {
            "id": "dp_1",
            "object": "dispute",
            "amount": 1900,
            "currency": "eur",
            "status": status,
        }
        gateway = StripeGateway(provider.secret, base=provider.url)
        assert gateway.taken_back("dispute", "dp_1") == said
        assert isinstance(gateway.taken_back("dispute", "dp_2"), NotYetKnowable)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("succeeded", KEPT),
        ("requires_payment_method", GONE),
        ("canceled", GONE),
        ("processing", NotYetKnowable("it is processing")),
    ],
)
def test_an_intent_that_failed_after_all_is_gone(status: str, said: Any) -> None:
    with StripeLike() as provider:
        provider.intents["pi_1"] = {
            "id": "pi_1",
            "object": "payment_intent",
            "amount": 1900,
            "currency": "eur",
            "status": status,
        }
        assert StripeGateway(provider.secret, base=provider.url).taken_back("payment", "pi_1") == said


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("reversal", {"status": "COMPLETED", "amount": EURO}, GONE),
        ("reversal", {"status": "CANCELLED", "amount": EURO}, KEPT),
        ("reversal", {"status": "PENDING", "amount": EURO}, NotYetKnowable("the reversal is pending")),
        ("dispute", {"status": "OPEN", "dispute_amount": EURO}, KEPT),
        (
            "dispute",
            {"status": "RESOLVED", "dispute_amount": EURO, "dispute_outcome": {"outcome_code": "DENIED"}},
            KEPT,
        ),
        (
            "dispute",
            {
                "status": "RESOLVED",
                "dispute_amount": {"value": "119.00", "currency_code": "EUR"},
                "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR", "amount_refunded": EURO},
            },
            GONE,
        ),
        ("reversal", {"status": "COMPLETED"}, NotYetKnowable("KeyError")),
    ],
)
def test_what_paypal_says_is_gone(kind: str, about: dict[str, Any], said: Any) -> None:
    with PayPalLike() as provider:
        (provider.disputes if kind == "dispute" else provider.refunds)["X1"] = about
        gateway = PayPalGateway("client", "secret", base=provider.url)
        assert gateway.taken_back(kind, "X1") == said
        assert gateway.taken_back(kind, "X2") == NotYetKnowable("ResourceNotFound")


def test_a_reversal_is_told_apart_from_a_refund() -> None:
    up = [{"rel": "up", "href": "https://api.paypal.example/v2/payments/captures/CAP1", "method": "GET"}]
    for type_, about in (("PAYMENT.CAPTURE.REVERSED", "reversal"), ("PAYMENT.CAPTURE.REFUNDED", "refund")):
        raw = PayPalLike().event(type_, "refund", {"id": "R1", "amount": EURO, "links": up})
        event = paypal_event(raw)
        assert (event.about, event.reference, event.payment, event.amount_minor) == (about, "R1", "CAP1", 1900)


def charge(invoice_id: str = "inv-1", key: str = "inv1-2", token: str = "ok") -> ChargeRequest:  # noqa: S107
    return ChargeRequest(
        agency_id="ag",
        invoice_id=invoice_id,
        attempt=1,
        key=key,
        amount_minor=1900,
        currency="EUR",
        payment_method_id="m",
        token=token,
        customer=None,
        description="d",
    )


def test_the_search_through_events_goes_to_the_last_page() -> None:
    """The attempt's event stands on the third page: a busy shop has hundreds within minutes."""
    with PayPalLike() as provider:
        gateway = PayPalGateway("client", "secret", base=provider.url)
        today = datetime(2026, 6, 1, tzinfo=UTC).date()
        for number in range(5):
            gateway.charge(charge(f"inv-{number}", f"inv1-{number}"), today)
        provider.page_size = 2
        found = gateway.lookup(charge("inv-4", "inv1-4"), today, Sent(datetime(2026, 6, 1, tzinfo=UTC), None))
        assert found == Succeeded("CAPTURE0005")


LONG = "inv:" + "x" * 200
TWINS = (f"{LONG}:2026-06-01", f"{LONG}:2026-07-01")


def test_an_id_that_is_too_long_is_never_just_cut() -> None:
    """Two that differ at their ends stay two, whole ones stay as they are, and bytes count, not letters."""
    first, second = (fitted(each, 127) for each in TWINS)
    assert first != second
    assert {len(first.encode()), len(second.encode())} == {127}
    assert fitted("inv:sub:2026-06-01", 127) == "inv:sub:2026-06-01"
    assert len(fitted("ü" * 100, 127).encode()) <= 127


def test_no_request_names_two_invoices_alike() -> None:
    """Everything that carries an invoice's id to a provider: attempts, refunds and pages at PayPal, pages at Stripe."""
    said: list[list[str]] = []
    with PayPalLike() as provider:
        gateway = PayPalGateway("client", "secret", base=provider.url)
        for number, id_ in enumerate(TWINS):
            today = datetime(2026, 6, 1, tzinfo=UTC).date()
            found = gateway.charge(charge(id_, f"inv1-{number}"), today)
            assert isinstance(found, Succeeded)
            back = RefundRequest(
                agency_id="ag",
                invoice_id=id_,
                refund_seq=1,
                key=f"ref1-{number}",
                amount_minor=100,
                currency="EUR",
                payment_reference=found.reference,
            )
            gateway.refund(back)
            page = approval_order(msgspec.structs.replace(REQUEST, invoice_id=id_))
            session = checkout_session(msgspec.structs.replace(REQUEST, invoice_id=id_))
            said.append(
                [
                    provider.ledger[-1].invoice_id,
                    provider.refunds[f"REFUND{number + 1:04}"]["invoice_id"],
                    page["purchase_units"][0]["invoice_id"],
                    session["client_reference_id"],
                ]
            )
    assert all(one != other for one, other in zip(*said, strict=True))
    assert all(len(each.encode()) <= 127 for each in said[0][:3])


@pytest.mark.parametrize(
    ("customer", "whose"), [(None, {"customer_creation": "always"}), ("cus_1", {"customer": "cus_1"})]
)
def test_a_session_that_keeps_the_method_says_so_to_stripe(customer: str | None, whose: dict[str, str]) -> None:
    """By fields that Stripe's own library knows; the method belongs to the client's customer there, or to a new one."""
    session = checkout_session(msgspec.structs.replace(REQUEST, keeps_method=True, customer=customer))
    assert (strangers(session), strangers(session["payment_intent_data"], "PaymentIntentData")) == (set(), set())
    assert session["payment_intent_data"]["setup_future_usage"] == "off_session"
    assert {name: session[name] for name in ("customer", "customer_creation") if name in session} == whose


@pytest.mark.parametrize(
    ("provider", "amount", "currency", "code"),
    [
        ("stripe", 11900, "EUR", None),
        ("stripe", 20, "EUR", "amount_too_small"),
        ("stripe", 100_000_000, "EUR", "amount_too_large"),
        ("paypal", 20, "EUR", None),
        ("paypal", 20, "CLF", "currency_not_supported"),
        ("paypal", 1050, "HUF", "amount_not_payable"),
    ],
)
def test_what_a_provider_can_not_take_is_known_before_a_client_is_sent_there(
    provider: str, amount: int, currency: str, code: str | None
) -> None:
    assert provider_of(provider).refusal(amount, currency) == code
