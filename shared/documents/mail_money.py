"""The texts about money beside an attempt to collect: paid on a page, given back, taken back, disputed, or not as expected."""

from collections.abc import Callable, Mapping

from shared.documents.wording import Context, Text, command, facts, first_upper, invoice, money, pay_link


def _refunded(context: Context) -> Text:
    said = f"we have given back {money(context, 'refunded_minor')} of {invoice(context)}."
    note = f"The credit note has the number {context['credit_note']}." if context.get("credit_note") else ""
    return f"Refunded: {invoice(context)} from {context['agency']}", [first_upper(said), note, facts(context)]


def _refund_failed(context: Context) -> Text:
    said = (
        f"{money(context, 'refunded_minor')} of {invoice(context)} could not be given back to {context['client']}:"
        f" {context['provider']} refused ({context['code']})."
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
        f"since {context['since']} nobody can say whether {money(context, 'refunded_minor')} of {invoice(context)}"
        f" went back: {context['provider']} has not answered."
    )
    ask = (
        f"Please look in your account for a refund with the reference {context['key']}. If there is one, tell us that the"
        " invoice was refunded, with this reference or with none: it is then recorded as this refund."
    )
    none = (
        "If there is none, let whoever runs Duecycle say so, and ask for the refund again; it is not sent anew meanwhile:"
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
    said = f"about {invoice(context)}: {DIFFERENT[context['what']].format(provider=context['provider'])}."
    ask = f"Please look in your account there. It has the reference {context['reference']}."
    return f"Please check: {invoice(context)}", [first_upper(said), ask, _ADVICE[context["what"]], facts(context)]


_ADVICE = {
    "missing_there": "If the money is not there, let whoever runs Duecycle record that: duecycle refund taken-back.",
    "missing_here": "If it is a payment of this invoice, let whoever runs Duecycle record it: duecycle reconcile --apply.",
    "amount_differs": "If less was paid, let whoever runs Duecycle record what is missing: duecycle refund taken-back.",
    "paid_twice": "Give back there what is too much.",
    "refund_missing_here": "If it is one of this invoice, let whoever runs Duecycle record it: duecycle reconcile --apply.",
    "refund_missing_there": "If nothing went back, give the money back in your account there.",
}


def _disputed(context: Context) -> Text:
    said = f"{context['client']} disputes the payment of {invoice(context)} at {context['provider']} ({context['dispute']})."
    after = (
        "Please answer the dispute in your account there. The invoice stays paid here; if the dispute is lost, it is open"
        " again, and you are told."
    )
    return f"Payment disputed: {invoice(context)}", [first_upper(said), after, facts(context)]


_WHY_NO_INVOICE = {
    "before_known": "the first period had ended before the subscription was known",
    "before_cut_over": "the first period is billed elsewhere",
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
    said = f"{invoice(context)} over {money(context)} was due on {context['due_on']} and is not paid."
    after = "New orders wait until it is."
    subject = f"Overdue: {invoice(context)} from {context['agency']}"
    return subject, [first_upper(said), after, pay_link(context), facts(context)]


def _overdue_agency(context: Context) -> Text:
    said = (
        f"{invoice(context)} over {money(context)} was due on {context['due_on']} and {context['client']} has not paid it."
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
    said = f"{invoice(context)} can't be paid on our page by {context['provider']}: {why}."
    after = (
        f"Your client is asked to write to you. Tell him how else to pay {money(context, 'moved_minor')}, and mark the invoice"
        " as paid once he has."
    )
    return f"Can't be paid online: {invoice(context)}", [first_upper(said), after, facts(context)]


def _page_failed_client(context: Context) -> Text:
    said = f"your payment of {money(context, 'moved_minor')} for {invoice(context)} did not go through after all."
    link = f"Please pay it again, if you like another way: {context['pay_url']}" if context.get("pay_url") else ""
    ask = link or f"Please write to us how you want to pay: {context['agency_email']}"
    return f"Not paid: {invoice(context)}", [first_upper(said), ask, facts(context)]


def _page_failed_agency(context: Context) -> Text:
    said = (
        f"{context['client']} paid {money(context, 'moved_minor')} for {invoice(context)} by {context['provider']}, and the"
        " payment did not go through after all."
    )
    after = "Your client was told, and can pay again. You need do nothing."
    return f"Payment did not go through: {invoice(context)}", [first_upper(said), after, facts(context)]


def _page_in_doubt(context: Context) -> Text:
    said = (
        f"since {context['since']} nobody can say whether {context['client']} has paid {money(context, 'moved_minor')} for"
        f" {invoice(context)} by {context['provider']}."
    )
    ask = (
        f"Please look in your account there for a payment with the reference {context['key']}. If there is one, tell us that"
        " the invoice is paid, with this reference or with none: it is then recorded as this payment."
    )
    none = (
        f"If there is none you need do nothing: from {context['until']} on the invoice can be charged and paid again."
    )
    return f"Please check: {invoice(context)}", [first_upper(said), ask, none, facts(context)]


def _reversed_client(context: Context) -> Text:
    said = (
        f"your payment of {money(context, 'moved_minor')} for {invoice(context)} was taken back. It is to be paid again; we"
        " do not collect it by ourselves."
    )
    ask = "Please pay it, or give us another payment method."
    link = f"You can pay it here: {context['pay_url']}" if context.get("pay_url") else ""
    return f"Payment taken back: {invoice(context)}", [first_upper(said), ask, link, facts(context)]


_THEN = {
    "open": "The invoice is open again and new orders of this subscription are held. Once your client has paid another way,"
    " mark the invoice as paid; or ask for one more charge.",
    "uncollectible": "The invoice stays uncollectible. Once your client has paid another way, mark the invoice as paid.",
    "paid": "The invoice stays paid: more was paid than it asks for. You need do nothing.",
    "void": "The invoice stays void. You need do nothing.",
}


def _reversed_agency(context: Context) -> Text:
    said = (
        f"{context['provider']} has taken back {money(context, 'moved_minor')} that {context['client']} had paid for"
        f" {invoice(context)} ({context['reference']})."
    )
    return f"Payment taken back: {invoice(context)}", [first_upper(said), _THEN[context["status"]], facts(context)]


def _reinstated(context: Context) -> Text:
    said = (
        f"{context['provider']} has given back {money(context, 'moved_minor')} that it had taken of the payment of"
        f" {invoice(context)} ({context['reference']})."
    )
    after = "It counts as paid again. You need do nothing."
    if context["surplus_minor"]:
        over = f"With it {money(context, 'surplus_minor')} more than the invoice asks for has come in."
        after = f"{over} To give that back, ask for a refund of it."
    return f"Payment came back: {invoice(context)}", [first_upper(said), after, facts(context)]


def _reversal_in_doubt(context: Context) -> Text:
    said = (
        f"{context['provider']} has said on {context['since']} that money of {invoice(context)} may be gone"
        f" ({context['reference']}), and can't be asked what became of it."
    )
    ask = (
        f"Please look in your account there for the payment {context['payment_reference']}. If its money is gone, let whoever"
        f" runs Duecycle record it; we go on asking until {context['until']}:"
        f"\n\n  {command(context, 'refund taken-back')} --payment {context['payment_reference']} --amount-minor AMOUNT"
    )
    none = "If it is not, you need do nothing."
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
