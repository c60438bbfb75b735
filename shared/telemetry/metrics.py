"""What a process counts of itself: rates, seconds and sizes. What is true of the whole cluster comes from SQL instead."""

from prometheus_client import Counter, Gauge, Histogram

BATCH_SECONDS = Histogram(
    "duecycle_batch_seconds",
    "Time that one message of a pool took, from its actor's start to its end.",
    ["pool"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
BATCH_ROWS = Histogram(
    "duecycle_batch_rows",
    "Rows that one message of a pool named.",
    ["pool"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
MESSAGES = Counter(
    "duecycle_messages_total", "Messages that a pool has ended, by outcome: done or failed.", ["pool", "outcome"]
)
DROPPED = Counter(
    "duecycle_dropped_messages_total",
    "Messages that were acknowledged unread: undecodable, for an unknown_actor, or unexpected (they say more than we send).",
    ["pool", "why"],
)
RUNG = Counter("duecycle_work_messages_published_total", "Messages that the scheduler has sent to a pool.", ["pool"])
TICKS = Counter(
    "duecycle_ticks_total", "Looks of the scheduler at what is due, by outcome: done or failed.", ["outcome"]
)
CLOCK_STOPPED = Gauge(
    "duecycle_clock_stopped",
    "1 while this process does nothing because the database's clock can't be trusted, else 0.",
    multiprocess_mode="max",
)
EVENTS_PUBLISHED = Counter("duecycle_events_published_total", "Events that the exchange has confirmed.")
EVENTS_REFUSED = Counter(
    "duecycle_event_refusals_total", "Tries to publish an event that a queue refused or left without an answer."
)
EVENTS_UNROUTED = Counter("duecycle_events_unrouted_total", "Events that no queue was bound for.")
CHANGES = Counter(
    "duecycle_changes_total",
    "Messages of upstream, by what became of them on arrival: applied, stale, waiting, rejected or repeated.",
    ["state"],
)
INTAKE_BATCH_SECONDS = Histogram(
    "duecycle_intake_batch_seconds",
    "Time that one batch of upstream's messages took to be stored and applied.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
INTAKE_BATCH_MESSAGES = Histogram(
    "duecycle_intake_batch_messages",
    "Messages of upstream in one batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
CHARGE_OUTCOMES = Counter(
    "duecycle_charge_outcomes_total",
    "Answers of payment providers, by provider and outcome.",
    ["provider", "outcome"],
)
CHARGES_PUT_BACK = Counter(
    "duecycle_charge_messages_put_back_total",
    "Messages of charges left for five seconds because their agency's slow calls held half of the process.",
)
UNLISTED_DECLINES = Counter(
    "duecycle_unlisted_declines_total",
    "Declines with a code that no table lists: they are retried a few times; judge the code and add it.",
    ["provider"],
)
WEBHOOKS = Counter(
    "duecycle_webhooks_total",
    "Webhooks of payment providers, by what became of them: applied, repeated, kept (the provider is asked whether it sent"
    " them: unproven, if it does not say, or given_up), bad_signature, unconfigured, unreadable, too_large, incomplete; full or"
    " unavailable (the provider is asked to send them again).",
    ["provider", "outcome"],
)
PAY_PAGES = Counter(
    "duecycle_pay_pages_total",
    "Clients who asked to pay on our page, by what they were shown: sent_on, settled, under_way, closing, not_online,"
    " unavailable, or busy.",
    ["outcome"],
)
CONNECTIONS = Gauge("duecycle_connections", "Connections to the listener for webhooks and pages.")
CONNECTIONS_CLOSED = Counter(
    "duecycle_connections_closed_total",
    "Connections that the listener closed, by why: late (no whole request), unread (our answer was not taken), displaced (by"
    " newer ones, while it said nothing), or refused (all places were taken).",
    ["why"],
)
MAILS = Counter(
    "duecycle_mails_total",
    "Mails that were tried, by outcome: sent, or whose trouble it is: recipient, agency, account, away or in_doubt.",
    ["outcome"],
)


def message_done(pool: str, outcome: str, seconds: float, rows: int) -> None:
    """A message of a pool ended."""
    MESSAGES.labels(pool, outcome).inc()
    BATCH_SECONDS.labels(pool).observe(seconds)
    BATCH_ROWS.labels(pool).observe(rows)


def message_dropped(pool: str, why: str) -> None:
    """A message was acknowledged unread."""
    DROPPED.labels(pool, why).inc()


def changes_received(counts: dict[str, int], seconds: float) -> None:
    """A batch of upstream's messages was stored and applied; `counts` by what became of them."""
    for state, count in counts.items():
        CHANGES.labels(state).inc(count)
    INTAKE_BATCH_SECONDS.observe(seconds)
    INTAKE_BATCH_MESSAGES.observe(sum(counts.values()))
