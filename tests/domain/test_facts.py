"""Which revision was in force at a moment."""

import pytest

from shared.domain.facts import in_force
from tests.domain.facts_of import at, revision, subscription

REVISIONS = [
    revision(1, "2026-06-01"),
    revision(4, "2026-07-01T12:00"),
    revision(9, "2026-07-01T12:00"),
    revision(10, "2026-08-01"),
]


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2026-01-01", 1),  # before the first one, the first
        ("2026-06-01", 1),
        ("2026-07-01T11:59", 1),
        ("2026-07-01T12:00", 9),  # the newer of two that became true at once
        ("2026-07-31T23:59", 9),
        ("2026-08-01", 10),
        ("2099-01-01", 10),
    ],
)
def test_the_newest_revision_that_had_become_true(moment: str, found: int) -> None:
    assert in_force(REVISIONS, at(moment)).revision == found


def test_a_manual_order_is_by_hand_and_a_checkout_is_not() -> None:
    assert subscription(checkout="manual").by_hand
    assert not subscription().by_hand
