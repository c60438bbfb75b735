"""What can be wrong with the broker."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.broker.publish_batch import Verdict


class BrokerError(OSError):
    """The broker can't be reached or did not do what was asked; the words say what is wrong and what to do.

    Trying again later may help. Nothing is lost by it: the rows behind a message are still there.
    """


class UnansweredError(BrokerError):
    """Not every message of a call was answered; `verdicts` says what became of each, None of one that was not even sent.

    `silent`: the connection is fine, and time was up: a queue that should take the unanswered ones says nothing.
    """

    def __init__(self, words: str, verdicts: "Sequence[Verdict | None]", *, silent: bool) -> None:
        super().__init__(words)
        self.verdicts, self.silent = verdicts, silent


class TopologyError(BrokerError):
    """The broker has a queue or exchange of that name with other properties; a person has to act."""
