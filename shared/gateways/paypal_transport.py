"""Calls of PayPal's API. The library serves as the transport alone, with three of its methods replaced.

As it is it has no timeout, repeats a refused call without end, opens a connection per call, logs credentials, and sends a
caller's headers with the request for a token.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, Literal

import paypalrestsdk
import requests
from paypalrestsdk import exceptions

from shared.gateways.network import Sessions
from shared.gateways.port import NotSent

logging.getLogger("paypalrestsdk").setLevel(logging.WARNING)  # below that it prints addresses and bodies

EARLY_SECONDS: Final = 60.0  # a token is asked for again this long before it expires


class NoTokenError(Exception):
    """No token was to be had, so nothing was sent."""

    def __init__(self, outcome: NotSent) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class PayPalTransport(paypalrestsdk.Api):  # type: ignore[misc]  # the library has no types
    """The library's `Api` with timeouts, kept connections, a locked token and one repetition; nothing of it is logged."""

    def __init__(self, client_id: str, client_secret: str, base: str, timeout: tuple[float, float]) -> None:
        super().__init__(mode="live", endpoint=base, client_id=client_id, client_secret=client_secret)
        self._timeout = timeout
        self._sessions = Sessions()
        self._lock = threading.Lock()
        self._token: dict[str, str] | None = None
        self._token_ends = 0.0
        self._asked: Future[dict[str, str]] | None = None

    def http_call(self, url: str, method: str, **given: Any) -> Any:
        """One request. Raises the library's errors by status, requests.RequestException, and ValueError for unreadable JSON."""
        body = given.get("data") if method == "POST" else None
        response = self._sessions.request(method, url, data=body, headers=given.get("headers"), timeout=self._timeout)
        if 300 <= response.status_code < 400:
            raise exceptions.Redirection(response, None)
        return self.handle_response(response, response.content.decode("utf-8"))

    def get_token_hash(self, *_: Any, **__: Any) -> dict[str, str]:
        """The token, asked for once by however many threads, and again a minute before it expires.

        Nobody asks under the lock: whoever comes meanwhile waits for the same answer, and gets the same error.
        """
        with self._lock:
            if self._token is not None and time.monotonic() < self._token_ends:
                return self._token
            self._token = None
            asked, others = self._asked, self._asked is not None
            if asked is None:
                asked = self._asked = Future()
        if others:
            return asked.result()
        try:
            told = self._ask_for_token()
            ends = time.monotonic() + float(told["expires_in"]) - EARLY_SECONDS
        except BaseException as error:
            with self._lock:
                self._asked = None
            asked.set_exception(error)
            raise
        with self._lock:
            self._token, self._token_ends, self._asked = told, ends, None
        asked.set_result(told)
        return told

    def _ask_for_token(self) -> dict[str, str]:
        headers = {
            "Authorization": f"Basic {self.basic_auth()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        try:
            told: dict[str, str] = self.http_call(
                f"{self.endpoint}/v1/oauth2/token", "POST", data="grant_type=client_credentials", headers=headers
            )
            return {name: told[name] for name in ("token_type", "access_token", "expires_in")}
        except exceptions.ConnectionError as error:
            refused = isinstance(error, exceptions.ClientError) and error.response.status_code in (400, 401, 403)
            about: Literal["", "account"] = "account" if refused else ""
            code = "credentials_refused" if refused else "unreachable"
            raise NoTokenError(NotSent(f"PayPal gave no token ({error.response.status_code})", code, about)) from None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise NoTokenError(NotSent(f"PayPal gave no token ({type(error).__name__})", "unreachable")) from None

    def request(self, url: str, method: str, body: Any = None, headers: Any = None, refresh_token: Any = None) -> Any:
        """One call; with a token that is no longer taken, one more with a new one. Raises what `http_call` raises."""
        del refresh_token
        token = self.get_token_hash()
        try:
            return self._call(url, method, body, headers, token)
        except exceptions.UnauthorizedAccess:
            with self._lock:
                if self._token is token:
                    self._token = None
        return self._call(url, method, body, headers, self.get_token_hash())

    def post_bytes(self, path: str, raw: bytes) -> Any:
        """POST a body as it is. Raises what `request` raises."""
        return self.request(f"{self.endpoint}{path}", "POST", raw)

    def _call(self, url: str, method: str, body: Any, headers: Any, token: Mapping[str, str]) -> Any:
        whole = {
            "Authorization": f"{token['token_type']} {token['access_token']}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            **(headers or {}),
        }
        return self.http_call(url, method, data=body if isinstance(body, bytes) else json.dumps(body), headers=whole)
