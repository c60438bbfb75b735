"""What a portal answers to our question about money in doubt, and then says once more, is booked once."""

import pytest

from tests.web.conftest import Shop
from tests.web.follow_mails import INVOICE, PAYMENTS, doubt, heard_of_again, mark_paid
from tests.web.mails_of_money import refund_lost

KEY = "SELECT key FROM {}"
NAMES = ["the key", "their id"]


def _named(shop: Shop, name: str, table: str, theirs: str) -> str:
    ((key,),) = shop.diary.ask(KEY.format(table))
    return str(key) if name == "the key" else theirs


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_about_a_charge_said_twice_is_one_payment(shop: Shop, name: str) -> None:
    doubt(shop)
    reference = _named(shop, name, "charges", "pi_00000001")
    mark_paid(shop, reference=reference, amount_minor=11900)
    for said in ({"amount_minor": 11900}, {}):
        again = shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference=reference, **said)
        assert again.state == "repeated"
    other = shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference=reference, amount_minor=11901)
    assert (other.state, other.field) == ("rejected", "data.amount_minor")
    heard_of_again(shop)
    assert shop.diary.ask(PAYMENTS) == [("stripe", 11900)]
    assert shop.diary.notices("surplus_payment") == []


def test_a_charge_that_succeeded_unasked_is_known_by_its_key(shop: Shop) -> None:
    shop.open("pm_ok")
    reference = _named(shop, "the key", "charges", "")
    again = shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference=reference, amount_minor=11900)
    assert again.state == "repeated"
    assert shop.diary.ask(PAYMENTS) == [("stripe", 11900)]


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_the_answer_about_a_refund_said_twice_is_one_refund(shop: Shop, name: str) -> None:
    """Of a part of the invoice, so that there would be room for a second one."""
    refund_lost(shop, amount_minor=5000)
    reference = None if name == "none" else _named(shop, name, "refunds", "re_00000001")
    said = {"invoice_id": INVOICE, "amount_minor": 5000, "reference": reference}
    assert shop.diary.say("invoice.refunded", shop.clock.at, id="one", **said).state == "applied"
    if reference is not None:
        assert shop.diary.say("invoice.refunded", shop.clock.at, id="two", **said).state == "repeated"
        other = shop.diary.say("invoice.refunded", shop.clock.at, id="three", **{**said, "amount_minor": 4999})
        assert (other.state, other.field) == ("rejected", "data.amount_minor")
    assert shop.diary.ask("SELECT state, amount_minor FROM refunds") == [("succeeded", 5000)]
