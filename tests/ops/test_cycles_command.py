"""``duecycle cycles``: what it prints, and what it says to wrong input."""

import json

import pytest
from click.testing import CliRunner, Result

from ops.cycles import cycles_command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cycles_command, arguments)


def test_json_prints_one_object_a_line() -> None:
    """Month ends of 2026; midnight in Berlin is 23:00 UTC the day before, from 29 March on (CEST) 22:00 UTC."""
    result = run(
        *("--anchor", "2026-01-31", "--unit", "month", "--timezone", "Europe/Berlin", "--count", "4", "--json")
    )
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        '{"index":0,"starts_on":"2026-01-31","ends_on":"2026-02-28","due_at":"2026-01-30T23:00:00Z"}',
        '{"index":1,"starts_on":"2026-02-28","ends_on":"2026-03-31","due_at":"2026-02-27T23:00:00Z"}',
        '{"index":2,"starts_on":"2026-03-31","ends_on":"2026-04-30","due_at":"2026-03-30T22:00:00Z"}',
        '{"index":3,"starts_on":"2026-04-30","ends_on":"2026-05-31","due_at":"2026-04-29T22:00:00Z"}',
    ]


def test_without_json_the_columns_align() -> None:
    result = run("--anchor", "2024-02-29", "--unit", "year", "--from-index", "-1", "--count", "3")
    assert result.exit_code == 0
    assert result.stdout == (
        "index  starts on   ends on     due at (UTC)\n"
        "   -1  2023-02-28  2024-02-29  2023-02-28T00:00:00Z\n"
        "    0  2024-02-29  2025-02-28  2024-02-29T00:00:00Z\n"
        "    1  2025-02-28  2026-02-28  2025-02-28T00:00:00Z\n"
    )


def test_long_indices_widen_their_column() -> None:
    result = run("--anchor", "2026-01-01", "--unit", "day", "--from-index", "999999", "--count", "2")
    # 999,999 days after 2026-01-01, by GNU date
    heading, first, second = result.stdout.splitlines()
    assert heading.startswith("  index  starts on ")
    assert first.startswith(" 999999  4763-11-28  ")
    assert second.startswith("1000000  4763-11-29  ")


def test_defaults_are_every_1_utc_midnight_from_0_and_12_cycles() -> None:
    result = run("--anchor", "2026-01-05", "--unit", "week", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert rows[0]["due_at"] == "2026-01-05T00:00:00Z"
    assert rows[11] == {
        "index": 11,
        "starts_on": "2026-03-23",
        "ends_on": "2026-03-30",
        "due_at": "2026-03-23T00:00:00Z",
    }


def test_every_issue_time_and_from_index_are_obeyed() -> None:
    """Quarterly at 09:00 in São Paulo, UTC-3 all year since 2019."""
    result = run(
        *("--anchor", "2026-08-31", "--unit", "month", "--every", "3", "--timezone", "America/Sao_Paulo"),
        *("--issue-time", "09:00", "--from-index", "2", "--count", "1", "--json"),
    )
    assert json.loads(result.stdout) == {
        "index": 2,
        "starts_on": "2027-02-28",
        "ends_on": "2027-05-31",
        "due_at": "2027-02-28T12:00:00Z",
    }


def test_a_missing_midnight_falls_due_at_the_end_of_the_gap() -> None:
    """São Paulo, 4 November 2018: 23:59:59 (-03) is followed by 01:00 (-02), at 03:00 UTC."""
    result = run(
        *("--anchor", "2018-11-04", "--unit", "day", "--timezone", "America/Sao_Paulo", "--count", "1", "--json")
    )
    assert json.loads(result.stdout)["due_at"] == "2018-11-04T03:00:00Z"


def test_years_have_four_digits() -> None:
    result = run("--anchor", "0099-12-31", "--unit", "day", "--count", "1", "--json")
    assert json.loads(result.stdout)["due_at"] == "0099-12-31T00:00:00Z"


WRONG = [
    (("--anchor", "2026-02-30"), "--anchor", "give a date of the calendar"),
    (("--anchor", "tomorrow"), "--anchor", "YYYY-MM-DD"),
    (("--anchor", "20260131"), "--anchor", "YYYY-MM-DD"),
    (("--anchor", "2026-W05-6"), "--anchor", "YYYY-MM-DD"),
    (("--anchor", "2026-01-31T00:00"), "--anchor", "YYYY-MM-DD"),
    (("--anchor", "0000-01-01"), "--anchor", "give a date of the calendar"),
    (("--anchor", ""), "--anchor", "YYYY-MM-DD"),
    (("--unit", "fortnight"), "--unit", "'day', 'week', 'month', 'year'"),
    (("--unit", "Month"), "--unit", "'day', 'week', 'month', 'year'"),
    (("--every", "0"), "--every", "at least 1"),
    (("--every", "-2"), "--every", "at least 1"),
    (("--every", "1.5"), "--every", "whole number"),
    (("--every", "9" * 5_000), "--every", "whole number"),
    (("--every", "9" * 4_300), "--every", "stay within 10,000,000"),
    (("--every", "9999"), "--count", "lower --count or --every"),
    (("--count", "0"), "--count", "at least 1"),
    (("--count", "many"), "--count", "whole number"),
    (("--count", "9999999"), "--count", "lower --count or --every"),
    (("--from-index", "1e3"), "--from-index", "whole number"),
    (("--from-index", "9999999"), "--from-index", "choose a cycle inside them"),
    (("--from-index", "-9999999"), "--from-index", "choose a cycle inside them"),
    (("--timezone", "Europe/Atlantis"), "--timezone", "IANA name such as Europe/Berlin"),
    (("--timezone", "../etc/passwd"), "--timezone", "IANA name such as Europe/Berlin"),
    (("--timezone", ""), "--timezone", "IANA name such as Europe/Berlin"),
    (("--timezone", "europe/berlin"), "--timezone", "did you mean Europe/Berlin?"),
    (("--timezone", "Berlin"), "--timezone", "did you mean Europe/Berlin?"),
    (("--issue-time", "24:00"), "--issue-time", "HH:MM"),
    (("--issue-time", "9am"), "--issue-time", "HH:MM"),
    (("--issue-time", "09:00:00"), "--issue-time", "HH:MM"),
]


@pytest.mark.parametrize(("wrong", "option", "fix"), WRONG, ids=[" ".join(c[0])[:40] for c in WRONG])
def test_wrong_input_names_the_option_and_the_fix_and_prints_nothing_else(
    wrong: tuple[str, str], option: str, fix: str
) -> None:
    result = run("--anchor", "2026-01-31", "--unit", "month", "--json", *wrong)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"Invalid value for '{option}'" in result.stderr
    assert fix in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr) < 400


def test_a_first_midnight_before_the_year_1_is_refused() -> None:
    """1 January of the year 1 begins in Tokyo while it is still the year before in UTC."""
    result = run("--anchor", "0001-01-01", "--unit", "day", "--timezone", "Asia/Tokyo", "--count", "1")
    assert result.exit_code == 2
    assert "'--from-index'" in result.stderr


@pytest.mark.parametrize(
    ("given", "missing"), [(("--unit", "day"), "--anchor"), (("--anchor", "2026-01-31"), "--unit")]
)
def test_anchor_and_unit_are_required(given: tuple[str, str], missing: str) -> None:
    result = run(*given)
    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in result.stderr


def test_help_shows_every_option_and_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for text in (
        *("--anchor", "--unit", "--every", "--timezone", "--issue-time", "--from-index", "--count", "--json"),
        "duecycle cycles --anchor 2026-01-31 --unit month",
    ):
        assert text in result.stdout
