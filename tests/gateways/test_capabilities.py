"""What providers differ in: declared once for each, under the same names everywhere; nobody can do what nobody declared."""

import subprocess
import sys
from datetime import timedelta
from typing import get_args

import pytest

from shared.gateways.capabilities import AccountSecret, Provider
from shared.gateways.port import OnlineGateway
from shared.gateways.providers import ONLINE, PROVIDERS, provider_of
from shared.messages.parts import Provider as Named
from shared.setting_names import OTHERS

SECRETS = {"stripe": "sk_test_1", "paypal": "client:secret"}
METHODS = [name for name in vars(OnlineGateway) if not name.startswith("_")]


def test_messages_can_name_each_provider_and_no_other() -> None:
    assert set(get_args(Named)) == set(PROVIDERS)


def test_one_that_nobody_declared_is_asked_for_nothing() -> None:
    """A row of a later release, or no provider at all: no key is remembered, nothing is kept, and no page is offered."""
    for name in ("of_tomorrow", None):
        found = provider_of(name)
        assert found == Provider(name=name or "", title=name or "")
        assert (found.key_retention, found.refund_key_retention) == (timedelta(0), timedelta(0))
        assert [found.online, found.keeps_methods, found.captures_on_return] == [False, False, False]
        assert not found.is_reference("pi_1")
        with pytest.raises(ValueError, match="no accounts"):
            found.adapter()


@pytest.mark.parametrize("found", ONLINE.values(), ids=lambda each: each.name)
def test_an_online_provider_is_whole(found: Provider) -> None:
    """Whatever another part of the product asks of one is said, and its adapter has the whole port."""
    assert timedelta(0) < found.key_retention <= found.refund_key_retention
    assert timedelta(0) < found.list_lag < timedelta(days=1)
    assert found.reference_form is not None
    assert found.codes.declines
    assert found.codes.account
    assert found.secret_text
    assert found.webhook_secret_text
    assert found.api_setting in OTHERS
    assert (found.webhook_claim is None) == (found.webhook_age_max == timedelta(0))
    made = found.adapter()(AccountSecret(SECRETS[found.name], test=True, deployment="d"))
    assert [name for name in METHODS if not callable(getattr(made, name, None))] == []
    with pytest.raises(ValueError, match=found.title):
        found.adapter()(AccountSecret("nonsense", test=True, deployment="d"))


def test_what_is_declared_loads_no_providers_library() -> None:
    """Every process asks for capabilities; only those that call providers pay for their libraries."""
    code = "import sys, shared.gateways.providers; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"stripe", "paypalrestsdk", "requests"} & set(loaded) == set()
