"""`duecycle events`: read the events published to upstream, or send them again."""

from collections.abc import Sequence
from datetime import datetime

import click

from ops.connect import open_store, settings_for
from ops.json_rows import SentRow, json_line
from scheduler.outgoing import in_order
from shared.broker.errors import BrokerError
from shared.broker.names import EVENTS_QUEUE
from shared.broker.ordered_publisher import InOrder, publish_in_order
from shared.broker.publisher import Publisher
from shared.broker.queue_reader import messages
from shared.store import events
from shared.store.database import Store
from shared.store.events import History

PORTION = 500
TRIES = 5
queue_option = click.option("--queue", default=EVENTS_QUEUE, show_default=True, help="Name of the queue.")


@click.group("events")
def events_command() -> None:
    """Read the events published to upstream, or send them again."""


@events_command.command("read")
@queue_option
@click.option("--limit", type=click.IntRange(1), help="Stop after this many events [all in the queue].")
def read_command(queue: str, limit: int | None) -> None:
    """Take the events waiting in a queue and print them, one CloudEvent per line.

    Printed events are removed from the queue; duecycle events replay sends them again.
    """
    settings = settings_for("BROKER_URL")
    printed = 0
    try:
        for body in messages(settings.broker_urls, "duecycle events read", queue):
            if printed == limit:
                break
            click.echo(body)
            printed += 1
    except BrokerError as error:
        raise click.ClickException(str(error)) from None


def _instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        found = None if value is None else datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value} is not a timestamp; write 2026-06-01T00:00:00Z") from None
    if found is not None and found.tzinfo is None:
        raise click.BadParameter(f"{value} has no UTC offset; write 2026-06-01T00:00:00Z")
    return found


@events_command.command("replay")
@click.option(
    "--since", callback=_instant, help="Only events recorded at or after this time, such as 2026-06-01T00:00:00Z."
)
@click.option("--subject", help="Only events of this subject, such as subscription/sub-gym-seo (needs --agency).")
@click.option("--agency", help="Only this agency.")
@queue_option
@click.option("--json", "as_json", is_flag=True, help="Print the count as JSON.")
def replay_command(
    since: datetime | None, subject: str | None, agency: str | None, queue: str, *, as_json: bool
) -> None:
    """Send past events again to one queue, for a consumer that is new or has lost some.

    The events of each subject come in order with their original id and subjectseq, so a consumer can drop those it already
    has. Events that were never published are left to the scheduler.
    """
    if since is None and subject is None:
        raise click.UsageError("say which events: --since 2026-06-01T00:00:00Z, or --agency and --subject")
    if subject is not None and agency is None:
        raise click.UsageError("--subject needs --agency: another agency may have a subject of that name")
    settings = settings_for("DATABASE_URL", "BROKER_URL")
    publisher = Publisher(settings.broker_urls, "duecycle events replay", "scheduler")
    publisher.start()
    try:
        with open_store(settings) as store:
            sent = _replay(store, publisher, History(agency, subject, since), queue)
    except BrokerError as error:
        raise click.ClickException(str(error)) from None
    finally:
        publisher.close()
    click.echo(json_line({"sent": sent}, SentRow) if as_json else f"{sent} events sent to {queue}")


def _replay(store: Store, publisher: Publisher, which: History, queue: str) -> int:
    sent = 0
    after = ("", 0)
    while True:
        with store.transaction() as tx:
            portion = events.recorded(tx, which, after, PORTION)
        if not portion:
            return sent
        going = [in_order(event) for event in portion]
        _send(
            publisher,
            [each._replace(message=each.message._replace(exchange="", routing_key=queue)) for each in going],
            queue,
            sent,
        )
        sent += len(portion)
        after = (portion[-1].agency_id, portion[-1].event_id)


def _send(publisher: Publisher, left: Sequence[InOrder], queue: str, sent: int) -> None:
    """Send a portion; events that were not accepted are sent again in order. Raises BrokerError."""
    unrouted: list[int] = []
    for _ in range(TRIES):
        taken = publish_in_order(publisher, left, unrouted.append)
        left = [each for each, verdict in zip(left, taken, strict=True) if not verdict]
        if not left:
            return
        if unrouted:
            raise BrokerError(f"there is no queue {queue}; create it first, or name another one with --queue")
    raise BrokerError(f"queue {queue} is full after {sent} events; empty it and replay again")
