"""`python -m tests.faults.doubling_scheduler`: a scheduler whose messages all go out twice, in no order at all."""

import sys
from collections.abc import Sequence
from random import Random

from shared.broker.work_queue import RabbitWorkQueue
from shared.messages import Due


def main() -> None:
    from ops.cli import commands

    random, publish = Random(20260601), RabbitWorkQueue.publish  # noqa: S311 - a shuffle, not a secret

    def twice(self: RabbitWorkQueue, messages: Sequence[Due]) -> None:
        doubled = [*messages, *messages]
        random.shuffle(doubled)
        publish(self, doubled)

    RabbitWorkQueue.publish = twice
    sys.argv = ["duecycle", "scheduler"]
    commands()


if __name__ == "__main__":
    main()
