"""What PayPal reports by webhook, and what it lists.

Authenticity is asked of PayPal itself (verify-webhook-signature of its webhooks v1), with the event in the bytes it came in:
read and written again it might differ. Where a certificate lies is said by the sender, so nothing is fetched from there.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from shared.gateways.amounts import UnpayableAmountError, paypal_minor
from shared.gateways.paypal_reversals import part_of
from shared.gateways.port import UNREADABLE, BadSignatureError, Listed, ProviderEvent, UnreadableError, readable

FUTURE_MAX: Final = timedelta(minutes=5)
PAST_MAX: Final = timedelta(days=4)  # PayPal delivers again for three days
HEADER_MAX: Final = 2000  # characters
REVERSED: Final = "PAYMENT.CAPTURE.REVERSED"
_DENIED: Final = frozenset({"PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.DECLINED"})
_SIGNED: Final = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time")


def claimed(raw: bytes, headers: Mapping[str, str], now: datetime) -> dict[str, str]:
    """What a webhook says of its sender, the only headers that are needed to ask PayPal; nothing of it is proven.

    Raises BadSignatureError for what can't be of PayPal, and UnreadableError for what is no event.
    """
    names = {name: f"paypal-{name.replace('_', '-')}" for name in _SIGNED}
    signed = {header: headers.get(header, "") for header in names.values()}
    if not all(0 < len(each) <= HEADER_MAX and each.isprintable() for each in signed.values()):
        raise BadSignatureError("not signed")
    try:
        at = datetime.fromisoformat(signed[names["transmission_time"]])
    except ValueError:
        raise BadSignatureError("the stamp is none") from None
    if at.tzinfo is None or not now - PAST_MAX <= at <= now + FUTURE_MAX:
        raise BadSignatureError("the stamp is too old, or of the future")
    paypal_event(raw)  # it is put into JSON as it is, so it has to be JSON
    return signed


def postback(raw: bytes, headers: Mapping[str, str], webhook_id: str, now: datetime) -> bytes:
    """The question whether PayPal sent this. Raises what `claimed` raises."""
    signed = claimed(raw, headers, now)
    names = {name: signed[f"paypal-{name.replace('_', '-')}"] for name in _SIGNED}
    head = json.dumps({**names, "webhook_id": webhook_id})
    return head[:-1].encode() + b', "webhook_event": ' + raw + b"}"


def paypal_event(raw: bytes) -> ProviderEvent:
    """The event of a webhook, whoever sent it. Raises UnreadableError for one that can't be read."""
    try:
        told = json.loads(raw)
        return readable(_event(told, told.get("resource") or {}))
    except UNREADABLE as error:
        raise UnreadableError(f"not an event ({type(error).__name__})") from None


def _event(told: Mapping[str, Any], resource: Mapping[str, Any]) -> ProviderEvent:
    type_ = str(told["event_type"])
    at = _instant(told.get("create_time"))
    common: dict[str, Any] = {"id": str(told["id"]), "type": type_, "at": at, "key": resource.get("custom_id")}
    if type_ == REVERSED:
        return _reversal(resource, common)
    match told.get("resource_type"):
        case "capture":
            order_id = (resource.get("supplementary_data") or {}).get("related_ids", {}).get("order_id")
            common |= {"settled": type_ == "PAYMENT.CAPTURE.COMPLETED", "failed": type_ in _DENIED}
            return ProviderEvent(about="payment", reference=order_id, payment=resource.get("id"), **common)
        case "checkout-order":
            units = resource.get("purchase_units") or [{}]
            common["key"] = units[0].get("custom_id")
            settled = type_ == "CHECKOUT.ORDER.APPROVED"
            return ProviderEvent(about="link", reference=str(resource["id"]), settled=settled, **common)
        case "refund":
            money = _money(resource.get("amount"))
            return ProviderEvent(
                about="refund",
                reference=str(resource["id"]),
                payment=_capture_of(resource),
                amount_minor=money[0],
                currency=money[1],
                **common,
            )
        case "dispute":
            money = _money(resource.get("dispute_amount"))
            disputed = _disputed(resource)
            return ProviderEvent(
                about="dispute",
                reference=str(resource["dispute_id"]),
                payment=disputed[0][1] if disputed else None,
                disputed=disputed,
                amount_minor=money[0],
                currency=money[1],
                **common,
            )
        case _:
            return ProviderEvent(about="other", **common)


def _disputed(dispute: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What to ask about, and the payment that it would be gone of, for each payment of a dispute."""
    named = [each.get("seller_transaction_id") for each in dispute.get("disputed_transactions") or []]
    ids = [str(each) for each in named if each]
    return tuple((part_of(str(dispute["dispute_id"]), each, of=len(ids)), each) for each in ids)


def _reversal(resource: Mapping[str, Any], common: dict[str, Any]) -> ProviderEvent:
    """PayPal has taken money of a capture back; it says so by a refund that nobody asked for."""
    money = _money(resource.get("amount"))
    return ProviderEvent(
        about="reversal",
        reference=str(resource["id"]),
        payment=_capture_of(resource) or str(resource["id"]),
        amount_minor=money[0],
        currency=money[1],
        **common,
    )


def listed(event: Mapping[str, Any]) -> Listed:
    """A capture or refund of an event, as the reconciliation wants it. Raises OSError for one that can't be read."""
    resource: Mapping[str, Any] = event.get("resource") or {}
    amount, currency = _money(resource.get("amount"))
    at = _instant(event.get("create_time"))
    if amount is None or currency is None or at is None or "id" not in resource:
        raise OSError(f"PayPal listed something that can't be read: {event.get('id')}")
    return Listed(
        reference=str(resource["id"]),
        key=resource.get("custom_id"),
        invoice_id=resource.get("invoice_id"),
        amount_minor=amount,
        currency=currency,
        at=at,
        payment=_capture_of(resource),
    )


def next_page(page: Mapping[str, Any]) -> str | None:
    """The path of the page after this one; the host is ours, whatever the link says."""
    for link in page.get("links", []):
        if link.get("rel") == "next":
            parts = urlsplit(str(link["href"]))
            return f"{parts.path}?{parts.query}"
    return None


def _capture_of(refund: Mapping[str, Any]) -> str | None:
    """A refund names its capture only by the link one up."""
    for link in refund.get("links") or []:
        if link.get("rel") == "up" and "/captures/" in str(link.get("href")):
            return urlsplit(str(link["href"])).path.rpartition("/")[2]
    return None


def _money(amount: Any) -> tuple[int | None, str | None]:
    try:
        currency = str(amount.get("currency_code"))
        return paypal_minor(str(amount["value"]), currency), currency
    except (TypeError, KeyError, ValueError, ArithmeticError, AttributeError, UnpayableAmountError):
        return None, None


def _instant(text: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
