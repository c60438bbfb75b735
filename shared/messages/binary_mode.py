"""CloudEvents in binary mode: the attributes in the message's headers, the data alone in its body.

AMQP protocol binding for CloudEvents 1.0.2, 3.1: headers begin with `cloudEvents:` or `cloudEvents_`, and the content type is
the data's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

_PREFIXES = ("cloudEvents:", "cloudEvents_")


def structured(body: bytes, headers: Mapping[str, Any] | None, content_type: str | None) -> bytes:
    """The message in structured mode, as everything behind here reads it; one that is not in binary mode as it came.

    Data that are no JSON become a text, so that the message is refused with its id and source.
    """
    attributes = _attributes(headers or {})
    if "specversion" not in attributes or (content_type or "").startswith("application/cloudevents"):
        return body
    if content_type:
        attributes["datacontenttype"] = content_type
    return msgspec.json.encode({**attributes, "data": _data(body)})


def _attributes(headers: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for header, value in headers.items():
        prefix = next((each for each in _PREFIXES if header.startswith(each)), None)
        if prefix is not None:
            found[header.removeprefix(prefix)] = _text(value)
    found.pop("data", None)
    return found


def _text(value: Any) -> str:
    """An attribute as CloudEvents writes it; AMQP may carry a time as a timestamp, which is in UTC."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return str(value)


def _data(body: bytes) -> msgspec.Raw | str:
    """The body as it came, for the strict reader to judge, unless it is no JSON at all."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")
    return msgspec.Raw(body)
