"""A message may name an invoice by the number printed on it, whatever the agency's prefix."""

from pathlib import Path

import pytest

from shared.billing import numbering
from shared.domain import keys
from shared.store.database import FixedClock, Store
from tests.journeys.diary import Diary, told


@pytest.mark.parametrize(("prefix", "number"), [("", "00001"), ("NL-", "NL-00001"), ("NL7", "NL700001")])
def test_an_invoice_is_found_by_its_number(
    store: Store, clock: FixedClock, tmp_path: Path, prefix: str, number: str
) -> None:
    """Also when the prefix ends in a digit, so that the number does not show where the sequence begins."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20", card=None, agency={"invoice_prefix": prefix})
    diary.say("subscription.upserted", starts_on="2026-06-01", collection="manual")
    diary.go("2026-06-01")
    assert [row.number for row in diary.invoices()] == [number]
    assert diary.say("invoice.paid", number=number, reference="bank").state == "applied"
    assert [row.status for row in diary.invoices()] == ["paid"]
    diary.check()


def test_a_changed_prefix_never_prints_a_number_again(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    """`R1` and sequence 1 print R100001, and so would `R` and sequence 100001: that one is stepped over."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20", card=None, agency={"invoice_prefix": "R1"})
    diary.say("subscription.upserted", starts_on="2026-06-01", collection="manual")
    diary.go("2026-06-01")
    with store.transaction() as tx:
        tx.run("UPDATE number_series SET next_sequence = 100001")
        taken = numbering.take(
            tx, "ag", numbering.INVOICE, printed=lambda each: keys.number("R", each), count=2, issued_on=None
        )
        assert taken.sequences == [100002, 100003]
        assert [tuple(row) for row in tx.rows("SELECT sequence, number FROM skipped_numbers")] == [(100001, "R100001")]


def test_invoices_and_credit_notes_never_print_one_number(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    """A prefix may look like a credit note's: then the same sequence of both series prints the same."""
    diary = Diary(store, clock, tmp_path)
    diary.open("2026-05-20")
    for day, prefix in ((1, ""), (3, "CN-")):
        diary.say("agency.upserted", f"2026-06-0{day}T06:00:00Z", invoice_prefix=prefix)
        diary.say("subscription.upserted", subscription_id=f"s{day}", starts_on=f"2026-06-0{day}")
        diary.go(f"2026-06-0{day}")
        if prefix == "":
            diary.say("refund.requested", number="00001", amount_minor=100)
    diary.say("subscription.upserted", subscription_id="s4", starts_on="2026-06-04")
    diary.go("2026-06-04")
    diary.say("agency.upserted", invoice_prefix="")
    diary.say("refund.requested", subscription_id="s3", period_starts_on="2026-06-03", amount_minor=100)
    diary.say("refund.requested", subscription_id="s4", period_starts_on="2026-06-04", amount_minor=100)
    assert diary.ask("SELECT number FROM credit_notes ORDER BY sequence") == [
        ("CN-00001",),
        ("CN-00004",),
        ("CN-00005",),
    ]
    assert sorted(told(diary.rows("invoices"), "number")) == ["00001", "CN-00002", "CN-00003"]
    diary.check()


def test_while_upstream_gives_a_number_no_credit_note_takes_one(store: Store) -> None:
    with store.transaction() as tx:
        numbering.hold(tx, "ag")
        assert tx.rows("SELECT kind FROM number_series ORDER BY 1") == [("credit_note",), ("invoice",)]
