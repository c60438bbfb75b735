"""What our mails tell people to do works when it is done to the letter: one story for each occasion, and none is left out.

A story brings the mail about, does what it says with the real message, page or command, and looks at the right end.
"""

from datetime import timedelta

import pytest

from shared.documents.mail import TEXTS
from shared.gateways.port import Unknown
from tests.web.conftest import Shop
from tests.web.follow_mails import (
    AGENCY,
    INVOICE,
    PAYMENTS,
    doubt,
    heard_of_again,
    lost_too,
    mail,
    mark_paid,
    type_command,
)
from tests.web.mails_of_attempts import ATTEMPTS
from tests.web.mails_of_money import MONEY

STORIES = {**ATTEMPTS, **MONEY}


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
    assert "found it after all: it was paid by pi_00000001" in type_command(shop, body, "charge resolve")
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
    assert sorted(shop.diary.ask(PAYMENTS)) == [("stripe", 11900), ("upstream:/portal", 11900)]
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
    assert shop.diary.ask("SELECT state FROM refunds ORDER BY refund_seq") == [("failed",), ("succeeded",)]
