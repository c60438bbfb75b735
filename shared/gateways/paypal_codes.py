"""What PayPal's issues mean, as data. A judgement on published lists; change a line here, and nothing else.

Sources: the issues that `checkout_orders_v2` 2.13 and `payments_payment_v2` 2.5 of its REST specifications list; `field` names
what is wrong. Advice: Mastercard's merchant advice codes, which PayPal passes on: 01 new data, 02 try later, 03
and 21 never again.
"""

from typing import Final

from shared.domain.declines import METHOD_REFUSED, Codes, table, words

CODES: Final = Codes(
    declines=table(
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
    advice=table(customer=f"01 {METHOD_REFUSED}", retryable="02", final="03 21"),
    account=words(
        """
            AUTHENTICATION_FAILURE AUTH_CAPTURE_NOT_ENABLED INVALID_ACCOUNT_STATUS NOT_AUTHORIZED
            PAYEE_ACCOUNT_INVALID PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED
            PERMISSION_DENIED TRANSACTION_RECEIVING_LIMIT_EXCEEDED
            """
    ),
    amount={
        "CANNOT_BE_ZERO_OR_NEGATIVE": "amount_too_small",
        "DECIMALS_NOT_SUPPORTED": "amount_not_payable",
        "DECIMAL_PRECISION": "amount_not_payable",
        "INVALID_CURRENCY_CODE": "currency_not_supported",
        "MAX_VALUE_EXCEEDED": "amount_too_large",
    },
    method_places=("/payment_source",),
)
