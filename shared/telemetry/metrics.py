"""Metrics of one process: rates, durations and sizes. Figures of the whole cluster come from SQL instead."""

from prometheus_client import Counter, Gauge, Histogram

BATCH_SECONDS = Histogram(
    "duecycle_batch_seconds",
    "Seconds to process one message of a pool, from the start of its actor to the end.",
    ["pool"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
BATCH_ROWS = Histogram(
    "duecycle_batch_rows",
    "Rows named by one message of a pool.",
    ["pool"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
MESSAGES = Counter(
    "duecycle_messages_total", "Messages processed by a pool, by outcome: done or failed.", ["pool", "outcome"]
)
DROPPED = Counter(
    "duecycle_dropped_messages_total",
    "Messages dropped without processing: undecodable, for an unknown_actor, or unexpected (not as the scheduler sends them).",
    ["pool", "why"],
)
WORK_MESSAGES = Counter(
    "duecycle_work_messages_published_total", "Work messages sent by the scheduler to a pool.", ["pool"]
)
TICKS = Counter("duecycle_ticks_total", "Scheduler ticks, by outcome: done or failed.", ["outcome"])
CLOCK_STOPPED = Gauge(
    "duecycle_clock_stopped",
    "1 while this process is stopped because the database's clock can't be trusted, else 0.",
    multiprocess_mode="max",
)
EVENTS_PUBLISHED = Counter("duecycle_events_published_total", "Events published and confirmed by the broker.")
EVENTS_REFUSED = Counter(
    "duecycle_event_refusals_total", "Attempts to publish an event that a queue refused or did not answer."
)
EVENTS_UNROUTED = Counter("duecycle_events_unrouted_total", "Events for which no queue was bound.")
CHANGES = Counter(
    "duecycle_changes_total",
    "Messages from upstream, by their state on arrival: applied, stale, waiting, rejected or repeated.",
    ["state"],
)
INTAKE_BATCH_SECONDS = Histogram(
    "duecycle_intake_batch_seconds",
    "Seconds to store and apply one batch of messages from upstream.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
INTAKE_BATCH_MESSAGES = Histogram(
    "duecycle_intake_batch_messages",
    "Messages from upstream in one batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
CHARGE_OUTCOMES = Counter(
    "duecycle_charge_outcomes_total",
    "Answers of payment providers, by provider and outcome.",
    ["provider", "outcome"],
)
CHARGES_PUT_BACK = Counter(
    "duecycle_charge_messages_put_back_total",
    "Charge messages put back for five seconds because their agency's slow calls occupied half of the process.",
)
UNLISTED_DECLINES = Counter(
    "duecycle_unlisted_declines_total",
    "Declines with an unknown code, which are retried a few times; classify the code and add it to the table.",
    ["provider"],
)
WEBHOOKS = Counter(
    "duecycle_webhooks_total",
    "Webhooks of payment providers, by outcome: applied, repeated, kept (the provider is asked whether it sent them: unproven"
    " while it does not say, or given_up), bad_signature, unconfigured, unreadable, too_large, incomplete; full or unavailable"
    " (the provider is asked to send them again).",
    ["provider", "outcome"],
)
PAY_PAGES = Counter(
    "duecycle_pay_pages_total",
    "Requests to pay on a payment page, by what the client was shown: sent_on, settled, under_way, closing, not_online,"
    " unavailable, or busy.",
    ["outcome"],
)
CONNECTIONS = Gauge("duecycle_connections", "Open connections to the listener for webhooks and payment pages.")
CONNECTIONS_CLOSED = Counter(
    "duecycle_connections_closed_total",
    "Connections closed by the listener, by reason: late (no complete request), unread (our answer was not read), displaced (by"
    " newer ones while idle), or refused (too many connections).",
    ["why"],
)
MAILS = Counter(
    "duecycle_mails_total",
    "Attempts to send a mail, by outcome: sent, or whose problem it is: recipient, agency, account, away or in_doubt.",
    ["outcome"],
)


def message_done(pool: str, outcome: str, seconds: float, rows: int) -> None:
    """A message of a pool was processed."""
    MESSAGES.labels(pool, outcome).inc()
    BATCH_SECONDS.labels(pool).observe(seconds)
    BATCH_ROWS.labels(pool).observe(rows)


def message_dropped(pool: str, why: str) -> None:
    """A message was dropped without processing."""
    DROPPED.labels(pool, why).inc()


def changes_received(counts: dict[str, int], seconds: float) -> None:
    """A batch of messages from upstream was stored and applied; `counts` by their state."""
    for state, count in counts.items():
        CHANGES.labels(state).inc(count)
    INTAKE_BATCH_SECONDS.observe(seconds)
    INTAKE_BATCH_MESSAGES.observe(sum(counts.values()))
