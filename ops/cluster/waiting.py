"""Waiting for what must come true: generous, and never what an outcome depends on."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 90.0
T = TypeVar("T")


def until(true: Callable[[], T], patience: float = PATIENCE) -> T:
    """Look until it is true, and return it. Raises AssertionError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"still not so after {patience:g} s")
        time.sleep(0.05)
    return found
