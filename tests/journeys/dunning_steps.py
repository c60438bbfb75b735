"""What the tests of failed payments say and read again and again."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from tests.journeys.diary import Diary, told

INVOICE = "inv:sub:2026-06-01"
JULY = "inv:sub:2026-07-01"
# The default ladder's days after a first failure on 1 June.
RETRY_DAYS = ["2026-06-01", "2026-06-02", "2026-06-04", "2026-06-06", "2026-06-08", "2026-06-11", "2026-06-15"]


def checkout(diary: Diary, card: str | None, *, sub: str = "sub", **agency: Any) -> None:
    """An agency with one self-checkout subscription from 1 June on, and a client whose card has the token `card`."""
    diary.open(card=card, agency=agency)
    diary.say("subscription.upserted", "2026-05-21", subscription_id=sub)


def card(diary: Diary, at: str, token: str, **of: Any) -> None:
    """A card with a token; without an id the next revision of the first one."""
    diary.say("payment_method.upserted", at, **{"token": token, **of})


def days(diary: Diary, invoice_id: str = INVOICE) -> list[tuple[str, str]]:
    """The attempts of an invoice: local day (two hours ahead of UTC in summer) and outcome."""
    return [(day(each.at), each.outcome) for each in diary.charges(invoice_id)]


def day(at: Any) -> str:
    return str(at.astimezone(ZoneInfo("Europe/Berlin")).date())


def mails(diary: Diary, *occasions: str) -> Sequence[Any]:
    """(local day, occasion, audience) of what was told; all occasions unless some are named."""
    found = [each for each in diary.notices() if not occasions or each.occasion in occasions]
    return [(day(each.at), each.occasion, each.audience) for each in found]


def orders(diary: Diary, sub: str = "sub") -> Sequence[Any]:
    """(period, local day of creation) of the orders."""
    return [(each.cycle_starts_on.isoformat(), day(each.created_at)) for each in diary.orders(sub)]


def order_states(diary: Diary, sub: str = "sub") -> Sequence[Any]:
    """(period, state, reason) of the order cycles."""
    return told(diary.cycles(sub, "order"), "starts_on state reason")


def statuses(diary: Diary, sub: str = "sub") -> Sequence[Any]:
    """(period, status, collected) of the invoices."""
    return told(diary.invoices(sub), "period_starts_on status collected_minor")


def moved(diary: Diary) -> list[tuple[Any, ...]]:
    """What the sandbox really did: (key, amount, outcome), in its own ledger."""
    return diary.ask("SELECT key, amount_minor, outcome FROM sandbox_ledger ORDER BY created_at, key")
