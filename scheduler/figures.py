"""The cluster's figures, counted in SQL every few seconds by the scheduler alone, and exported as gauges.

Old figures must not look fresh. When the database can't be reached they are dropped at once, else when three counts in a row
are missing; what is left then is `duecycle_figures_up` at 0.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from threading import Event, Lock
from time import monotonic

import structlog

from shared.domain.mailing import TROUBLES
from shared.domain.states import STUCK_REASONS, UNSETTLED_REASONS
from shared.error_words import safe_words
from shared.messages.work import POOLS
from shared.store import figures
from shared.store.database import Store
from shared.store.errors import is_connection_error
from shared.store.figures import Count, Figures
from shared.telemetry.truth import Described, Sample

EVERY_SECONDS = 10.0
SHARE = 10  # counting takes at most a tenth of the time
MISSED = 3  # counts in a row without which the figures are too old to be shown
STREAMS = ("order", "invoice")
STATES = ("due", "waiting", "held", "blocked")
NONE = Count(0, None)
CHARGE_STATES = ("planned", "due", "sending", "unknown", "pending", "action_required")
log = structlog.get_logger()

DESCRIBED: Mapping[str, Described] = {
    "duecycle_cycles": Described("Open cycles, by stream, state and reason.", ("stream", "state", "reason")),
    "duecycle_oldest_due_seconds": Described("Seconds since the oldest due cycle of a stream fell due.", ("stream",)),
    "duecycle_schedules_due": Described("Schedules with a cycle that is due and not planned yet."),
    "duecycle_oldest_schedule_seconds": Described("Seconds the oldest of these has waited to be planned."),
    "duecycle_failing_invoices": Described("Open invoices whose payment failed."),
    "duecycle_charges": Described(
        "Open charge attempts, by state: planned for later, due now, or in progress.", ("state",)
    ),
    "duecycle_oldest_unknown_charge_seconds": Described("Seconds since the oldest charge attempt in doubt was sent."),
    "duecycle_charges_stuck": Described(
        "Charge attempts, refunds and payment pages that are stuck or in doubt, by reason.", ("reason",)
    ),
    "duecycle_refunds": Described("Open refunds."),
    "duecycle_oldest_refund_seconds": Described("Seconds since the oldest of these was requested."),
    "duecycle_notices_due": Described("Notices due to be sent now."),
    "duecycle_oldest_notice_seconds": Described("Seconds the oldest of these has been due."),
    "duecycle_notices": Described(
        "Notices not sent yet, by the outcome of the latest try: untried, or whose problem it is.",
        ("outcome",),
    ),
    "duecycle_oldest_untried_notice_seconds": Described("Seconds the oldest untried notice has waited."),
    "duecycle_notices_failed": Described("Notices given up because they could not be sent."),
    "duecycle_inbox_messages": Described("Messages from upstream that are waiting or were rejected.", ("state",)),
    "duecycle_oldest_inbox_waiting_seconds": Described("Seconds the oldest waiting message from upstream has waited."),
    "duecycle_webhooks_kept": Described(
        "Webhooks not yet confirmed by their provider (unproven), or that could not be applied (unreadable).",
        ("state",),
    ),
    "duecycle_oldest_unproven_webhook_seconds": Described("Seconds the oldest unproven webhook has been kept."),
    "duecycle_events_unpublished": Described("Events not published yet."),
    "duecycle_oldest_event_unpublished_seconds": Described("Seconds the oldest of these has waited."),
    "duecycle_events_refused": Described("Events refused by a queue; each holds back the later ones of its subject."),
    "duecycle_oldest_event_refused_seconds": Described("Seconds the oldest of these has been refused."),
    "duecycle_set_aside": Described(
        "Rechecks and schedules set aside after an error and retried automatically, by kind.", ("kind",)
    ),
    "duecycle_rechecks": Described("Changed facts whose subscriptions still have to be rechecked."),
    "duecycle_refused_duplicates": Described(
        "Duplicate documents refused by a unique constraint since the installation; must stay 0."
    ),
    "duecycle_late_releases": Described(
        "Orders released only by the periodic check since the installation; must stay 0."
    ),
    "duecycle_pauses": Described("Pauses set by operators, by pool.", ("pool",)),
    "duecycle_accounts_paused": Described("Gateway accounts paused after too many lost answers."),
    "duecycle_scheduler_beat_age_seconds": Described("Seconds since the latest tick of any scheduler."),
    "duecycle_figures_age_seconds": Described("Seconds since these figures were counted."),
    "duecycle_figures_seconds": Described("Seconds that counting them took."),
    "duecycle_figures_up": Described(
        "1 while the cluster's figures are exported, 0 when they are too old or the database can't be reached."
    ),
}


class Exporter:
    """Counts in a loop of its own; `samples` is what was counted last."""

    def __init__(self, store: Store, every: float = EVERY_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self._store, self._every, self._monotonic = store, every, clock
        self._lock = Lock()
        self._figures: Figures | None = None
        self._counted_at = self._seconds = 0.0
        self._away = False

    def loop(self, stop: Event) -> None:
        """Count until `stop` is set; seldom enough that counting stays cheap, however long it takes."""
        while not stop.is_set():
            self.count()
            stop.wait(self._pause())

    def _pause(self) -> float:
        return max(self._every, self._seconds * SHARE)

    def count(self) -> None:
        """Count once. When the database can't be reached, there are no figures until it can."""
        began = self._monotonic()
        try:
            with self._store.transaction() as tx:
                found = figures.snapshot(tx)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the next count may work
            log.warning("figures.failed", error=safe_words(error))
            with self._lock:
                self._away = isinstance(error, OSError) or is_connection_error(error)
            return
        with self._lock:
            self._figures, self._away = found, False
            self._counted_at, self._seconds = self._monotonic(), self._monotonic() - began

    def samples(self) -> Iterator[Sample]:
        """The figures as samples, with their age; of those that can't be trusted any more only that it is so."""
        with self._lock:
            found, away, seconds = self._figures, self._away, self._seconds
            age = self._monotonic() - self._counted_at
            told = found is not None and not away and age <= MISSED * self._pause()
        yield Sample("duecycle_figures_up", (), float(told))
        if found is None or not told:
            return
        yield Sample("duecycle_figures_age_seconds", (), age)
        yield Sample("duecycle_figures_seconds", (), seconds)
        yield from samples_of(found)


def samples_of(found: Figures) -> Iterator[Sample]:
    """The samples of one count; what is not there is given as 0, so that no line of a graph ends when a problem does."""
    yield from _cycles(found)
    yield from _charges(found)
    yield from _notices(found)
    for name, count in (
        ("duecycle_refunds", found.refunds_open),
        ("duecycle_schedules_due", found.schedules_due),
        ("duecycle_failing_invoices", found.failing_invoices),
        ("duecycle_notices_due", found.notices_due),
        ("duecycle_notices_failed", found.notices_failed),
        ("duecycle_events_unpublished", found.events_unpublished),
        ("duecycle_events_refused", found.events_refused),
        ("duecycle_rechecks", found.rechecks),
    ):
        yield Sample(name, (), count.rows)
    for name, state, count in (
        ("duecycle_set_aside", "recheck", found.rechecks_failing),
        ("duecycle_set_aside", "schedule", found.schedules_failing),
        ("duecycle_inbox_messages", "waiting", found.inbox_waiting),
        ("duecycle_inbox_messages", "rejected", found.inbox_rejected),
        ("duecycle_webhooks_kept", "unproven", found.webhooks_unproven),
        ("duecycle_webhooks_kept", "unreadable", found.webhooks_set_aside),
    ):
        yield Sample(name, (state,), count.rows)
    yield from _ages(found)
    yield Sample("duecycle_refused_duplicates", (), found.refused_duplicates)
    yield Sample("duecycle_late_releases", (), found.late_releases)
    yield Sample("duecycle_accounts_paused", (), found.accounts_paused)
    for pool in POOLS:
        yield Sample("duecycle_pauses", (pool,), found.paused.get(pool, 0))


def _ages(found: Figures) -> Iterator[Sample]:
    for name, oldest in (
        ("duecycle_oldest_schedule_seconds", found.schedules_due.oldest_at),
        ("duecycle_oldest_unknown_charge_seconds", found.charges.get("unknown", NONE).oldest_at),
        ("duecycle_oldest_refund_seconds", found.refunds_open.oldest_at),
        ("duecycle_oldest_notice_seconds", found.notices_due.oldest_at),
        ("duecycle_oldest_inbox_waiting_seconds", found.inbox_waiting.oldest_at),
        ("duecycle_oldest_unproven_webhook_seconds", found.webhooks_unproven.oldest_at),
        ("duecycle_oldest_event_unpublished_seconds", found.events_unpublished.oldest_at),
        ("duecycle_oldest_event_refused_seconds", found.events_refused.oldest_at),
        ("duecycle_scheduler_beat_age_seconds", found.beat_at),
    ):
        yield Sample(name, (), _age(found.as_of, oldest))


def _charges(found: Figures) -> Iterator[Sample]:
    for state in CHARGE_STATES:
        yield Sample("duecycle_charges", (state,), found.charges.get(state, NONE).rows)
    stuck = dict.fromkeys(sorted(STUCK_REASONS), 0)
    for reason, count in found.charges_stuck.items():
        label = reason if reason in STUCK_REASONS else "other"
        stuck[label] = stuck.get(label, 0) + count.rows
    for reason, rows in stuck.items():
        yield Sample("duecycle_charges_stuck", (reason,), rows)


def _cycles(found: Figures) -> Iterator[Sample]:
    counted: dict[tuple[str, str, str], int] = {(stream, state, ""): 0 for stream in STREAMS for state in STATES}
    for each in found.cycles:
        labels: tuple[str, str, str] = (
            each.stream,
            each.state,
            each.reason if each.reason in UNSETTLED_REASONS else "other",
        )
        counted[labels] = counted.get(labels, 0) + each.rows
    for labels, count in counted.items():
        yield Sample("duecycle_cycles", labels, count)
    for stream in STREAMS:
        yield Sample("duecycle_oldest_due_seconds", (stream,), _age(found.as_of, found.oldest_due_at(stream)))


def _notices(found: Figures) -> Iterator[Sample]:
    yield Sample("duecycle_notices", ("untried",), found.notices.get("", NONE).rows)
    for trouble in TROUBLES:
        yield Sample("duecycle_notices", (trouble,), found.notices.get(trouble, NONE).rows)
    yield Sample("duecycle_oldest_untried_notice_seconds", (), _age(found.as_of, found.notices.get("", NONE).oldest_at))


def _age(now: datetime, then: datetime | None) -> float:
    return 0.0 if then is None else max(0.0, (now - then).total_seconds())
