"""The texts about other money: paid on a payment page, refunded, reversed, disputed, or not as expected."""

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
    reason,
    told,
    total,
)


def _refunded(said: d.Refunded, to: Parties) -> Text:
    text = f"we have refunded {money(said, said.refunded_minor)} for {invoice(said)}."
    note = f"The credit note is number {said.credit_note}." if said.credit_note else ""
    return f"Refunded: {invoice(said)} from {to.agency}", [first_upper(text), note, facts(said)]


def _refund_failed(said: d.RefundFailed, to: Parties) -> Text:
    text = (
        f"the refund of {money(said, said.refunded_minor)} to {to.client} for {invoice(said)} failed:"
        f" {provider(said.provider)} refused it {reason(said.code)}."
    )
    if said.code == "returned":
        text = (
            f"the refund of {money(said, said.refunded_minor)} for {invoice(said)} was returned: the bank of {to.client} did"
            " not accept it. You still owe it to your client."
        )
    after = (
        "Request the refund again, or refund your client another way and record that as a refund made outside Duecycle."
    )
    return f"Refund failed: {invoice(said)}", [first_upper(text), after, facts(said)]


def _refund_in_doubt(said: d.RefundInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it has been unclear whether {money(said, said.refunded_minor)} for {invoice(said)}"
        f" was refunded: {provider(said.provider)} has not given a final answer."
    )
    ask = (
        f"Please look in your account for a refund with the reference {said.key}. If there is one, mark the invoice as"
        " refunded, with or without this reference: it will be recorded as this refund."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this command, then request the refund again; until then it will"
        " not be sent again:"
        f"\n\n  {command(to, said, 'refund resolve')} --refund {said.refund_seq} --not-refunded"
    )
    return f"Please check the refund: {invoice(said)}", [first_upper(text), ask, none, facts(said)]


DIFFERENT = {
    "missing_there": "a payment is recorded here that {provider} does not list",
    "missing_here": "{provider} lists a payment that is not recorded here",
    "amount_differs": "{provider} lists a payment with a different amount than the one recorded here",
    "paid_twice": "{provider} lists more than one payment, in total more than was due",
    "refund_missing_here": "{provider} lists a refund that is not recorded here",
    "refund_missing_there": "a refund is recorded here that {provider} does not list",
}


def _books_differ(said: d.BooksDiffer, _to: Parties) -> Text:
    text = f"our records of {invoice(said)} differ: {DIFFERENT[said.what].format(provider=provider(said.provider))}."
    ask = f"Please look for the reference {said.reference} in your {provider(said.provider)} account."
    return f"Please check: {invoice(said)}", [first_upper(text), ask, _ADVICE[said.what], facts(said)]


_ADVICE = {
    "missing_there": "If the money is not there, ask your Duecycle operator to record this: duecycle refund taken-back.",
    "missing_here": "If it is for this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "amount_differs": "If less was paid, ask your Duecycle operator to record the missing amount: duecycle refund taken-back.",
    "paid_twice": "Refund the excess there.",
    "refund_missing_here": "If it is for this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "refund_missing_there": "If it was not refunded, refund it in your account there.",
}


def _disputed(said: d.PaymentDisputed, to: Parties) -> Text:
    text = f"{to.client} has disputed the payment for {invoice(said)} with {provider(said.provider)} (dispute {said.dispute})."
    after = (
        f"Please respond to the dispute in your {provider(said.provider)} account. The invoice stays paid for now; if you lose"
        " the dispute, it is opened again and we will notify you."
    )
    return f"Payment disputed: {invoice(said)}", [first_upper(text), after, facts(said)]


_WHY_NO_INVOICE = {
    "before_known": "the first period ended before we knew of the subscription",
    "before_cut_over": "the first period is billed outside Duecycle",
    "other_currency": "the first invoice is in another currency",
    "paused": "the subscription was paused when the first invoice was due",
    "subscription_cancelled": "the subscription was cancelled before the first invoice was due",
}


def _unapplied(said: d.PaymentUnapplied, _to: Parties) -> Text:
    why = _WHY_NO_INVOICE.get(said.reason, said.reason)
    text = (
        f"{money(said, said.surplus_minor)} was paid at the checkout of subscription {said.subscription_id}"
        f" (reference {said.reference}), but there is no invoice for it: {why}."
    )
    ask = "Please refund your client where the payment was made."
    return f"Payment without an invoice: {said.subscription_id}", [first_upper(text), ask]


def _overdue_client(said: d.InvoiceOverdue, to: Parties) -> Text:
    text = f"{invoice(said)} for {total(said)} was due on {said.due_on} and has not been paid."
    after = "New orders are on hold until it is paid."
    subject = f"Overdue: {invoice(said)} from {to.agency}"
    return subject, [first_upper(text), after, pay_link(to), facts(said)]


def _overdue_agency(said: d.InvoiceOverdue, to: Parties) -> Text:
    text = (
        f"{invoice(said)} for {total(said)} was due on {said.due_on} and {to.client} has not paid it."
        " New orders for this subscription are on hold until it is paid or voided."
    )
    return f"Overdue: {to.client}, {invoice(said)}", [first_upper(text), facts(said)]


def _surplus(said: d.SurplusPayment | d.PaymentUnapplied, to: Parties) -> Text:
    if isinstance(said, d.PaymentUnapplied):
        return _unapplied(said, to)
    text = f"we received {money(said, said.surplus_minor)} more from {to.client} than was due for {invoice(said)}."
    after = (
        "To return it, request a refund of this amount, or refund it yourself and record it as made outside Duecycle."
    )
    return f"Surplus payment: {invoice(said)}", [first_upper(text), after, facts(said)]


_NOT_ONLINE = {
    "amount_too_small": "the amount is below the provider's minimum",
    "amount_too_large": "the amount is above the provider's maximum",
    "amount_not_payable": "the provider does not accept this many decimal places in this currency",
    "currency_not_supported": "the provider does not support this currency",
}


def _page_impossible(said: d.PageImpossible, _to: Parties) -> Text:
    why = _NOT_ONLINE.get(said.code, said.code)
    text = f"{invoice(said)} can't be paid online through {provider(said.provider)}: {why}."
    after = (
        f"The payment page asks your client to contact you. Tell them how else to pay {money(said, said.moved_minor)}, and mark"
        " the invoice as paid once they have."
    )
    return f"Can't be paid online: {invoice(said)}", [first_upper(text), after, facts(said)]


def _page_failed_client(said: d.PagePaymentFailed, to: Parties) -> Text:
    text = f"your payment of {money(said, said.moved_minor)} for {invoice(said)} did not go through."
    link = f"Please pay again, with another payment method if you like: {to.pay_url}" if to.pay_url else ""
    ask = link or f"Please contact us to arrange payment: {to.agency_email}"
    return f"Not paid: {invoice(said)}", [first_upper(text), ask, facts(said)]


def _page_failed_agency(said: d.PagePaymentFailed, to: Parties) -> Text:
    text = (
        f"the payment of {money(said, said.moved_minor)} that {to.client} made for {invoice(said)} through"
        f" {provider(said.provider)} did not go through."
    )
    after = "Your client was notified and can pay again. No action is needed."
    return f"Payment did not go through: {invoice(said)}", [first_upper(text), after, facts(said)]


def _page_in_doubt(said: d.PagePaymentInDoubt, to: Parties) -> Text:
    text = (
        f"since {said.since} it has been unclear whether {to.client} paid {money(said, said.moved_minor)} for"
        f" {invoice(said)} through {provider(said.provider)}."
    )
    ask = (
        f"Please look in your account there for a payment with the reference {said.key}. If there is one, mark the invoice as"
        " paid, with or without this reference: it will be recorded as this payment."
    )
    none = f"If there is none, no action is needed: from {said.until} the invoice can be charged and paid again."
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
    "open": "The invoice is open again and new orders for this subscription are on hold. Once your client has paid another way,"
    " mark the invoice as paid; or request one more charge.",
    "uncollectible": "The invoice stays uncollectible. Once your client has paid another way, mark the invoice as paid.",
    "paid": "The invoice stays paid: more had been paid than was due. No action is needed.",
    "void": "The invoice stays void. No action is needed.",
    "refunded": "This money was also refunded, or a refund is in progress, so it leaves your account twice. Your client does"
    " not owe it; only the provider can return it.",
}


def _reversed_agency(said: d.PaymentReversed, to: Parties) -> Text:
    text = (
        f"{money(said, said.moved_minor)} that {to.client} had paid for {invoice(said)} was reversed"
        f" (reference {said.reference})."
    )
    return f"Payment reversed: {invoice(said)}", [first_upper(text), _THEN[said.status], facts(said)]


def _reinstated(said: d.PaymentReinstated, _to: Parties) -> Text:
    text = (
        f"{money(said, said.moved_minor)} of the reversed payment for {invoice(said)} was reinstated"
        f" (reference {said.reference})."
    )
    after = "This amount counts as paid again. No action is needed."
    if said.surplus_minor:
        over = f"With it, you have received {money(said, said.surplus_minor)} more than was due."
        after = f"{over} To return that, request a refund of it."
    return f"Payment reinstated: {invoice(said)}", [first_upper(text), after, facts(said)]


def _reversal_in_doubt(said: d.ReversalInDoubt, to: Parties) -> Text:
    text = (
        f"{provider(said.provider)} reported on {said.since} that money paid for {invoice(said)} may be reversed"
        f" (reference {said.reference}), and has not given a final answer."
    )
    ask = (
        f"Please look in your account there for the payment {said.payment_reference}. If it was reversed, ask your"
        f" Duecycle operator to record it; we will keep asking until {said.until}:"
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
