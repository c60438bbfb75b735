"""What providers differ in. Each is declared once, beside its adapter; whoever else has to know asks `providers.py` by name."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, cast

import msgspec

from shared.domain.declines import Codes
from shared.gateways.amounts import UnpayableAmountError
from shared.gateways.port import Gateway, OnlineGateway


class AccountSecret(NamedTuple):
    """An account's secret, and what else an adapter is made of. `address`: of a stand-in of the provider, for trials.

    `deployment`: the id of ours, which what is made at the provider says.
    """

    value: str
    test: bool
    deployment: str
    address: str | None = None


Make = Callable[[AccountSecret], Gateway]
"""The adapter for an account. Raises ValueError for a secret of the wrong form."""


def _none() -> Make:
    raise ValueError("the provider has no accounts")


Claim = Callable[[bytes, Mapping[str, str], datetime], dict[str, str]]
"""(body, headers, now) -> the headers to ask the provider by. Raises BadSignatureError and UnreadableError."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. Each default is what can do the least harm, so a provider that nobody declared is asked for nothing.

    `name`: in messages, rows and paths of webhooks. `title`: as it writes its own name, in mails.
    `codes`: what its words mean.
    `is_simulated`: no real money is moved.
    `key_retention`, `refund_key_retention`: how long a key is guaranteed to mean the same charge or refund.
    `online`: has accounts, pages where clients pay, webhooks and lists; its adapter is an `OnlineGateway`.
    `adapter`: loads its library, of half a second or more, and returns what makes its adapters.
    `api_setting`: DUECYCLE_ and this names a stand-in of it on this machine, for trials.
    `secret_text`, `webhook_secret_text`: what the secrets of an account are, for help texts. `secret_prefixes`: what such
    values begin with, to notice one that is written where its name belongs.
    `takes`: writes an amount as the provider does. Raises UnpayableAmountError for one that it does not take.
    `captures_on_return`: a client at a page only agrees, and the money moves by our hand. Otherwise he has paid, or has not.
    `keeps_methods`: can keep what a client pays by on a page.
    `list_lag`: so lately moved, money may be missing from its list.
    `reference_form`: of its ids of payments and refunds.
    `webhook_claim`: its webhooks are proven by asking it: what they say of their sender. None: a secret proves them at once.
    `webhook_age_max`: the oldest webhook that it may still deliver.
    """

    name: str
    title: str
    codes: Codes = Codes()
    is_simulated: bool = False
    key_retention: timedelta = timedelta(0)
    refund_key_retention: timedelta = timedelta(0)
    online: bool = False
    adapter: Callable[[], Make] = _none
    api_setting: str = ""
    secret_text: str = ""
    webhook_secret_text: str = ""
    secret_prefixes: tuple[str, ...] = ()
    takes: Callable[[int, str], object] = lambda amount_minor, _currency: amount_minor
    captures_on_return: bool = False
    keeps_methods: bool = False
    list_lag: timedelta = timedelta(0)
    reference_form: re.Pattern[str] | None = None
    webhook_claim: Claim | None = None
    webhook_age_max: timedelta = timedelta(0)

    def refusal(self, amount_minor: int, currency: str) -> str | None:
        """Why it can't take an amount, as a word; None if it can, as far as is known here."""
        try:
            self.takes(amount_minor, currency)
        except UnpayableAmountError as refused:
            return refused.code
        return None

    def is_reference(self, text: str) -> bool:
        """Whether a text has the form of the provider's ids."""
        return self.reference_form is not None and self.reference_form.fullmatch(text) is not None


def as_online(gateway: Gateway) -> OnlineGateway:
    """The gateway of a provider that is `online`."""
    return cast("OnlineGateway", gateway)
