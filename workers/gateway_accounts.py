"""Which gateway an agency uses for a provider: made from its account's row and secret, kept while neither changes."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from urllib.parse import urlsplit

from shared.gateways.capabilities import AccountSecret
from shared.gateways.capabilities import Make as MakeGateway
from shared.gateways.port import Gateway
from shared.gateways.providers import ONLINE
from shared.gateways.sandbox import SandboxGateway
from shared.gateways.sandbox_provider import SANDBOX
from shared.secret_store import ReadSecret
from shared.setting_names import PREFIX
from shared.store import accounts, deployment
from shared.store.accounts import Configured
from shared.store.database import Store, Transaction
from shared.store.sandbox_ledger import SandboxLedger

Gateways = Mapping[str, Gateway | str]
"""By provider: the agency's gateway, or a word for the reason why it can't be used."""

GatewaysOf = Callable[[Transaction, str], Gateways]
"""(transaction, agency) → its gateways."""

Make = Callable[[str, Configured, str], Gateway]
"""(secret, account, deployment) → its gateway. Raises ValueError for a secret of the wrong form."""


def makers(environ: Mapping[str, str] = os.environ) -> Mapping[str, Make]:
    """How gateways are made. The `api_setting` of a provider names a stand-in on this machine, for trials.

    Raises ValueError for one that is elsewhere: a secret goes to its provider and to nobody else.
    """
    stand_ins = {name: _stand_in(PREFIX + each.api_setting, environ) for name, each in ONLINE.items()}
    return {name: partial(_made, each.adapter(), stand_ins[name]) for name, each in ONLINE.items()}


def _made(make: MakeGateway, address: str | None, secret: str, account: Configured, deployment_id: str) -> Gateway:
    return make(AccountSecret(secret, account.test, deployment_id, address))


def sandbox_of(store: Store) -> dict[str, Gateway]:
    """The sandbox, which serves every agency, with its ledger in a table."""
    return {SANDBOX.name: SandboxGateway(SandboxLedger(store))}


def _stand_in(name: str, environ: Mapping[str, str]) -> str | None:
    url = environ.get(name) or None
    if url is not None and urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"{name} may only name a stand-in on this machine, such as http://127.0.0.1:8420")
    return url


class GatewayRegistry:
    """Gateways by agency and provider; safe to share between threads. `fixed` ones serve every agency.

    A gateway that can't be used is replaced by a word for the reason: `account_missing`, `secret_missing:NAME` or
    `secret_malformed:NAME`. It blocks that agency's charges and nobody else's.
    """

    def __init__(
        self, read_secret: ReadSecret, fixed: Mapping[str, Gateway], make: Mapping[str, Make] | None = None
    ) -> None:
        self._read_secret, self._fixed = read_secret, dict(fixed)
        self._makers = makers() if make is None else make
        self._lock = Lock()
        self._made: dict[tuple[str, str, bool, str], Gateway] = {}

    def __call__(self, tx: Transaction, agency_id: str) -> Gateways:
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
