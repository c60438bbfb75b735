"""PayPal's webhooks are kept before PayPal is asked: nothing real is lost while it is slow, and nothing forged stays."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
import requests

from ops.cluster.waiting import until
from ops.servers.rabbitmq import free_ports
from shared.gateways.paypal import PayPalGateway
from shared.settings import Settings
from shared.store import accounts, figures, unproven
from shared.store.accounts import Configured
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike
from tests.web.conftest import Shop, end, serve
from workers.charges.charge_invoices import always
from workers.webhooks import pay_page
from workers.webhooks.app import WebhookDeps
from workers.webhooks.process import Listener
from workers.webhooks.prove_events import OF_AN_AGENCY, Prover, prove_due
from workers.webhooks.receive_event import Runtime, receive_webhook

paypal = pytest.mark.parametrize("shop", ["paypal"], indirect=True)
KEPT = "SELECT count(*) FROM unproven_webhooks"


def an_event(shop: Shop, number: int = 1) -> tuple[bytes, dict[str, str]]:
    assert isinstance(shop.provider, PayPalLike)
    raw = shop.provider.event("VAULT.PAYMENT-TOKEN.CREATED", "payment_token", {"id": "x"}, number)
    return raw, shop.provider.signed(raw, shop.clock.at.isoformat())


def away(shop: Shop) -> Runtime:
    """Where PayPal can't be reached."""
    gateway = PayPalGateway("client", "secret", base="http://127.0.0.1:9", timeout=(0.5, 0.5))
    return shop.deps.events._replace(gateways=always({"paypal": gateway}))


@paypal
def test_while_paypal_says_nothing_a_webhook_is_kept_and_asked_about_again(shop: Shop) -> None:
    shop.open("")
    raw, headers = an_event(shop)
    outcomes: list[str] = []
    assert receive_webhook(shop.deps.events, "paypal", "ag", raw, headers) == "kept"
    for seconds in (0, 10, 20):
        shop.clock.at += timedelta(seconds=seconds)
        prove_due(away(shop), lambda _, outcome: outcomes.append(outcome))
    assert outcomes == ["unproven"] * 3
    prove_due(shop.deps.events, lambda _, outcome: outcomes.append(outcome))
    assert outcomes[3:] == []  # not before its time
    shop.clock.at += timedelta(seconds=40)
    prove_due(shop.deps.events, lambda _, outcome: outcomes.append(outcome))
    assert (outcomes[3:], shop.diary.ask(KEPT)) == (["applied"], [(0,)])
    assert shop.diary.ask("SELECT state FROM inbox WHERE source LIKE '/webhooks/%'") == [("applied",)]


@paypal
def test_it_is_judged_by_when_it_came_not_by_when_paypal_answers(shop: Shop) -> None:
    """Three days of silence do not make it too old; once PayPal would not deliver it any more either, it is given up."""
    shop.open("")
    for number, silent, outcome in ((1, 3, "applied"), (2, 5, "given_up")):
        raw, headers = an_event(shop, number)
        receive_webhook(shop.deps.events, "paypal", "ag", raw, headers)
        shop.clock.at += timedelta(days=silent)
        told: list[str] = []
        prove_due(shop.deps.events if number == 1 else away(shop), lambda _, each, told=told: told.append(each))
        assert (told, shop.diary.ask(KEPT)) == ([outcome], [(0,)])


@paypal
def test_a_secret_that_is_missing_for_now_loses_nothing(shop: Shop) -> None:
    shop.open("")
    secret = shop.secrets.pop("hook")
    raw, headers = an_event(shop)
    assert shop.post(raw, headers).status_code == 200
    shop.secrets["hook"] = secret
    shop.clock.at += timedelta(seconds=10)
    prove_due(shop.deps.events, lambda *outcome: shop.told.append(outcome))
    assert shop.told == [("paypal", "unproven"), ("paypal", "applied")]


@paypal
def test_one_delivery_is_kept_once_and_an_agency_has_a_limit(shop: Shop) -> None:
    """The limit is the agency's own: another one's webhooks are kept."""
    shop.open("")
    with shop.diary.store.transaction() as tx:
        for number in (1, 1, 2, 3):
            assert unproven.keep(tx, "ag", "paypal", b"%d" % number, {}, most=3)
        assert not unproven.keep(tx, "ag", "paypal", b"4", {}, most=3)
        assert unproven.keep(tx, "ag", "paypal", b"3", {}, most=3)
        assert unproven.keep(tx, "other", "paypal", b"4", {}, most=3)
    assert shop.diary.ask(KEPT) == [(4,)]


@paypal
def test_an_agency_gets_no_more_than_its_share_of_those_who_ask(shop: Shop) -> None:
    shop.open("")
    with shop.diary.store.transaction() as tx:
        for number in range(5):
            unproven.keep(tx, "ag", "paypal", b"%d" % number, {})
        unproven.keep(tx, "other", "paypal", b"1", {})
    with shop.diary.store.transaction() as tx:
        assert [row.agency_id for row in unproven.take(tx, 2, 2)] == ["ag", "other"]  # not the two oldest of one
    with shop.diary.store.transaction() as tx:
        assert [row.agency_id for row in unproven.take(tx, 6, 2)] == ["ag", "ag"]
    with shop.diary.store.transaction() as tx:
        assert unproven.take(tx, 6, 2, {("ag", "paypal"): 2}) == []
        assert len(unproven.take(tx, 6, 2, {("ag", "paypal"): 1})) == 1


@paypal
def test_what_is_proven_and_cannot_be_applied_is_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every six hours, longer than PayPal would deliver it, and told as what it is meanwhile."""
    shop.open("")

    def breaks(*_: Any) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("workers.webhooks.receive_event.apply", breaks)
    assert shop.post(*an_event(shop)).status_code == 200
    assert shop.told == [("paypal", "unreadable")]
    assert shop.diary.ask("SELECT reason FROM unproven_webhooks") == [("unreadable: ValueError",)]
    with shop.diary.store.transaction() as tx:
        found = figures.snapshot(tx)
        assert (found.webhooks_unproven.rows, found.webhooks_set_aside.rows) == (0, 1)
    shop.clock.at += timedelta(days=6)
    prove_due(away(shop), lambda *outcome: shop.told.append(outcome))
    monkeypatch.undo()
    shop.clock.at += timedelta(hours=6)
    prove_due(shop.deps.events, lambda *outcome: shop.told.append(outcome))
    assert shop.told[1:] == [("paypal", "unreadable"), ("paypal", "applied")]


def unreadable_events(shop: Shop) -> Iterator[bytes]:
    """Signed, and no event of today's: ids that can't be kept, an instant beyond the calendar, things in page_id of words."""
    assert isinstance(shop.provider, StripeLike)
    about: dict[str, Any] = {"object": "payment_intent", "id": "pi_1", "metadata": {}}
    event = json.loads(shop.provider.event("payment_intent.succeeded", about))
    for changed in (
        {"id": "evt\0"},
        {"id": "x" * 3000},
        {"type": "\ud800"},
        {"created": 10**18},
        {"created": "soon"},
        {"data": {"object": {**about, "metadata": {"key": {"a": 1}}}}},
        {"data": {"object": {**about, "id": "pi\0"}}},
        {"data": {"object": {**about, "object": "refund", "payment_intent": 7, "amount": 1, "currency": "eur"}}},
        {"data": None},
    ):
        yield json.dumps({**event, **changed}).encode()
    yield b"[" * 100_000


def test_a_signed_webhook_that_cannot_be_read_is_kept_and_tried_again(shop: Shop) -> None:
    """It has no effect, and is counted apart from forgery; a 503 or 400 would have it sent again for days."""
    shop.open("")
    assert isinstance(shop.provider, StripeLike)
    events = list(unreadable_events(shop))
    for raw in events:
        answer = shop.post(raw, shop.provider.signed(raw, shop.clock.at.timestamp()))
        assert (answer.status_code, answer.json()) == (200, {"outcome": "kept"}), raw[:200]
    assert shop.told == [("stripe", "unreadable")] * len(events)
    kept = "SELECT count(*) FROM unproven_webhooks WHERE reason LIKE 'unreadable: %' AND ask_at = :at"
    assert shop.diary.ask(kept, at=shop.clock.at + timedelta(hours=6)) == [(len(events),)]
    assert shop.diary.ask("SELECT count(*) FROM inbox WHERE source LIKE '/webhooks/%'") == [(0,)]
    shop.clock.at += timedelta(hours=6)
    prove_due(shop.deps.events, lambda *outcome: shop.told.append(outcome))
    assert shop.told == [("stripe", "unreadable")] * 2 * len(events)
    assert shop.diary.ask(kept, at=shop.clock.at + timedelta(hours=6)) == [(len(events),)]


def test_what_cannot_be_read_takes_no_room_from_what_can(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many the oldest make way; nothing is put off with a 503."""
    monkeypatch.setattr(unproven, "KEPT_MAX", 3)
    shop.open("")
    assert isinstance(shop.provider, StripeLike)
    for raw in list(unreadable_events(shop))[:5]:
        assert shop.post(raw, shop.provider.signed(raw, shop.clock.at.timestamp())).status_code == 200
    assert shop.diary.ask("SELECT count(*) FROM unproven_webhooks") == [(3,)]
    with shop.diary.store.transaction() as tx:
        assert unproven.keep(tx, "ag", "stripe", b"another", {})


def test_a_signed_webhook_that_breaks_what_applies_it_is_applied_once_that_is_mended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise KeyError("a bug")

    shop.open("")
    monkeypatch.setattr("workers.webhooks.receive_event.apply", breaks)
    answer = shop.hook("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "metadata": {}})
    assert (answer.status_code, answer.json()) == (200, {"outcome": "kept"})
    monkeypatch.undo()
    shop.clock.at += timedelta(hours=6)
    prove_due(shop.deps.events, lambda *outcome: shop.told.append(outcome))
    assert shop.told == [("stripe", "unreadable"), ("stripe", "applied")]
    assert shop.diary.ask("SELECT count(*) FROM unproven_webhooks") == [(0,)]


def test_a_silent_paypal_and_forged_webhooks_hold_nobody_else_up(shop: Shop) -> None:
    """PayPal takes connections and says nothing. Forged webhooks of one agency are kept at once, two of them are being asked
    about, and another agency's webhooks, page and button are answered."""
    shop.open("", collection="manual")
    with shop.diary.store.transaction() as tx:
        accounts.configure(
            tx,
            Configured(
                agency_id="forged",
                provider="paypal",
                secret="main",  # noqa: S106
                test=True,
                rate_per_second=None,
                webhook_secret="paypal-hook",  # noqa: S106
            ),
        )
    shop.secrets["paypal-hook"] = "WEBHOOK1"
    stop = Event()
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as silent:
        hung = PayPalGateway("client", "secret", base=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=(1, 60))
        gateways = always({"stripe": shop.gateway, "paypal": hung})
        events = Runtime(shop.diary.store, gateways, shop.secrets.get)
        prover = Prover(events, lambda *_: None)
        page = pay_page.Runtime(shop.diary.store, gateways, shop.urls, pause=lambda: None)
        (port,) = free_ports(1)
        listener = Listener(WebhookDeps(events, page, on_kept=prover.wake), Settings(webhooks=("127.0.0.1", port)))
        Thread(target=prover.loop, args=(stop,), daemon=True).start()
        serve(listener)
        shop.url = url = f"http://127.0.0.1:{port}"
        names = ("auth-algo", "cert-url", "transmission-id", "transmission-sig", "transmission-time")
        forged = {f"paypal-{name}": shop.clock.at.isoformat() for name in names}
        for number in range(45):
            raw = b'{"id": "WH-%d", "event_type": "X", "resource": {}}' % number
            assert requests.post(f"{url}/webhooks/paypal/forged", data=raw, headers=forged, timeout=3).json() == {
                "outcome": "kept"
            }
        until(lambda: len(prover._busy) == 1)
        assert prover._busy["forged", "paypal"] == OF_AN_AGENCY
        answer = shop.hook("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "metadata": {}})
        assert answer.json() == {"outcome": "applied"}
        token = shop.urls.of("ag", "inv:sub:2026-06-01").rpartition("/")[2]
        assert requests.get(f"{url}/pay/{token}", timeout=3).status_code == 200
        assert requests.post(f"{url}/pay/{token}", timeout=3, allow_redirects=False).status_code == 303
        assert listener.takes_more() is None
        stop.set()
        end(listener)
    assert shop.diary.ask(KEPT) == [(45,)]
