"""What the texts of mails are made of: amounts, what an invoice is called, its facts, and commands to type."""

from collections.abc import Callable
from datetime import timedelta
from shlex import quote
from typing import Any, NamedTuple, Protocol, TypeVar

from shared.documents.notice_parts import AboutInvoice, NoticeData, Parties
from shared.domain.currency import exponent
from shared.domain.money import display
from shared.gateways import providers

Text = tuple[str, list[str]]
_Data = TypeVar("_Data", bound=NoticeData)


class Told(NamedTuple):
    """What a notice is made of, and its text."""

    struct: type[NoticeData]
    text: Callable[[Any, Parties], Text]


def told(struct: type[_Data], text: Callable[[_Data, Parties], Text]) -> Told:
    """A struct with the text that is made of it."""
    return Told(struct, text)


class Priced(Protocol):
    """What has amounts in a currency."""

    @property
    def currency(self) -> str: ...


def money(said: Priced, amount_minor: int) -> str:
    """An amount in its currency, to be read."""
    return display(amount_minor, said.currency, exponent(said.currency))


def total(said: AboutInvoice) -> str:
    """The total of an invoice, to be read."""
    return money(said, said.total_minor)


def invoice(said: AboutInvoice) -> str:
    """`invoice NL-00001`, or what an invoice without a number is called."""
    return f"invoice {said.number}" if said.number else "your invoice"


def facts(said: AboutInvoice) -> str:
    """The block of facts about an invoice, aligned."""
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
    """A provider as it writes its name."""
    return "the provider" if name is None else providers.provider_of(name).title


def pay_link(to: Parties) -> str:
    """Where the client can pay it, if there is such a page."""
    return f"You can pay it here: {to.pay_url}" if to.pay_url else ""


def period(said: AboutInvoice) -> str | None:
    """The first and the last day of what the invoice is for."""
    if said.period_starts_on is None or said.period_ends_on is None:
        return None
    return f"{said.period_starts_on} to {said.period_ends_on - timedelta(days=1)}"


def command(to: Parties, said: AboutInvoice, name: str) -> str:
    """An operator's command about the invoice, as it is typed."""
    return f"duecycle {name} --agency {quote(to.agency_id)} --invoice {quote(said.invoice_id)}"


def first_upper(text: str) -> str:
    """A sentence that begins with a name or a small word."""
    return text[:1].upper() + text[1:]
