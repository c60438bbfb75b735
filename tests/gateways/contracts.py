"""The providers' published API descriptions: what a request may say, and what an answer looks like.

DUECYCLE_CONTRACTS names the folder with `stripe-subset.openapi.json` and `paypal-subset.openapi.json`; without it they skip.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator

from tests.gateways.providers.server import Request, Response
from tests.gateways.providers.stripe_wire import decoded

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def at_hand() -> bool:
    """Whether the descriptions are there to check against."""
    return bool(os.environ.get("DUECYCLE_CONTRACTS"))


@cache
def contract(provider: str) -> Any:
    """The description of a provider's API."""
    return json.loads((Path(os.environ["DUECYCLE_CONTRACTS"]) / f"{provider}-subset.openapi.json").read_text())


def violations(provider: str, seen: list[tuple[Request, Response]]) -> list[str]:
    """What is wrong with requests and answers, by the provider's description."""
    document = contract(provider)
    return [
        f"{request.method} {request.path}: {what}"
        for request, response in seen
        for what in _violations(document, request, response)
    ]


def _violations(document: Any, request: Request, response: Response) -> Iterator[str]:
    operation = _operation(document, request)
    if operation is None:
        yield "no such operation"
        return
    yield from _parameters(document, operation, request)
    content = _resolved(document, operation.get("requestBody", {})).get("content", {})
    for kind, described in content.items():
        schema = described["schema"]
        body = decoded(request.body) if kind == FORM else json.loads(request.body or b"{}")
        if kind == FORM:
            body = _typed(document, schema, body)
        yield from (f"request {each}" for each in _errors(document, schema, body))
        yield from (f"request has no field {each}" for each in _strangers(document, schema, body, ""))
    if response.status and isinstance(response.body, dict):
        yield from _answer(document, operation, response)


def _answer(document: Any, operation: Any, response: Response) -> Iterator[str]:
    answers = operation["responses"]
    described = answers.get(str(response.status)) or answers.get("default")
    if described is None:
        yield f"answer {response.status} is not described"
        return
    schema = _resolved(document, described).get("content", {}).get(JSON, {}).get("schema")
    if schema is not None:
        yield from (f"answer {response.status}: {each}" for each in _errors(document, schema, response.body))


def _operation(document: Any, request: Request) -> Any:
    for path, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.path):
            found = operations.get(request.method.lower())
            if found is not None:
                return {**found, "parameters": [*operations.get("parameters", []), *found.get("parameters", [])]}
    return None


def _parameters(document: Any, operation: Any, request: Request) -> Iterator[str]:
    described = [_resolved(document, each) for each in operation["parameters"]]
    names = {each["name"].lower() for each in described if each["in"] == "query"}
    for name in request.query:
        if name.partition("[")[0].lower() not in names:
            yield f"query parameter {name} is not described"
    for each in described:
        value = request.headers.get(each["name"].lower())
        if each["in"] == "header" and each.get("required") and value is None:
            yield f"header {each['name']} is missing"
        if each["in"] == "header" and value is not None:
            yield from (f"header {each['name']} {what}" for what in _errors(document, each.get("schema", {}), value))


def _resolved(document: Any, node: Any) -> Any:
    while isinstance(node, Mapping) and "$ref" in node:
        at: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part.replace("~1", "/").replace("~0", "~")]
        node = at
    return node


def _errors(document: Any, schema: Any, value: Any) -> list[str]:
    whole = {"allOf": [schema], "components": document["components"]}
    return [
        f"{'.'.join(map(str, each.path))}: {each.message}"[:300] for each in OAS30Validator(whole).iter_errors(value)
    ]


def _alternatives(document: Any, schema: Any) -> list[Any]:
    """A schema with what it is made of, all references followed."""
    found, waiting = [], [schema]
    while waiting:
        each = _resolved(document, waiting.pop())
        found.append(each)
        for word in ("allOf", "anyOf", "oneOf"):
            waiting += each.get(word, [])
    return found


def _strangers(document: Any, schema: Any, value: Any, where: str) -> Iterator[str]:
    """Fields that no alternative knows: where a description is open, a misspelt name would pass as one."""
    if isinstance(value, list):
        items = [each["items"] for each in _alternatives(document, schema) if "items" in each]
        for each in value:
            yield from (stranger for item in items[:1] for stranger in _strangers(document, item, each, where))
        return
    if not isinstance(value, Mapping):
        return
    parts = _alternatives(document, schema)
    known = {name: sub for each in parts for name, sub in each.get("properties", {}).items()}
    free = not known or any(isinstance(each.get("additionalProperties"), Mapping) for each in parts)
    for name, sub in value.items():
        if name in known:
            yield from _strangers(document, known[name], sub, f"{where}{name}.")
        elif not free:
            yield f"{where}{name}"


def _typed(document: Any, schema: Any, value: Any) -> Any:
    """Form values are text: what the schema says is a number or a truth value becomes one."""
    parts = _alternatives(document, schema)
    if isinstance(value, Mapping):
        known = {name: sub for each in parts for name, sub in each.get("properties", {}).items()}
        return {name: _typed(document, known.get(name, {}), sub) for name, sub in value.items()}
    types = {each.get("type") for each in parts}
    if "boolean" in types and value in ("true", "false"):
        return value == "true"
    if types & {"integer", "number"} and re.fullmatch(r"-?\d+", value):
        return int(value)
    return value
