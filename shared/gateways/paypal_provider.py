"""What is particular to PayPal."""

import re
from datetime import timedelta
from typing import Final

from shared.gateways.amounts import paypal_value
from shared.gateways.capabilities import AccountSecret, Make, Provider
from shared.gateways.paypal_codes import CODES
from shared.gateways.paypal_events import PAST_MAX, claimed
from shared.gateways.port import Gateway


def _adapter() -> Make:
    from shared.gateways.paypal import LIVE, SANDBOX, PayPalGateway  # here: only who calls PayPal loads its library

    def make(secret: AccountSecret) -> Gateway:
        client_id, colon, client_secret = secret.value.partition(":")
        if not colon or not client_id or not client_secret:
            raise ValueError("a PayPal secret is client id:client secret")
        return PayPalGateway(client_id, client_secret, base=secret.address or (SANDBOX if secret.test else LIVE))

    return make


PAYPAL: Final = Provider(
    name="paypal",
    title="PayPal",
    codes=CODES,
    # Orders: 6 h (`PayPal-Request-Id` in the REST specification of orders v2). Payments v2, which refunds belong to: 45 days.
    key_retention=timedelta(hours=5),
    refund_key_retention=timedelta(days=40),
    online=True,
    adapter=_adapter,
    api_setting="PAYPAL_API",
    secret_text="PayPal's `client id:client secret`",  # noqa: S106 - a text for people
    webhook_secret_text="PayPal's webhook id",  # noqa: S106 - a text for people
    takes=paypal_value,
    captures_on_return=True,
    list_lag=timedelta(hours=6),
    reference_form=re.compile(r"[0-9A-Z]{17}"),
    webhook_claim=claimed,
    webhook_age_max=PAST_MAX,
)
