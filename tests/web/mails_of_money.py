"""Mails about money beside an attempt, each followed to its end: refunded, reversed, paid on a page, not as expected."""

import re
from collections.abc import Callable
from typing import Any

from shared.billing import reconciliation
from shared.billing.reconciliation import Difference
from shared.gateways.port import Declined, Unknown
from shared.store import facts
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop
from tests.web.follow_mails import (
    AGENCY,
    CLIENT,
    INVOICE,
    PAYMENTS,
    follow_link,
    mail,
    mark_paid,
    type_command,
)
from tests.web.test_taken_back import dispute, payment_of


def refunded(shop: Shop) -> None:
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    assert "Please" not in mail(shop, "Refunded", CLIENT)


def refund_failed(shop: Shop) -> None:
    real = shop.gateway.refund
    shop.gateway.refund = lambda _request: Declined("insufficient_balance")  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=900)
    assert "Request the refund again, or refund your client another way" in mail(shop, "Refund failed", AGENCY)
    shop.gateway.refund = real  # type: ignore[method-assign]
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=500)
    shop.diary.say("invoice.refunded", shop.clock.at, invoice_id=INVOICE, amount_minor=400)
    shop.wait(seconds=1)
    states = shop.diary.ask("SELECT state, amount_minor FROM refunds ORDER BY refund_seq")
    assert states == [("failed", 900), ("succeeded", 500), ("succeeded", 400)]


def refund_lost(shop: Shop, **said: Any) -> None:
    """Stripe has given it back, its answer was lost, and whoever asks hears nothing."""
    shop.open("pm_ok")
    shop.provider.weather.append("drop_after")
    shop.gateway.find_refund = lambda *_: Unknown("lost")  # type: ignore[method-assign]
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, **said)
    real, tries = shop.gateway.refund, iter([True])
    shop.gateway.refund = lambda asked: real(asked) if next(tries, None) else Unknown("lost")  # type: ignore[method-assign]
    shop.wait(days=4)


def refund_in_doubt(shop: Shop) -> None:
    refund_lost(shop)
    assert "mark the invoice as refunded, with or without this reference" in mail(shop, "Please check", AGENCY)
    shop.diary.say("invoice.refunded", shop.clock.at, invoice_id=INVOICE)
    assert isinstance(shop.provider, StripeLike)
    (refund,) = shop.provider.refunds.values()
    shop.hook("refund.updated", refund)
    shop.wait(days=1)
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 11900)]
    assert shop.diary.ask("SELECT total_minor FROM credit_notes") == [(11900,)]


def books_differ(shop: Shop) -> None:
    """A payment that only Stripe knows: what `duecycle reconcile --apply` does, as the mail says."""
    shop.open("", collection="manual")
    found = Difference(
        agency_id="ag",
        provider="stripe",
        what="missing_here",
        reference="pi_9",
        invoice_id=INVOICE,
        here_minor=None,
        there_minor=11900,
        currency="EUR",
    )
    with shop.diary.store.transaction() as tx:
        reconciliation.tell(tx, facts.require_agency(tx, "ag"), found)
    assert "duecycle reconcile --apply" in mail(shop, "Please check", AGENCY)
    with shop.diary.store.transaction() as tx:
        assert reconciliation.adopt(tx, facts.require_agency(tx, "ag"), found)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])


def payment_disputed(shop: Shop) -> None:
    shop.open("pm_ok")
    about = {"id": "dp_1", "object": "dispute", "amount": 11900, "currency": "eur", "payment_intent": payment_of(shop)}
    shop.hook("charge.dispute.created", about)
    assert "respond to the dispute in your Stripe account" in mail(shop, "Payment disputed", AGENCY)
    dispute(shop, "won")
    assert shop.status() == "paid"


def surplus_payment(shop: Shop) -> None:
    shop.open("pm_ok")
    mark_paid(shop, amount_minor=500, reference="bank")
    assert "request a refund of this amount" in mail(shop, "Surplus payment", AGENCY)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=500)
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 500)]
    assert shop.diary.ask("SELECT count(*) FROM credit_notes") == [(0,)]


def overdue(shop: Shop) -> None:
    """The order of July is held by the invoice of June."""
    shop.open("", collection="manual")
    shop.diary.say("agency.upserted", hold_on="overdue")
    shop.diary.go("2026-07-01T08:00:00Z")


def invoice_overdue_client(shop: Shop) -> None:
    overdue(shop)
    follow_link(shop, mail(shop, "Overdue", CLIENT))
    assert shop.status() == "paid"


def invoice_overdue_agency(shop: Shop) -> None:
    overdue(shop)
    assert "on hold until it is paid or voided" in mail(shop, "Overdue", AGENCY)
    mark_paid(shop)
    assert [each.cycle_starts_on.isoformat() for each in shop.diary.orders()] == ["2026-06-01"]


def page_impossible(shop: Shop) -> None:
    shop.open("", collection="manual")
    mark_paid(shop, amount_minor=11880, reference="bank")
    shop.page()
    assert "mark the invoice as paid once they have" in mail(shop, "Can't be paid online", AGENCY)
    mark_paid(shop)
    assert shop.status() == "paid"


def bounced(shop: Shop) -> None:
    shop.open("", collection="manual")
    shop.press()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(shop.payment_pages()[0], later=True)
    shop.wait(days=1)
    shop.provider.settle(succeeded=False)
    shop.wait(hours=7)


def page_payment_failed_client(shop: Shop) -> None:
    bounced(shop)
    follow_link(shop, mail(shop, "Not paid", CLIENT))
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def page_payment_failed_agency(shop: Shop) -> None:
    bounced(shop)
    assert "No action is needed" in mail(shop, "Payment did not go through", AGENCY)
    assert len(shop.diary.notices("page_payment_failed", "client")) == 1


def page_payment_in_doubt(shop: Shop) -> None:
    """The client had paid; the agency names the key, and Stripe is heard again later."""
    shop.open("", collection="manual")
    shop.press()
    (page_id,) = shop.payment_pages()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(page_id, later=True)
    shop.wait(hours=2)
    session = shop.provider.sessions.pop(page_id)
    shop.wait(days=1)
    body = mail(shop, "Please check", AGENCY)
    (key,) = re.findall(r"pay\d-\w+", body)
    mark_paid(shop, reference=key)
    shop.provider.sessions[page_id] = session
    shop.provider.settle()
    shop.hook("checkout.session.async_payment_succeeded", session)
    shop.wait(days=1)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])


def payment_reversed_client(shop: Shop) -> None:
    shop.open("pm_ok")
    dispute(shop, "lost")
    follow_link(shop, mail(shop, "Payment reversed", CLIENT))
    assert shop.status() == "paid"


def payment_reversed_agency(shop: Shop) -> None:
    shop.open("pm_ok")
    dispute(shop, "lost")
    assert "mark the invoice as paid; or request one more charge" in mail(shop, "Payment reversed", AGENCY)
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    assert (shop.status(), shop.money()) == ("paid", ["11900", "11900"])


def payment_reinstated(shop: Shop) -> None:
    """The client had paid again meanwhile: the mail says how to give it back."""
    shop.open("pm_ok")
    dispute(shop, "lost")
    mark_paid(shop, reference="bank")
    dispute(shop, "won", payment="pi_00000001")
    assert "To return that, request a refund of it" in mail(shop, "Payment reinstated", AGENCY)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=11900)
    shop.wait(seconds=1)
    assert (shop.status(), shop.diary.ask("SELECT state FROM refunds")) == ("paid", [("succeeded",)])


def reversal_in_doubt(shop: Shop) -> None:
    shop.open("pm_ok")
    about = {"id": "dp_9", "object": "dispute", "amount": 1, "currency": "eur", "payment_intent": payment_of(shop)}
    shop.hook("charge.dispute.closed", about)
    shop.wait(days=4)
    type_command(shop, mail(shop, "Please check", AGENCY), "refund taken-back", AMOUNT="11900")
    assert shop.status() == "open"


MONEY: dict[tuple[str, str], Callable[[Shop], None]] = {
    ("refunded", "client"): refunded,
    ("refund_failed", "agency"): refund_failed,
    ("refund_in_doubt", "agency"): refund_in_doubt,
    ("books_differ", "agency"): books_differ,
    ("payment_disputed", "agency"): payment_disputed,
    ("surplus_payment", "agency"): surplus_payment,
    ("invoice_overdue", "client"): invoice_overdue_client,
    ("invoice_overdue", "agency"): invoice_overdue_agency,
    ("page_impossible", "agency"): page_impossible,
    ("page_payment_failed", "client"): page_payment_failed_client,
    ("page_payment_failed", "agency"): page_payment_failed_agency,
    ("page_payment_in_doubt", "agency"): page_payment_in_doubt,
    ("payment_reversed", "client"): payment_reversed_client,
    ("payment_reversed", "agency"): payment_reversed_agency,
    ("payment_reinstated", "agency"): payment_reinstated,
    ("reversal_in_doubt", "agency"): reversal_in_doubt,
}
