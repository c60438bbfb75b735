"""What all notices share: sender and reader, and the facts about an invoice."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, TypedDict

import msgspec


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Sender and reader, for every text. `pay_url` is the client's payment page, if there is one."""

    agency: str
    agency_id: str = ""
    agency_email: str = ""
    client: str | None = None
    online: bool = False
    locale: str | None = None
    pay_url: str | None = None


class NoticeData(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a notice beside its parties. `occasion` is what the notice is about."""

    occasion: ClassVar[str]


class InvoiceFacts(TypedDict):
    """The facts about an invoice in every notice about it."""

    invoice_id: str
    number: str | None
    issued_on: date
    due_on: date
    period_starts_on: date | None
    period_ends_on: date | None
    currency: str
    total_minor: int
    outstanding_minor: int
    service: str | None


class AboutInvoice(NoticeData, frozen=True, kw_only=True):
    """About an invoice."""

    invoice_id: str
    number: str | None
    issued_on: date
    due_on: date
    period_starts_on: date | None
    period_ends_on: date | None
    currency: str
    total_minor: int
    outstanding_minor: int
    service: str | None


Kept = Mapping[str, Any]
"""A notice's struct and its parties in one object, as stored with the notice."""
