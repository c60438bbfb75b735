"""The texts about money beside an attempt to collect: paid on a page, given back, taken back, disputed, or not as expected."""

from collections.abc import Callable, Mapping

from shared.documents.wording import Context, Text, command, facts, first_upper, invoice, money, pay_link, provider


def _refunded(context: Context) -> Text:
    said = f"we have given back {money(context, 'refunded_minor')} of {invoice(context)}."
    note = f"The credit note has the number {context['credit_note']}." if context.get("credit_note") else ""
    return f"Refunded: {invoice(context)} from {context['agency']}", [first_upper(said), note, facts(context)]


def _refund_failed(context: Context) -> Text:
    said = (
        f"{money(context, 'refunded_minor')} of {invoice(context)} could not be given back to {context['client']}:"
        f" {provider(context)} refused ({context['code']})."
    )
    if context["code"] == "returned":
        said = (
            f"{money(context, 'refunded_minor')} of {invoice(context)} came back: the bank of {context['client']} did not"
            " take it. It is still owed to your client."
        )
    after = "Ask for the refund again, or give the money back another way and record that as refunded outside."
    return f"Refund failed: {invoice(context)}", [first_upper(said), after, facts(context)]


def _refund_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} it is not known whether {money(context, 'refunded_minor')} of {invoice(context)}"
        f" went back: {provider(context)} has given no final answer."
    )
    ask = (
        f"Please look in your account for a refund with the reference {context['key']}. If there is one, tell us that the"
        " invoice was refunded, with this reference or without one: it is then recorded as this refund."
    )
    none = (
        "If there is none, ask your Duecycle operator to run this, then request the refund again; it is not resent meanwhile:"
        f"\n\n  {command(context, 'refund resolve')} --turn {context['refund_turn']} --not-refunded"
    )
    return f"Please check the refund: {invoice(context)}", [first_upper(said), ask, none, facts(context)]


DIFFERENT = {
    "missing_there": "a payment is recorded here that {provider} does not list",
    "missing_here": "{provider} lists a payment that is not recorded here",
    "amount_differs": "{provider} lists another amount for a payment than is recorded here",
    "paid_twice": "{provider} lists more than one payment, together more than the invoice asks for",
    "refund_missing_here": "{provider} lists a refund that is not recorded here",
    "refund_missing_there": "a refund is recorded here that {provider} does not list",
}


def _books_differ(context: Context) -> Text:
    said = f"about {invoice(context)}: {DIFFERENT[context['what']].format(provider=provider(context))}."
    ask = f"Please look in your account there. It has the reference {context['reference']}."
    return f"Please check: {invoice(context)}", [first_upper(said), ask, _ADVICE[context["what"]], facts(context)]


_ADVICE = {
    "missing_there": "If the money is not there, ask your Duecycle operator to record that: duecycle refund taken-back.",
    "missing_here": "If it is a payment of this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "amount_differs": "If less was paid, ask your Duecycle operator to record what is missing: duecycle refund taken-back.",
    "paid_twice": "Refund the excess there.",
    "refund_missing_here": "If it is one of this invoice, ask your Duecycle operator to record it: duecycle reconcile --apply.",
    "refund_missing_there": "If it was not refunded, refund it in your account there.",
}


def _disputed(context: Context) -> Text:
    said = (
        f"{context['client']} disputes the payment of {invoice(context)} at {provider(context)} ({context['dispute']})."
    )
    after = (
        "Please answer the dispute in your account there. The invoice stays paid here; if you lose the dispute, it is open"
        " again, and you are notified."
    )
    return f"Payment disputed: {invoice(context)}", [first_upper(said), after, facts(context)]


_WHY_NO_INVOICE = {
    "before_known": "the first period had ended before the subscription was known",
    "before_cut_over": "the first period is billed elsewhere",
    "other_currency": "the first invoice is in another currency",
    "paused": "the subscription was paused when the first invoice was due",
    "subscription_cancelled": "the subscription was cancelled before the first invoice was due",
}


def _unapplied(context: Context) -> Text:
    why = _WHY_NO_INVOICE.get(context["reason"], context["reason"])
    said = (
        f"{money(context, 'surplus_minor')} were paid at the checkout of subscription {context['subscription_id']}"
        f" (reference {context['reference']}), but no invoice asks for them: {why}."
    )
    ask = "Give the money back to your client where it was taken."
    return f"Payment without an invoice: {context['subscription_id']}", [first_upper(said), ask]


def _overdue_client(context: Context) -> Text:
    said = f"{invoice(context)} for {money(context)} was due on {context['due_on']} and is not paid."
    after = "New orders are on hold until it is paid."
    subject = f"Overdue: {invoice(context)} from {context['agency']}"
    return subject, [first_upper(said), after, pay_link(context), facts(context)]


def _overdue_agency(context: Context) -> Text:
    said = (
        f"{invoice(context)} for {money(context)} was due on {context['due_on']} and {context['client']} has not paid it."
        " New orders of this subscription are held until it is paid or voided."
    )
    return f"Overdue: {context['client']}, {invoice(context)}", [first_upper(said), facts(context)]


def _surplus(context: Context) -> Text:
    if context.get("without_invoice"):
        return _unapplied(context)
    said = f"{money(context, 'surplus_minor')} more than {invoice(context)} asks for was received from {context['client']}."
    after = "To give it back, ask for a refund of this amount, or give it back yourself and record that as refunded outside."
    return f"Surplus payment: {invoice(context)}", [first_upper(said), after, facts(context)]


_NOT_ONLINE = {
    "amount_too_small": "the amount is below what the provider takes",
    "amount_too_large": "the amount is above what the provider takes",
    "amount_not_payable": "the provider does not take this fraction of the currency",
    "currency_not_supported": "the provider does not take this currency",
}


def _page_impossible(context: Context) -> Text:
    why = _NOT_ONLINE.get(context["code"], context["code"])
    said = f"{invoice(context)} can't be paid on our page by {provider(context)}: {why}."
    after = (
        f"Your client is asked to write to you. Tell them how else to pay {money(context, 'moved_minor')}, and mark the invoice"
        " as paid once they have."
    )
    return f"Can't be paid online: {invoice(context)}", [first_upper(said), after, facts(context)]


def _page_failed_client(context: Context) -> Text:
    said = f"your payment of {money(context, 'moved_minor')} for {invoice(context)} did not go through after all."
    link = f"Please pay again, by another method if you like: {context['pay_url']}" if context.get("pay_url") else ""
    ask = link or f"Please write to us to arrange payment: {context['agency_email']}"
    return f"Not paid: {invoice(context)}", [first_upper(said), ask, facts(context)]


def _page_failed_agency(context: Context) -> Text:
    said = (
        f"{context['client']} paid {money(context, 'moved_minor')} for {invoice(context)} by {provider(context)}, and the"
        " payment did not go through after all."
    )
    after = "Your client was notified, and can pay again. No action is needed."
    return f"Payment did not go through: {invoice(context)}", [first_upper(said), after, facts(context)]


def _page_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} it is not known whether {context['client']} has paid {money(context, 'moved_minor')} for"
        f" {invoice(context)} by {provider(context)}."
    )
    ask = (
        f"Please look in your account there for a payment with the reference {context['key']}. If there is one, tell us that"
        " the invoice is paid, with this reference or without one: it is then recorded as this payment."
    )
    none = (
        f"If there is none, no action is needed: from {context['until']} on the invoice can be charged and paid again."
    )
    return f"Please check: {invoice(context)}", [first_upper(said), ask, none, facts(context)]


def _reversed_client(context: Context) -> Text:
    said = (
        f"your payment of {money(context, 'moved_minor')} for {invoice(context)} was reversed, so the invoice is due again."
        " We will not charge it automatically."
    )
    ask = "Please pay it, or give us another payment method."
    link = f"You can pay it here: {context['pay_url']}" if context.get("pay_url") else ""
    return f"Payment reversed: {invoice(context)}", [first_upper(said), ask, link, facts(context)]


_THEN = {
    "open": "The invoice is open again and new orders of this subscription are held. Once your client has paid another way,"
    " mark the invoice as paid; or ask for one more charge.",
    "uncollectible": "The invoice stays uncollectible. Once your client has paid another way, mark the invoice as paid.",
    "paid": "The invoice stays paid: more was paid than it asks for. No action is needed.",
    "void": "The invoice stays void. No action is needed.",
    "refunded": "A refund of it was made before, or is under way, so it is gone twice and nobody owes it. Only the provider can"
    " give it back.",
}


def _reversed_agency(context: Context) -> Text:
    said = (
        f"{money(context, 'moved_minor')} that {context['client']} had paid for {invoice(context)} was reversed"
        f" ({context['reference']})."
    )
    return f"Payment reversed: {invoice(context)}", [first_upper(said), _THEN[context["status"]], facts(context)]


def _reinstated(context: Context) -> Text:
    said = (
        f"{money(context, 'moved_minor')} of the payment for {invoice(context)} that had been reversed was reinstated"
        f" ({context['reference']})."
    )
    after = "This amount counts as paid again. No action is needed."
    if context["surplus_minor"]:
        over = f"With it {money(context, 'surplus_minor')} more than the invoice asks for has come in."
        after = f"{over} To give that back, ask for a refund of it."
    return f"Payment reinstated: {invoice(context)}", [first_upper(said), after, facts(context)]


def _reversal_in_doubt(context: Context) -> Text:
    said = (
        f"{provider(context)} reported on {context['since']} that money paid for {invoice(context)} may be reversed"
        f" ({context['reference']}), and has given no final answer."
    )
    ask = (
        f"Please look in your account there for the payment {context['payment_reference']}. If it was reversed, ask your"
        f" Duecycle operator to record it; we go on asking until {context['until']}:"
        f"\n\n  {command(context, 'refund taken-back')} --payment {context['payment_reference']} --amount-minor AMOUNT"
    )
    none = "If it has not been reversed, no action is needed."
    return f"Please check: {invoice(context)}", [first_upper(said), ask, none, facts(context)]


TEXTS: Mapping[tuple[str, str], Callable[[Context], Text]] = {
    ("refunded", "client"): _refunded,
    ("refund_failed", "agency"): _refund_failed,
    ("refund_in_doubt", "agency"): _refund_in_doubt,
    ("books_differ", "agency"): _books_differ,
    ("payment_disputed", "agency"): _disputed,
    ("surplus_payment", "agency"): _surplus,
    ("invoice_overdue", "client"): _overdue_client,
    ("invoice_overdue", "agency"): _overdue_agency,
    ("page_impossible", "agency"): _page_impossible,
    ("page_payment_failed", "client"): _page_failed_client,
    ("page_payment_failed", "agency"): _page_failed_agency,
    ("page_payment_in_doubt", "agency"): _page_in_doubt,
    ("payment_reversed", "client"): _reversed_client,
    ("payment_reversed", "agency"): _reversed_agency,
    ("payment_reinstated", "agency"): _reinstated,
    ("reversal_in_doubt", "agency"): _reversal_in_doubt,
}
