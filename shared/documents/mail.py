"""The text of each notice. Pure: the same context gives the same words."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from shared.domain.currency import exponent
from shared.domain.money import display

Context = Mapping[str, Any]


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


Text = tuple[str, list[str]]


def _money(context: Context, name: str = "total_minor") -> str:
    return display(context[name], context["currency"], exponent(context["currency"]))


def _invoice(context: Context) -> str:
    """`invoice NL-00001`, or what an invoice without a number is called."""
    return f"invoice {context['number']}" if context.get("number") else "your invoice"


def _facts(context: Context) -> str:
    """The block of facts about an invoice, aligned."""
    rows = [
        ("Invoice", context.get("number")),
        ("For", context.get("service")),
        ("Period", _period(context)),
        ("Issued on", context.get("issued_on")),
        ("Due on", context.get("due_on")),
        ("Total", _money(context)),
    ]
    if context.get("rest_minor") not in (None, 0, context["total_minor"]):
        rows.append(("Still open", _money(context, "rest_minor")))
    return "\n".join(f"  {name + ':':<12}{value}" for name, value in rows if value)


def _period(context: Context) -> str | None:
    starts, ends = context.get("period_starts_on"), context.get("period_ends_on")
    if not starts or not ends:
        return None
    last = date.fromordinal(date.fromisoformat(ends).toordinal() - 1)
    return f"{starts} to {last.isoformat()}"


_REASONS = {
    "insufficient_funds": "Your bank reported insufficient funds.",
    "declined": "Your bank declined the payment.",
    "needs_another_method": "Your bank declined the payment. Please give us another payment method.",
    "no_payment_method": "We have no payment method of yours that we can use. Please give us one.",
    "not_confirmed": "The payment was not confirmed in time.",
    "not_carried_out": "The payment could not be carried out.",
}


def _pay_link(context: Context) -> str:
    return f"You can pay it here: {context['pay_url']}" if context.get("pay_url") else ""


def _invoice_open(context: Context) -> Text:
    said = f"please find below {_invoice(context)} over {_money(context)}. Please pay it by {context['due_on']}."
    subject = _first_upper(f"{_invoice(context)} from {context['agency']}")
    return subject, [_first_upper(said), _pay_link(context), _facts(context)]


def _invoice_paid(context: Context) -> Text:
    said = f"thank you: {_invoice(context)} over {_money(context)} is paid."
    return f"Paid: {_invoice(context)} from {context['agency']}", [_first_upper(said), _facts(context)]


def _payment_failed_client(context: Context) -> Text:
    said = f"we could not collect {_money(context)} for {_invoice(context)}. {_REASONS[context['reason']]}"
    when = "Our last attempt will be on" if context.get("last") else "We will try again on"
    again = f"{when} {context['next_on']}." if context.get("next_on") else ""
    if context["reason"] in ("no_payment_method", "needs_another_method"):
        again = "As soon as you do, we try again at once."
    return f"Payment failed: {_invoice(context)}", [_first_upper(said), again, _pay_link(context), _facts(context)]


def _payment_failed_agency(context: Context) -> Text:
    said = (
        f"the payment of {_invoice(context)} by {context['client']} over {_money(context)} failed"
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
    why = _IMPOSSIBLE.get(context["code"], context["code"])
    said = f"{_invoice(context)} over {_money(context)} can't be charged by {context['provider']}: {why}."
    after = "Mark the invoice as paid once it is, or void it and issue another one."
    return f"Can't be charged: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _charge_answered(context: Context) -> Text:
    if context["succeeded"]:
        said = f"the charge that you asked for has succeeded: {_invoice(context)} over {_money(context)} is collected."
        return f"Charged: {_invoice(context)}", [_first_upper(said), _facts(context)]
    said = (
        f"the charge that you asked for did not succeed: {_invoice(context)} over {_money(context, 'rest_minor')} could not"
        f" be collected from {context['client']} ({context.get('code') or 'no code'})."
    )
    after = "Your client was not told, and it is not tried again by itself. You can ask for another charge."
    return f"Not charged: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _account_refused(context: Context) -> Text:
    said = (
        f"since {context['since']} {context['provider']} refuses your account ({context['code']}), so nothing can be collected"
        " by it."
    )
    after = (
        f"Please look in your account at {context['provider']}. Your clients were not told. What is due waits, and goes out"
        " within six hours after the account works again."
    )
    return f"Your account at {context['provider']} is refused", [_first_upper(said), after]


def _charge_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} nobody can say whether {_invoice(context)} over {_money(context)} was paid:"
        f" {context['provider']} has not answered."
    )
    ask = (
        f"Please look in your account for a payment with the reference {context['key']}."
        " If there is one, tell us that the invoice is paid. Until then it is not charged again."
    )
    return f"Please check: {_invoice(context)}", [_first_upper(said), ask, _facts(context)]


def _exhausted_client(context: Context) -> Text:
    said = f"our last attempt to collect {_money(context)} for {_invoice(context)} failed. We will not try again by ourselves."
    ask = "Please pay the invoice or give us another payment method; we then try again at once."
    if context.get("on_exhausted") == "mark_uncollectible":
        ask = "Please pay the invoice."
    return f"Unpaid: {_invoice(context)}", [_first_upper(said), ask, _pay_link(context), _facts(context)]


def _exhausted_agency(context: Context) -> Text:
    ends = {
        "leave_open": "The invoice stays open.",
        "mark_uncollectible": "The invoice was marked uncollectible.",
        "cancel": "The subscription was cancelled.",
    }
    said = f"all attempts to collect {_invoice(context)} from {context['client']} over {_money(context)} failed."
    return f"Dunning ended: {context['client']}, {_invoice(context)}", [
        _first_upper(said),
        ends[context["on_exhausted"]],
        _facts(context),
    ]


def _cycle_blocked(context: Context) -> Text:
    said = (
        f"the {context['stream']} cycle from {context['starts_on']} of subscription {context['subscription_id']}"
        f" can't be worked off: {context['reason']}."
    )
    after = "It is tried again by itself as soon as this changes. Nothing is lost."
    return f"Blocked: {context['subscription_id']}", [_first_upper(said), context.get("detail") or "", after]


def _series_stopped(context: Context) -> Text:
    said = f"the invoices of subscription {context['subscription_id']} have stopped: {context['reason']}."
    after = "Resume the subscription to let them go on."
    return f"Invoices stopped: {context['subscription_id']}", [_first_upper(said), after]


def _first_invoice_missing(context: Context) -> Text:
    said = (
        f"subscription {context['subscription_id']} was ordered on {context['starts_on']} and still has no first invoice."
        " Later invoices are made by themselves once you have issued it."
    )
    return f"First invoice missing: {context['subscription_id']}", [_first_upper(said)]


def _refunded(context: Context) -> Text:
    said = f"we have given back {_money(context, 'refunded_minor')} of {_invoice(context)}."
    note = f"The credit note has the number {context['credit_note']}." if context.get("credit_note") else ""
    return f"Refunded: {_invoice(context)} from {context['agency']}", [_first_upper(said), note, _facts(context)]


def _refund_failed(context: Context) -> Text:
    said = (
        f"{_money(context, 'refunded_minor')} of {_invoice(context)} could not be given back to {context['client']}:"
        f" {context['provider']} refused ({context['code']})."
    )
    after = "Your client was not told. Give the money back another way, and record that as refunded outside."
    return f"Refund failed: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _refund_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} nobody can say whether {_money(context, 'refunded_minor')} of {_invoice(context)}"
        f" went back: {context['provider']} has not answered."
    )
    ask = (
        f"Please look in your account for a refund with the reference {context['key']}. It is not sent anew meanwhile."
    )
    return f"Please check the refund: {_invoice(context)}", [_first_upper(said), ask, _facts(context)]


DIFFERENT = {
    "missing_there": "a payment is recorded here that {provider} does not list",
    "missing_here": "{provider} lists a payment that is not recorded here",
    "amount_differs": "{provider} lists another amount for a payment than is recorded here",
    "paid_twice": "{provider} lists more than one payment, together more than the invoice asks for",
    "refund_missing_here": "{provider} lists a refund that is not recorded here",
    "refund_missing_there": "a refund is recorded here that {provider} does not list",
}


def _books_differ(context: Context) -> Text:
    said = f"about {_invoice(context)}: {DIFFERENT[context['what']].format(provider=context['provider'])}."
    ask = f"Please look in your account there. The payment has the reference {context['reference']}."
    return f"Please check: {_invoice(context)}", [_first_upper(said), ask, _facts(context)]


def _disputed(context: Context) -> Text:
    said = f"{context['client']} disputes the payment of {_invoice(context)} at {context['provider']} ({context['dispute']})."
    after = "Please answer the dispute in your account there. The invoice stays paid here until you say otherwise."
    return f"Payment disputed: {_invoice(context)}", [_first_upper(said), after, _facts(context)]


def _surplus(context: Context) -> Text:
    said = f"{_money(context, 'surplus_minor')} more than {_invoice(context)} asks for was received from {context['client']}."
    return f"Surplus payment: {_invoice(context)}", [_first_upper(said), _facts(context)]


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


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
    ("refunded", "client"): _refunded,
    ("refund_failed", "agency"): _refund_failed,
    ("refund_in_doubt", "agency"): _refund_in_doubt,
    ("dunning_exhausted", "client"): _exhausted_client,
    ("dunning_exhausted", "agency"): _exhausted_agency,
    ("cycle_blocked", "agency"): _cycle_blocked,
    ("series_stopped", "agency"): _series_stopped,
    ("first_invoice_missing", "agency"): _first_invoice_missing,
    ("books_differ", "agency"): _books_differ,
    ("payment_disputed", "agency"): _disputed,
    ("surplus_payment", "agency"): _surplus,
}
