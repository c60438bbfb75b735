"""What is known about agencies, clients, services and subscriptions, and which revision was in force at a moment."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from shared.domain.calendar import Unit

Stream = Literal["order", "invoice"]
ORDER: Stream = "order"
INVOICE: Stream = "invoice"


class Agency(NamedTuple):
    """The agency as it is now."""

    agency_id: str
    name: str
    timezone: str
    currency: str
    email: str
    locale: str
    invoice_prefix: str
    payment_terms_days: int
    issue_time: time
    gateway: str
    address: dict[str, Any] | None
    tax_id: str | None
    retry_days: tuple[int, ...]
    on_exhausted: str
    backlog: str
    hold_on: str


class Client(NamedTuple):
    """The client as it is now."""

    client_id: str
    name: str
    email: str
    locale: str | None
    address: dict[str, Any] | None
    tax_id: str | None


class ServiceRevision(NamedTuple):
    """One accepted revision of a service; `price_minor` None means not billable yet."""

    service_id: str
    revision: int
    effective_at: datetime
    name: str
    price_minor: int | None
    currency: str
    tax_name: str | None
    tax_rate: str
    tax_inclusive: bool
    unit: Unit
    every: int
    order_unit: Unit
    order_every: int
    renewal: str


class SubscriptionRevision(NamedTuple):
    """One accepted revision of a subscription: what may change over time."""

    subscription_id: str
    revision: int
    effective_at: datetime
    client_id: str
    service_id: str
    status: str
    cancel_on: date | None
    quantity: int
    collection: str


def never_begun(revisions: list[SubscriptionRevision]) -> list[SubscriptionRevision]:
    """While every revision so far says cancelled, it had ended before we heard of it: none of its cycles is made.

    That holds whatever end they name. A revision that comes late and says otherwise lets them mean what they say.
    """
    begun = next((index for index, each in enumerate(revisions) if each.status != "cancelled"), len(revisions))
    return [each._replace(cancel_on=date.min) for each in revisions[:begun]] + revisions[begun:]


class InitialPayment(NamedTuple):
    """The payment that the checkout took already."""

    provider: str
    reference: str
    amount_minor: int
    currency: str
    paid_at: datetime


class Subscription(NamedTuple):
    """The subscription as it is now: what never changes, and what ended it."""

    subscription_id: str
    client_id: str
    service_id: str
    checkout: str
    starts_on: date
    known_since: datetime
    bill_from: date | None
    order_id: str | None
    initial_payment: InitialPayment | None
    ended_at: datetime | None
    ended_reason: str | None
    status: str = "active"

    @property
    def cancelled(self) -> bool:
        """True once upstream says that it has ended."""
        return self.status == "cancelled"

    @property
    def by_hand(self) -> bool:
        """True for a manual order: its cycle 0 and its first invoice are made by the agency."""
        return self.checkout == "manual"

    def judged_at(self, due_at: datetime) -> datetime:
        """The moment whose facts decide a cycle: when it fell due, but not before the subscription was known."""
        return max(due_at, self.known_since)


class Revision(Protocol):
    """Anything with a moment from which it counts."""

    @property
    def effective_at(self) -> datetime: ...


R = TypeVar("R", bound=Revision)


def in_force(revisions: Sequence[R], at: datetime) -> R:
    """The newest revision effective at `at`; before the first one, the newest of that first moment.

    `revisions` is ascending, by revision and by moment, and not empty.
    """
    found = revisions[0]
    for revision in revisions[1:]:
        if revision.effective_at > max(at, revisions[0].effective_at):
            break
        found = revision
    return found
