"""What happened to a subscription or an invoice, in words; and the answer to "why was this client not charged?"."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ops.history.command import told
from ops.history.events import TEXTS, as_now
from ops.history.events import told as in_words
from ops.history.lines import MAILS
from ops.history.words import Words
from shared.domain.states import NOTICE_MOVES
from shared.messages import EVENT_TYPES
from shared.store import history
from shared.store.database import FixedClock, Store
from shared.store.history import Named
from tests.forced import unguarded
from tests.journeys.diary import Diary
from tests.ops.conftest import Desk, doubt

SUB = Named("ag", "sub")


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    return Diary(store, clock, tmp_path)


def lines(diary: Diary, named: Named = SUB, **said: Any) -> list[str]:
    """The answer for people."""
    diary.settle()
    with diary.store.transaction() as tx:
        return list(told(tx, named, said.pop("limit", 200), **said))


def now(diary: Diary, named: Named = SUB) -> list[str]:
    """What it says of now."""
    found = lines(diary, named)
    begins = next(number for number, line in enumerate(found) if line.startswith("now, "))
    return [line.strip() for line in found[begins + 1 :]]


def begin(diary: Diary, card: str | None = "ok", **of: Any) -> None:
    diary.open("2026-05-20", card)
    diary.say("subscription.upserted", "2026-06-01T06:00:00Z", **of)


def test_a_failed_and_mended_payment_reads_as_a_story(diary: Diary) -> None:
    """In the order of time, in the agency's zone: what was told, what was made, what failed, who was written to."""
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-01")
    diary.new_card("2026-06-02T06:00:00Z")
    diary.go("2026-06-02")
    assert lines(diary) == [
        "subscription sub: active, agency ag, client law, service seo, self_checkout, starts on 2026-06-01, collection"
        " automatic",
        "",
        "2026-05-20 12:00  service seo revision 1: 100.00 EUR every month",
        "2026-06-01 08:00  subscription revision 1: status active, quantity 1, collection automatic, service_id seo,"
        " client_id law",
        "2026-06-01 08:00  invoice 00001 issued for 2026-06-01 to 2026-06-30: 119.00 EUR, due 2026-06-15,"
        " collection automatic",
        "2026-06-01 08:00  invoice 00001: charge attempt 1 declined: insufficient_funds; next attempt 2026-06-02",
        "2026-06-01 08:00  invoice 00001 is failing (insufficient_funds): orders that need it are held",
        "2026-06-01 08:00  order cycle from 2026-06-01 held: held by a failed payment (invoice 00001)",
        "2026-06-01 08:00  invoice 00001: mail sent to the agency: payment failed",
        "2026-06-01 08:00  invoice 00001: mail sent to the client: payment failed",
        "2026-06-02 08:00  payment method card of law (sandbox) given, the default",
        "2026-06-02 08:00  invoice 00001: charge attempt 2 succeeded",
        f"2026-06-02 08:00  invoice 00001: payment of 119.00 EUR by sandbox ({diary.charges()[-1].reference})",
        "2026-06-02 08:00  invoice 00001 is paid",
        "2026-06-02 08:00  order ord:sub:2026-06-01 created for 2026-06-01 to 2026-06-30",
        "2026-06-02 08:00  invoice 00001: mail sent to the client: invoice paid",
        "",
        "now, 2026-06-02 23:59 in Europe/Berlin:",
        "  next invoice cycle 2026-07-01 00:00, every month",
        "  next order cycle 2026-07-01 00:00, every month",
    ]


@pytest.mark.parametrize("state", sorted(NOTICE_MOVES))
def test_every_state_of_a_mail_has_words(diary: Diary, state: str) -> None:
    """Whatever became of a mail, the story can be told; with the reason, unless it was sent."""
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-01")
    with diary.store.transaction() as tx, unguarded(tx):
        assert tx.run("UPDATE notices SET state = :state, reason = 'why'", state=state)
    found = [line for line in lines(diary) if line.endswith(f"payment failed{' (why)' if state != 'sent' else ''}")]
    assert len(found) == 2
    assert all(f"invoice 00001: {MAILS[state]} to the " in line for line in found)


def test_json_has_the_same_and_the_data(diary: Diary) -> None:
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-01")
    rows = [json.loads(line) for line in lines(diary, as_json=True)]
    assert rows[0]["kind"] == "about"
    assert (rows[0]["timezone"], rows[0]["client_id"]) == ("Europe/Berlin", "law")
    (declined,) = [row for row in rows if row.get("what") == "charge.declined"]
    assert declined["data"]["code"] == "insufficient_funds"
    assert declined["local"] == "2026-06-01 08:00"
    assert datetime.fromisoformat(declined["at"]).hour == 6
    assert {row["kind"] for row in rows} == {"about", "happened", "now"}
    assert "tok" not in json.dumps(rows)


WHYS: list[tuple[str, dict[str, Any], str]] = [
    ("decline:insufficient_funds", {}, "attempt 2 is planned for 2026-06-02 09:"),
    ("decline:stolen_card", {}, "attempt 2 is planned for"),
    ("action_required", {}, "attempt 1 is waiting for the client's confirmation"),
    (
        "ok",
        {"collection": "manual"},
        "collection is manual: nothing is charged automatically; charge.requested makes one",
    ),
]


@pytest.mark.parametrize(("card", "of", "says"), WHYS)
def test_it_says_why_an_open_invoice_is_not_charged(diary: Diary, card: str, of: dict[str, Any], says: str) -> None:
    begin(diary, card, **of)
    diary.go("2026-06-01")
    (line,) = [line for line in now(diary) if line.startswith("invoice 00001 is open")]
    assert line.startswith("invoice 00001 is open, 119.00 EUR due ")
    assert says in line


def test_a_client_without_a_card_is_told_as_that(diary: Diary) -> None:
    begin(diary, None)
    diary.go("2026-06-01")
    found = now(diary)
    assert [line for line in found if "the client has no payment method that can be used" in line]
    assert "client law has no payment method; send payment_method.upserted" in found


def test_the_end_of_dunning_is_told_as_that(diary: Diary) -> None:
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-20")
    (line,) = [line for line in now(diary) if line.startswith("invoice 00001 is open")]
    assert "all attempts failed by 2026-06-15 09:" in line
    assert [line for line in lines(diary) if "the last attempt failed; there are no more automatic retries" in line]


def test_what_is_held_blocked_and_stopped_is_told_with_its_cause(diary: Diary) -> None:
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-07-02")
    assert [line for line in now(diary) if "is held: held by a failed payment (invoice 00001)" in line]
    diary.say("invoice.voided", invoice_id="inv:sub:2026-06-01")
    diary.say("invoice.voided", invoice_id="inv:sub:2026-07-01")
    diary.go("2026-07-03")
    assert [line for line in now(diary) if line.startswith("the invoice series is stopped since 2026-07-02")]


def test_a_service_without_a_price_is_told_with_what_to_send(diary: Diary) -> None:
    diary.open("2026-05-20", service={"price_minor": None})
    diary.say("subscription.upserted", "2026-06-01")
    diary.go("2026-06-02")
    assert [line for line in now(diary) if "is blocked: the service has no price; send service.upserted" in line]
    assert [line for line in lines(diary) if "service seo revision 1: no price every month" in line]


def test_a_pause_is_told_where_it_matters(diary: Diary) -> None:
    begin(diary, "decline:insufficient_funds")
    diary.go("2026-06-01")
    with diary.store.transaction() as tx:
        tx.run("INSERT INTO pauses VALUES ('', 'charges', :at, 'audit')", at=diary.clock.at)
    assert "the charges pool is paused for all agencies since 2026-06-01 23:59 (audit); duecycle resume charges" in now(
        diary
    )


def test_nothing_open_is_said_as_that(diary: Diary) -> None:
    begin(diary)
    diary.go("2026-06-01")
    invoice = Named("ag", "sub", "inv:sub:2026-06-01")
    assert now(diary, invoice) == ["nothing is open"]
    assert [line for line in now(diary) if line.startswith("next invoice cycle 2026-07-01 00:00, every month")]


def test_an_invoice_shows_what_concerns_it_alone(diary: Diary) -> None:
    begin(diary)
    diary.go("2026-07-02")
    first = lines(diary, Named("ag", "sub", "inv:sub:2026-06-01"))
    assert first[0].startswith(
        "invoice 00001 for 2026-06-01 to 2026-06-30: paid, agency ag, client law, subscription sub, 119.00 EUR, collected"
        " 119.00 EUR, due "
    )
    assert [line for line in first if "charge attempt 1 succeeded" in line]
    assert not [line for line in first if "00002" in line or "service seo" in line]


def test_what_planning_passed_over_is_told_though_no_event_was(diary: Diary) -> None:
    diary.open("2026-05-20")
    diary.say("subscription.upserted", "2026-06-01", starts_on="2026-01-01")
    diary.go("2026-06-02")
    assert [line for line in lines(diary) if "cycle skipped (" in line and "before_known" in line]


def test_of_many_lines_the_newest_are_shown(diary: Diary) -> None:
    begin(diary)
    diary.go("2026-12-01")
    found = lines(diary, limit=3)
    left_out = int(found[2].split()[1])
    assert left_out > 20
    assert found[2] == f"… {left_out} earlier lines; --limit {left_out + 3} shows them"
    assert len(lines(diary)) == len(found) + left_out - 1


def test_words_are_there_for_events_that_exist() -> None:
    assert set(TEXTS) <= set(EVENT_TYPES)


def test_an_event_of_before_reads_as_one_of_now() -> None:
    """Recorded events keep the shape they had before shapes were fixed; they are read by today's names."""
    before = {"stream": "order", "starts_on": "2026-06-01", "reason": "paused", "note": "agreed"}
    words = as_now(before)
    assert words == {"stream": "order", "period_starts_on": "2026-06-01", "reason": "paused", "detail": "agreed"}
    now = {"agency_id": "a", "turn": "kept as it is"}
    assert as_now(now) == now


def test_every_event_of_a_long_story_has_words(diary: Diary) -> None:
    """None of them is told by its name and data alone, which is for types that come later."""
    begin(diary, "decline_until:2026-06-20")
    diary.go("2026-07-20")
    with diary.store.transaction() as tx:
        types = {row["type"] for row in history.known(tx, SUB).events}
    assert types - set(TEXTS) == set()


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A second agency with the same ids and the same numbers."""
    desk.diary.say("agency.upserted", agency_id="zwei")
    desk.diary.say("client.upserted", agency_id="zwei")
    desk.diary.say("service.upserted", agency_id="zwei")
    desk.diary.say("subscription.upserted", agency_id="zwei", subscription_id="sub")
    desk.diary.settle()
    return desk


def test_the_commands_find_it_by_id_and_by_number(desk: Desk) -> None:
    assert "charge attempt 1 succeeded" in desk.run("subscription show sub").output
    by_number = desk.run("invoice show 00001").output
    assert by_number.startswith("invoice 00001 for 2026-06-01 to 2026-06-30: paid")
    assert (
        desk.run("invoice show inv:sub:2026-06-01 --agency ag").output.partition("now, ")[0]
        == by_number.partition("now, ")[0]
    )
    assert desk.rows("invoice show 00001")[0]["invoice_id"] == "inv:sub:2026-06-01"
    assert "there is no invoice 00009" in desk.run("invoice show 00009", 2).output
    assert "there is no subscription sub of other" in desk.run("subscription show sub --agency other", 2).output


def test_what_several_agencies_have_needs_its_agency(two: Desk) -> None:
    for line in ("subscription show sub", "invoice show 00001"):
        assert "exists for ag, zwei; use --agency ID" in " ".join(two.run(line, 2).output.split())
        assert "agency zwei" in two.run(f"{line} --agency zwei").output


def test_an_attempt_in_doubt_is_told_with_the_command_that_ends_it(desk: Desk) -> None:
    doubt(desk)
    found = desk.run("invoice show 00001").output
    assert "has no answer: the provider is asked, and nothing else is charged until then" in found
    assert "look it up and use: charge resolve" in found


def test_a_planned_attempt_says_what_it_waits_for(desk: Desk) -> None:
    """Also an account's trouble, with the name of the secret that is missing."""
    with desk.diary.store.transaction() as tx, unguarded(tx):
        tx.run("DELETE FROM payments")
        tx.run("UPDATE invoices SET status = 'open', paid_at = NULL, settled_at = NULL")
        tx.run("UPDATE charges SET state = 'due', code = 'secret_missing:main', settled_at = NULL, reference = NULL")
    found = desk.run("invoice show 00001").output
    assert "can't be sent: the secret of the agency's account is missing; see: account list (main)" in found


def test_what_a_person_wrote_beside_a_decision_is_told_once() -> None:
    """Also from an event of the time when the field was called a note."""
    words = Words("Europe/Berlin", {}, {})
    cycle = {"stream": "invoice", "period_starts_on": "2026-06-01", "by": "eve"}
    expected = "invoice cycle from 2026-06-01 cancelled (asked by phone), by eve"
    assert in_words(words, "cycle.cancelled", as_now({**cycle, "note": "asked by phone"})) == expected
    assert in_words(words, "cycle.cancelled", {**cycle, "detail": "asked by phone"}) == expected
