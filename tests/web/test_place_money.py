"""Money at a place that is no longer asked for, or that nobody closed: it is found, and a client is never shut out."""

from itertools import chain, repeat

import pytest

from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both
from tests.web.test_crossing import KilledError, die, work
from workers.charges.charge_invoices import Runtime, always, charge_invoices

INVOICE = "inv:sub:2026-06-01"
LINKS = "SELECT turn, state FROM pay_links ORDER BY turn"
DECLINED = {"stripe": "pm_decline_insufficient_funds", "paypal": "INSTRUMENT_DECLINED"}
FINE = {"stripe": "pm_ok", "paypal": "ok"}


def approved(shop: Shop) -> str:
    """A manual invoice whose client has agreed at PayPal. Returns the order."""
    shop.open("", collection="manual")
    shop.press()
    (place,) = shop.places()
    shop.client_pays(place)
    return place


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
@pytest.mark.parametrize("taken", ["pending", "answer lost", "worker died"])
@pytest.mark.parametrize("end", ["void", "paid"])
def test_what_was_taken_at_paypal_is_found_though_it_is_not_asked_for_any_more(
    shop: Shop, taken: str, end: str
) -> None:
    """The order was captured, and the invoice ends before we know how that came out: the money is recorded as surplus."""
    place = approved(shop)
    assert isinstance(shop.provider, PayPalLike)
    match taken:
        case "pending":
            shop.provider._take(shop.provider.orders[place], "pending")
        case "answer lost":
            shop.provider.weather.append("drop_after")
    if taken == "worker died":
        with pytest.raises(KilledError):
            work(shop, die("link_answered"))
    else:
        with shop.diary.store.transaction() as tx:
            tx.run("UPDATE pay_links SET wake_at = :at", at=shop.clock.at)
        work(shop)
    if end == "void":
        shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
    else:
        shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank")
    shop.wait(hours=1)
    shop.provider.settle()
    shop.wait(days=1)
    assert len(shop.money()) == 1
    assert shop.diary.ask("SELECT amount_minor FROM payments WHERE source = 'paypal'") == [(11900,)]
    assert shop.diary.ask(LINKS) == [(1, "paid")]
    assert [each.audience for each in shop.diary.notices("surplus_payment")] == ["agency"]


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_an_order_whose_capture_never_came_is_not_taken_for_a_void_invoice(shop: Shop) -> None:
    """The capture was lost on its way: the order still waits, and nothing is taken of it."""
    approved(shop)
    shop.provider.weather.append("drop_before")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE pay_links SET wake_at = :at", at=shop.clock.at)
    work(shop)
    shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=1)
    assert (shop.money(), shop.diary.ask(LINKS)) == ([], [(1, "ended")])


@both
def test_a_place_that_nobody_closed_is_not_called_ended(shop: Shop) -> None:
    """The worker is too slow to send the attempt, so it closed nothing either: the client pays there, and it counts."""
    shop.open(DECLINED[shop.name])
    shop.press()
    shop.diary.new_card(shop.clock.at, FINE[shop.name], provider=shop.name, customer="cus_1")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET planned_at = :now, wake_at = :now WHERE state = 'due'", now=shop.clock.at)
    watch = chain([0.0], repeat(1000.0))
    gateways = always({shop.name: shop.gateway})
    charge_invoices(Runtime(shop.diary.store, gateways, concurrency=1, monotonic=lambda: next(watch)), "ag", [INVOICE])
    assert shop.diary.ask("SELECT state FROM pay_links") != [("ended",)]
    if isinstance(shop.provider, StripeLike):
        assert [each["status"] for each in shop.provider.sessions.values()] == ["open"]
