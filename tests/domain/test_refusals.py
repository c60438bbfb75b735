"""What a refusal is about: by the provider's code, else by the place of the request that it names."""

import pytest

from shared.domain.declines import meaning
from shared.domain.refusals import about
from shared.gateways.paypal_provider import PAYPAL
from shared.gateways.providers import provider_of
from shared.gateways.stripe_provider import STRIPE


@pytest.mark.parametrize(
    ("provider", "code", "place", "expected"),
    [
        ("stripe", "resource_missing", "payment_method", "method"),
        ("stripe", "resource_missing", None, "method"),
        ("stripe", "payment_method_unexpected_state", None, "method"),
        ("stripe", "parameter_invalid_empty", "customer", "method"),
        ("stripe", "parameter_unknown", "payment_method_types", "request"),
        ("stripe", "parameter_unknown", None, "request"),
        ("stripe", "testmode_charges_only", None, "account"),
        ("stripe", "livemode_mismatch", "payment_method", "account"),
        ("stripe", "amount_too_small", "amount", "amount"),
        ("paypal", "INVALID_RESOURCE_ID", None, "method"),
        ("paypal", "TOKEN_ID_NOT_FOUND", None, "method"),
        ("paypal", "INVALID_PARAMETER_VALUE", "/payment_source/paypal/vault_id", "method"),
        ("paypal", "INVALID_PARAMETER_VALUE", "/purchase_units/0", "request"),
        ("paypal", "PAYEE_ACCOUNT_RESTRICTED", None, "account"),
        ("paypal", "PERMISSION_DENIED", None, "account"),
        ("paypal", "PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING", None, "method"),
        ("paypal", "NOT_ELIGIBLE_FOR_TOKEN_PROCESSING", None, "method"),
        ("paypal", "CONSENT_NEEDED", None, "method"),
        ("stripe", "charge_exceeds_source_limit", None, "method"),
        ("paypal", "DECIMAL_PRECISION", None, "amount"),
        ("paypal", "", None, "request"),
        ("unheard_of", "resource_missing", "payment_method", "request"),
    ],
)
def test_what_a_refusal_is_about(provider: str, code: str, place: str | None, expected: str) -> None:
    assert about(provider_of(provider).codes, code, place) == expected


@pytest.mark.parametrize(
    ("provider", "code", "expected"),
    [
        ("stripe", "resource_missing", "final"),
        ("stripe", "payment_method_unexpected_state", "customer"),
        ("stripe", "charge_exceeds_source_limit", "retryable"),
        ("stripe", "charge_exceeds_transaction_limit", "retryable"),
        ("paypal", "NOT_ENABLED_FOR_CARD_PROCESSING", "customer"),
        ("paypal", "CONSENT_NEEDED", "customer"),
        ("paypal", "INVALID_RESOURCE_ID", "final"),
        ("paypal", "MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE", "customer"),
    ],
)
def test_a_refusal_of_the_method_needs_the_client_or_time_and_what_is_gone_is_gone(
    provider: str, code: str, expected: str
) -> None:
    assert meaning(provider_of(provider).codes, code).decline_class == expected


def test_a_refused_place_that_no_table_lists_needs_the_client() -> None:
    assert meaning(STRIPE.codes, "parameter_missing", "method_refused").decline_class == "customer"
    assert meaning(PAYPAL.codes, "INVALID_PARAMETER_VALUE", "method_refused").decline_class == "customer"


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_a_code_is_about_one_thing(provider: str) -> None:
    codes = provider_of(provider).codes
    listed = [set(codes.declines), set(codes.account), set(codes.amount)]
    assert len(set.union(*listed)) == sum(map(len, listed))
