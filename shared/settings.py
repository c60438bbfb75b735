"""The environment as one frozen, validated object. Secrets come from a variable or from the file that `…_FILE` names.

Every process reads its settings once, at its start. A wrong one is reported with its name and what to write instead; all of
them at once, never one after another.
"""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import msgspec

from shared.setting_names import PREFIX, SETTINGS, unknown_names

_ANY_PORT: tuple[str, int] | None = ("127.0.0.1", 0)
T = TypeVar("T")


class SettingsError(ValueError):
    """One or more settings can't be used; the message has a line for each, with the variable and the fix."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know of its surroundings.

    `broker_urls`: the nodes of one RabbitMQ cluster, tried one after the other. `http`: where /metrics, /healthz and /readyz
    are served (None: nowhere; port 0: any free one). `webhooks`: where
    the providers' webhooks and the payment pages by are served; clients reach those under `public_url`, whose addresses
    `link_secret` signs; `proxies` in front of them speak for many. `mail_url`: see `shared/documents/delivery.py`. `lease`:
    how long dispatched work may take before it is dispatched again; whatever a worker waits for is at most half of it.
    `clock_jump`: how far the database's clock may stray from our own counting before nothing is done by it.
    """

    database_url: str = ""
    broker_urls: tuple[str, ...] = ()
    mail_url: str = ""
    public_url: str = ""
    link_secret: str = ""
    webhooks: tuple[str, int] = ("127.0.0.1", 8080)
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    http: tuple[str, int] | None = ("127.0.0.1", 0)
    threads: int = 4
    lease: timedelta = timedelta(minutes=2)
    statement_timeout: timedelta = timedelta(seconds=10)
    stop_within: timedelta = timedelta(seconds=20)
    clock_jump: timedelta = timedelta(minutes=2)
    log_level: str = "info"

    def __repr__(self) -> str:
        """Without addresses, for they carry passwords."""
        return f"Settings(http={self.http}, threads={self.threads}, lease={self.lease}, log_level={self.log_level!r})"


def load(environ: Mapping[str, str] = os.environ, needs: tuple[str, ...] = ("DATABASE_URL", "BROKER_URL")) -> Settings:
    """Read the settings from an environment. Raises SettingsError that names every variable that is missing or wrong."""
    reader = _Reader(environ)
    found = Settings(
        database_url=reader.read("DATABASE_URL", "", _database),
        broker_urls=reader.read("BROKER_URL", (), _broker),
        mail_url=reader.read("MAIL_URL", "", _mail),
        public_url=reader.read("PUBLIC_URL", "", _public),
        link_secret=reader.read("LINK_SECRET", "", _long),
        webhooks=reader.read("WEBHOOKS", ("127.0.0.1", 8080), _address),
        proxies=reader.read("PROXIES", (), _networks),
        http=reader.read("HTTP", _ANY_PORT, _http),
        threads=reader.read("THREADS", 4, _whole(1, 64)),
        lease=reader.read("LEASE_SECONDS", timedelta(minutes=2), _seconds(4, 3600)),
        statement_timeout=reader.read("STATEMENT_TIMEOUT_SECONDS", timedelta(seconds=10), _seconds(1, 1800)),
        stop_within=reader.read("STOP_SECONDS", timedelta(seconds=20), _seconds(1, 600)),
        clock_jump=reader.read("CLOCK_JUMP_SECONDS", timedelta(minutes=2), _seconds(10, 3600)),
        log_level=reader.read("LOG_LEVEL", "info", _level),
    )
    if bool(found.public_url) != bool(found.link_secret):
        missing, given_ = ("LINK_SECRET", "PUBLIC_URL") if found.public_url else ("PUBLIC_URL", "LINK_SECRET")
        reader.wrong.setdefault(
            missing, f"is not set beside {PREFIX}{given_}; set both, or neither for mails without links"
        )
    given = {"DATABASE_URL": found.database_url, "BROKER_URL": found.broker_urls, "MAIL_URL": found.mail_url}
    for name in needs:
        if not given[name] and name not in reader.wrong:
            reader.wrong[name] = f"is not set; set it, for example {PREFIX}{name}={_EXAMPLES[name]}"
    if found.statement_timeout * 4 > found.lease:
        reader.wrong["STATEMENT_TIMEOUT_SECONDS"] = (
            f"is {found.statement_timeout.total_seconds():g} s, more than a quarter of {PREFIX}LEASE_SECONDS"
            f" ({found.lease.total_seconds():g} s): work could be dispatched again while it still runs;"
            " lower it or raise the lease"
        )
    for name, what in unknown_names(environ).items():
        reader.wrong.setdefault(name, what)
    if reader.wrong:
        raise SettingsError("\n".join(f"{PREFIX}{name} {what}" for name, what in reader.wrong.items()))
    return found


_EXAMPLES = {
    "DATABASE_URL": "postgresql://duecycle@db:5432/duecycle (the password may stand in DUECYCLE_DATABASE_PASSWORD_FILE)",
    "BROKER_URL": "amqp://scheduler@broker:5672/duecycle (the password may stand in DUECYCLE_BROKER_PASSWORD_FILE)",
    "MAIL_URL": "smtp://mail.example:587 or file:///var/lib/duecycle/mails",
}


class _Reader:
    """Reads variables one by one and remembers what was wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.wrong: dict[str, str] = {}

    def read(self, name: str, default: T, parse: Callable[[str, "_Reader"], T]) -> T:
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text, self)
        except ValueError as error:
            self.wrong.setdefault(name, str(error))
            return default

    def text(self, name: str) -> str:
        """The variable, or the content of the file that `<name>_FILE` names; "" if there is neither."""
        if name not in SETTINGS:  # whoever sets it would be told that there is no such setting
            raise LookupError(f"{name} is read, but not listed in shared/setting_names.py")
        value = self._environ.get(PREFIX + name, "").strip()
        file = self._environ.get(f"{PREFIX}{name}_FILE", "").strip()
        if value or not file:
            return value
        try:
            return Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            self.wrong[f"{name}_FILE"] = (
                f"names {file}, which can't be read ({reason}); mount it, or set {PREFIX}{name}"
            )
            return ""


def _database(text: str, reader: _Reader) -> str:
    url = _url(text, ("postgresql", "postgresql+psycopg", "postgres"), "postgresql://user@host:5432/database")
    netloc, query = url.netloc, url.query
    if "," in netloc:  # libpq's way to write several hosts; SQLAlchemy reads them from the query
        account, at, hosts = netloc.rpartition("@")
        netloc = account + at
        query = "&".join([*(f"host={host}" for host in hosts.split(",")), *filter(None, [query])])
    several = urlunsplit(("postgresql+psycopg", netloc, url.path, query, ""))
    return with_password(several, reader.text("DATABASE_PASSWORD"))


_BROKER_PASSWORD = "BROKER_PASSWORD"  # noqa: S105 - a name


def _broker(text: str, reader: _Reader) -> tuple[str, ...]:
    password = reader.text(_BROKER_PASSWORD)
    nodes = [with_password(each.strip(), password) for each in text.split(",") if each.strip()]
    for node in nodes:
        url = _url(node, ("amqp", "amqps"), "amqp://user@host:5672/vhost, several nodes separated by commas")
        if not url.hostname:
            raise ValueError("names no host; write amqp://user@host:5672/vhost")
        if url.username and url.password is None and f"{_BROKER_PASSWORD}_FILE" not in reader.wrong:
            raise ValueError(_no_password("BROKER", url, url.scheme))
    return tuple(nodes)


def _mail(text: str, reader: _Reader) -> str:
    url = _url(text, ("smtp", "smtps", "smtp+plain", "file"), _EXAMPLES["MAIL_URL"])
    if url.scheme == "file" and not url.path:
        raise ValueError("names no folder; write file:///var/lib/duecycle/mails")
    if url.scheme != "file" and not url.hostname:
        raise ValueError(f"names no host; write {_EXAMPLES['MAIL_URL']}")
    if url.scheme == "file":
        return text
    found = with_password(text, reader.text("MAIL_PASSWORD"))
    if url.username and urlsplit(found).password is None:
        raise ValueError(_no_password("MAIL", url, url.scheme))
    return found


def _no_password(kind: str, url: Any, scheme: str) -> str:
    return (
        f"names the user {url.username} without a password; set {PREFIX}{kind}_PASSWORD or {PREFIX}{kind}_PASSWORD_FILE, or"
        f" write {scheme}://{url.username}:PASSWORD@{url.hostname}"
    )


_QUOTED = "write a password's / # ? @ as %2F %23 %3F %40, and HOST:PORT with a number"


def _url(text: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    url = _split(text)
    if url.scheme not in schemes:
        begins = repr(url.scheme) if url.scheme and "://" in text else "no scheme"
        raise ValueError(f"begins with {begins}, not with {' or '.join(schemes)}; write {example}")
    return url


def _split(text: str) -> SplitResult:
    """Its parts. The library's words quote a piece of the address, which may be one of the password: they are left out."""
    try:
        url = urlsplit(text)
        _ = url.port if "," not in url.netloc else None
    except ValueError:
        raise ValueError(f"is no address: its host or its port can't be read; {_QUOTED}") from None
    # Such a character ends the part before the host, and what follows would be taken for the path, and shown as that.
    if "@" in f"{url.path}{url.query}{url.fragment}" and "@" not in url.netloc:
        raise ValueError(f"is no address: it is cut before the host; {_QUOTED}")
    return url


def with_password(url: str, password: str) -> str:
    """The address with a password in it, unless it has one already, or none is given, or it names no user.

    Raises ValueError that quotes nothing of it.
    """
    parts = _split(url)
    user, at, host = parts.netloc.rpartition("@")
    if not password or not at or ":" in user:
        return url
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _public(text: str, _reader: _Reader) -> str:
    url = _url(text, ("https", "http"), "https://pay.example")
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("begins with 'http'; clients pay over https only: write https://pay.example")
    if not url.hostname or url.query or url.fragment:
        raise ValueError("is no plain address; write https://pay.example")
    return text


def _long(text: str, _reader: _Reader) -> str:
    if len(text) < 32:
        raise ValueError("is shorter than 32 characters; make a random one: openssl rand -hex 32")
    return text


def _http(text: str, reader: _Reader) -> tuple[str, int] | None:
    return None if text == "off" else _address(text, reader, ", or off")


def _address(text: str, _reader: _Reader, otherwise: str = "") -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"is {text!r}; write HOST:PORT, such as 0.0.0.0:9190{otherwise}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _networks(text: str, _reader: _Reader) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise ValueError(
            f"is no list of addresses ({error}); write 10.0.0.7 or 10.0.0.0/24, several with commas"
        ) from None


def _whole(least: int, most: int) -> Callable[[str, _Reader], int]:
    def parse(text: str, _reader: _Reader) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"is {text!r}; write a whole number from {least} to {most}")
        return int(text)

    return parse


def _seconds(least: int, most: int) -> Callable[[str, _Reader], timedelta]:
    whole = _whole(least, most)
    return lambda text, reader: timedelta(seconds=whole(text, reader))


def _level(text: str, _reader: _Reader) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError(f"is {text!r}; write debug, info, warning or error")
    return text.lower()
