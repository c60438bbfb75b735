"""The texts about money beside an attempt to collect: paid on a page, given back, taken back, disputed, or not as expected."""

from collections.abc import Mapping

from shared.documents import notice_data as d
from shared.documents.notice_parts import Parties
from shared.documents.wording import (
    Text,
    Told,
    command,
    facts,
    first_upper,
    invoice,
    money,
    pay_link,
    provider,
    told,
    total,
)


def _refunded(said: d.Refunded, to: Parties) -> Text:
    text = f"we have given back {money(said, said.refunded_minor)} of {invoice(said)}."
    note = f"The credit note has the number {said.credit_note}." if said.credit_note else ""
    return f"Refunded: {invoice(said)} from {to.agency}", [first_upper(text), note, facts(said)]


def _refund_failed(said: d.RefundFailed, to: Parties) -> Text:
    text = (
        f"{money(said, said.refunded_minor)} of {invoice(said)} could not be given back to {to.client}:"
        f" {provider(said.provider)} refused ({said.code})."
    )
    if said.code == "returned":
        text = (
            f"{money(said, said.refunded_minor)} of {invoice(said)} came back: the bank of {to.client} did not"
            " take it. It is still owed to your client."
        )
    after = "Ask for the refund again, or give the money back another way and record that as refunded outside."
    return f"Refund failed: {invoice(said)}", [first_upper(text), after, facts(said)]


def _refund_in_doubt(said: d.RefundInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it is not known whether {money(said, said.refunded_minor)} of {invoice(said)}"
        f" went back: {provider(said.provider)} has given no final answer."
    )
    ask = (
        f"Please look in your account for a refund with the reference {said.key}. If there is one, tell us that the"
        " invoice was refunded, with this reference or without one: it is then recorded as this refund."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this, then request the refund again; it is not resent meanwhile:"
        f"\n\n  {command(to, said, 'refund resolve')} --refund {said.refund_seq} --not-refunded"
    )
    return f"Please check the refund: {invoice(said)}", [first_upper(text), ask, none, facts(said)]


DIFFERENT = {
    "missing_there": "a payment is recorded here that {provider} does not list",
    "missing_here": "{provider} lists a payment that is not recorded here",
    "amount_differs": "{provider} lists another amount for a payment than is recorded here",
    "paid_twice": "{provider} lists more than one payment, together more than the invoice asks for",
    "refund_missing_here": "{provider} lists a refund that is not recorded here",
    "refund_missing_there": "a refund is recorded here that {provider} does not list",
}


def _books_differ(said: d.BooksDiffer, _to: Parties) -> Text:
    text = f"about {invoice(said)}: {DIFFERENT[said.what].format(provider=provider(said.provider))}."
    ask = f"Please look in your account there. It has the reference {said.reference}."
    return f"Please check: {invoice(said)}", [first_upper(text), ask, _ADVICE[said.what], facts(said)]


_ADVICE = {
    "missing_there": "If the money is not there, ask your Duecycle operator to record that: duecycle refund taken-back.",
    "missing_here": "If it is a payment of this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "amount_differs": "If less was paid, ask your Duecycle operator to record what is missing: duecycle refund taken-back.",
    "paid_twice": "Refund the excess there.",
    "refund_missing_here": "If it is one of this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "refund_missing_there": "If it was not refunded, refund it in your account there.",
}


def _disputed(said: d.PaymentDisputed, to: Parties) -> Text:
    text = f"{to.client} disputes the payment of {invoice(said)} at {provider(said.provider)} ({said.dispute})."
    after = (
        "Please answer the dispute in your account there. The invoice stays paid here; if you lose the dispute, it is open"
        " again, and you are notified."
    )
    return f"Payment disputed: {invoice(said)}", [first_upper(text), after, facts(said)]


_WHY_NO_INVOICE = {
    "before_known": "the first period had ended before the subscription was known",
    "before_cut_over": "the first period is billed elsewhere",
    "other_currency": "the first invoice is in another currency",
    "paused": "the subscription was paused when the first invoice was due",
    "subscription_cancelled": "the subscription was cancelled before the first invoice was due",
}


def _unapplied(said: d.PaymentUnapplied, _to: Parties) -> Text:
    why = _WHY_NO_INVOICE.get(said.reason, said.reason)
    text = (
        f"{money(said, said.surplus_minor)} were paid at the checkout of subscription {said.subscription_id}"
        f" (reference {said.reference}), but no invoice asks for them: {why}."
    )
    ask = "Give the money back to your client where it was taken."
    return f"Payment without an invoice: {said.subscription_id}", [first_upper(text), ask]


def _overdue_client(said: d.InvoiceOverdue, to: Parties) -> Text:
    text = f"{invoice(said)} for {total(said)} was due on {said.due_on} and is not paid."
    after = "New orders are on hold until it is paid."
    subject = f"Overdue: {invoice(said)} from {to.agency}"
    return subject, [first_upper(text), after, pay_link(to), facts(said)]


def _overdue_agency(said: d.InvoiceOverdue, to: Parties) -> Text:
    text = (
        f"{invoice(said)} for {total(said)} was due on {said.due_on} and {to.client} has not paid it."
        " New orders of this subscription are held until it is paid or voided."
    )
    return f"Overdue: {to.client}, {invoice(said)}", [first_upper(text), facts(said)]


def _surplus(said: d.SurplusPayment | d.PaymentUnapplied, to: Parties) -> Text:
    if isinstance(said, d.PaymentUnapplied):
        return _unapplied(said, to)
    text = f"{money(said, said.surplus_minor)} more than {invoice(said)} asks for was received from {to.client}."
    after = "To give it back, ask for a refund of this amount, or give it back yourself and record that as refunded outside."
    return f"Surplus payment: {invoice(said)}", [first_upper(text), after, facts(said)]


_NOT_ONLINE = {
    "amount_too_small": "the amount is below what the provider takes",
    "amount_too_large": "the amount is above what the provider takes",
    "amount_not_payable": "the provider does not take this fraction of the currency",
    "currency_not_supported": "the provider does not take this currency",
}


def _page_impossible(said: d.PageImpossible, _to: Parties) -> Text:
    why = _NOT_ONLINE.get(said.code, said.code)
    text = f"{invoice(said)} can't be paid on our page by {provider(said.provider)}: {why}."
    after = (
        f"Your client is asked to write to you. Tell them how else to pay {money(said, said.moved_minor)}, and mark the invoice"
        " as paid once they have."
    )
    return f"Can't be paid online: {invoice(said)}", [first_upper(text), after, facts(said)]


def _page_failed_client(said: d.PagePaymentFailed, to: Parties) -> Text:
    text = f"your payment of {money(said, said.moved_minor)} for {invoice(said)} did not go through after all."
    link = f"Please pay again, by another method if you like: {to.pay_url}" if to.pay_url else ""
    ask = link or f"Please write to us to arrange payment: {to.agency_email}"
    return f"Not paid: {invoice(said)}", [first_upper(text), ask, facts(said)]


def _page_failed_agency(said: d.PagePaymentFailed, to: Parties) -> Text:
    text = (
        f"{to.client} paid {money(said, said.moved_minor)} for {invoice(said)} by {provider(said.provider)}, and the"
        " payment did not go through after all."
    )
    after = "Your client was notified, and can pay again. No action is needed."
    return f"Payment did not go through: {invoice(said)}", [first_upper(text), after, facts(said)]


def _page_in_doubt(said: d.PagePaymentInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it is not known whether {to.client} has paid {money(said, said.moved_minor)} for"
        f" {invoice(said)} by {provider(said.provider)}."
    )
    ask = (
        f"Please look in your account there for a payment with the reference {said.key}. If there is one, tell us that"
        " the invoice is paid, with this reference or without one: it is then recorded as this payment."
    )
    none = f"If there is none, no action is needed: from {said.until} on the invoice can be charged and paid again."
    return f"Please check: {invoice(said)}", [first_upper(text), ask, none, facts(said)]


def _reversed_client(said: d.PaymentReversed, to: Parties) -> Text:
    text = (
        f"your payment of {money(said, said.moved_minor)} for {invoice(said)} was reversed, so the invoice is due again."
        " We will not charge it automatically."
    )
    ask = "Please pay it, or give us another payment method."
    link = f"You can pay it here: {to.pay_url}" if to.pay_url else ""
    return f"Payment reversed: {invoice(said)}", [first_upper(text), ask, link, facts(said)]


_THEN = {
    "open": "The invoice is open again and new orders of this subscription are held. Once your client has paid another way,"
    " mark the invoice as paid; or ask for one more charge.",
    "uncollectible": "The invoice stays uncollectible. Once your client has paid another way, mark the invoice as paid.",
    "paid": "The invoice stays paid: more was paid than it asks for. No action is needed.",
    "void": "The invoice stays void. No action is needed.",
    "refunded": "A refund of it was made before, or is under way, so it is gone twice and nobody owes it. Only the provider can"
    " give it back.",
}


def _reversed_agency(said: d.PaymentReversed, to: Parties) -> Text:
    text = (
        f"{money(said, said.moved_minor)} that {to.client} had paid for {invoice(said)} was reversed"
        f" ({said.reference})."
    )
    return f"Payment reversed: {invoice(said)}", [first_upper(text), _THEN[said.status], facts(said)]


def _reinstated(said: d.PaymentReinstated, _to: Parties) -> Text:
    text = (
        f"{money(said, said.moved_minor)} of the payment for {invoice(said)} that had been reversed was reinstated"
        f" ({said.reference})."
    )
    after = "This amount counts as paid again. No action is needed."
    if said.surplus_minor:
        over = f"With it {money(said, said.surplus_minor)} more than the invoice asks for has come in."
        after = f"{over} To give that back, ask for a refund of it."
    return f"Payment reinstated: {invoice(said)}", [first_upper(text), after, facts(said)]


def _reversal_in_doubt(said: d.ReversalInDoubt, to: Parties) -> Text:
    text = (
        f"{provider(said.provider)} reported on {said.since} that money paid for {invoice(said)} may be reversed"
        f" ({said.reference}), and has given no final answer."
    )
    ask = (
        f"Please look in your account there for the payment {said.payment_reference}. If it was reversed, ask your"
        f" Duecycle operator to record it; we go on asking until {said.until}:"
        f"\n\n  {command(to, said, 'refund taken-back')} --payment {said.payment_reference} --amount-minor AMOUNT"
    )
    none = "If it has not been reversed, no action is needed."
    return f"Please check: {invoice(said)}", [first_upper(text), ask, none, facts(said)]


TEXTS: Mapping[tuple[str, str], Told] = {
    ("refunded", "client"): told(d.Refunded, _refunded),
    ("refund_failed", "agency"): told(d.RefundFailed, _refund_failed),
    ("refund_in_doubt", "agency"): told(d.RefundInDoubt, _refund_in_doubt),
    ("books_differ", "agency"): told(d.BooksDiffer, _books_differ),
    ("payment_disputed", "agency"): told(d.PaymentDisputed, _disputed),
    ("surplus_payment", "agency"): told(d.SurplusPayment, _surplus),
    ("invoice_overdue", "client"): told(d.InvoiceOverdue, _overdue_client),
    ("invoice_overdue", "agency"): told(d.InvoiceOverdue, _overdue_agency),
    ("page_impossible", "agency"): told(d.PageImpossible, _page_impossible),
    ("page_payment_failed", "client"): told(d.PagePaymentFailed, _page_failed_client),
    ("page_payment_failed", "agency"): told(d.PagePaymentFailed, _page_failed_agency),
    ("page_payment_in_doubt", "agency"): told(d.PagePaymentInDoubt, _page_in_doubt),
    ("payment_reversed", "client"): told(d.PaymentReversed, _reversed_client),
    ("payment_reversed", "agency"): told(d.PaymentReversed, _reversed_agency),
    ("payment_reinstated", "agency"): told(d.PaymentReinstated, _reinstated),
    ("reversal_in_doubt", "agency"): told(d.ReversalInDoubt, _reversal_in_doubt),
}
