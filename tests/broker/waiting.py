"""Waiting for what must come true: generous, and never what a test's outcome depends on."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 90.0
T = TypeVar("T")


def until(true: Callable[[], T], patience: float = PATIENCE) -> T:
    """Look until it is true, and return it. Fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, f"still not so after {patience:g} s"
        time.sleep(0.05)
    return found
