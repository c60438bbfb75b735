"""What a run of the storm comes to: by the provider's own ledger, and by ours."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from shared.gateways.port import OnlineGateway
from shared.store.database import FixedClock, Store
from tests.gateways.providers.disputes import lost_of
from tests.gateways.providers.paypal_like import PayPalLike
from tests.gateways.providers.stripe_like import StripeLike


class Town(NamedTuple):
    """A provider, its gateway, and a database full of invoices to be charged by it."""

    name: str
    provider: StripeLike | PayPalLike
    gateway: OnlineGateway
    store: Store
    clock: FixedClock


class Reckoning:
    """One agency's invoices, charged by one provider. `told`: the money that upstream told of, by invoice."""

    def __init__(self, town: Town, agency_id: str) -> None:
        self.town, self.agency_id = town, agency_id
        self.told: Counter[str] = Counter()
        with town.store.transaction() as tx:
            rows = tx.rows("SELECT invoice_id FROM invoices WHERE agency_id = :a ORDER BY 1", a=agency_id)
        self.ids = [row[0] for row in rows]

    def unsettled(self) -> int:
        with self.town.store.transaction() as tx:
            return tx.scalar(
                """
                SELECT (SELECT count(*) FROM charges
                        WHERE agency_id = :a
                          AND (state IN ('due', 'sending', 'unknown', 'pending') OR state = 'declined' AND wake_at IS NOT NULL))
                     + (SELECT count(*) FROM refunds WHERE agency_id = :a AND wake_at IS NOT NULL)
                     + (SELECT count(*) FROM payment_inquiries WHERE agency_id = :a AND wake_at IS NOT NULL)
                     + (SELECT count(*) FROM pay_links WHERE agency_id = :a AND state IN ('opening', 'open', 'paying'))
                """,
                a=self.agency_id,
            )

    def refunds(self) -> Counter[tuple[str, int]]:
        """How often each refund that we call done went back, as it should be: once."""
        with self.town.store.transaction() as tx:
            rows = tx.rows(
                "SELECT invoice_id, amount_minor FROM refunds WHERE agency_id = :a AND state = 'succeeded'",
                a=self.agency_id,
            )
        return Counter((row[0], row[1]) for row in rows)

    def returned(self) -> Counter[tuple[str, int]]:
        """What went back, by the provider's ledger."""
        return Counter((each.invoice_id, int(each.amount.replace(".", ""))) for each in self.town.provider.returned)

    def collected(self, owners: Mapping[str, tuple[str, str]] | None = None) -> dict[str, int]:
        """What each invoice has got and kept, by the provider's ledger and by what upstream told. `owners`: whose a key is."""
        kept = Counter(self.told)
        for each in self.town.provider.ledger:
            if owners is None or owners[each.key][0] == self.agency_id:
                kept[each.invoice_id] += int(each.amount.replace(".", "")) - lost_of(self.town.provider, each.reference)
        return {id_: kept[id_] for id_ in self.ids}

    def covered(self, owners: Mapping[str, tuple[str, str]] | None = None) -> dict[str, bool]:
        """Whether what each invoice has got and kept pays it."""
        kept = self.collected(owners)
        with self.town.store.transaction() as tx:
            rows = tx.rows("SELECT invoice_id, total_minor FROM invoices WHERE agency_id = :a", a=self.agency_id)
        return {id_: kept[id_] >= total for id_, total in rows}

    def in_words(self) -> bool:
        """Every attempt has ended, and every one that failed says why."""
        with self.town.store.transaction() as tx:
            silent = tx.rows(
                """
                SELECT invoice_id, attempt, state, code FROM charges
                WHERE agency_id = :a AND state <> 'succeeded' AND coalesce(code, '') = ''
                """,
                a=self.agency_id,
            )
        return not silent

    def paid(self) -> dict[str, bool]:
        with self.town.store.transaction() as tx:
            rows = tx.rows("SELECT invoice_id, status FROM invoices WHERE agency_id = :a", a=self.agency_id)
        return {row[0]: row[1] == "paid" for row in rows}
