"""Outcome → what client and agency are told, once each: every row of the table in docs/operating/payments.md, as it happens."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.billing import reconciliation
from shared.billing.reconciliation import Difference
from shared.gateways.port import Declined, NotSent, Unknown
from shared.store import facts
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop
from tests.web.told_beside import BESIDE

PAGE = (Path(__file__).parents[2] / "docs" / "operating" / "payments.md").read_text("utf-8")
TABLE = PAGE.partition("## Who is notified of what")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| (?!outcome)(.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
INVOICE = "inv:sub:2026-06-01"
FRAUD = ("stolen", "lost", "fraud", "pickup")
Told = list[tuple[str, str]]


def rows() -> dict[str, tuple[str, str]]:
    """outcome → (what the client is told, what the agency is told), as the page says."""
    return {
        name: (client.strip("`"), agency.strip("`")) for name, client, agency in ROW.findall(TABLE) if name != "---"
    }


def told(shop: Shop) -> Told:
    """What was told so far, each with its audience; mails that never mention what a bank suspects."""
    for mail in shop.diary.mails.glob("*.eml"):
        text = mail.read_text()
        assert "To: accounts@law.example" not in text or not [word for word in FRAUD if word in text.lower()]
    return sorted((each.audience, each.occasion) for each in shop.diary.notices())


def since(shop: Shop, before: Told) -> Told:
    found = told(shop)
    for each in before:
        found.remove(each)
    return found


def succeeded(shop: Shop) -> Told:
    shop.open("pm_ok")
    return told(shop)


def settled_later(shop: Shop) -> Told:
    shop.open("pm_processing")
    shop.wait(days=1)
    assert told(shop) == []
    shop.provider.settle()
    shop.wait(hours=7)
    return told(shop)


def declined(shop: Shop) -> Told:
    shop.open("pm_decline_insufficient_funds")
    return told(shop)


def declined_again(shop: Shop) -> Told:
    before = declined(shop)
    shop.wait(days=4)
    return since(shop, before)


def one_retry_left(shop: Shop) -> Told:
    before = declined(shop)
    shop.wait(days=10)
    return since(shop, before)


def exhausted(shop: Shop) -> Told:
    declined(shop)
    shop.wait(days=10)
    before = told(shop)
    shop.wait(days=5)
    return since(shop, before)


def stolen(shop: Shop) -> Told:
    shop.open("pm_decline_stolen_card")
    shop.wait(days=3)
    return told(shop)


def confirmation(shop: Shop) -> Told:
    shop.open("pm_action")
    shop.wait(days=3)
    return told(shop)


def no_method(shop: Shop) -> Told:
    shop.open("")
    shop.wait(days=3)
    return told(shop)


def answer_lost(shop: Shop) -> Told:
    shop.provider.weather.append("drop_after")
    shop.open("pm_ok", until="2026-05-31T22:00:01Z")
    assert told(shop) == []
    shop.wait(hours=1)
    return told(shop)


def nobody_knows(shop: Shop) -> Told:
    shop.gateway.charge = lambda _request, _today: Unknown("lost")  # type: ignore[method-assign]
    shop.gateway.lookup = lambda *_: Unknown("lost")  # type: ignore[method-assign]
    shop.open("pm_ok")
    shop.wait(days=2)
    assert told(shop) == []
    shop.wait(days=12)
    return told(shop)


def not_sent(shop: Shop) -> Told:
    answers = iter([NotSent("", "unreachable"), NotSent("", "rate_limited")] * 2)
    real = shop.gateway.charge
    shop.gateway.charge = lambda *of: next(answers, None) or real(*of)  # type: ignore[method-assign]
    shop.open("pm_processing")
    shop.wait(days=1)
    assert next(answers, None) is None
    return told(shop)


def method_gone(shop: Shop) -> Told:
    shop.open("pm_refused_resource_missing/payment_method")
    shop.wait(days=3)
    return told(shop)


def refused_three_times(shop: Shop) -> Told:
    shop.open("pm_refused_parameter_unknown", until="2026-05-31T22:30:00Z")
    assert told(shop) == []
    shop.wait(hours=5)
    return told(shop)


def account_refused(shop: Shop) -> Told:
    assert isinstance(shop.provider, StripeLike)
    shop.provider.secret = "sk_test_rotated"  # noqa: S105
    shop.open("pm_ok")
    shop.wait(days=3)
    return told(shop)


def refused_while_dunning(shop: Shop) -> Told:
    """The card was declined, and is then refused for a reason that no table lists: the ladder goes on."""
    assert isinstance(shop.provider, StripeLike)
    shop.open("pm_decline_insufficient_funds")
    before = told(shop)
    real = shop.gateway.charge
    refused = iter([NotSent("", "parameter_unknown", key_spent=True)])
    shop.gateway.charge = lambda *of: next(refused, None) or real(*of)  # type: ignore[method-assign]
    shop.wait(days=2)
    assert next(refused, None) is None
    return since(shop, before)


def asked_and_declined(shop: Shop) -> Told:
    shop.open("pm_decline_insufficient_funds", collection="manual")
    before = told(shop)
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=20)
    return since(shop, before)


def asked_and_succeeded(shop: Shop) -> Told:
    shop.open("pm_ok", collection="manual")
    before = told(shop)
    shop.diary.say("charge.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=1)
    return since(shop, before)


def not_payable(shop: Shop) -> Told:
    shop.diary.say("agency.upserted", "2026-05-20", gateway="stripe")
    shop.diary.say("client.upserted")
    shop.diary.say("service.upserted", price_minor=20)
    shop.diary.say("payment_method.upserted", provider="stripe", token="pm_ok")  # noqa: S106
    shop.diary.say("subscription.upserted", "2026-05-21")
    shop.diary.go("2026-06-04")
    return told(shop)


def no_account(shop: Shop) -> Told:
    shop.open("")
    before = told(shop)
    shop.diary.new_card(shop.clock.at, "a", provider="paypal")
    shop.wait(hours=5)
    assert shop.diary.ask("SELECT DISTINCT code FROM charges WHERE state = 'due'") == [("gateway_missing",)]
    return since(shop, before)


def paid_on_the_page(shop: Shop) -> Told:
    shop.open("", collection="manual")
    before = told(shop)
    shop.press()
    shop.client_pays(shop.payment_pages()[0])
    shop.wait(hours=2)
    return since(shop, before)


def too_much(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, amount_minor=500, reference="bank")
    shop.wait(hours=2)
    return since(shop, before)


def refunded(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    shop.diary.say("refund.requested", shop.clock.at, invoice_id=INVOICE)
    shop.wait(days=4)
    return since(shop, before)


def refund_refused(shop: Shop) -> Told:
    shop.gateway.refund = lambda _request: Declined("charge_already_refunded")  # type: ignore[method-assign]
    return refunded(shop)


def refund_in_doubt(shop: Shop) -> Told:
    shop.gateway.refund = lambda _request: Unknown("lost")  # type: ignore[method-assign]
    shop.gateway.find_refund = lambda _request, _sent: Unknown("lost")  # type: ignore[method-assign]
    return refunded(shop)


def disputed(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    about = {"id": "dp_1", "object": "dispute", "amount": 11900, "currency": "eur", "payment_intent": "pi_00000001"}
    for _ in range(2):
        shop.hook("charge.dispute.created", about)
    shop.wait(hours=1)
    return since(shop, before)


def books_differ(shop: Shop) -> Told:
    shop.open("pm_ok")
    before = told(shop)
    difference = Difference(
        agency_id="ag",
        provider="stripe",
        what="paid_twice",
        reference="pi_2",
        invoice_id=INVOICE,
        here_minor=11900,
        there_minor=23800,
        currency="EUR",
    )
    for _ in range(2):
        with shop.diary.store.transaction() as tx:
            reconciliation.tell(tx, facts.require_agency(tx, "ag"), difference)
    shop.wait(hours=1)
    return since(shop, before)


STORIES: dict[str, Callable[[Shop], Told]] = {
    "succeeded": succeeded,
    "pending, then settled": settled_later,
    "declined, retryable": declined,
    "declined again, at a retry in between": declined_again,
    "declined, one attempt left": one_retry_left,
    "the last retry failed": exhausted,
    "declined for good (stolen card)": stolen,
    "needs the client's confirmation": confirmation,
    "no payment method": no_method,
    "answer lost, money had moved": answer_lost,
    "answer lost, outcome unknown for three days": nobody_knows,
    "not sent: unreachable, or too many requests": not_sent,
    "refused: the client's method is gone at the provider": method_gone,
    "refused three times, for an unlisted reason": refused_three_times,
    "refused: the agency's account": account_refused,
    "refused for an unlisted reason, while dunning is running": refused_while_dunning,
    "requested where nothing is collected automatically, and declined": asked_and_declined,
    "requested where nothing is collected automatically, and succeeded": asked_and_succeeded,
    "not sent: the amount can't be collected": not_payable,
    "not sent: no account, or its secret is missing": no_account,
    "paid on our page": paid_on_the_page,
    "more was paid than was due": too_much,
    "refunded": refunded,
    "refund refused": refund_refused,
    "refund in doubt for three days": refund_in_doubt,
    "payment disputed": disputed,
    "the provider's records differ from ours": books_differ,
    **BESIDE,
}


def test_every_row_of_the_table_has_its_story() -> None:
    assert list(rows()) == list(STORIES)


@pytest.mark.parametrize("outcome", STORIES)
def test_who_is_told(shop: Shop, outcome: str) -> None:
    client, agency = rows()[outcome]
    expected = [(audience, what) for audience, what in (("agency", agency), ("client", client)) if what != "–"]
    assert STORIES[outcome](shop) == expected
