"""Questions about money that was taken back: one asked again is answered again."""

from datetime import timedelta

import pytest

from shared.gateways.port import TakenBack
from tests.gateways.providers.disputes import stand
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both
from tests.web.test_taken_back import FINE, INVOICE, OPEN_AGAIN, PAID, STANDS, payment_of, told
from workers.charges.ask_taken_back import ask, claim_questions, settle_question
from workers.charges.charge_invoices import always

LEASE = timedelta(minutes=2)
ASKED = "SELECT state, amount_minor FROM payment_inquiries"


def hook(shop: Shop, status: str, *, created: bool = False) -> None:
    """The provider tells of a dispute that stands like that; nobody has asked yet."""
    about = stand(shop.provider, "dp_1", payment_of(shop), 11900, status)
    if shop.name == "stripe":
        shop.hook("charge.dispute.created" if created else "charge.dispute.closed", about)
    else:
        shop.hook("CUSTOMER.DISPUTE.CREATED" if created else "CUSTOMER.DISPUTE.RESOLVED", about, "dispute")


def test_an_answer_that_is_older_than_the_question_does_not_close_it(shop: Shop) -> None:
    """We ask, and are told that nothing is lost; before that is written the dispute is lost, and a webhook says so."""
    shop.open(FINE["stripe"])
    hook(shop, "under_review")
    (question,) = claim_questions(shop.diary.store, always({"stripe": shop.gateway}), "ag", [INVOICE], LEASE)
    found = ask(question)
    assert found == TakenBack(0, "EUR")
    shop.clock.at += timedelta(seconds=1)
    hook(shop, "lost")
    settle_question(shop.diary.store, "ag", question.inquiry, found)
    with shop.diary.store.transaction() as tx:
        assert [tuple(row) for row in tx.rows(ASKED)] == [("asking", None)]
    shop.wait(minutes=1)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN


@both
def test_a_dispute_that_is_lost_from_its_beginning(shop: Shop) -> None:
    """A returned debit comes as one webhook alone, that a dispute was created: it is told, and asked about."""
    shop.open(FINE[shop.name])
    hook(shop, "lost", created=True)
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN
    assert (told(shop, "payment_disputed"), told(shop, "payment_reversed")) == (["agency"], ["agency", "client"])


@both
def test_a_dispute_that_is_only_begun_changes_nothing(shop: Shop) -> None:
    shop.open(FINE[shop.name])
    hook(shop, "under_review", created=True)
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == PAID
    assert (told(shop, "payment_disputed"), told(shop, "payment_reversed")) == (["agency"], [])


def test_an_answer_that_can_not_be_recorded_keeps_no_other_from_being_so(shop: Shop) -> None:
    """More than any column holds is gone by one dispute: that question is set aside with it, and the other one counts."""
    shop.open(FINE["stripe"])
    for name, lost in (("dp_1", 10**20), ("dp_2", 4000)):
        about = stand(shop.provider, name, payment_of(shop), lost, "lost")
        shop.hook("charge.dispute.closed", about)
    shop.wait(minutes=1)
    (((state, code),),) = [
        shop.diary.ask("SELECT state, left(code, 22) FROM payment_inquiries WHERE reference = 'dp_1'")
    ]
    assert (state, code) == ("asking", "unrecorded: taken_back")
    assert shop.diary.ask("SELECT sum(amount_minor) FROM payment_reversals") == [(4000,)]
    assert len(shop.diary.events("inquiry.unrecorded")) == 1


def test_a_dispute_that_is_lost_over_money_that_was_refunded_is_told_to_the_agency(shop: Shop) -> None:
    """Nobody owes it, so the client and the invoice hear nothing; but it is gone twice."""
    shop.open(FINE["stripe"])
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(seconds=1)
    for _ in range(2):
        hook(shop, "lost")
        shop.wait(seconds=1)
    assert (shop.diary.ask(STANDS), told(shop, "payment_reversed")) == (PAID, ["agency"])
    assert shop.diary.ask("SELECT count(*) FROM payment_reversals") == [(0,)]


@pytest.mark.parametrize("shop", ["paypal"], indirect=True)
@pytest.mark.parametrize(("back", "gone"), [("200.00", 11900), ("50.00", None)])
def test_a_dispute_over_several_payments_is_asked_about_for_each(shop: Shop, back: str, gone: int | None) -> None:
    """Of a payment that is none of ours, too: only our share counts, and only if it can be told from the other."""
    shop.open(FINE["paypal"])
    capture = payment_of(shop)
    about = stand(shop.provider, "PP-D-1", capture, 20000, "lost")
    money = {id_: {"value": value, "currency_code": "EUR"} for id_, value in (("OTHER", "81.00"), (capture, "119.00"))}
    about["disputed_transactions"] = [{"seller_transaction_id": id_, "gross_amount": of} for id_, of in money.items()]
    about["dispute_outcome"]["amount_refunded"] = {"value": back, "currency_code": "EUR"}
    shop.hook("CUSTOMER.DISPUTE.RESOLVED", about, "dispute")
    shop.wait(seconds=1)
    assert shop.diary.ask("SELECT reference, amount_minor FROM payment_inquiries") == [(f"PP-D-1#{capture}", gone)]
    assert shop.diary.ask(STANDS) == (PAID if gone is None else OPEN_AGAIN)


@pytest.mark.parametrize("name", ["ch_0", "a key of ours"])
def test_a_payment_that_is_recorded_under_another_name_is_found(shop: Shop, name: str) -> None:
    """Upstream told of it by the id of its charge, or a person by our key."""
    paid = {"provider": "stripe", "reference": name, "amount_minor": 11900, "currency": "EUR"}
    shop.open(FINE["stripe"], initial_payment={**paid, "paid_at": "2026-05-20T08:00:00Z"})
    assert isinstance(shop.provider, StripeLike)
    if name == "ch_0":
        about = stand(shop.provider, "dp_1", "pi_0", 11900, "lost")
        shop.hook("charge.dispute.closed", {**about, "charge": name})
    else:
        intent = {
            "id": "pi_0",
            "object": "payment_intent",
            "amount": 11900,
            "currency": "eur",
            "metadata": {"key": name},
            "created": int(shop.clock.at.timestamp()),
            "livemode": False,
            "capture_method": "automatic",
            "confirmation_method": "automatic",
            "payment_method_types": ["sepa_debit"],
        }
        shop.provider.intents["pi_0"] = {**intent, "status": "requires_payment_method"}
        shop.hook("payment_intent.payment_failed", shop.provider.intents["pi_0"])
    shop.wait(seconds=1)
    assert shop.diary.ask(STANDS) == OPEN_AGAIN
