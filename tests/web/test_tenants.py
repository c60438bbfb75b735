"""Two agencies whose ids repeat, one provider account: what is listed or told there counts for its own agency alone."""

from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.cli import commands
from shared.billing import reconciliation
from shared.billing.reconciliation import SETTLES_WITHIN, Difference, ProviderLists
from shared.domain.keys import segment
from shared.store import accounts, deployment
from shared.store.accounts import Configured
from tests.domain.test_segments import ODD
from tests.forced import unguarded
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both

FINE = {"stripe": "pm_ok", "paypal": "ok"}
INVOICE = "inv:sub:2026-06-01"


def second_agency(shop: Shop, agency_id: str = "other", **account: Any) -> None:
    """Another agency, with the same ids as the first, that collects by the same account."""
    diary = shop.diary
    diary.say("agency.upserted", "2026-05-20", agency_id=agency_id, gateway=shop.name)
    for name in ("client", "service"):
        diary.say(f"{name}.upserted", "2026-05-20", agency_id=agency_id)
    diary.say(
        "payment_method.upserted",
        "2026-05-20",
        agency_id=agency_id,
        provider=shop.name,
        token=FINE[shop.name],
        customer="cus_1",
    )
    with diary.store.transaction() as tx:
        accounts.configure(
            tx,
            Configured(
                agency_id=agency_id,
                provider=shop.name,
                secret="main",  # noqa: S106
                test=True,
                rate_per_second=None,
                webhook_secret="hook",  # noqa: S106
                **account,
            ),
        )
    diary.say("subscription.upserted", "2026-05-21", agency_id=agency_id)


def both_open(shop: Shop, **account: Any) -> None:
    shop.open(FINE[shop.name], until="2026-05-22")
    second_agency(shop, **account)
    shop.diary.go("2026-06-01T08:00:00Z")
    assert shop.diary.ask("SELECT agency_id, status FROM invoices ORDER BY 1") == [("ag", "paid"), ("other", "paid")]


def differences(shop: Shop, agency_id: str, *, shared: bool) -> list[Difference]:
    since = shop.clock.at - timedelta(days=30)
    begin = since - SETTLES_WITHIN
    lists = list(shop.gateway.payments_since(begin)), list(shop.gateway.refunds_since(begin))
    with shop.diary.store.transaction() as tx:
        return reconciliation.compare(
            tx,
            ProviderLists(
                agency_id=agency_id, provider=shop.name, since=since, payments=lists[0], refunds=lists[1], shared=shared
            ),
        )


@both
@pytest.mark.parametrize("shared", [True, False])
def test_one_payment_never_counts_for_two_agencies(shop: Shop, shared: bool) -> None:
    """Both have invoice inv:sub:2026-06-01, and the provider lists both payments to each of them."""
    both_open(shop)
    shop.wait(hours=7)
    assert len(shop.money()) == 2
    assert differences(shop, "ag", shared=shared) == differences(shop, "other", shared=shared) == []
    with shop.diary.store.transaction() as tx, unguarded(tx):
        tx.run("DELETE FROM payments WHERE agency_id = 'other'")
        tx.run("UPDATE invoices SET status = 'open', paid_at = NULL WHERE agency_id = 'other'")
        lost = tx.scalar("SELECT reference FROM charges WHERE agency_id = 'other'")
        tx.run("UPDATE charges SET state = 'declined', decline_class = 'retryable' WHERE agency_id = 'other'")
    assert differences(shop, "ag", shared=shared) == []
    (found,) = differences(shop, "other", shared=shared)
    assert (found.what, found.invoice_id) == ("missing_here", INVOICE)
    assert shop.name == "paypal" or found.reference == lost
    with shop.diary.store.transaction() as tx:  # as it was, for the invariants that are checked at the end
        from shared.store import facts

        assert reconciliation.adopt(tx, facts.require_agency(tx, "other"), found)
    shop.wait(hours=7)


def test_what_another_deployment_has_made_is_none_of_ours(shop: Shop) -> None:
    """A copy of the database that charges by the same account: its payments name the same agency and invoice."""
    shop.open(FINE["stripe"])
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    metadata = {**intent["metadata"], "key": "inv2-of-the-copy"}
    of_the_copy = {**intent, "id": "pi_copy", "metadata": {**metadata, "deployment": "copy"}}
    shop.provider.intents["pi_copy"] = of_the_copy
    assert differences(shop, "ag", shared=False) == []
    of_the_copy["metadata"] = metadata | {"deployment": "test"}
    assert [each.what for each in differences(shop, "ag", shared=False)] == ["missing_here", "paid_twice"]
    assert differences(shop, "ag", shared=True) == []


@both
def test_a_webhook_about_another_agencys_payment_changes_nothing(shop: Shop) -> None:
    """The provider sends the events of a shared account to the address of each agency."""
    both_open(shop)
    ((reference, key),) = shop.diary.ask("SELECT reference, key FROM charges WHERE agency_id = 'other'")
    before = shop.diary.ask("SELECT agency_id, status, paid_at FROM invoices ORDER BY 1")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET wake_at = NULL")
    about = {"object": "payment_intent", "id": reference, "metadata": {"key": key}}
    if shop.name == "stripe":
        answer = shop.hook("payment_intent.succeeded", about)
    else:
        answer = shop.hook("PAYMENT.CAPTURE.COMPLETED", {"id": reference, "custom_id": key}, "capture")
    assert answer.status_code == 200
    shop.wait(minutes=1)
    assert shop.diary.ask("SELECT agency_id, status, paid_at FROM invoices ORDER BY 1") == before
    assert shop.diary.ask("SELECT count(*) FROM payments") == [(2,)]


@pytest.mark.parametrize("agency_id", ODD)
def test_webhooks_reach_an_agency_of_any_legal_id(shop: Shop, agency_id: str) -> None:
    """At the address that `account set` prints; its answer is 200 and the event is kept for that agency."""
    shop.open(FINE["stripe"], until="2026-05-22")
    second_agency(shop, agency_id)
    assert isinstance(shop.provider, StripeLike)
    raw = shop.provider.event("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "metadata": {}})
    headers = shop.provider.signed(raw, shop.clock.at.timestamp())
    address = printed_address(shop, agency_id)
    assert address == f"/webhooks/stripe/{segment(agency_id)}"
    answer = shop.post(raw, headers, address.removeprefix("/webhooks/stripe/"))
    assert (answer.status_code, answer.history) == (200, [])
    assert shop.diary.ask("SELECT agency_id FROM inbox WHERE type = 'payment_intent.succeeded'") == [(agency_id,)]


def test_an_address_that_was_made_up_is_nobodys(shop: Shop) -> None:
    assert shop.post(b"{}", {}, "~YWc").status_code == 404  # `ag` in disguise


def run(shop: Shop, *words: str, **env: str) -> Result:
    given = {
        "DUECYCLE_DATABASE_URL": shop.diary.store.engine.url.render_as_string(hide_password=False),
        "DUECYCLE_SECRET_MAIN": "sk_test_loopback",
        "DUECYCLE_STRIPE_API": shop.provider.url,
        **env,
    }
    return CliRunner().invoke(commands, words, env=given)


def printed_address(shop: Shop, agency_id: str) -> str:
    options = ("--provider", "stripe", "--secret", "main", "--webhook-secret", "hook", "--test")
    answer = run(shop, "account", "set", "--agency", agency_id, *options)
    assert answer.exit_code == 0, answer.output
    (line,) = [line for line in answer.output.splitlines() if line.startswith("its webhook path is ")]
    return line.split(" ")[4].rstrip(",")


@pytest.mark.parametrize("secret", ["main", "same-value"])
def test_an_account_of_two_agencies_is_not_compared_until_both_say_that_it_is_meant(shop: Shop, secret: str) -> None:
    """The same name of a secret, or the same secret under two names; both agencies are named, and what to do."""
    both_open(shop)
    env = {"DUECYCLE_SECRET_SAME_VALUE": "sk_test_loopback"}
    set_ = ("account", "set", "--provider", "stripe", "--secret", secret, "--test", "--agency")
    assert "ag and other collect through the same stripe account" in run(shop, *set_, "other", **env).output
    refused = run(shop, "reconcile", **env)
    assert refused.exit_code == 1
    assert "ag and other collect through the same stripe account" in refused.output
    assert "duecycle account set --shared" in refused.output
    assert "2 of 2 accounts could not be asked; nothing was compared" in refused.output
    assert run(shop, *set_, "other", "--shared", **env).exit_code == 0
    assert run(shop, "reconcile", **env).exit_code == 1
    options = ("account", "set", "--provider", "stripe", "--secret", "main", "--test", "--shared", "--agency", "ag")
    assert run(shop, *options, **env).exit_code == 0
    assert (run(shop, "reconcile", **env).exit_code, run(shop, "reconcile", **env).output) == (0, "no differences\n")


def test_what_goes_to_a_provider_names_its_deployment(shop: Shop) -> None:
    """Not what goes out under a key from before, which was first sent without: a provider refuses other parameters."""
    with shop.diary.store.transaction() as tx:
        assert deployment.deployment_id(tx) == "test"
    from shared.gateways.stripe import StripeGateway

    gateway = StripeGateway("sk_test_loopback", deployment="d-1")
    old, new = ({"key": f"inv{version}-0", "agency_id": "ag"} for version in (1, 2))
    assert gateway.named(old) == old
    assert gateway.named(new) == {**new, "deployment": "d-1"}
