"""An attempt that the provider never got is not planned again for an invoice that was resolved meanwhile."""

from pathlib import Path

import pytest

from shared.gateways.port import Found, NotFound, NotSent, Outcome, Unknown
from shared.store.database import FixedClock, Store
from tests.journeys.diary import Diary
from workers.charges.charge_invoices import Runtime, always, charge_invoices

INVOICE = "inv:sub:2026-06-01"


class Silent:
    """A gateway that answers a charge and a lookup with what it was given."""

    def __init__(self, charged: Outcome, found: Found | None = None) -> None:
        self.charged, self.found = charged, charged if found is None else found

    def charge(self, _request: object, _today: object) -> Outcome:
        return self.charged

    def lookup(self, _request: object, _today: object, _sent: object = None) -> Found:
        return self.found


@pytest.fixture
def diary(store: Store, clock: FixedClock, tmp_path: Path) -> Diary:
    """An invoice of 1 June, planned to be charged at once."""
    made = Diary(store, clock, tmp_path)
    made.open("2026-05-20", card="outage_until:2026-07-01")
    made.say("subscription.upserted", starts_on="2026-06-01")
    made.go("2026-06-01")
    assert [tuple(row) for row in made.ask("SELECT state FROM charges")] == [("due",)]
    return made


def charge(diary: Diary, gateway: Silent, *, paid_meanwhile: bool) -> None:
    diary.clock.at = diary.moment("2026-06-02T12:00:00+00:00", None)

    def between(moment: str) -> None:
        if moment == "claimed" and paid_meanwhile:
            assert diary.say("invoice.paid", invoice_id=INVOICE, reference="bank").state == "applied"

    charge_invoices(
        Runtime(store=diary.store, gateways=always({"sandbox": gateway}), concurrency=1, between=between),
        "ag",
        [INVOICE],
    )


def ends(diary: Diary) -> list[tuple[object, ...]]:
    with diary.store.transaction() as tx:
        return [tuple(row) for row in tx.rows("SELECT state, code, wake_at FROM charges")]


def test_not_sent_while_a_payment_came(diary: Diary) -> None:
    charge(diary, Silent(NotSent("refused")), paid_meanwhile=True)
    assert ends(diary) == [("not_sent", "invoice_paid", None)]
    diary.check()


def test_not_found_after_a_payment_came(diary: Diary) -> None:
    charge(diary, Silent(Unknown("lost")), paid_meanwhile=True)
    assert ends(diary)[0][0] == "unknown"
    diary.clock.at = diary.moment("2026-06-03T12:00:00+00:00", None)
    charge_invoices(
        Runtime(store=diary.store, gateways=always({"sandbox": Silent(NotSent("x"), NotFound())}), concurrency=1),
        "ag",
        [INVOICE],
    )
    assert ends(diary) == [("not_sent", "invoice_paid", None)]
    diary.check()


def test_not_sent_for_an_open_invoice_is_planned_again(diary: Diary) -> None:
    charge(diary, Silent(NotSent("refused")), paid_meanwhile=False)
    state, code, wake_at = ends(diary)[0]
    assert (state, code) == ("due", None)
    assert wake_at is not None
    diary.check()
