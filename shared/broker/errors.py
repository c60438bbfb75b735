"""What can be wrong with the broker."""


class BrokerError(OSError):
    """The broker can't be reached or did not do what was asked; the words say what is wrong and what to do.

    Trying again later may help. Nothing is lost by it: the rows behind a message are still there.
    """


class TopologyError(BrokerError):
    """The broker has a queue or exchange of that name with other properties; a person has to act."""
