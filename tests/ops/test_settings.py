"""Settings: each wrong one is told with its name and the fix, all at once, and no password is ever shown."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from shared.setting_names import SETTINGS, unknown_names
from shared.settings import SettingsError, load

ROOT = Path(__file__).parents[2]
URLS = {
    "DUECYCLE_DATABASE_URL": "postgresql://u@db/x",
    "DUECYCLE_BROKER_URL": "amqp://u@broker/x",
    "DUECYCLE_MAIL_URL": "smtp://u@mail",
}

GOOD = {"DUECYCLE_DATABASE_URL": "postgresql://u@db/duecycle", "DUECYCLE_BROKER_URL": "amqp://u:p@broker/duecycle"}


def test_everything_wrong_is_told_at_once() -> None:
    """Nobody wants to mend one setting, start, and be told of the next."""
    environ = {"DUECYCLE_DATABASE_URL": "mysql://u@db/x", "DUECYCLE_HTTP": "9190", "DUECYCLE_THREADS": "many"}

    with pytest.raises(SettingsError) as told:
        load(environ)

    assert str(told.value).splitlines() == [
        "DUECYCLE_DATABASE_URL begins with 'mysql', not with postgresql or postgresql+psycopg or postgres; write"
        " postgresql://user@host:5432/database",
        "DUECYCLE_HTTP is '9190'; write HOST:PORT, such as 0.0.0.0:9190, or off",
        "DUECYCLE_THREADS is 'many'; write a whole number from 1 to 64",
        "DUECYCLE_BROKER_URL is not set; set it, for example DUECYCLE_BROKER_URL=amqp://scheduler@broker:5672/duecycle"
        " (the password may stand in DUECYCLE_BROKER_PASSWORD_FILE)",
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BROKER_URL", "http://broker", "begins with 'http', not with amqp or amqps"),
        ("BROKER_URL", "amqp://broker:port/x", "is no address"),
        ("BROKER_URL", "amqp:///x", "names no host"),
        ("BROKER_URL", "amqp://u@a/x", "names the user u without a password; set DUECYCLE_BROKER_PASSWORD or"),
        ("BROKER_URL", "amqps://u:p@a/x,amqps://u@b/x", "or write amqps://u:PASSWORD@b"),
        (
            "MAIL_URL",
            "smtps://post@mail.example",
            "names the user post without a password; set DUECYCLE_MAIL_PASSWORD or",
        ),
        ("MAIL_URL", "mail.example", "begins with no scheme"),
        ("MAIL_URL", "smtp://", "names no host"),
        ("MAIL_URL", "file://", "names no folder"),
        ("LEASE_SECONDS", "1", "write a whole number from 4 to 3600"),
        ("STATEMENT_TIMEOUT_SECONDS", "60", "more than a quarter of DUECYCLE_LEASE_SECONDS"),
        ("LOG_LEVEL", "loud", "write debug, info, warning or error"),
        ("DATABSE_URL", "x", "is no setting of Duecycle; did you mean DUECYCLE_DATABASE_URL?"),
        ("LEASE_SECOND", "60", "is no setting of Duecycle; did you mean DUECYCLE_LEASE_SECONDS?"),
        ("BROKER_URL_FILES", "x", "did you mean DUECYCLE_BROKER_URL_FILE?"),
        ("PORT", "8080", "is no setting of Duecycle"),
        ("COLOUR", "red", "remove it, or see docs/operating/settings.md"),
        ("DATABASE_PASSWORD_FILE", "/nowhere", "names /nowhere, which can't be read (No such file or directory)"),
    ],
)
def test_a_wrong_setting_is_named_with_the_fix(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^DUECYCLE_{name} ") as told:
        load({**GOOD, f"DUECYCLE_{name}": value})
    assert says in str(told.value)


def test_passwords_come_from_mounted_files_and_are_not_shown(tmp_path: Path) -> None:
    """A password with characters that an address would split at is quoted."""
    for name in ("db", "broker"):
        (tmp_path / name).write_text(f"{name} p@ss/word\n")
    files = {
        "DUECYCLE_DATABASE_PASSWORD_FILE": str(tmp_path / "db"),
        "DUECYCLE_BROKER_PASSWORD_FILE": str(tmp_path / "broker"),
        "DUECYCLE_BROKER_URL": "amqp://u@broker/duecycle",
    }

    found = load({**GOOD, **files})

    assert found.database_url == "postgresql+psycopg://u:db%20p%40ss%2Fword@db/duecycle"
    assert found.broker_urls == ("amqp://u:broker%20p%40ss%2Fword@broker/duecycle",)
    assert "word" not in repr(found)


def test_a_variable_wins_over_its_file_and_an_address_over_both(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from-file")
    environ = {**GOOD, "DUECYCLE_DATABASE_PASSWORD_FILE": str(tmp_path / "file")}

    assert "from-file" in load(environ).database_url
    assert "direct" in load({**environ, "DUECYCLE_DATABASE_PASSWORD": "direct"}).database_url
    given = {**environ, "DUECYCLE_DATABASE_URL": "postgresql://u:own@db/duecycle"}
    assert load(given).database_url == "postgresql+psycopg://u:own@db/duecycle"


def test_several_hosts_of_a_database_may_be_written_as_libpq_does() -> None:
    """For a failover: a new connection goes to the one that takes writes."""
    several = {
        **GOOD,
        "DUECYCLE_DATABASE_URL": "postgresql://u:p@a:5432,b:5433/duecycle?target_session_attrs=read-write",
    }

    found = load(several).database_url

    assert found == "postgresql+psycopg://u:p@/duecycle?host=a:5432&host=b:5433&target_session_attrs=read-write"
    from sqlalchemy import make_url
    from sqlalchemy.dialects.postgresql.psycopg import dialect

    _, connection = dialect().create_connect_args(make_url(found))
    assert (connection["host"], connection["port"]) == ("a,b", "5432,5433")


def test_defaults_and_several_brokers() -> None:
    found = load({**GOOD, "DUECYCLE_BROKER_URL": "amqp://u:p@a/x, amqp://u:p@b/x", "DUECYCLE_HTTP": "off"})

    assert found.broker_urls == ("amqp://u:p@a/x", "amqp://u:p@b/x")
    assert (found.http, found.threads, found.lease) == (None, 4, timedelta(minutes=2))


def test_names_that_somebody_reads_are_no_slips() -> None:
    """Secrets by name, what tests and scripts read, and what Kubernetes tells every pod of a Service called duecycle."""
    known = ("DUECYCLE_SECRET_STRIPE_ACME", "DUECYCLE_SECRET_FOLDER", "DUECYCLE_DEBUG", "DUECYCLE_LINK_SECRET_FILE")
    cluster = {
        "DUECYCLE_SERVICE_HOST": "10.0.0.1",
        "DUECYCLE_WEBHOOKS_SERVICE_PORT_HTTP": "8080",
        "DUECYCLE_PORT": "tcp://10.0.0.1:8080",
        "DUECYCLE_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert unknown_names({**GOOD, **dict.fromkeys(known, "x"), **cluster, "DUECYCLES": "x"}) == {}


def test_every_name_that_stands_in_the_code_is_known() -> None:
    """Whoever reads another variable adds it, or every process that sees it refuses to start."""
    kinds = ("*.py", "*.sh", "*.yml", "Makefile", "README.md", "CONTRIBUTING.md")
    folders = ("shared", "scheduler", "workers", "ops", "deploy")
    files = [path for kind in kinds for path in ROOT.glob(kind)]
    files += [path for folder in folders for kind in kinds for path in (ROOT / folder).rglob(kind)]
    found = {name for path in files for name in re.findall(r"DUECYCLE_[A-Z_]*[A-Z]", path.read_text("utf-8"))}
    assert {"DUECYCLE_DATABASE_URL", "DUECYCLE_NEXT_INSIDE", "DUECYCLE_SECRETS"} <= found
    assert unknown_names(dict.fromkeys(found - {"DUECYCLE_SECRET"}, "x")) == {}


def test_every_setting_is_listed_and_read() -> None:
    """Each wrong one is reported, so each name of the list is read; and the page of settings has it in its table."""
    table = (ROOT / "docs" / "operating" / "settings.md").read_text("utf-8")
    for name in SETTINGS:
        with pytest.raises(SettingsError, match=f"DUECYCLE_{name}_FILE names /nowhere"):
            load({**URLS, f"DUECYCLE_{name}": "", f"DUECYCLE_{name}_FILE": "/nowhere"})
        assert f"`DUECYCLE_{name}`" in table
