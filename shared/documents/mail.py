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
from shared.documents.wording import reason as _reason
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
    closing = f"Kind regards\n{to.agency}" if audience == "client" else "Duecycle"
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
    "no_payment_method": "We have no payment method for you that we can use. Please give us one.",
    "not_confirmed": "The payment was not confirmed in time.",
    "not_carried_out": "The payment could not be processed.",
}


def _invoice_open(said: d.InvoiceOpen, to: Parties) -> Text:
    text = f"here is {_invoice(said)} for {_total(said)}. Please pay it by {said.due_on}."
    subject = _first_upper(f"{_invoice(said)} from {to.agency}")
    return subject, [_first_upper(text), _pay_link(to), _facts(said)]


def _invoice_paid(said: d.InvoicePaid, to: Parties) -> Text:
    text = f"thank you. {_first_upper(_invoice(said))} for {_total(said)} has been paid."
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
        f"a payment of {_total(said)} by {to.client} for {_invoice(said)} failed {_reason(said.code)}."
        " New orders for this subscription are on hold until this is resolved."
    )
    again = f"Next attempt: {said.next_on}." if said.next_on else ""
    return f"Payment failed: {to.client}, {_invoice(said)}", [_first_upper(text), again, _facts(said)]


def _action_required(said: d.ActionRequired, to: Parties) -> Text:
    text = f"your bank asks you to confirm the payment of {_total(said)} for {_invoice(said)}."
    link = f"Please confirm it here: {to.pay_url}" if to.pay_url else "Please contact us to confirm it."
    return f"Please confirm: {_invoice(said)}", [_first_upper(text), link, _facts(said)]


_IMPOSSIBLE = {
    "amount_too_small": "the amount is below the provider's minimum",
    "amount_too_large": "the amount is above the provider's maximum",
    "amount_not_payable": "the provider does not accept this many decimal places in this currency",
    "currency_not_supported": "the provider does not support this currency",
}


def _charge_impossible(said: d.ChargeImpossible, _to: Parties) -> Text:
    code = said.code or ""
    refused = code.removeprefix("refused:")
    why = _IMPOSSIBLE.get(code, f"the provider refused the request {_reason(refused)}")
    text = f"{_provider(said.provider)} can't collect {_total(said)} for {_invoice(said)}: {why}."
    after = "Mark the invoice as paid once your client has paid you another way, or void it and issue a new one."
    if refused != code:
        after = f"Further attempts will be made as planned. {after}"
    return f"Can't be charged: {_invoice(said)}", [_first_upper(text), after, _facts(said)]


def _charge_answered(said: d.ChargeAnswered, to: Parties) -> Text:
    if said.succeeded:
        text = f"the charge you requested succeeded: {_total(said)} for {_invoice(said)} has been collected."
        return f"Charged: {_invoice(said)}", [_first_upper(text), _facts(said)]
    text = (
        f"the charge you requested failed: {_money(said, said.outstanding_minor)} for {_invoice(said)} could not be collected"
        f" from {to.client} {_reason(said.code)}."
    )
    after = "Your client was not notified, and there will be no automatic retry. You can request another charge."
    return f"Not charged: {_invoice(said)}", [_first_upper(text), after, _facts(said)]


def _account_refused(said: d.AccountRefused, _to: Parties) -> Text:
    text = (
        f"{_provider(said.provider)} has been refusing requests for your account since {said.since} {_reason(said.code)}, so no"
        " payments can be collected through it."
    )
    after = (
        f"Please check your {_provider(said.provider)} account. Your clients were not notified. Due charges are waiting and"
        " will be made within six hours of the account working again."
    )
    return f"Your {_provider(said.provider)} account is not working", [_first_upper(text), after]


def _charge_in_doubt(said: d.ChargeInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it has been unclear whether {_invoice(said)} for {_total(said)} was paid:"
        f" {_provider(said.provider)} has not given a final answer."
    )
    with_reference = f"with the reference {said.key}" if said.key else "of this invoice"
    ask = (
        f"Please look in your account for a payment {with_reference}. If there is one, mark the invoice as paid, with or"
        " without this reference: it will be recorded as this payment."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this command; until then the invoice will not be charged again:"
        f"\n\n  {_command(to, said, 'charge resolve')} --not-charged"
    )
    return f"Please check: {_invoice(said)}", [_first_upper(text), ask, none, _facts(said)]


def _exhausted_client(said: d.ExhaustedClient, to: Parties) -> Text:
    text = (
        f"our last attempt to collect {_total(said)} for {_invoice(said)} failed. We will not try again automatically."
    )
    ask = "Please pay the invoice or give us another payment method; we will then try again right away."
    if said.on_exhausted == "mark_uncollectible":
        ask = "Please pay the invoice: it is still due."
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


_BLOCKED_BY = {
    "price_missing": "the service has no price",
    "currency_mismatch": "the currencies differ",
    "earlier_cycle_blocked": "an earlier invoice can't be created",
    "data_error": "its data has an error",
    "kills_its_worker": "it failed repeatedly, and your Duecycle operator has to look into it",
}


def _cycle_blocked(said: d.CycleBlocked, _to: Parties) -> Text:
    text = (
        f"the {said.stream} of subscription {said.subscription_id} for the period from {said.starts_on} can't be created:"
        f" {_BLOCKED_BY.get(said.reason, said.reason)}."
    )
    after = "It will be retried automatically once this is fixed. Nothing is lost."
    return f"Blocked: {said.subscription_id}", [
        _first_upper(text),
        f"Details: {said.detail}" if said.detail else "",
        after,
    ]


_STOPPED_BY = {
    "previous_invoice_void": "the latest invoice is void",
    "previous_invoice_uncollectible": "the latest invoice is uncollectible",
}


def _series_stopped(said: d.SeriesStopped, _to: Parties) -> Text:
    why = _STOPPED_BY.get(said.reason, said.reason)
    text = f"invoicing of subscription {said.subscription_id} has stopped: {why}."
    after = "Resume the subscription to continue invoicing."
    return f"Invoicing stopped: {said.subscription_id}", [_first_upper(text), after]


def _first_invoice_missing(said: d.FirstInvoiceMissing, _to: Parties) -> Text:
    text = (
        f"subscription {said.subscription_id} was ordered on {said.starts_on} and still has no first invoice."
        " Later invoices will follow automatically once you have issued it."
    )
    return f"First invoice missing: {said.subscription_id}", [_first_upper(text)]


def _mail_undelivered(said: d.MailUndelivered, to: Parties) -> Text:
    client = to.client or "your client"
    why = said.reason or "no reason was given"
    text = f'our mail "{said.subject}" to {client} ({said.recipient}) could not be delivered: {why}.'
    after = (
        "Please correct your client's address, and contact your client another way in the meantime. Your Duecycle operator can"
        " then send the mail again:"
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
