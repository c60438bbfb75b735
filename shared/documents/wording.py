"""The parts of mail texts: amounts, names of invoices, blocks of facts, and commands to type."""

from collections.abc import Callable
from datetime import timedelta
from shlex import quote
from typing import Any, NamedTuple, Protocol, TypeVar

from shared.documents.notice_parts import AboutInvoice, NoticeData, Parties
from shared.domain.money import display, exponent
from shared.gateways import providers

Text = tuple[str, list[str]]
_Data = TypeVar("_Data", bound=NoticeData)


class Told(NamedTuple):
    """The data of a notice, and its text."""

    struct: type[NoticeData]
    text: Callable[[Any, Parties], Text]


def told(struct: type[_Data], text: Callable[[_Data, Parties], Text]) -> Told:
    """A struct with the text made from it."""
    return Told(struct, text)


class Priced(Protocol):
    """Anything with amounts in one currency."""

    @property
    def currency(self) -> str: ...


def money(said: Priced, amount_minor: int) -> str:
    """An amount with its currency, for people."""
    return display(amount_minor, said.currency, exponent(said.currency))


def total(said: AboutInvoice) -> str:
    """The total of an invoice, for people."""
    return money(said, said.total_minor)


def invoice(said: AboutInvoice) -> str:
    """`invoice NL-00001`, or `your invoice` if it has no number."""
    return f"invoice {said.number}" if said.number else "your invoice"


def facts(said: AboutInvoice) -> str:
    """The facts about an invoice as an aligned block."""
    rows = [
        ("Invoice", said.number),
        ("For", said.service),
        ("Period", period(said)),
        ("Issued on", said.issued_on),
        ("Due on", said.due_on),
        ("Total", total(said)),
    ]
    if said.outstanding_minor not in (0, said.total_minor):
        rows.append(("Still open", money(said, said.outstanding_minor)))
    return "\n".join(f"  {name + ':':<12}{value}" for name, value in rows if value)


def provider(name: str | None) -> str:
    """A provider's name as it spells it."""
    return "the provider" if name is None else providers.provider_of(name).title


def reason(code: str | None) -> str:
    """In brackets: why something failed, as the provider or Duecycle names it."""
    return f"(reason: {code})" if code else "(no reason given)"


def pay_link(to: Parties) -> str:
    """The sentence with the payment page, empty if there is none."""
    return f"You can pay it here: {to.pay_url}" if to.pay_url else ""


def period(said: AboutInvoice) -> str | None:
    """The first and the last day of the invoice's period."""
    if said.period_starts_on is None or said.period_ends_on is None:
        return None
    return f"{said.period_starts_on} to {said.period_ends_on - timedelta(days=1)}"


def command(to: Parties, said: AboutInvoice, name: str) -> str:
    """An operator's command about the invoice, ready to type."""
    return f"duecycle {name} --agency {quote(to.agency_id)} --invoice {quote(said.invoice_id)}"


def first_upper(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
