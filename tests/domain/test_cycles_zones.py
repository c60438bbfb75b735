"""Due instants and local dates in time zones, case by case.

Expected instants were read off the IANA tz database with ``zdump``; each case quotes the change of clocks it depends on.
"""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from importlib.resources import files
from pathlib import Path

import pytest

from shared.domain.calendar import Recurrence, due_at, instant, local_date, local_time_of, zone_exists, zone_names

ROOT = Path(__file__).parents[2]


def on(text: str) -> date:
    return date.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MIDNIGHTS = [
    # Europe/Berlin: CET is UTC+1, CEST UTC+2; CEST from 2024-03-31 01:00 UTC to 2024-10-27 01:00 UTC.
    ("Europe/Berlin", "2024-01-31", "2024-01-30T23:00"),
    ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00"),
    ("Europe/Berlin", "2024-04-01", "2024-03-31T22:00"),
    ("Europe/Berlin", "2024-10-27", "2024-10-26T22:00"),
    ("Europe/Berlin", "2024-10-28", "2024-10-27T23:00"),
    # America/Sao_Paulo: 2018-11-04 03:00 UTC, 23:59:59 (-03) is followed by 01:00 (-02): no midnight.
    ("America/Sao_Paulo", "2018-11-03", "2018-11-03T03:00"),
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2018-11-05", "2018-11-05T02:00"),
    ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00"),
    # 2019-02-17 02:00 UTC: 23:59:59 (-02) is followed by 23:00 (-03); midnight exists once. No summer time since.
    ("America/Sao_Paulo", "2019-02-17", "2019-02-17T03:00"),
    ("America/Sao_Paulo", "2019-11-03", "2019-11-03T03:00"),
    # Pacific/Apia: 2011-12-30 10:00 UTC, 29 December 23:59:59 (-10) is followed by 31 December 00:00 (+14).
    ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00"),
    ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
    ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ("Pacific/Apia", "2012-01-01", "2011-12-31T10:00"),
    # Pacific/Kwajalein: 1993-08-21 12:00 UTC, the 20th 23:59:59 (-12) is followed by the 22nd 00:00 (+12).
    ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00"),
    ("Pacific/Kwajalein", "1993-08-22", "1993-08-21T12:00"),
    # Asia/Beirut puts clocks forward at midnight: 2022-03-26 22:00 UTC, 23:59:59 (+02) is followed by 01:00 (+03).
    ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00"),
    ("Asia/Beirut", "2022-03-28", "2022-03-27T21:00"),
    # 2023: the postponement to April was announced and withdrawn; the tz database has 2023-03-25 22:00 UTC.
    ("Asia/Beirut", "2023-03-25", "2023-03-24T22:00"),
    ("Asia/Beirut", "2023-03-26", "2023-03-25T22:00"),
    ("Asia/Beirut", "2023-03-27", "2023-03-26T21:00"),
    # … and back at midnight: 2023-10-28 21:00 UTC, 23:59:59 (+03) is followed by 23:00 (+02).
    ("Asia/Beirut", "2023-10-28", "2023-10-27T21:00"),
    ("Asia/Beirut", "2023-10-29", "2023-10-28T22:00"),
    ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00"),
    # Africa/Cairo: 2024-04-25 22:00 UTC, 23:59:59 (+02) is followed by 01:00 (+03).
    ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00"),
    # America/Havana: 2024-03-10 05:00 UTC, 23:59:59 (-05) is followed by 01:00 (-04): no midnight;
    # 2024-11-03 05:00 UTC, 00:59:59 (-04) is followed by 00:00 (-05): midnight twice, the first is 04:00 UTC.
    ("America/Havana", "2024-03-10", "2024-03-10T05:00"),
    ("America/Havana", "2024-11-03", "2024-11-03T04:00"),
    ("America/Havana", "2024-11-04", "2024-11-04T05:00"),
    # Atlantic/Azores: 2024-10-27 01:00 UTC, 00:59:59 (+00) is followed by 00:00 (-01): midnight twice.
    ("Atlantic/Azores", "2024-10-27", "2024-10-27T00:00"),
    # Asia/Kathmandu: 1985-12-31 18:30 UTC, 23:59:59 (+05:30) is followed by 00:15 (+05:45).
    ("Asia/Kathmandu", "1986-01-01", "1985-12-31T18:30"),
    ("Asia/Kathmandu", "1986-01-02", "1986-01-01T18:15"),
    ("UTC", "2024-02-29", "2024-02-29T00:00"),
]


@pytest.mark.parametrize(("zone", "day", "expected"), MIDNIGHTS)
def test_a_cycle_falls_due_at_local_midnight_or_the_first_instant_after_it(zone: str, day: str, expected: str) -> None:
    assert due_at(on(day), zone) == utc(expected)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        # Europe/Berlin 2024-03-31: 01:59:59 (+01) is followed by 03:00 (+02) at 01:00 UTC.
        ("Europe/Berlin", "2024-03-31", "01:59:59.999999", "2024-03-31T00:59:59.999999"),
        ("Europe/Berlin", "2024-03-31", "02:00", "2024-03-31T01:00"),
        ("Europe/Berlin", "2024-03-31", "02:30", "2024-03-31T01:00"),  # 03:00 on the clock, not 03:30
        ("Europe/Berlin", "2024-03-31", "02:59:59", "2024-03-31T01:00"),
        ("Europe/Berlin", "2024-03-31", "03:00", "2024-03-31T01:00"),
        ("Europe/Berlin", "2024-03-31", "03:30", "2024-03-31T01:30"),
        # Europe/Berlin 2024-10-27: 02:59:59 (+02) is followed by 02:00 (+01) at 01:00 UTC.
        ("Europe/Berlin", "2024-10-27", "01:59", "2024-10-26T23:59"),
        ("Europe/Berlin", "2024-10-27", "02:00", "2024-10-27T00:00"),
        ("Europe/Berlin", "2024-10-27", "02:30", "2024-10-27T00:30"),
        ("Europe/Berlin", "2024-10-27", "03:00", "2024-10-27T02:00"),
        ("Europe/Berlin", "2024-07-01", "09:00", "2024-07-01T07:00"),
        # Beyond the table, the zone's standing rule: the last Sunday of March 2050 is the 27th.
        ("Europe/Berlin", "2050-03-27", "02:30", "2050-03-27T01:00"),
        # Australia/Lord_Howe moves by half an hour: 2024-10-06 01:59:59 (+10:30) is followed by 02:30 (+11).
        ("Australia/Lord_Howe", "2024-10-06", "02:15", "2024-10-05T15:30"),
        # 2024-04-07 01:59:59 (+11) is followed by 01:30 (+10:30).
        ("Australia/Lord_Howe", "2024-04-07", "01:45", "2024-04-06T14:45"),
        # Antarctica/Troll moves by two hours: 2024-03-31 00:59:59 (+00) is followed by 03:00 (+02).
        ("Antarctica/Troll", "2024-03-31", "01:15", "2024-03-31T01:00"),
        ("Antarctica/Troll", "2024-03-31", "02:45", "2024-03-31T01:00"),
        # Europe/Dublin has its summer time as standard: 2024-03-31 00:59:59 (+00) is followed by 02:00 (+01).
        ("Europe/Dublin", "2024-03-31", "01:30", "2024-03-31T01:00"),
        # Pacific/Apia: any time of the missing day is the first instant of the next.
        ("Pacific/Apia", "2011-12-30", "13:37", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31", "13:37", "2011-12-30T23:37"),
        ("America/Sao_Paulo", "2018-11-04", "00:30", "2018-11-04T03:00"),
        # 2018-02-18 02:00 UTC: 23:59:59 (-02) on the 17th is followed by 23:00 (-03); 23:30 first at 01:30 UTC.
        ("America/Sao_Paulo", "2018-02-17", "23:30", "2018-02-18T01:30"),
    ],
)
def test_a_local_time_skipped_moves_to_the_end_of_the_gap_and_a_repeated_one_is_the_first(
    zone: str, day: str, at: str, expected: str
) -> None:
    local = time.fromisoformat(at)
    assert instant(on(day), local, zone) == utc(expected)
    assert due_at(on(day), zone, local) == utc(expected)
    assert instant(on(day), local.replace(fold=1), zone) == utc(expected)


def test_due_instants_are_utc_datetimes() -> None:
    assert due_at(date(2024, 7, 1), "Europe/Berlin").tzinfo is UTC


def test_month_end_and_clock_change_together() -> None:
    """Monthly from 31 January in Berlin: winter, leap day, the day clocks change (at 02:00), summer."""
    recurrence = Recurrence(date(2024, 1, 31), "month", 1)
    assert [due_at(recurrence.boundary(n), "Europe/Berlin") for n in range(4)] == [
        utc("2024-01-30T23:00"),
        utc("2024-02-28T23:00"),
        utc("2024-03-30T23:00"),
        utc("2024-04-29T22:00"),
    ]


@pytest.mark.parametrize(
    ("at", "zone", "day", "clock"),
    [
        ("2024-03-30T22:59:59", "Europe/Berlin", "2024-03-30", "23:59:59"),
        ("2024-03-30T23:00:00", "Europe/Berlin", "2024-03-31", "00:00:00"),
        ("2024-03-31T01:00:00", "Europe/Berlin", "2024-03-31", "03:00:00"),
        ("2018-11-04T02:59:59", "America/Sao_Paulo", "2018-11-03", "23:59:59"),
        ("2018-11-04T03:00:00", "America/Sao_Paulo", "2018-11-04", "01:00:00"),
        ("2011-12-30T09:59:59", "Pacific/Apia", "2011-12-29", "23:59:59"),
        ("2011-12-30T10:00:00", "Pacific/Apia", "2011-12-31", "00:00:00"),
        ("2024-11-03T05:00:00", "America/Havana", "2024-11-03", "00:00:00"),
        ("2024-02-29T12:00:00.000001", "UTC", "2024-02-29", "12:00:00.000001"),
    ],
)
def test_local_date_and_time_are_what_clocks_in_the_zone_show(at: str, zone: str, day: str, clock: str) -> None:
    assert local_date(utc(at), zone) == on(day)
    assert local_time_of(utc(at), zone) == time.fromisoformat(clock)
    elsewhere = utc(at).astimezone(timezone(timedelta(hours=-7)))
    assert local_date(elsewhere, zone) == on(day)


def test_naive_datetimes_and_times_with_an_offset_are_refused() -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="has no offset"):
        local_date(naive, "Europe/Berlin")
    with pytest.raises(ValueError, match="has no offset"):
        local_time_of(naive, "Europe/Berlin")
    with pytest.raises(ValueError, match="carries an offset"):
        instant(date(2024, 1, 1), time(9, tzinfo=UTC), "Europe/Berlin")


def test_instants_outside_the_calendar_are_refused() -> None:
    with pytest.raises(OverflowError, match="outside the years 1 to 9999"):
        due_at(date(1, 1, 1), "Asia/Tokyo")
    with pytest.raises(OverflowError, match="outside the years 1 to 9999"):
        instant(date(9999, 12, 31), time(23), "America/New_York")
    with pytest.raises(OverflowError, match="outside the years 1 to 9999"):
        local_date(datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Tokyo")


NOT_ZONES = [
    "",
    " ",
    ".",
    "..",
    "/",
    "../etc/passwd",
    "/etc/localtime",
    "/usr/share/zoneinfo/Europe/Berlin",
    "Europe/../Europe/Berlin",
    "localtime",
    "posixrules",
    "posix/Europe/Berlin",
    "right/Europe/Berlin",
    "Factory",
    "Europe",
    "Europe/",
    "Europe/Atlantis",
    "europe/berlin",
    " Europe/Berlin",
    "Europe/Berlin\n",
    "Europe/Berlin\0",
    "zone.tab",
    "tzdata.zi",
    "CEST",
    "GMT+5",
    "+02:00",
    "UTC+2",
    "x" * 100_000,
]


@pytest.mark.parametrize("name", NOT_ZONES, ids=lambda name: ascii(name)[:30])
def test_what_is_not_an_iana_zone_is_refused_everywhere(name: str) -> None:
    assert not zone_exists(name)
    with pytest.raises(ValueError, match="unknown time zone"):
        due_at(date(2024, 1, 1), name)
    with pytest.raises(ValueError, match="unknown time zone"):
        local_date(datetime(2024, 1, 1, tzinfo=UTC), name)


@pytest.mark.parametrize(
    "name",
    ["UTC", "Etc/UTC", "Etc/GMT+5", "Europe/Berlin", "America/Argentina/Buenos_Aires", "US/Eastern", "Asia/Calcutta"],
)
def test_zones_and_old_names_of_the_iana_database_exist(name: str) -> None:
    assert zone_exists(name)
    assert name in zone_names()


def test_the_host_s_zone_files_change_nothing(tmp_path: Path) -> None:
    """A host whose Europe/Berlin is really Asia/Tokyo still gets Berlin's midnight: all hosts must agree."""
    tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    program = (
        "from datetime import date; from zoneinfo import ZoneInfo; from datetime import datetime;"
        "from shared.domain.calendar import due_at;"
        "print(due_at(date(2024, 7, 1), 'Europe/Berlin').isoformat());"
        "print(datetime(2024, 7, 1, tzinfo=ZoneInfo('Europe/Berlin')).utcoffset())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["2024-06-30T22:00:00+00:00", "9:00:00"]
