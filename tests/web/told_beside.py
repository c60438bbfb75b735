"""Who is told of money that moves beside an attempt to collect: stories for the table of who is told what."""

from collections.abc import Callable
from typing import Any

from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop

Told = list[tuple[str, str]]
INVOICE = "inv:sub:2026-06-01"


def told(shop: Shop) -> Told:
    return sorted((each.audience, each.occasion) for each in shop.diary.notices())


def since(shop: Shop, before: Told) -> Told:
    found = told(shop)
    for each in before:
        found.remove(each)
    return found


def dispute(shop: Shop, status: str) -> dict[str, Any]:
    """A dispute about the first payment stands like that at Stripe."""
    assert isinstance(shop.provider, StripeLike)
    about = {"id": "dp_1", "object": "dispute", "amount": 11900, "currency": "eur", "payment_intent": "pi_00000001"}
    shop.provider.disputes["dp_1"] = {**about, "status": status}
    return about


def debit(shop: Shop) -> str:
    """The client has paid on the page by a debit, which settles in some days. Returns the payment page."""
    shop.open("", collection="manual")
    shop.press()
    (page_id,) = shop.payment_pages()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(page_id, later=True)
    shop.wait(hours=2)
    return page_id


def page_failed(shop: Shop) -> Told:
    debit(shop)
    before = told(shop)
    shop.provider.settle(succeeded=False)
    shop.wait(days=2)
    return since(shop, before)


def page_in_doubt(shop: Shop) -> Told:
    page_id = debit(shop)
    before = told(shop)
    shop.provider.sessions.pop(page_id)  # type: ignore[union-attr]
    shop.wait(days=12)
    return since(shop, before)


def page_impossible(shop: Shop) -> Told:
    shop.open("", collection="manual")
    before = told(shop)
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, amount_minor=11880, reference="bank")
    shop.wait(seconds=1)
    for _ in range(2):
        shop.page()
    shop.wait(days=1)
    return since(shop, before)


def taken_back(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    about = dispute(shop, "lost")
    for _ in range(2):
        shop.hook("charge.dispute.closed", about)
    shop.wait(days=20)
    return since(shop, before)


def given_back_again(shop: Shop) -> Told:
    shop.open("pm_ok")
    about = dispute(shop, "lost")
    shop.hook("charge.dispute.closed", about)
    shop.wait(days=1)
    before = told(shop)
    dispute(shop, "won")
    shop.hook("charge.dispute.funds_reinstated", about)
    shop.wait(days=1)
    return since(shop, before)


def nobody_says(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    shop.hook("charge.dispute.closed", {**dispute(shop, "lost"), "id": "dp_unknown"})
    shop.wait(days=20)
    return since(shop, before)


def sent_back(shop: Shop) -> Told:
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=1)
    before = told(shop)
    (refund,) = shop.provider.refunds.values()
    refund["status"] = "failed"
    for _ in range(2):
        shop.hook("refund.failed", refund)
    shop.wait(days=4)
    return since(shop, before)


def overdue_holds(shop: Shop) -> Told:
    shop.open("", collection="manual")
    before = told(shop)
    shop.diary.say("agency.upserted", hold_on="overdue")
    shop.diary.go("2026-07-03")
    return [each for each in since(shop, before) if each[1] != "invoice_open"]  # the invoices of the other months


def checkout_without_invoice(shop: Shop) -> Told:
    paid = {
        "provider": "stripe",
        "reference": "pi",
        "amount_minor": 1,
        "currency": "EUR",
        "paid_at": "2026-05-21T00:00:00Z",
    }
    shop.open("", status="paused", initial_payment=paid)
    return told(shop)


def undelivered(shop: Shop) -> Told:
    """An address that was taken before such were refused."""
    shop.open("pm_ok", until="2026-05-31T12:00:00Z")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE clients SET email = 'accounts@law..example'")
    shop.wait(days=2)
    return [each for each in told(shop) if each != ("client", "invoice_paid")]  # the mail that was not delivered


BESIDE: dict[str, Callable[[Shop], Told]] = {
    "paid on our page, and the payment did not go through": page_failed,
    "paid on our page, outcome unknown": page_in_doubt,
    "the amount can't be paid on our page": page_impossible,
    "a payment was reversed": taken_back,
    "a reversed payment was reinstated": given_back_again,
    "possibly reversed, outcome unknown for three days": nobody_says,
    "a refund was returned by the client's bank": sent_back,
    "an overdue invoice holds orders (`hold_on: overdue`)": overdue_holds,
    "the checkout took money, and there is no invoice for it": checkout_without_invoice,
    "a mail to the client could not be delivered": undelivered,
}
