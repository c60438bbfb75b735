"""The naive writer: one ORM session and one commit per invoice, as billing programs are usually written.

Mapped classes on the product's own tables, one query per fact, one flush. Two processes, each with agencies of its own.
"""

import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import DeclarativeBase, Session

from ops.bench.seed import connect
from shared.domain import keys
from shared.domain.calendar import due_at, local_date
from shared.domain.invoicing import describe
from shared.domain.money import split_tax
from shared.domain.planning import Schedule as Recurring
from shared.store import tables
from shared.store.database import make_engine

PROCESSES = 2


class Base(DeclarativeBase):
    """Its classes are declared on tables that exist already."""

    metadata = tables.metadata

    if TYPE_CHECKING:  # the columns come from the tables

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


class Agency(Base):
    __table__ = tables.agencies


class Client(Base):
    __table__ = tables.clients


class Service(Base):
    __table__ = tables.services


class Subscription(Base):
    __table__ = tables.subscriptions


class Schedule(Base):
    __table__ = tables.schedules


class Cycle(Base):
    __table__ = tables.cycles


class Invoice(Base):
    __table__ = tables.invoices


class Line(Base):
    __table__ = tables.invoice_lines


class Charge(Base):
    __table__ = tables.charges


class Event(Base):
    __table__ = tables.events


class Series(Base):
    __table__ = tables.number_series


def run(url: str) -> float:
    """Issue everything that is due, invoice by invoice. Returns the seconds it took."""
    with connect(url) as session:
        due = session.execute(
            "SELECT agency_id, subscription_id FROM schedules ORDER BY next_at, subscription_id"
        ).fetchall()
    agencies = sorted({row[0] for row in due})
    context = multiprocessing.get_context("spawn")
    finished: Queue[int] = context.Queue()
    ready = context.Barrier(PROCESSES + 1)
    processes = []
    for at in range(PROCESSES):
        own = set(agencies[at::PROCESSES])
        mine = [(row[0], row[1]) for row in due if row[0] in own]
        processes.append(context.Process(target=_work, args=(url, mine, finished, ready)))
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process of the naive writer failed; its traceback is above")
    return time.perf_counter() - began


def _work(url: str, due: list[tuple[str, str]], finished: "Queue[int]", ready: Barrier) -> None:
    engine = make_engine(url)
    with Session(engine) as session:
        session.scalar(select(func.now()))
    ready.wait()
    for agency_id, subscription_id in due:
        _issue(engine, agency_id, subscription_id)
    finished.put(len(due))


def _issue(engine: Engine, agency_id: str, subscription_id: str) -> None:
    with Session(engine) as session:
        now = session.scalars(select(func.now())).one().astimezone(UTC)
        schedule = session.get_one(Schedule, (agency_id, subscription_id, "invoice"))
        subscription = session.get_one(Subscription, (agency_id, subscription_id))
        agency = session.get_one(Agency, agency_id)
        client = session.get_one(Client, (agency_id, subscription.client_id))
        service = session.get_one(Service, (agency_id, subscription.service_id))
        cycle = _plan(schedule, agency, now)
        session.add(cycle)
        session.flush()
        invoice, line = _invoice(
            session, agency, client, service=service, subscription=subscription, cycle=cycle, now=now
        )
        session.add(invoice)
        session.flush()
        session.add_all([line, _charge(invoice, now), _event(session, invoice, line, now)])
        cycle.state, cycle.wake_at, cycle.settled_at = "done", None, now
        session.commit()


def _plan(schedule: Schedule, agency: Agency, now: datetime) -> Cycle:
    """The due cycle, and the schedule moved on."""
    recurring = Recurring(**{name: getattr(schedule, name) for name in Recurring._fields})
    index = schedule.next_index
    starts_on, ends_on = recurring.boundary(index), recurring.boundary(index + 1)
    cycle = Cycle(
        agency_id=schedule.agency_id,
        subscription_id=schedule.subscription_id,
        stream="invoice",
        starts_on=starts_on,
        ends_on=ends_on,
        cycle_index=index,
        due_at=schedule.next_at,
        state="due",
        wake_at=now,
    )
    schedule.next_index, schedule.planned_until = index + 1, ends_on
    schedule.next_at = due_at(ends_on, agency.timezone, agency.issue_time)
    return cycle


def _number(session: Session, agency: Agency, now: datetime) -> tuple[int, Any]:
    series = session.get(Series, (agency.agency_id, "invoice"), with_for_update=True)
    today = local_date(now, agency.timezone)
    if series is None:
        series = Series(agency_id=agency.agency_id, kind="invoice", next_sequence=1, last_issued_on=today)
        session.add(series)
    sequence = series.next_sequence
    series.next_sequence, series.last_issued_on = sequence + 1, max(today, series.last_issued_on)
    return sequence, series.last_issued_on


def _invoice(
    session: Session,
    agency: Agency,
    client: Client,
    *,
    service: Service,
    subscription: Subscription,
    cycle: Cycle,
    now: datetime,
) -> tuple[Invoice, Line]:
    net, tax = split_tax(service.price_minor * subscription.quantity, service.tax_rate, inclusive=service.tax_inclusive)
    sequence, issued_on = _number(session, agency, now)
    of = {"agency_id": agency.agency_id, "invoice_id": keys.invoice_id(cycle.subscription_id, cycle.starts_on)}
    invoice = Invoice(
        **of,
        subscription_id=cycle.subscription_id,
        client_id=client.client_id,
        cycle_starts_on=cycle.starts_on,
        cycle_ends_on=cycle.ends_on,
        cycle_index=cycle.cycle_index,
        sequence=sequence,
        number=keys.number(agency.invoice_prefix, sequence),
        status="open",
        collection=subscription.collection,
        origin="automatic",
        issued_on=issued_on,
        issued_at=now,
        due_on=issued_on + timedelta(days=agency.payment_terms_days),
        currency=service.currency,
        subtotal_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        taxes=[{"name": service.tax_name, "rate": service.tax_rate, "net_minor": net, "tax_minor": tax}],
        snapshot=_snapshot(agency, client, service, subscription),
    )
    return invoice, _line(service, subscription, cycle, of, net)


def _line(service: Service, subscription: Subscription, cycle: Cycle, of: dict[str, str], net: int) -> Line:
    return Line(
        **of,
        line_no=1,
        description=describe(service.name, cycle.starts_on, cycle.ends_on),
        quantity=subscription.quantity,
        unit_price_minor=service.price_minor,
        net_minor=net,
        tax_name=service.tax_name,
        tax_rate=service.tax_rate,
    )


def _snapshot(agency: Agency, client: Client, service: Service, subscription: Subscription) -> dict[str, Any]:
    parties = {
        "agency": (agency, ("name", "address", "tax_id", "email", "timezone", "locale")),
        "client": (client, ("client_id", "name", "email", "locale", "address", "tax_id")),
        "service": (service, ("service_id", "revision", "name", "tax_name", "tax_rate", "tax_inclusive")),
    }
    frozen = {who: {name: getattr(row, name) for name in names} for who, (row, names) in parties.items()}
    frozen["service"]["quantity"] = subscription.quantity
    return frozen


def _charge(invoice: Invoice, now: datetime) -> Charge:
    return Charge(
        agency_id=invoice.agency_id,
        invoice_id=invoice.invoice_id,
        attempt=1,
        subscription_id=invoice.subscription_id,
        client_id=invoice.client_id,
        currency=invoice.currency,
        planned_at=now,
        state="due",
        wake_at=now,
    )


_LINE = ("description", "quantity", "unit_price_minor", "net_minor", "tax_name", "tax_rate")
_TOLD = (
    *("agency_id", "subscription_id", "client_id", "invoice_id", "number"),
    *("currency", "subtotal_minor", "tax_minor", "total_minor", "collection", "origin"),
)


def _event(session: Session, invoice: Invoice, line: Line, now: datetime) -> Event:
    subject = keys.subscription_subject(invoice.subscription_id)
    of = tables.events.c
    last = session.scalar(
        select(func.max(of.subject_seq)).where(of.agency_id == invoice.agency_id, of.subject == subject)
    )
    data = {name: getattr(invoice, name) for name in _TOLD}
    dates = {
        "period_starts_on": invoice.cycle_starts_on,
        "period_ends_on": invoice.cycle_ends_on,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
    }
    data |= {name: on.isoformat() for name, on in dates.items()}
    data["period_index"] = invoice.cycle_index
    data["lines"] = [{name: getattr(line, name) for name in _LINE}]
    amounts = {"net_minor": invoice.subtotal_minor, "tax_minor": invoice.tax_minor}
    data["taxes"] = [{"tax_name": line.tax_name, "tax_rate": line.tax_rate, **amounts}]
    return Event(
        agency_id=invoice.agency_id,
        type="invoice.issued",
        subject=subject,
        subject_seq=(last or 0) + 1,
        at=now,
        data=data,
    )
