"""What each provider's decline codes mean, as data. A judgement on published lists; change a line here, and nothing else.

A decline is `retryable` (the same method may be tried again, later), `customer` (only the client can cure it, with another
method or by confirming) or `final` (this method must never be tried again). Codes that say little, and codes nobody has
listed, are retryable and `capped`: a few tries of the same method and amount, then it counts as final.

Sources: Stripe: docs.stripe.com/declines/codes and docs.stripe.com/declines/card; advice codes: the `ErrorObject` of its Python
library 16.1.0. PayPal: the issues that `checkout_orders_v2` 2.13 and `payments_payment_v2` 2.5 of its REST specifications list.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

RETRYABLE, FINAL, CUSTOMER = "retryable", "final", "customer"
CAPPED_TRIES_MAX: Final = 4


class Meaning(NamedTuple):
    """The class of a code. `capped`: it says little, so fewer tries. `known`: somebody has judged it."""

    decline_class: str
    capped: bool = False
    known: bool = True


UNKNOWN = Meaning(RETRYABLE, capped=True, known=False)
# The sandbox declines with whatever word its script names.
_SCRIPTED = Meaning(RETRYABLE, known=False)


def _table(**codes: str) -> dict[str, Meaning]:
    classes = {"retryable": Meaning(RETRYABLE), "capped": Meaning(RETRYABLE, capped=True)}
    classes |= {"customer": Meaning(CUSTOMER), "final": Meaning(FINAL)}
    found = {code: classes[name] for name, listed in codes.items() for code in listed.split()}
    if len(found) != sum(len(listed.split()) for listed in codes.values()):
        raise ValueError("a code stands in two classes, and would silently mean the later one")
    return found


DECLINES: Final[Mapping[str, Mapping[str, Meaning]]] = MappingProxyType(
    {
        "sandbox": _table(
            retryable="insufficient_funds processing_error",
            final="lost_card stolen_card",
            customer="expired_card",
        ),
        "stripe": _table(
            retryable="""
                insufficient_funds processing_error issuer_not_available try_again_later reenter_transaction
                approve_with_id card_velocity_exceeded withdrawal_count_limit_exceeded
                card_decline_rate_limit_exceeded payment_method_provider_timeout
                charge_exceeds_source_limit charge_exceeds_transaction_limit
            """,
            capped="""
                generic_decline card_declined do_not_honor call_issuer no_action_taken payment_method_provider_decline
            """,
            customer="""
                authentication_required authentication_not_handled expired_card incorrect_number invalid_number incorrect_cvc
                invalid_cvc incorrect_zip incorrect_address incorrect_pin invalid_pin pin_try_exceeded invalid_expiry_month
                invalid_expiry_year card_not_supported currency_not_supported offline_pin_required
                online_or_offline_pin_required payment_method_not_available new_account_information_available
                bank_account_restricted bank_account_unverified billing_invalid_mandate invalid_card_type
                invalid_source_usage payment_intent_incompatible_payment_method payment_intent_mandate_invalid
                payment_method_billing_details_address_missing payment_method_currency_mismatch
                payment_method_customer_decline payment_method_invalid_parameter payment_method_unactivated
                payment_method_unexpected_state payment_method_unsupported_type
            """,
            final="""
                lost_card stolen_card pickup_card restricted_card fraudulent merchant_blacklist highest_risk_level
                invalid_account do_not_try_again stop_payment_order revocation_of_authorization
                revocation_of_all_authorizations transaction_not_allowed security_violation not_permitted
                service_not_allowed testmode_decline
                account_closed bank_account_unusable debit_not_authorized india_recurring_payment_mandate_canceled no_account
                payment_method_bank_account_blocked resource_missing token_already_used
            """,
        ),
        "paypal": _table(
            retryable="INSTRUMENT_DECLINED TRANSACTION_LIMIT_EXCEEDED PAYEE_BLOCKED_TRANSACTION",
            capped="TRANSACTION_REFUSED DECLINED FAILED TRANSACTION_BLOCKED_BY_PAYEE",
            customer="""
                PAYER_ACTION_REQUIRED REDIRECT_PAYER_FOR_ALTERNATE_FUNDING PAYER_CANNOT_PAY CARD_EXPIRED
                PAYMENT_SOURCE_DECLINED_BY_PROCESSOR CARD_CLOSED PAYMENT_SOURCE_CANNOT_BE_USED
                PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED PAYMENT_DENIED
                ALIAS_DECLINED_BY_PROCESSOR BILLING_ADDRESS_INVALID BILLING_AGREEMENT_ID_MISMATCH CARD_BRAND_NOT_SUPPORTED
                CARD_EXPIRY_REQUIRED CARD_NUMBER_REQUIRED DOMESTIC_TRANSACTION_REQUIRED INVALID_EXPIRY_DATE
                MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE PAYMENT_SOURCE_MISMATCH PAYMENT_SOURCE_NOT_SUPPORTED
                REFERENCED_CARD_EXPIRED
                CONSENT_NEEDED NOT_ELIGIBLE_FOR_TOKEN_PROCESSING NOT_ENABLED_FOR_BANK_PROCESSING
                NOT_ENABLED_FOR_CARD_PROCESSING PAYEE_NOT_ENABLED_FOR_BANK_PROCESSING
                PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING
            """,
            final="""
                AGREEMENT_ALREADY_CANCELLED BILLING_AGREEMENT_NOT_FOUND TOKEN_ID_NOT_FOUND PAYER_ACCOUNT_LOCKED_OR_CLOSED
                PAYER_ACCOUNT_RESTRICTED COMPLIANCE_VIOLATION MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED
                IDENTIFIER_NOT_FOUND INVALID_RESOURCE_ID RESOURCE_NOT_FOUND TOKEN_EXPIRED
            """,
        ),
    }
)
# Our own advice about a code that no table lists, where the provider names the method or its owner as what is wrong.
METHOD_REFUSED: Final = "method_refused"
# What a provider advises wins over what its code means.
ADVICE: Final[Mapping[str, Mapping[str, Meaning]]] = MappingProxyType(
    {
        "stripe": _table(
            customer=f"confirm_card_data {METHOD_REFUSED}", final="do_not_try_again", retryable="try_again_later"
        ),
        # Mastercard's merchant advice codes, which PayPal passes on: 01 new data, 02 try later, 03 and 21 never again.
        "paypal": _table(customer=f"01 {METHOD_REFUSED}", retryable="02", final="03 21"),
    }
)


def meaning(provider: str, code: str, advice: str | None = None) -> Meaning:
    """What a decline means: by the provider's advice, else by its code; UNKNOWN if neither is listed."""
    advised = ADVICE.get(provider, {}).get(advice or "")
    return advised or DECLINES.get(provider, {}).get(code, _SCRIPTED if provider == "sandbox" else UNKNOWN)
