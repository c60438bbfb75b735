"""Mails about invoices and attempts to collect them, each followed to its end."""

from collections.abc import Callable

from shared.gateways.port import NotSent
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop
from tests.web.follow_mails import (
    AGENCY,
    CLIENT,
    INVOICE,
    PAYMENTS,
    doubt,
    failed,
    follow_link,
    heard_of_again,
    mail,
    mark_paid,
    type_command,
)


def invoice_open(shop: Shop) -> None:
    shop.open("", collection="manual")
    follow_link(shop, mail(shop, "Invoice", CLIENT))
    assert shop.status() == "paid"


def invoice_paid(shop: Shop) -> None:
    shop.open("pm_ok")
    assert "Please" not in mail(shop, "Paid", CLIENT)
    assert "There is nothing left to pay" in shop.page().text


def payment_failed_client(shop: Shop) -> None:
    failed(shop)
    follow_link(shop, mail(shop, "Payment failed", CLIENT))
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def payment_failed_agency(shop: Shop) -> None:
    failed(shop)
    assert "on hold until this is resolved" in mail(shop, "Payment failed", AGENCY)
    assert shop.diary.orders() == []
    mark_paid(shop)
    assert len(shop.diary.orders()) == 1


def action_required(shop: Shop) -> None:
    shop.open("pm_action")
    follow_link(shop, mail(shop, "Please confirm", CLIENT))
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def charge_impossible(shop: Shop) -> None:
    shop.gateway.charge = lambda *_: NotSent("", "amount_too_large")  # type: ignore[method-assign]
    shop.open("pm_ok")
    assert "Mark the invoice as paid once your client has paid you another way" in mail(
        shop, "Can't be charged", AGENCY
    )
    mark_paid(shop)
    assert (shop.status(), shop.diary.ask("SELECT state FROM charges")) == ("paid", [("not_sent",)])


def charge_answered(shop: Shop) -> None:
    """It did not succeed, and nothing is tried automatically; the agency asks for another one, as the mail says."""
    shop.open("pm_decline_insufficient_funds", collection="manual")
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    assert "You can request another charge" in mail(shop, "Not charged", AGENCY)
    shop.wait(days=20)
    assert len(shop.diary.charges(INVOICE)) == 1
    shop.diary.new_card(shop.clock.at, "pm_ok", provider="stripe", customer="cus_1")
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    assert "has been collected" in mail(shop, "Charged", AGENCY)
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def account_refused(shop: Shop) -> None:
    """The agency puts its account in order; what was due goes out within six hours."""
    assert isinstance(shop.provider, StripeLike)
    shop.provider.refuses_account = True
    shop.open("pm_ok")
    shop.wait(days=2)
    assert "will be made within six hours" in mail(shop, "Your Stripe account is not working", AGENCY)
    shop.provider.refuses_account = False
    shop.wait(hours=6)
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def charge_in_doubt(shop: Shop) -> None:
    """The payment is there, and the agency says so by its portal, which knows no reference."""
    doubt(shop)
    assert "mark the invoice as paid, with or without this reference" in mail(shop, "Please check", AGENCY)
    mark_paid(shop)
    heard_of_again(shop)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])
    assert shop.diary.notices("surplus_payment") == []


def dunning_exhausted_client(shop: Shop) -> None:
    """Written off, it is still owed, and taken where the mail says."""
    failed(shop, retry_days=[1], on_exhausted="mark_uncollectible")
    shop.wait(days=3)
    body = mail(shop, "Unpaid", CLIENT)
    assert "Please pay the invoice: it is still due." in body
    follow_link(shop, body)
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def dunning_exhausted_agency(shop: Shop) -> None:
    failed(shop, retry_days=[1])
    shop.wait(days=3)
    assert "mark the invoice as paid" in mail(shop, "Dunning ended", AGENCY)
    mark_paid(shop)
    assert (shop.status(), len(shop.diary.orders())) == ("paid", 1)


def cycle_blocked(shop: Shop) -> None:
    shop.diary.open(agency={"gateway": "stripe"}, service={"price_minor": None}, card=None)
    shop.diary.say("subscription.upserted", "2026-05-21")
    shop.wait(days=15)
    assert "retried automatically once this is fixed" in mail(shop, "Blocked", AGENCY)
    shop.diary.say("service.upserted", price_minor=10000)
    shop.wait(seconds=1)
    assert len(shop.diary.invoices()) == 1


def series_stopped(shop: Shop) -> None:
    shop.open("", collection="manual")
    shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=31)
    assert "Resume the subscription" in mail(shop, "Invoicing stopped", AGENCY)
    shop.diary.say("subscription.resumed", shop.clock.at)
    shop.wait(days=31)
    assert shop.diary.invoices()[-1].status == "open"


def first_invoice_missing(shop: Shop) -> None:
    shop.open("", checkout="manual", until="2026-07-02T08:00:00Z")
    assert "once you have issued it" in mail(shop, "First invoice missing", AGENCY)
    lines = [{"description": "June", "quantity": 1, "unit_price_minor": 10000}]
    shop.diary.say("invoice.issued", shop.clock.at, issued_on="2026-07-02", lines=lines)
    shop.wait(days=32)
    assert [each.origin for each in shop.diary.invoices()] == ["manual", "automatic"]


def mail_undelivered(shop: Shop) -> None:
    """The address was taken before such were refused; it is corrected, and the operator types the command."""
    shop.open("", collection="manual", until="2026-05-31T12:00:00Z")
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE clients SET email = 'accounts@law..example'")
    shop.wait(days=2)
    body = mail(shop, "Not delivered", AGENCY)
    assert "(accounts@law..example) could not be delivered: its recipient's address is not valid" in body
    shop.diary.say("client.upserted", email=CLIENT)
    assert "1 of 1 mails" in type_command(shop, body, "notices send")
    assert "Invoice" in mail(shop, "Invoice", CLIENT)


ATTEMPTS: dict[tuple[str, str], Callable[[Shop], None]] = {
    ("invoice_open", "client"): invoice_open,
    ("invoice_paid", "client"): invoice_paid,
    ("payment_failed", "client"): payment_failed_client,
    ("payment_failed", "agency"): payment_failed_agency,
    ("action_required", "client"): action_required,
    ("charge_impossible", "agency"): charge_impossible,
    ("charge_answered", "agency"): charge_answered,
    ("account_refused", "agency"): account_refused,
    ("charge_in_doubt", "agency"): charge_in_doubt,
    ("dunning_exhausted", "client"): dunning_exhausted_client,
    ("dunning_exhausted", "agency"): dunning_exhausted_agency,
    ("cycle_blocked", "agency"): cycle_blocked,
    ("series_stopped", "agency"): series_stopped,
    ("first_invoice_missing", "agency"): first_invoice_missing,
    ("mail_undelivered", "agency"): mail_undelivered,
}
