"""The web application: raw bodies in, verdicts out. Everything that touches rows or providers runs in threads."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

import structlog
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.domain.segments import id_of
from shared.error_words import safe_words
from workers.webhooks import pay_page, receive_event
from workers.webhooks.pay_page import SentOn, Shown

BODY_MAX = 512 * 1024  # bytes; Stripe's and PayPal's events are a few kilobytes
BODY_SECONDS = 10.0
PROVIDERS = ("stripe", "paypal")
STATUS = {"applied": 200, "repeated": 200, "bad_signature": 400, "unconfigured": 404, "unavailable": 503}
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # The button's answer leads to the provider, which browsers count as the form's target.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' https:;"
    " frame-ancestors 'none'; base-uri 'none'",
}
log = structlog.get_logger()
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=select_autoescape(default=True)
)


class Doors(NamedTuple):
    """What the application opens on. Without `page` there are no pages to pay by."""

    events: receive_event.Runtime
    page: pay_page.Runtime | None
    on_webhook: Callable[[str, str], object] = lambda _provider, _outcome: None
    on_page: Callable[[str], object] = lambda _outcome: None


def make_app(doors: Doors) -> Starlette:
    """The application; it answers, and never raises to whoever asks."""
    return Starlette(
        routes=[
            Route("/webhooks/{provider}/{agency}", _webhook(doors), methods=["POST"]),
            Route("/pay/{token}", _pay(doors), methods=["GET", "POST"]),
        ]
    )


Answer = Callable[[Request], Awaitable[Response]]


def _webhook(doors: Doors) -> Answer:
    async def webhook(request: Request) -> Response:
        provider, agency_id = request.path_params["provider"], id_of(request.path_params["agency"])
        if provider not in PROVIDERS:
            return _said(404, "unknown_provider")
        if agency_id is None:
            return _said(404, "unknown_agency")
        raw = await _body(request)
        if raw is None:
            doors.on_webhook(provider, "too_large")
            return _said(413, "too_large")
        given = (doors.events, provider, agency_id, raw, dict(request.headers))
        try:
            outcome = await run_in_threadpool(receive_event.receive_webhook, *given)
        except Exception as error:  # noqa: BLE001 - whatever it is, the provider sends it again
            log.error("webhook.failed", provider=provider, reason=safe_words(error))
            outcome = "unavailable"
        doors.on_webhook(provider, outcome)
        return _said(STATUS[outcome], outcome)

    return webhook


def _pay(doors: Doors) -> Answer:
    async def page(request: Request) -> Response:
        if doors.page is None:
            return _said(404, "no_pages")
        token = request.path_params["token"]
        found: SentOn | Shown | None
        try:
            if request.method == "POST":
                form = parse_qs((await _body(request) or b"").decode("ascii", "replace"))
                keeps = form.get("keep") == ["1"]
                found = await run_in_threadpool(pay_page.pay, doors.page, token, keeps_method=keeps)
                doors.on_page(_name(found))
            else:
                back = "paid" in request.query_params
                found = await run_in_threadpool(pay_page.show, doors.page, token, back=back)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may press again
            log.error("pay_page.failed", reason=safe_words(error))
            return _page(None, 503)
        if isinstance(found, SentOn):
            return RedirectResponse(found.url, status_code=303, headers=HEADERS)
        return _page(found, 404 if found is None else 200)

    return page


async def _body(request: Request) -> bytes | None:
    """The raw bytes; None if there are too many, or they do not come."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > BODY_MAX:
                    return None
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        return None
    return b"".join(parts)


def _said(status: int, outcome: str) -> Response:
    return JSONResponse({"outcome": outcome}, status_code=status, headers={"Cache-Control": "no-store"})


def _name(found: SentOn | Shown | None) -> str:
    if isinstance(found, SentOn):
        return "sent_on"
    return "unknown" if found is None else found.standing


def _page(shown: Shown | None, status: int) -> Response:
    text = _templates.get_template("pay.html").render(shown=shown, status=status)
    return HTMLResponse(text, status_code=status, headers=HEADERS)
