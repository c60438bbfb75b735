"""A mail server that takes minutes after the final dot: nobody sends the mail again meanwhile, and nobody else waits for it."""

from datetime import timedelta
from typing import Any

import pytest

from shared.documents.mail import Mail
from shared.documents.sending import Envelope, UnsentError
from shared.store import notices
from shared.store.database import FixedClock, Store
from shared.store.notices import NewNotice
from tests.journeys.diary import Diary
from workers.notices.send_notices import MARGIN, Runtime, send_notices

MAIL_SECONDS = 660.0
ROWS = "SELECT key, state, lease_until, tries FROM notices ORDER BY key"


class Slow:
    """Each mail takes as long as the clocks are moved by; what the rows are like meanwhile is looked at."""

    def __init__(self, store: Store, clock: FixedClock, takes: timedelta, ends: UnsentError | None) -> None:
        self.store, self.clock, self.takes, self.ends = store, clock, takes, ends
        self.seconds = 0.0
        self.during: list[Any] = []

    def send(self, envelope: Envelope, mail: Mail) -> None:
        self.during.append(rows(self.store))
        self.clock.at += self.takes
        self.seconds += self.takes.total_seconds()
        if self.ends is not None:
            raise self.ends


def rows(store: Store) -> list[tuple[Any, ...]]:
    with store.transaction() as tx:
        return list(tx.rows(ROWS))


@pytest.mark.parametrize("ends", [None, UnsentError("in_doubt", "it may have arrived")], ids=["taken", "in doubt"])
def test_a_mail_that_takes_minutes_is_nobody_elses_and_the_others_go_to_the_next_worker(
    store: Store, clock: FixedClock, diary: Diary, ends: UnsentError | None
) -> None:
    diary.open()
    context = '{"agency": "A", "agency_email": "a@a.example", "subscription_id": "s", "reason": "r"}'
    new = [
        NewNotice(
            key=key,
            occasion="series_stopped",
            audience="agency",
            recipient="x@x.example",
            subscription_id=None,
            invoice_id=None,
            context=context,
        )
        for key in ("n1", "n2")
    ]
    with store.transaction() as tx:
        notices.insert(tx, "ag", new)
    began = clock.at
    server = Slow(store, clock, timedelta(minutes=9), ends)
    runtime = Runtime(store=store, sender=server, mail_seconds=MAIL_SECONDS, monotonic=lambda: server.seconds)
    send_notices(runtime, "ag", ["n1", "n2"])

    (during,) = server.during
    assert [(key, lease - began) for key, _, lease, _ in during] == [
        ("n1", timedelta(seconds=MAIL_SECONDS) + MARGIN),
        ("n2", runtime.lease),
    ]
    first, second = rows(store)
    assert first[1] == ("sent" if ends is None else "due")
    assert second == ("n2", "due", began + runtime.lease, 1)  # untouched: its lease is over, another worker may have it
