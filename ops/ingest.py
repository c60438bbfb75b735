"""`duecycle ingest FILE`: publish a file of change messages to the broker, with a confirm for each."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ops.connect import settings_for
from ops.json_rows import IngestedRow, json_line
from shared.broker.errors import BrokerError
from shared.broker.names import CHANGES_EXCHANGE
from shared.broker.publisher import Outgoing, Publisher
from shared.broker.startup_check import check_broker
from shared.messages import MESSAGE_BYTES_MAX
from shared.messages.decoding import is_blank, wide_encoding, without_mark
from shared.messages.events import CONTENT_TYPE

PORTION = 500
TRIES = 5
TOLD_MAX = 20  # unreadable lines that are named one by one


class Line(NamedTuple):
    """A line of the file; `message` is None when it can't be published, and `wrong` says why."""

    number: int
    message: Outgoing | None
    wrong: str = ""
    size: int = 0


class Count(NamedTuple):
    """How many lines were published, and how many were not."""

    published: int
    unreadable: int


@click.command("ingest")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def ingest_command(file: Path, *, as_json: bool) -> None:
    """Publish a file of change messages to the broker.

    The file has one JSON object per line; - reads standard input.

    The broker confirms every message; duecycle inbox list shows what intake did with each. Publishing a file twice is
    harmless, because messages are recognised by source and id.
    """
    settings = settings_for("BROKER_URL")
    try:
        check_broker(settings.broker_urls, "upstream", "duecycle ingest")
        count = _publish(settings.broker_urls, file)
    except BrokerError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json_line(count._asdict(), IngestedRow))
    else:
        click.echo(f"{count.published} messages published; duecycle inbox list shows their outcomes")
    if count.unreadable:
        click.echo(f"{count.unreadable} lines were not published, see above; fix and publish them again", err=True)
        raise SystemExit(1)


def _publish(urls: tuple[str, ...], file: Path) -> Count:
    columns = (TextColumn("publishing"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    publisher = Publisher(urls, "duecycle ingest", "upstream")
    publisher.start()
    size = None if str(file) == "-" else file.stat().st_size
    published = unreadable = 0
    try:
        with _opened(file) as source, Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=size)
            for portion in _portions(_lines(source)):
                good = [line.message for line in portion if line.message is not None]
                _send(publisher, good)
                published += len(good)
                for line in portion:
                    if line.wrong:
                        unreadable += 1
                        _tell(line, unreadable)
                bar.advance(task, sum(line.size for line in portion))
    finally:
        publisher.close()
    return Count(published, unreadable)


def _opened(file: Path) -> BinaryIO:
    return sys.stdin.buffer if str(file) == "-" else file.open("rb")


def _send(publisher: Publisher, messages: list[Outgoing]) -> None:
    """Publish a portion; after an interruption all of it is sent again, as repeats change nothing. Raises BrokerError."""
    for attempt in range(1, TRIES + 1):
        try:
            verdicts = publisher.publish(messages)
        except BrokerError:
            if attempt == TRIES:
                raise
            continue
        if "unrouted" in verdicts:
            raise BrokerError(
                "no queue is bound to duecycle.changes: start intake (duecycle worker intake) once, it creates its queue"
            )
        if "refused" not in verdicts:
            return
    raise BrokerError("the broker refuses messages for duecycle.changes; its log says why")


def _lines(source: BinaryIO) -> Iterator[Line]:
    for number, raw in enumerate(source, 1):
        if not is_blank(raw):
            yield _line(number, without_mark(raw).strip())._replace(size=len(raw))


def _line(number: int, text: bytes) -> Line:
    if len(text) > MESSAGE_BYTES_MAX:
        return Line(number, None, f"has {len(text):,} bytes, more than {MESSAGE_BYTES_MAX:,}")
    if wide := wide_encoding(text):
        return Line(number, None, f"is {wide}, not UTF-8; write the file in UTF-8")
    try:
        message = json.loads(text)
    except ValueError as error:
        return Line(number, None, f"is not JSON ({error})")
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or not 0 < len(kind.encode()) < 256:
        return Line(number, None, 'has no type; write a CloudEvent, such as {"type": "duecycle.client.upserted.v1", …}')
    return Line(number, Outgoing(exchange=CHANGES_EXCHANGE, routing_key=kind, body=text, content_type=CONTENT_TYPE))


def _portions(lines: Iterator[Line]) -> Iterator[list[Line]]:
    portion: list[Line] = []
    for line in lines:
        portion.append(line)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _tell(line: Line, count: int) -> None:
    if count <= TOLD_MAX:
        click.echo(f"line {line.number} {line.wrong}", err=True)
    elif count == TOLD_MAX + 1:
        click.echo("… further lines are not shown", err=True)
