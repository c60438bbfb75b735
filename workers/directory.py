"""Which gateway an agency uses for a provider: made from its account's row and secret, kept while neither changes."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from urllib.parse import urlsplit

from shared.gateways.paypal import LIVE, SANDBOX, PayPalGateway
from shared.gateways.port import Gateway
from shared.gateways.stripe import StripeGateway
from shared.secret_store import ReadSecret
from shared.store import accounts, deployment
from shared.store.accounts import Configured
from shared.store.transaction import Tx

Gateways = Mapping[str, Gateway | str]
"""By provider: the agency's gateway, or a word for why it can't be used."""

GatewaysOf = Callable[[Tx, str], Gateways]
"""(transaction, agency) → its gateways."""

Make = Callable[[str, Configured, str], Gateway]
"""(secret, account, deployment) → its gateway. Raises ValueError for a secret of the wrong form."""


def make_stripe(secret: str, _account: Configured, deployment_id: str, base: str | None = None) -> Gateway:
    """A Stripe account by its secret key, which says by itself whether it is a test."""
    if not secret.startswith(("sk_", "rk_")):
        raise ValueError("a Stripe secret key begins with sk_ or rk_")
    return StripeGateway(secret, base=base, deployment=deployment_id)


def make_paypal(secret: str, account: Configured, _deployment_id: str, base: str | None = None) -> Gateway:
    """A PayPal account by its `client id:client secret`."""
    client_id, colon, client_secret = secret.partition(":")
    if not colon or not client_id or not client_secret:
        raise ValueError("a PayPal secret is client id:client secret")
    return PayPalGateway(client_id, client_secret, base=base or (SANDBOX if account.test else LIVE))


def makers(environ: Mapping[str, str] = os.environ) -> Mapping[str, Make]:
    """How gateways are made. DUECYCLE_STRIPE_API and DUECYCLE_PAYPAL_API name stand-ins on this machine, for trials.

    Raises ValueError for one that is elsewhere: a secret goes to its provider and to nobody else.
    """
    return {
        "stripe": partial(make_stripe, base=_stand_in("DUECYCLE_STRIPE_API", environ)),
        "paypal": partial(make_paypal, base=_stand_in("DUECYCLE_PAYPAL_API", environ)),
    }


def _stand_in(name: str, environ: Mapping[str, str]) -> str | None:
    url = environ.get(name) or None
    if url is not None and urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"{name} may only name a stand-in on this machine, such as http://127.0.0.1:8420")
    return url


class Directory:
    """Gateways by agency and provider; safe to share between threads. `fixed` ones serve every agency.

    What can't be used is a word for why: `account_missing`, `secret_missing:NAME` or `secret_malformed:NAME`. It blocks that
    agency's charges and nobody else's.
    """

    def __init__(
        self, read_secret: ReadSecret, fixed: Mapping[str, Gateway], make: Mapping[str, Make] | None = None
    ) -> None:
        self._read_secret, self._fixed = read_secret, dict(fixed)
        self._makers = makers() if make is None else make
        self._lock = Lock()
        self._made: dict[tuple[str, str, bool, str], Gateway] = {}

    def __call__(self, tx: Tx, agency_id: str) -> Gateways:
        """The gateways of an agency, by provider."""
        found: dict[str, Gateway | str] = dict.fromkeys(self._makers, "account_missing")
        found |= self._fixed
        for account in accounts.configured(tx, agency_id):
            if account.provider in self._makers:
                found[account.provider] = self._gateway(account, deployment.deployment_id(tx))
        return found

    def _gateway(self, account: Configured, deployment_id: str) -> Gateway | str:
        secret = self._read_secret(account.secret)
        if secret is None:
            return f"secret_missing:{account.secret}"
        known = (account.provider, secret, account.test, deployment_id)
        with self._lock:
            if known not in self._made:
                try:
                    self._made[known] = self._makers[account.provider](secret, account, deployment_id)
                except ValueError:
                    return f"secret_malformed:{account.secret}"
            return self._made[known]
