"""What must be true of any database."""

from shared.store.transaction import Store


def violations(store: Store) -> list[str]:
    """Every broken invariant, as a line for people; empty when all hold."""
    return []
