"""The providers there are. A new one is a line here, its adapter, and its name in the messages: docs/extending/provider.md."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.gateways.capabilities import Provider
from shared.gateways.paypal_provider import PAYPAL
from shared.gateways.sandbox_provider import SANDBOX
from shared.gateways.stripe_provider import STRIPE

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({each.name: each for each in (SANDBOX, STRIPE, PAYPAL)})
ONLINE: Final[Mapping[str, Provider]] = MappingProxyType(
    {name: each for name, each in PROVIDERS.items() if each.online}
)


def provider_of(name: str | None) -> Provider:
    """The provider of this name. One that nobody declared can do nothing."""
    return PROVIDERS.get(name or "") or Provider(name=name or "", title=name or "")
