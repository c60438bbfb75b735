"""Logs: one JSON object a line on standard output, without secrets and without personal data.

What other libraries log through Python's `logging` comes out in the same form. Values of keys that may hold a secret or a
person's data are replaced, and passwords in addresses are taken out wherever they stand.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

SECRET_KEYS = frozenset(
    {"password", "token", "secret", "authorization", "raw", "context", "email", "recipient", "to", "body", "customer"}
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]*@")
REDACTED = "[redacted]"
# What these tell each second of an outage is told once by ourselves.
QUIET = {
    "pika": logging.CRITICAL,
    "dramatiq": logging.CRITICAL,
    "alembic": logging.WARNING,
    "stripe": logging.WARNING,
    "uvicorn": logging.ERROR,  # it has a warning for whatever anybody sends that is no request
}


def configure(process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Let everything this process logs come out as JSON lines. `process` names it in each line."""
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(process),
        redact,
    ]
    output = stream or sys.stdout
    structlog.configure(
        processors=[*before, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    renderer = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(renderer)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what must not be logged."""
    for key, value in line.items():
        if key.lower() in SECRET_KEYS:
            line[key] = REDACTED
        elif isinstance(value, str):
            line[key] = _PASSWORD.sub(rf"\1:{REDACTED}@", value)
    return line


def _named(process: str) -> structlog.typing.Processor:
    def name(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.setdefault("process", process)
        return line

    return name
