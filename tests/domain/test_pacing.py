"""How much a gateway account takes, and how long it is paused."""

from datetime import UTC, datetime, timedelta

from shared.domain.pacing import SLOW_FOR, Account, allowance, failed, rate, slowed, spent

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_fresh_account_takes_a_burst_and_then_its_rate() -> None:
    account = Account(agency_id="a", provider="stripe", rate_per_second=20, free_at=None)
    assert allowance(account, NOW, burst=20) == 20
    account = account._replace(free_at=spent(account, 20, NOW))
    assert allowance(account, NOW, burst=20) == 0
    assert allowance(account, NOW + timedelta(seconds=0.5), burst=20) == 10
    assert allowance(account, NOW + timedelta(hours=1), burst=20) == 20  # idle time is not saved up


def test_an_account_without_a_rate_takes_everything() -> None:
    assert (
        allowance(Account(agency_id="a", provider="sandbox", rate_per_second=None, free_at=None), NOW, burst=20) is None
    )


def test_from_the_fifth_failure_in_a_row_on_the_pauses_grow_to_an_hour() -> None:
    """1, 2, 4 … 60 minutes; failures while it is paused, of attempts that were under way, do not lengthen it."""
    account, now, pauses = Account(agency_id="a", provider="stripe", rate_per_second=20, free_at=None), NOW, []
    for _ in range(4):
        account = failed(account, now)
        assert account.paused_until is None
    for _ in range(8):
        account = failed(account, now)
        assert account.paused_until is not None
        assert failed(account, now).paused_until == account.paused_until
        pauses.append((account.paused_until - now) // timedelta(minutes=1))
        now = account.paused_until
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_too_many_requests_halve_the_rate_and_it_grows_back() -> None:
    """Twice every ten minutes, down to one a second; answers that were on their way together count once."""
    account = Account(agency_id="a", provider="stripe", rate_per_second=20, free_at=None)
    account = slowed(account, NOW)
    assert (rate(account, NOW), account.paused_until) == (10, NOW + timedelta(seconds=2))
    assert slowed(account, NOW + timedelta(seconds=1)) == account

    account = slowed(account, NOW + timedelta(seconds=6))
    assert rate(account, NOW + timedelta(seconds=6)) == 5
    later = NOW + timedelta(seconds=6)
    assert [rate(account, later + wait * SLOW_FOR) for wait in (0, 0.9, 1, 1.9, 2, 50)] == [5, 5, 10, 10, 20, 20]
    for minute in range(20):
        account = slowed(account, later + timedelta(seconds=10 * minute))
    assert rate(account, later + timedelta(seconds=200)) == 1
    assert allowance(account, later + timedelta(seconds=200), burst=20) == 20


def test_an_account_without_a_rate_gets_one_while_it_is_slowed_down() -> None:
    account = slowed(Account(agency_id="a", provider="sandbox", rate_per_second=None, free_at=None), NOW)
    assert rate(account, NOW) == 10
    assert rate(account, NOW + SLOW_FOR) is None
