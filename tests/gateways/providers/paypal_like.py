"""A PayPal on loopback: tokens, orders v2 with request ids, captures, and the events of a webhook.

Vaulted sources: `ok`, `later` (the order has to be captured by a second call), `pending` (settles at `settle()`), `action`,
`capture_<STATUS>`, and any issue in capitals, which is refused with 422; `R404_<ISSUE>` with that status, `F400_<ISSUE>` with
the place of the vaulted source as the field that is wrong.
"""

import base64
import hashlib
import hmac
import json
import zlib
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from tests.gateways.providers.server import Money, Provider, Request, Response

MESSAGES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: ("AUTHENTICATION_FAILURE", "Authentication failed due to missing authorization header, or invalid"),
    403: ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
}


class PayPalLike(Provider):
    """A request id answers with the newest state of what it did, until `prune()`; a refusal is not kept."""

    client_id, client_secret = "client", "secret"

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refunds_are = "COMPLETED"
        self.disputes: dict[str, dict[str, Any]] = {}
        self.tokens = 0
        self.expires_in = 32400
        self.revoked: set[str] = set()
        self.blocks_repeated_invoices = False
        self.page_size = 1000
        self._numbers = count(1)
        self.listed_max: int | None = None
        self._ids: dict[str, tuple[float, str]] = {}
        self._stored: dict[str, tuple[float, Response]] = {}

    def prune(self, age: timedelta = timedelta(0)) -> None:
        """Orders' request ids of that age are forgotten, as they are after six hours; those of refunds stay for 45 days."""
        until = self.now() - age.total_seconds()
        self._ids = {id_: kept for id_, kept in self._ids.items() if kept[0] > until or id_.startswith("ref")}
        self._stored = {id_: kept for id_, kept in self._stored.items() if kept[0] > until or id_.startswith("ref")}

    def settle(self, status: str = "COMPLETED") -> None:
        """What was pending comes to its end."""
        with self.lock:
            for order in self.orders.values():
                for capture in _captures(order):
                    if capture["status"] == "PENDING":
                        self._end(order, capture, status)

    def moves_money(self, request: Request) -> bool:
        return request.method == "POST" and request.path.startswith("/v2/")

    def answer(self, request: Request) -> Response:
        if request.path == "/v1/oauth2/token":
            return self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.revoked or not token.startswith("token-"):
            return self.unauthorised()
        if request.path == "/v1/notifications/verify-webhook-signature":
            return self._verify(request.body)
        if request.path == "/v1/notifications/webhooks-events":
            return self._page_of_events(request)
        if request.method == "GET":
            return self._get(request.path)
        id_ = request.headers["paypal-request-id"]
        if id_ in self._stored:
            return self._stored[id_][1]
        if id_ in self._ids:
            known = self._ids[id_][1]
            return Response(200, self.orders[known]) if known in self.orders else Response(201, self.refunds[known])
        done = self._done(request)
        if done.status < 300:
            self._ids[id_] = (self.now(), done.body["id"])
        return done

    def _get(self, path: str) -> Response:
        folder, _, id_ = path.rpartition("/")
        found = {
            "/v2/payments/refunds": self.refunds,
            "/v2/payments/captures": {each["id"]: each for order in self.orders.values() for each in _captures(order)},
            "/v1/customer/disputes": self.disputes,
            "/v2/checkout/orders": self.orders,
        }[folder].get(id_)
        return _error(404) if found is None else Response(200, found)

    def remember(self, request: Request, response: Response) -> None:
        self._stored[request.headers["paypal-request-id"]] = (self.now(), response)

    def _token(self, request: Request) -> Response:
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return Response(401, {"error": "invalid_client", "error_description": "Client Authentication failed"})
        self.tokens += 1
        return Response(
            200, {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": self.expires_in}
        )

    def _create(self, asked: dict[str, Any]) -> Response:
        unit = asked["purchase_units"][0]
        ((kind, source),) = asked["payment_source"].items()
        script = source["id"] if kind == "token" else source.get("vault_id", "action")
        if script[:1] in ("R", "F") and script[1:4].isdecimal():
            return _error(int(script[1:4]), script[5:], f"/payment_source/{kind}" if script[0] == "F" else None)
        if script.isupper() and not script.startswith("B-"):
            return _error(422, script)
        if self.blocks_repeated_invoices and unit["invoice_id"] in {each.invoice_id for each in self.ledger}:
            return _error(422, "DUPLICATE_INVOICE_ID")
        id_ = f"ORDER{next(self._numbers):04}"
        order: dict[str, Any] = {"id": id_, "intent": "CAPTURE", "status": "CREATED", "purchase_units": [dict(unit)]}
        self.orders[id_] = order
        if script == "action":
            order["status"] = "PAYER_ACTION_REQUIRED"
            link = {"rel": "payer-action", "href": f"https://paypal.example/pay/{id_}", "method": "GET"}
            order["links"] = [link]
        elif script != "later":
            self._take(order, script)
        return Response(201, order)

    def approve(self, order_id: str) -> None:
        """The client agrees to an order; the money moves when it is captured."""
        with self.lock:
            if self.orders[order_id]["status"] == "PAYER_ACTION_REQUIRED":
                self.orders[order_id]["status"] = "APPROVED"

    def event(self, type_: str, resource_type: str, resource: dict[str, Any], number: int = 1) -> bytes:
        """The body of a webhook."""
        told = {
            "id": f"WH-{number:08}",
            "create_time": "2026-06-01T00:00:00Z",
            "resource_type": resource_type,
            "event_type": type_,
            "resource": resource,
        }
        return json.dumps(told).encode()

    def signed(self, raw: bytes, at: str, webhook_id: str = "WEBHOOK1") -> dict[str, str]:
        """The headers of a webhook; the signature is of the text that PayPal signs, by a key of our own."""
        signature = self._signature("T1", at, webhook_id, raw)
        names = ("auth-algo", "cert-url", "transmission-id", "transmission-sig", "transmission-time")
        values = ("SHA256withRSA", "https://api.paypal.com/cert", "T1", signature, at)
        return {f"paypal-{name}": value for name, value in zip(names, values, strict=True)}

    @staticmethod
    def _signature(id_: str, at: str, webhook_id: str, raw: bytes) -> str:
        text = f"{id_}|{at}|{webhook_id}|{zlib.crc32(raw)}".encode()
        return hmac.new(b"paypal", text, hashlib.sha256).hexdigest()

    def _verify(self, body: bytes) -> Response:
        """As PayPal does, over the bytes of the event as they stand in the question."""
        asked = json.loads(body)
        raw = body.partition(b'"webhook_event": ')[2][:-1]
        expected = self._signature(asked["transmission_id"], asked["transmission_time"], asked["webhook_id"], raw)
        good = hmac.compare_digest(expected, asked["transmission_sig"])
        return Response(200, {"verification_status": "SUCCESS" if good else "FAILURE"})

    def _page_of_events(self, request: Request) -> Response:
        """Newest last, a few at a time; some that came in lately are not listed yet."""
        wanted = request.query.get("event_type", [None])[0]
        found = [each for each in self._events() if wanted in (None, each["event_type"])][: self.listed_max]
        start = int(request.query.get("next_page_token", ["0"])[0])
        page = found[start : start + self.page_size]
        body: dict[str, Any] = {"events": page, "count": len(page)}
        if start + self.page_size < len(found):
            href = (
                f"https://api.paypal.example/v1/notifications/webhooks-events?next_page_token={start + self.page_size}"
            )
            href += f"&event_type={wanted}" if wanted else ""
            body["links"] = [{"rel": "next", "href": href, "method": "GET"}]
        return Response(200, body)

    def _done(self, request: Request) -> Response:
        if request.path.endswith("/refund"):
            return self._give_back(request.path.split("/")[-2], json.loads(request.body))
        return self._capture(request) if request.path.endswith("/capture") else self._create(json.loads(request.body))

    def _give_back(self, capture_id: str, asked: dict[str, Any]) -> Response:
        captures = [each for order in self.orders.values() for each in _captures(order) if each["id"] == capture_id]
        if not captures:
            return _error(404)
        (capture,) = captures
        if capture["status"] == "PENDING":
            return _error(422, "PENDING_CAPTURE")
        amount = Decimal(asked["amount"]["value"])
        gone = sum(Decimal(each["amount"]["value"]) for each in self.refunds.values() if each["of"] == capture_id)
        left = Decimal(capture["amount"]["value"]) - gone
        if amount > left:
            return _error(422, "CAPTURE_FULLY_REFUNDED" if left == 0 else "REFUND_AMOUNT_EXCEEDED")
        id_ = f"REFUND{len(self.refunds) + 1:04}"
        refund = {"id": id_, "status": self.refunds_are, "of": capture_id, **asked}
        self.refunds[id_] = refund
        of = capture["invoice_id"], asked["amount"]["value"], asked["amount"]["currency_code"], asked["custom_id"]
        self.returned.append(Money(id_, *of))
        return Response(201, refund)

    def _capture(self, request: Request) -> Response:
        order = self.orders.get(request.path.split("/")[-2])
        if order is None:
            return _error(404, "INVALID_RESOURCE_ID")
        if _captures(order):
            return _error(422, "ORDER_ALREADY_CAPTURED")
        if order["status"] == "PAYER_ACTION_REQUIRED":
            return _error(422, "ORDER_NOT_APPROVED")
        self._take(order, "ok")
        return Response(201, order)

    def _take(self, order: dict[str, Any], script: str) -> None:
        unit = order["purchase_units"][0]
        of = {name: unit[name] for name in ("amount", "invoice_id", "custom_id")}
        capture = {"id": f"CAPTURE{order['id'][-4:]}", "status": "PENDING", **of}
        unit["payments"] = {"captures": [capture]}
        if script == "pending":
            capture["status_details"] = {"reason": "ECHECK"}
            order["status"] = "COMPLETED"
        elif script.startswith("capture_"):
            self._end(order, capture, script.removeprefix("capture_"))
        else:
            self._end(order, capture, "COMPLETED")

    def _end(self, order: dict[str, Any], capture: dict[str, Any], status: str) -> None:
        order["status"] = "COMPLETED"
        capture["status"] = status
        capture.pop("status_details", None)
        if status == "COMPLETED":
            amount = capture["amount"]
            self.ledger.append(
                Money(
                    capture["id"],
                    capture["invoice_id"],
                    amount["value"],
                    amount["currency_code"],
                    capture["custom_id"],
                )
            )

    def _events(self) -> list[dict[str, Any]]:
        back = [
            {
                "id": f"WH-{refund['id']}",
                "event_type": "PAYMENT.CAPTURE.REFUNDED",
                "resource_type": "refund",
                "create_time": "2026-06-01T00:00:00Z",
                "resource": refund,
            }
            for refund in self.refunds.values()
        ]
        return back + [
            {
                "id": f"WH-{capture['id']}",
                "event_type": f"PAYMENT.CAPTURE.{capture['status']}",
                "resource_type": "capture",
                "create_time": "2026-06-01T00:00:00Z",
                "resource": {**capture, "supplementary_data": {"related_ids": {"order_id": order["id"]}}},
            }
            for order in self.orders.values()
            for capture in _captures(order)
        ]

    def busy(self) -> Response:
        return _error(409)

    def rate_limited(self) -> Response:
        return Response(429, {"name": "RATE_LIMIT_REACHED", "message": "Too many requests."})

    def unauthorised(self) -> Response:
        return _error(401)

    def failure(self) -> Response:
        return _error(500)


def _captures(order: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = order["purchase_units"][0].get("payments", {}).get("captures", [])
    return found


def _error(status: int, issue: str | None = None, field: str | None = None) -> Response:
    name, message = MESSAGES[status]
    body: dict[str, Any] = {"name": name, "message": message, "debug_id": "d"}
    if issue is not None:
        body["details"] = [{"issue": issue, "description": "No.", **({"field": field} if field else {})}]
    return Response(status, body)
