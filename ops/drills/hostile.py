"""Slow and hostile peers, one kind after the other, on a cluster under load: well-behaved peers must not notice."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from ops.bench import seed
from ops.cluster.local import ONE_OF_EACH, LocalCluster
from ops.cluster.waiting import until
from ops.drills import peers
from ops.drills.probes import Changes, Probe, Webhooks, ask_page
from ops.drills.report import Report
from ops.servers.rabbitmq import free_ports
from shared.pay_urls import PayUrls
from shared.store import accounts
from shared.store.accounts import Configured
from shared.store.database import Store, make_engine
from shared.store.invariants import violations

PHASE_SECONDS = 20.0
DUE_PER_SECOND = 10
# First connections, plans and pages; and the first calls to the provider that hangs, after which its account is paused.
WARM_UP_SECONDS = 35.0
MAX_SECONDS = 10.0  # the longest wait of well-behaved peers
QUEUED_SECONDS = 40.0  # but a change waits behind those that were published before it
CHANGES = "change to event"
GOOD, SLOW, LARGE = "agency-001", "agency-002", "agency-003"
WEBHOOK_SECRET = "whsec_drill"  # noqa: S105 - of a cluster that lives for two minutes
_LINK_SECRET = "of a cluster that lives for two minutes"  # noqa: S105
# Everything falls due at its own instant, evenly; the table says when.
_SPREAD = """
CREATE TABLE drill_due AS
SELECT agency_id, subscription_id,
       now() + make_interval(secs => 5 + (row_number() OVER (ORDER BY subscription_id))::float / %(rate)s) AS at
FROM schedules"""
_PLACE = """
UPDATE schedules AS s SET next_at = d.at FROM drill_due AS d
WHERE (s.agency_id, s.subscription_id) = (d.agency_id, d.subscription_id)"""
_PAID = """
SELECT extract(epoch FROM coalesce(i.paid_at, now()) - d.at) FROM drill_due AS d
LEFT JOIN invoices AS i ON (i.agency_id, i.subscription_id) = (d.agency_id, d.subscription_id) AND i.status = 'paid'
WHERE d.agency_id <> :slow AND d.at BETWEEN now() - make_interval(secs => :before) AND now() - make_interval(secs => :after)"""
_UNPAID = """
SELECT count(*) FROM drill_due AS d WHERE d.agency_id <> :slow AND d.at <= now() AND NOT EXISTS (
  SELECT 1 FROM invoices AS i
  WHERE (i.agency_id, i.subscription_id) = (d.agency_id, d.subscription_id) AND i.status = 'paid')"""


class Phase(NamedTuple):
    """What a kind of peer does, for as long as it is entered."""

    name: str
    peer: Callable[[], AbstractContextManager[None]]


def hostile(folder: Path, report: Report) -> None:
    """Run the drill in `folder`. Raises AssertionError if a well-behaved peer was refused or had to wait."""
    port = free_ports(1)[0]
    mails, provider = peers.MailServer(), peers.SilentServer()
    environ = {
        "DUECYCLE_MAIL_URL": f"smtp+plain://127.0.0.1:{mails.port}",
        "DUECYCLE_WEBHOOKS": f"127.0.0.1:{port}",
        "DUECYCLE_PUBLIC_URL": "https://pay.drill.example",
        "DUECYCLE_LINK_SECRET": _LINK_SECRET,
        "DUECYCLE_PAYPAL_API": f"http://127.0.0.1:{provider.port}",
        "DUECYCLE_SECRET_STRIPE": "sk_test_drill",
        "DUECYCLE_SECRET_STRIPE_HOOK": WEBHOOK_SECRET,
        "DUECYCLE_SECRET_PAYPAL": "drill:drill",
        "DUECYCLE_SECRET_PAYPAL_HOOK": "WH-DRILL",
    }
    cluster = LocalCluster(folder, environ=environ)
    try:
        cluster.start({})
        phases = (
            Phase("nothing", nullcontext),
            Phase(f"{peers.SILENT} silent connections", partial(peers.silent_connections, port)),
            Phase(f"PayPal hangs, {peers.FORGED} forge webhooks", partial(peers.forged_webhooks, port, SLOW)),
            Phase("a full queue for events", partial(peers.full_queue, cluster.rabbitmq.url)),
            Phase(f"{peers.LARGE} changes of 1 MB", partial(peers.large_changes, cluster.rabbitmq.url, LARGE)),
            Phase("the mail server is a tarpit", mails.tarpit),
        )
        _seed(cluster, phases)
        for kind, count in {**ONE_OF_EACH, "webhooks": 1}.items():
            cluster.members.scale(kind, count)
        _drill(cluster, port, phases, mails, report)
    finally:
        cluster.stop()
        mails.close()
        provider.close()


def _seed(cluster: LocalCluster, phases: Sequence[Phase]) -> None:
    """What falls due in all phases, and two agencies with accounts; one charges its clients by PayPal, which hangs."""
    seconds = WARM_UP_SECONDS + (PHASE_SECONDS + MAX_SECONDS) * len(phases)
    seed.seed(cluster.database_url, round(seconds * DUE_PER_SECOND))
    with seed.connect(cluster.database_url) as session:
        session.execute(_SPREAD, {"rate": DUE_PER_SECOND})
        session.execute(_PLACE)
        session.execute("UPDATE agencies SET gateway = 'paypal' WHERE agency_id = %s", [SLOW])
        session.execute("UPDATE payment_methods SET provider = 'paypal', token = 'v' WHERE agency_id = %s", [SLOW])
    store = Store(make_engine(cluster.database_url))
    with store.transaction() as tx:
        accounts.configure(
            tx,
            Configured(
                agency_id=GOOD,
                provider="stripe",
                secret="stripe",  # noqa: S106
                test=True,
                rate_per_second=10,
                webhook_secret="stripe-hook",  # noqa: S106
                shared=False,
            ),
        )
        accounts.configure(
            tx,
            Configured(
                agency_id=SLOW,
                provider="paypal",
                secret="paypal",  # noqa: S106
                test=True,
                rate_per_second=10,
                webhook_secret="paypal-hook",  # noqa: S106
                shared=False,
            ),
        )
    store.engine.dispose()


def _drill(cluster: LocalCluster, port: int, phases: Sequence[Phase], mails: peers.MailServer, report: Report) -> None:
    store = Store(make_engine(cluster.database_url))
    changes = Changes(cluster.rabbitmq.url, GOOD)
    wrong: list[str] = []
    try:
        page = urlsplit(PayUrls("https://pay.drill.example", _LINK_SECRET).of(*_some_invoice(store))).path
        with _probes(port, page, changes) as probes:
            for phase in phases:
                wrong += _phase(phase, probes, changes, store, report)
        until(lambda: _count(store, _UNPAID) < DUE_PER_SECOND * 5, patience=120)
        until(lambda: mails.taken > 0 and _count(store, _UNSENT) < DUE_PER_SECOND * 5, patience=180)
        report(f"{mails.taken} mails were taken; what the tarpit held went out afterwards")
        wrong += violations(store)
    finally:
        changes.close()
        store.engine.dispose()
    if wrong:
        raise AssertionError("; ".join(wrong))


_UNSENT = "SELECT count(*) FROM notices WHERE state <> 'sent' AND agency_id <> :slow"


def _count(store: Store, sql: str) -> int:
    with store.transaction() as tx:
        return int(tx.scalar(sql, slow=SLOW))


def _some_invoice(store: Store) -> tuple[str, str]:
    """An invoice of the agency whose page is asked for; the first that there is."""

    def first() -> tuple[str, str] | None:
        with store.transaction() as tx:
            rows = tx.rows("SELECT agency_id, invoice_id FROM invoices WHERE agency_id = :good LIMIT 1", good=GOOD)
            return (rows[0][0], rows[0][1]) if rows else None

    found = until(first)
    if found is None:  # pragma: no cover - `until` has raised
        raise AssertionError("no invoice")
    return found


@contextmanager
def _probes(port: int, page: str, changes: Changes) -> Iterator[Sequence[Probe]]:
    asked: Mapping[str, Callable[[], str]] = {
        "page": partial(ask_page, port, page),
        "webhook": Webhooks(port, GOOD, WEBHOOK_SECRET).ask,
        CHANGES: changes.ask,
    }
    until(lambda: _listens(port))
    with ExitStack() as ending:
        probes = [Probe(name, ask) for name, ask in asked.items()]
        for probe in probes:
            ending.callback(probe.close)
        time.sleep(WARM_UP_SECONDS)
        yield probes


def _listens(port: int) -> bool:
    try:
        ask_page(port, "/pay/x")
    except OSError:
        return False
    return True


def _phase(phase: Phase, probes: Sequence[Probe], changes: Changes, store: Store, report: Report) -> list[str]:
    """Run one kind of peer. Returns what well-behaved peers noticed."""
    began, repeats = time.monotonic(), changes.repeats
    with phase.peer():
        time.sleep(max(0.0, began + PHASE_SECONDS - time.monotonic()))
    lasted = time.monotonic() - began
    time.sleep(MAX_SECONDS)  # for what fell due at the end
    with store.transaction() as tx:
        rows = tx.rows(_PAID, slow=SLOW, before=lasted + MAX_SECONDS, after=MAX_SECONDS)
    took = {
        probe.name: [seen.seconds for seen in probe.seen if began <= seen.asked <= began + lasted] for probe in probes
    }
    took["due to paid"] = [float(row[0]) for row in rows]
    wrong = [
        f"{phase.name}: {probe.name}: {seen.wrong}"
        for probe in probes
        for seen in probe.seen
        if seen.wrong and began <= seen.asked
    ]
    report(f"{phase.name}:")
    for name, all_of_it in took.items():
        if not all_of_it:
            wrong.append(f"{phase.name}: {name}: not one answer")
            continue
        slowest = max(all_of_it)
        report(f"  {name}: {len(all_of_it)} times, {median(all_of_it):.3f} s at the median, {slowest:.2f} s at most")
        if slowest > (QUEUED_SECONDS if name == CHANGES else MAX_SECONDS):
            wrong.append(f"{phase.name}: {name} took {slowest:.1f} s")
    report(f"  events that came again: {changes.repeats - repeats}")
    return wrong
