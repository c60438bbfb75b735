"""The whole command over every answer a gateway can give: it ends well, and its page is drawn."""

import json
from collections import Counter
from pathlib import Path

from click.testing import CliRunner

from ops.simulate.command import simulate_command
from tests.journeys.portal import DEFAULTS

TOKENS = (
    "ok",
    "decline:insufficient_funds",
    "decline:stolen_card",
    "decline:expired_card",
    "action_required",
    "decline_until:2026-06-04",
    "outage_until:2026-06-02",
    "pending:2",
    "unknown_then_ok",
    "unknown_then_declined",
    "",  # no payment method at all
)


def _line(name: str, number: int, **data: object) -> str:
    message = {
        "specversion": "1.0",
        "id": f"m{number}",
        "source": "/portal",
        "type": f"duecycle.{name}.v1",
        "time": "2026-05-31T12:00:00Z",
        "data": {"agency_id": "ag", "revision": 1, **DEFAULTS[name], **data},
    }
    return json.dumps(message)


def _file(path: Path) -> Path:
    lines = [_line("agency.upserted", 1), _line("service.upserted", 2)]
    for number, token in enumerate(TOKENS):
        client = f"c{number}"
        lines.append(_line("client.upserted", 10 * number + 10, client_id=client))
        if token:
            of = {"client_id": client, "payment_method_id": f"pm{number}", "token": token}
            lines.append(_line("payment_method.upserted", 10 * number + 11, **of))
        of = {"client_id": client, "subscription_id": f"s{number}", "starts_on": "2026-06-01"}
        lines.append(_line("subscription.upserted", 10 * number + 12, **of))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_answer_of_a_gateway_is_processed_written_and_drawn(tmp_path: Path) -> None:
    """One client for each token: the run succeeds, nothing is charged twice, and the page names every subscription."""
    out = tmp_path / "out"
    arguments = [str(_file(tmp_path / "tokens.jsonl")), "--until", "2026-06-17", "--out", str(out), "--json"]

    ran = CliRunner().invoke(simulate_command, arguments)

    assert (ran.exit_code, ran.exception) == (0, None), ran.output
    charges = [json.loads(line) for line in (out / "charges.jsonl").read_text().splitlines()]
    succeeded = Counter(charge["subscription_id"] for charge in charges if charge["outcome"] == "succeeded")
    assert succeeded == {f"s{number}": 1 for number in (0, 5, 6, 7, 8)}
    invoices = {row["subscription_id"]: row for row in map(json.loads, (out / "invoices.jsonl").open())}
    assert {id_ for id_, row in invoices.items() if row["status"] == "paid"} == set(succeeded)
    assert {id_ for id_, row in invoices.items() if row["failing_since"]} == {"s1", "s2", "s3", "s4", "s9", "s10"}
    page = (out / "report.html").read_text()
    assert all(f"s{number}" in page for number in range(len(TOKENS)))
