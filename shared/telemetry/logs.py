"""Logs: one JSON object a line on standard output, without secrets and without personal data.

What other libraries log through Python's `logging` comes out in the same form, and so do errors that nobody catches. Values of
keys that may hold a secret or a person's data are replaced, and passwords in addresses are removed wherever they are.
Tracebacks say where, and of an error's words only those that can't hold a value: see `shared/error_words.py`.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from shared.error_words import safe_traceback

SECRET_KEYS = frozenset(
    {"password", "token", "secret", "authorization", "raw", "context", "email", "recipient", "to", "body", "customer"}
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]*@")
REDACTED = "[redacted]"
# What these log each second of an outage is logged once by us.
# Below these levels the last ones log addresses with ids in them, and bodies.
QUIET = {
    **dict.fromkeys(("pika", "dramatiq"), logging.CRITICAL),
    "uvicorn": logging.ERROR,  # it has a warning for whatever anybody sends that is no request
    **dict.fromkeys(("alembic", "sqlalchemy", "urllib3", "requests"), logging.WARNING),
}


def configure(process: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Let everything this process logs come out as JSON lines. `process` names it in each line."""
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(lambda exc_info: safe_traceback(exc_info[1])),
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
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _is_news(record: logging.LogRecord) -> bool:
    """False for what dramatiq says at each try to connect: a pool says once that it is disconnected, and that it is back."""
    return not (record.name.startswith("dramatiq") and "connection error" in record.getMessage())


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An error that ends the process, or a thread of it."""
    if error is None or not issubclass(kind, Exception):
        sys.__excepthook__(kind, error or kind(), trace)
    else:
        structlog.get_logger().critical("error.uncaught", exc_info=error)


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what must not be logged."""
    for key, value in line.items():
        line[key] = REDACTED if key.lower() in SECRET_KEYS else _without_secrets(value)
    return line


def _without_secrets(value: Any) -> Any:
    """A value of a line, with what is inside of it."""
    if isinstance(value, str):
        return _PASSWORD.sub(rf"\1:{REDACTED}@", value)
    if isinstance(value, Mapping):
        return {
            key: REDACTED if str(key).lower() in SECRET_KEYS else _without_secrets(each) for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    return value


def _named(process: str) -> structlog.typing.Processor:
    def name(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.setdefault("process", process)
        return line

    return name
