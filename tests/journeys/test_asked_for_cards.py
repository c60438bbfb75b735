"""Which card is tried when messages, cards and invoices meet: what the provider sees decides, the oldest comes first."""

import pytest

from tests.journeys.diary import Diary, told
from tests.journeys.dunning_steps import INVOICE, JULY, card, checkout, day, mails, moved

FAILED = [("2026-06-01", "payment_failed", "agency"), ("2026-06-01", "payment_failed", "client")]
FIRST, SECOND = "inv:sub:2026-06-01", "inv:a:2026-06-10"


def nights(diary: Diary, *ids: str, removed: bool = False) -> None:
    """Upstream sends its cards again every night of June, unchanged; or takes them away first and gives them back."""
    for night in range(2, 31):
        for id_ in ids:
            at = f"2026-06-{night:02}T03:00:00Z"
            if removed:
                diary.say("payment_method.removed", at, payment_method_id=id_)
            diary.say("payment_method.upserted", at, payment_method_id=id_)


def used(diary: Diary, invoice_id: str | None = None) -> list[tuple[str, str, str]]:
    """(local day, card, outcome) of what went out."""
    return [(day(each.at), each.payment_method_id, each.outcome) for each in diary.charges(invoice_id) if each.key]


@pytest.mark.parametrize("removed", [False, True], ids=["sent again", "removed and given back"])
def test_the_same_card_every_night_is_no_new_card(diary: Diary, removed: bool) -> None:
    """One ladder with its seven attempts and its mails, whatever the revision."""
    checkout(diary, "decline:insufficient_funds")
    nights(diary, "card", removed=removed)
    diary.go("2026-06-30")
    assert len(moved(diary)) == 7
    assert [each[0] for each in mails(diary, "payment_failed")] == ["2026-06-01", "2026-06-01", "2026-06-11"]
    assert len(mails(diary, "dunning_exhausted")) == 2


def test_two_cards_that_are_both_called_the_default_do_not_alternate(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    card(diary, "2026-05-22", "decline:processing_error", payment_method_id="second")
    nights(diary, "card", "second")
    diary.go("2026-06-30")
    assert {card_ for _, card_, _ in used(diary)} == {"second"}
    assert len(moved(diary)) == 7


def test_the_same_card_under_another_id_is_no_new_card(diary: Diary) -> None:
    """Neither when it is dead: it was declined for good, whatever it is called."""
    checkout(diary, "decline:stolen_card")
    diary.go("2026-06-02")
    card(diary, "2026-06-03", "decline:stolen_card", payment_method_id="other")
    card(diary, "2026-06-04", "decline:stolen_card")
    diary.go("2026-07-02")
    assert len(moved(diary)) == 1
    assert diary.ask("SELECT failing_code FROM invoices WHERE invoice_id = :id", id=JULY) == [("no_payment_method",)]


def test_the_limit_of_declines_goes_by_the_card_and_the_amount(diary: Diary) -> None:
    """Daily invoices of one amount, on a card whose revision rises: no more than 15 declines in 30 days."""
    diary.open(card="decline:insufficient_funds", service={"billing_cycle": {"unit": "day", "every": 1}})
    diary.say("subscription.upserted", "2026-06-01T00:00:00Z", starts_on="2026-06-01")
    for night in range(2, 20):
        diary.say("payment_method.upserted", f"2026-06-{night:02}T03:00:00Z")
    diary.go("2026-06-29")
    assert len(moved(diary)) == 15


def test_a_card_that_needs_the_customer_is_tried_for_every_later_invoice(diary: Diary) -> None:
    checkout(diary, "action_required")
    diary.go("2026-08-02")
    assert [each[1] for each in used(diary)] == ["card"] * 3
    assert len(moved(diary)) == 3
    assert len(mails(diary, "action_required")) == 3


def test_an_expired_card_is_not_called_again_for_that_invoice_but_for_the_next(diary: Diary) -> None:
    checkout(diary, "decline:expired_card")
    diary.go("2026-07-02")
    assert [(each[0], each[2]) for each in used(diary)] == [("2026-06-01", "declined"), ("2026-07-01", "declined")]


def test_a_new_card_is_tried_itself_though_another_one_is_the_default(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    card(diary, "2026-06-05T10:00:00Z", "ok", payment_method_id="new", default=False)
    diary.go("2026-06-06")
    assert used(diary)[-1] == ("2026-06-05", "new", "succeeded")


def test_a_new_card_that_fails_leaves_the_ladder_to_the_default(diary: Diary) -> None:
    """Tried once automatically, on a new ladder; its retries use the default again."""
    checkout(diary, "decline:insufficient_funds")
    card(diary, "2026-06-03T10:00:00Z", "decline:processing_error", payment_method_id="new", default=False)
    diary.go("2026-06-05")
    assert used(diary)[2:] == [("2026-06-03", "new", "declined"), ("2026-06-04", "card", "declined")]


def test_making_a_known_card_the_default_is_to_ask_for_it(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    card(diary, "2026-05-22", "ok", payment_method_id="spare", default=False)
    diary.go("2026-06-02")
    assert {each[1] for each in used(diary)} == {"card"}
    diary.say("payment_method.upserted", "2026-06-03T10:00:00Z", payment_method_id="spare", default=True)
    assert used(diary)[-1] == ("2026-06-03", "spare", "succeeded")


def test_a_card_that_comes_back_is_tried_where_none_was_left(diary: Diary) -> None:
    """The same card: no new ladder, so nobody hears of a first failure again."""
    checkout(diary, "decline:insufficient_funds")
    diary.say("payment_method.removed", "2026-06-01T12:00:00Z")
    diary.go("2026-06-03")
    assert len(moved(diary)) == 1
    diary.say("payment_method.upserted", "2026-06-05T10:00:00Z")
    diary.go("2026-06-06")
    assert [each[0] for each in used(diary)] == ["2026-06-01", "2026-06-05", "2026-06-06"]
    assert mails(diary) == FAILED


def test_a_stolen_card_is_spent_on_the_oldest_failing_invoice_alone(diary: Diary) -> None:
    """Three invoices fail for want of a card; the first answer is final, so the others are not tried."""
    checkout(diary, None)
    for sub, on in (("a", "2026-06-10"), ("b", "2026-06-20")):
        diary.say("subscription.upserted", "2026-05-21", subscription_id=sub, starts_on=on)
    card(diary, "2026-06-25T10:00:00Z", "decline:stolen_card")
    diary.go("2026-06-26")
    assert used(diary) == [("2026-06-25", "card", "declined")]
    assert used(diary, FIRST) == [("2026-06-25", "card", "declined")]


def test_a_card_that_works_pays_them_one_after_another_from_the_oldest_on(diary: Diary) -> None:
    checkout(diary, None, sub="z")
    for sub, on in (("m", "2026-06-10"), ("a", "2026-06-20")):
        diary.say("subscription.upserted", "2026-05-21", subscription_id=sub, starts_on=on)
    card(diary, "2026-06-25T10:00:00Z", "ok")
    diary.settle()
    ids = [row[0] for row in diary.ask("SELECT invoice_id FROM payments ORDER BY recorded_at, reference")]
    assert sorted(ids) == ["inv:a:2026-06-20", "inv:m:2026-06-10", "inv:z:2026-06-01"]
    paid = [each.data["invoice_id"] for each in diary.events("charge.succeeded")]
    assert sorted(paid) == sorted(ids)
    assert {f"{each.at:%dT%H}" for each in diary.charges() if each.key} == {"25T10"}


def test_a_card_that_is_declined_for_now_is_tried_on_each_failing_invoice_once(diary: Diary) -> None:
    checkout(diary, None)
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", starts_on="2026-06-10")
    card(diary, "2026-06-12T10:00:00Z", "decline:insufficient_funds")
    diary.settle()
    assert sorted(each.invoice_id for each in diary.charges() if each.key) == [SECOND, FIRST]


def test_an_accepted_payment_lets_the_next_invoice_follow(diary: Diary) -> None:
    """A debit that takes days is no reason to wait with the others."""
    checkout(diary, None)
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", starts_on="2026-06-10")
    card(diary, "2026-06-12T10:00:00Z", "pending:5")
    diary.go("2026-06-13")
    assert used(diary, FIRST) == [("2026-06-12", "card", "pending")]
    assert used(diary, SECOND) == [("2026-06-12", "card", "pending")]


def test_a_card_given_while_an_attempt_is_in_flight_waits_for_nobody(diary: Diary) -> None:
    """The pending one is left alone; the other failing invoice is tried with the new card at once."""
    checkout(diary, "pending:9")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", starts_on="2026-06-02")
    card(diary, "2026-06-01T12:00:00Z", "decline:insufficient_funds", payment_method_id="worse")
    diary.go("2026-06-03")
    card(diary, "2026-06-04T10:00:00Z", "ok", payment_method_id="better", default=False)
    diary.go("2026-06-12")
    assert used(diary, FIRST) == [("2026-06-01", "card", "succeeded")]
    assert used(diary, "inv:a:2026-06-02")[-1] == ("2026-06-04", "better", "succeeded")


def test_a_success_on_one_card_makes_no_attempt_on_another(diary: Diary) -> None:
    checkout(diary, "pending:3")
    card(diary, "2026-06-01T12:00:00Z", "decline:insufficient_funds", payment_method_id="worse")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="a", starts_on="2026-06-02")
    diary.go("2026-06-10")
    assert [each[0] for each in used(diary, "inv:a:2026-06-02")] == [
        *("2026-06-02", "2026-06-03", "2026-06-05", "2026-06-07", "2026-06-09")
    ]


def test_other_clients_are_not_touched(diary: Diary) -> None:
    checkout(diary, "decline:insufficient_funds")
    diary.say("client.upserted", "2026-05-21", client_id="inn", email="inn@x.example")
    card(diary, "2026-05-21", "decline:processing_error", client_id="inn")
    diary.say("subscription.upserted", "2026-05-21", subscription_id="b", client_id="inn", starts_on="2026-06-02")
    card(diary, "2026-06-03T10:00:00Z", "ok", client_id="law")
    assert used(diary, INVOICE)[-1][2] == "succeeded"
    assert [each[0] for each in used(diary, "inv:b:2026-06-02")] == ["2026-06-02", "2026-06-03"]


def test_no_mail_names_an_attempt_that_is_not_made(diary: Diary) -> None:
    """Daily invoices of one amount run into the limit of declines: each day that a mail names sees a call for that invoice."""
    diary.open(card="decline:insufficient_funds", service={"billing_cycle": {"unit": "day", "every": 1}})
    diary.say("subscription.upserted", "2026-06-01T00:00:00Z", starts_on="2026-06-01")
    diary.say("subscription.upserted", "2026-06-06", status="cancelled")
    diary.go("2026-07-30")
    named = diary.ask(
        "SELECT invoice_id, context ->> 'next_on', occasion FROM notices WHERE context ->> 'next_on' IS NOT NULL"
    )
    assert named
    made = {(each.invoice_id, day(each.at)) for each in diary.charges() if each.key}
    assert [each for each in named if (each[0], each[1]) not in made] == []
    ended = dict(diary.ask("SELECT invoice_id, exhausted_at FROM invoices"))
    assert all(ended.values())
    assert [
        each for each in diary.charges() if each.key and f"{each.at:%Y-%m-%dT%H:%MZ}" > ended[each.invoice_id]
    ] == []


@pytest.mark.parametrize("token", ["", "decline:stolen_card", "decline:expired_card", "action_required"])
def test_no_mail_names_an_attempt_for_which_there_is_no_card(diary: Diary, token: str) -> None:
    checkout(diary, token or None)
    diary.go("2026-06-20")
    assert diary.ask("SELECT count(*) FROM notices WHERE context ->> 'next_on' IS NOT NULL") == [(0,)]
    assert told(diary.notices("dunning_exhausted"), "audience") == ["agency", "client"]
