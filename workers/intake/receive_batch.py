"""A batch of upstream's messages in one transaction: one commit for all of them, and each still judged on its own."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from shared.billing.halving import halved
from shared.messages import (
    Change,
    ChangeData,
    InvoiceIssued,
    InvoiceSelector,
    Rejected,
    SubscriptionResumed,
    SubscriptionUpserted,
    decode_change,
)
from shared.store import inbox
from shared.store.database import Store, Transaction
from shared.store.fact_buffer import FactBuffer
from shared.store.inbox import Arrived, Identity, Room
from shared.store.locks import Pair, lock_agencies, lock_subscriptions
from workers.intake.receive_changes import (
    Received,
    apart_if_held_up,
    arrived,
    receive_again,
    receive_change,
    receive_kept,
    reject_broken,
)
from workers.intake.references import arrivals_of, keys_by_table
from workers.intake.select_invoice import subscriptions_spoken_of

_OF_A_SUBSCRIPTION = (SubscriptionUpserted, SubscriptionResumed, InvoiceIssued)
_agency = attrgetter("agency_id")


def receive_batch(store: Store, raws: Sequence[bytes]) -> list[Received]:
    """Store and apply messages as if one after another, in one commit. Returns what became of each, in their order.

    The locks of all agencies are taken before the first message, in the order of their ids, and then those of all
    subscriptions, so that two batches never wait for each other. If one message breaks the transaction, or together they hit a
    limit, the batch is halved down to that message, which is rejected. Raises only what trying again later may cure; what was
    kept by then is a repeat when it comes again.
    """
    read = [_read(raw) for raw in raws]
    messages = [_Message(raw, each, arrived(raw, each)) for raw, each in zip(raws, read, strict=True)]
    return [received for part in _apart(messages) for received in _receive(store, part)]


class _Message(NamedTuple):
    """A message's bytes, what they say, and what the inbox keeps of them."""

    raw: bytes
    read: Change | Rejected
    kept: Arrived


def _apart(messages: Sequence[_Message]) -> list[list[_Message]]:
    """The batch in parts, none with two messages of one identity: what becomes of the second depends on the first."""
    parts: list[list[_Message]] = [[]]
    seen: set[Identity] = set()
    for message in messages:
        if message.kept.identity in seen:
            parts.append([])
            seen.clear()
        seen.add(message.kept.identity)
        parts[-1].append(message)
    return parts


def _receive(store: Store, messages: Sequence[_Message]) -> list[Received]:
    """Whatever breaks the transaction, or hits a limit, is found by halving; the good ones beside it are applied."""
    received: dict[Identity, Received] = {}

    def attempt(part: Sequence[_Message]) -> int:
        answers = (
            apart_if_held_up(partial(_together, store, part)) if len(part) > 1 else [receive_change(store, part[0].raw)]
        )
        received.update(zip((each.kept.identity for each in part), answers, strict=True))
        return len(part)

    def refuse(message: _Message, error: Exception) -> None:
        received[message.kept.identity] = reject_broken(store, message.raw, message.kept, error)

    halved("changes", messages, attempt, refuse, in_order=True)
    return [received[each.kept.identity] for each in messages]


def _together(store: Store, messages: Sequence[_Message], room: Room) -> list[Received]:
    with store.transaction() as tx:
        lock_agencies(tx, {each.kept.agency_id for each in messages})
        told = inbox.earlier(tx, [each.kept for each in messages])
        fresh = [each.kept for each in messages if each.kept.identity not in told]
        ids = dict(zip([each.identity for each in fresh], inbox.store_all(tx, fresh), strict=True))
        new = [each.read.data for each in messages if isinstance(each.read, Change)]
        lock_subscriptions(tx, _subscriptions(tx, new), wait=True)
        work = FactBuffer(tx, room)
        _read_together(work, new)
        received = [
            receive_kept(work, each.read, ids[each.kept.identity], each.kept)
            if each.kept.identity in ids
            # What waited and was applied since then may be the one before.
            else receive_again(work, each.read, each.kept, told[each.kept.identity] if work.room == room else None)
            for each in messages
        ]
        work.flush()
    return received


def _read(raw: bytes) -> Change | Rejected:
    try:
        return decode_change(raw)
    except Rejected as rejected:
        return rejected


def _subscriptions(tx: Transaction, told: Sequence[ChangeData]) -> list[Pair]:
    """Every subscription that these messages are about, so that all are locked at once and in order."""
    named: list[Pair] = []
    for data in told:
        if isinstance(data, _OF_A_SUBSCRIPTION):
            named.append((data.agency_id, data.subscription_id))
        elif isinstance(data, InvoiceSelector):
            named += subscriptions_spoken_of(tx, data)
    return named


def _read_together(work: FactBuffer, told: Sequence[ChangeData]) -> None:
    """What the messages will ask for, in one statement per table and agency."""
    for table, keys in keys_by_table(told).items():
        work.expect(table, keys)
    for agency_id, of in groupby(sorted(told, key=_agency), key=_agency):
        data = list(of)
        work.expect_awaited(agency_id, {arrival for each in data for arrival in arrivals_of(each)})
        subscribed = [each for each in data if isinstance(each, SubscriptionUpserted)]
        if subscribed:
            work.expect_services(agency_id, {each.service_id for each in subscribed})
            work.expect_order_ids(agency_id, {each.order_id for each in subscribed if each.order_id})
