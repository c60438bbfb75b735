"""Cards: dead ones, missing ones, new ones, other ones, and which attempt they bring about."""

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, card, checkout, days, mails, moved, order_states, orders, statuses

END = "2026-06-15T07:00Z"  # 09:00 in Berlin on the last retry day
ENDED = [("2026-06-15", "dunning_exhausted", "agency"), ("2026-06-15", "dunning_exhausted", "client")]
FAILED = [("2026-06-01", "payment_failed", "agency"), ("2026-06-01", "payment_failed", "client")]


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "expired_card"])
def test_a_card_that_is_dead_is_never_called_again(diary: Diary, code: str) -> None:
    """One call in all; the ladder ends at nine on its last retry day, and the client is not told why."""
    checkout(diary, f"decline:{code}")
    diary.go("2026-06-16")
    assert [outcome for _key, _amount, outcome in moved(diary)] == ["declined"]
    assert [at for (at,) in diary.ask("SELECT exhausted_at FROM invoices")] == [END]
    assert mails(diary) == [*FAILED, *ENDED]
    words = " ".join(path.read_text() for path in sorted(diary.mails.glob("*accounts@law*.eml")))
    assert "give us another payment method" in words.replace("=\n", "")
    assert not [word for word in ("lost", "stolen", "fraud", "expired_card") if word in words]
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]


def test_a_client_without_a_card_is_failing_until_one_comes(diary: Diary) -> None:
    """No attempt is made; the new card is charged the moment it arrives, and the order goes out."""
    checkout(diary, None)
    diary.go("2026-06-04")
    assert days(diary) == []
    assert diary.ask("SELECT failing_code FROM invoices") == [("no_payment_method",)]
    assert mails(diary) == FAILED
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]
    card(diary, "2026-06-05T10:00:00Z", "ok")
    assert told(diary.charges(), "at attempt outcome") == [("2026-06-05T10:00Z", 1, "succeeded")]
    assert orders(diary) == [("2026-06-01", "2026-06-05")]


def test_a_client_who_never_gives_a_card(diary: Diary) -> None:
    checkout(diary, None)
    diary.go("2026-06-16")
    assert moved(diary) == []
    assert mails(diary) == [*FAILED, *ENDED]
    assert diary.ask("SELECT exhausted_at, failing_code FROM invoices") == [(END, "no_payment_method")]
    card(diary, "2026-06-20", "ok")
    assert statuses(diary) == [("2026-06-01", "paid", 11900)]


def test_the_customer_has_to_confirm(diary: Diary) -> None:
    """The client gets the link, the agency the failure; the retry days make no calls, and the end comes at nine."""
    checkout(diary, "action_required")
    diary.go("2026-06-14")
    assert [outcome for _key, _amount, outcome in moved(diary)] == ["action_required"]
    assert days(diary) == [("2026-06-01", "action_required")]
    assert mails(diary) == [("2026-06-01", "action_required", "client"), ("2026-06-01", "payment_failed", "agency")]
    assert order_states(diary) == [("2026-06-01", "held", "payment_failed")]
    diary.go("2026-06-16")
    assert told(diary.charges(), "outcome code settled_at") == [("declined", "action_not_taken", END)]
    assert mails(diary)[2:] == ENDED
    assert len(moved(diary)) == 1


def test_another_card_replaces_an_attempt_that_waits_for_the_customer(diary: Diary) -> None:
    checkout(diary, "action_required")
    card(diary, "2026-06-03", "ok", payment_method_id="other")
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-03", "succeeded")]
    assert diary.charges()[0].code == "superseded_by_new_method"
    assert orders(diary) == [("2026-06-01", "2026-06-03")]


def test_a_new_card_retries_every_failing_invoice_of_that_client_oldest_first(diary: Diary) -> None:
    """At once, and on a new ladder: if it fails too, both sides hear of it and the retry days count from that day."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("client.upserted", "2026-05-21", client_id="inn", email="inn@x.example")
    card(diary, "2026-05-21", "decline:insufficient_funds", client_id="inn")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", client_id="law", starts_on="2026-06-02")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="b", client_id="inn", starts_on="2026-06-02")
    diary.go("2026-06-04")
    card(diary, "2026-06-05T10:00:00Z", "decline:processing_error")
    diary.go("2026-06-08")
    asked = [each for each in diary.events("charge.declined") if each.data["code"] == "processing_error"]
    assert [(f"{each.at:%m-%dT%H}", each.data["invoice_id"], each.data["attempt"]) for each in asked[:2]] == [
        ("06-05T10", INVOICE, 4),
        ("06-05T10", "inv:a:2026-06-02", 4),
    ]
    again = [each for each in diary.charges() if each.code == "processing_error"]
    assert [f"{each.at:%m-%d}" for each in again] == ["06-05", "06-05", "06-06", "06-06", "06-08", "06-08"]
    assert [each[0] for each in days(diary, "inv:b:2026-06-02")] == [
        "2026-06-02",
        "2026-06-03",
        "2026-06-05",
        "2026-06-07",
    ]
    new = [each for each in diary.notices("payment_failed") if f"{each.at:%m-%d}" == "06-05"]
    assert sorted(told(new, "subscription_id audience")) == [
        ("a", "agency"),
        ("a", "client"),
        ("sub", "agency"),
        ("sub", "client"),
    ]


def test_a_newer_revision_of_a_dead_card_is_a_new_card(diary: Diary) -> None:
    checkout(diary, "decline:lost_card")
    diary.go("2026-06-03")
    card(diary, "2026-06-04T10:00:00Z", "ok")
    assert told(diary.charges(), "at outcome method_revision") == [
        ("2026-05-31T22:00Z", "declined", 1),
        ("2026-06-04T10:00Z", "succeeded", 2),
    ]


def test_when_the_default_card_is_dead_the_newest_other_one_is_taken(diary: Diary) -> None:
    """From the next retry on; the default is not called again."""
    checkout(diary, "decline:lost_card")
    card(diary, "2026-05-22", "ok", payment_method_id="older", default=False)
    card(diary, "2026-05-23", "ok", payment_method_id="newest", default=False)
    diary.say("payment_method.upserted", "2026-05-23", payment_method_id="card")
    diary.go("2026-06-03")
    assert [each.payment_method_id for each in diary.charges()] == ["card", "newest"]
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-02", "succeeded")]


def test_a_success_gives_the_clients_other_failing_invoices_one_more_attempt(diary: Diary) -> None:
    """The card works again on 4 June: the first retry to find out pays both invoices at the same moment."""
    checkout(diary, "decline_until:2026-06-04")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a")
    diary.go("2026-06-05")
    paid = [each for each in diary.charges() if each.outcome == "succeeded"]
    assert sorted(each.invoice_id for each in paid) == ["inv:a:2026-06-01", INVOICE]
    assert len({each.at for each in paid}) == 1
    failed_at = [each.at for each in diary.charges() if each.outcome == "declined" and f"{each.at:%d}" == "02"]
    assert len(set(failed_at)) == 2  # without the success their retries are at different seconds


def test_a_success_retries_no_invoice_of_which_the_client_was_told_that_it_is_over(diary: Diary) -> None:
    checkout(diary, "decline_until:2026-06-10", dunning={"retry_days": [1]})
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", starts_on="2026-06-10")
    diary.go("2026-06-11")
    assert days(diary, "inv:a:2026-06-10") == [("2026-06-10", "succeeded")]
    assert days(diary) == [("2026-06-01", "declined"), ("2026-06-02", "declined")]
    assert len(mails(diary, "dunning_exhausted")) == 2


def test_a_removed_card_is_not_called(diary: Diary) -> None:
    """The retry days after the removal make no call, the ladder ends in time; a card that comes back is tried at once."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("payment_method.removed", "2026-06-03")
    diary.go("2026-06-16")
    assert [outcome for _key, _amount, outcome in moved(diary)] == ["declined", "declined"]
    assert mails(diary) == [*FAILED, *ENDED]
    card(diary, "2026-06-17T10:00:00Z", "ok")
    assert told(diary.charges()[-1:], "at outcome") == [("2026-06-17T10:00Z", "succeeded")]
