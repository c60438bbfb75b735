"""Objects inside the payloads of events."""

import msgspec

from shared.messages.event_data import fields as f


class ProviderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answered, kept as evidence. `outcome` is one of the words that the metrics use."""

    outcome: f.Outcome
    reference: f.Reference | None
    code: f.Code | None
    detail: f.Detail | None
    amount_minor: f.AmountMinor | None
    currency: f.Currency | None
