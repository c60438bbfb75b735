"""Due attempts → money, or a reason. Three short steps: no transaction is open while a gateway is called."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import NamedTuple

import structlog

from shared.billing.account_health import CLIENT_IS_PAYING, LEASE_IS_OVER
from shared.domain.retry_times import LEASE, TRIES_MAX
from shared.gateways.port import Found, Gateway, NotSent, Unknown
from shared.store import charges, invoices, refunds
from shared.store.database import Store, Transaction
from shared.store.locks import lock_of_agency
from workers.batches import work
from workers.charges.ask_taken_back import ask as ask_question
from workers.charges.ask_taken_back import claim_questions, settle_question
from workers.charges.bulkhead import Bulkhead
from workers.charges.claim import LOOKUP, Call, OpenLink, claim
from workers.charges.follow_links import claim_links, look, settle_link
from workers.charges.outcomes import OUTCOMES
from workers.charges.park import PARKED_FOR, park
from workers.charges.refund_payments import ask, claim_refunds, settle_refund
from workers.charges.settle import Answer, settle
from workers.charges.unrecorded import park_charge, park_link, park_question, park_refund, record_or_park
from workers.gateway_accounts import GatewaysOf

PUT_BACK_FOR = timedelta(seconds=5)
log = structlog.get_logger()


class Runtime(NamedTuple):
    """What the pool needs besides rows: `gateways` gives those of an agency. With `concurrency` 1 calls go out one after
    another, in order."""

    store: Store
    gateways: GatewaysOf
    concurrency: int = 8
    # Named moments between the steps; tests stop here.
    between: Callable[[str], None] = lambda _moment: None
    # A monotonic clock, for durations.
    monotonic: Callable[[], float] = monotonic
    # How long a claim holds: its call has ended, or will not be made, before half of it is over.
    lease: timedelta = LEASE
    # Hears of each settled answer: the provider, and the outcome's name.
    on_outcome: Callable[[str, str], object] = lambda _provider, _outcome: None
    # Keeps one agency's slow calls from holding every thread of the process; None: nothing else runs in it.
    bulkhead: Bulkhead | None = None
    # Hears of each message that was left for later for that reason.
    on_put_back: Callable[[], object] = lambda: None


def always(gateways: Mapping[str, Gateway]) -> GatewaysOf:
    """The same gateways for every agency."""
    return lambda _tx, _agency_id: gateways


def charge_invoices(runtime: Runtime, agency_id: str, ids: Sequence[str], *, again: bool = False) -> None:
    """Claim, call and settle the due attempts of the invoices `ids` of one agency.

    A worker that dies in between leaves `sending` behind: after the lease the attempt is looked up before anything else.
    `again`: some were dispatched before, so a try is committed first, and an attempt whose claim was tried too often is parked.
    While the agency's slow calls hold half of the process, its attempts are put back for five seconds.
    """
    with runtime.bulkhead.enter(agency_id) if runtime.bulkhead is not None else nullcontext(enter_result=True) as free:
        if free:
            _charge_invoices(runtime, agency_id, ids, again=again)
            return
    with runtime.store.transaction() as tx:
        put_back = charges.put_back(tx, agency_id, ids, tx.as_of + PUT_BACK_FOR)
    log.info("charges.put_back", agency_id=agency_id, charges=put_back, seconds=PUT_BACK_FOR.total_seconds())
    runtime.on_put_back()


def _charge_invoices(runtime: Runtime, agency_id: str, ids: Sequence[str], *, again: bool) -> None:
    began = runtime.monotonic()
    if again:
        ids = _count(runtime.store, agency_id, ids)
    try:
        calls = _claim(runtime, agency_id, ids)
    except Exception:
        if again:
            _forget(runtime.store, agency_id, ids)
        raise
    runtime.between("claimed")
    failed: list[Exception] = []
    for answer in _answers(runtime, calls, began + runtime.lease.total_seconds() / 2):
        runtime.between("answered")
        failed += _record(runtime, agency_id, answer)
        runtime.between("settled")
    if failed:
        raise failed[0]  # the moment's errors: what they concern is asked about after its lease
    with runtime.store.transaction() as tx:
        beside = charges.work_beside(tx, agency_id, ids)
    if "refunds" in beside:
        _give_back(runtime, agency_id, ids)
    if "pay_links" in beside:
        _look_at_links(runtime, agency_id, ids)
    if "payment_inquiries" in beside:
        _ask_questions(runtime, agency_id, ids)


def _record(runtime: Runtime, agency_id: str, answer: Answer) -> list[Exception]:
    """Write one answer, whatever became of the others; returns the moment's error, if there was one."""
    call, found = answer
    error = record_or_park(
        lambda: settle(runtime.store, agency_id, answer),
        lambda what: park_charge(runtime.store, agency_id, call, found, what),
    )
    runtime.on_outcome(call.provider, OUTCOMES[type(found)])
    return [] if error is None else [error]


def _give_back(runtime: Runtime, agency_id: str, ids: Sequence[str]) -> None:
    """The refunds of the same invoices, one after another: they are few."""
    calls = claim_refunds(runtime.store, runtime.gateways, agency_id, ids, runtime.lease)
    until = runtime.monotonic() + runtime.lease.total_seconds() / 2
    for call in calls:
        runtime.between("refund_claimed")
        if runtime.monotonic() > until:
            return  # the lease runs out, and they are dispatched again
        found = ask(call)
        runtime.between("refund_answered")
        error = record_or_park(
            partial(settle_refund, runtime.store, agency_id, call, found),
            partial(park_refund, runtime.store, agency_id, call.refund, found),
        )
        if error is not None:
            raise error
        runtime.on_outcome(call.refund.source, f"refund_{OUTCOMES[type(found)]}")


def _ask_questions(runtime: Runtime, agency_id: str, ids: Sequence[str]) -> None:
    """What providers say of money that may be gone. One answer that can't be recorded keeps no other from being so."""
    for question in claim_questions(runtime.store, runtime.gateways, agency_id, ids, runtime.lease):
        found = ask_question(question)
        error = record_or_park(
            partial(settle_question, runtime.store, agency_id, question.inquiry, found),
            partial(park_question, runtime.store, agency_id, question.inquiry, found),
        )
        if error is not None:
            raise error


def _look_at_links(runtime: Runtime, agency_id: str, ids: Sequence[str]) -> None:
    """The payment pages of these invoices."""
    for call in claim_links(runtime.store, runtime.gateways, agency_id, ids, runtime.lease):
        runtime.between("link_claimed")
        found = look(call)
        runtime.between("link_answered")
        error = record_or_park(
            partial(settle_link, runtime.store, agency_id, call, found),
            partial(park_link, runtime.store, agency_id, call.link, found.found),
        )
        if error is not None:
            raise error


def _claim(runtime: Runtime, agency_id: str, ids: Sequence[str]) -> list[Call]:
    """The calls whose claims are committed: one that was rolled back must never go out."""
    calls: list[Call] = []

    def step(tx: Transaction, agency: str, part: Sequence[str], wait: bool) -> tuple[list[str], Callable[[], None]]:
        of = invoices.subscriptions_of(tx, agency, part)
        locked = lock_of_agency(tx, agency, of.values(), wait=wait)
        ours = [id_ for id_ in part if of.get(id_) in locked]
        claimed = claim(tx, agency, ours, runtime.gateways(tx, agency), runtime.lease)
        left = [] if wait else [id_ for id_ in part if id_ in of and of[id_] not in locked]
        return left, lambda: calls.extend(claimed)

    work(runtime.store, agency_id, ids, step, park)
    return calls


def _count(store: Store, agency_id: str, ids: Sequence[str]) -> list[str]:
    with store.transaction() as tx:
        over_limit = charges.count_tries(tx, agency_id, ids, TRIES_MAX)
        refunds.count_tries(tx, agency_id, ids, TRIES_MAX, PARKED_FOR)
    for id_ in sorted(over_limit):
        with store.transaction() as tx:
            park(tx, agency_id, id_, "the worker ended without an answer five times")
    return [id_ for id_ in ids if id_ not in over_limit]


def _forget(store: Store, agency_id: str, ids: Sequence[str]) -> None:
    """An error of the moment is an orderly end: nothing killed this worker."""
    with store.transaction() as tx:
        charges.forget_tries(tx, agency_id, ids)


def _answers(runtime: Runtime, calls: Sequence[Call], until: float) -> Iterable[Answer]:
    """The outcomes, as they come. After half the lease no call goes out any more: its answer might come too late."""
    if runtime.concurrency <= 1 or len(calls) <= 1:
        for call in calls:
            yield _ask(runtime, call, until)
        return
    with ThreadPoolExecutor(max_workers=min(runtime.concurrency, len(calls))) as pool:
        for future in as_completed([pool.submit(_ask, runtime, call, until) for call in calls]):
            yield future.result()


def _call(call: Call) -> Found:
    if call.kind == LOOKUP and call.sent is not None:
        return call.gateway.lookup(call.request, call.today, call.sent)
    return call.gateway.charge(call.request, call.today)


def _closed(link: OpenLink) -> bool:
    try:
        return link.gateway.end_link(link.reference)
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, it may be open
        log.error("gateway.raised", error=type(error).__name__)
        return False


def _ask(runtime: Runtime, call: Call, until: float) -> Answer:
    if runtime.monotonic() > until:
        return Answer(call, NotSent("half the lease was over before it could be sent", LEASE_IS_OVER))
    if call.link is not None and not _closed(call.link):
        return Answer(call, NotSent("the client is paying at this moment", CLIENT_IS_PAYING))
    try:
        found = _call(call)
    except Exception as error:  # noqa: BLE001 - whatever an adapter lets slip, money may have moved
        log.error("gateway.raised", invoice_id=call.invoice_id, attempt=call.attempt, error=type(error).__name__)
        found = Unknown(f"adapter raised {type(error).__name__}")
    return Answer(call, found)
