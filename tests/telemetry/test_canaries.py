"""Canaries in everything that a message may hold: whatever breaks, and wherever, none of them gets into the log."""

import io
import json
import smtplib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.documents.mail import Mail
from shared.documents.sending import Envelope, UnsentError
from shared.error_words import safe_traceback, safe_words
from shared.messages import CHANGE_TYPES
from shared.store import notices
from shared.store.database import FixedClock, Store, Transaction
from shared.store.errors import describe
from shared.store.notices import NewNotice
from tests.journeys.diary import Diary
from workers.intake.receive_batch import receive_batch
from workers.notices import send_notices

CANARY = "Kanarienvogel"
PERSON = {"name": f"{CANARY} GmbH", "email": f"{CANARY}@x.example", "tax_id": f"DE{CANARY}"}
ADDRESS = {"line1": f"{CANARY} 1\n[SQL: {CANARY}]", "postcode": "1", "city": CANARY, "country": "DE"}
OPEN = {"invoice_id": "inv:man:2026-06-01"}
PAID = {"invoice_id": "inv:sub:2026-06-01"}
# By type of message: what it says, with a canary wherever somebody may write what he likes.
SAID: dict[str, dict[str, Any]] = {
    "agency.upserted": {**PERSON, "address": ADDRESS},
    "client.upserted": {**PERSON, "address": ADDRESS},
    "service.upserted": {"name": f"{CANARY} care"},
    "payment_method.upserted": {"token": f"pm_{CANARY}", "customer": f"cus_{CANARY}"},
    "payment_method.removed": {},
    "subscription.upserted": {"subscription_id": "other", "checkout": "manual", "order_id": CANARY},
    "subscription.resumed": {"subscription_id": "stopped"},
    "invoice.issued": {"invoice_id": CANARY, "number": CANARY, "issued_on": "2026-06-02"},
    "invoice.paid": {**OPEN, "reference": f"{CANARY} transfer"},
    "invoice.voided": {**OPEN, "reason": CANARY},
    "invoice.refunded": {**PAID, "reference": CANARY, "reason": CANARY},
    "refund.requested": {**PAID, "reason": CANARY},
    "charge.requested": OPEN,
}
# A row of one of these can't be written any more: the statement breaks when the server has it in its hands.
TABLES = (
    *("agencies", "clients", "services", "payment_methods", "subscriptions", "schedules", "cycles"),
    *("invoices", "payments", "refunds", "charges"),
)


@pytest.fixture
def broken(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """A diary with something of everything in it, on a database that refuses to write a row, and tells it in full."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20")
    for name, collection in (("sub", "automatic"), ("man", "manual"), ("stopped", "manual")):
        diary.say("subscription.upserted", "2026-06-01", subscription_id=name, collection=collection)
    diary.say("invoice.voided", "2026-06-02", invoice_id="inv:stopped:2026-06-01")
    diary.go("2026-06-03")
    with store.transaction() as tx:
        for table in TABLES:
            tx.run(f"ALTER TABLE {table} ADD CONSTRAINT ck_canary CHECK (false) NOT VALID")
    return diary


def test_every_type_of_message_has_a_canary() -> None:
    assert {f"duecycle.{name}.v1" for name in SAID} == set(CHANGE_TYPES)


@pytest.mark.parametrize("path", ["one by one", "in a batch"])
def test_no_message_that_breaks_in_its_statement_gets_into_the_log(
    broken: Diary, lines: io.StringIO, path: str
) -> None:
    """Nor into the answer that upstream gets, which other programs read too. The place where it broke is logged."""
    raws = [broken.message(name, "2026-06-03", id=f"{name}-1", **said) for name, said in SAID.items()]
    told = [broken.hear(raw) for raw in raws] if path == "one by one" else receive_batch(broken.store, raws)
    assert [(each.id, each.state, each.reason[:20]) for each in told] == [
        (f"{name}-1", "rejected", "could not be applied") for name in SAID
    ]
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    traced = [line for line in logged if line["event"] == "change.failed"]
    assert len(traced) == len(SAID)
    assert all("Traceback" in line["exception"] and "ck_canary" in line["exception"] for line in traced)
    assert CANARY not in lines.getvalue()
    assert not [each for each in told if CANARY in each.reason]
    answers = broken.ask("SELECT data::text FROM events WHERE type = 'change.rejected'")
    assert not [each for each in answers if CANARY in each[0].replace(f'"{CANARY}"', "")]


def unique(tx: Transaction) -> None:
    insert = "INSERT INTO heartbeats VALUES (:name, now())"
    tx.run(insert, name=CANARY)
    tx.run(insert, name=CANARY)


def file_of_a_mail(_tx: Transaction) -> None:
    Path(f"/nowhere/{CANARY}.eml").write_text("")


def refused_recipient(_tx: Transaction) -> None:
    raise smtplib.SMTPRecipientsRefused({CANARY: (550, b"no")})


def chained(_tx: Transaction) -> None:
    try:
        {}[CANARY]
    except KeyError as error:
        raise RuntimeError("it led to this") from error


BREAKS: list[tuple[Callable[[Transaction], object], str]] = [
    (
        lambda tx: tx.run("SELECT CAST(:x AS bigint)", x=CANARY),
        "DataError: invalid input syntax for type bigint… (22P02)",
    ),
    (
        lambda tx: tx.run("SELECT CAST(:x AS timestamptz)", x=CANARY),
        "invalid input syntax for type timestamp with time zone",
    ),
    (lambda tx: tx.run("SELECT CAST(:x AS jsonb)", x=f"{{{CANARY}"), "invalid input syntax for type json (22P02)"),
    (lambda tx: tx.run("SELECT CAST(:x AS text)", x=f"{CANARY}\0"), "DataError"),
    (lambda tx: tx.run("SELECT CAST(:x AS text)", x={CANARY}), "ProgrammingError"),
    (unique, 'duplicate key value violates unique constraint "pk_heartbeats" (23505)'),
    (file_of_a_mail, "FileNotFoundError: No such file or directory"),
    (refused_recipient, "SMTPRecipientsRefused"),
    (chained, "RuntimeError: it led to this"),
    (lambda _tx: int(CANARY), "ValueError"),
    (lambda _tx: {}[CANARY], "KeyError"),
    (lambda _tx: CANARY.encode("utf-16").decode(), "UnicodeDecodeError"),
    (lambda _tx: msgspec.json.decode(f'"{CANARY}"', type=int), "ValidationError"),
]


@pytest.mark.parametrize(("breaks", "says"), BREAKS)
def test_words_and_tracebacks_of_errors_hold_no_value(
    store: Store, breaks: Callable[[Transaction], object], says: str
) -> None:
    """The kind stays, the state and the constraint, and the lines of code that led there; not a row, a key or a parameter."""
    with pytest.raises(Exception) as raised, store.transaction() as tx:  # noqa: PT011 - many kinds
        breaks(tx)
    trace = safe_traceback(raised.value)
    assert says in safe_words(raised.value)
    code = [line for line in trace.splitlines() if line.startswith("    ")]
    words = [line for line in trace.splitlines() if not line.startswith("    ")]
    assert not [line for line in words if CANARY in line]
    assert code
    assert trace.endswith(safe_words(raised.value))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnsentError("recipient", f"550 5.1.1 {CANARY}", lasting=True), [("notice.failed", "n", "recipient")]),
        (ValueError(CANARY), []),  # tried again first
    ],
)
def test_a_mail_that_fails_is_logged_by_its_key_alone(
    store: Store, clock: FixedClock, tmp_path: Path, lines: io.StringIO, error: Exception, said: list[tuple[str, ...]]
) -> None:
    """The row keeps the mail server's words; the recipient and what a text was made of are not logged either."""

    class Fails:
        def send(self, _envelope: Envelope, _mail: Mail) -> None:
            raise error

    Diary(store, clock, tmp_path).open()
    context = {"agency": CANARY, "agency_email": CANARY, "subscription_id": CANARY, "reason": CANARY}
    new = NewNotice(
        key="n",
        occasion="series_stopped",
        audience="agency",
        recipient=f"{CANARY}@x.example",
        subscription_id=None,
        invoice_id=None,
        context=json.dumps(context),
    )
    with store.transaction() as tx:
        notices.insert(tx, "ag", [new])
    lines.truncate(0)
    lines.seek(0)
    send_notices.send_notices(send_notices.Runtime(store=store, sender=Fails()), "ag", ["n"])
    with store.transaction() as tx:
        assert CANARY in tx.scalar("SELECT reason FROM notices WHERE key = 'n'")
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["event"], line["key"], line["outcome"]) for line in logged] == said
    assert CANARY not in lines.getvalue()


def test_a_traceback_tells_the_whole_chain(store: Store) -> None:
    with pytest.raises(RuntimeError) as raised, store.transaction() as tx:
        chained(tx)
    kinds = [line.partition(":")[0] for line in safe_traceback(raised.value).splitlines() if line[:1].isalpha()]
    assert [kind for kind in kinds if kind.endswith("Error")] == ["KeyError", "RuntimeError"]


def test_what_a_row_keeps_of_an_error_of_the_database_holds_no_value_either(store: Store) -> None:
    with pytest.raises(Exception) as raised, store.transaction() as tx:  # noqa: PT011
        tx.run("SELECT CAST(:x AS bigint)", x=CANARY)
    assert CANARY not in describe(raised.value)
