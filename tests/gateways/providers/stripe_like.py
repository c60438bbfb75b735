"""A Stripe on loopback: payment intents with idempotency keys, each decline and each detour by the payment method's name.

Payment methods: `pm_ok`, `pm_decline_<code>`, `pm_action` (declined for want of authentication), `pm_processing` (settles at
`settle()`), `pm_detour` (answers `requires_action`), `pm_refused_<code>` (refused; `/param` behind it is named too).
"""

import json
from datetime import timedelta
from typing import Any

from tests.gateways.providers.server import Money, Provider, Request, Response
from tests.gateways.providers.stripe_wire import decoded, error, found, signature

CREATED = 1_780_000_000


class StripeLike(Provider):
    """Keys answer what they answered first, failures included, until `prune()`."""

    secret = "sk_test_loopback"  # noqa: S105 - of no account
    webhook_secret = "whsec_loopback"  # noqa: S105

    def __init__(self) -> None:
        super().__init__()
        self.intents: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refunds_are = "succeeded"
        self.disputes: dict[str, dict[str, Any]] = {}
        self.refuses_account = False
        self._keys: dict[str, tuple[float, bytes, Response]] = {}
        self.now = lambda: CREATED + len(self.intents) + 1

    def prune(self, age: timedelta = timedelta(0)) -> None:
        """Keys of that age are forgotten, as they may be after a day; what was done is not."""
        until = self.now() - age.total_seconds()
        self._keys = {key: kept for key, kept in self._keys.items() if kept[0] > until}

    def settle(self, *, succeeded: bool = True) -> None:
        """What was processing comes to its end."""
        with self.lock:
            for intent in self.intents.values():
                if intent["status"] == "processing":
                    self._end(intent, succeeded=succeeded)
                    for session in self.sessions.values():
                        if succeeded and session["payment_intent"] == intent["id"]:
                            session["payment_status"] = "paid"

    def moves_money(self, request: Request) -> bool:
        return request.method == "POST"

    def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.secret}":
            return self.unauthorised()
        if request.method == "GET":
            return self._get(request)
        key = request.headers["idempotency-key"]
        if key in self._keys:
            _, body, response = self._keys[key]
            return response if body == request.body else error(400, "idempotency_error", "idempotency_key_in_use")
        if request.path.endswith("/expire"):
            return self._expire(request.path.split("/")[-2])
        if request.path.endswith("/cancel"):
            return self._cancel(request.path.split("/")[-2], decoded(request.body))
        make = {
            "/v1/payment_intents": self._create,
            "/v1/refunds": self._give_back,
            "/v1/checkout/sessions": self._open,
        }.get(request.path)
        if make is None:
            return error(404, "invalid_request_error", "resource_missing")
        response = make(decoded(request.body))
        self._keys[key] = (self.now(), request.body, response)
        return response

    def remember(self, request: Request, response: Response) -> None:
        self._keys[request.headers["idempotency-key"]] = (self.now(), request.body, response)

    def _create(self, asked: dict[str, Any]) -> Response:
        if self.refuses_account or asked["payment_method"].startswith("pm_refused_"):
            return self._refused(asked["payment_method"])
        number = len(self.intents) + 1
        intent: dict[str, Any] = {
            "id": f"pi_{number:08}",
            "object": "payment_intent",
            "amount": int(asked["amount"]),
            "currency": asked["currency"],
            "customer": asked.get("customer"),
            "payment_method": asked["payment_method"],
            "description": asked.get("description"),
            "metadata": asked["metadata"],
            "created": int(self.now()),
            "livemode": False,
            "status": "requires_payment_method",
            "capture_method": "automatic",
            "confirmation_method": "automatic",
            "payment_method_types": ["card"],
            "last_payment_error": None,
            "cancellation_reason": None,
        }
        self.intents[intent["id"]] = intent
        method = asked["payment_method"]
        if method == "pm_processing":
            intent["status"] = "processing"
        elif method == "pm_detour":
            intent["status"] = "requires_action"
        elif method == "pm_action":
            return self._declined(intent, "authentication_required", "authentication_required")
        elif method.startswith("pm_decline_"):
            return self._declined(intent, "card_declined", method.removeprefix("pm_decline_"))
        else:
            self._end(intent, succeeded=True)
        return Response(200, intent)

    def _refused(self, method: str) -> Response:
        if self.refuses_account:
            return error(400, "invalid_request_error", "testmode_charges_only")
        code, _, param = method.removeprefix("pm_refused_").partition("/")
        refused = error(404 if code == "resource_missing" else 400, "invalid_request_error", code or None)
        if param:
            refused.body["error"]["param"] = param
        return refused

    def _open(self, asked: dict[str, Any]) -> Response:
        id_ = f"cs_test_{len(self.sessions) + 1:08}"
        price = asked["line_items"]["0"]["price_data"]
        session: dict[str, Any] = {
            "id": id_,
            "object": "checkout.session",
            "url": f"https://checkout.stripe.example/{id_}",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": int(price["unit_amount"]),
            "currency": price["currency"],
            "metadata": asked["metadata"],
            "expires_at": int(asked["expires_at"]),
            "customer": asked.get("customer") or ("cus_new" if "customer_creation" in asked else None),
            "keeps": asked["payment_intent_data"].get("setup_future_usage"),
        }
        self.sessions[id_] = session
        return Response(200, session)

    def _cancel(self, id_: str, asked: dict[str, Any]) -> Response:
        intent = self.intents[id_]
        if intent["status"] in ("succeeded", "canceled"):
            return error(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent.update(status="canceled", cancellation_reason=asked["cancellation_reason"])
        return Response(200, intent)

    def _expire(self, id_: str) -> Response:
        session = self.sessions[id_]
        if session["status"] != "open":
            return error(400, "invalid_request_error", None)
        session["status"] = "expired"
        return Response(200, session)

    def pay(self, id_: str, *, later: bool = False) -> bool:
        """The client pays at a session; False if it takes no money any more. `later`: by a method that settles in some days."""
        with self.lock:
            session = self.sessions[id_]
            if session["status"] != "open":
                return False
            about = dict(session["metadata"])
            number = len(self.intents) + 1
            intent: dict[str, Any] = {
                "id": f"pi_{number:08}",
                "object": "payment_intent",
                "amount": session["amount_total"],
                "currency": session["currency"],
                "customer": session["customer"],
                "payment_method": "pm_of_the_page",
                "setup_future_usage": session["keeps"],
                "metadata": about,
                "created": int(self.now()),
                "livemode": False,
                "status": "processing",
                "capture_method": "automatic",
                "confirmation_method": "automatic",
                "payment_method_types": ["card"],
                "last_payment_error": None,
            }
            self.intents[intent["id"]] = intent
            session.update(status="complete", payment_intent=intent["id"])
            if not later:
                session["payment_status"] = "paid"
                self._end(intent, succeeded=True)
            return True

    def event(self, type_: str, about: dict[str, Any], number: int = 1) -> bytes:
        """The body of a webhook."""
        told = {
            "id": f"evt_{number:08}",
            "object": "event",
            "type": type_,
            "created": int(self.now()),
            "data": {"object": about},
        }
        return json.dumps(told).encode()

    def signed(self, raw: bytes, at: float, secret: str | None = None) -> dict[str, str]:
        """The headers of a webhook."""
        return {"stripe-signature": signature(raw, at, secret or self.webhook_secret)}

    def _give_back(self, asked: dict[str, Any]) -> Response:
        intent = self.intents.get(asked["payment_intent"])
        if intent is None or intent["status"] != "succeeded":
            return error(400, "invalid_request_error", "resource_missing")
        amount = int(asked["amount"])
        gone = sum(each["amount"] for each in self.refunds.values() if each["payment_intent"] == intent["id"])
        if gone == intent["amount"]:
            return error(400, "invalid_request_error", "charge_already_refunded")
        if gone + amount > intent["amount"]:
            return error(400, "invalid_request_error", None)
        refund: dict[str, Any] = {
            "id": f"re_{len(self.refunds) + 1:08}",
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "metadata": asked["metadata"],
            "created": int(self.now()),
            "status": self.refunds_are,
        }
        self.refunds[refund["id"]] = refund
        about = asked["metadata"]
        self.returned.append(Money(refund["id"], about["invoice_id"], str(amount), intent["currency"], about["key"]))
        return Response(200, refund)

    def _end(self, intent: dict[str, Any], *, succeeded: bool) -> None:
        if not succeeded:
            self._declined(intent, "card_declined", "insufficient_funds")
            return
        intent["status"] = "succeeded"
        about = intent["metadata"]
        self.ledger.append(
            Money(intent["id"], about["invoice_id"], str(intent["amount"]), intent["currency"], about["key"])
        )

    def _declined(self, intent: dict[str, Any], code: str, decline_code: str) -> Response:
        advice = {"lost_card": "do_not_try_again"}.get(decline_code)
        error: dict[str, Any] = {
            "type": "card_error",
            "code": code,
            "decline_code": decline_code,
            "message": "Declined.",
        }
        if advice is not None:
            error["advice_code"] = advice
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = error
        return Response(402, {"error": {**error, "payment_intent": dict(intent)}})

    def _get(self, request: Request) -> Response:
        if request.path.startswith("/v1/checkout/sessions/"):
            if (session := self.sessions.get(request.path.rpartition("/")[2])) is None:
                return error(404, "invalid_request_error", "resource_missing")
            whole = "payment_intent" in request.query.get("expand[0]", [])
            intent = self.intents.get(session["payment_intent"]) if whole else session["payment_intent"]
            return Response(200, {**session, "payment_intent": intent})
        if request.path.startswith("/v1/refunds"):
            return self._get_refund(request)
        if request.path.startswith("/v1/disputes/"):
            return found(self.disputes, request.path.rpartition("/")[2])
        id_ = request.path.removeprefix("/v1/payment_intents").strip("/")
        if id_:
            return found(self.intents, id_)
        since = int(request.query.get("created[gte]", ["0"])[0])
        customer = request.query.get("customer", [None])[0]
        limit = int(request.query.get("limit", ["10"])[0])
        after = request.query.get("starting_after", [None])[0]
        newest = [each for each in reversed(self.intents.values()) if each["created"] >= since]
        newest = [each for each in newest if customer is None or each["customer"] == customer]
        if after is not None:
            newest = newest[[each["id"] for each in newest].index(after) + 1 :]
        page = newest[:limit]
        body = {"object": "list", "url": "/v1/payment_intents", "data": page, "has_more": len(newest) > limit}
        return Response(200, body)

    def _get_refund(self, request: Request) -> Response:
        id_ = request.path.removeprefix("/v1/refunds").strip("/")
        if id_:
            return found(self.refunds, id_)
        of = request.query.get("payment_intent", [None])[0]
        since = int(request.query.get("created[gte]", ["0"])[0])
        newest = reversed(self.refunds.values())
        data = [each for each in newest if each["created"] >= since and of in (None, each["payment_intent"])]
        return Response(200, {"object": "list", "url": "/v1/refunds", "data": data, "has_more": False})

    def busy(self) -> Response:
        return error(409, "invalid_request_error", "idempotency_key_in_use")

    def rate_limited(self) -> Response:
        return error(429, "invalid_request_error", "rate_limit")

    def unauthorised(self) -> Response:
        return error(401, "invalid_request_error", None)

    def failure(self) -> Response:
        return error(500, "api_error", None)
