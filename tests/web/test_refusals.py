"""A provider that refuses: how many calls it sees, under which keys, and who waits, from the wire to the ledger."""

from datetime import timedelta

import pytest

from shared.store import accounts
from tests.gateways.providers.server import Request
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop
from workers.charges.charge_invoices import Runtime, always, charge_invoices
from workers.gateway_accounts import GatewaysOf


def calls(shop: Shop) -> list[Request]:
    """The requests to collect that the provider has seen."""
    posted = ("/v1/payment_intents", "/v2/checkout/orders")
    return [request for request, _ in shop.provider.seen if request.method == "POST" and request.path in posted]


def keys(shop: Shop) -> list[str]:
    name = "idempotency-key" if shop.name == "stripe" else "paypal-request-id"
    return [request.headers[name] for request in calls(shop)]


def unanswered(shop: Shop) -> int:
    with shop.diary.store.transaction() as tx:
        account = accounts.load(tx, "ag", shop.name)
    return 0 if account is None else account.failures + account.pauses


def also(shop: Shop, *tokens: str) -> None:
    """More clients of the agency, each with a method of its own and a subscription from 1 June."""
    shop.diary.open(agency={"gateway": shop.name}, card=None)
    for number, token in enumerate(tokens):
        client = {"client_id": f"c{number}"}
        shop.diary.say("client.upserted", email=f"c{number}@x.example", **client)
        shop.diary.say("payment_method.upserted", provider=shop.name, token=token, customer=f"cus_{number}", **client)
        shop.diary.say("subscription.upserted", subscription_id=f"sub-{number}", **client)


GONE = [("stripe", "pm_refused_resource_missing/payment_method"), ("paypal", "R404_INVALID_RESOURCE_ID")]
NEEDS = [("stripe", "pm_refused_parameter_missing/customer"), ("paypal", "F400_INVALID_PARAMETER_VALUE")]
UNLISTED = [("stripe", "pm_refused_parameter_unknown"), ("paypal", "SHIPPING_ADDRESS_INVALID")]


@pytest.mark.parametrize(("shop", "token"), [*GONE, *NEEDS], indirect=["shop"])
def test_a_method_that_is_refused_is_called_once_and_the_account_works_on(shop: Shop, token: str) -> None:
    """Dunning begins and ends, orders are held, both sides are told at both ends; the account has no trouble."""
    shop.open(token)
    shop.wait(days=20)
    assert len(calls(shop)) == 1
    told = sorted((each.audience, each.occasion) for each in shop.diary.notices())
    assert told == [(who, what) for who in ("agency", "client") for what in ("dunning_exhausted", "payment_failed")]
    assert shop.diary.ask("SELECT state, reason FROM cycles WHERE stream = 'order'") == [("held", "payment_failed")]
    assert unanswered(shop) == 0


@pytest.mark.parametrize(("shop", "token"), UNLISTED, indirect=["shop"])
def test_a_refusal_that_nobody_has_listed_is_a_failure_at_the_third_attempt(shop: Shop, token: str) -> None:
    """Each under a key of its own; then one call on each retry day, and an end that is told."""
    shop.open(token, until="2026-06-01T06:00:00Z")
    assert len(calls(shop)) == 3
    assert len(shop.diary.notices("payment_failed")) == 2
    shop.wait(days=20)
    assert len(calls(shop)) == 9
    assert len(set(keys(shop))) == 9
    assert len(shop.diary.notices("dunning_exhausted")) == 2
    assert unanswered(shop) == 0


def test_while_an_account_is_refused_one_attempt_asks_and_the_others_wait(shop: Shop) -> None:
    """A word to the agency, none to its clients; and once it works again, everything goes out automatically."""
    assert isinstance(shop.provider, StripeLike)
    shop.provider.refuses_account = True
    also(shop, *["pm_ok"] * 6)
    shop.diary.go("2026-06-08T22:00:00Z")
    assert len(calls(shop)) < 50
    assert [(each.audience, each.occasion) for each in shop.diary.notices()] == [("agency", "account_refused")]
    reasons = shop.diary.ask(
        "SELECT DISTINCT split_part(code, ':', 1) FROM charges WHERE state = 'due' AND code IS NOT NULL"
    )
    assert reasons == [("account_refused",)]
    shop.provider.refuses_account = False
    shop.wait(hours=7)
    assert shop.diary.ask("SELECT DISTINCT status FROM invoices") == [("paid",)]
    assert len(shop.money()) == 6
    with shop.diary.store.transaction() as tx:
        assert accounts.refusing(tx, "ag") == {}


def test_an_account_that_is_refused_again_is_told_again(shop: Shop) -> None:
    assert isinstance(shop.provider, StripeLike)
    shop.provider.refuses_account = True
    shop.open("pm_ok")
    shop.wait(hours=1)
    shop.provider.refuses_account = False
    shop.wait(days=1)
    assert shop.status() == "paid"
    shop.provider.refuses_account = True
    shop.wait(days=40)
    assert len(shop.diary.notices("account_refused")) == 2


def test_an_amount_that_is_refused_is_not_asked_for_again_until_it_is_another(shop: Shop) -> None:
    shop.open("pm_refused_amount_too_small")
    shop.wait(days=5)
    assert len(calls(shop)) == 1
    assert [each.occasion for each in shop.diary.notices()] == ["charge_impossible"]
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id="inv:sub:2026-06-01", amount_minor=900, reference="bank")
    shop.wait(hours=7)
    assert len(calls(shop)) == 2
    assert len(set(keys(shop))) == 2


def test_an_amount_that_is_refused_for_one_method_is_asked_for_by_a_new_one(shop: Shop) -> None:
    """Default or not; and the old one sees no second call, whatever else is asked for meanwhile."""
    shop.open("pm_refused_amount_too_large")
    other = {"payment_method_id": "pm-2", "provider": "stripe", "customer": "cus_1", "is_default": False}
    shop.diary.say("payment_method.upserted", shop.clock.at, token="pm_ok", **other)  # noqa: S106
    shop.wait(hours=2)
    assert shop.status() == "paid"
    assert len(calls(shop)) == 2


def test_what_changed_while_it_waited_to_be_sent_again_goes_out_under_another_key(shop: Shop) -> None:
    """Its request was lost before it got there; meanwhile a part was paid, so the old key must not ask for the new outstanding
    amount."""
    assert isinstance(shop.provider, StripeLike)
    shop.provider.weather.append("drop_before")
    shop.open("pm_ok", until="2026-05-31T22:00:01Z")
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id="inv:sub:2026-06-01", amount_minor=900, reference="bank")
    shop.wait(days=1)
    assert shop.money() == ["11000"]
    bodies: dict[str, set[bytes]] = {}
    for key, request in zip(keys(shop), calls(shop), strict=True):
        bodies.setdefault(key, set()).add(request.body)
    assert [len(each) for each in bodies.values()] == [1, 1]


def test_a_new_card_is_tried_though_the_old_one_is_refused_again_and_again(shop: Shop) -> None:
    shop.open("pm_refused_parameter_unknown", until="2026-06-01T06:00:00Z")
    shop.diary.say("payment_method.upserted", shop.clock.at, provider="stripe", token="pm_ok", customer="cus_1")  # noqa: S106
    shop.wait(seconds=1)
    assert shop.status() == "paid"
    assert shop.clock.at - shop.diary.moment("2026-06-01T06:00:00Z", None) < timedelta(minutes=1)


@pytest.mark.parametrize("cause", ["account", "secret", "amount"])
def test_what_waits_ends_with_the_ladder(shop: Shop, cause: str) -> None:
    """Declined on 1 June, with retry days up to the 3rd; what keeps it from going out then does not keep it for ever: both
    hear."""
    assert isinstance(shop.provider, StripeLike)
    dunning = {"retry_days": [1, 2], "on_exhausted": "leave_open"}
    shop.diary.say("agency.upserted", "2026-05-20", gateway="stripe", dunning=dunning)
    shop.open("pm_decline_insufficient_funds")
    shop.provider.refuses_account = cause == "account"
    if cause == "amount":
        shop.diary.new_card(shop.clock.at, "pm_refused_amount_too_small", provider="stripe", customer="cus_1")
    for _ in range(3):
        if cause != "secret":
            shop.wait(days=1)
            continue
        shop.clock.at += timedelta(days=1)
        missing: GatewaysOf = always({"stripe": "secret_missing"})  # type: ignore[dict-item]
        charge_invoices(Runtime(store=shop.diary.store, gateways=missing, concurrency=1), "ag", ["inv:sub:2026-06-01"])
    told = shop.diary.notices("dunning_exhausted")
    assert sorted(each.audience for each in told) == ["agency", "client"]
    reasons = (
        "SELECT DISTINCT context ->> 'reason' FROM notices WHERE occasion = 'dunning_exhausted' AND audience = 'client'"
    )
    assert shop.diary.ask(reasons) == [("not_carried_out",)]
    assert shop.diary.ask("SELECT count(*) FROM charges WHERE wake_at IS NOT NULL") == [(0,)]
    assert shop.status() == "open"
