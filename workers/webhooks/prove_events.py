"""Webhooks whose provider has to be asked whether it sent them: kept first, asked about here, in threads of their own.

Nobody waits for the provider's answer: whoever sends a webhook has been told that it is kept. What is forged is dropped; what
nobody can say anything about is asked again until the provider would no longer deliver it either.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import Literal

import structlog

from shared.error_words import safe_words
from shared.gateways.capabilities import as_online
from shared.gateways.port import BadSignatureError, ProviderEvent, UnreadableError
from shared.gateways.providers import provider_of
from shared.store import unproven
from shared.store.errors import is_data_error
from shared.store.unproven import Unproven
from workers.webhooks import receive_event
from workers.webhooks.receive_event import UNREADABLE, Runtime

THREADS = 6
OF_AN_AGENCY = 2
PAUSE_SECONDS = 1.0  # another process may have kept one, and one may be due again
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
UNREADABLE_MAX = timedelta(days=30)
Outcome = Literal["applied", "repeated", "bad_signature", "unreadable", "unproven", "given_up"]
log = structlog.get_logger()


class Prover:
    """Asks about what is kept, some of them at a time, and few of one agency and provider. `on_webhook` is told what became
    of each."""

    def __init__(self, runtime: Runtime, on_webhook: Callable[[str, str], object]) -> None:
        self._runtime, self._on_webhook = runtime, on_webhook
        self._work_queue = Event()
        self._lock = Lock()
        self._busy: Counter[tuple[str, str]] = Counter()

    def wake(self) -> None:
        """Something was kept, or a thread is free: check now."""
        self._work_queue.set()

    def loop(self, stop: Event) -> None:
        """Ask until `stop` is set. What is being asked about then is asked about again by the next process."""
        while not stop.is_set():
            self._work_queue.clear()
            try:
                self._begin()
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the rows are still there
                log.warning("webhook.not_looked_at", reason=safe_words(error))
                stop.wait(PAUSE_SECONDS)
            self._work_queue.wait(PAUSE_SECONDS)

    def _begin(self) -> None:
        with self._lock:
            busy = dict(self._busy)
        free = THREADS - sum(busy.values())
        if free <= 0:
            return
        with self._runtime.store.transaction() as tx:
            rows = unproven.take(tx, free, OF_AN_AGENCY, busy)
        for row in rows:
            with self._lock:
                self._busy[row.agency_id, row.provider] += 1
            Thread(target=self._one, args=(row,), name="prove", daemon=True).start()

    def _one(self, row: Unproven) -> None:
        try:
            self._on_webhook(row.provider, prove(self._runtime, row))
        except Exception as error:  # noqa: BLE001 - after its lease it is asked about again
            log.error("webhook.failed", provider=row.provider, agency_id=row.agency_id, reason=safe_words(error))
        finally:
            with self._lock:
                self._busy[row.agency_id, row.provider] -= 1
                self._busy += Counter()
            self.wake()


def prove_due(runtime: Runtime, on_webhook: Callable[[str, str], object]) -> None:
    """Ask about everything that is due, one after the other."""
    while True:
        with runtime.store.transaction() as tx:
            rows = unproven.take(tx, THREADS, THREADS)
        if not rows:
            return
        for row in rows:
            on_webhook(row.provider, prove(runtime, row))


def prove(runtime: Runtime, row: Unproven) -> Outcome:
    """Ask the provider about one webhook, with no transaction open, and do what follows. Raises what the database raises."""
    event = _asked(runtime, row)
    if event is None:
        with runtime.store.transaction() as tx:
            unproven.drop(tx, row)
        return "bad_signature"
    if isinstance(event, str):
        return _later(runtime, row, event)
    try:
        with runtime.store.transaction() as tx:
            outcome = receive_event.keep(tx, row.provider, row.agency_id, event, row.raw)
            unproven.drop(tx, row)
    except Exception as error:
        if not is_data_error(error):
            raise
        return _later(runtime, row, UNREADABLE + safe_words(error))
    return outcome


def _asked(runtime: Runtime, row: Unproven) -> ProviderEvent | str | None:
    """The event; why nobody can say whether it is the provider's; or None if it is not."""
    with runtime.store.transaction() as tx:
        gateway, secret, _ = receive_event.account_of(runtime, tx, row.provider, row.agency_id)
    if isinstance(gateway, str) or secret is None:
        return gateway if isinstance(gateway, str) else "the webhook's secret is missing"
    try:
        return as_online(gateway).parse_webhook(row.raw, row.headers, secret, row.received_at)
    except UnreadableError as unread:
        return UNREADABLE + str(unread)
    except BadSignatureError as refused:
        log.warning("webhook.refused", provider=row.provider, agency_id=row.agency_id, reason=str(refused))
        return None
    except OSError as error:
        return str(error)


def _later(runtime: Runtime, row: Unproven, reason: str) -> Outcome:
    """What could not be applied is tried again, too: the cause may be mended. It stays what it is while nobody can be asked."""
    if (row.reason or "").startswith(UNREADABLE) and not reason.startswith(UNREADABLE):
        reason = row.reason or reason
    unreadable = reason.startswith(UNREADABLE)
    of = {"provider": row.provider, "agency_id": row.agency_id, "reason": reason}
    with runtime.store.transaction() as tx:
        if tx.as_of - row.received_at > (UNREADABLE_MAX if unreadable else provider_of(row.provider).webhook_age_max):
            log.error("webhook.given_up", **of)
            unproven.drop(tx, row)
            return "given_up"
        wait = min(FIRST_WAIT * 2 ** min(row.tries - 1, 10), LONGEST_WAIT)
        unproven.again(tx, row, tx.as_of + (unproven.UNREADABLE_WAIT if unreadable else wait), reason)
    log.warning("webhook.unreadable" if unreadable else "webhook.unproven", **of)
    return "unreadable" if unreadable else "unproven"
