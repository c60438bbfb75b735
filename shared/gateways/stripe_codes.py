"""What Stripe's codes mean, as data. A judgement on published lists; change a line here, and nothing else.

Sources: docs.stripe.com/declines/codes, docs.stripe.com/declines/card and docs.stripe.com/error-codes; advice codes, and
`param`, which names what is wrong: the `ErrorObject` of its Python library 16.1.0.
"""

from typing import Final

from shared.domain.declines import METHOD_REFUSED, Codes, table, words

CODES: Final = Codes(
    declines=table(
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
    advice=table(customer=f"confirm_card_data {METHOD_REFUSED}", final="do_not_try_again", retryable="try_again_later"),
    account=words(
        """
            account_invalid account_country_invalid_address account_information_mismatch api_key_expired
            charges_not_enabled livemode_mismatch not_allowed_on_standard_account payment_method_configuration_failures
            platform_account_required platform_api_key_expired secret_key_required testmode_charges_only
            tls_version_unsupported
            """
    ),
    amount={
        "amount_too_small": "amount_too_small",
        "amount_too_large": "amount_too_large",
        "invalid_charge_amount": "amount_not_payable",
    },
    method_places=("payment_method", "customer", "source"),
)
