"""Two ways to the same money at the same moment: one of them waits, or is not taken."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from shared.billing.refund_payments import request
from shared.gateways.port import ChargeRequest, Declined, Found, Sent, Succeeded
from shared.store import facts, invoices
from shared.store.locks import lock_subscriptions
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both
from workers.charges.charge_invoices import Runtime, always, charge_invoices
from workers.charges.refund_payments import ask, claim_refunds, settle_refund

INVOICE = "inv:sub:2026-06-01"
DECLINED = {"stripe": "pm_decline_insufficient_funds", "paypal": "INSTRUMENT_DECLINED"}
FINE = {"stripe": "pm_ok", "paypal": "ok"}
LEASE = timedelta(minutes=2)


class KilledError(BaseException):
    """A worker's end."""


def die(moment: str) -> Callable[[str], None]:
    def between(now: str) -> None:
        if now == moment:
            raise KilledError

    return between


def work(shop: Shop, between: Callable[[str], None] = lambda _moment: None) -> None:
    runtime = Runtime(
        store=shop.diary.store, gateways=always({shop.name: shop.gateway}), concurrency=1, between=between
    )
    charge_invoices(runtime, "ag", [INVOICE])


@both
def test_what_is_in_doubt_is_not_sent_again_once_the_invoice_is_paid_otherwise(shop: Shop) -> None:
    """The request never got through. Sent again it would be carried out now, for money that nobody owes any more."""
    shop.provider.weather.append("drop_before")
    shop.open(FINE[shop.name], until="2026-05-31T22:00:01Z")
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank")
    shop.wait(days=2)
    assert (shop.status(), shop.money()) == ("paid", [])
    assert shop.diary.notices("surplus_payment") == []


@both
def test_a_changed_outstanding_amount_is_not_collected_by_the_old_request(shop: Shop) -> None:
    """A part was paid while the attempt was in doubt: what goes out next is for the outstanding amount, or nothing does."""
    shop.provider.weather.append("drop_before")
    shop.open(FINE[shop.name], until="2026-05-31T22:00:01Z")
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank", amount_minor=1900)
    shop.wait(days=2)
    assert shop.money() == (["10000"] if shop.name == "stripe" else [])


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_an_approved_order_is_not_taken_while_an_attempt_is_under_way(shop: Shop) -> None:
    """The attempt went through, and its worker died before it could say so; meanwhile the client approved at PayPal."""
    shop.open(DECLINED["paypal"])
    shop.press()
    (page_id,) = shop.payment_pages()
    shop.diary.new_card(shop.clock.at, "ok", provider="paypal")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET planned_at = :now, wake_at = :now WHERE state = 'due'", now=shop.clock.at)
    with pytest.raises(KilledError):
        work(shop, die("answered"))
    shop.client_pays(page_id)
    work(shop)
    assert len(shop.money()) == 1
    shop.wait(hours=3)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


def refund(shop: Shop) -> None:
    with shop.diary.store.transaction() as tx:
        lock_subscriptions(tx, [("ag", "sub")], wait=True)
        invoice = invoices.load(tx, "ag", [INVOICE])[INVOICE]
        request(tx, facts.require_agency(tx, "ag"), invoice, 1000, None)


@both
def test_a_late_answer_about_a_refund_is_not_written(shop: Shop) -> None:
    """A worker slept past its lease, another one asked meanwhile: only the second answer counts, and one refund is made."""
    shop.open(FINE[shop.name])
    refund(shop)
    gateways = always({shop.name: shop.gateway})
    (late,) = claim_refunds(shop.diary.store, gateways, "ag", [INVOICE], LEASE)
    assert claim_refunds(shop.diary.store, gateways, "ag", [INVOICE], LEASE) == []
    shop.clock.at += LEASE
    (second,) = claim_refunds(shop.diary.store, gateways, "ag", [INVOICE], LEASE)
    found = ask(second)
    assert isinstance(found, Succeeded)
    settle_refund(shop.diary.store, "ag", late, Declined("late"))
    assert shop.diary.ask("SELECT state FROM refunds") == [("sending",)]
    settle_refund(shop.diary.store, "ag", second, found)
    settle_refund(shop.diary.store, "ag", late, ask(late))
    assert shop.diary.ask("SELECT state, reference FROM refunds") == [("succeeded", found.reference)]
    assert len(shop.provider.returned) == 1


@both
@pytest.mark.parametrize("moment", ["refund_claimed", "refund_answered"])
def test_a_worker_that_dies_in_a_refund_leaves_one_refund(shop: Shop, moment: str) -> None:
    shop.open(FINE[shop.name])
    refund(shop)
    with pytest.raises(KilledError):
        work(shop, die(moment))
    shop.wait(hours=1)
    assert shop.diary.ask("SELECT state FROM refunds") == [("succeeded",)]
    assert len(shop.provider.returned) == 1


def test_a_refund_that_may_have_gone_out_stays_in_doubt_when_the_resend_is_refused(shop: Shop) -> None:
    """That it was refused now says nothing about before: as one that never went out, it would go out again after the key."""
    shop.open(FINE["stripe"])
    refund(shop)
    with pytest.raises(KilledError):
        work(shop, die("refund_answered"))
    shop.provider.weather.append("rate_limited")
    shop.clock.at += LEASE
    work(shop)
    assert shop.diary.ask("SELECT state FROM refunds") == [("unknown",)]
    shop.clock.at += timedelta(days=2)
    shop.provider.prune()
    shop.wait(hours=1)
    assert shop.diary.ask("SELECT state FROM refunds") == [("succeeded",)]
    assert len(shop.provider.returned) == 1


@both
@pytest.mark.parametrize("moment", ["link_claimed", "link_answered"])
def test_a_worker_that_dies_at_a_payment_page_takes_the_money_once(shop: Shop, moment: str) -> None:
    shop.open("", collection="manual")
    shop.press()
    shop.client_pays(shop.payment_pages()[0])
    with pytest.raises(KilledError):
        work(shop, die(moment))
    shop.wait(hours=2)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert shop.diary.ask("SELECT count(*) FROM payments") == [(1,)]


def test_a_method_that_slows_us_down_halves_the_rate(shop: Shop) -> None:
    """429: the attempt goes out again under its key, nobody is told, and the account is asked half as often."""
    shop.provider.weather.append("rate_limited")
    shop.open(FINE["stripe"], until="2026-05-31T22:00:01Z")
    assert shop.diary.ask("SELECT slowdown FROM gateway_accounts") == [(1,)]
    shop.wait(hours=1)
    assert isinstance(shop.provider, StripeLike)
    assert (shop.status(), len(shop.provider.intents)) == ("paid", 1)
    assert shop.diary.notices("payment_failed") == []


def test_an_attempt_is_looked_for_since_it_was_first_sent(shop: Shop) -> None:
    """Sent, not found, sent again a day later: a first request that arrived late, and made money move, is found too."""
    asked: list[Sent] = []
    real = shop.gateway.lookup
    shop.provider.weather.append("drop_before")
    shop.open("pm_ok", until="2026-05-31T22:00:01Z")
    first = shop.clock.at

    def lookup(request: ChargeRequest, today: date, sent: Sent) -> Found:
        asked.append(sent)
        return real(request, today, sent)

    shop.gateway.lookup = lookup  # type: ignore[method-assign]
    shop.clock.at += timedelta(days=1)
    work(shop)
    shop.provider.weather.append("drop_before")
    work(shop)
    shop.clock.at += timedelta(days=1)
    work(shop)
    assert [abs(sent.at - first) < timedelta(minutes=1) for sent in asked] == [True, True]
