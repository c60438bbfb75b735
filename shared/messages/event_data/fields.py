"""The fields of events: one name, one meaning, one type, wherever it appears. docs/events.md lists them from here."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta


def _says(description: str) -> Meta:
    return Meta(description=description)


def _instant(description: str) -> Meta:
    return Meta(description=description, tz=True)


def _counts(description: str, least: int) -> Meta:
    return Meta(description=description, ge=least)


AgencyId = Annotated[str, _says("The agency's id, as upstream gave it.")]
SubscriptionId = Annotated[str, _says("The subscription's id, as upstream gave it.")]
ClientId = Annotated[str, _says("The client's id, as upstream gave it.")]
ServiceId = Annotated[str, _says("The service's id, as upstream gave it.")]
OrderId = Annotated[str, _says("The order's id.")]
InvoiceId = Annotated[str, _says("The invoice's id.")]
DocumentId = Annotated[str, _says("The id of the order or invoice that exists already.")]
Number = Annotated[str, _says("The number printed on the invoice; null if an invoice from upstream has none.")]
CreditNoteNumber = Annotated[str, _says("The number printed on the credit note; null if none was written.")]

Stream = Annotated[Literal["order", "invoice"], _says("Which of the subscription's two series of cycles.")]
PeriodStartsOn = Annotated[date, _says("The first day of the period.")]
PeriodEndsOn = Annotated[date, _says("The day after the last day of the period.")]
PeriodIndex = Annotated[int, _counts("Counts the periods of the series from 0; null outside the series.", 0)]
BlockingPeriodStartsOn = Annotated[date, _says("The first day of the invoice period that has to be paid first.")]
BlockingInvoiceId = Annotated[str, _says("The invoice that has to be paid first; null while there is none.")]
Unit = Annotated[str, _says("The unit of the recurrence: day, week, month or year.")]
Every = Annotated[int, _counts("How many units one cycle lasts.", 1)]
AnchorOn = Annotated[date, _says("The day from which the periods are counted; null while there is none.")]
ResumesOn = Annotated[date, _says("The first day of the first period that is invoiced again.")]

IssuedOn = Annotated[date, _says("The date of the document.")]
DueOn = Annotated[date, _says("The day by which the invoice is to be paid.")]
PaidAt = Annotated[datetime, _instant("When the last payment that was needed arrived.")]
ReceivedAt = Annotated[datetime, _instant("When the money arrived.")]
ExpiresAt = Annotated[datetime, _instant("When the page stops taking a payment.")]
NextAttemptAt = Annotated[datetime, _instant("When the next attempt is made; null if none is planned.")]
Since = Annotated[datetime, _instant("Since when it has been so.")]

Currency = Annotated[str, Meta(description="The ISO 4217 code of the amounts beside it.", pattern="^[A-Z]{3}$")]
AmountMinor = Annotated[int, _counts("The amount that the event is about, in minor units.", 0)]
TotalMinor = Annotated[int, _counts("The total of the invoice, tax included, in minor units.", 0)]
SubtotalMinor = Annotated[int, _counts("The sum of the invoice before tax, in minor units.", 0)]
TaxMinor = Annotated[int, _counts("The tax, in minor units.", 0)]
NetMinor = Annotated[int, _counts("The amount before tax, in minor units.", 0)]
UnitPriceMinor = Annotated[int, _counts("The price of one unit as the service states it, in minor units.", 0)]
OutstandingMinor = Annotated[int, _counts("What of the invoice is still to be paid, in minor units.", 0)]
RecordedMinor = Annotated[int, _says("The amount recorded here, in minor units; null if nothing is recorded.")]
ListedMinor = Annotated[int, _says("The amount that the provider lists, in minor units; null if it lists nothing.")]

Description = Annotated[str, _says("The text of the line.")]
Quantity = Annotated[int, _counts("How many units.", 0)]
TaxName = Annotated[str, _says("The name of the tax; null without one.")]
TaxRate = Annotated[str, _says("The rate of the tax in percent, as a decimal string.")]
Collection = Annotated[str, _says("How the invoice is collected: automatic or manual.")]
Origin = Annotated[str, _says("How it came about, such as automatic, manual, requested, outside or provider.")]

Attempt = Annotated[int, _counts("Counts the attempts to collect the invoice from 1.", 1)]
RefundSeq = Annotated[int, _counts("Counts the refunds of the invoice from 1.", 1)]
LinkSeq = Annotated[int, _counts("Counts the payment links of the invoice from 1.", 1)]
Key = Annotated[str, _says("The idempotency key under which the provider was asked; null if it was not asked yet.")]
Provider = Annotated[str, _says("The payment provider: sandbox, stripe or paypal.")]
Source = Annotated[str, _says("Who moved the money: a provider, or `upstream:` and the source of the message.")]
Reference = Annotated[str, _says("The id that the provider (or upstream) gave to what the event is about.")]
PaymentReference = Annotated[str, _says("The id that the provider (or upstream) gave to the payment concerned.")]
Kind = Annotated[
    str, _says("How the payment was reversed: dispute, refund, reversal or by_hand, as the provider tells.")
]
Difference = Annotated[
    Literal[
        "missing_here", "missing_there", "amount_differs", "paid_twice", "refund_missing_here", "refund_missing_there"
    ],
    _says("What differs: something is missing here or at the provider, or the amounts are not the same."),
]

Code = Annotated[str, _says("A word for why it failed: the provider's, or ours.")]
DeclineClass = Annotated[
    str, _says("What the code means: retryable, customer or final; null if it was not classified.")
]
Outcome = Annotated[str, _says("The outcome, in one word.")]
Reason = Annotated[str, _says("Why, in a word of ours or in the words of whoever asked for it.")]
Detail = Annotated[str, _says("More about the reason, for people to read.")]
Error = Annotated[str, _says("What went wrong when the answer was to be recorded.")]
By = Annotated[str, _says("Who asked for it: an operator, or the source of the message that asked for it.")]
PreviousState = Annotated[str, _says("The state before.")]
PreviousReason = Annotated[str, _says("The reason that counted before; null without one.")]

ChangeSource = Annotated[str, _says("The `source` of the message that is answered.")]
ChangeId = Annotated[str, _says("The `id` of the message that is answered.")]
ChangeType = Annotated[str, _says("The `type` of the message that is answered; empty if it could not be read.")]
Field = Annotated[str, _says("The first bad field as a dotted path; empty if it concerns the message as a whole.")]

Pool = Annotated[str, _says("The worker pool.")]
NoticeKey = Annotated[str, _says("The key of the mail, as `duecycle notices` takes it.")]
Occasion = Annotated[str, _says("What the mail is about.")]
Audience = Annotated[str, _says("Who the mail is for: client or agency.")]
SecretName = Annotated[str, _says("The name of the account's secret, never the secret.")]
WebhookSecretName = Annotated[str, _says("The name of what verifies the account's webhooks; null without one.")]
IsTest = Annotated[bool, _says("Whether it is one of the provider's test accounts.")]
IsShared = Annotated[bool, _says("Whether other agencies use the same account on purpose.")]
RatePerSecond = Annotated[int, _counts("How many attempts go out a second at most.", 1)]
