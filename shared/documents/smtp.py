"""Mail by SMTP: one kept connection for each worker thread, and every refusal sorted by whose problem it is.

A mail is sent once the server has confirmed it after the final dot; if the connection breaks there, it is in doubt (RFC 1047).
"""

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from time import monotonic
from typing import NamedTuple, NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

from shared.documents.mail import Mail
from shared.documents.replies import Stage, trouble_of
from shared.documents.sending import Envelope, UnsentError, compose, with_wire_addresses
from shared.domain.mailing import Trouble

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 20.0
MAIL_SECONDS = 60.0  # for one mail up to its final dot
DOT_SECONDS = 600.0  # for the answer to it (RFC 5321, 4.5.3.2.6)
KEEP_SECONDS = 60.0  # servers end idle connections after five minutes (RFC 5321, 4.5.3.2.7); many do so much earlier
REST_SECONDS = 60.0  # after a refusal of our account nothing is tried: more wrong logins would only lock it
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_DOT = re.compile(rb"^\.", re.MULTILINE)  # RFC 5321, 4.5.2
_SAYS: dict[Trouble, str] = {
    "recipient": "refused for this recipient or this mail: {}",
    "agency": "the agency's address is refused as a sender: {}; send the agency with another one, or let the server accept it",
    "account": "the mail server does not accept us: {}; check DUECYCLE_MAIL_URL, its password, and the account's quota and"
    " reputation",
    "away": "the mail server takes no mail now: {}",
    "in_doubt": "the mail server broke off after the whole mail ({}): it may have arrived",
}


class Account(NamedTuple):
    """A mail server and how to speak with it. `scheme`: smtp (STARTTLS), smtps (TLS from the start) or smtp+plain."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    ca: str | None


def account_of(url: str) -> Account:
    """Read `scheme://user:password@host:port?ca=/path`. Raises ValueError with what to write instead."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"write {', '.join(f'{each}://host' for each in PORTS)} for the mail server")
    asked = parse_qs(parts.query)
    unknown = set(asked) - {"ca"}
    if unknown:
        raise ValueError(
            f"the mail server's address has no option {', '.join(sorted(unknown))}; there is only ca=/path"
        )
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if parts.scheme == "smtp+plain" and (user or password):
        raise ValueError("smtp+plain is not encrypted: it takes no user and no password; write smtp:// or smtps://")
    return Account(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        user=user,
        password=password,
        ca=asked["ca"][-1] if "ca" in asked else None,
    )


class SmtpSender:
    """Sends over a connection of the calling thread; safe to share between threads.

    One mail takes `seconds` at most, and after its final dot `dot_seconds` more.
    """

    def __init__(
        self,
        account: Account,
        seconds: float = MAIL_SECONDS,
        dot_seconds: float = DOT_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._account, self._seconds, self._dot_seconds, self._monotonic = account, seconds, dot_seconds, clock
        self._own = local()
        self._refused: tuple[float, str] | None = None  # until when nothing is tried, and why

    def send(self, envelope: Envelope, mail: Mail) -> None:
        """Send one mail. Raises UnsentError."""
        if self._refused is not None and self._monotonic() < self._refused[0]:
            raise UnsentError("account", self._refused[1], tried=False)
        wire, message = with_wire_addresses(envelope), compose(envelope, mail)
        until = self._monotonic() + self._seconds
        try:
            session = self._session(until)
            self._hand_over(session, wire, message, until)
        except UnsentError as unsent:
            if unsent.trouble in ("account", "away", "in_doubt"):
                self._forget()
            if unsent.trouble == "account":
                self._refused = (self._monotonic() + REST_SECONDS, unsent.reason)
            raise
        self._refused = None
        self._own.used_at = self._monotonic()

    def close(self) -> None:
        """End the calling thread's connection."""
        session = getattr(self._own, "session", None)
        if session is not None:
            self._own.session = None
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()

    def _hand_over(self, session: smtplib.SMTP, wire: Envelope, message: bytes, until: float) -> None:
        """One mail transaction (RFC 5321, 3.3)."""
        with _or("away"):
            self._patience(session, until)
            _expect("sender", session.mail(wire.sender, _options(session, wire, len(message))))
            self._patience(session, until)
            _expect("recipient", session.rcpt(wire.recipient))
            self._patience(session, until)
            _expect("data", session.docmd("DATA"), wanted=3)
            self._patience(session, until)
            session.send(_DOT.sub(b"..", message) + b".\r\n")
        with _or("in_doubt"):
            self._patience(session, self._monotonic() + self._dot_seconds, longest=self._dot_seconds)
            code, words = session.getreply()
        if not 200 <= code < 600:
            raise UnsentError("in_doubt", _SAYS["in_doubt"].format("its answer was none"))
        _expect("content", (code, words))

    def _patience(self, session: smtplib.SMTP, until: float, longest: float = COMMAND_SECONDS) -> None:
        """How long the next answer is waited for: within what is left for the whole mail."""
        if session.sock is not None:
            session.sock.settimeout(max(0.1, min(longest, until - self._monotonic())))

    def _session(self, until: float) -> smtplib.SMTP:
        """The thread's connection: the kept one if it still answers, else a new one."""
        session: smtplib.SMTP | None = getattr(self._own, "session", None)
        if session is not None:
            self._patience(session, until, longest=CONNECT_SECONDS)
            if self._monotonic() - self._own.used_at < KEEP_SECONDS and _answers(session):
                return session
            self._forget()
        self._own.session = session = connect(self._account, min(CONNECT_SECONDS, self._seconds / 4))
        self._own.used_at = self._monotonic()
        return session

    def _forget(self) -> None:
        session = getattr(self._own, "session", None)
        self._own.session = None
        if session is not None:
            session.close()


def _options(session: smtplib.SMTP, wire: Envelope, size: int) -> list[str]:
    """What MAIL says beside the sender. Raises UnsentError for an address that this server can't take."""
    options = [f"SIZE={size}"] if session.has_extn("size") else []
    if wire.sender.isascii() and wire.recipient.isascii():
        return options
    if not session.has_extn("smtputf8"):
        whose: Trouble = "agency" if not wire.sender.isascii() else "recipient"
        told = f"the {whose}'s address is not ASCII before the @, and the server has no SMTPUTF8"
        raise UnsentError(whose, _SAYS[whose].format(told), lasting=True)
    return [*options, "SMTPUTF8", "BODY=8BITMIME"]


def _expect(stage: Stage, reply: tuple[int, bytes], wanted: int = 2) -> None:
    """Raises UnsentError for a reply of another kind."""
    code, words = reply
    if code // 100 != wanted:
        _refuse(stage, code, words)


def _refuse(stage: Stage, code: int, words: bytes | str) -> NoReturn:
    trouble = trouble_of(stage, code, _decoded(words))
    raise UnsentError(trouble, _SAYS[trouble].format(f"{code} {_text(words)}".strip()), lasting=code >= 500)


@contextmanager
def _or(trouble: Trouble) -> Iterator[None]:
    """A connection that ends in here is this trouble."""
    try:
        yield
    except (smtplib.SMTPException, OSError) as error:
        raise UnsentError(trouble, _SAYS[trouble].format(_cause(error))) from None


def _cause(error: BaseException) -> str:
    """What broke the connection; smtplib hides a timeout behind a word of its own."""
    found = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
    return "no answer in time" if isinstance(found, TimeoutError) else "it broke the connection off"


def connect(account: Account, seconds: float = CONNECT_SECONDS) -> smtplib.SMTP:
    """A connection that may be sent over: encrypted unless the address says plain, and logged in. Raises UnsentError.

    Each answer is waited for `seconds` at most.
    """
    where = f"{account.host}:{account.port}"
    trouble: Trouble = "account"
    try:
        return _connect(account, seconds)
    except smtplib.SMTPAuthenticationError as error:
        told = f"{where} refuses the user or the password ({error.smtp_code} {_text(error.smtp_error)})"
    except smtplib.SMTPResponseException as error:
        _refuse("greeting", error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        told = f"{where}: {error}; use a server that can, or another scheme in DUECYCLE_MAIL_URL"
    except ssl.SSLCertVerificationError as error:
        told = f"{where}: its certificate is not trusted ({error.verify_message}); mount its CA and add ?ca=/path"
    except ssl.SSLError as error:
        told = f"{where} does not speak TLS as expected ({error.reason}); smtps:// is TLS from the start, smtp:// is STARTTLS"
    except socket.gaierror:
        trouble, told = "away", f"there is no host {account.host}; check DUECYCLE_MAIL_URL"
    except (TimeoutError, ConnectionRefusedError) as error:
        trouble, told = "away", f"no answer from {where} ({type(error).__name__})"
    except (smtplib.SMTPException, OSError) as error:
        trouble, told = "away", f"{where}: {_cause(error)} ({type(error).__name__})"
    raise UnsentError(trouble, _SAYS[trouble].format(told))


def _connect(account: Account, seconds: float) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=account.ca)
    if account.scheme == "smtps":
        session: smtplib.SMTP = smtplib.SMTP_SSL(account.host, account.port, timeout=seconds, context=context)
    else:
        session = smtplib.SMTP(account.host, account.port, timeout=seconds)
    try:
        if account.scheme == "smtp":
            session.starttls(context=context)  # raises if it is not offered: nothing goes out in clear
        session.ehlo_or_helo_if_needed()
        if account.user is not None:
            _log_in(session, account.user, account.password or "")
    except BaseException:
        session.close()
        raise
    return session


def _log_in(session: smtplib.SMTP, user: str, password: str) -> None:
    """Log in. A server that hangs up meanwhile has refused: some do so after the first wrong password."""
    try:
        session.login(user, password)
    except smtplib.SMTPServerDisconnected:
        raise smtplib.SMTPAuthenticationError(535, b"the server hung up") from None


def _answers(session: smtplib.SMTP) -> bool:
    try:
        return bool(session.rset()[0] == 250)
    except (smtplib.SMTPException, OSError):
        return False


def _decoded(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _text(words: bytes | str) -> str:
    """A server's words on one line, with whatever looks like an address taken out: reasons are shown and logged."""
    kept = ("[address]" if "@" in word else word for word in _decoded(words).split())
    return " ".join(kept)[:200]
