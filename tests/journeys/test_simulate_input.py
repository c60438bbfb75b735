"""`duecycle simulate` and what people feed it: a clear error, or a rejected line; never a traceback, never a lost message."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.simulate.command import simulate_command

AGENCY = {
    "agency_id": "ag",
    "revision": 1,
    "name": "Northlight",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "email": "office@agency.example",
}
CLIENT = {"agency_id": "ag", "client_id": "c", "revision": 2, "name": "C", "email": "c@c.example"}


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(simulate_command, [str(each) for each in arguments])


def message(kind: str, id_: str, at: str, **data: Any) -> bytes:
    said = {"specversion": "1.0", "id": id_, "source": "/p", "type": f"duecycle.{kind}.v1", "time": at, "data": data}
    return json.dumps(said).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one good line."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(message("agency.upserted", "1", "2026-06-01T08:00:00Z", **AGENCY) + b"\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--until", "2026-02-30"], ["2026-02-30", "YYYY-MM-DD"]),
        (["--until", "tomorrow"], ["tomorrow", "YYYY-MM-DD"]),
        (["--until", "9999-01-01"], ["9999-01-01", "2199"]),
        (["--until", "2026-07-01", "--outage", "2026-06-05"], ["2026-06-05", "FROM..TO"]),
        (["--until", "2026-07-01", "--outage", "2026-06-05..2026-06-05"], ["FROM must be earlier"]),
        (["--until", "2026-07-01", "--outage", "2026-06-05..2026-06-31"], ["2026-06-31", "YYYY-MM-DD"]),
        (["--until", "2026-07-01", "--seed", "-1"], ["-1"]),
        ([], ["--until"]),
    ],
)
def test_a_wrong_option_is_named_with_exit_code_2(
    file: Path, tmp_path: Path, arguments: list[str], said: list[str]
) -> None:
    out = tmp_path / "out"
    result = simulate(file, "--out", out, *arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert all(word in result.stderr for word in said), result.stderr
    assert not out.exists()


def test_a_missing_file_and_a_folder_are_refused_with_exit_code_2(tmp_path: Path) -> None:
    for given in (tmp_path / "nowhere.jsonl", tmp_path):
        result = simulate(given, "--until", "2026-07-01", "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert str(given) in result.stderr
        assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_refused_and_left_alone_without_force(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "orders.jsonl").write_text("mine")
    result = simulate(file, "--until", "2026-06-02", "--out", out)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert [path.read_text() for path in out.iterdir()] == ["mine"]


def test_force_replaces_the_last_runs_files_and_keeps_what_is_not_its_own(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "orders.jsonl").write_text("old")
    (out / "letter.txt").write_text("mine")
    result = simulate(file, "--until", "2026-06-02", "--out", out, "--force")
    assert result.exit_code == 0
    assert (out / "orders.jsonl").read_text() == ""
    assert (out / "letter.txt").read_text() == "mine"


def test_a_file_as_out_is_refused_with_exit_code_2(file: Path) -> None:
    result = simulate(file, "--until", "2026-06-02", "--out", file)
    assert result.exit_code == 2
    assert file.read_bytes().startswith(b'{"specversion"')


def test_an_empty_file_is_an_empty_run(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    result = simulate(empty, "--until", "2026-06-02", "--out", tmp_path / "out", "--json")
    assert (result.exit_code, result.exception) == (0, None)
    assert json.loads(result.stdout)["messages"] == {"read": 0, "after_the_end": 0}
    assert (tmp_path / "out" / "report.html").is_file()


# line → the field and a word of the reason; by the number of its line in the file below
REJECTED = {
    2: ("", "not JSON"),
    3: ("", "not JSON"),
    4: ("", "not JSON"),
    6: ("data.timezone", "Mars/Olympus"),
    10: ("", "10000"),
    11: ("data.name", "U+0000"),
    14: ("time", "not a time"),
    15: ("", "array"),
    16: ("", "UTF-8"),
    17: ("", "not JSON"),
    18: ("type", "nonsense"),
}


def bad_lines() -> list[bytes]:
    at = "2026-06-01T09:00:00Z"
    first = message("agency.upserted", "1", "2026-06-01T08:00:00Z", **AGENCY)
    return [
        first,
        b"this is not json",
        b'{"specversion": "1.0", \x00\x00}',
        b"\x00\x00\x00",
        first,
        message("agency.upserted", "2", at, **{**AGENCY, "agency_id": "mars", "timezone": "Mars/Olympus"}),
        message("client.upserted", "3", at, **CLIENT),
        message("client.upserted", "4", at, **{**CLIENT, "revision": 1, "name": "Older"}),
        message("client.upserted", "5", at, **{**CLIENT, "agency_id": "nobody"}),
        message("client.upserted", "6", at, **{**CLIENT, "name": "x" * 10_000_000}),
        message("client.upserted", "7", at, **{**CLIENT, "client_id": "d", "name": "N\x00UL"}),
        b"",
        b"   ",
        message("client.upserted", "8", "not a time", **CLIENT),
        b"[1, 2, 3]",
        b"\xff\xfe\xfa",
        b"{" * 100_000,
        message("nonsense.upserted", "9", at, agency_id="ag"),
        message("agency.upserted", "10", "2027-06-01T08:00:00Z", **{**AGENCY, "agency_id": "later"}),
    ]


def test_every_line_is_applied_stale_waiting_repeated_or_rejected_with_field_and_reason(tmp_path: Path) -> None:
    """Also: an agency without any rows of its own is no problem, and a 10 MB message is one rejected line."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out"
    file.write_bytes(b"\n".join(bad_lines()))
    result = simulate(file, "--until", "2026-06-10", "--out", out, "--json")
    assert (result.exit_code, result.exception) == (0, None)
    messages = json.loads(result.stdout)["messages"]
    assert messages == {
        "read": 16,
        "after_the_end": 1,
        "applied": 2,
        "stale": 1,
        "waiting": 1,
        "rejected": 11,
        "repeated": 1,
    }
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert {row["line"]: row["field"] for row in rejected} == {line: field for line, (field, _) in REJECTED.items()}
    assert all(REJECTED[row["line"]][1] in row["reason"] for row in rejected)
    assert [(row["line"], row["id"]) for row in rejected if row["source"] == "/p"] == [
        (6, "2"),
        (11, "7"),
        (14, "8"),
        (18, "9"),
    ]
    waiting = [json.loads(line) for line in (out / "waiting.jsonl").read_text().splitlines()]
    assert [(row["line"], row["waits_for"]) for row in waiting] == [(9, "agency/nobody")]


UPSERTS = (
    message("agency.upserted", "1", "2026-06-01T08:00:00Z", **AGENCY),
    message("client.upserted", "2", "2026-06-01T08:00:00Z", **CLIENT),
)


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\xef\xbb\xbf\n", b"\n\xef\xbb\xbf"])
def test_a_byte_order_mark_of_utf_8_is_passed_over(tmp_path: Path, between: bytes) -> None:
    """Before the file, on a line of its own, and where files were put together."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + between.join(UPSERTS) + b"\n")
    result = simulate(path, "--until", "2026-06-02", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["messages"] == {"read": 2, "after_the_end": 0, "applied": 2}


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_another_encoding_is_named_and_the_run_says_that_nothing_came_of_it(
    tmp_path: Path, codec: str, name: str
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes((b"\r\n".join(UPSERTS) + b"\r\n").decode().encode(codec))
    result = simulate(path, "--until", "2026-06-02", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "no message of in.jsonl was applied" in result.stderr
    assert f"line 1: is {name}, not UTF-8; expected one JSON object" in result.stderr
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [each["line"] for each in rejected] == [1, 2]
    assert all(each["reason"].startswith(f"is {name}, not UTF-8;") for each in rejected)


def test_a_run_in_which_everything_waits_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(UPSERTS[1] + b"\n")
    result = simulate(path, "--until", "2026-06-02", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "no message of in.jsonl was applied: waits for agency/ag" in result.stderr
