"""How much a gateway account takes, and how long it rests."""

from datetime import UTC, datetime, timedelta

from shared.domain.pacing import Account, allowance, failed, spent

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_fresh_account_takes_a_burst_and_then_its_rate() -> None:
    account = Account("a", "stripe", 20, None)
    assert allowance(account, NOW, burst=20) == 20
    account = account._replace(free_at=spent(account, 20, NOW))
    assert allowance(account, NOW, burst=20) == 0
    assert allowance(account, NOW + timedelta(seconds=0.5), burst=20) == 10
    assert allowance(account, NOW + timedelta(hours=1), burst=20) == 20  # idle time is not saved up


def test_an_account_without_a_rate_takes_everything() -> None:
    assert allowance(Account("a", "sandbox", None, None), NOW, burst=20) is None


def test_from_the_fifth_failure_in_a_row_on_the_rests_grow_to_an_hour() -> None:
    """1, 2, 4 … 60 minutes; failures while it rests, of attempts that were on their way, do not lengthen it."""
    account, now, rests = Account("a", "stripe", 20, None), NOW, []
    for _ in range(4):
        account = failed(account, now)
        assert account.paused_until is None
    for _ in range(8):
        account = failed(account, now)
        assert account.paused_until is not None
        assert failed(account, now).paused_until == account.paused_until
        rests.append((account.paused_until - now) // timedelta(minutes=1))
        now = account.paused_until
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
