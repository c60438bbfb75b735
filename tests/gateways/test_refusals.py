"""What a provider refuses: the method, the account, the amount or the request; each is another outcome, from the wire on."""

from collections.abc import Iterator
from datetime import date

import pytest

from shared.gateways.paypal import PayPalGateway
from shared.gateways.port import Declined, NotSent, NotYetKnowable, Outcome, Sent, Succeeded
from shared.gateways.stripe import StripeGateway
from tests.gateways.contracts import at_hand, violations
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.gateways.test_stripe import SENT, asked

TODAY = date(2026, 6, 1)


@pytest.fixture
def stripe() -> Iterator[tuple[StripeLike, StripeGateway]]:
    with StripeLike() as provider:
        yield provider, StripeGateway(provider.secret, base=provider.url, timeout=(1.0, 1.0))
        assert not at_hand() or violations("stripe", provider.seen) == []


@pytest.fixture
def paypal() -> Iterator[tuple[PayPalLike, PayPalGateway]]:
    with PayPalLike() as provider:
        yield provider, PayPalGateway("client", "secret", base=provider.url, timeout=(1.0, 1.0))
        described = [each for each in provider.seen if each[1].status not in (401, 403)]
        assert not at_hand() or violations("paypal", described) == []


def outline(found: Outcome) -> tuple[object, ...]:
    """What matters of an outcome; details are words for a log."""
    if isinstance(found, NotSent):
        return found.code, found.about, found.key_spent
    assert isinstance(found, Declined)
    return tuple(found)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("pm_refused_resource_missing/payment_method", ("resource_missing", None)),
        ("pm_refused_resource_missing/customer", ("resource_missing", None)),
        ("pm_refused_payment_method_unexpected_state", ("payment_method_unexpected_state", None)),
        ("pm_refused_parameter_missing/customer", ("parameter_missing", "method_refused")),
        ("pm_refused_/payment_method", ("refused", "method_refused")),
        ("pm_refused_testmode_charges_only", ("testmode_charges_only", "account", True)),
        ("pm_refused_amount_too_small", ("amount_too_small", "request", True)),
        ("pm_refused_charge_exceeds_transaction_limit", ("charge_exceeds_transaction_limit", None)),
        ("pm_refused_parameter_unknown", ("parameter_unknown", "request", True)),
        ("pm_refused_", ("refused", "request", True)),
    ],
)
def test_what_stripe_refuses(
    token: str, expected: tuple[object, ...], stripe: tuple[StripeLike, StripeGateway]
) -> None:
    assert outline(stripe[1].charge(asked(token), TODAY)) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("R404_INVALID_RESOURCE_ID", ("INVALID_RESOURCE_ID", None)),
        ("TOKEN_ID_NOT_FOUND", ("TOKEN_ID_NOT_FOUND", None)),
        ("PAYER_ACCOUNT_LOCKED_OR_CLOSED", ("PAYER_ACCOUNT_LOCKED_OR_CLOSED", None)),
        ("F400_INVALID_PARAMETER_VALUE", ("INVALID_PARAMETER_VALUE", "method_refused")),
        ("R403_PERMISSION_DENIED", ("permission_denied", "account", False)),
        ("PAYEE_ACCOUNT_RESTRICTED", ("payee_account_restricted", "account", True)),
        ("DECIMAL_PRECISION", ("amount_not_payable", "request", True)),
        ("R400_INVALID_PARAMETER_VALUE", ("invalid_parameter_value", "request", True)),
        ("SHIPPING_ADDRESS_INVALID", ("shipping_address_invalid", "request", True)),
    ],
)
def test_what_paypal_refuses(
    token: str, expected: tuple[object, ...], paypal: tuple[PayPalLike, PayPalGateway]
) -> None:
    assert outline(paypal[1].charge(asked(token), TODAY)) == expected


def test_a_question_about_an_attempt_that_stripe_does_not_know_says_nothing_of_its_method(
    stripe: tuple[StripeLike, StripeGateway],
) -> None:
    """`resource_missing` is about what was asked for: here the intent, which we know to be there."""
    found = stripe[1].lookup(asked(), TODAY, Sent(SENT.at, "pi_unknown"))
    assert isinstance(found, NotYetKnowable)


def test_an_order_that_paypal_has_lost_says_nothing_of_its_method(paypal: tuple[PayPalLike, PayPalGateway]) -> None:
    """The order was made, so the vaulted source was there; that its capture does not find it is another matter."""
    provider, gateway = paypal
    made = provider._create

    def forgotten(of: dict[str, object]) -> object:
        response = made(of)
        provider.orders.clear()
        return response

    provider._create = forgotten  # type: ignore[method-assign, assignment]
    assert outline(gateway.charge(asked("later"), TODAY))[1:] == ("request", True)


def test_credentials_that_are_refused_are_the_accounts_and_spend_no_key(
    stripe: tuple[StripeLike, StripeGateway],
) -> None:
    provider, gateway = stripe
    right, provider.secret = provider.secret, "sk_test_rotated"
    assert outline(gateway.charge(asked(), TODAY)) == ("credentials_refused", "account", False)
    provider.secret = right
    assert isinstance(gateway.charge(asked(), TODAY), Succeeded)
