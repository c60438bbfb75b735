"""What the texts of mails are made of: amounts, what an invoice is called, its facts, and commands to type."""

from collections.abc import Mapping
from datetime import date
from shlex import quote
from typing import Any

from shared.domain.currency import exponent
from shared.domain.money import display
from shared.gateways import providers

Context = Mapping[str, Any]
Text = tuple[str, list[str]]


def money(context: Context, name: str = "total_minor") -> str:
    """An amount of the context, to be read."""
    return display(context[name], context["currency"], exponent(context["currency"]))


def invoice(context: Context) -> str:
    """`invoice NL-00001`, or what an invoice without a number is called."""
    return f"invoice {context['number']}" if context.get("number") else "your invoice"


def facts(context: Context) -> str:
    """The block of facts about an invoice, aligned."""
    rows = [
        ("Invoice", context.get("number")),
        ("For", context.get("service")),
        ("Period", period(context)),
        ("Issued on", context.get("issued_on")),
        ("Due on", context.get("due_on")),
        ("Total", money(context)),
    ]
    if context.get("rest_minor") not in (None, 0, context["total_minor"]):
        rows.append(("Still open", money(context, "rest_minor")))
    return "\n".join(f"  {name + ':':<12}{value}" for name, value in rows if value)


def provider(context: Context) -> str:
    """A provider as it writes its name."""
    return providers.provider_of(context["provider"]).title


def pay_link(context: Context) -> str:
    """Where the client can pay it, if there is such a page."""
    return f"You can pay it here: {context['pay_url']}" if context.get("pay_url") else ""


def period(context: Context) -> str | None:
    """The first and the last day of what the invoice is for."""
    starts, ends = context.get("period_starts_on"), context.get("period_ends_on")
    if not starts or not ends:
        return None
    last = date.fromordinal(date.fromisoformat(ends).toordinal() - 1)
    return f"{starts} to {last.isoformat()}"


def command(context: Context, name: str) -> str:
    """An operator's command about the invoice, as it is typed."""
    of = (quote(str(context.get(each) or "")) for each in ("agency_id", "invoice_id"))
    return "duecycle {} --agency {} --invoice {}".format(name, *of)


def first_upper(text: str) -> str:
    """A sentence that begins with a name or a small word."""
    return text[:1].upper() + text[1:]
