"""docs/life-of-a-cycle.md: one subscription followed through the system, written from a run."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ops.pages import rendering
from ops.pages.rendering import block, link
from ops.pages.story import Step, Story, cloud_event
from scheduler.dispatch import dispatch
from scheduler.plan import plan
from scheduler.process import run as run_scheduler
from scheduler.recheck import recheck
from scheduler.relay import relay_pass
from scheduler.tick import Scheduler
from shared.billing.issue_invoices import issue
from shared.billing.notify import notify
from shared.billing.receive_payments import receive
from shared.broker.changes_consumer import ChangesConsumer
from shared.broker.pool_consumer import PoolBroker
from shared.documents.mail import render
from shared.domain.clearance import clear
from shared.domain.invoicing import decide
from shared.domain.planning import catch_up
from shared.messages import decode_change
from shared.messages.events import cloud_event as as_cloud_event
from shared.store.database import Store
from shared.store.due_rows import take_due
from shared.store.numbers import take
from workers.boot import begin
from workers.charges.charge_invoices import charge_invoices
from workers.charges.claim import claim
from workers.charges.settle import settle
from workers.cycle_batches import work_stream
from workers.intake.consume_changes import run as take_messages
from workers.intake.receive_batch import receive_batch
from workers.invoices.issue_invoices import issue_invoices
from workers.notices.send_notices import send_notices
from workers.orders.create_orders import create_orders

FILE = "life-of-a-cycle.md"
Code = Callable[..., Any] | type


class Chapter(NamedTuple):
    """Consecutive steps of a story, what they are called, and an explanation."""

    steps: Sequence[str]
    title: str
    process: str
    text: str
    code: Sequence[Code]


CHAPTERS: Sequence[Chapter] = (
    Chapter(
        ("intake",),
        "The messages become rows",
        "intake",
        """
Intake takes messages from the queue `duecycle.changes.v1` in batches. It stores each in the inbox, checks it, applies it, and
acknowledges the batch after the commit. After a crash before that, the same messages are delivered again; they are recognised
by source and id and change nothing.

A subscription gets two schedules, one for invoices and one for orders. A schedule says when its next cycle begins: 1 June in
Berlin begins on 31 May at 22:00 UTC. Each message is answered by an event.
""",
        (take_messages, ChangesConsumer, receive_batch, decode_change),
    ),
    Chapter(
        ("recheck",),
        "Changed facts are rechecked",
        "scheduler",
        """
A new card may pay invoices that are failing, a new price may unblock cycles. Intake only adds a row to `rechecks`; the
scheduler checks the affected subscriptions in batches. Here there is nothing to do yet.
""",
        (run_scheduler, Scheduler, recheck),
    ),
    Chapter(
        ("relay",),
        "The answers are published",
        "scheduler",
        """
The relay is a loop of the scheduler. It reads events that are not published yet, publishes them to the exchange
`duecycle.events`, and marks them once every bound queue has confirmed them. After a crash in between, an event is published
twice with the same number.
""",
        (relay_pass, as_cloud_event),
    ),
    Chapter(
        ("plan",),
        "The due cycles are planned",
        "scheduler",
        """
Eleven days later the schedules are due. Plan writes a row in `cycles` for each boundary that has passed, and moves the
schedules on in the same commit. From here on no work can be forgotten: the rows say what should exist. `wake_at` says when a
row has to be dispatched next.
""",
        (Scheduler, plan, catch_up),
    ),
    Chapter(
        ("dispatch", "dispatch"),
        "Dispatch sends work messages",
        "scheduler",
        """
Dispatch finds rows whose `wake_at` has come, moves it two minutes ahead, commits, and only then publishes a message with their
ids. The two minutes are a lease: if the message is lost or the worker dies, the rows are due again. A message has no
amounts and no instructions. It only says: these rows may be due.
""",
        (dispatch, take_due),
    ),
    Chapter(
        ("invoices",),
        "The invoice is issued",
        "invoices",
        """
The pool locks the subscription, reads the facts that were in force when the cycle fell due, and asks the domain what to do. It
then writes everything in one transaction: the invoice with the next number, its lines, the first attempt to charge, the event,
and the cycle as done.
""",
        (begin, PoolBroker, issue_invoices, work_stream, decide, issue, take),
    ),
    Chapter(
        ("orders",),
        "The order waits for the payment",
        "orders",
        """
This subscription is a self-checkout: the invoice of a period has to be paid before its order is created. The order's cycle
waits and names the invoice it waits for. It is dispatched again after two hours even if nothing wakes it before.
""",
        (create_orders, clear),
    ),
    Chapter(("dispatch",), "Dispatch again: the charge", "scheduler", "", (dispatch,)),
    Chapter(
        ("charges",),
        "The money is collected",
        "charges",
        """
A charge has three steps, so that no transaction is open while the provider is asked. *Claim* stores the attempt with its
idempotency key and its exact request, and commits. Then the provider is *called*. *Settle* records the answer in a new
transaction. If the process dies in between, the attempt is in doubt and the provider is asked for its outcome; it is never
charged with another key.

Settle records the payment, closes the invoice, wakes the order that waited for it, and writes the notice. The status, the
notice and the events are in one commit.
""",
        (charge_invoices, claim, settle, receive, notify),
    ),
    Chapter(("dispatch", "dispatch"), "Dispatch again: the order and the mail", "scheduler", "", (dispatch,)),
    Chapter(("orders",), "The order is created", "orders", "", (create_orders, clear)),
    Chapter(
        ("notices",),
        "The mail is sent",
        "notices",
        """
A notice is a row with all its data, and is rendered when it is sent. After a crash between sending and recording, the mail is
sent again with the same `Message-ID`.
""",
        (send_notices, render),
    ),
    Chapter(
        ("relay",),
        "The events are published",
        "scheduler",
        """
All events of a subscription have one subject and are numbered from 1 without gaps. Each is published as a CloudEvent; the
routing key is its type.
""",
        (relay_pass, as_cloud_event),
    ),
)

_ABOUT = """\
# The life of a cycle

One subscription, from its first message to its last event: every message, every row, every log line. This page is written by
`python -m ops.pages` from a run of the real intake, scheduler, pools and relay on a real database, and a test fails if it
differs from the code. Edit `ops/pages/life.py`, not this page.

How to read it:

- In the rows, `+` is a new row and `~` a changed one. Empty columns, digests and `agency_id` (always `acme`) are left out.
- Run times and message ids in log lines are examples; they differ each time.
- *Read* lists the functions in the order in which they are called.

The words are explained in the [glossary](glossary.md), the states in [States](states.md). Every step below runs
inside {store}, which begins the transaction, reads the clock once, writes the recorded events at the end, and commits.

## What upstream sends

An agency, a client, a card, a service for 1,500.00 EUR a month plus 19 % VAT, and a subscription that starts on 1 June.
"""

_AFTER = """\
## What happens next

The schedules are due again on 30 June at 22:00 UTC, and everything repeats for the cycle of 1 July. Other endings:

"""

ENDINGS = (
    (
        "The card is declined.",
        "The charge is `declined` and a later attempt is planned. The invoice stays `open`, the order is `held`.",
        "[failed payments](decisions/0007-failed-payments.md)",
    ),
    (
        "The provider's answer is lost.",
        "The charge is `unknown`; the provider is asked again at growing intervals.",
        "[real money](decisions/0015-real-money.md)",
    ),
    (
        "The price is missing.",
        "The cycle is `blocked` with its reason, and is retried once the price arrives.",
        "[facts with history](decisions/0004-facts-with-history.md)",
    ),
    (
        "Nothing ran for three months.",
        "Three cycles per schedule are created, each with its own period, oldest first.",
        "[the ledger](decisions/0002-the-ledger-of-cycles.md)",
    ),
    (
        "A work message is lost or delivered twice.",
        "No change: the row is due again after its lease, or the second worker finds it done.",
        "[dispatch](decisions/0006-the-doorbell-and-the-business-time.md)",
    ),
)


def life_page(story: Story) -> str:
    """The text of the page. Raises RuntimeError if the run took other steps than the page describes."""
    steps = list(story.steps)
    expected = [name for chapter in CHAPTERS for name in chapter.steps]
    if [step.name for step in steps] != expected:
        raise RuntimeError(
            f"the run took the steps {[step.name for step in steps]}; ops/pages/life.py tells {expected}"
        )
    lines = [_ABOUT.format(store=link(Store)), *block([each.decode() for each in story.messages], "json")]
    for number, chapter in enumerate(CHAPTERS, 1):
        of_chapter = [steps.pop(0) for _ in chapter.steps]
        lines += _chapter(number, chapter, of_chapter, story.mails if "notices" in chapter.steps else ())
    endings = [f"| {' | '.join(row)} |" for row in (("what happens", "what the rows say", "more"), *ENDINGS)]
    return "\n".join([*lines, _AFTER, endings[0], "|---|---|---|", *endings[1:], ""])


def _chapter(number: int, chapter: Chapter, steps: Sequence[Step], mails: Sequence[str]) -> Iterator[str]:
    yield f"## {number}. {chapter.title}"
    yield ""
    yield f"*Process:* `{chapter.process}`. *Time:* {rendering.instant(steps[0].at)}."
    yield f"*Read:* {' → '.join(map(link, chapter.code))}."
    yield ""
    if chapter.text:
        yield from (chapter.text.strip(), "")
    if steps[0].name == "dispatch":
        yield from _labelled("Messages", [line for step in steps for line in rendering.work_messages(step)])
    yield from _labelled("Rows", [line for step in steps for line in _rows(step)])
    yield from _labelled("Events", [line for step in steps for line in rendering.events(step)])
    yield from _labelled("Log", [line for step in steps for line in rendering.log_lines(step, chapter.process)])
    if number == len(CHAPTERS):
        bodies = [line for event in steps[0].published[-1:] for line in _sent(*cloud_event(event))]
        yield from _labelled("The last of them, as published", bodies)
    for mail in mails:
        yield from _labelled("Mail", mail.strip().splitlines())


def _rows(step: Step) -> Iterator[str]:
    if step.published:
        yield f"~ events: published_at → {rendering.instant(step.at)} ({len(step.published)} rows)"
    else:
        yield from rendering.rows(step.changes)


def _sent(routing_key: str, body: bytes) -> Iterator[str]:
    yield f"routing key: {routing_key}"
    yield body.decode()


def _labelled(label: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from (f"{label}:", "", *block(lines))
