"""`duecycle notices`: what was given up is seen, sent again or skipped, and both are audited."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.store import notices
from shared.store.invariants import violations
from shared.store.notices import NewNotice
from tests.forced import unguarded
from tests.ops.conftest import INVOICE, Desk

GIVEN_UP = "n-1"


@pytest.fixture
def refused(desk: Desk) -> Desk:
    """One mail to a client was given up, and one is tried again; the client's address has been corrected since."""
    with desk.diary.store.transaction() as tx, unguarded(tx):
        context = tx.scalar("SELECT context::text FROM notices WHERE occasion = 'invoice_paid'")
        new = [
            NewNotice(
                key=f"n-{n}",
                occasion="invoice_paid",
                audience="client",
                recipient="old@law.example",
                subscription_id="sub",
                invoice_id=INVOICE,
                context=context,
            )
            for n in (1, 2)
        ]
        notices.insert(tx, "ag", new)
        tx.run(
            "UPDATE notices SET outcome = 'recipient', tried_at = :at, refused_since = :at, reason = '550 unknown',"
            " wake_at = :later, not_before = :later WHERE key IN ('n-1', 'n-2')",
            at=desk.diary.clock.at,
            later=datetime.now(UTC) + timedelta(days=2),
        )
        tx.run("UPDATE notices SET state = 'failed', wake_at = NULL, not_before = NULL WHERE key = 'n-1'")
    return desk


def test_what_was_given_up_or_refused_is_listed_with_why(refused: Desk) -> None:
    rows = refused.rows("notices list")
    assert [(row["key"], row["state"], row["outcome"], row["reason"]) for row in rows] == [
        ("n-1", "failed", "recipient", "550 unknown"),
        ("n-2", "planned", "recipient", "550 unknown"),
    ]
    since = datetime.fromisoformat(rows[1]["refused_since"])
    assert datetime.fromisoformat(rows[1]["last_try_at"]) - since == timedelta(days=5)
    assert rows[0]["last_try_at"] is None
    assert [row["key"] for row in refused.rows("notices list --state failed")] == ["n-1"]
    assert refused.rows("notices list --outcome away") == []
    assert "no mail was refused" in refused.run("notices list --agency other").output
    assert "550 unknown" in refused.run("notices list").output


@pytest.mark.parametrize("line", ["n-1 n-2", "--failed", "--failed --outcome recipient"])
def test_a_mail_is_sent_again_to_the_address_of_now(refused: Desk, line: str) -> None:
    said = refused.run(f"notices send --agency ag {line} --by me").output
    count = 2 if line.startswith("n-") else 1
    assert f"{count} of {count} mails of ag" in said
    refused.settle()

    found = refused.diary.ask("SELECT state, outcome, recipient, tries FROM notices WHERE key = 'n-1'")
    assert found == [("sent", "sent", "accounts@law.example", 1)]
    assert [event["by"] for event in refused.events("notice.retried")] == ["me"] * count
    assert "0 of 1" in refused.run("notices send --agency ag n-1").output
    assert violations(refused.diary.store) == []


def test_a_mail_is_skipped_with_its_reason(refused: Desk) -> None:
    said = refused.run("notices skip --agency ag n-1 n-2 --reason phoned --by me").output
    assert "2 of 2 mails of ag are skipped" in said
    refused.settle()

    assert (
        refused.diary.ask("SELECT state, reason, wake_at FROM notices WHERE key IN ('n-1', 'n-2')")
        == [("skipped", "phoned", None)] * 2
    )
    assert [(event["notice_key"], event["by"]) for event in refused.events("notice.skipped")] == [
        ("n-1", "me"),
        ("n-2", "me"),
    ]
    assert refused.rows("notices list") == []
    assert "0 of 1" in refused.run("notices send --agency ag n-1").output
    assert violations(refused.diary.store) == []


def test_a_mail_that_is_being_sent_right_now_is_left_to_its_worker(refused: Desk) -> None:
    """Skipping it would say "not sent" of a mail that was."""
    with refused.diary.store.transaction() as tx:
        until = datetime.now(UTC) + timedelta(minutes=2)
        tx.run("UPDATE notices SET lease_until = :until, wake_at = :until WHERE key = 'n-2'", until=until)
    assert "being sent right now" in refused.run("notices skip --agency ag n-2 --reason phoned").output
    refused.run("notices send --agency ag n-2")
    assert refused.diary.ask("SELECT state, wake_at >= now() FROM notices WHERE key = 'n-2'") == [("due", True)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("notices send --agency ag", "give the keys of mails, or --failed"),
        ("notices send --agency ag n-1 --failed", "give the keys of mails, or --failed"),
        ("notices send --agency ag n-1 --outcome agency", "--outcome needs --failed"),
        ("notices send --agency ag n-9", "there is no mail n-9 of ag"),
        ("notices skip --agency other n-1 --reason x", "there is no mail n-1 of other"),
        ("notices skip --agency ag n-1", "--reason"),
        ("notices list --state lost", "lost"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Desk, line: str, says: str) -> None:
    assert says in refused.run(line, 2).output
