"""A charge that upstream asks for: the planned attempt now, or one attempt of its own, or the reason why there is none."""

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, card, checkout, mails, moved, orders, statuses

SHORT = {"retry_days": [1], "on_exhausted": "mark_uncollectible"}


def by_hand(diary: Diary, token: str | None) -> None:
    diary.open(card=token)
    diary.say("subscription.upserted", "2026-06-01", checkout="manual", collection="automatic")
    diary.say("invoice.issued", "2026-06-03", invoice_id="hand", issued_on="2026-06-03")


def test_on_an_invoice_issued_by_hand_it_is_one_attempt(diary: Diary) -> None:
    """No dunning, no hold, no mail to the client; the agency hears how it ended, and may ask again."""
    by_hand(diary, "decline:insufficient_funds")
    assert diary.say("charge.requested", "2026-06-05", invoice_id="hand").state == "applied"
    diary.go("2026-06-30")
    assert len(moved(diary)) == 1
    assert mails(diary) == [("2026-06-05", "charge_answered", "agency")]
    assert diary.ask("SELECT failing_since, ladder_started_at FROM invoices WHERE invoice_id = 'hand'") == [
        (None, None)
    ]
    assert orders(diary)[0][0] == "2026-06-01"
    diary.say("charge.requested", "2026-06-30", invoice_id="hand")
    diary.settle()
    assert len(moved(diary)) == 2
    assert len(mails(diary, "charge_answered")) == 2


@pytest.mark.parametrize(
    ("token", "outcome"),
    [("action_required", "declined"), ("decline:stolen_card", "declined"), ("unknown_then_declined", "declined")],
)
def test_whatever_the_answer_nothing_follows(diary: Diary, token: str, outcome: str) -> None:
    by_hand(diary, token)
    diary.say("charge.requested", "2026-06-05", invoice_id="hand")
    diary.go("2026-06-30")
    assert told(diary.charges("hand"), "outcome") == [outcome]
    assert mails(diary) == [("2026-06-05", "charge_answered", "agency")]


@pytest.mark.parametrize("token", ["ok", "pending:3", "unknown_then_ok", "outage_until:2026-06-08"])
def test_one_that_succeeds_pays_the_invoice_and_both_hear_of_it(diary: Diary, token: str) -> None:
    by_hand(diary, token)
    diary.say("charge.requested", "2026-06-05", invoice_id="hand")
    diary.go("2026-06-30")
    assert statuses(diary)[0] == ("2026-06-03", "paid", 11900)
    assert sorted(each[1:] for each in mails(diary)) == [("charge_answered", "agency"), ("invoice_paid", "client")]


def test_a_manual_invoice_of_ours_is_not_dunned_for_it(diary: Diary) -> None:
    diary.open(card="decline:insufficient_funds")
    diary.say("subscription.upserted", "2026-05-21", collection="manual")
    diary.say("charge.requested", "2026-06-02", invoice_id=INVOICE)
    diary.go("2026-06-30")
    assert len(moved(diary)) == 1
    assert [each[1] for each in mails(diary)] == ["invoice_open", "charge_answered"]


@pytest.mark.parametrize(
    ("token", "status", "told_of"),
    [("ok", "paid", "invoice_paid"), ("decline:processing_error", "uncollectible", None)],
)
def test_what_was_written_off_is_still_owed(diary: Diary, token: str, status: str, told_of: str | None) -> None:
    """A new card alone is not tried for it; one charge may be asked for."""
    checkout(diary, "decline:insufficient_funds", dunning=SHORT)
    diary.go("2026-06-05")
    assert statuses(diary) == [("2026-06-01", "uncollectible", 0)]
    card(diary, "2026-06-06", token, payment_method_id="new")
    diary.go("2026-06-07")
    assert len(moved(diary)) == 2
    assert diary.say("charge.requested", "2026-06-08", invoice_id=INVOICE).state == "applied"
    diary.go("2026-06-20")
    assert len(moved(diary)) == 3
    assert statuses(diary)[0][1] == status
    assert [each[1] for each in mails(diary) if each[0] == "2026-06-08"] == [
        "charge_answered",
        *([told_of] if told_of else []),
    ]


def test_a_client_is_not_told_to_give_a_card_for_what_was_written_off(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds", dunning=SHORT)
    diary.go("2026-06-05")
    (path,) = [each for each in sorted(diary.mails.glob("*accounts@law*.eml")) if "Unpaid" in each.read_text()]
    text = path.read_text().replace("=\n", "")
    assert "Please pay the invoice" in text
    assert "try again right away" not in text


def test_where_the_customer_has_to_confirm_it_is_not_tried_without_him(diary: Diary) -> None:
    checkout(diary, "action_required")
    refused(diary, "2026-06-02", "confirm this payment")


def test_where_the_customer_has_to_confirm_a_card_known_before_is_tried(diary: Diary) -> None:
    checkout(diary, "action_required")
    card(diary, "2026-05-22", "ok", payment_method_id="spare", default=False)
    assert diary.say("charge.requested", "2026-06-03", invoice_id=INVOICE).state == "applied"
    assert told(diary.charges(INVOICE), "outcome code") == [("declined", "superseded_by_request"), ("succeeded", None)]


def refused(diary: Diary, at: str, words: str, invoice_id: str = INVOICE) -> None:
    answer = diary.say("charge.requested", at, invoice_id=invoice_id)
    assert (answer.state, answer.field) == ("rejected", "data.invoice_id")
    assert words in (answer.reason or "")


def test_it_says_why_there_is_nothing_to_charge(diary: Diary) -> None:
    by_hand(diary, None)
    refused(diary, "2026-06-04", "payment_method.upserted", "hand")
    diary.say("invoice.paid", "2026-06-05", invoice_id="hand")
    refused(diary, "2026-06-06", "refund.requested", "hand")


def test_it_says_that_an_attempt_is_under_way(diary: Diary) -> None:
    checkout(diary, "pending:5")
    refused(diary, "2026-06-02", "under way")
    assert len(moved(diary)) == 1
