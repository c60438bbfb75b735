"""Every payment page ends: with its invoice at once, by what the provider says, and at the latest on its last day."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from shared.domain.pay_links import ANSWERS, STANDINGS, VERDICTS
from shared.gateways.port import (
    Declined,
    Expired,
    Gone,
    NotSent,
    NotYetKnowable,
    OnlineGateway,
    Pending,
    Succeeded,
    Unknown,
)
from shared.store import pay_links
from shared.store.pay_links import PayLink
from tests.domain.test_pay_links import BECOMES
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, both
from workers.charges.follow_links import LinkCall, Looked, settle_link

INVOICE = "inv:sub:2026-06-01"
LINKS = "SELECT state, amount_minor FROM pay_links ORDER BY link_seq"
SAID: dict[str, Any] = {
    "succeeded": Succeeded("pi_x"),
    "pending": Pending("pi_x"),
    "unpaid": NotYetKnowable("the session is open"),
    "declined": Declined("DECLINED"),
    "expired": Expired(),
    "gone": Gone(),
    "refused": NotSent("", "rate_limited"),
    "lost": Unknown("lost"),
}
ENDS: dict[str, Callable[[Shop], object]] = {
    "void": lambda shop: shop.diary.say("invoice.voided", shop.clock.at, invoice_id=INVOICE),
    "paid": lambda shop: shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank"),
    "partly paid": lambda shop: shop.diary.say(
        "invoice.paid", shop.clock.at, invoice_id=INVOICE, reference="bank", amount_minor=1
    ),
}


def link_of(shop: Shop) -> PayLink:
    with shop.diary.store.transaction() as tx:
        return pay_links.of_invoices(tx, "ag", [INVOICE])[-1]


def pressed(shop: Shop) -> str:
    """A manual invoice whose client has pressed the button: the payment page at the provider."""
    shop.open("", collection="manual")
    assert shop.press().status_code == 303
    (page_id,) = shop.payment_pages()
    return page_id


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_in_every_standing_is_written_as_the_table_says(shop: Shop, answer: str) -> None:
    """The generated matrix, against rows: each pair leaves its state, and an end is asleep."""
    pressed(shop)
    fresh = link_of(shop)
    for link_seq, standing in enumerate(STANDINGS, start=2):
        state = "paying" if standing == "doubtful" else standing
        over = state in ("paid", "ended")
        put = fresh._replace(
            link_seq=link_seq,
            key=f"pay1-{link_seq}",
            reference=f"cs_{link_seq}",
            state=state,
            wake_at=None if over else shop.clock.at,
            settled_at=shop.clock.at if over else None,
            doubtful_since=shop.clock.at if standing == "doubtful" else None,
        )
        end_open_payment_pages(shop)
        with shop.diary.store.transaction() as tx:
            pay_links.insert(tx, "ag", put)
        call = LinkCall(put, cast("OnlineGateway", shop.gateway), cast("Any", None), wanted=True)
        settle_link(shop.diary.store, "ag", call, Looked(SAID[answer]))
        verdict = VERDICTS[standing][answer]  # type: ignore[index]
        after = link_of(shop)
        assert after.state == (state if verdict == "kept" else BECOMES[verdict]), standing
        assert (after.wake_at is None) == (after.state in ("paid", "ended")), standing
    end_open_payment_pages(shop)


def end_open_payment_pages(shop: Shop) -> None:
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE pay_links SET state = 'ended', wake_at = NULL WHERE state IN ('opening', 'open', 'paying')")


@both
@pytest.mark.parametrize("end", ENDS)
def test_an_invoices_end_closes_its_payment_page_at_once(shop: Shop, end: str) -> None:
    """Not when its hour is over: at Stripe nobody can pay there any more, at PayPal nothing is taken."""
    page_id = pressed(shop)
    ENDS[end](shop)
    shop.wait(seconds=1)
    assert shop.diary.ask(LINKS) == [("ended", 11900)]
    if isinstance(shop.provider, StripeLike):
        assert not shop.provider.pay(page_id)
    else:
        shop.provider.approve(page_id)
    shop.wait(hours=3)
    assert shop.money() == []


def test_a_payment_page_that_could_not_be_closed_is_tried_again_soon(shop: Shop) -> None:
    """Stripe is away for a moment when the invoice is voided: a minute later the payment page is closed."""
    page_id = pressed(shop)
    end_link = shop.gateway.end_link
    tries = iter([False])
    shop.gateway.end_link = lambda reference: next(tries, None) is None and end_link(reference)  # type: ignore[method-assign]
    ENDS["void"](shop)
    shop.wait(minutes=2)
    assert shop.diary.ask(LINKS) == [("ended", 11900)]
    assert not cast("StripeLike", shop.provider).pay(page_id)


def test_what_was_written_off_can_still_be_paid_where_it_was_to_be(shop: Shop) -> None:
    """The ladder's end leaves the open payment page open: an uncollectible invoice is owed, the page asks for it and takes
    it."""
    shop.open("pm_decline_insufficient_funds")
    shop.diary.say("agency.upserted", dunning={"retry_days": [1], "on_exhausted": "mark_uncollectible"})
    shop.wait(days=3)
    assert shop.status() == "uncollectible"
    assert "Pay 119.00 EUR" in shop.page().text
    shop.press()
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)
    assert (shop.status(), shop.money()) == ("paid", ["11900"])


@both
def test_a_payment_page_that_the_provider_no_longer_knows_ends(shop: Shop) -> None:
    """And the invoice can be paid again, on the page and by an attempt."""
    page_id = pressed(shop)
    (shop.provider.sessions if isinstance(shop.provider, StripeLike) else shop.provider.orders).pop(page_id)
    shop.wait(hours=2)
    assert shop.diary.ask(LINKS) == [("ended", 11900)]
    assert shop.press().status_code == 303


def test_a_pending_payment_that_the_provider_forgets_is_told_and_does_not_wait_for_ever(shop: Shop) -> None:
    """The agency is asked at once; ten days after it began the invoice can be paid again."""
    page_id = pressed(shop)
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(page_id, later=True)
    shop.wait(days=1)
    assert shop.diary.notices("page_payment_in_doubt") == []
    shop.provider.sessions.pop(page_id)
    shop.wait(days=1)
    assert [each.audience for each in shop.diary.notices("page_payment_in_doubt")] == ["agency"]
    assert "already in progress" in shop.press().text
    shop.wait(days=9)
    assert len(shop.diary.notices("page_payment_in_doubt")) == 1
    assert shop.press().status_code == 303


@both
def test_a_provider_that_is_silent_for_ever_holds_nothing_up_for_ever(shop: Shop) -> None:
    """The agency's account is gone: at Stripe somebody may have paid, so it is told; PayPal's order was never taken by us."""
    pressed(shop)
    gone = NotYetKnowable("can't be asked")
    shop.gateway.collect_link = lambda _request, _reference: gone  # type: ignore[method-assign, assignment]
    for _ in range(4):
        shop.sleep(days=1)
    told = 1 if shop.name == "stripe" else 0
    assert len(shop.diary.notices("page_payment_in_doubt")) == told
    for _ in range(8):
        shop.sleep(days=1)
    assert shop.diary.ask(LINKS) == [("ended", 11900)]
    assert len(shop.diary.notices("page_payment_in_doubt")) == told


@both
def test_two_presses_at_once_end_at_one_payment_page(shop: Shop) -> None:
    """The second is told that its key is in use: it asks again and finds the payment page that the first has opened."""
    shop.open("", collection="manual")
    shop.provider.weather.extend(["busy", "busy"])
    first = shop.press()
    assert first.status_code == 303
    shop.provider.weather.extend(["busy"])
    assert shop.press().headers["Location"] == first.headers["Location"]
    assert (len(shop.payment_pages()), shop.diary.ask(LINKS)) == (1, [("open", 11900)])


def test_a_press_that_comes_too_late_closes_what_it_opened(shop: Shop) -> None:
    """While Stripe makes the payment page the invoice is paid: the client is told so, and the payment page takes no money."""
    shop.open("", collection="manual")
    real = shop.gateway.open_link

    def slowly(request: Any) -> Any:
        made = real(request)
        ENDS["paid"](shop)
        shop.diary.settle()
        return made

    shop.gateway.open_link = slowly  # type: ignore[method-assign]
    assert "There is nothing left to pay" in shop.press().text
    assert isinstance(shop.provider, StripeLike)
    assert [each["status"] for each in shop.provider.sessions.values()] == ["expired"]


@pytest.mark.parametrize("known", ["by us", "by Stripe alone"])
def test_an_amount_that_the_provider_does_not_take_has_no_button(shop: Shop, known: str) -> None:
    """The page says whom to write to, and the agency is told once."""
    shop.open("", collection="manual", quantity=1)
    if known == "by us":
        shop.diary.say("invoice.paid", shop.clock.at, invoice_id=INVOICE, amount_minor=11880, reference="bank")
        shop.diary.settle()
    else:
        shop.gateway.open_link = lambda _request: NotSent("", "amount_too_small")  # type: ignore[method-assign]
        shop.press()
        assert shop.diary.ask(LINKS) == [("ended", 11900)]  # that key would be refused again
    for _ in range(2):
        text = shop.page().text if known == "by us" else shop.press().text
        assert ("<button" not in text, "office@agency.example" in text) == (True, True)
    assert [each.audience for each in shop.diary.notices("page_impossible")] == ["agency"]


def test_a_client_may_keep_what_he_pays_by(shop: Shop) -> None:
    """Unticked by default. Ticked: his card is a method of his, and the next month's invoice is charged by it."""
    shop.open("pm_decline_insufficient_funds")
    text = shop.page().text
    assert ('name="keep"' in text, "checked" in text) == (True, False)
    shop.press(keep=True)
    shop.client_pays(shop.payment_pages()[0])
    shop.wait(hours=2)
    assert shop.status() == "paid"
    methods = shop.diary.ask(
        "SELECT payment_method_id, provider, token, customer, is_default FROM payment_methods ORDER BY 1"
    )
    assert methods[-1] == (f"pay:{INVOICE}:1", "stripe", "pm_of_the_page", "cus_1", True)
    shop.wait(days=32)
    assert shop.status("inv:sub:2026-07-01") == "paid"
    (july,) = shop.diary.charges("inv:sub:2026-07-01")
    assert (july.payment_method_id, july.outcome) == (f"pay:{INVOICE}:1", "succeeded")


def test_a_client_who_does_not_tick_keeps_nothing(shop: Shop) -> None:
    """Nor does one whose payment page was opened without the box ticked: that one is closed, and there is a new one."""
    shop.open("", collection="manual")
    shop.press()
    assert "preparing a new payment page" in shop.press(keep=True).text
    shop.wait(minutes=1)
    assert shop.press().status_code == 303
    shop.client_pays(shop.payment_pages()[-1])
    shop.wait(hours=2)
    assert shop.diary.ask("SELECT count(*) FROM payment_methods") == [(0,)]


def test_a_payment_page_never_outlives_its_last_day(shop: Shop) -> None:
    """A payment that Stripe calls pending for ever: after thirty days the agency is asked, a week later it is over."""
    page_id = pressed(shop)
    assert isinstance(shop.provider, StripeLike)
    assert shop.provider.pay(page_id, later=True)
    shop.wait(days=29)
    assert shop.diary.notices("page_payment_in_doubt") == []
    shop.diary.go(shop.clock.at + timedelta(days=9))
    assert len(shop.diary.notices("page_payment_in_doubt")) == 1
    assert shop.diary.ask(LINKS) == [("ended", 11900)]
