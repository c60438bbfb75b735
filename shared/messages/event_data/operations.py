"""Events about running the installation: pools, gateway accounts, mails."""

from typing import ClassVar

from shared.domain.keys import notice_subject
from shared.messages.event_data import fields as f
from shared.messages.event_data.base import EventData


class OfPool(EventData, frozen=True, kw_only=True):
    """About a worker pool; `agency_id` is null where it concerns all agencies."""

    agency_id: f.AgencyId | None
    pool: f.Pool

    def subject(self) -> str:
        """The pool."""
        return f"pool/{self.pool}"


class PoolPaused(OfPool, frozen=True, kw_only=True):
    """An operator paused a pool."""

    event_type: ClassVar[str] = "pool.paused"
    reason: f.Reason | None
    by: f.By


class PoolResumed(OfPool, frozen=True, kw_only=True):
    """An operator let a pool go on."""

    event_type: ClassVar[str] = "pool.resumed"
    by: f.By


class ClockAccepted(EventData, frozen=True, kw_only=True):
    """An operator confirmed the time of the database's clock."""

    event_type: ClassVar[str] = "clock.accepted"
    agency_id: f.AgencyId | None
    reason: f.Reason | None
    by: f.By

    def subject(self) -> str:
        """The database's clock."""
        return "clock"


class OfAccount(EventData, frozen=True, kw_only=True):
    """About an agency's account with a provider."""

    agency_id: f.AgencyId
    provider: f.Provider

    def subject(self) -> str:
        """The account."""
        return f"account/{self.provider}"


class AccountSet(OfAccount, frozen=True, kw_only=True):
    """An operator set up a gateway account."""

    event_type: ClassVar[str] = "account.set"
    secret_name: f.SecretName
    webhook_secret_name: f.WebhookSecretName | None
    rate_per_second: f.RatePerSecond | None
    is_test: f.IsTest
    is_shared: f.IsShared
    by: f.By


class AccountRefused(OfAccount, frozen=True, kw_only=True):
    """The provider refuses an agency's account: nothing can be collected through it."""

    event_type: ClassVar[str] = "account.refused"
    code: f.Code | None
    since: f.Since


class OfNotice(EventData, frozen=True, kw_only=True):
    """About a mail."""

    agency_id: f.AgencyId
    notice_key: f.NoticeKey

    def subject(self) -> str:
        """The mail."""
        return notice_subject(self.notice_key)


class NoticeFailed(OfNotice, frozen=True, kw_only=True):
    """A mail could not be sent and was given up."""

    event_type: ClassVar[str] = "notice.failed"
    occasion: f.Occasion
    audience: f.Audience
    subscription_id: f.SubscriptionId | None
    invoice_id: f.InvoiceId | None
    outcome: f.Outcome | None
    reason: f.Reason | None


class NoticeRetried(OfNotice, frozen=True, kw_only=True):
    """An operator has a mail sent again."""

    event_type: ClassVar[str] = "notice.retried"
    by: f.By


class NoticeSkipped(OfNotice, frozen=True, kw_only=True):
    """An operator decided that a mail is not sent."""

    event_type: ClassVar[str] = "notice.skipped"
    reason: f.Reason
    by: f.By
