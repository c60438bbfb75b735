"""An account with Stripe: its client, and what Stripe's answers mean.

Provider's behaviour is from docs.stripe.com/api/idempotent_requests (keys, replays, and what is stored under them),
docs.stripe.com/error-low-level (which errors come before that layer) and docs.stripe.com/declines/codes.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import stripe

from shared.domain.declines import METHOD_REFUSED
from shared.domain.keys import names_deployment
from shared.domain.refusals import about
from shared.gateways.network import CONNECT_SECONDS, READ_SECONDS, Sessions, certainly_not_sent
from shared.gateways.port import ActionRequired, Declined, NotSent, Outcome, Pending, Succeeded, Unknown
from shared.gateways.stripe_codes import CODES

# Named, so that an upgrade of the library changes no meaning unseen. Webhook endpoints are made with the same version.
API_VERSION: Final = "2026-10-28.endive"
ACTION: Final = "authentication_required"
ABANDONED: Final = "abandoned"  # one of the reasons that Stripe knows for cancelling an intent

stripe.enable_telemetry = False  # it would write an id file into the account's home folder
logging.getLogger("stripe").setLevel(logging.WARNING)  # below that it prints bodies


class StripeAccount:
    """One Stripe account. Make it after a fork; it is safe to share between threads, each has its own connection.

    `secret`: the account's secret key. `base`: another address of the API, for tests. `deployment`: the id of ours, which
    everything says that is made there.
    """

    def __init__(
        self,
        secret: str,
        *,
        base: str | None = None,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        deployment: str = "",
    ) -> None:
        self._deployment = deployment
        addresses: Any = {"api": base} if base else {}
        session: Any = Sessions()
        self.client = stripe.StripeClient(
            secret,
            stripe_version=API_VERSION,
            http_client=stripe.RequestsClient(timeout=timeout, session=session),
            max_network_retries=0,  # every attempt is a row of ours
            base_addresses=addresses,
        )

    def named(self, metadata: dict[str, str]) -> dict[str, str]:
        """Metadata with the deployment. Under a key of the time before, what is sent again must be what was sent then."""
        if not self._deployment or not names_deployment(metadata["key"]):
            return metadata
        return {**metadata, "deployment": self._deployment}


def asked(ask: Callable[[], stripe.PaymentIntent], refused: Callable[[stripe.StripeError], Outcome]) -> Outcome:
    """What came of a question. `refused`: what an error means; of one that collects, a refusal says more."""
    try:
        return of_intent(ask())
    except stripe.StripeError as error:
        return refused(error)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return Unknown(f"an answer that can't be read ({type(error).__name__})")


def of_intent(intent: stripe.PaymentIntent) -> Outcome:
    match intent.status:
        case "succeeded":
            return Succeeded(intent.id)
        case "processing" | "requires_capture":
            return Pending(intent.id)
        case "canceled":
            # With this reason it was us, for it had waited for the client.
            return ActionRequired(ACTION) if intent.cancellation_reason == ABANDONED else Declined("canceled")
        case "requires_payment_method":
            error = intent.last_payment_error
            return Unknown("an intent without its payment's error") if error is None else declined(error)
        case status:
            return Unknown(f"the payment intent is {status}")


def declined(error: Any) -> Outcome:
    code = getattr(error, "decline_code", None) or getattr(error, "code", None) or "card_declined"
    return ActionRequired(ACTION) if code == ACTION else Declined(code, getattr(error, "advice_code", None))


def of_refusal(error: stripe.StripeError) -> Outcome:
    """What it means that a request to collect was refused: a decline, if it is for the method or its owner."""
    if not isinstance(error, stripe.InvalidRequestError) or error.http_status in (401, 403):
        return of_error(error)
    code = getattr(error.error, "code", None) or "refused"
    match about(CODES, code, getattr(error.error, "param", None) or error.param):
        case "method":
            return Declined(code, None if code in CODES.declines else METHOD_REFUSED)
        case "account":
            return NotSent(f"Stripe refuses the account: {error.http_status} {code}", code, "account", key_spent=True)
        case "amount":
            ours = CODES.amount[code]
            return NotSent(f"Stripe refuses the amount: {code}", ours, "request", key_spent=True)
        case _:
            return of_error(error)


def of_error(error: stripe.StripeError) -> Outcome:
    """The library's exceptions follow the HTTP status, not what the body says of itself."""
    told = error.error
    code = getattr(told, "code", None)
    if isinstance(error, stripe.CardError):
        return declined(told) if told is not None else Declined(error.code or "card_declined")
    if isinstance(error, stripe.RateLimitError):
        return NotSent("Stripe asks us to slow down", "rate_limited")
    if isinstance(error, stripe.IdempotencyError):
        return Unknown("the key was used with other parameters")  # the first one may have moved money
    if isinstance(error, stripe.APIConnectionError):
        if certainly_not_sent(error):
            return NotSent("Stripe can't be reached", "unreachable")
        return Unknown("the answer was lost")
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return NotSent(f"Stripe refuses the account: {error.http_status}", "credentials_refused", "account")
    if isinstance(error, stripe.InvalidRequestError):
        what = code or "refused"
        return NotSent(f"Stripe refused the request: {error.http_status} {what}", what, "request", key_spent=True)
    return Unknown(f"Stripe answered {error.http_status or 'something unreadable'}")
