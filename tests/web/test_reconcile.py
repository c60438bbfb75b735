"""The nightly comparison: what only the provider knows, what only we know, and what a person has to look at."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from ops.cli import commands
from ops.json_rows import DifferenceRow, UnaskedRow
from shared.billing import reconciliation
from shared.billing.reconciliation import SETTLES_WITHIN, Difference, ProviderLists
from shared.store import facts
from tests.forced import unguarded
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.ops.conftest import fits
from tests.web.conftest import Shop, both

FINE = {"stripe": "pm_ok", "paypal": "ok"}
INVOICE = "inv:sub:2026-06-01"


def differences(shop: Shop, days: int = 30) -> list[Difference]:
    since = shop.clock.at - timedelta(days=days)
    begin = since - SETTLES_WITHIN
    lists = ProviderLists(
        agency_id="ag",
        provider=shop.name,
        since=since,
        payments=list(shop.gateway.payments_since(begin)),
        refunds=list(shop.gateway.refunds_since(begin)),
    )
    with shop.diary.store.transaction() as tx:
        return reconciliation.compare(tx, lists)


def what(found: list[Difference]) -> list[tuple[Any, ...]]:
    return [(each.what, each.invoice_id, each.here_minor, each.there_minor) for each in found]


def forget(shop: Shop) -> None:
    """Our side loses the payment, as if its answer had never come."""
    with shop.diary.store.transaction() as tx, unguarded(tx):
        tx.run("DELETE FROM payments")
        tx.run("UPDATE invoices SET status = 'open', paid_at = NULL, settled_at = NULL")
        tx.run("UPDATE charges SET state = 'declined', code = 'x', decline_class = 'retryable', reference = NULL")


def adopted(shop: Shop, found: list[Difference]) -> list[bool]:
    done = []
    for each in found:
        with shop.diary.store.transaction() as tx:
            done.append(reconciliation.adopt(tx, facts.require_agency(tx, "ag"), each))
    return done


@both
def test_lists_that_agree_have_no_difference(shop: Shop) -> None:
    """Also months later, with several payments and a refund."""
    shop.open(FINE[shop.name])
    shop.wait(days=62)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=1000)
    shop.wait(hours=7)
    assert len(shop.money()) == 3
    assert differences(shop, 90) == []


@both
def test_money_that_only_the_provider_knows_is_found_and_can_be_adopted(shop: Shop) -> None:
    shop.open(FINE[shop.name])
    forget(shop)
    found = differences(shop)
    assert what(found) == [("missing_here", INVOICE, None, 11900)]
    assert adopted(shop, found) == [True]
    assert shop.status() == "paid"
    shop.wait(hours=7)
    assert differences(shop) == []


@both
def test_money_that_only_we_know_is_found(shop: Shop) -> None:
    shop.open(FINE[shop.name])
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE payments SET reference = 'invented'")
        tx.run("UPDATE charges SET reference = 'invented'")
    shop.wait(hours=7)
    found = differences(shop)
    assert [each.what for each in found] == ["missing_here", "missing_there"]
    assert found[1].reference == "invented"
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE payments SET reference = :old", old=found[0].reference)
        tx.run("UPDATE charges SET reference = :old", old=found[0].reference)


@both
def test_a_payment_that_a_person_recorded_by_its_key_is_the_one_that_the_provider_lists(shop: Shop) -> None:
    """Our mail about a charge in doubt names the key, so that is what a person repeats; nothing is booked a second time."""
    shop.open(FINE[shop.name])
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE payments AS p SET reference = c.key FROM charges AS c WHERE c.invoice_id = p.invoice_id")
        tx.run("UPDATE charges SET reference = key")
    shop.wait(hours=7)
    assert differences(shop) == []


def test_what_was_recorded_just_now_may_not_be_listed_yet(shop: Shop) -> None:
    shop.open(FINE["stripe"], until="2026-05-31T22:00:01Z")
    assert isinstance(shop.provider, StripeLike)
    shop.provider.intents.clear()
    assert differences(shop) == []
    shop.wait(minutes=6)
    assert [each.what for each in differences(shop)] == ["missing_there"]


def test_another_amount_and_a_second_payment_are_left_to_a_person(shop: Shop) -> None:
    """Nothing of it can be adopted; the agency is told of each once, however often it is compared."""
    shop.open(FINE["stripe"])
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    shop.provider.intents["pi_second"] = {**intent, "id": "pi_second", "amount": 5000}
    intent["amount"] = 11800
    found = {each.what: each for each in differences(shop)}
    assert set(found) == {"amount_differs", "missing_here", "paid_twice"}
    assert found["paid_twice"].there_minor == 16800
    stay = [found["amount_differs"], found["paid_twice"]]
    assert adopted(shop, stay) == [False, False]
    for _ in range(2):
        for each in stay:
            with shop.diary.store.transaction() as tx:
                reconciliation.tell(tx, facts.require_agency(tx, "ag"), each)
    shop.wait(seconds=1)
    assert [each.audience for each in shop.diary.notices("books_differ")] == ["agency"] * 2
    assert len(shop.diary.events("books.differ")) == 2


@both
def test_a_refund_that_only_the_provider_knows_can_be_adopted(shop: Shop) -> None:
    """Made on the provider's own pages it names nothing of ours; the payment that it is of does."""
    shop.open(FINE[shop.name])
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments")
    provider = shop.provider
    if isinstance(provider, StripeLike):
        refund: dict[str, Any] = {
            "id": "re_x",
            "object": "refund",
            "amount": 900,
            "currency": "eur",
            "payment_intent": payment,
            "metadata": {},
            "created": int(shop.clock.at.timestamp()),
            "status": "succeeded",
        }
    else:
        assert isinstance(provider, PayPalLike)
        money = {"value": "9.00", "currency_code": "EUR"}
        up = {"rel": "up", "href": f"{provider.url}/v2/payments/captures/{payment}", "method": "GET"}
        refund = {"id": "REFUNDX", "status": "COMPLETED", "of": payment, "amount": money, "links": [up]}
    provider.refunds[refund["id"]] = refund
    found = differences(shop)
    assert what(found) == [("refund_missing_here", INVOICE, None, 900)]
    assert adopted(shop, found) == [True]
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 900)]
    assert differences(shop) == []


def test_a_refund_is_adopted_for_the_payment_that_the_provider_names(shop: Shop) -> None:
    """Another payment of the invoice is newer, and has enough left; what the provider knows nothing of is no choice."""
    shop.open(FINE["stripe"])
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments")
    with shop.diary.store.transaction() as tx:
        newer = "INSERT INTO payments VALUES ('ag', 'stripe', 'pi_newer', :to, 11900, 'EUR', now(), now())"
        tx.run(newer, to=INVOICE)
    found = [
        Difference(
            agency_id="ag",
            provider="stripe",
            what="refund_missing_here",
            reference=f"re_{of}",
            invoice_id=INVOICE,
            here_minor=None,
            there_minor=900,
            currency="EUR",
            payment=of,
        )
        for of in (payment, "pi_unknown")
    ]
    assert adopted(shop, found) == [True, False]
    assert shop.diary.ask("SELECT payment_reference, reference FROM refunds") == [(payment, f"re_{payment}")]


def test_one_payment_for_two_invoices_is_compared_by_its_sum(shop: Shop) -> None:
    shop.open(FINE["stripe"])
    shop.wait(days=31)
    ((first, _), (_, second)) = shop.diary.ask("SELECT reference, invoice_id FROM payments ORDER BY received_at")
    moved = "INSERT INTO payments VALUES ('ag', 'stripe', :of, :to, {}, 'EUR', now(), '2026-06-01')"
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE payments SET amount_minor = 11800 WHERE reference = :of", of=first)
        tx.run(moved.format(100), of=first, to=second)
    assert differences(shop, 60) == []
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE payments SET amount_minor = 99 WHERE amount_minor = 100")
    assert [(each.what, each.here_minor, each.there_minor) for each in differences(shop, 60)] == [
        ("amount_differs", 11899, 11900)
    ]
    with shop.diary.store.transaction() as tx:
        tx.run("DELETE FROM payments WHERE amount_minor = 99")
        tx.run("UPDATE payments SET amount_minor = 11900")


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_all_pages_of_a_list_are_read(shop: Shop) -> None:
    shop.open("ok")
    shop.wait(days=92)
    assert isinstance(shop.provider, PayPalLike)
    shop.provider.page_size = 1
    assert len(list(shop.gateway.payments_since(shop.clock.at))) == 4
    assert differences(shop, 90) == []


def test_payments_that_upstream_told_of_are_no_business_of_the_reconciliation(shop: Shop) -> None:
    """The checkout took the first payment: its reference is whatever the checkout calls it."""
    paid = {"provider": "stripe", "reference": "checkout-7", "amount_minor": 11900, "currency": "EUR"}
    shop.open("pm_ok", initial_payment={**paid, "paid_at": "2026-05-21T10:00:00Z"})
    shop.wait(hours=1)
    assert (shop.status(), differences(shop)) == ("paid", [])


def run(shop: Shop, line: str, **env: str) -> Result:
    given = {
        "DUECYCLE_DATABASE_URL": shop.diary.store.engine.url.render_as_string(hide_password=False),
        "DUECYCLE_SECRET_MAIN": "sk_test_loopback",
        "DUECYCLE_STRIPE_API": shop.provider.url,
        **env,
    }
    return CliRunner().invoke(commands, line.split(), env=given)


def test_the_command_tells_the_differences_and_its_exit_code_says_so(shop: Shop) -> None:
    shop.open(FINE["stripe"])
    assert (run(shop, "reconcile").exit_code, run(shop, "reconcile").output) == (0, "no differences\n")
    forget(shop)
    assert isinstance(shop.provider, StripeLike)
    for intent in shop.provider.intents.values():
        intent["created"] = 2_000_000_000  # the command goes by the database's clock
    answer = run(shop, "reconcile --json")
    assert answer.exit_code == 1
    assert msgspec.json.decode(answer.output, type=DifferenceRow).what == "missing_here"
    assert (run(shop, "reconcile --apply").exit_code, shop.status()) == (0, "paid")


def test_a_provider_that_cannot_be_asked_is_named(shop: Shop) -> None:
    shop.open(FINE["stripe"])
    for env, says in (
        ({"DUECYCLE_STRIPE_API": "http://127.0.0.1:9"}, "Stripe did not list them"),
        ({"DUECYCLE_SECRET_MAIN": ""}, "stripe can't be asked: secret_missing:main"),
        ({"DUECYCLE_SECRET_MAIN": "nonsense"}, "stripe can't be asked: secret_malformed:main"),
    ):
        answer = run(shop, "reconcile", **env)
        assert (answer.exit_code, says in answer.output) == (1, True)
        assert "no differences" not in answer.output
        assert "1 of 1 accounts could not be asked; nothing was compared" in answer.output
        (row,) = [json.loads(line) for line in run(shop, "reconcile --json", **env).stdout.splitlines()]
        assert (row["agency_id"], row["what"], says in row["why"]) == ("ag", "not_asked", True)
        assert fits(row, UnaskedRow)


def test_a_difference_beside_an_account_that_cannot_be_asked_is_told_with_it(shop: Shop) -> None:
    """What is known of one account is told, and that nothing is known of the other."""
    shop.open(FINE["stripe"])
    shop.diary.say("agency.upserted", shop.clock.at, agency_id="zwei")
    set_ = "account set --provider stripe --test --agency zwei --secret none"
    assert run(shop, set_).exit_code == 0
    answer = run(shop, "reconcile")
    assert answer.exit_code == 1
    assert "1 of 2 accounts could not be asked; no difference in the other 1" in answer.output
    forget(shop)
    assert isinstance(shop.provider, StripeLike)
    for intent in shop.provider.intents.values():
        intent["created"] = 2_000_000_000
    answer = run(shop, "reconcile")
    assert "missing_here" in answer.output
    assert "1 of 2 accounts could not be asked" in answer.output
    assert "no difference in the other 1" in run(shop, "reconcile --apply").output


def test_a_secret_goes_to_its_provider_and_to_nobody_else(shop: Shop) -> None:
    """A stand-in that is not on this machine is refused."""
    shop.open(FINE["stripe"])
    answer = run(shop, "reconcile", DUECYCLE_STRIPE_API="https://stripe.example")
    assert answer.exit_code != 0
    assert "DUECYCLE_STRIPE_API may only name a stand-in" in str(answer.exception)


def test_the_reconciliation_knows_what_was_taken_back(shop: Shop) -> None:
    """A payment that failed after all has left Stripe's list: no difference. One that was lost to a dispute is still listed."""
    shop.open("pm_ok")
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    intent["status"] = "requires_payment_method"
    shop.hook("charge.failed", {"id": "ch_1", "object": "charge", "payment_intent": intent["id"]})
    shop.wait(hours=1)
    assert list(shop.gateway.payments_since(shop.clock.at - timedelta(days=3))) == []
    assert differences(shop) == []
