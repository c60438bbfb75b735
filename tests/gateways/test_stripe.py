"""Stripe: each answer and each kind of trouble becomes the outcome it must, and every request is one that Stripe describes."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ops.servers.rabbitmq import free_ports
from shared.gateways.port import (
    ActionRequired,
    ChargeRequest,
    Declined,
    NotFound,
    NotSent,
    NotYetKnowable,
    Pending,
    Sent,
    Succeeded,
    Unknown,
)
from shared.gateways.stripe import StripeGateway
from shared.gateways.stripe_account import API_VERSION
from tests.gateways.contracts import at_hand, violations
from tests.gateways.providers.stripe_like import CREATED, StripeLike
from tests.gateways.providers.stripe_wire import decoded

TODAY = date(2026, 6, 1)
SENT = Sent(datetime.fromtimestamp(CREATED, UTC), None)


def asked(token: str = "pm_ok", attempt: int = 1, **changed: Any) -> ChargeRequest:  # noqa: S107 - no password
    given: dict[str, Any] = {
        "agency_id": "acme",
        "invoice_id": "inv:sub:2026-06-01",
        "attempt": attempt,
        "key": f"inv1-{attempt:040}",
        "amount_minor": 11900,
        "currency": "EUR",
        "payment_method_id": "card",
        "token": token,
        "customer": "cus_1",
        "description": "Invoice NL-00001",
    }
    return ChargeRequest(**{**given, **changed})


@pytest.fixture
def provider() -> Iterator[StripeLike]:
    with StripeLike() as running:
        yield running
        described = [each for each in running.seen if each[1].status not in (0, 302)]
        assert not at_hand() or violations("stripe", described) == []


@pytest.fixture
def gateway(provider: StripeLike) -> StripeGateway:
    return StripeGateway(provider.secret, base=provider.url, timeout=(1.0, 1.0))


def test_a_charge_says_everything_that_is_needed_and_nothing_else(provider: StripeLike, gateway: StripeGateway) -> None:
    """Off-session, confirmed, without redirects, with the key in the header and in the metadata, in a pinned version."""
    assert gateway.charge(asked(), TODAY) == Succeeded("pi_00000001")

    ((request, _),) = provider.seen
    assert decoded(request.body) == {
        "amount": "11900",
        "currency": "eur",
        "customer": "cus_1",
        "payment_method": "pm_ok",
        "confirm": "true",
        "off_session": "true",
        "automatic_payment_methods": {"enabled": "true", "allow_redirects": "never"},
        "description": "Invoice NL-00001",
        "metadata": {
            "agency_id": "acme",
            "invoice_id": "inv:sub:2026-06-01",
            "attempt": "1",
            "key": f"inv1-{1:040}",
        },
    }
    assert request.headers["idempotency-key"] == f"inv1-{1:040}"
    assert request.headers["stripe-version"] == API_VERSION
    assert "x-stripe-client-telemetry" not in request.headers


def test_an_intent_that_waits_for_the_client_is_cancelled(provider: StripeLike, gateway: StripeGateway) -> None:
    """He is sent to our page; the intent must not take his money beside it. Asked again, it is as it was."""
    for _ in range(2):
        assert gateway.charge(asked("pm_detour"), TODAY) == ActionRequired("authentication_required")
    (intent,) = provider.intents.values()
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "abandoned")
    assert gateway.lookup(asked("pm_detour"), TODAY, SENT) == ActionRequired("authentication_required")


@pytest.mark.parametrize("weather", ["drop_before", "rate_limited", "unauthorised", "lost_500"])
def test_while_it_is_not_cancelled_the_attempt_is_in_doubt(
    provider: StripeLike, gateway: StripeGateway, weather: str
) -> None:
    provider.weather.extend(["fine", weather])
    assert isinstance(gateway.charge(asked("pm_detour"), TODAY), Unknown)
    assert gateway.lookup(asked("pm_detour"), TODAY, SENT) == ActionRequired("authentication_required")


def test_an_intent_that_was_paid_before_it_could_be_cancelled_is_paid(
    provider: StripeLike, gateway: StripeGateway
) -> None:
    provider.weather.extend(["fine", "drop_before"])
    assert isinstance(gateway.charge(asked("pm_detour"), TODAY), Unknown)
    (intent,) = provider.intents.values()
    provider._end(intent, succeeded=True)
    assert gateway.charge(asked("pm_detour"), TODAY) == Succeeded(intent["id"])


def test_a_method_without_a_customer_is_charged_without_one(provider: StripeLike, gateway: StripeGateway) -> None:
    assert isinstance(gateway.charge(asked(customer=None), TODAY), Succeeded)
    assert "customer" not in decoded(provider.seen[0][0].body)


@pytest.mark.parametrize(
    ("token", "outcome"),
    [
        ("pm_processing", Pending("pi_00000001")),
        ("pm_decline_insufficient_funds", Declined("insufficient_funds")),
        ("pm_decline_lost_card", Declined("lost_card", "do_not_try_again")),
        ("pm_decline_new_in_2027", Declined("new_in_2027")),
        ("pm_action", ActionRequired("authentication_required")),
        ("pm_detour", ActionRequired("authentication_required")),
    ],
)
def test_answers_become_outcomes(token: str, outcome: object, provider: StripeLike, gateway: StripeGateway) -> None:
    assert gateway.charge(asked(token), TODAY) == outcome
    assert provider.ledger == []


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
        ("rate_limited", NotSent, 0),
        ("unauthorised", NotSent, 0),
        ("redirect", Unknown, 0),
    ],
)
def test_trouble_becomes_unknown_unless_nothing_was_sent_for_sure(
    weather: str, outcome: type, charged: int, provider: StripeLike, gateway: StripeGateway
) -> None:
    """The library itself tries nothing again: one call is one request."""
    provider.weather.append(weather)

    assert isinstance(gateway.charge(asked(), TODAY), outcome)

    assert len(provider.ledger) == charged
    assert len(provider.seen) == 1


def test_what_was_certainly_not_sent_has_a_word_for_why(provider: StripeLike, gateway: StripeGateway) -> None:
    closed = StripeGateway("sk_test_x", base=f"http://127.0.0.1:{free_ports(1)[0]}")
    nowhere = StripeGateway("sk_test_x", base="http://stripe.invalid")
    other = StripeGateway("sk_test_other", base=provider.url)
    provider.weather.append("rate_limited")

    found = [
        gateway.charge(asked(), TODAY),
        closed.charge(asked(), TODAY),
        nowhere.charge(asked(), TODAY),
        other.charge(asked(), TODAY),
        gateway.charge(asked(amount_minor=49), TODAY),
        gateway.charge(asked(currency="CLF"), TODAY),
    ]

    assert [each.code for each in found if isinstance(each, NotSent)] == [
        "rate_limited",
        "unreachable",
        "unreachable",
        "credentials_refused",
        "amount_too_small",
        "currency_not_supported",
    ]
    assert "sk_test" not in str(found)


@pytest.mark.parametrize("weather", ["drop_before", "drop_after", "slow", "html", "fine"])
def test_the_same_request_again_charges_once(weather: str, provider: StripeLike, gateway: StripeGateway) -> None:
    """Under the same key the provider answers what it answered first, or does it for the first time."""
    provider.weather.append(weather)
    gateway.charge(asked(), TODAY)

    assert gateway.charge(asked(), TODAY) == Succeeded("pi_00000001")

    assert len(provider.ledger) == 1
    assert provider.seen[0][0].body == provider.seen[1][0].body


def test_other_parameters_under_a_used_key_are_nobodys_charge(provider: StripeLike, gateway: StripeGateway) -> None:
    """The first one may have moved money, so the outcome is unknown."""
    gateway.charge(asked(), TODAY)

    assert isinstance(gateway.charge(asked(amount_minor=20000), TODAY), Unknown)
    assert len(provider.ledger) == 1


def test_a_lookup_finds_an_attempt_by_its_id(provider: StripeLike, gateway: StripeGateway) -> None:
    pending = gateway.charge(asked("pm_processing"), TODAY)
    assert isinstance(pending, Pending)
    known = Sent(SENT.at, pending.reference)

    assert gateway.lookup(asked("pm_processing"), TODAY, known) == pending
    provider.settle()
    assert gateway.lookup(asked("pm_processing"), TODAY, known) == Succeeded(pending.reference)


@pytest.mark.parametrize("customer", ["cus_1", None])
def test_a_lookup_finds_an_attempt_by_its_key_among_many(
    customer: str | None, provider: StripeLike, gateway: StripeGateway
) -> None:
    """Page by page, and only what was made since it was sent."""
    provider.weather.append("drop_after")
    lost = asked(customer=customer)
    gateway.charge(lost, TODAY)
    for attempt in range(2, 140):
        gateway.charge(asked(attempt=attempt, customer=customer), TODAY)

    assert gateway.lookup(lost, TODAY, SENT) == Succeeded("pi_00000001")
    later = Sent(SENT.at + timedelta(hours=1), None)
    assert gateway.lookup(lost, TODAY, later) == NotFound()
    assert gateway.lookup(asked(attempt=999, customer=customer), TODAY, SENT) == NotFound()


def test_a_declined_attempt_is_found_as_declined(provider: StripeLike, gateway: StripeGateway) -> None:
    provider.weather.append("drop_after")
    declined = asked("pm_decline_lost_card")
    assert isinstance(gateway.charge(declined, TODAY), Unknown)

    assert gateway.lookup(declined, TODAY, SENT) == Declined("lost_card", "do_not_try_again")


def test_a_lookup_that_can_not_be_made_says_nothing(provider: StripeLike) -> None:
    closed = StripeGateway("sk_test_x", base=f"http://127.0.0.1:{free_ports(1)[0]}")
    other = StripeGateway("sk_test_other", base=provider.url)

    assert isinstance(closed.lookup(asked(), TODAY, SENT), NotYetKnowable)
    assert isinstance(closed.lookup(asked(), TODAY, Sent(SENT.at, "pi_1")), NotYetKnowable)
    assert isinstance(other.lookup(asked(), TODAY, SENT), NotYetKnowable)


def test_two_intents_under_one_key_count_by_the_one_that_moved_money(
    provider: StripeLike, gateway: StripeGateway
) -> None:
    """After the key was forgotten the same request runs again; that must not hide the first one."""
    gateway.charge(asked(), TODAY)
    provider.prune()
    gateway.charge(asked("pm_decline_lost_card"), TODAY)

    assert gateway.lookup(asked(), TODAY, SENT) == Succeeded("pi_00000001")


def test_nothing_of_a_request_is_logged(
    provider: StripeLike, gateway: StripeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    gateway.charge(asked(), TODAY)

    assert not [record for record in caplog.records if record.name.startswith("stripe")]
    assert provider.secret not in caplog.text
