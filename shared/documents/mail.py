"""The text of each notice. Pure: the same context gives the same words."""

from collections.abc import Callable, Mapping
from shlex import quote
from typing import NamedTuple

from shared.documents import mail_money
from shared.documents.wording import Context, Text
from shared.documents.wording import command as _command
from shared.documents.wording import facts as _facts
from shared.documents.wording import first_upper as _first_upper
from shared.documents.wording import invoice as _invoice
from shared.documents.wording import money as _money
from shared.documents.wording import pay_link as _pay_link
from shared.documents.wording import provider as _provider


class Mail(NamedTuple):
    """Subject and body of a plain text mail."""

    subject: str
    body: str


def render(occasion: str, audience: str, context: Context) -> Mail:
    """The mail for an occasion. Raises KeyError for an occasion or audience that has no text."""
    subject, paragraphs = TEXTS[occasion, audience](context)
    greeting = f"Dear {context['client']}," if audience == "client" else f"Hello {context['agency']},"
    closing = f"Kind regards\n{context['agency']}" if audience == "client" else "Your Duecycle"
    parts = [greeting, *(each for each in paragraphs if each), closing]
    return Mail(" ".join(subject.split()), "\n\n".join(parts) + "\n")


_REASONS = {
    "insufficient_funds": "Your bank reported insufficient funds.",
    "declined": "Your bank declined the payment.",
    "needs_another_method": "Your bank declined the payment. Please give us another payment method.",
    "no_payment_method": "We have no payment method of yours that we can use. Please give us one.",
    "not_confirmed": "The payment was not confirmed in time.",
    "not_carried_out": "The payment could not be carried out.",
}


def _invoice_open(context: Context) -> Text:
    said = f"please find below {_invoice(context)} for {_money(context)}. Please pay it by {context['due_on']}."
    subject = _first_upper(f"{_invoice(context)} from {context['agency']}")
    return subject, [_first_upper(said), _pay_link(context), _facts(context)]


def _invoice_paid(context: Context) -> Text:
    said = f"thank you: {_invoice(context)} for {_money(context)} is paid."
    return f"Paid: {_invoice(context)} from {context['agency']}", [_first_upper(said), _facts(context)]


def _payment_failed_client(context: Context) -> Text:
    said = f"we could not collect {_money(context)} for {_invoice(context)}. {_REASONS[context['reason']]}"
    when = "Our last attempt will be on" if context.get("last") else "We will try again on"
    again = f"{when} {context['next_on']}." if context.get("next_on") else ""
    if context["reason"] in ("no_payment_method", "needs_another_method"):
        again = "As soon as you do, we will try again."
    return f"Payment failed: {_invoice(context)}", [_first_upper(said), again, _pay_link(context), _facts(context)]


def _payment_failed_agency(context: Context) -> Text:
    said = (
        f"the payment of {_invoice(context)} by {context['client']} for {_money(context)} failed"
        f" ({context.get('code') or 'no code'}). New orders of this subscription are held until it is resolved."
    )
    again = f"Next attempt: {context['next_on']}." if context.get("next_on") else ""
    return f"Payment failed: {context['client']}, {_invoice(context)}", [_first_upper(said), again, _facts(context)]


def _action_required(context: Context) -> Text:
    said = f"your bank asks you to confirm the payment of {_money(context)} for {_invoice(context)}."
    link = (
        f"Please confirm it here: {context['pay_url']}"
        if context.get("pay_url")
        else "Please contact us to confirm it."
    )
    return f"Please confirm: {_invoice(context)}", [_first_upper(said), link, _facts(context)]


_IMPOSSIBLE = {
    "amount_too_small": "the amount is below what the provider collects",
    "amount_too_large": "the amount is above what the provider collects",
    "amount_not_payable": "the provider does not collect this fraction of the currency",
    "currency_not_supported": "the provider does not collect this currency",
}


def _charge_impossible(context: Context) -> Text:
    code = context["code"]
    refused = code.removeprefix("refused:")
    why = _IMPOSSIBLE.get(code, f"the request was refused ({refused})")
    said = f"{_invoice(context)} for {_money(context)} can't be charged by {_provider(context)}: {why}."
    after = "Mark the invoice as paid once it is, or void it and issue another one."
    if refused != code:
        after = f"The attempts go on as planned. {after}"
    return f"Can't be charged: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _charge_answered(context: Context) -> Text:
    if context["succeeded"]:
        said = f"the charge you requested has succeeded: {_invoice(context)} for {_money(context)} is collected."
        return f"Charged: {_invoice(context)}", [_first_upper(said), _facts(context)]
    said = (
        f"the charge you requested did not succeed: {_invoice(context)} for {_money(context, 'rest_minor')} could not"
        f" be collected from {context['client']} ({context.get('code') or 'no code'})."
    )
    after = "Your client was not notified, and there is no automatic retry. You can ask for another charge."
    return f"Not charged: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _account_refused(context: Context) -> Text:
    said = (
        f"since {context['since']} {_provider(context)} refuses your account ({context['code']}), so nothing can be collected"
        " through it."
    )
    after = (
        f"Please check your account at {_provider(context)}. Your clients were not notified. Due charges wait; each goes out"
        " within six hours after the account works again."
    )
    return f"Your account at {_provider(context)} does not work", [_first_upper(said), after]


def _charge_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} it is not known whether {_invoice(context)} for {_money(context)} was paid:"
        f" {_provider(context)} has given no final answer."
    )
    ask = (
        f"Please look in your account for a payment with the reference {context['key']}. If there is one, tell us that the"
        " invoice is paid, with this reference or without one: it is then recorded as this payment."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this; until then the invoice is not charged again:"
        f"\n\n  {_command(context, 'charge resolve')} --not-charged"
    )
    return f"Please check: {_invoice(context)}", [_first_upper(said), ask, none, _facts(context)]


def _exhausted_client(context: Context) -> Text:
    said = f"our last attempt to collect {_money(context)} for {_invoice(context)} failed. We will not try again by ourselves."
    ask = "Please pay the invoice or give us another payment method; we will then try again at once."
    if context.get("on_exhausted") == "mark_uncollectible":
        ask = "Please pay the invoice: it is still owed."
    return f"Unpaid: {_invoice(context)}", [_first_upper(said), ask, _pay_link(context), _facts(context)]


def _exhausted_agency(context: Context) -> Text:
    ends = {
        "leave_open": "The invoice stays open.",
        "mark_uncollectible": "The invoice was marked uncollectible.",
        "cancel": "The subscription was cancelled.",
    }
    after = "Once your client has paid you another way, mark the invoice as paid."
    said = f"all attempts to collect {_money(context)} for {_invoice(context)} from {context['client']} failed."
    return f"Dunning ended: {context['client']}, {_invoice(context)}", [
        _first_upper(said),
        f"{ends[context['on_exhausted']]} {after}",
        _facts(context),
    ]


def _cycle_blocked(context: Context) -> Text:
    said = (
        f"the {context['stream']} cycle from {context['starts_on']} of subscription {context['subscription_id']}"
        f" can't be billed: {context['reason']}."
    )
    after = "It is retried automatically as soon as this changes. Nothing is lost."
    return f"Blocked: {context['subscription_id']}", [_first_upper(said), context.get("detail") or "", after]


_STOPPED_BY = {
    "previous_invoice_void": "the latest invoice is void",
    "previous_invoice_uncollectible": "the latest invoice is uncollectible",
}


def _series_stopped(context: Context) -> Text:
    why = _STOPPED_BY.get(context["reason"], context["reason"])
    said = f"the invoices of subscription {context['subscription_id']} have stopped: {why}."
    after = "Resume the subscription to continue them."
    return f"Invoices stopped: {context['subscription_id']}", [_first_upper(said), after]


def _first_invoice_missing(context: Context) -> Text:
    said = (
        f"subscription {context['subscription_id']} was ordered on {context['starts_on']} and still has no first invoice."
        " Later invoices follow automatically once you have issued it."
    )
    return f"First invoice missing: {context['subscription_id']}", [_first_upper(said)]


def _mail_undelivered(context: Context) -> Text:
    said = (
        f'our mail "{context["subject"]}" to {context["client"]} ({context["recipient"]}) could not be delivered:'
        f" {context['reason']}."
    )
    after = (
        "Please correct your client's address, and tell your client in the meantime. Your Duecycle operator can then send the"
        " mail again:"
        f"\n\n  duecycle notices send --agency {quote(context['agency_id'])} {quote(context['key'])}"
    )
    return f"Not delivered: our mail to {context['client']}", [_first_upper(said), after]


TEXTS: Mapping[tuple[str, str], Callable[[Context], Text]] = {
    ("invoice_open", "client"): _invoice_open,
    ("invoice_paid", "client"): _invoice_paid,
    ("payment_failed", "client"): _payment_failed_client,
    ("payment_failed", "agency"): _payment_failed_agency,
    ("action_required", "client"): _action_required,
    ("charge_impossible", "agency"): _charge_impossible,
    ("charge_answered", "agency"): _charge_answered,
    ("account_refused", "agency"): _account_refused,
    ("charge_in_doubt", "agency"): _charge_in_doubt,
    ("dunning_exhausted", "client"): _exhausted_client,
    ("dunning_exhausted", "agency"): _exhausted_agency,
    ("cycle_blocked", "agency"): _cycle_blocked,
    ("series_stopped", "agency"): _series_stopped,
    ("first_invoice_missing", "agency"): _first_invoice_missing,
    ("mail_undelivered", "agency"): _mail_undelivered,
    **mail_money.TEXTS,
}
