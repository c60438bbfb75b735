"""The sample, through `duecycle simulate`: what its README promises, on the files that the command writes."""

import email
import email.policy
import json
from filecmp import dircmp
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ops.simulate.command import simulate_command

Rows = list[dict[str, Any]]
SHORT = ("2026-07-02",)  # with the first failures and holds
FIELDS = {
    "orders": "agency_id subscription_id cycle_starts_on cycle_ends_on created_at origin",
    "invoices": "agency_id invoice_id number subscription_id client_id cycle_index period_starts_on period_ends_on issued_on"
    " due_on status currency subtotal_minor tax_minor total_minor paid_at origin",
    "charges": "agency_id invoice_id invoice_number subscription_id attempt at outcome code key",
    "notices": "agency_id occasion audience to subject at invoice_number subscription_id",
    "cycles": "agency_id subscription_id stream index starts_on ends_on due_at state reason",
    "rejected": "agency_id line id field reason",
}


def simulate(sample: Path, out: Path, until: str, *options: str) -> Path:
    result = CliRunner().invoke(simulate_command, [str(sample), "--until", until, "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run of the whole summer."""
    return simulate(sample, tmp_path_factory.mktemp("sample") / "out", "2026-09-05")


def rows(run: Path, name: str, sub: str | None = None) -> Rows:
    found = [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
    return [row for row in found if sub in (None, row.get("subscription_id"))]


def table(found: Rows, fields: str) -> list[Any]:
    names = fields.split()
    return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in found]


def test_the_bakerys_next_order_is_1_july_and_its_next_invoice_3_july(run: Path) -> None:
    assert table(rows(run, "orders", "sub-bakery-seo"), "order_id cycle_starts_on origin") == [
        ("ord-1001", "2026-06-01", "manual"),
        ("ord:sub-bakery-seo:2026-07-01", "2026-07-01", "automatic"),
        ("ord:sub-bakery-seo:2026-08-01", "2026-08-01", "automatic"),
        ("ord:sub-bakery-seo:2026-09-01", "2026-09-01", "automatic"),
    ]
    # 1500.00 + 19 % VAT
    invoices = rows(run, "invoices", "sub-bakery-seo")
    assert table(invoices, "period_starts_on issued_on origin status subtotal_minor tax_minor total_minor") == [
        ("2026-06-03", "2026-06-03", "manual", "paid", 150000, 28500, 178500),
        ("2026-07-03", "2026-07-03", "automatic", "open", 150000, 28500, 178500),
        ("2026-08-03", "2026-08-03", "automatic", "open", 150000, 28500, 178500),
        ("2026-09-03", "2026-09-03", "automatic", "open", 150000, 28500, 178500),
    ]
    assert invoices[0]["paid_at"] == "2026-07-10T13:55:00Z"
    assert rows(run, "charges", "sub-bakery-seo") == []


def test_the_law_firms_series_keeps_to_the_month_end_and_its_orders_are_held_by_the_invoice_that_was_given_up(
    run: Path,
) -> None:
    """The client was told on 14 July that June's is not tried again, and it is not, though the card works from 9 August on."""
    invoices = rows(run, "invoices", "sub-law-seo")
    assert table(invoices, "period_starts_on period_ends_on issued_on status") == [
        ("2026-05-31", "2026-06-30", "2026-05-31", "paid"),
        ("2026-06-30", "2026-07-31", "2026-06-30", "open"),
        ("2026-07-31", "2026-08-31", "2026-07-31", "paid"),
        ("2026-08-31", "2026-09-30", "2026-08-31", "paid"),
    ]
    # The first payment was taken by the checkout; the money is there from 9 August on, the next retry day is 10 August.
    assert table(invoices, "paid_at")[0] == "2026-05-31T15:00:50Z"
    assert table(invoices, "paid_at")[2][:10] == "2026-08-10"
    orders = [row for row in rows(run, "cycles", "sub-law-seo") if row["stream"] == "order"]
    assert table(orders, "starts_on state held_at blocking_starts_on")[:3] == [
        ("2026-05-31", "done", None, None),
        ("2026-06-30", "held", "2026-06-29T22:00:00Z", "2026-06-30"),
        ("2026-07-31", "held", "2026-07-30T22:00:00Z", "2026-06-30"),
    ]
    june = [row for row in rows(run, "charges", "sub-law-seo") if row["invoice_id"].endswith("2026-06-30")]
    # Berlin days: the failure on 30 June, then +1, +3, +5, +7, +10, +14 days.
    assert table(june, "outcome") == ["declined"] * 7
    assert [row["at"][:10] for row in june] == [
        "2026-06-29",
        "2026-07-01",
        "2026-07-03",
        "2026-07-05",
        "2026-07-07",
        "2026-07-10",
        "2026-07-14",
    ]


def test_the_florists_new_card_releases_the_backlog_at_once(run: Path) -> None:
    charges = [row for row in rows(run, "charges", "sub-florist-desk") if row["invoice_id"].endswith("2026-07-10")]
    assert table(charges, "attempt at outcome code") == [
        (1, "2026-07-09T22:00:00Z", "declined", "stolen_card"),
        (2, "2026-07-20T12:00:00Z", "succeeded", None),
    ]
    orders = table(rows(run, "orders", "sub-florist-desk"), "cycle_starts_on cycle_ends_on created_at")
    assert orders[4:7] == [
        ("2026-07-08", "2026-07-15", "2026-07-07T22:00:00Z"),
        ("2026-07-15", "2026-07-22", "2026-07-20T12:00:00Z"),
        ("2026-07-22", "2026-07-29", "2026-07-21T22:00:00Z"),
    ]
    assert len(orders) == 13


def test_the_cafes_subscription_that_came_before_its_client_waited_for_it(run: Path) -> None:
    orders = table(rows(run, "orders", "sub-cafe-blog"), "cycle_starts_on created_at")
    assert orders[:2] == [("2026-06-15", "2026-06-15T07:00:05Z"), ("2026-06-16", "2026-06-15T22:00:00Z")]
    # every day from 15 June to 5 September: 16 + 31 + 31 + 5
    assert len(orders) == 83
    assert {(row["state"], row["reason"]) for row in rows(run, "cycles", "sub-cafe-blog")} == {("done", None)}


def test_all_of_the_audits_blocked_cycles_appear_when_the_price_is_set(run: Path) -> None:
    invoices = rows(run, "invoices", "sub-gym-audit")
    assert table(invoices, "period_starts_on period_ends_on issued_on status total_minor") == [
        ("2026-06-25", "2026-07-25", "2026-08-27", "paid", 105910),  # 890.00 + 19 % VAT
        ("2026-07-25", "2026-08-25", "2026-08-27", "paid", 105910),
        ("2026-08-25", "2026-09-25", "2026-08-27", "paid", 105910),
    ]
    cycles = [row for row in rows(run, "cycles", "sub-gym-audit") if row["stream"] == "invoice"]
    assert [row["blocked_at"][:10] for row in cycles] == ["2026-06-25", "2026-07-24", "2026-08-24"]
    assert table(rows(run, "orders", "sub-gym-audit"), "cycle_starts_on created_at") == [
        ("2026-06-25", "2026-08-27T09:00:00Z"),
        ("2026-07-25", "2026-08-27T09:00:00Z"),
        ("2026-08-25", "2026-08-27T09:00:00Z"),
    ]


def test_the_broken_line_is_rejected_with_field_and_reason(run: Path) -> None:
    (rejected,) = rows(run, "rejected")
    assert (rejected["line"], rejected["id"], rejected["field"]) == (30, "broken-1", "data.starts_on")
    assert "2026-02-30" in rejected["reason"]
    assert rows(run, "waiting") == []


def test_the_museums_lost_answer_is_looked_up_and_charged_once(run: Path) -> None:
    (charge,) = rows(run, "charges", "sub-museum-hosting")
    assert (charge["attempt"], charge["outcome"], charge["amount_minor"]) == (1, "succeeded", 141372)
    assert (charge["at"], charge["settled_at"]) == ("2026-06-20T09:01:00Z", "2026-06-20T09:02:00Z")
    about = [row["type"] for row in rows(run, "events") if row["subject"] == "subscription/sub-museum-hosting"]
    assert [type_ for type_ in about if type_.startswith(("charge.", "payment."))] == [
        "charge.unknown",
        "charge.succeeded",
        "payment.recorded",
    ]
    (invoice,) = rows(run, "invoices", "sub-museum-hosting")
    assert (invoice["status"], invoice["collected_minor"]) == ("paid", 141372)
    assert table(rows(run, "orders", "sub-museum-hosting"), "created_at") == ["2026-06-20T09:02:00Z"]


def test_every_output_row_has_the_published_fields(run: Path) -> None:
    for name, fields in FIELDS.items():
        found = rows(run, name)
        assert found, name
        for row in found:
            assert set(fields.split()) <= set(row), name
    assert {row["occasion"] for row in rows(run, "notices")} == {
        "cycle_blocked",
        "dunning_exhausted",
        "invoice_open",
        "invoice_paid",
        "payment_failed",
    }


def test_the_numbers_of_the_agency_have_no_gap(run: Path) -> None:
    numbers = sorted(row["number"] for row in rows(run, "invoices"))
    assert numbers == [f"NL-{sequence:05d}" for sequence in range(1, 113)]


def test_every_notice_is_one_mail_that_the_standard_library_reads(run: Path) -> None:
    mails = {}
    for path in (run / "mails").iterdir():
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert mail.defects == []
        assert mail.get_content_type() in ("text/plain", "multipart/mixed", "multipart/alternative")
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().strip()
        mails[mail["Message-ID"]] = (mail["To"], mail["Subject"])
    notices = rows(run, "notices")
    assert {row["message_id"]: (row["to"], row["subject"]) for row in notices} == mails
    assert len(notices) == 123
    assert {row["state"] for row in notices} == {"sent"}


def test_the_report_is_one_page_that_needs_no_network(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "sub-florist-desk" in page
    assert 'src="http' not in page
    assert not (run / "postgres").exists()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shuffled(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same input and seed, twice."""
    folder = tmp_path_factory.mktemp("shuffled")
    return simulate(sample, folder / "one", *SHORT, "--seed", "7"), simulate(
        sample, folder / "two", *SHORT, "--seed", "7"
    )


def test_the_same_input_and_seed_give_the_same_folder_byte_for_byte(shuffled: tuple[Path, Path]) -> None:
    one, two = shuffled
    assert dircmp(one, two).left_only == dircmp(one, two).right_only == []
    written = files(one)
    assert len(written) > 30
    assert [name for name, content in written.items() if files(two).get(name) != content] == []


def test_another_seed_gives_the_same_documents(shuffled: tuple[Path, Path], sample: Path, tmp_path: Path) -> None:
    in_order = simulate(sample, tmp_path / "out", *SHORT)
    what = {
        "orders": "order_id cycle_starts_on cycle_ends_on created_at",
        "invoices": "invoice_id period_starts_on period_ends_on issued_on status total_minor paid_at",
        "charges": "invoice_id attempt at outcome key",
        "cycles": "subscription_id stream starts_on state reason",
        "notices": "occasion audience to at key",
    }
    for name, fields in what.items():
        assert sorted(table(rows(shuffled[0], name), fields)) == sorted(table(rows(in_order, name), fields)), name
