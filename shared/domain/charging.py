"""One attempt to collect what an invoice still owes, and every move it makes: a charge's state is written here alone.

Each move is checked against the table in `states`; the database refuses what the table does not list, too.
"""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from shared.domain.states import CHARGE_MOVES, ChargeState, check_move

InDoubt = Literal["pending", "unknown"]
NoMoney = Literal["declined", "not_sent"]


class NewCharge(NamedTuple):
    """An attempt to plan; it goes out at `planned_at`, not before. `once`: it was asked for, and nothing follows it."""

    invoice_id: str
    attempt: int
    subscription_id: str
    client_id: str
    currency: str
    planned_at: datetime
    once: bool = False


class Charge(NamedTuple):
    """An attempt. `fence` grows with each claim: a settlement with an older one comes too late.

    `credential`: what the provider sees of the method it was made with. `once`: as in NewCharge.
    """

    invoice_id: str
    attempt: int
    subscription_id: str
    client_id: str
    state: ChargeState
    key: str | None
    request: str | None
    amount_minor: int | None
    currency: str
    provider: str | None
    payment_method_id: str | None
    method_revision: int | None
    credential: str | None
    once: bool
    planned_at: datetime
    wake_at: datetime | None
    lease_until: datetime | None
    fence: int
    sent_at: datetime | None
    first_sent_at: datetime | None
    settled_at: datetime | None
    doubtful_since: datetime | None
    code: str | None
    decline_class: str | None
    reference: str | None


class Sending(NamedTuple):
    """What is frozen before the call: the key, the parameters, and the method as the provider sees it."""

    key: str
    request: str
    amount_minor: int
    provider: str
    payment_method_id: str
    method_revision: int | None
    credential: str


def next_attempt(charge: Charge, at: datetime) -> NewCharge:
    """The attempt after this one, with a key of its own."""
    return NewCharge(
        invoice_id=charge.invoice_id,
        attempt=charge.attempt + 1,
        subscription_id=charge.subscription_id,
        client_id=charge.client_id,
        currency=charge.currency,
        planned_at=at,
        once=charge.once,
    )


def postponed(charge: Charge, until: datetime, **changes: Any) -> Charge:
    """Stays as it is, and is looked at again at `until`."""
    return charge._replace(planned_at=until, wake_at=until, **changes)


def leased(charge: Charge, until: datetime, fence: int) -> Charge:
    """Taken by a worker: nobody else asks about it before `until`."""
    return charge._replace(lease_until=until, wake_at=until, fence=fence)


def sending(charge: Charge, frozen: Sending, now: datetime) -> Charge:
    """About to be sent: from here on it may have moved money."""
    fields = frozen._asdict()
    return _move(charge, "sending", **fields, sent_at=now, first_sent_at=charge.first_sent_at or now, code=None)


def due_again(charge: Charge, at: datetime, **changes: Any) -> Charge:
    """Sent again at `at`: the provider never got it, or a person says that it took no money."""
    return postponed(_move(charge, "due", lease_until=None), at, **changes)


def in_doubt(
    charge: Charge,
    state: InDoubt,
    *,
    reference: str | None,
    since: datetime,
    look_at: datetime,
    code: str | None,
) -> Charge:
    """The provider has not said, or not finally; it is asked at `look_at`."""
    moved = _move(charge, state, lease_until=None)
    return postponed(moved, look_at, reference=reference, doubtful_since=since, code=code)


def unrecorded(charge: Charge, *, reference: str | None, look_at: datetime, code: str, now: datetime) -> Charge:
    """Its answer could not be recorded: `code` keeps it as evidence, and the attempt stays in doubt."""
    state = "unknown" if charge.state == "sending" else charge.state
    return _move(
        charge,
        state,
        reference=charge.reference or reference,
        doubtful_since=charge.doubtful_since or now,
        code=code,
        # One that waits for the customer still ends on the day that was planned.
        planned_at=charge.planned_at if state == "action_required" else look_at,
        wake_at=look_at,
        lease_until=None,
    )


def action_required(charge: Charge, code: str, decline_class: str, ends_at: datetime) -> Charge:
    """Only the customer can go on; the attempt ends at `ends_at`."""
    moved = _move(charge, "action_required", code=code, decline_class=decline_class, lease_until=None)
    return postponed(moved, ends_at)


def succeeded(charge: Charge, reference: str, now: datetime) -> Charge:
    """The money was taken; `reference` is the provider's id of it."""
    return _ended(charge, "succeeded", now, reference=reference, code=None)


def declined(charge: Charge, code: str | None, now: datetime) -> Charge:
    """The provider was asked, and no money was taken."""
    return _ended(charge, "declined", now, code=code)


def not_sent(charge: Charge, code: str | None, now: datetime) -> Charge:
    """Ended without a call that could have taken money."""
    return _ended(charge, "not_sent", now, code=code)


def failed(charge: Charge, state: NoMoney, now: datetime) -> Charge:
    """Ended without money, for the reason that its code says."""
    return _ended(charge, state, now)


def _ended(charge: Charge, state: ChargeState, now: datetime, **changes: Any) -> Charge:
    return _move(charge, state, wake_at=None, lease_until=None, settled_at=now, **changes)


def _move(charge: Charge, state: ChargeState, **changes: Any) -> Charge:
    if state != charge.state:
        check_move(CHARGE_MOVES, "charge", charge.state, state)
    return charge._replace(state=state, **changes)
