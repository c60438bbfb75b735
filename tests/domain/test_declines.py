"""What declines mean: a table for each provider, its advice before its codes, and a cap for what says little."""

import pytest

from shared.domain import declines
from shared.domain.declines import UNKNOWN, meaning
from shared.gateways.paypal_provider import PAYPAL
from shared.gateways.providers import provider_of
from shared.gateways.stripe_provider import STRIPE


@pytest.mark.parametrize(
    ("provider", "code", "expected"),
    [
        ("sandbox", "insufficient_funds", "retryable"),
        ("sandbox", "lost_card", "final"),
        ("sandbox", "expired_card", "customer"),
        ("sandbox", "never_heard_of", "retryable"),
        ("stripe", "insufficient_funds", "retryable"),
        ("stripe", "generic_decline", "retryable"),
        ("stripe", "expired_card", "customer"),
        ("stripe", "authentication_required", "customer"),
        ("stripe", "stolen_card", "final"),
        ("stripe", "revocation_of_all_authorizations", "final"),
        ("paypal", "INSTRUMENT_DECLINED", "retryable"),
        ("paypal", "TRANSACTION_REFUSED", "retryable"),
        ("paypal", "PAYER_ACTION_REQUIRED", "customer"),
        ("paypal", "TOKEN_ID_NOT_FOUND", "final"),
        ("unheard_of", "lost_card", "retryable"),
    ],
)
def test_what_a_code_means(provider: str, code: str, expected: str) -> None:
    assert meaning(provider_of(provider).codes, code).decline_class == expected


def test_advice_wins_over_the_code() -> None:
    """An issuer that says "never again" of a code that is usually retried is believed, and the other way round."""
    assert meaning(STRIPE.codes, "insufficient_funds", "do_not_try_again").decline_class == "final"
    assert meaning(STRIPE.codes, "generic_decline", "confirm_card_data").decline_class == "customer"
    assert meaning(STRIPE.codes, "generic_decline", "try_again_later") == meaning(STRIPE.codes, "insufficient_funds")
    assert meaning(PAYPAL.codes, "INSTRUMENT_DECLINED", "03").decline_class == "final"
    assert meaning(STRIPE.codes, "lost_card", "something_new").decline_class == "final"


def test_a_code_that_nobody_has_judged_is_retried_with_a_cap_and_known_as_such() -> None:
    assert meaning(STRIPE.codes, "new_in_2027") == UNKNOWN
    assert (UNKNOWN.decline_class, UNKNOWN.capped, UNKNOWN.known) == ("retryable", True, False)
    assert meaning(STRIPE.codes, "do_not_honor").capped
    assert not meaning(STRIPE.codes, "insufficient_funds").capped


def test_a_code_stands_in_one_class_of_its_provider() -> None:
    with pytest.raises(ValueError, match="two classes"):
        declines.table(retryable="a b", final="c b")
