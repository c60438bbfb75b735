"""The web application: raw bodies in, verdicts out. Everything that touches rows or providers runs in rooms of threads.

An answer to somebody who has proven nothing is the same for an agency that exists and for one that does not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qs

import structlog
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.domain.keys import id_of
from shared.error_words import safe_words
from shared.gateways.providers import ONLINE
from workers.webhooks import pay_page, receive_event
from workers.webhooks.pay_page import Opening, SentOn, Shown
from workers.webhooks.rooms import FullError, Rooms

BODY_MAX = 512 * 1024  # bytes; providers' events are a few kilobytes
BODY_SECONDS = 10.0
REFUSED: Final = (400, "refused")
ANSWERS: Mapping[str, tuple[int, str]] = {
    "applied": (200, "applied"),
    "repeated": (200, "repeated"),
    "kept": (200, "kept"),
    "bad_signature": REFUSED,
    "unconfigured": REFUSED,
    "unreadable": (200, "kept"),
    "too_large": (413, "too_large"),
    "incomplete": (408, "incomplete"),
    "full": (503, "busy"),
    "unavailable": (503, "unavailable"),
}
RETRY_SECONDS = 30
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


class WebhookDeps(NamedTuple):
    """What the application opens on. Without `page` there are no payment pages by."""

    events: receive_event.Runtime
    page: pay_page.Runtime | None
    on_webhook: Callable[[str, str], object] = lambda _provider, _outcome: None
    on_page: Callable[[str], object] = lambda _outcome: None
    # A webhook was kept that its provider has to be asked about.
    on_kept: Callable[[], object] = lambda: None


def make_app(deps: WebhookDeps, rooms: Rooms | None = None) -> Starlette:
    """The application; it answers, and never raises to whoever asks."""
    rooms = rooms or Rooms(tuple(ONLINE))
    return Starlette(
        routes=[
            Route("/webhooks/{provider}/{agency}", _webhook(deps, rooms), methods=["POST"]),
            Route("/pay/{token}", _pay(deps, rooms), methods=["GET", "POST"]),
        ]
    )


Answer = Callable[[Request], Awaitable[Response]]


def _webhook(deps: WebhookDeps, rooms: Rooms) -> Answer:
    async def webhook(request: Request) -> Response:
        provider, agency_id = request.path_params["provider"], id_of(request.path_params["agency"])
        if provider not in ONLINE:
            return _said(404, "unknown_provider")
        if agency_id is None:
            return _said(404, "no_address_of_ours")
        outcome = await received(provider, agency_id, request)
        deps.on_webhook(provider, outcome)
        if outcome == "kept":
            deps.on_kept()
        if outcome == "unconfigured" and ONLINE[provider].webhook_claim is not None:
            outcome = "kept"  # the answer to a sender who has proven nothing, whoever the agency is
        return _said(*ANSWERS[outcome])

    async def received(provider: str, agency_id: str, request: Request) -> str:
        raw = await _body(request)
        if isinstance(raw, str):
            return raw
        given = (deps.events, provider, agency_id, raw, dict(request.headers))
        try:
            return await rooms.events[provider].run(agency_id, receive_event.receive_webhook, *given)
        except FullError:
            return "full"
        except Exception as error:  # noqa: BLE001 - whatever it is, the provider sends it again
            log.error("webhook.failed", provider=provider, reason=safe_words(error))
            return "unavailable"

    return webhook


def _pay(deps: WebhookDeps, rooms: Rooms) -> Answer:
    async def page(request: Request) -> Response:
        if deps.page is None:
            return _said(404, "no_pages")
        token = request.path_params["token"]
        named = deps.page.urls.read(token)
        if named is None:
            if request.method == "POST":
                deps.on_page("unknown")
            return _page(None, 404)
        try:
            if request.method == "POST":
                found = await pressed(deps.page, named[0], token, request)
                deps.on_page(_name(found))
            else:
                show = partial(pay_page.show, deps.page, token, back="paid" in request.query_params)
                found = await rooms.pages.run(named[0], show)
        except FullError:
            deps.on_page("busy")
            return _page(None, 503)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may press again
            log.error("pay_page.failed", reason=safe_words(error))
            return _page(None, 503)
        if isinstance(found, SentOn):
            return RedirectResponse(found.url, status_code=303, headers=HEADERS)
        return _page(found, 404 if found is None else 200)

    async def pressed(runtime: pay_page.Runtime, agency_id: str, token: str, request: Request) -> SentOn | Shown | None:
        """The provider is asked in a room of its own."""
        raw = await _body(request)
        form = parse_qs(raw.decode("ascii", "replace") if isinstance(raw, bytes) else "")
        prepare = partial(pay_page.prepare, runtime, token, keeps_method=form.get("keep") == ["1"])
        found = await rooms.pages.run(agency_id, prepare)
        if not isinstance(found, Opening):
            return found
        room = rooms.presses.get(found.link.provider, rooms.pages)
        return await room.run(agency_id, pay_page.open_payment_page, runtime, found)

    return page


async def _body(request: Request) -> bytes | Literal["too_large", "incomplete"]:
    """The raw bytes, or a word if there are too many, or they do not come."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > BODY_MAX:
                    return "too_large"
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        return "incomplete"
    return b"".join(parts)


def _said(status: int, outcome: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not waited for
    return JSONResponse({"outcome": outcome}, status_code=status, headers=headers)


def _name(found: SentOn | Shown | None) -> str:
    if isinstance(found, SentOn):
        return "sent_on"
    return "unknown" if found is None else found.standing


def _page(shown: Shown | None, status: int) -> Response:
    text = _templates.get_template("pay.html").render(shown=shown, status=status)
    return HTMLResponse(text, status_code=status, headers=HEADERS)
