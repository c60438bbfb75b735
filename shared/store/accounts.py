"""Gateway accounts: how fast each may be used, and whether it is paused. An account is an agency's with a provider."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from shared.domain.pacing import Account
from shared.store.database import Transaction

_COLUMNS = ", ".join(f"g.{name}" for name in Account._fields)
_OF_AGENCIES = f"""
SELECT {_COLUMNS} FROM gateway_accounts AS g
JOIN agencies AS a ON a.agency_id = g.agency_id AND a.gateway = g.provider
WHERE g.agency_id = ANY(CAST(:ids AS text[]))
  AND (g.rate_per_second IS NOT NULL OR g.paused_until > :as_of
       OR g.slowed_at > CAST(:as_of AS timestamptz) - interval '2 hours')"""  # noqa: S608


def held_back(tx: Transaction, agency_ids: Collection[str]) -> tuple[list[Account], list[str]]:
    """Of these agencies' own gateways: the accounts that are paced or paused, locked; and agencies whose are locked elsewhere.

    Another scheduler that is letting attempts through holds the lock; they are none of ours in this pass.
    """
    of = {"ids": list(agency_ids), "as_of": tx.as_of}
    known = {row[0] for row in tx.rows(_OF_AGENCIES, **of)}
    if not known:
        return [], []
    locked = [Account._make(row) for row in tx.rows(f"{_OF_AGENCIES} FOR NO KEY UPDATE OF g SKIP LOCKED", **of)]
    return locked, sorted(known - {account.agency_id for account in locked})


def spend(tx: Transaction, account: Account, free_at: datetime | None) -> None:
    """Attempts of a locked account were let through."""
    tx.run(
        "UPDATE gateway_accounts SET free_at = :free_at WHERE agency_id = :agency_id AND provider = :provider",
        free_at=free_at,
        agency_id=account.agency_id,
        provider=account.provider,
    )


def load(tx: Transaction, agency_id: str, provider: str, *, lock: bool = False) -> Account | None:
    """One account, None if it has no row: unpaced and never in trouble."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM gateway_accounts AS g WHERE agency_id = :agency_id AND provider = :provider"  # noqa: S608
        f"{' FOR NO KEY UPDATE' if lock else ''}",
        agency_id=agency_id,
        provider=provider,
    )
    return Account._make(rows[0]) if rows else None


def write(tx: Transaction, account: Account) -> None:
    """Record how an account's answers go; its rate and its pacing stay."""
    tx.run(
        """
        INSERT INTO gateway_accounts (agency_id, provider, failures, pauses, paused_until, slowdown, slowed_at,
                                      refused_since, refused_until, refused_code)
        VALUES (:agency_id, :provider, :failures, :pauses, :paused_until, :slowdown, :slowed_at,
                :refused_since, :refused_until, :refused_code)
        ON CONFLICT (agency_id, provider) DO UPDATE
        SET failures = excluded.failures, pauses = excluded.pauses, paused_until = excluded.paused_until,
            slowdown = excluded.slowdown, slowed_at = excluded.slowed_at, refused_since = excluded.refused_since,
            refused_until = excluded.refused_until, refused_code = excluded.refused_code
        """,
        agency_id=account.agency_id,
        provider=account.provider,
        failures=account.failures,
        pauses=account.pauses,
        paused_until=account.paused_until,
        slowdown=account.slowdown,
        slowed_at=account.slowed_at,
        refused_since=account.refused_since,
        refused_until=account.refused_until,
        refused_code=account.refused_code,
    )


def refusing(tx: Transaction, agency_id: str) -> dict[str, datetime]:
    """The providers that refuse an agency's account, each with when it is asked again."""
    rows = tx.rows(
        """
        SELECT provider, refused_until FROM gateway_accounts
        WHERE agency_id = :agency_id AND refused_until IS NOT NULL
        """,
        agency_id=agency_id,
    )
    return {row[0]: row[1] for row in rows}


class Configured(NamedTuple):
    """An account that was set up: the name of its secret; `test` for one of the provider's test accounts.

    `shared`: other agencies may collect by the same one.
    """

    agency_id: str
    provider: str
    secret: str
    test: bool
    rate_per_second: int | None
    webhook_secret: str | None = None
    shared: bool = False


def configured(tx: Transaction, agency_id: str | None = None) -> list[Configured]:
    """The accounts that were set up, of one agency or of all."""
    rows = tx.rows(
        """
        SELECT agency_id, provider, secret, test, rate_per_second, webhook_secret, shared FROM gateway_accounts
        WHERE secret IS NOT NULL AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id) ORDER BY 1, 2
        """,
        agency_id=agency_id,
    )
    return [Configured._make(row) for row in rows]


def configure(tx: Transaction, account: Configured) -> None:
    """Create or reconfigure an account; its health state is kept."""
    tx.run(
        """
        INSERT INTO gateway_accounts (agency_id, provider, secret, test, rate_per_second, webhook_secret, shared)
        VALUES (:agency_id, :provider, :secret, :test, :rate_per_second, :webhook_secret, :shared)
        ON CONFLICT (agency_id, provider) DO UPDATE
        SET secret = excluded.secret, test = excluded.test, rate_per_second = excluded.rate_per_second,
            webhook_secret = excluded.webhook_secret, shared = excluded.shared
        """,
        **account._asdict(),
    )
