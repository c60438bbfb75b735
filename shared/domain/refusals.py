"""What it means when a provider refuses a request to collect, as data. Change a line here, and nothing else.

A refusal is about the *method* (or the client's account that it belongs to), about the *amount*, or about the agency's own
*account*. One about the method is a decline, and `declines.py` says of which class: it needs the client, or the method is
gone, or one of its kind can't be charged here (an account without cards still takes wallets). One about the account concerns
every attempt, and no client can cure it. A limit that more time or another method cures is a decline too, for what is about
the amount is not asked for again. What is listed nowhere is about the *request*.

Sources: Stripe: docs.stripe.com/error-codes and the `ErrorObject` of its Python library 16.1.0, whose `param` names what is
wrong. PayPal: the issues that `checkout_orders_v2` 2.13 of its REST specifications lists, whose `field` does.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from shared.domain.declines import DECLINES

About = Literal["method", "account", "amount", "request"]
# Tries of a request that the provider refuses for a reason nobody has listed; then it is a failure, and told.
REFUSED_TRIES_MAX: Final = 3


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ACCOUNT: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "stripe": _words(
            """
            account_invalid account_country_invalid_address account_information_mismatch api_key_expired
            charges_not_enabled livemode_mismatch not_allowed_on_standard_account payment_method_configuration_failures
            platform_account_required platform_api_key_expired secret_key_required testmode_charges_only
            tls_version_unsupported
            """
        ),
        "paypal": _words(
            """
            AUTHENTICATION_FAILURE AUTH_CAPTURE_NOT_ENABLED INVALID_ACCOUNT_STATUS NOT_AUTHORIZED
            PAYEE_ACCOUNT_INVALID PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED
            PERMISSION_DENIED TRANSACTION_RECEIVING_LIMIT_EXCEEDED
            """
        ),
    }
)
# In our own words, which the agency's mail explains.
AMOUNT: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "stripe": {
            "amount_too_small": "amount_too_small",
            "amount_too_large": "amount_too_large",
            "invalid_charge_amount": "amount_not_payable",
        },
        "paypal": {
            "CANNOT_BE_ZERO_OR_NEGATIVE": "amount_too_small",
            "DECIMALS_NOT_SUPPORTED": "amount_not_payable",
            "DECIMAL_PRECISION": "amount_not_payable",
            "INVALID_CURRENCY_CODE": "currency_not_supported",
            "MAX_VALUE_EXCEEDED": "amount_too_large",
        },
    }
)
# The amount itself can't be collected by the provider, however often it is tried: the agency has to do something.
UNPAYABLE: Final = frozenset({"amount_too_small", "amount_too_large", "amount_not_payable", "currency_not_supported"})
# The places of a request that name the method or its owner: whatever is wrong there, only the client can mend it.
METHOD_PLACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"stripe": ("payment_method", "customer", "source"), "paypal": ("/payment_source",)}
)


def about(provider: str, code: str, place: str | None) -> About:
    """What a refusal is about: by the provider's code, else by the place of the request that it names."""
    if code in ACCOUNT.get(provider, ()):
        return "account"
    if code in AMOUNT.get(provider, {}):
        return "amount"
    if code in DECLINES.get(provider, {}):
        return "method"
    named = place or ""
    places = METHOD_PLACES.get(provider, ())
    return "method" if any(named == each or named.startswith(f"{each}/") for each in places) else "request"
