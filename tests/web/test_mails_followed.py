"""What our mails tell people to do works when it is done to the letter: one story for each occasion, and none is left out.

A story brings the mail about, does what it says with the real message, page or command, and looks at the right end.
"""

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from ops.cli import commands
from shared.acts import books
from shared.acts.books import Difference
from shared.documents.mail import TEXTS
from shared.gateways.port import Declined, NotSent, Unknown
from shared.store import facts
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop
from tests.web.test_taken_back import dispute, payment_of

INVOICE = "inv:sub:2026-06-01"
CLIENT, AGENCY = "accounts@law.example", "office@agency.example"
PAYMENTS = "SELECT source, amount_minor FROM payments ORDER BY received_at, reference"


def mail(shop: Shop, subject: str, to: str) -> str:
    """The newest mail to somebody whose subject begins like that, as it is read."""
    shop.wait(seconds=1)
    texts = [each.read_text() for each in sorted(shop.diary.mails.glob("*.eml"))]
    found = [message_from_string(each, policy=policy.default) for each in texts]
    bodies = [each for each in found if str(each["To"]) == to and str(each["Subject"]).startswith(subject)]
    assert bodies, [(str(each["To"]), str(each["Subject"])) for each in found]
    body = bodies[-1].get_body()  # type: ignore[attr-defined]
    return " ".join(str(body.get_content()).split())


def follow_link(shop: Shop, body: str) -> None:
    """The client opens the address of the mail, presses the button and pays at the provider."""
    (address,) = re.findall(rf"{shop.url}/pay/\S+", body)
    assert "<button" in requests.get(address, timeout=10).text
    assert requests.post(address, timeout=10, allow_redirects=False).status_code == 303
    shop.client_pays(shop.places()[-1])
    shop.wait(hours=2)


def type_command(shop: Shop, body: str, name: str, **filled: str) -> str:
    """Somebody types the command of the mail, with what it leaves open filled in; the pools then work on, at the real time."""
    line = re.search(rf"duecycle ({name} --agency .+?)(?: Invoice:| If it| Your Duecycle|$)", body)
    assert line is not None, body
    words = [filled.get(word, word) for word in shlex.split(line.group(1))]
    env = {
        "DUECYCLE_DATABASE_URL": shop.diary.store.engine.url.render_as_string(hide_password=False),
        "DUECYCLE_STRIPE_API": shop.provider.url,
        "DUECYCLE_SECRET_MAIN": StripeLike.secret,
    }
    done = CliRunner().invoke(commands, words, env=env)
    assert done.exit_code == 0, done.output
    shop.clock.at = datetime.now(UTC)
    shop.diary.world.settle()
    return done.output


def mark_paid(shop: Shop, **said: Any) -> None:
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, **said)
    shop.wait(seconds=1)


def failed(shop: Shop, **agency: Any) -> None:
    shop.open("pm_decline_insufficient_funds")
    if agency:
        shop.diary.say("agency.upserted", dunning=agency)


def doubt(shop: Shop) -> None:
    """Stripe has the money, its answer was lost, and whoever asks hears nothing."""
    real, tries = shop.gateway.charge, iter([True])

    def lost(*asked: Any) -> Unknown:
        if next(tries, False):
            real(*asked)
        return Unknown("lost")

    shop.gateway.charge = lost  # type: ignore[method-assign]
    shop.gateway.lookup = lost_too  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.wait(days=4)


def lost_too(*_: Any) -> Unknown:
    return Unknown("lost")


def heard_of_again(shop: Shop) -> None:
    """Later Stripe is heard again, and says that the money is there."""
    del shop.gateway.lookup
    del shop.gateway.charge
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    shop.hook("payment_intent.succeeded", intent)
    shop.wait(days=1)


def invoice_open(shop: Shop) -> None:
    shop.open("", collection="manual")
    follow_link(shop, mail(shop, "Invoice", CLIENT))
    assert shop.status() == "paid"


def invoice_paid(shop: Shop) -> None:
    shop.open("pm_ok")
    assert "Please" not in mail(shop, "Paid", CLIENT)
    assert "Nothing is left to pay" in shop.page().text


def payment_failed_client(shop: Shop) -> None:
    failed(shop)
    follow_link(shop, mail(shop, "Payment failed", CLIENT))
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def payment_failed_agency(shop: Shop) -> None:
    failed(shop)
    assert "held until it is resolved" in mail(shop, "Payment failed", AGENCY)
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
    assert "mark the invoice as paid once it is" in mail(shop, "Can't be charged", AGENCY)
    mark_paid(shop)
    assert (shop.status(), shop.diary.ask("SELECT state FROM charges")) == ("paid", [("not_sent",)])


def charge_in_doubt(shop: Shop) -> None:
    """The payment is there, and the agency says so by its portal, which knows no reference."""
    doubt(shop)
    assert "tell us that the invoice is paid, with this reference or with none" in mail(shop, "Please check", AGENCY)
    mark_paid(shop)
    heard_of_again(shop)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])
    assert shop.diary.notices("surplus_payment") == []


def refunded(shop: Shop) -> None:
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    assert "Please" not in mail(shop, "Refunded", CLIENT)


def refund_failed(shop: Shop) -> None:
    real = shop.gateway.refund
    shop.gateway.refund = lambda _request: Declined("insufficient_balance")  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=900)
    assert "Ask for the refund again, or give the money back another way" in mail(shop, "Refund failed", AGENCY)
    shop.gateway.refund = real  # type: ignore[method-assign]
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=500)
    shop.diary.say("invoice.refunded", shop.clock.at, invoice_id=INVOICE, amount_minor=400)
    shop.wait(seconds=1)
    states = shop.diary.ask("SELECT state, amount_minor FROM refunds ORDER BY turn")
    assert states == [("failed", 900), ("succeeded", 500), ("succeeded", 400)]


def refund_lost(shop: Shop) -> None:
    """Stripe has given it back, its answer was lost, and whoever asks hears nothing."""
    shop.open("pm_ok")
    shop.provider.weather.append("drop_after")
    shop.gateway.find_refund = lambda *_: Unknown("lost")  # type: ignore[method-assign]
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    real, tries = shop.gateway.refund, iter([True])
    shop.gateway.refund = lambda asked: real(asked) if next(tries, None) else Unknown("lost")  # type: ignore[method-assign]
    shop.wait(days=4)


def refund_in_doubt(shop: Shop) -> None:
    refund_lost(shop)
    assert "tell us that the invoice was refunded, with this reference or with none" in mail(
        shop, "Please check", AGENCY
    )
    shop.diary.say("invoice.refunded", shop.clock.at, invoice_id=INVOICE)
    assert isinstance(shop.provider, StripeLike)
    (refund,) = shop.provider.refunds.values()
    shop.hook("refund.updated", refund)
    shop.wait(days=1)
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 11900)]
    assert shop.diary.ask("SELECT total_minor FROM credit_notes") == [(11900,)]


def dunning_exhausted_client(shop: Shop) -> None:
    """Written off, it is still owed, and taken where the mail says."""
    failed(shop, retry_days=[1], on_exhausted="mark_uncollectible")
    shop.wait(days=3)
    body = mail(shop, "Unpaid", CLIENT)
    assert "Please pay the invoice: it is still owed." in body
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
    assert "tried again by itself as soon as this changes" in mail(shop, "Blocked", AGENCY)
    shop.diary.say("service.upserted", price_minor=10000)
    shop.wait(seconds=1)
    assert len(shop.diary.invoices()) == 1


def series_stopped(shop: Shop) -> None:
    shop.open("", collection="manual")
    shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=31)
    assert "Resume the subscription" in mail(shop, "Invoices stopped", AGENCY)
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


def books_differ(shop: Shop) -> None:
    """A payment that only Stripe knows: what `duecycle reconcile --apply` does, as the mail says."""
    shop.open("", collection="manual")
    found = Difference("ag", "stripe", "missing_here", "pi_9", INVOICE, None, 11900, "EUR")
    with shop.diary.store.transaction() as tx:
        books.tell(tx, facts.require_agency(tx, "ag"), found)
    assert "duecycle reconcile --apply" in mail(shop, "Please check", AGENCY)
    with shop.diary.store.transaction() as tx:
        assert books.adopt(tx, facts.require_agency(tx, "ag"), found)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])


def payment_disputed(shop: Shop) -> None:
    shop.open("pm_ok")
    about = {"id": "dp_1", "object": "dispute", "amount": 11900, "currency": "eur", "payment_intent": payment_of(shop)}
    shop.hook("charge.dispute.created", about)
    assert "answer the dispute in your account there" in mail(shop, "Payment disputed", AGENCY)
    dispute(shop, "won")
    assert shop.status() == "paid"


def surplus_payment(shop: Shop) -> None:
    shop.open("pm_ok")
    mark_paid(shop, amount_minor=500, reference="bank")
    assert "ask for a refund of this amount" in mail(shop, "Surplus payment", AGENCY)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=500)
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 500)]
    assert shop.diary.ask("SELECT count(*) FROM credit_notes") == [(0,)]


def page_impossible(shop: Shop) -> None:
    shop.open("", collection="manual")
    mark_paid(shop, amount_minor=11880, reference="bank")
    shop.page()
    assert "mark the invoice as paid once he has" in mail(shop, "Can't be paid online", AGENCY)
    mark_paid(shop)
    assert shop.status() == "paid"


def bounced(shop: Shop) -> None:
    shop.open("", collection="manual")
    shop.press()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(shop.places()[0], later=True)
    shop.wait(days=1)
    shop.provider.settle(succeeded=False)
    shop.wait(hours=7)


def page_payment_failed_client(shop: Shop) -> None:
    bounced(shop)
    follow_link(shop, mail(shop, "Not paid", CLIENT))
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


def page_payment_failed_agency(shop: Shop) -> None:
    bounced(shop)
    assert "You need do nothing" in mail(shop, "Payment did not go through", AGENCY)
    assert len(shop.diary.notices("page_payment_failed", "client")) == 1


def page_payment_in_doubt(shop: Shop) -> None:
    """The client had paid; the agency names the key, and Stripe is heard again later."""
    shop.open("", collection="manual")
    shop.press()
    (place,) = shop.places()
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(place, later=True)
    shop.wait(hours=2)
    session = shop.provider.sessions.pop(place)
    shop.wait(days=1)
    body = mail(shop, "Please check", AGENCY)
    (key,) = re.findall(r"pay1-\w+", body)
    mark_paid(shop, reference=key)
    shop.provider.sessions[place] = session
    shop.provider.settle()
    shop.hook("checkout.session.async_payment_succeeded", session)
    shop.wait(days=1)
    assert (shop.status(), shop.diary.ask(PAYMENTS)) == ("paid", [("stripe", 11900)])


def payment_reversed_client(shop: Shop) -> None:
    shop.open("pm_ok")
    dispute(shop, "lost")
    follow_link(shop, mail(shop, "Payment taken back", CLIENT))
    assert shop.status() == "paid"


def payment_reversed_agency(shop: Shop) -> None:
    shop.open("pm_ok")
    dispute(shop, "lost")
    assert "mark the invoice as paid; or ask for one more charge" in mail(shop, "Payment taken back", AGENCY)
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    assert (shop.status(), shop.money()) == ("paid", ["11900", "11900"])


def payment_reinstated(shop: Shop) -> None:
    """The client had paid again meanwhile: the mail says how to give it back."""
    shop.open("pm_ok")
    dispute(shop, "lost")
    mark_paid(shop, reference="bank")
    dispute(shop, "won", payment="pi_00000001")
    assert "To give that back, ask for a refund of it" in mail(shop, "Payment came back", AGENCY)
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


STORIES: dict[tuple[str, str], Callable[[Shop], None]] = {
    ("invoice_open", "client"): invoice_open,
    ("invoice_paid", "client"): invoice_paid,
    ("payment_failed", "client"): payment_failed_client,
    ("payment_failed", "agency"): payment_failed_agency,
    ("action_required", "client"): action_required,
    ("charge_impossible", "agency"): charge_impossible,
    ("charge_in_doubt", "agency"): charge_in_doubt,
    ("refunded", "client"): refunded,
    ("refund_failed", "agency"): refund_failed,
    ("refund_in_doubt", "agency"): refund_in_doubt,
    ("dunning_exhausted", "client"): dunning_exhausted_client,
    ("dunning_exhausted", "agency"): dunning_exhausted_agency,
    ("cycle_blocked", "agency"): cycle_blocked,
    ("series_stopped", "agency"): series_stopped,
    ("first_invoice_missing", "agency"): first_invoice_missing,
    ("books_differ", "agency"): books_differ,
    ("payment_disputed", "agency"): payment_disputed,
    ("surplus_payment", "agency"): surplus_payment,
    ("page_impossible", "agency"): page_impossible,
    ("page_payment_failed", "client"): page_payment_failed_client,
    ("page_payment_failed", "agency"): page_payment_failed_agency,
    ("page_payment_in_doubt", "agency"): page_payment_in_doubt,
    ("payment_reversed", "client"): payment_reversed_client,
    ("payment_reversed", "agency"): payment_reversed_agency,
    ("payment_reinstated", "agency"): payment_reinstated,
    ("reversal_in_doubt", "agency"): reversal_in_doubt,
}


@pytest.mark.parametrize("told", TEXTS, ids=lambda told: "-".join(told))
def test_a_mail_that_is_followed_to_the_letter(shop: Shop, told: tuple[str, str]) -> None:
    """Generated from the texts: a new occasion needs a story here."""
    STORIES[told](shop)


def test_the_other_half_of_the_mail_about_a_charge_in_doubt(shop: Shop) -> None:
    """There is no such payment: whoever runs Duecycle types the command, Stripe is asked once more, and it goes out."""
    shop.gateway.charge = lost_too  # type: ignore[method-assign]
    shop.gateway.lookup = lost_too  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.wait(days=4)
    body = mail(shop, "Please check", AGENCY)
    del shop.gateway.charge
    said = type_command(shop, body, "charge resolve")
    assert "no longer remembers the key" in said
    assert (shop.status(), shop.money()[:1]) == ("paid", ["11900"])
    assert [each.invoice_id for each in shop.provider.ledger].count(INVOICE) == 1


def test_a_wrong_word_about_a_charge_in_doubt_charges_nobody(shop: Shop) -> None:
    """Somebody says that there is none, but Stripe, asked once more, has it: it is recorded, and nothing goes out."""
    doubt(shop)
    body = mail(shop, "Please check", AGENCY)
    del shop.gateway.charge
    assert "does know it: it was paid by pi_00000001" in type_command(shop, body, "charge resolve")
    found = shop.diary.ask("SELECT reference FROM payments WHERE invoice_id = :id", id=INVOICE)
    assert found == [("pi_00000001",)]
    assert [each.invoice_id for each in shop.provider.ledger].count(INVOICE) == 1


@pytest.mark.parametrize("reference", ["the key", "pi_00000001"])
def test_the_reference_of_the_mail_or_stripes_own_name_the_attempt(shop: Shop, reference: str) -> None:
    doubt(shop)
    ((key,),) = shop.diary.ask("SELECT key FROM charges")
    mark_paid(shop, reference=key if reference == "the key" else reference)
    heard_of_again(shop)
    assert shop.diary.ask(PAYMENTS) == [("stripe", 11900)]


def test_other_money_stays_money_of_its_own(shop: Shop) -> None:
    """A transfer with a reference of its own, while an attempt is in doubt, is recorded beside it; it is told as surplus."""
    doubt(shop)
    mark_paid(shop, reference="bank 17")
    heard_of_again(shop)
    assert sorted(shop.diary.ask(PAYMENTS)) == [("stripe", 11900), ("upstream", 11900)]
    assert len(shop.diary.notices("surplus_payment")) == 1


def test_the_other_half_of_the_mail_about_a_refund_in_doubt(shop: Shop) -> None:
    """There is no such refund: the command says so, and it is asked for again."""
    shop.gateway.refund = lambda _request: Unknown("lost")  # type: ignore[method-assign]
    shop.gateway.find_refund = lambda *_: Unknown("lost")  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=4)
    type_command(shop, mail(shop, "Please check", AGENCY), "refund resolve")
    del shop.gateway.refund
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.diary.go(shop.clock.at + timedelta(seconds=1))
    assert shop.diary.ask("SELECT state FROM refunds ORDER BY turn") == [("failed",), ("succeeded",)]
