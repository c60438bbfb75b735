"""A message that waits for a number never reaches an invoice to which our own series gives that number later."""

import pytest

from tests.journeys.diary import Diary, told

AT = "2026-05-20T08:00:00Z"
STATE = "SELECT state, field FROM inbox WHERE id = 'early'"


@pytest.mark.parametrize("name", ["invoice.paid", "invoice.voided"])
def test_a_prefix_that_makes_a_waited_for_number_ours_pays_and_voids_no_stranger(diary: Diary, name: str) -> None:
    diary.open(AT, agency={"invoice_prefix": "INV-"})
    assert diary.say(name, AT, id="early", number="2026-00001").state == "waiting"
    diary.say("agency.upserted", invoice_prefix="2026-")
    diary.say("subscription.upserted", AT)
    diary.go("2026-06-01")
    assert told(diary.invoices(), "number status collected_minor") == [("2026-00001", "paid", 11900)]
    assert [each.outcome for each in diary.charges()] == ["succeeded"]
    assert diary.ask(STATE) == [("rejected", "data.number")]
    diary.check()


def test_the_client_is_asked_to_pay_such_an_invoice_as_any_other(diary: Diary) -> None:
    diary.open(AT, agency={"invoice_prefix": "INV-"})
    diary.say("invoice.paid", AT, id="early", number="2026-00001")
    diary.say("agency.upserted", invoice_prefix="2026-")
    diary.say("subscription.upserted", AT, collection="manual")
    diary.go("2026-06-01")
    assert told(diary.notices("invoice_open"), "invoice_number") == ["2026-00001"]
    assert told(diary.invoices(), "status") == ["open"]


def test_a_number_waits_for_its_agency_which_says_what_numbers_are_its_own(diary: Diary) -> None:
    assert diary.say("invoice.paid", AT, id="early", number="00001").reason == "waits for agency/ag"
    diary.open(AT)
    assert diary.ask(STATE) == [("rejected", "data.number")]
    diary.say("subscription.upserted", AT, collection="manual")
    diary.go("2026-06-01")
    assert told(diary.invoices(), "number status") == [("00001", "open")]


def test_a_number_of_upstreams_own_is_still_waited_for(diary: Diary) -> None:
    assert diary.say("invoice.paid", AT, id="early", number="2026/17").reason == "waits for agency/ag"
    diary.open(AT)
    assert diary.ask("SELECT waits_for FROM inbox WHERE id = 'early'") == [("invoice-number/2026/17",)]
    diary.say("subscription.upserted", AT, checkout="manual")
    diary.say("invoice.issued", issued_on="2026-05-20", number="2026/17")
    assert told(diary.invoices(), "number status") == [("2026/17", "paid")]


def test_of_two_invoices_with_one_number_from_before_none_is_chosen(diary: Diary) -> None:
    """Numbers were not always compared: whoever names such a number is asked for the id."""
    diary.open()
    diary.say("subscription.upserted", "2026-06-01", collection="manual")
    diary.say("subscription.upserted", subscription_id="hand", checkout="manual")
    diary.say("invoice.issued", subscription_id="hand", issued_on="2026-06-01", number="old")
    diary.go("2026-06-01")
    with diary.store.transaction() as tx:
        tx.run("UPDATE invoices SET external_number = '00001' WHERE external_number = 'old'")
    received = diary.say("invoice.paid", "2026-06-02", number="00001")
    assert (received.state, received.field) == ("rejected", "data.number")
    assert "send invoice_id instead" in received.reason
