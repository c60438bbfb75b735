"""How Stripe writes on the wire: forms with brackets, errors, and signatures of webhooks."""

import hashlib
import hmac
import re
from typing import Any
from urllib.parse import parse_qsl

from tests.gateways.providers.server import Response


def decoded(body: bytes) -> dict[str, Any]:
    """Stripe's form encoding with brackets, as nested objects of text."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        keys = [key for key in re.split(r"[\[\]]+", name) if key]
        at = found
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        at[keys[-1]] = value
    return found


def error(status: int, type_: str, code: str | None) -> Response:
    """An answer that refuses."""
    found = {"type": type_, "message": "No."}
    if code is not None:
        found["code"] = code
    return Response(status, {"error": found})


def signature(raw: bytes, at: float, secret: str) -> str:
    """The header that proves a webhook: the stamp, and the MAC of stamp and body."""
    mac = hmac.new(secret.encode(), f"{int(at)}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={mac}"


def found(listed: dict[str, dict[str, Any]], id_: str) -> Response:
    """The answer to a question for one thing by its id."""
    each = listed.get(id_)
    return error(404, "invalid_request_error", "resource_missing") if each is None else Response(200, each)
