"""A log to read: what this process logs, line by line."""

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from shared.telemetry import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged while the test runs, as the process `charges` logs it."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    logs.configure("charges", "info", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
