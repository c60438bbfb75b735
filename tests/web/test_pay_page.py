"""A client pays an invoice himself: by a page that the mail names, at the provider, and never twice."""

import pytest
import requests

from shared.pay_urls import PayUrls
from tests.gateways.providers.stripe_like import StripeLike
from tests.journeys.diary import told
from tests.web.conftest import Shop, both

DECLINED = {"stripe": "pm_decline_insufficient_funds", "paypal": "INSTRUMENT_DECLINED"}
FINE = {"stripe": "pm_ok", "paypal": "ok"}
LINKS = "SELECT link_seq, state, amount_minor FROM pay_links ORDER BY link_seq"


def body_of(shop: Shop, occasion: str) -> str:
    """The text of the only mail of an occasion to the client."""
    texts = [each.read_text() for each in shop.diary.mails.glob("*.eml")]
    (found,) = [each for each in texts if occasion in each and "To: accounts@law.example" in each]
    return found


@both
def test_from_the_mail_to_the_order(shop: Shop) -> None:
    """The card fails, the mail names the page, the client pays at the provider: paid, told, and the held order goes out."""
    invoice_id = shop.open(DECLINED[shop.name])
    assert shop.status() == "open"
    mail = body_of(shop, "Payment failed")
    assert shop.urls.of("ag", invoice_id) in mail.replace("=\n", "")
    assert "Pay 119.00 EUR" in shop.page().text
    sent_on = shop.press()
    (page_id,) = shop.payment_pages()
    assert (sent_on.status_code, page_id in sent_on.headers["Location"]) == (303, True)
    shop.client_pays(page_id)
    thanks = requests.get(f"{shop.urls.of('ag', invoice_id)}?paid=1", timeout=10)
    assert "Thank you" in thanks.text
    shop.wait(minutes=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert shop.diary.ask(LINKS) == [(1, "paid", 11900)]
    assert told(shop.diary.orders(), "cycle_starts_on") == ["2026-06-01"]
    assert len(shop.diary.notices("invoice_paid", "client")) == 1
    assert "There is nothing left to pay" in shop.page().text
    shop.wait(days=20)
    assert len(shop.money()) == 1


@both
def test_looking_opens_nothing(shop: Shop) -> None:
    """Programs that follow every link of a mail leave nothing behind at the provider."""
    shop.open(DECLINED[shop.name])
    for _ in range(3):
        assert shop.page().status_code == 200
    assert (shop.payment_pages(), shop.diary.ask(LINKS)) == ([], [])


@both
def test_pressing_again_leads_to_the_same_payment_page(shop: Shop) -> None:
    shop.open(DECLINED[shop.name])
    first, second = shop.press(), shop.press()
    assert first.headers["Location"] == second.headers["Location"]
    assert len(shop.payment_pages()) == 1


@both
@pytest.mark.parametrize("weather", ["drop_before", "drop_after", "rate_limited", "stored_500"])
def test_a_provider_in_trouble_is_asked_again_for_the_same_payment_page(shop: Shop, weather: str) -> None:
    """The client is told to try again, and by the key there is one payment page in the end."""
    shop.open(DECLINED[shop.name])
    shop.provider.weather.append(weather)
    assert "try again in a few minutes" in shop.press().text
    again = shop.press()
    if weather == "stored_500":
        assert "try again in a few minutes" in again.text
        return
    assert again.status_code == 303
    assert len(shop.payment_pages()) == 1
    assert [row[:2] for row in shop.diary.ask(LINKS)] == [(1, "open")]


@both
def test_an_attempt_closes_the_payment_page_first(shop: Shop) -> None:
    """The payment page is open when the next retry comes: it takes no money any more, and then the card is charged."""
    shop.open(DECLINED[shop.name])
    shop.press()
    (page_id,) = shop.payment_pages()
    shop.diary.new_card(shop.clock.at, FINE[shop.name], provider=shop.name, customer="cus_1")
    shop.wait(minutes=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert shop.diary.ask(LINKS) == [(1, "ended", 11900)]
    if shop.name == "stripe":
        with pytest.raises(AssertionError):
            shop.client_pays(page_id)
    else:
        shop.client_pays(page_id)
    shop.wait(hours=3)
    assert len(shop.money()) == 1


@both
def test_a_client_who_has_paid_is_not_charged(shop: Shop) -> None:
    """He paid, and nobody told us yet, when a new card makes an attempt due: it is not sent."""
    shop.open(DECLINED[shop.name])
    shop.press()
    (page_id,) = shop.payment_pages()
    shop.client_pays(page_id)
    if shop.name == "paypal":
        requests.get(f"{shop.urls.of('ag', 'inv:sub:2026-06-01')}?paid=1", timeout=10)
        shop.wait(seconds=1)
    shop.diary.new_card(shop.clock.at, FINE[shop.name], provider=shop.name, customer="cus_1")
    shop.wait(hours=2)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert [each.outcome for each in shop.diary.charges() if each.outcome == "succeeded"] == []


@both
def test_while_an_attempt_is_under_way_there_is_no_payment_page(shop: Shop) -> None:
    """Nobody knows yet what became of it: the page says so, and opens nothing."""
    shop.provider.weather.extend(["drop_after", "busy"])
    shop.open(FINE[shop.name], until="2026-05-31T22:00:30Z")
    assert "is already in progress" in shop.press().text
    assert shop.payment_pages() == []
    shop.wait(hours=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


@both
def test_a_payment_in_part_makes_a_new_page_for_what_is_outstanding(shop: Shop) -> None:
    """The old payment page is for the wrong amount: it is closed, and a minute later there is one for the outstanding
    amount."""
    shop.open(DECLINED[shop.name])
    shop.press()
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id="inv:sub:2026-06-01", amount_minor=1900, reference="b")
    assert "try again in a minute" in shop.press().text
    shop.wait(minutes=1)
    assert shop.press().status_code == 303
    assert shop.diary.ask(LINKS) == [(1, "ended", 11900), (2, "open", 10000)]
    shop.client_pays(shop.payment_pages()[-1])
    requests.get(f"{shop.urls.of('ag', 'inv:sub:2026-06-01')}?paid=1", timeout=10)
    shop.wait(minutes=1)
    assert (shop.status(), shop.money()) == ("paid", ["10000" if shop.name == "stripe" else "100.00"])


@both
def test_what_was_paid_another_way_meanwhile_is_not_taken(shop: Shop) -> None:
    """Approved at PayPal and paid by transfer: the order is never captured. At Stripe the payment page is closed."""
    shop.open(DECLINED[shop.name])
    shop.press()
    (page_id,) = shop.payment_pages()
    if shop.name == "paypal":
        shop.client_pays(page_id)
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id="inv:sub:2026-06-01", reference="bank")
    requests.get(f"{shop.urls.of('ag', 'inv:sub:2026-06-01')}?paid=1", timeout=10)
    shop.wait(hours=2)
    assert (shop.status(), shop.money()) == ("paid", [])
    assert shop.diary.ask(LINKS) == [(1, "ended", 11900)]


def test_money_at_a_payment_page_of_a_paid_invoice_is_surplus(shop: Shop) -> None:
    """He paid at Stripe and by transfer in the same minute: both are recorded, and the agency is told of the surplus."""
    shop.open(DECLINED["stripe"])
    shop.press()
    shop.client_pays(shop.payment_pages()[0])
    shop.diary.say("invoice.paid", shop.clock.at, invoice_id="inv:sub:2026-06-01", reference="bank")
    shop.wait(hours=2)
    assert shop.diary.ask("SELECT count(*), sum(amount_minor) FROM payments") == [(2, 23800)]
    assert len(shop.diary.notices("surplus_payment", "agency")) == 1


def test_a_payment_page_that_nobody_used_expires(shop: Shop) -> None:
    """After an hour it has expired; pressed again, there is a new one."""
    shop.open(DECLINED["stripe"])
    shop.press()
    assert isinstance(shop.provider.sessions, dict)  # type: ignore[union-attr]
    for session in shop.provider.sessions.values():  # type: ignore[union-attr]
        session["status"] = "expired"
    shop.wait(hours=2)
    assert shop.diary.ask(LINKS) == [(1, "ended", 11900)]
    assert shop.press().status_code == 303
    assert shop.diary.ask(LINKS) == [(1, "ended", 11900), (2, "open", 11900)]


def test_a_payment_that_settles_in_some_days_keeps_attempts_out(shop: Shop) -> None:
    """A bank debit at Stripe's page: no attempt goes out meanwhile, though a retry day passes."""
    shop.open(DECLINED["stripe"])
    shop.press()
    provider = shop.provider
    assert provider.pay(shop.payment_pages()[0], later=True)  # type: ignore[union-attr, call-arg]
    shop.wait(days=2)
    assert [each.outcome for each in shop.diary.charges()] == ["declined"]
    provider.settle()
    shop.wait(hours=6)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


def test_a_debit_of_the_page_that_bounces_gives_way_to_the_next_attempt(shop: Shop) -> None:
    """The session stays complete at Stripe for ever; told by its webhook, the attempt that waited goes out within minutes."""
    shop.open(DECLINED["stripe"])
    shop.press()
    provider = shop.provider
    assert isinstance(provider, StripeLike)
    page_id = shop.payment_pages()[0]
    assert provider.pay(page_id, later=True)
    shop.wait(days=2)
    provider.settle(succeeded=False)
    assert [each.outcome for each in shop.diary.charges()] == ["declined"]
    shop.hook("checkout.session.async_payment_failed", provider.sessions[page_id])
    shop.wait(minutes=2)
    assert [each.outcome for each in shop.diary.charges()] == ["declined", "declined"]
    assert shop.press().status_code == 303
    assert len(shop.payment_pages()) == 2


def test_a_manual_invoice_names_its_page(shop: Shop) -> None:
    """Without any method and any failure: the first mail says where to pay."""
    invoice_id = shop.open("", collection="manual")
    assert shop.urls.of("ag", invoice_id) in body_of(shop, "Invoice 00001 from").replace("=\n", "")
    shop.press()
    shop.client_pays(shop.payment_pages()[0])
    requests.get(f"{shop.urls.of('ag', invoice_id)}?paid=1", timeout=10)
    shop.wait(minutes=1)
    assert shop.status() == "paid"


def test_an_address_that_is_not_ours_says_nothing(shop: Shop) -> None:
    """A made-up or foreign token, and one of an invoice that is not there: no page, and no hint which."""
    shop.open("", collection="manual")
    real = shop.urls.of("ag", "inv:sub:2026-06-01")
    foreign = PayUrls(shop.url, "f" * 32).of("ag", "inv:sub:2026-06-01")
    for address in (real[:-1], foreign, f"{shop.url}/pay/x", shop.urls.of("ag", "nothing")):
        for answer in (requests.get(address, timeout=10), requests.post(address, timeout=10)):
            assert answer.status_code == 404
            assert "Page not found" in answer.text


def test_the_page_is_careful(shop: Shop) -> None:
    """Names are escaped; no script, no frame, no cache, and no address told to other sites."""
    shop.open("", collection="manual")
    shop.diary.say("agency.upserted", name="<script>alert(1)</script>")
    answer = shop.page()
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_an_agency_without_a_provider_has_no_button_that_works(shop: Shop) -> None:
    shop.open("", collection="manual")
    shop.diary.say("agency.upserted", gateway="sandbox")
    assert "can't be paid online" in shop.press().text
