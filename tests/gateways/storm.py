"""A storm over one agency: attempts, clients who pay on their own, refunds and lies, under weather, with workers that die."""

import json
import os
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from shared.billing.manual_resolution import resolve, resolve_refund
from shared.billing.refund_payments import RefundRefusedError, request
from shared.gateways.port import ProviderEvent
from shared.pay_urls import PayUrls
from shared.store import facts, invoices
from shared.store.locks import lock_subscriptions
from tests.gateways.providers.disputes import stand
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.server import WEATHER
from tests.gateways.providers.stripe_like import StripeLike
from tests.gateways.reckoning import Reckoning, Town
from workers.charges.charge_invoices import Runtime, always, charge_invoices
from workers.intake.receive_changes import receive_change
from workers.webhooks import pay_page, receive_event

RUNS = int(os.environ.get("DUECYCLE_RUNS", "16"))
INVOICES = 2  # of each
STEPS = 12
END_STEPS = 90
TOKENS = {
    "stripe": [
        *("pm_ok", "pm_ok", "pm_ok", "pm_processing", "pm_decline_insufficient_funds", "pm_action", "pm_detour"),
        *("pm_refused_resource_missing/payment_method", "pm_refused_parameter_unknown"),
    ],
    "paypal": [
        *("ok", "ok", "later", "later", "pending", "INSTRUMENT_DECLINED", "capture_DECLINED"),
        *("R404_INVALID_RESOURCE_ID", "SHIPPING_ADDRESS_INVALID"),
    ],
}
REMEMBERED = {"stripe": timedelta(hours=24), "paypal": timedelta(hours=6)}


URLS = PayUrls("http://127.0.0.1", "x" * 32)


class Killed(BaseException):
    """A worker's end, between two steps."""


class Run(Reckoning):
    """One agency's invoices, charged by workers that die and lag, under weather that changes."""

    def __init__(self, town: Town, agency_id: str) -> None:
        super().__init__(town, agency_id)
        self.random = random.Random(f"{town.name} {agency_id}")  # noqa: S311
        self.began = town.clock.at
        self.late = 0
        self.payment_pages: list[str] = []
        self.lost: Counter[str] = Counter()

    def storm(self) -> None:
        """Every kind of trouble at every step."""
        for _ in range(STEPS):
            self.town.provider.weather.extend(self.random.choices(WEATHER, k=3))
            if isinstance(self.town.provider, PayPalLike):
                self.town.provider.listed_max = self.random.choice([None, 0, 3])  # its list of events lags
            for act, chance in (
                (self.settle, 0.3),
                (self.bounce, 0.2),
                (self.visit, 0.4),
                (self.lie, 0.3),
                (self.refund, 0.3),
                (self.confirm, 0.3),
                (self.dispute, 0.3),
                (self.transfer, 0.1),
                (self.refuse, 0.2),
            ):
                if self.random.random() < chance:
                    act()
            self.work(self.between)
            self.pass_time()
        self.town.provider.weather.clear()
        if isinstance(self.town.provider, StripeLike):
            self.town.provider.refuses_account = False
        if isinstance(self.town.provider, PayPalLike):
            self.town.provider.listed_max = None

    def visit(self) -> None:
        """A client presses the button of the page; and some client pays at some provider's page he was ever sent to, open or
        not."""
        runtime = pay_page.Runtime(self.town.store, always({self.town.name: self.town.gateway}), URLS)
        shown = pay_page.pay(runtime, URLS.of(self.agency_id, self.random.choice(self.ids)).rpartition("/")[2])
        if isinstance(shown, pay_page.SentOn):
            self.payment_pages.append(shown.url.rpartition("/")[2])
        if not self.payment_pages or self.random.random() < 0.5:
            return
        page_id = self.random.choice(self.payment_pages)
        if isinstance(self.town.provider, StripeLike):
            self.town.provider.pay(page_id, later=self.random.random() < 0.2)
        else:
            self.town.provider.approve(page_id)

    def confirm(self) -> None:
        """A client confirms a payment in his bank's own way, if it still can be."""
        if isinstance(self.town.provider, StripeLike):
            for intent in self.town.provider.intents.values():
                if intent["status"] == "requires_action" and intent["metadata"]["invoice_id"] in self.ids:
                    self.town.provider._end(intent, succeeded=True)

    def is_ours(self, order: Any) -> bool:
        return order["purchase_units"][0]["invoice_id"] in self.ids

    def lie(self) -> None:
        """A webhook says that money has moved, whether or not it has; another that a payment failed, which none did."""
        with self.town.store.transaction() as tx:
            rows = tx.rows("SELECT key FROM charges WHERE agency_id = :a AND key IS NOT NULL", a=self.agency_id)
            links = tx.rows("SELECT key FROM pay_links WHERE agency_id = :a", a=self.agency_id)
            keys = sorted(row[0] for row in [*rows, *links])
            if keys:
                event = ProviderEvent(id="e", type="x", about="payment", key=self.random.choice(keys), settled=True)
                receive_event.apply(tx, self.town.name, self.agency_id, event)
            money = tx.rows("SELECT reference FROM payments WHERE agency_id = :a ORDER BY 1", a=self.agency_id)
            if money:
                gone = self.random.choice(money)[0]
                event = ProviderEvent(id="e", type="x", about="payment", payment=gone, failed=True)
                receive_event.apply(tx, self.town.name, self.agency_id, event)

    def refund(self) -> None:
        """The agency gives a part of a paid invoice back."""
        with self.town.store.transaction() as tx:
            id_ = self.random.choice(self.ids)
            of = invoices.subscriptions_of(tx, self.agency_id, [id_])
            lock_subscriptions(tx, [(self.agency_id, of[id_])], wait=True)
            invoice = invoices.load(tx, self.agency_id, [id_])[id_]
            with suppress(RefundRefusedError):
                request(tx, facts.require_agency(tx, self.agency_id), invoice, self.random.randrange(1, 3000), None)

    def dispute(self) -> None:
        """A dispute ends: the bank of the client takes a payment or a part of it back, or gives it back after all."""
        with self.town.store.transaction() as tx:
            rows = tx.rows(
                "SELECT reference, invoice_id, amount_minor FROM payments WHERE agency_id = :a AND source = :s ORDER BY 1",
                a=self.agency_id,
                s=self.town.name,
            )
            if not rows:
                return
            payment, invoice_id, amount = self.random.choice(rows)
            status = self.random.choice(["lost", "lost", "won", "under_review"])
            about = stand(self.town.provider, f"dp_{payment}", payment, self.random.choice([amount, 700]), status)
            self.lost[invoice_id] += status == "lost"
            id_ = about.get("id") or about["dispute_id"]
            event = ProviderEvent(id="e", type="closed", about="dispute", reference=id_, disputed=((id_, payment),))
            receive_event.apply(tx, self.town.name, self.agency_id, event)

    def transfer(self) -> None:
        """Upstream tells of one transfer for both invoices, under one reference, perhaps once more."""
        for invoice_id in self.ids:
            data = {"agency_id": self.agency_id, "invoice_id": invoice_id, "amount_minor": 300, "reference": "transfer"}
            about = {"specversion": "1.0", "source": "/portal", "type": "duecycle.invoice.paid.v1"}
            sent = {**about, "id": f"transfer-{invoice_id}", "time": self.began.isoformat(), "data": data}
            received = receive_change(self.town.store, json.dumps(sent).encode())
            assert received.state == ("repeated" if self.told[invoice_id] else "applied"), received
            self.told[invoice_id] = 300

    def refuse(self) -> None:
        """The provider refuses the account for a while."""
        if isinstance(self.town.provider, StripeLike):
            self.town.provider.refuses_account = not self.town.provider.refuses_account

    def calm(self) -> None:
        """No more trouble: everything comes to its end."""
        for _ in range(END_STEPS):
            if not self.unsettled():
                break
            self.settle()
            self.expire()
            self.ask_a_person()
            self.work(lambda _moment: None)
            self.town.clock.at += timedelta(hours=7)
            self.town.provider.prune(REMEMBERED[self.town.name])

    def ask_a_person(self) -> None:
        """After three days without a word: somebody looks at the provider's own pages, and says what is there."""
        provider, store = self.town.provider, self.town.store
        asked = "WHERE agency_id = :a AND state = 'unknown' AND code = 'needs_a_person'"
        with store.transaction() as tx:
            attempts = tx.rows(f"SELECT invoice_id, key FROM charges {asked}", a=self.agency_id)  # noqa: S608
            back = tx.rows(f"SELECT invoice_id, key, refund_seq FROM refunds {asked}", a=self.agency_id)  # noqa: S608
        moved = {each.key: each.reference for each in (*provider.ledger, *provider.returned)}
        for invoice_id, key in attempts:
            self.say(invoice_id, partial(resolve, reference=moved.get(key), by="me"))
        for invoice_id, key, refund_seq in back:
            self.say(invoice_id, partial(resolve_refund, refund_seq=refund_seq, reference=moved.get(key), by="me"))

    def say(self, invoice_id: str, word: Any) -> None:
        with self.town.store.transaction() as tx:
            of = invoices.subscriptions_of(tx, self.agency_id, [invoice_id])
            lock_subscriptions(tx, [(self.agency_id, of[invoice_id])], wait=True)
            invoice = invoices.load(tx, self.agency_id, [invoice_id])[invoice_id]
            word(tx, facts.require_agency(tx, self.agency_id), invoice)

    def expire(self) -> None:
        """Payment pages expire."""
        provider = self.town.provider
        if isinstance(provider, StripeLike):
            for session in provider.sessions.values():
                if session["status"] == "open" and session["expires_at"] < self.town.clock.at.timestamp():
                    session["status"] = "expired"
        else:
            for id_, order in list(provider.orders.items()):
                if order["status"] == "PAYER_ACTION_REQUIRED" and self.is_ours(order):
                    del provider.orders[id_]

    def settle(self) -> None:
        self.town.provider.settle()

    def bounce(self) -> None:
        """What was under way refund_seqs out not to be covered."""
        if isinstance(self.town.provider, StripeLike):
            self.town.provider.settle(succeeded=False)
        else:
            self.town.provider.settle("DECLINED")

    def work(self, between: Any) -> None:
        runtime = Runtime(
            store=self.town.store,
            gateways=always({self.town.name: self.town.gateway}),
            concurrency=1,
            between=between,
            monotonic=lambda: self.town.clock.at.timestamp(),  # a worker that lags knows by its own clock
        )
        try:
            charge_invoices(runtime, self.agency_id, self.ids, again=self.random.random() < 0.2)
        except Killed:
            return

    def between(self, moment: str) -> None:
        """A worker dies here; or it sleeps so long that another does its work, and then it goes on."""
        chance = self.random.random()
        if chance < 0.12:
            raise Killed(moment)
        if chance < 0.2 and moment == "answered" and self.late < 2:
            self.late += 1
            self.town.clock.at += timedelta(minutes=3)
            self.work(lambda _moment: None)

    def pass_time(self) -> None:
        step = self.random.choice([1, 3, 10, 60, 400, 1500])
        self.town.clock.at += timedelta(minutes=step)
        self.town.provider.prune(REMEMBERED[self.town.name])
