"""`python -m tests.faults.dying_worker POOL FOLDER POINT…`: a worker that SIGKILLs itself at named points, once each.

Each death leaves a file in FOLDER, written before it dies, so that a run in which a point was never reached can be told.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEATHS = 1
SPARED = 2  # passes before the first death, so that some work is always done


class Points:
    """Where to die. A point is passed twice, then kills, as often as there are deaths."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder = folder
        self._passed = dict.fromkeys(names, 0)

    def reach(self, name: str) -> None:
        """Die here, if this is a point of ours that has deaths left."""
        if name not in self._passed or len(list(self._folder.glob(f"{name}-*"))) >= DEATHS:
            return
        self._passed[name] += 1
        if self._passed[name] > SPARED:
            (self._folder / f"{name}-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)


def main(pool: str, folder: str, *names: str) -> None:
    from ops.cli import commands
    from shared.broker import message_log
    from shared.store import database
    from workers.charges import charge_invoices

    points = Points(Path(folder), list(names))
    before, after = message_log.MessageLog.before_process_message, message_log.MessageLog.after_process_message

    def begins(self: Any, *given: Any) -> None:
        points.reach("before_claim")
        before(self, *given)

    def ends(self: Any, *given: Any, **named: Any) -> None:
        after(self, *given, **named)
        points.reach("before_ack")

    message_log.MessageLog.before_process_message = begins
    message_log.MessageLog.after_process_message = ends
    whole = database.Store.transaction

    @contextmanager
    def dying(self: database.Store) -> Iterator[database.Transaction]:
        with whole(self) as tx:
            yield tx
            if tx.events:  # a transaction that decides something, not one that only looks
                points.reach("inside_transaction")

    database.Store.transaction = dying
    made = charge_invoices.Runtime.__new__

    def runtime(*given: Any, **named: Any) -> Any:
        return made(*given, **{"between": points.reach, **named})

    charge_invoices.Runtime.__new__ = runtime
    sys.argv = ["duecycle", "worker", pool]
    commands()


if __name__ == "__main__":
    main(*sys.argv[1:])
