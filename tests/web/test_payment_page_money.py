"""Money at a payment page that is no longer asked for, or that nobody closed: it is found, and a client is never shut out."""

from datetime import timedelta
from itertools import chain, repeat

import pytest

from shared.gateways.port import LinkRequest, NotSent, NotYetKnowable, Opened, Unknown
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.server import Response
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both
from tests.web.test_crossing import KilledError, die, work
from workers.charges.charge_invoices import Runtime, always, charge_invoices

INVOICE = "inv:sub:2026-06-01"
LINKS = "SELECT link_seq, state FROM pay_links ORDER BY link_seq"
DECLINED = {"stripe": "pm_decline_insufficient_funds", "paypal": "INSTRUMENT_DECLINED"}
FINE = {"stripe": "pm_ok", "paypal": "ok"}


def approved(shop: Shop) -> str:
    """A manual invoice whose client has agreed at PayPal. Returns the order."""
    shop.open("", collection="manual")
    shop.press()
    (page_id,) = shop.payment_pages()
    shop.client_pays(page_id)
    return page_id


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
@pytest.mark.parametrize("taken", ["pending", "answer lost", "worker died"])
@pytest.mark.parametrize("end", ["void", "paid"])
def test_what_was_taken_at_paypal_is_found_though_it_is_not_asked_for_any_more(
    shop: Shop, taken: str, end: str
) -> None:
    """The order was captured, and the invoice ends before we know how that came out: the money is recorded as surplus."""
    page_id = approved(shop)
    assert isinstance(shop.provider, PayPalLike)
    match taken:
        case "pending":
            shop.provider._take(shop.provider.orders[page_id], "pending")
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
def test_a_payment_page_that_nobody_closed_is_not_called_ended(shop: Shop) -> None:
    """The worker is too slow to send the attempt, so it closed nothing either: the client pays there, and it counts."""
    shop.open(DECLINED[shop.name])
    shop.press()
    shop.diary.new_card(shop.clock.at, FINE[shop.name], provider=shop.name, customer="cus_1")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET planned_at = :now, wake_at = :now WHERE state = 'due'", now=shop.clock.at)
    watch = chain([0.0], repeat(1000.0))
    gateways = always({shop.name: shop.gateway})
    charge_invoices(
        Runtime(store=shop.diary.store, gateways=gateways, concurrency=1, monotonic=lambda: next(watch)),
        "ag",
        [INVOICE],
    )
    assert shop.diary.ask("SELECT state FROM pay_links") != [("ended",)]
    if isinstance(shop.provider, StripeLike):
        assert [each["status"] for each in shop.provider.sessions.values()] == ["open"]


def test_a_client_who_changes_his_mind_about_the_tick_is_not_shut_out(shop: Shop) -> None:
    """Each press that asks for another kind of payment page closes the one before: a minute later there is a new one, both
    times."""
    shop.open("", collection="manual")
    assert shop.press().status_code == 303
    for link_seq, keep in enumerate((True, False), start=2):
        assert "preparing a new payment page" in shop.press(keep=keep).text
        shop.wait(minutes=1)
        assert shop.press(keep=keep).status_code == 303
        assert shop.diary.ask(LINKS)[-2:] == [(link_seq - 1, "ended"), (link_seq, "open")]
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


@both
def test_a_press_in_the_last_minutes_of_a_payment_page(shop: Shop) -> None:
    """It is about to expire: closed at once, and there is another; but what the client has paid by then counts."""
    shop.open("", collection="manual")
    shop.press()
    shop.wait(minutes=57)
    assert "preparing a new payment page" in shop.press().text
    shop.wait(minutes=1)
    assert shop.press().status_code == 303
    shop.wait(minutes=57)
    shop.client_pays(shop.payment_pages()[-1])
    shop.press()
    shop.wait(minutes=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


@pytest.mark.parametrize("end", ["void", "other tick"])
def test_a_payment_page_that_is_made_while_it_is_no_longer_asked_for_is_closed(shop: Shop, end: str) -> None:
    """The invoice ends, or the client ticks the box, while Stripe answers; Stripe is away when we would close it at once."""
    shop.open("", collection="manual")
    real_open, real_end = shop.gateway.open_link, shop.gateway.end_link
    away = iter([False])

    def slowly(request: LinkRequest) -> Opened | NotSent | Unknown:
        made = real_open(request)
        shop.gateway.open_link = real_open  # type: ignore[method-assign]
        if end == "void":
            shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
        else:
            shop.press(keep=True)
        return made

    shop.gateway.open_link = slowly  # type: ignore[method-assign]
    shop.gateway.end_link = lambda reference: next(away, True) and real_end(reference)  # type: ignore[method-assign]
    assert shop.press().status_code == 200
    shop.wait(minutes=2)
    assert isinstance(shop.provider, StripeLike)
    assert [each["status"] for each in shop.provider.sessions.values()] == ["expired"]
    assert shop.diary.ask(LINKS) == [(1, "ended")]


def test_a_debit_that_is_under_way_is_not_given_up_for_one_look_that_failed(shop: Shop) -> None:
    """Accepted, pending for two weeks, then Stripe is away for a day, and the secret is missing: it is waited for on."""
    shop.open("", collection="manual")
    shop.press()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(shop.payment_pages()[0], later=True)
    shop.wait(days=14)
    real = shop.gateway.collect_link
    shop.gateway.collect_link = lambda _request, _reference: NotYetKnowable("away")  # type: ignore[method-assign]
    shop.wait(days=1)
    shop.gateway.collect_link = real  # type: ignore[method-assign]
    assert shop.diary.ask(LINKS) == [(1, "paying")]
    gateways = always({"stripe": "secret_missing"})  # type: ignore[dict-item]
    shop.clock.at += timedelta(days=1)
    charge_invoices(Runtime(store=shop.diary.store, gateways=gateways, concurrency=1), "ag", [INVOICE])
    assert shop.diary.ask(LINKS) == [(1, "paying")]
    shop.provider.settle()
    shop.wait(days=1)
    assert (shop.status(), shop.diary.notices("page_payment_in_doubt")) == ("paid", [])


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_what_a_client_agreed_to_and_paypal_refuses_us_is_told(shop: Shop) -> None:
    """The account may not receive money: the agency hears so; the order is forgotten, and both hear that nothing was paid."""
    page_id = approved(shop)
    assert isinstance(shop.provider, PayPalLike)
    refusal = {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "PAYEE_ACCOUNT_RESTRICTED", "description": "No."}]}
    shop.provider._capture = lambda _request: Response(422, refusal)  # type: ignore[method-assign]
    shop.wait(hours=2)
    assert [each.audience for each in shop.diary.notices("account_refused")] == ["agency"]
    assert shop.diary.ask(LINKS) == [(1, "paying")]
    shop.provider.orders.pop(page_id)
    shop.wait(hours=2)
    assert shop.diary.ask(LINKS) == [(1, "ended")]
    assert sorted(each.audience for each in shop.diary.notices("page_payment_failed")) == ["agency", "client"]


@pytest.mark.parametrize("refused", ["credentials", "not enabled"])
def test_an_account_that_may_open_no_payment_page_is_told_to_the_agency_once(shop: Shop, refused: str) -> None:
    """By the tables of refusals, not as an invoice that can't be paid on the page; and once it is mended, the page works."""
    shop.open("", collection="manual")
    assert isinstance(shop.provider, StripeLike)
    secret, shop.provider.secret = shop.provider.secret, "sk_other"
    if refused == "not enabled":
        shop.provider.secret = secret
        body = {"error": {"type": "invalid_request_error", "code": "charges_not_enabled", "message": "No."}}
        shop.provider._open = lambda _asked: Response(400, body)  # type: ignore[method-assign]
    for _ in range(2):
        assert "can't be reached" in shop.press().text
    assert [each.audience for each in shop.diary.notices("account_refused")] == ["agency"]
    assert shop.diary.notices("page_impossible") == []
    shop.provider.secret = secret
    shop.provider.__dict__.pop("_open", None)
    assert shop.press().status_code == 303
