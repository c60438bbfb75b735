"""What the end of a hold brings: every order that was held, or only the running one."""

from collections.abc import Sequence
from datetime import date

from shared.domain.invoicing import Period

SUPERSEDED = "backlog_latest"


def superseded(released: Sequence[Period], policy: str, today: date) -> set[int]:
    """The indexes of released orders that the agency's policy skips.

    `all` skips none. `latest` keeps the order whose period contains today, if any, and skips the others.
    """
    if policy != "latest":
        return set()
    return {period.cycle_index for period in released if not (period.starts_on <= today < period.ends_on)}
