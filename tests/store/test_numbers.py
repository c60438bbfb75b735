"""A message may name an invoice by the number printed on it, whatever the agency's prefix."""

from pathlib import Path

import pytest

from shared.acts import numbering
from shared.domain import keys
from shared.store.transaction import FixedClock, Store
from tests.journeys.diary import Diary


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
        taken = numbering.take(tx, "ag", numbering.INVOICE, lambda each: keys.number("R", each), 2, None)
        assert taken.sequences == [100002, 100003]
        assert [tuple(row) for row in tx.rows("SELECT sequence, number FROM skipped_numbers")] == [(100001, "R100001")]
