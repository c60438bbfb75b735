"""What is particular to Stripe."""

import re
from datetime import timedelta
from typing import Final

from shared.gateways.amounts import stripe_amount
from shared.gateways.capabilities import AccountSecret, Make, Provider
from shared.gateways.port import Gateway
from shared.gateways.stripe_codes import CODES


def _adapter() -> Make:
    from shared.gateways.stripe import StripeGateway  # here: only who calls Stripe loads its library

    def make(secret: AccountSecret) -> Gateway:
        # The key itself says whether it is a test key.
        if not secret.value.startswith(("sk_", "rk_")):
            raise ValueError("a Stripe secret key begins with sk_ or rk_")
        return StripeGateway(secret.value, base=secret.address, deployment=secret.deployment)

    return make


STRIPE: Final = Provider(
    name="stripe",
    title="Stripe",
    codes=CODES,
    # At least 24 h (docs.stripe.com/api/idempotent_requests); some hours are kept in hand.
    key_retention=timedelta(hours=20),
    refund_key_retention=timedelta(hours=20),
    online=True,
    adapter=_adapter,
    api_setting="STRIPE_API",
    secret_text="a Stripe secret key",  # noqa: S106 - a text for people
    webhook_secret_text="Stripe's signing secret",  # noqa: S106 - a text for people
    secret_prefixes=("sk_", "rk_", "whsec_"),
    takes=stripe_amount,
    keeps_methods=True,
    list_lag=timedelta(minutes=5),
    reference_form=re.compile(r"(pi|ch|py|re|pyr)_[A-Za-z0-9]+"),
)
