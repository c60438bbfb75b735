"""Webhooks: proven, kept once, and never believed about money: what they are about is asked of the provider."""

from datetime import timedelta

import requests

from shared.store.database import Store, make_engine
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.journeys.diary import told
from tests.web.conftest import Shop, both
from workers.webhooks.app import BODY_MAX

PENDING = {"stripe": "pm_processing", "paypal": "pending"}
FINE = {"stripe": "pm_ok", "paypal": "ok"}
INBOX = "SELECT type, state FROM inbox WHERE source LIKE '/webhooks/%' ORDER BY inbox_id"


def money_told(shop: Shop, *, number: int | None = None, settled: bool = True) -> requests.Response:
    """A webhook about the only payment at the provider."""
    provider = shop.provider
    if isinstance(provider, StripeLike):
        (intent,) = provider.intents.values()
        type_ = "payment_intent.succeeded" if settled else "payment_intent.processing"
        return shop.hook(type_, {**intent, "status": "succeeded"}, number=number)
    (order,) = provider.orders.values()
    capture = order["purchase_units"][0]["payments"]["captures"][0]
    about = {**capture, "status": "COMPLETED", "supplementary_data": {"related_ids": {"order_id": order["id"]}}}
    return shop.hook(
        "PAYMENT.CAPTURE.COMPLETED" if settled else "PAYMENT.CAPTURE.PENDING", about, "capture", number=number
    )


@both
def test_a_payment_that_settled_is_recorded_at_once(shop: Shop) -> None:
    """Hours before the next look would be due."""
    shop.open(PENDING[shop.name])
    shop.wait(hours=5)
    shop.provider.settle()
    assert money_told(shop).status_code == 200
    shop.wait(seconds=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert shop.told == [(shop.name, "applied")]


@both
def test_its_word_on_money_is_not_believed(shop: Shop) -> None:
    """It says that money arrived; the provider, asked, says that it has not."""
    shop.open(PENDING[shop.name])
    assert money_told(shop).status_code == 200
    shop.wait(seconds=1)
    assert shop.status() == "open"
    assert told(shop.diary.charges(), "outcome") == ["pending"]


@both
def test_repeated_and_out_of_order_it_changes_nothing(shop: Shop) -> None:
    """Ten deliveries of two events, the older one last: kept once each, one payment."""
    shop.open(PENDING[shop.name])
    shop.provider.settle()
    for number in (2, 2, 1, 2, 1, 1, 2, 2, 1, 1):
        assert money_told(shop, number=number, settled=number == 2).status_code == 200
    shop.wait(hours=8)
    assert [state for _, state in shop.diary.ask(INBOX)] == ["applied", "applied"]
    assert sorted(outcome for _, outcome in shop.told) == ["applied"] * 2 + ["repeated"] * 8
    assert (shop.status(), shop.diary.ask("SELECT count(*) FROM payments")) == ("paid", [(1,)])


@both
def test_an_event_that_says_something_else_under_the_same_id_is_kept_and_counts(shop: Shop) -> None:
    """What is dropped as known has to be the same bytes."""
    shop.open(PENDING[shop.name])
    shop.wait(hours=5)
    assert money_told(shop, number=1, settled=False).status_code == 200
    shop.provider.settle()
    for _ in range(2):
        assert money_told(shop, number=1).status_code == 200
    shop.wait(seconds=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert [outcome for _, outcome in shop.told] == ["applied", "applied", "repeated"]


def signed(shop: Shop, raw: bytes, shift: timedelta = timedelta(0)) -> dict[str, str]:
    at = shop.clock.at + shift
    if isinstance(shop.provider, StripeLike):
        return shop.provider.signed(raw, at.timestamp())
    return shop.provider.signed(raw, at.isoformat())


def any_event(shop: Shop) -> bytes:
    if isinstance(shop.provider, StripeLike):
        return shop.provider.event("customer.created", {"id": "cus_1", "object": "customer"})
    return shop.provider.event("VAULT.PAYMENT-TOKEN.CREATED", "payment_token", {"id": "x"})


@both
def test_what_is_not_the_providers_is_refused_and_not_kept(shop: Shop) -> None:
    """Unsigned, altered, signed with another secret, too old, of the future: counted, and answered with 400; what only PayPal
    can tell is forged is gone as soon as it was asked. What is signed and no event is counted apart."""
    shop.open("")
    raw = any_event(shop)
    assert shop.post(raw, signed(shop, raw)).status_code == 200
    other = raw.replace(b'"id": "', b'"id": "x')
    assert other != raw
    too_old = timedelta(minutes=6) if shop.name == "stripe" else timedelta(days=5)
    refused: list[tuple[bytes, dict[str, str]]] = [
        (other, {}),
        (other, signed(shop, raw)),
        (other, signed(shop, other, -too_old)),
        (other, signed(shop, other, timedelta(minutes=6))),
        (b"not json", signed(shop, b"not json")),
        (b"[]", signed(shop, b"[]")),
        (b"{}", signed(shop, b"{}")),
    ]
    if isinstance(shop.provider, StripeLike):
        refused.append((other, shop.provider.signed(other, shop.clock.at.timestamp(), "whsec_of_somebody_else")))
    else:
        refused.append((other, shop.provider.signed(other, shop.clock.at.isoformat(), "WEBHOOK2")))
    for body, headers in refused:
        answer = shop.post(body, headers)
        assert (answer.status_code, answer.json()["outcome"]) in ((400, "refused"), (200, "kept"))
    no_events = 3 if shop.name == "stripe" else 0  # signed, and kept to be tried again
    assert len(shop.diary.ask(INBOX)) == 1
    assert shop.diary.ask("SELECT count(*) FROM unproven_webhooks") == [(no_events,)]
    refusals = [outcome for _, outcome in shop.told[1:]]
    assert len(refusals) == len(refused)
    assert (refusals.count("unreadable"), refusals.count("bad_signature")) == (no_events, len(refused) - no_events)


def test_while_a_secret_is_exchanged_both_count(shop: Shop) -> None:
    """The secret may hold the old and the new one."""
    shop.open("")
    shop.secrets["hook"] = "whsec_new whsec_loopback"
    raw = any_event(shop)
    assert shop.post(raw, signed(shop, raw)).status_code == 200
    assert isinstance(shop.provider, StripeLike)
    raw = shop.provider.event("customer.created", {"id": "cus_1", "object": "customer"}, 2)
    assert shop.post(raw, shop.provider.signed(raw, shop.clock.at.timestamp(), "whsec_new")).status_code == 200


@both
def test_where_nothing_is_set_up_nothing_is_taken(shop: Shop) -> None:
    """An unknown agency or provider, an account without a secret for webhooks, another method: no row, no trial; and whoever
    has proven nothing does not learn which agencies there are."""
    shop.open("")
    raw = any_event(shop)
    known, unknown = shop.post(raw, {}), shop.post(raw, {}, agency="nobody")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (400, {"outcome": "refused"})
    forged = signed(shop, raw.replace(b"{", b"{ ", 1))
    shop.told.clear()
    known, unknown = shop.post(raw, forged), shop.post(raw, forged, agency="nobody")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert shop.told == [(shop.name, "bad_signature"), (shop.name, "unconfigured")]
    assert requests.post(f"{shop.url}/webhooks/adyen/ag", data=raw, timeout=10).status_code == 404
    assert requests.get(f"{shop.url}/webhooks/{shop.name}/ag", timeout=10).status_code == 405
    with shop.diary.store.transaction() as tx:
        tx.run("UPDATE gateway_accounts SET webhook_secret = NULL")
    answer = shop.post(raw, signed(shop, raw))
    assert (answer.status_code, answer.json()) == (known.status_code, known.json())
    assert shop.told[2:] == [(shop.name, "unconfigured")]
    assert shop.diary.ask(INBOX) == []
    assert shop.diary.ask("SELECT count(*) FROM unproven_webhooks") == [(0,)]


def test_a_body_that_is_too_large_is_not_read_to_its_end(shop: Shop) -> None:
    shop.open("")
    assert shop.post(b"x" * BODY_MAX, {}).status_code == 400
    assert shop.post(b"x" * (BODY_MAX + 1), {}).status_code == 413
    assert shop.told[-1] == ("stripe", "too_large")


def test_while_the_database_is_away_the_provider_is_asked_to_come_again(shop: Shop) -> None:
    """503: nothing was kept, so nothing is acknowledged."""
    shop.open("")
    away = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_timeout=1)
    shop.deps.events.store.engine, kept = away, shop.deps.events.store.engine
    raw = any_event(shop)
    answer = shop.post(raw, signed(shop, raw))
    shop.deps.events.store.engine = kept
    assert (answer.status_code, shop.told) == (503, [("stripe", "unavailable")])
    assert shop.post(raw, signed(shop, raw)).status_code == 200


@both
def test_a_decline_that_the_provider_takes_back_is_a_payment(shop: Shop) -> None:
    """It was declined, and days later the provider says that it succeeded: recorded, and no retry charges again."""
    shop.open("pm_decline_insufficient_funds" if shop.name == "stripe" else "capture_DECLINED")
    provider = shop.provider
    if isinstance(provider, StripeLike):
        (intent,) = provider.intents.values()
        intent.update(last_payment_error=None)
        provider._end(intent, succeeded=True)
    else:
        (order,) = provider.orders.values()
        (capture,) = order["purchase_units"][0]["payments"]["captures"]
        provider._end(order, capture, "COMPLETED")
    assert money_told(shop).status_code == 200
    shop.wait(seconds=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)
    assert told(shop.diary.charges(), "outcome")[0] == "succeeded"
    shop.wait(days=20)
    assert len(shop.money()) == 1


@both
def test_a_decline_stays_one_if_the_provider_says_so(shop: Shop) -> None:
    """A webhook claims success, the provider does not: the ladder goes on as it would have."""
    shop.open("pm_decline_insufficient_funds" if shop.name == "stripe" else "capture_DECLINED")
    assert money_told(shop).status_code == 200
    shop.wait(seconds=1)
    assert told(shop.diary.charges(), "outcome") == ["declined"]
    shop.wait(days=1)
    assert told(shop.diary.charges(), "outcome") == ["declined", "declined"]


@both
def test_a_webhook_about_a_payment_page_settles_it_at_once(shop: Shop) -> None:
    """The client paid and closed the window: he never came back to our page."""
    shop.open("", collection="manual")
    shop.press()
    (page_id,) = shop.payment_pages()
    shop.client_pays(page_id)
    if isinstance(shop.provider, StripeLike):
        shop.hook("checkout.session.completed", shop.provider.sessions[page_id])
    else:
        assert isinstance(shop.provider, PayPalLike)
        shop.hook("CHECKOUT.ORDER.APPROVED", shop.provider.orders[page_id], "checkout-order")
    shop.wait(seconds=1)
    assert (shop.status(), len(shop.money())) == ("paid", 1)


@both
def test_what_is_about_nothing_of_ours_is_kept_and_harmless(shop: Shop) -> None:
    """The agency's account may have other uses."""
    shop.open(FINE[shop.name])
    if shop.name == "stripe":
        about = {"id": "pi_other", "object": "payment_intent", "metadata": {}, "amount": 1, "currency": "eur"}
        answers = [
            shop.hook("payment_intent.succeeded", about),
            shop.hook("refund.created", {**about, "object": "refund"}),
        ]
    else:
        answers = [
            shop.hook("PAYMENT.CAPTURE.COMPLETED", {"id": "OTHER"}, "capture"),
            shop.hook("PAYMENT.CAPTURE.REFUNDED", {"id": "OTHER"}, "refund"),
            shop.hook("CHECKOUT.ORDER.APPROVED", {"id": "OTHER"}, "checkout-order"),
        ]
    assert {answer.status_code for answer in answers} == {200}
    assert {state for _, state in shop.diary.ask(INBOX)} == {"applied"}


def test_the_store_of_the_inbox_is_not_tried_as_a_message(shop: Shop, store: Store) -> None:
    """A webhook in the inbox is no change from upstream: nothing waits, nothing is dispatched."""
    shop.open("")
    raw = any_event(shop)
    shop.post(raw, signed(shop, raw))
    assert shop.diary.ask("SELECT wake_at, waits_for FROM inbox WHERE source LIKE '/webhooks/%'") == [(None, None)]
