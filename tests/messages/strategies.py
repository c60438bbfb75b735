"""Random JSON, and a message with one value of it changed."""

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

# What our fields take or nearly take, so that a replaced value is not always refused for its type.
TELLING = st.sampled_from(
    [
        *("", " ", "a", "a b", "EUR", "eur", "XXX", "Europe/Paris", "x@y.example", "19", "19.00001", "09:00", "en"),
        *("2026-02-28", "2026-02-30", "1969-12-31", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00", "next_boundary"),
        *("day", "manual", "automatic", "paid", "stripe", "cancel", "all", "1.0", "a\nb", "a\u202eb", "\ud800", "\x00"),
        *(0, 1, -1, 14, 365, 366, 10**6, 10**12, 10**15, 10**15 + 1, 2**63 - 1, 2**63, 1.0, 1.5, True, False, None),
        *([], [1], [1, 2], [2, 1], [1, 1], {}, {"unit": "day", "every": 2}, {"name": "VAT", "rate": "7"}),
    ]
)
TEXT = st.text(st.characters(), max_size=20)  # lone surrogates too
JSON = st.one_of(
    TELLING,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
        max_leaves=8,
    ),
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) in the JSON value."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in entries:
        yield node, key
        yield from places(child)


def replaced(draw: Callable[[Any], Any], message: dict[str, Any], value: Any) -> dict[str, Any]:
    """The message, changed in place: one value replaced, or a new field added beside it."""
    container, key = draw(st.sampled_from(list(places(message))))
    if isinstance(container, dict) and draw(st.booleans()):
        key = draw(st.sampled_from(["cancel_on", "currency", "number", "subscription_id", "note", "k\x00"]))
    container[key] = value
    return message
