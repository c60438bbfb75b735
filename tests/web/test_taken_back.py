"""Money taken back: recorded row by row as the provider says, the invoice open and failing again, both sides told once."""

import pytest

from tests.gateways.providers.disputes import stand
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both

FINE = {"stripe": "pm_ok", "paypal": "ok"}
OTHER = {"stripe": "pm_another", "paypal": "later"}
INVOICE = "inv:sub:2026-06-01"
ROWS = "SELECT reference, reversal_seq, amount_minor, kind FROM payment_reversals ORDER BY reference, reversal_seq"
STANDS = "SELECT status, failing_since IS NOT NULL, failing_code FROM invoices WHERE invoice_id = 'inv:sub:2026-06-01'"
OPEN_AGAIN = [("open", True, "payment_reversed")]
PAID = [("paid", False, None)]


def payment_of(shop: Shop) -> str:
    ((reference,),) = shop.diary.ask("SELECT reference FROM payments")
    return str(reference)


def dispute(shop: Shop, status: str, amount: int = 11900, id_: str = "dp_1", *, payment: str | None = None) -> None:
    """A dispute stands like that at the provider, which says so by a webhook."""
    about = stand(shop.provider, id_, payment or payment_of(shop), amount, status)
    if isinstance(shop.provider, StripeLike):
        shop.hook("charge.dispute.closed", about)
    else:
        shop.hook("CUSTOMER.DISPUTE.RESOLVED", about, "dispute")
    shop.wait(seconds=1)


def reverse(shop: Shop, value: str, id_: str = "REVERSAL0001") -> None:
    """PayPal takes money of the capture back, and says so by a refund that nobody asked for."""
    assert isinstance(shop.provider, PayPalLike)
    amount = {"value": value, "currency_code": "EUR"}
    refund = {"id": id_, "status": "COMPLETED", "of": payment_of(shop), "amount": amount}
    shop.provider.refunds[id_] = refund
    up = f"https://api.paypal.example/v2/payments/captures/{payment_of(shop)}"
    shop.hook("PAYMENT.CAPTURE.REVERSED", {**refund, "links": [{"rel": "up", "href": up, "method": "GET"}]}, "refund")
    shop.wait(seconds=1)


def told(shop: Shop, occasion: str) -> list[str]:
    return sorted(each.audience for each in shop.diary.notices(occasion))


@both
def test_a_lost_dispute_opens_the_invoice_again(shop: Shop) -> None:
    """Both are told once, however often it is said; nothing is collected automatically, though the next one is paid."""
    shop.open(FINE[shop.name])
    assert shop.diary.ask(STANDS) == PAID
    for _ in range(3):
        dispute(shop, "lost")
    assert shop.diary.ask(STANDS) == OPEN_AGAIN
    assert shop.diary.ask(ROWS) == [("dp_1", 1, 11900, "dispute")]
    assert told(shop, "payment_reversed") == ["agency", "client"]
    (event,) = shop.diary.events("payment.reversed")
    assert (event.data["amount_minor"], event.data["payment_reference"]) == (11900, payment_of(shop))
    assert len(shop.diary.events("invoice.failing")) == 1
    shop.wait(days=45)  # July's invoice is paid by the same method meanwhile
    assert (shop.diary.ask(STANDS), len(shop.diary.charges(INVOICE))) == (OPEN_AGAIN, 1)
    assert shop.status("inv:sub:2026-07-01") == "paid"
    assert shop.diary.ask("SELECT count(*) FROM credit_notes") == [(0,)]
    july = [each for each in shop.diary.cycles(stream="order") if each.starts_on.month == 7]
    assert [(each.state, each.blocking_invoice_id) for each in july] == [("held", INVOICE)]


@both
@pytest.mark.parametrize("reason", ["a new method", "the agency asks", "the client pays", "marked as paid"])
def test_it_is_paid_again_for_a_reason(shop: Shop, reason: str) -> None:
    """Each reason pays it, its orders go out, and the client hears of each time that it was paid."""
    shop.open(FINE[shop.name])
    dispute(shop, "lost")
    match reason:
        case "a new method":
            shop.diary.new_card(shop.clock.at, OTHER[shop.name], provider=shop.name, customer="cus_1")
        case "the agency asks":
            shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
        case "the client pays":
            shop.press()
            shop.client_pays(shop.payment_pages()[-1])
        case _:
            shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank")
    shop.wait(hours=2)
    assert shop.diary.ask(STANDS) == PAID
    assert told(shop, "invoice_paid") == ["client", "client"]
    shop.wait(days=10)
    assert len(shop.money()) == (1 if reason == "marked as paid" else 2)


def test_what_a_checkout_had_paid_is_charged_once_there_is_a_new_method(shop: Shop) -> None:
    """It was never charged, for the checkout took the money; now that is gone, and a new method is tried as on any other."""
    paid = {"provider": "stripe", "reference": "pi_0", "amount_minor": 11900, "currency": "EUR"}
    shop.open(FINE["stripe"], initial_payment={**paid, "paid_at": "2026-05-20T08:00:00Z"})
    dispute(shop, "lost")
    assert (shop.diary.ask(STANDS), shop.diary.charges(INVOICE)) == (OPEN_AGAIN, [])
    shop.diary.new_card(shop.clock.at, OTHER["stripe"], provider="stripe", customer="cus_1")
    shop.wait(minutes=1)
    assert (shop.diary.ask(STANDS), shop.money()) == (PAID, ["11900"])


@both
def test_a_dispute_that_is_won_in_the_end(shop: Shop) -> None:
    """Lost, then won: the invoice is paid again. Paid meanwhile: what comes back is surplus, and can be refunded."""
    shop.open(FINE[shop.name])
    dispute(shop, "lost")
    dispute(shop, "won")
    assert shop.diary.ask(STANDS) == PAID
    assert shop.diary.ask(ROWS) == [("dp_1", 1, 11900, "dispute"), ("dp_1", 2, -11900, "dispute")]
    assert (told(shop, "payment_reinstated"), told(shop, "invoice_paid")) == (["agency"], ["client", "client"])
    payment = payment_of(shop)
    dispute(shop, "lost", payment=payment)
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank")
    dispute(shop, "won", payment=payment)
    assert shop.diary.ask(STANDS) == PAID
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=11900)
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT state, payment_reference FROM refunds") == [("succeeded", payment)]
    assert shop.diary.ask("SELECT count(*) FROM credit_notes") == [(0,)]


def test_what_a_webhook_says_of_a_dispute_is_not_believed(shop: Shop) -> None:
    """It says lost; Stripe, asked, says that it is open, then that there is none: nothing moves."""
    shop.open(FINE["stripe"])
    dispute(shop, "under_review")
    said = {"id": "dp_9", "object": "dispute", "amount": 11900, "currency": "eur", "status": "lost"}
    shop.hook("charge.dispute.closed", {**said, "payment_intent": payment_of(shop)})
    shop.wait(seconds=1)
    assert (shop.diary.ask(STANDS), shop.diary.ask(ROWS)) == (PAID, [])


def test_a_question_that_nobody_answers_has_an_end_and_a_listener(shop: Shop) -> None:
    """Stripe does not know the dispute: after three days the agency is told, after thirty it is asked no more."""
    shop.open(FINE["stripe"])
    about = {"id": "dp_9", "object": "dispute", "amount": 1, "currency": "eur", "payment_intent": payment_of(shop)}
    shop.hook("charge.dispute.closed", about)
    shop.wait(days=2)
    assert told(shop, "reversal_in_doubt") == []
    shop.wait(days=2)
    assert told(shop, "reversal_in_doubt") == ["agency"]
    shop.wait(days=28)
    assert shop.diary.ask("SELECT state, wake_at FROM payment_inquiries") == [("unanswered", None)]
    assert (told(shop, "reversal_in_doubt"), shop.diary.ask(ROWS)) == (["agency"], [])


def test_a_part_that_is_disputed_is_a_part_that_is_owed(shop: Shop) -> None:
    """19.00 of 119.00: the page asks for that alone; refunds never give back what is gone."""
    shop.open(FINE["stripe"])
    dispute(shop, "lost", 1900)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN
    assert "Pay 19.00 EUR" in shop.page().text
    shop.press()
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)
    assert (shop.diary.ask(STANDS), shop.money()) == (PAID, ["11900", "1900"])
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT amount_minor FROM refunds ORDER BY refund_seq") == [(1900,), (10000,)]
    assert shop.diary.ask("SELECT sum(total_minor) FROM credit_notes") == [(11900,)]


@pytest.mark.parametrize("end", ["void", "surplus"])
def test_money_that_the_invoice_did_not_ask_for(shop: Shop, end: str) -> None:
    """Of a void invoice, or beyond the total: told to the agency, and the client is asked for nothing."""
    shop.open("", collection="manual")
    if end == "void":
        shop.press()
        shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE)
        shop.client_pays(shop.payment_pages()[0])  # in the same minute
        shop.hook("checkout.session.completed", shop.provider.sessions[shop.payment_pages()[0]])  # type: ignore[union-attr]
    else:
        shop.press()
        shop.client_pays(shop.payment_pages()[0])
        shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank")
    shop.wait(hours=2)
    ((payment,),) = shop.diary.ask("SELECT reference FROM payments WHERE source = 'stripe'")
    dispute(shop, "lost", payment=str(payment))
    assert shop.status() == ("void" if end == "void" else "paid")
    assert told(shop, "payment_reversed") == ["agency"]


def test_a_debit_that_fails_after_it_had_succeeded(shop: Shop) -> None:
    """No dispute: the payment intent itself asks for another method. By its webhook we ask, and it is as gone."""
    shop.open(FINE["stripe"])
    assert isinstance(shop.provider, StripeLike)
    (intent,) = shop.provider.intents.values()
    shop.hook("payment_intent.payment_failed", {**intent, "status": "requires_payment_method"})
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == PAID  # it says so, Stripe does not
    intent["status"] = "requires_payment_method"
    shop.hook("charge.failed", {"id": "ch_1", "object": "charge", "payment_intent": intent["id"]})
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN
    assert shop.diary.ask(ROWS) == [(intent["id"], 1, 11900, "payment")]


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_paypals_dispute_and_its_reversal_are_one(shop: Shop) -> None:
    """A part is reversed, and a dispute over the same part is decided: it is gone once. More by a second reversal counts."""
    shop.open(FINE["paypal"])
    reverse(shop, "40.00")
    dispute(shop, "lost", 4000, "PP-D-1")
    assert shop.diary.ask(ROWS) == [("REVERSAL0001", 1, 4000, "reversal")]
    reverse(shop, "79.00", "REVERSAL0002")
    assert shop.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(11900,)]
    assert shop.diary.ask("SELECT count(*) FROM refunds") == [(0,)]
    assert shop.diary.ask(STANDS) == OPEN_AGAIN


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
def test_a_capture_that_is_denied_after_all(shop: Shop) -> None:
    shop.open(FINE["paypal"])
    assert isinstance(shop.provider, PayPalLike)
    (order,) = shop.provider.orders.values()
    (capture,) = order["purchase_units"][0]["payments"]["captures"]
    capture["status"] = "DECLINED"
    shop.hook("PAYMENT.CAPTURE.DENIED", capture, "capture")
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN


@pytest.mark.parametrize("again", ["refund.requested", "invoice.refunded"])
def test_a_refund_that_bounced_is_repeated_with_one_credit_note(shop: Shop, again: str) -> None:
    """The client's bank sends it back: it can be asked for again, or be given back outside; the credit note stands as it is."""
    shop.open(FINE["stripe"])
    assert isinstance(shop.provider, StripeLike)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    (refund,) = shop.provider.refunds.values()
    refund.update(status="failed", failure_reason="expired_or_canceled_card", amount=0)
    for _ in range(2):
        shop.hook("refund.failed", refund)
        shop.wait(seconds=1)
    assert shop.diary.ask("SELECT state, code FROM refunds") == [("failed", "returned")]
    assert told(shop, "refund_failed") == ["agency"]
    shop.diary.say(again, shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT refund_seq, state, amount_minor FROM refunds ORDER BY refund_seq") == [
        (1, "failed", 11900),
        (2, "succeeded", 11900),
    ]
    assert shop.diary.ask("SELECT total_minor FROM credit_notes") == [(11900,)]


def test_a_refund_that_was_refused_leaves_more_to_be_gone(shop: Shop) -> None:
    """A refund is under way when a dispute over all of it is lost: what the refund did not give is gone, too."""
    shop.open(FINE["stripe"])
    assert isinstance(shop.provider, StripeLike)
    shop.provider.refunds_are = "pending"
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE, amount_minor=5000)
    shop.wait(seconds=1)
    dispute(shop, "lost")
    assert shop.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(6900,)]
    (refund,) = shop.provider.refunds.values()
    refund["status"] = "failed"
    shop.hook("refund.updated", refund)
    shop.wait(seconds=2)
    assert shop.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(11900,)]


@both
def test_a_payment_of_the_page_that_fails_after_the_thanks_is_told(shop: Shop) -> None:
    """A debit at Stripe's page bounces days later; what was approved at PayPal is denied: client and agency hear of it once."""
    shop.open("", collection="manual")
    shop.press()
    (page_id,) = shop.payment_pages()
    if isinstance(shop.provider, StripeLike):
        assert shop.provider.pay(page_id, later=True)
        shop.wait(days=1)
        shop.provider.settle(succeeded=False)
        shop.hook("checkout.session.async_payment_failed", shop.provider.sessions[page_id])
    else:
        shop.client_pays(page_id)
        shop.provider._take(shop.provider.orders[page_id], "pending")
        shop.wait(days=1)
        shop.provider.settle("DECLINED")
    shop.wait(hours=7)
    assert told(shop, "page_payment_failed") == ["agency", "client"]
    assert shop.diary.ask("SELECT state FROM pay_links") == [("ended",)]
    assert len(shop.diary.events("link.failed")) == 1
    shop.press()
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
