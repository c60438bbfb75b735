"""How an account with a provider is doing, by its answers: it is paused when they fail to come, slows down when told to, and
waits when the provider refuses it."""

from collections.abc import Sequence
from datetime import datetime

from shared.billing.notify import AGENCY, Draft, notify
from shared.documents import notice_data
from shared.domain.facts import Agency
from shared.domain.pacing import Account, accepted, failed, refused, slowed
from shared.domain.refusals import UNPAYABLE
from shared.gateways.port import Found, NotFound, NotSent, NotYetKnowable, Unknown
from shared.messages import event_data
from shared.store import accounts
from shared.store.database import Transaction

RATE_LIMITED = "rate_limited"
CLIENT_IS_PAYING = "client_is_paying"
LEASE_IS_OVER = "lease_is_over"
OF_THE_MOMENT = frozenset({"unreachable", RATE_LIMITED})  # says nothing of the request
REFUSED_ACCOUNT = "account_refused"
# Says nothing of the account.
OURS = UNPAYABLE | {CLIENT_IS_PAYING, LEASE_IS_OVER, "pending_capture"}


def keep_accounts(
    tx: Transaction, agency: Agency, answers: Sequence[tuple[str, Found]], *, asked: bool = False
) -> None:
    """Count lost and unsent answers in a row of the account they came from; any other answer ends the row.

    The account's row is written only when something changes, and locked last: nobody waits for another lock behind it.
    `asked`: they answer questions, which an account may ask that may not collect. A spell in which the provider refuses the
    account is reported to the agency once a day at most.
    """
    for provider, found in answers:
        account = accounts.load(tx, agency.agency_id, provider)
        troubled = account is not None and (account.failures > 0 or account.refused_since is not None)
        if not _is_trouble(found) and not troubled:
            continue
        account = accounts.load(tx, agency.agency_id, provider, lock=True) or Account(
            agency_id=agency.agency_id, provider=provider, rate_per_second=None, free_at=None
        )
        after = _after(account, found, tx.as_of, asked=asked)
        accounts.write(tx, after)
        if account.refused_since is None and after.refused_since is not None:
            _tell(tx, agency, after)


def _is_trouble(found: Found) -> bool:
    """Whether an answer says something bad of its account; one about a request or a payment method does not."""
    if isinstance(found, NotSent):
        return found.about != "request" and found.code not in OURS
    return isinstance(found, Unknown)


def _after(account: Account, found: Found, now: datetime, *, asked: bool) -> Account:
    if isinstance(found, NotSent):
        if found.code == RATE_LIMITED:
            return slowed(account, now)
        if found.about == "account" and not asked:
            return refused(failed(account, now), found.code or "refused", now)
        return failed(account, now) if _is_trouble(found) else account
    if _is_trouble(found):
        return failed(account, now)
    if asked or isinstance(found, NotFound | NotYetKnowable):
        return account._replace(failures=0, pauses=0, paused_until=None)
    return accepted(account)


def _tell(tx: Transaction, agency: Agency, account: Account) -> None:
    since = account.refused_since or tx.as_of
    code, instance = account.refused_code, since.date().isoformat()
    tx.record(event_data.AccountRefused(agency_id=agency.agency_id, provider=account.provider, code=code, since=since))
    said = notice_data.AccountRefused(provider=account.provider, code=code, since=since.date())
    notify(
        tx,
        agency,
        [
            Draft(
                said=said,
                audience=AGENCY,
                about=account.provider,
                subscription_id=None,
                client_id=None,
                invoice_id=None,
                instance=instance,
            )
        ],
    )
