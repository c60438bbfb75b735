"""Settings: each wrong one is told with its name and the fix, all at once, and no password is ever shown."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.settings import SettingsError, load

GOOD = {"DUECYCLE_DATABASE_URL": "postgresql://u@db/duecycle", "DUECYCLE_BROKER_URL": "amqp://u@broker/duecycle"}


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
        ("MAIL_URL", "mail.example", "begins with no scheme"),
        ("MAIL_URL", "smtp://", "names no host"),
        ("MAIL_URL", "file://", "names no folder"),
        ("LEASE_SECONDS", "1", "write a whole number from 4 to 3600"),
        ("STATEMENT_TIMEOUT_SECONDS", "60", "more than a quarter of DUECYCLE_LEASE_SECONDS"),
        ("LOG_LEVEL", "loud", "write debug, info, warning or error"),
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
    found = load({**GOOD, "DUECYCLE_BROKER_URL": "amqp://u@a/x, amqp://u@b/x", "DUECYCLE_HTTP": "off"})

    assert found.broker_urls == ("amqp://u@a/x", "amqp://u@b/x")
    assert (found.http, found.threads, found.lease) == (None, 4, timedelta(minutes=2))
