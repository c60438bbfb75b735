"""`duecycle events`: what upstream is told. Read it as upstream does, or send it once more."""

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
queue_option = click.option("--queue", default=EVENTS_QUEUE, show_default=True, help="The queue.")


@click.group("events")
def events_command() -> None:
    """What upstream is told: read it, or send it once more."""


@events_command.command("read")
@queue_option
@click.option("--limit", type=click.IntRange(1), help="At most so many [all that wait].")
def read_command(queue: str, limit: int | None) -> None:
    """Take the events that wait in a queue and print them, one CloudEvent a line.

    What was printed is gone from the queue; duecycle events replay brings it back.
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
        raise click.BadParameter(f"{value} is no instant; write 2026-06-01T00:00:00Z") from None
    if found is not None and found.tzinfo is None:
        raise click.BadParameter(f"{value} has no offset; write 2026-06-01T00:00:00Z")
    return found


@events_command.command("replay")
@click.option(
    "--since", callback=_instant, help="Events recorded at or after this instant, such as 2026-06-01T00:00:00Z."
)
@click.option("--subject", help="Only of this subject (with --agency), such as subscription/sub-gym-seo.")
@click.option("--agency", help="Only of this agency.")
@queue_option
@click.option("--json", "as_json", is_flag=True, help="Print the count as JSON.")
def replay_command(
    since: datetime | None, subject: str | None, agency: str | None, queue: str, *, as_json: bool
) -> None:
    """Send events once more, to one queue alone: after its reader has lost some, or for a reader that is new.

    Each subject's come in order, with the id and the subjectseq that they always had: a reader drops those whose id it has. The
    database keeps every event. One that was never sent is not among them: the scheduler sends it.
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
    """Send all of a portion; what was not taken goes again, in its order. Raises BrokerError."""
    unrouted: list[int] = []
    for _ in range(TRIES):
        taken = publish_in_order(publisher, left, unrouted.append)
        left = [each for each, verdict in zip(left, taken, strict=True) if not verdict]
        if not left:
            return
        if unrouted:
            raise BrokerError(f"there is no queue {queue}; make it first, or name another one: --queue")
    raise BrokerError(f"queue {queue} takes no more, it is full: {sent} events were sent; empty it and replay again")
