"""How an account with a provider is doing, by its answers: it rests when they fail to come, and slows down when told to."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.pacing import Account, failed, slowed
from shared.gateways.port import Found, NotSent, Unknown
from shared.store import accounts
from shared.store.transaction import Tx
from workers.charges.claim import CLIENT_IS_PAYING

RATE_LIMITED = "rate_limited"
# The amount itself can't be collected by the provider, however often it is tried: the agency has to do something.
UNPAYABLE = frozenset({"amount_too_small", "amount_too_large", "amount_not_payable", "currency_not_supported"})
# Says nothing of the account.
OURS = UNPAYABLE | {CLIENT_IS_PAYING}


def keep_accounts(tx: Tx, agency_id: str, answers: Sequence[tuple[str, Found]]) -> None:
    """Count lost and unsent answers in a row of the account they came from; any other answer ends the row.

    The account's row is written only when something changes, and locked last: nobody waits for another lock behind it.
    """
    for provider, found in answers:
        account = accounts.load(tx, agency_id, provider)
        if not _is_trouble(found) and (account is None or not account.failures):
            continue
        account = accounts.load(tx, agency_id, provider, lock=True) or Account(agency_id, provider, None, None)
        accounts.write(tx, _after(account, found, tx.as_of))


def _is_trouble(found: Found) -> bool:
    """Whether an answer says something of its account: a request that can never be sent does not."""
    return isinstance(found, Unknown) or (isinstance(found, NotSent) and found.code not in OURS)


def _after(account: Account, found: Found, now: datetime) -> Account:
    if isinstance(found, NotSent) and found.code == RATE_LIMITED:
        return slowed(account, now)
    if _is_trouble(found):
        return failed(account, now)
    return account._replace(failures=0, rests=0, paused_until=None)
