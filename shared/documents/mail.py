"""The text of each notice. Pure: the same struct gives the same words."""

from collections.abc import Mapping
from shlex import quote
from typing import NamedTuple

import msgspec

from shared.documents import mail_money
from shared.documents import notice_data as d
from shared.documents.notice_parts import Kept, NoticeData, Parties
from shared.documents.wording import Text, Told, told
from shared.documents.wording import command as _command
from shared.documents.wording import facts as _facts
from shared.documents.wording import first_upper as _first_upper
from shared.documents.wording import invoice as _invoice
from shared.documents.wording import money as _money
from shared.documents.wording import pay_link as _pay_link
from shared.documents.wording import provider as _provider
from shared.documents.wording import total as _total


class Mail(NamedTuple):
    """Subject and body of a plain text mail."""

    subject: str
    body: str


def render(occasion: str, audience: str, kept: Kept) -> Mail:
    """The mail for an occasion. Raises KeyError for an occasion or audience that has no text, and ValueError if what was kept
    with the notice is not what its text is made of."""
    said = data_of(occasion, audience, kept)
    to = msgspec.convert(kept, Parties)
    subject, paragraphs = TEXTS[occasion, audience].text(said, to)
    greeting = f"Dear {to.client}," if audience == "client" else f"Hello {to.agency},"
    closing = f"Kind regards\n{to.agency}" if audience == "client" else "Your Duecycle"
    parts = [greeting, *(each for each in paragraphs if each), closing]
    return Mail(" ".join(subject.split()), "\n\n".join(parts) + "\n")


def data_of(occasion: str, audience: str, kept: Kept) -> NoticeData:
    """What is kept with a notice, as the struct of its occasion and reader. Raises KeyError and ValueError as `render`."""
    struct: type[NoticeData] = TEXTS[occasion, audience].struct
    if struct is d.SurplusPayment and kept.get("without_invoice"):
        struct = d.PaymentUnapplied
    return msgspec.convert(kept, struct)


_REASONS = {
    "insufficient_funds": "Your bank reported insufficient funds.",
    "declined": "Your bank declined the payment.",
    "needs_another_method": "Your bank declined the payment. Please give us another payment method.",
    "no_payment_method": "We have no payment method of yours that we can use. Please give us one.",
    "not_confirmed": "The payment was not confirmed in time.",
    "not_carried_out": "The payment could not be carried out.",
}


def _invoice_open(said: d.InvoiceOpen, to: Parties) -> Text:
    text = f"please find below {_invoice(said)} for {_total(said)}. Please pay it by {said.due_on}."
    subject = _first_upper(f"{_invoice(said)} from {to.agency}")
    return subject, [_first_upper(text), _pay_link(to), _facts(said)]


def _invoice_paid(said: d.InvoicePaid, to: Parties) -> Text:
    text = f"thank you: {_invoice(said)} for {_total(said)} is paid."
    return f"Paid: {_invoice(said)} from {to.agency}", [_first_upper(text), _facts(said)]


def _payment_failed_client(said: d.PaymentFailedClient, to: Parties) -> Text:
    text = f"we could not collect {_total(said)} for {_invoice(said)}. {_REASONS[said.reason]}"
    when = "Our last attempt will be on" if said.last else "We will try again on"
    again = f"{when} {said.next_on}." if said.next_on else ""
    if said.reason in ("no_payment_method", "needs_another_method"):
        again = "As soon as you do, we will try again."
    return f"Payment failed: {_invoice(said)}", [_first_upper(text), again, _pay_link(to), _facts(said)]


def _payment_failed_agency(said: d.PaymentFailedAgency, to: Parties) -> Text:
    text = (
        f"the payment of {_invoice(said)} by {to.client} for {_total(said)} failed"
        f" ({said.code or 'no code'}). New orders of this subscription are held until it is resolved."
    )
    again = f"Next attempt: {said.next_on}." if said.next_on else ""
    return f"Payment failed: {to.client}, {_invoice(said)}", [_first_upper(text), again, _facts(said)]


def _action_required(said: d.ActionRequired, to: Parties) -> Text:
    text = f"your bank asks you to confirm the payment of {_total(said)} for {_invoice(said)}."
    link = f"Please confirm it here: {to.pay_url}" if to.pay_url else "Please contact us to confirm it."
    return f"Please confirm: {_invoice(said)}", [_first_upper(text), link, _facts(said)]


_IMPOSSIBLE = {
    "amount_too_small": "the amount is below what the provider collects",
    "amount_too_large": "the amount is above what the provider collects",
    "amount_not_payable": "the provider does not collect this fraction of the currency",
    "currency_not_supported": "the provider does not collect this currency",
}


def _charge_impossible(said: d.ChargeImpossible, _to: Parties) -> Text:
    code = said.code or ""
    refused = code.removeprefix("refused:")
    why = _IMPOSSIBLE.get(code, f"the request was refused ({refused})")
    text = f"{_invoice(said)} for {_total(said)} can't be charged by {_provider(said.provider)}: {why}."
    after = "Mark the invoice as paid once it is, or void it and issue another one."
    if refused != code:
        after = f"The attempts go on as planned. {after}"
    return f"Can't be charged: {_invoice(said)}", [_first_upper(text), after, _facts(said)]


def _charge_answered(said: d.ChargeAnswered, to: Parties) -> Text:
    if said.succeeded:
        text = f"the charge you requested has succeeded: {_invoice(said)} for {_total(said)} is collected."
        return f"Charged: {_invoice(said)}", [_first_upper(text), _facts(said)]
    text = (
        f"the charge you requested did not succeed: {_invoice(said)} for {_money(said, said.outstanding_minor)} could not"
        f" be collected from {to.client} ({said.code or 'no code'})."
    )
    after = "Your client was not notified, and there is no automatic retry. You can ask for another charge."
    return f"Not charged: {_invoice(said)}", [_first_upper(text), after, _facts(said)]


def _account_refused(said: d.AccountRefused, _to: Parties) -> Text:
    text = (
        f"since {said.since} {_provider(said.provider)} refuses your account ({said.code or 'no code'}), so nothing can be"
        " collected through it."
    )
    after = (
        f"Please check your account at {_provider(said.provider)}. Your clients were not notified. Due charges wait; each goes"
        " out within six hours after the account works again."
    )
    return f"Your account at {_provider(said.provider)} does not work", [_first_upper(text), after]


def _charge_in_doubt(said: d.ChargeInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it is not known whether {_invoice(said)} for {_total(said)} was paid:"
        f" {_provider(said.provider)} has given no final answer."
    )
    with_reference = f"with the reference {said.key}" if said.key else "of this invoice"
    ask = (
        f"Please look in your account for a payment {with_reference}. If there is one, tell us that the"
        " invoice is paid, with this reference or without one: it is then recorded as this payment."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this; until then the invoice is not charged again:"
        f"\n\n  {_command(to, said, 'charge resolve')} --not-charged"
    )
    return f"Please check: {_invoice(said)}", [_first_upper(text), ask, none, _facts(said)]


def _exhausted_client(said: d.ExhaustedClient, to: Parties) -> Text:
    text = (
        f"our last attempt to collect {_total(said)} for {_invoice(said)} failed. We will not try again by ourselves."
    )
    ask = "Please pay the invoice or give us another payment method; we will then try again at once."
    if said.on_exhausted == "mark_uncollectible":
        ask = "Please pay the invoice: it is still owed."
    return f"Unpaid: {_invoice(said)}", [_first_upper(text), ask, _pay_link(to), _facts(said)]


def _exhausted_agency(said: d.ExhaustedAgency, to: Parties) -> Text:
    ends = {
        "leave_open": "The invoice stays open.",
        "mark_uncollectible": "The invoice was marked uncollectible.",
        "cancel": "The subscription was cancelled.",
    }
    after = "Once your client has paid you another way, mark the invoice as paid."
    text = f"all attempts to collect {_total(said)} for {_invoice(said)} from {to.client} failed."
    return f"Dunning ended: {to.client}, {_invoice(said)}", [
        _first_upper(text),
        f"{ends[said.on_exhausted]} {after}",
        _facts(said),
    ]


def _cycle_blocked(said: d.CycleBlocked, _to: Parties) -> Text:
    text = (
        f"the {said.stream} cycle from {said.starts_on} of subscription {said.subscription_id}"
        f" can't be billed: {said.reason}."
    )
    after = "It is retried automatically as soon as this changes. Nothing is lost."
    return f"Blocked: {said.subscription_id}", [_first_upper(text), said.detail or "", after]


_STOPPED_BY = {
    "previous_invoice_void": "the latest invoice is void",
    "previous_invoice_uncollectible": "the latest invoice is uncollectible",
}


def _series_stopped(said: d.SeriesStopped, _to: Parties) -> Text:
    why = _STOPPED_BY.get(said.reason, said.reason)
    text = f"the invoices of subscription {said.subscription_id} have stopped: {why}."
    after = "Resume the subscription to continue them."
    return f"Invoices stopped: {said.subscription_id}", [_first_upper(text), after]


def _first_invoice_missing(said: d.FirstInvoiceMissing, _to: Parties) -> Text:
    text = (
        f"subscription {said.subscription_id} was ordered on {said.starts_on} and still has no first invoice."
        " Later invoices follow automatically once you have issued it."
    )
    return f"First invoice missing: {said.subscription_id}", [_first_upper(text)]


def _mail_undelivered(said: d.MailUndelivered, to: Parties) -> Text:
    client = to.client or "your client"
    why = said.reason or "no reason was given"
    text = f'our mail "{said.subject}" to {client} ({said.recipient}) could not be delivered: {why}.'
    after = (
        "Please correct your client's address, and tell your client in the meantime. Your Duecycle operator can then send the"
        " mail again:"
        f"\n\n  duecycle notices send --agency {quote(to.agency_id)} {quote(said.key)}"
    )
    return f"Not delivered: our mail to {client}", [_first_upper(text), after]


TEXTS: Mapping[tuple[str, str], Told] = {
    ("invoice_open", "client"): told(d.InvoiceOpen, _invoice_open),
    ("invoice_paid", "client"): told(d.InvoicePaid, _invoice_paid),
    ("payment_failed", "client"): told(d.PaymentFailedClient, _payment_failed_client),
    ("payment_failed", "agency"): told(d.PaymentFailedAgency, _payment_failed_agency),
    ("action_required", "client"): told(d.ActionRequired, _action_required),
    ("charge_impossible", "agency"): told(d.ChargeImpossible, _charge_impossible),
    ("charge_answered", "agency"): told(d.ChargeAnswered, _charge_answered),
    ("account_refused", "agency"): told(d.AccountRefused, _account_refused),
    ("charge_in_doubt", "agency"): told(d.ChargeInDoubt, _charge_in_doubt),
    ("dunning_exhausted", "client"): told(d.ExhaustedClient, _exhausted_client),
    ("dunning_exhausted", "agency"): told(d.ExhaustedAgency, _exhausted_agency),
    ("cycle_blocked", "agency"): told(d.CycleBlocked, _cycle_blocked),
    ("series_stopped", "agency"): told(d.SeriesStopped, _series_stopped),
    ("first_invoice_missing", "agency"): told(d.FirstInvoiceMissing, _first_invoice_missing),
    ("mail_undelivered", "agency"): told(d.MailUndelivered, _mail_undelivered),
    **mail_money.TEXTS,
}
