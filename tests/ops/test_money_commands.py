"""An operator's hands on money: accounts, refunds, and a person's word on what nobody else can settle."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import commands
from shared.gateways.port import Sent
from shared.gateways.sandbox import SandboxGateway
from shared.secret_store import reader
from shared.store import accounts
from shared.store.accounts import Configured
from shared.store.database import Store
from shared.store.invariants import violations
from tests.forced import unguarded
from tests.ops.conftest import INVOICE, Desk, doubt
from workers.gateway_accounts import GatewayRegistry, makers


def test_an_account_is_set_up_by_the_name_of_its_secret(desk: Desk) -> None:
    """The value never comes near the database, and the operator is told where it belongs."""
    said = desk.run(
        "account set --agency ag --provider stripe --secret stripe-acme --webhook-secret hook --rate 7 --by me"
    )
    assert "DUECYCLE_SECRET_STRIPE_ACME" in said.output
    assert "this secret is not set here" in said.output
    assert "/webhooks/stripe/ag" in said.output
    (row,) = desk.rows("account list")
    assert (row["secret"], row["rate_per_second"], row["webhook_secret"], row["secret_found"]) == (
        "stripe-acme",
        7,
        "hook",
        False,
    )
    (event,) = desk.events("account.set")
    assert (event["by"], event["secret_name"]) == ("me", "stripe-acme")
    found = CliRunner().invoke(
        commands,
        ["account", "list", "--json"],
        env={"DUECYCLE_DATABASE_URL": desk.url, "DUECYCLE_SECRET_STRIPE_ACME": "sk_live_very_secret"},
    )
    assert json.loads(found.output)["secret_found"] is True
    assert "very_secret" not in found.output


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("account set --agency nobody --provider stripe --secret s", "there is no agency nobody"),
        ("account set --agency ag --provider adyen --secret s", "adyen"),
        ("account set --agency ag --provider stripe --secret sk_live_123", "give its name"),
        ("account set --agency ag --provider stripe --secret s --webhook-secret whsec_ABC", "--webhook-secret"),
        ("refund request --agency ag", "say which invoice"),
        ("refund request --agency ag --invoice nothing", "there is no invoice nothing of ag"),
        (f"refund request --agency ag --invoice {INVOICE} --amount-minor 11901", "11900 is left"),
        (f"refund request --agency ag --invoice {INVOICE} --number 00001", "say which invoice"),
        (f"refund resolve --agency ag --invoice {INVOICE} --refund 1", "say what you found"),
        (f"refund resolve --agency ag --invoice {INVOICE} --refund 1 --not-refunded", "is not unknown or pending"),
        (f"charge resolve --agency ag --invoice {INVOICE}", "say what you found"),
        (f"charge resolve --agency ag --invoice {INVOICE} --not-charged", "no attempt of this invoice is unknown"),
        ("reconcile", "no account is set up"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(desk: Desk, line: str, says: str) -> None:
    assert says in desk.run(line, 2).output


def test_a_refund_is_asked_for_and_shown(desk: Desk) -> None:
    said = desk.run("refund request --agency ag --number 00001 --amount-minor 900 --reason goodwill --by me")
    assert "900 EUR (minor units) of invoice 00001 will be refunded" in said.output
    desk.settle()
    (row,) = desk.rows("refund list --agency ag --number 00001")
    assert (row["state"], row["amount_minor"], row["reason"], row["origin"]) == (
        "succeeded",
        900,
        "goodwill",
        "requested",
    )
    assert desk.events("refund.requested")[0]["by"] == "me"


def test_refunds_that_have_not_ended_are_listed_without_a_word_about_which(desk: Desk) -> None:
    """As attempts are: of every agency, longest first; ended ones by their state."""
    assert "no refund is open" in desk.run("refund list").output
    desk.run("refund request --agency ag --number 00001 --amount-minor 900")
    (row,) = desk.rows("refund list")
    assert (row["agency_id"], row["invoice_id"], row["refund_seq"], row["state"]) == ("ag", INVOICE, 1, "due")
    assert desk.rows("refund list --agency other") == []
    desk.settle()
    assert desk.rows("refund list") == []
    assert [row["state"] for row in desk.rows("refund list --state succeeded")] == ["succeeded"]
    assert "no such refund" in desk.run("refund list --state failed").output
    assert "need --agency ID" in desk.run("refund list --number 00001", 2).output


def test_a_refund_that_was_made_elsewhere_is_recorded(desk: Desk) -> None:
    assert "was recorded as refunded" in desk.run(f"refund request --agency ag --invoice {INVOICE} --outside").output
    (row,) = desk.rows(f"refund list --agency ag --invoice {INVOICE}")
    assert (row["state"], row["amount_minor"], row["origin"]) == ("succeeded", 11900, "outside")
    assert violations(desk.diary.store) == []


def test_a_person_says_that_it_was_paid(desk: Desk) -> None:
    doubt(desk)
    (row,) = desk.rows("charge list --code needs_a_person")
    assert (row["invoice_id"], row["state"], len(row["key"])) == (INVOICE, "unknown", 45)
    desk.run(f"charge resolve --agency ag --invoice {INVOICE} --paid pi_7 --by me")
    assert desk.diary.ask("SELECT status FROM invoices") == [("paid",)]
    assert desk.diary.ask("SELECT source, reference FROM payments") == [("sandbox", "pi_7")]
    assert desk.events("charge.resolved")[0]["by"] == "me"
    assert violations(desk.diary.store) == []


def test_a_person_says_that_it_was_not_and_it_goes_out_again_under_its_key(desk: Desk) -> None:
    """A wrong word does no harm while the provider remembers the key: here it does, and answers as it did."""
    doubt(desk)
    ((key,),) = desk.diary.ask("SELECT key FROM charges")
    desk.run(f"charge resolve --agency ag --invoice {INVOICE} --not-charged")
    desk.settle()
    assert desk.diary.ask("SELECT state FROM charges WHERE key = :key", key=key) == [("succeeded",)]
    assert desk.diary.ask("SELECT count(*) FROM sandbox_ledger WHERE key = :key", key=key) == [(1,)]


@pytest.mark.parametrize(
    ("option", "state", "notes"), [("--refunded re_7", "succeeded", 1), ("--not-refunded", "failed", 0)]
)
def test_a_person_says_what_became_of_a_refund(desk: Desk, option: str, state: str, notes: int) -> None:
    desk.run(f"refund request --agency ag --invoice {INVOICE} --amount-minor 900")
    with desk.diary.store.transaction() as tx, unguarded(tx):
        tx.run(
            "UPDATE refunds SET state = 'unknown', sent_at = now(), wake_at = :t", t=desk.diary.clock.at + timedelta(9)
        )
    desk.run(f"refund resolve --agency ag --invoice {INVOICE} --refund 1 {option} --by me")
    assert desk.diary.ask("SELECT state FROM refunds") == [(state,)]
    assert desk.diary.ask("SELECT count(*) FROM credit_notes") == [(notes,)]
    assert len(desk.diary.notices("refund_failed")) == 1 - notes
    assert violations(desk.diary.store) == []


@pytest.mark.parametrize(
    ("option", "code", "says"),
    [("", 2, "can't be asked here"), ("--no-lookup", 0, "no longer remembers the key")],
)
def test_nothing_goes_out_again_before_the_provider_was_asked(desk: Desk, option: str, code: int, says: str) -> None:
    """Where its secret is not at hand the command refuses, unless it is told to do without; then it warns of the dead key."""
    doubt(desk)
    with desk.diary.store.transaction() as tx:
        tx.run("UPDATE charges SET provider = 'stripe'")
    said = desk.run(f"charge resolve --agency ag --invoice {INVOICE} --not-charged {option}", code).output
    assert says in said
    assert desk.diary.ask("SELECT state FROM charges") == [("unknown" if code else "due",)]


def test_status_says_why_charges_are_stuck(desk: Desk) -> None:
    """A card of Stripe, and no account: named at once, also in the picture for people."""
    desk.diary.new_card(desk.diary.clock.at, "pm_1", provider="stripe")
    desk.diary.say("subscription.upserted", "2026-06-05", subscription_id="new", starts_on="2026-06-05")
    desk.settle()
    stuck = json.loads(desk.run("status --json").output)["charges_stuck"]
    assert stuck["gateway_missing"]["count"] >= 1
    assert "charges and refunds stuck: gateway_missing" in desk.run("status").output


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "stripe-acme").write_text("sk_from_file\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    environ = {"DUECYCLE_SECRET_FOLDER": str(tmp_path)}
    read = reader(environ)
    assert read("stripe-acme") == "sk_from_file"
    assert (read("empty"), read("binary"), read("nothing")) == (None, None, None)
    environ["DUECYCLE_SECRET_STRIPE_ACME"] = "sk_from_environment"  # noqa: S105
    assert read("stripe-acme") == "sk_from_environment"
    (tmp_path / "stripe-acme").write_text("rotated")
    del environ["DUECYCLE_SECRET_STRIPE_ACME"]
    assert read("stripe-acme") == "rotated"


@pytest.mark.parametrize("name", ["../passwd", "/etc/passwd", "UPPER", "", "a" * 64, "a b"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "passwd").write_text("secret")
    assert reader({"DUECYCLE_SECRET_FOLDER": str(tmp_path / "inner")})(name) is None


def test_a_missing_secret_is_one_agencys_trouble_alone(store: Store) -> None:
    """Each account says what is wrong with it, and the others are usable; a rotated secret counts at once."""
    secrets = {"good": "sk_test_1", "bad": "not a key", "pair": "id:secret"}
    registry = GatewayRegistry(secrets.get, {"sandbox": SandboxGateway(None)}, makers({}))  # type: ignore[arg-type]
    with store.transaction() as tx:
        for agency_id, provider, secret in (
            ("a", "stripe", "good"),
            ("b", "stripe", "missing"),
            ("c", "stripe", "bad"),
            ("d", "paypal", "pair"),
            ("e", "paypal", "bad"),
        ):
            accounts.configure(
                tx, Configured(agency_id=agency_id, provider=provider, secret=secret, test=True, rate_per_second=None)
            )
        found = {agency_id: registry(tx, agency_id) for agency_id in "abcdef"}
        assert not isinstance(found["a"]["stripe"], str)
        assert found["a"]["paypal"] == "account_missing"
        assert found["b"]["stripe"] == "secret_missing:missing"
        assert found["c"]["stripe"] == "secret_malformed:bad"
        assert not isinstance(found["d"]["paypal"], str)
        assert found["e"]["paypal"] == "secret_malformed:bad"
        assert found["f"]["stripe"] == "account_missing"
        assert registry(tx, "a")["stripe"] is found["a"]["stripe"]
        secrets["good"] = "sk_test_2"
        assert registry(tx, "a")["stripe"] is not found["a"]["stripe"]


def test_the_sandbox_finds_a_refund_by_its_key(store: Store) -> None:
    from tests.gateways.test_refunds import asked_of

    sandbox = SandboxGateway(None)  # type: ignore[arg-type]
    request = asked_of("sbx_1")
    assert sandbox.find_refund(request, Sent(store.clock.now(), None)) == sandbox.refund(request)  # type: ignore[union-attr]
