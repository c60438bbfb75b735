"""The report page: complete, escaped, self-contained, the same bytes for the same rows, and small enough to open."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ops.report import write_report
from ops.report.axis import Axis, percent
from ops.report.wording import json_text
from tests.ops.report_rows import SINCE, UNTIL, Page, Row, cycle, invoice, report


def test_every_subscription_has_a_lane_named_with_agency_and_client(tmp_path: Path) -> None:
    rows = [cycle("sub-1"), cycle("sub-2", "invoice"), cycle("sub-9", agency_id="harbour")]
    only_invoiced = invoice("inv-3", subscription_id="sub-3", client_id="gym")
    page = Page(report(tmp_path, {"cycles": rows, "invoices": [invoice(), only_invoiced]}))
    assert page.lanes() == ["harbour sub-9 ", "northlight sub-1 law", "northlight sub-2 ", "northlight sub-3 gym"]


def test_a_hold_is_a_bar_from_hold_to_release_with_its_dates(tmp_path: Path) -> None:
    held: Row = {
        "held_at": "2026-07-01T00:00:00Z",
        "settled_at": "2026-07-31T00:00:00Z",
        "blocking_starts_on": "2026-07-01",
    }
    text = report(tmp_path, {"cycles": [cycle(index=1, starts_on="2026-07-01", ends_on="2026-08-01", **held)]})
    page = Page(text)
    assert page.drawn("rect", "held") == [{"class": "held", "x": "33.33%", "width": "33.33%"}]
    assert [dot["cx"] for dot in page.drawn("circle", "held")] == ["66.66%"]
    assert "held 1 Jul 00:00 → 31 Jul 00:00 UTC (30 d)\nby the invoice of 1 Jul 2026" in text


def test_a_hold_that_is_not_released_reaches_the_edge_without_a_dot(tmp_path: Path) -> None:
    held: Row = {"state": "held", "held_at": "2026-07-01T00:00:00Z", "settled_at": None, "reason": "payment_failed"}
    text = report(tmp_path, {"cycles": [cycle(index=1, starts_on="2026-07-01", ends_on="2026-08-01", **held)]})
    page = Page(text)
    block, bar = page.drawn("rect", "held")
    assert block == {"class": "held", "x": "33.33%", "width": "34.44%"}
    assert bar == {"class": "held", "x": "33.33%", "width": "66.67%"}
    assert page.drawn("circle", "held") == []
    assert "held 1 Jul 00:00 UTC, not released" in text
    assert "1 cycle is held" in page.text


def test_blocked_failing_and_late_cycles_are_spans_too(tmp_path: Path) -> None:
    blocked = {"blocked_at": "2026-06-11T00:00:00Z", "settled_at": "2026-06-20T00:00:00Z"}
    late: Row = {"due_at": "2026-07-01T00:00:00Z", "settled_at": "2026-07-10T00:00:00Z", "index": 1}
    failing: Row = {"failing_since": "2026-08-12T00:00:00Z", "status": "open", "paid_at": None, "collected_minor": 0}
    page = Page(
        report(
            tmp_path, {"cycles": [cycle(stream="invoice", **blocked), cycle(**late)], "invoices": [invoice(**failing)]}
        )
    )
    assert page.drawn("rect", "blocked") == [{"class": "blocked", "x": "11.11%", "width": "10%"}]
    assert page.drawn("rect", "late") == [{"class": "late", "x": "33.33%", "width": "10%"}]
    assert page.drawn("rect", "failing") == [{"class": "failing", "x": "80%", "width": "20%"}]


def test_every_state_has_its_own_block(tmp_path: Path) -> None:
    states = ["due", "waiting", "held", "blocked", "done", "skipped", "cancelled"]
    page = Page(report(tmp_path, {"cycles": [cycle(f"sub-{state}", state=state) for state in states]}))
    assert {state: len(page.drawn("rect", state)) for state in states} == dict.fromkeys(states, 1)


def test_what_upstream_wrote_never_becomes_markup(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    refused = {"agency_id": None, "line": 29, "id": evil, "field": "data.starts_on", "reason": f"no such day {evil}"}
    failed = {"agency_id": evil, "invoice_id": "inv-1", "invoice_number": evil, "subscription_id": evil, "attempt": 1}
    failed |= {"at": "2026-06-02T00:00:00Z", "outcome": "declined", "code": evil, "key": "k", "amount_minor": 1}
    named = {"agency_id": evil, "subscription_id": evil}
    text = report(
        tmp_path,
        {
            "cycles": [
                cycle(**named, state="blocked", blocked_at="2026-06-01T00:00:00Z", settled_at=None, reason=evil)
            ],
            "invoices": [invoice(**named, client_id=evil, number=evil, status=evil, currency="<b>")],
            "charges": [failed | {"currency": "<b>"}],
            "notices": [{"occasion": evil, "audience": evil}],
            "rejected": [refused],
        },
    )
    page = Page(text)
    assert [found for tag, found in page.elements if tag == "script"] == [{"type": "application/json"}, {}]
    assert [tag for tag, _ in page.elements if tag == "img"] == []
    assert f"no such day {evil}" in page.text
    assert page.lanes() == [f"{evil} {evil} {evil}".lower()]


def test_json_in_the_page_can_not_end_its_script_element() -> None:
    assert json_text({"a": "</script><!--&"}) == '{"a":"\\u003c/script\\u003e\\u003c!--\\u0026"}'


def test_the_title_and_the_input_name_are_escaped(tmp_path: Path) -> None:
    write_report(tmp_path, title="<script>", since=SINCE, until=UNTIL, outage=None, input_name="a<b>.jsonl", seed=0)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.elements if tag in ("script", "b")] == ["script"]
    assert "a<b>.jsonl" in page.text


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    text = report(tmp_path, {"cycles": [cycle(), cycle(stream="invoice", invoice_id="inv-1")], "invoices": [invoice()]})
    assert re.findall(r"https?://|//[a-z]|@import|\ssrc=", re.sub(r"^ *// .*$", "", text, flags=re.MULTILINE)) == []
    targets = [found["href"] for _, found in Page(text).elements if "href" in found]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#hatch", "#bars", "#dots"}


def test_the_policy_allows_the_script_of_the_page_and_no_other(tmp_path: Path) -> None:
    text = report(tmp_path, {"cycles": [cycle()]})
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (found["content"] for _, found in Page(text).elements if "http-equiv" in found)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = {"cycles": [cycle("sub-1"), cycle("sub-2")], "invoices": [invoice()]}
    assert report(tmp_path / "one", rows) == report(tmp_path / "two", rows)
    assert report(tmp_path / "one", rows) == report(tmp_path / "one", {})


def test_an_empty_run_says_that_nothing_happened(tmp_path: Path) -> None:
    page = Page(report(tmp_path, {}))
    assert "Nothing happened" in page.text
    assert page.lanes() == []


def daily(subscriptions: int, days: int) -> Iterable[Row]:
    """Daily orders and invoices; every tenth subscription has an order held for its last day."""
    for number in range(subscriptions):
        for index in range(days):
            starts_on = date(2026, 6, 1) + timedelta(days=index)
            dates: Row = {"starts_on": str(starts_on), "ends_on": str(starts_on + timedelta(days=1)), "index": index}
            stuck: Row = {"state": "held", "held_at": f"{starts_on}T00:00:00Z", "settled_at": None}
            is_held = number % 10 == 0 and index == days - 1
            yield cycle(f"sub-{number:04}", "order", **dates, **(stuck if is_held else {"due_at": None}))
            yield cycle(f"sub-{number:04}", "invoice", **dates | {"due_at": None})


def test_500_daily_subscriptions_stay_under_5_mb_with_their_cycles_merged(tmp_path: Path) -> None:
    text = report(tmp_path, {"cycles": daily(500, 90)})
    page = Page(text)
    assert len(text.encode()) < 5_000_000
    assert len(page.lanes()) == 500
    assert "the run has more cycles than can be drawn one by one" in page.text
    assert "90 invoice cycles: paid\n1 Jun–29 Aug" in text
    assert len(page.drawn("rect", "held")) == 100  # block and bar of each of the 50


def test_as_many_cycles_as_are_drawn_one_by_one_stay_under_5_mb(tmp_path: Path) -> None:
    text = report(tmp_path, {"cycles": daily(500, 20)})
    page = Page(text)
    assert len(text.encode()) < 5_000_000
    assert "Simplified:" not in page.text
    assert len(page.drawn("rect", "paid")) == 10_000


def test_of_more_than_1000_subscriptions_those_in_trouble_are_drawn(tmp_path: Path) -> None:
    calm = [cycle(f"sub-{number:04}", held_at="2026-05-31T22:00:00Z") for number in range(1_001)]  # held, and released
    stuck = cycle("zz-held", state="held", held_at="2026-06-01T00:00:00Z", settled_at=None)
    page = Page(report(tmp_path, {"cycles": [*calm, stuck]}))
    assert len(page.lanes()) == 1_000
    assert "northlight zz-held " in page.lanes()
    assert "northlight sub-0998 " in page.lanes()
    assert "northlight sub-0999 " not in page.lanes()
    assert "the 1,000 subscriptions in most trouble" in page.text
    assert "2 others are in the figures only" in page.text
    assert "1,002 subscriptions" in page.text


def test_the_outage_is_shaded_when_there_was_one(tmp_path: Path) -> None:
    span = (datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 10, tzinfo=UTC))
    with_outage = report(tmp_path, {"cycles": [cycle()], "invoices": [invoice()]}, span)
    assert with_outage.count("left:33.33%;width:10%") == 3  # chart, axis, lanes
    assert "1 Jul 2026 until 10 Jul 2026" in with_outage
    assert "Outage" not in report(tmp_path, {})


def test_a_line_that_is_no_row_is_an_error_naming_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "cycles.jsonl").write_text(json.dumps(cycle()) + '\n{"stream": 5}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"cycles\.jsonl, line 2: "):
        report(tmp_path, {})


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (3, ["Jun 2026", "2", "3"]),
        (40, ["Jun 2026", "8", "15", "22", "", "Jul 2026", "6"]),
        (200, ["Jun 2026", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]),
        (4000, ["2027", "2028", "2029", "2030", "2031", "2032", "2033", "2034", "2035", "2036", "2037"]),
    ],
)
def test_the_axis_names_days_weeks_months_or_years(days: int, labels: list[str]) -> None:
    axis = Axis.over(SINCE, SINCE + timedelta(days=days))
    assert [tick.label for tick in axis.ticks()][: len(labels)] == labels
    assert axis.days == days


def test_places_are_exact_hundredths_of_a_per_cent() -> None:
    axis = Axis.over(SINCE, UNTIL)
    instants = [SINCE - timedelta(days=9), datetime(2026, 6, 4, 14, 24, tzinfo=UTC), UNTIL + timedelta(days=9)]
    assert [percent(axis.x(at)) for at in instants] == ["0%", "4%", "100%"]
