"""Mail by SMTP: one kept connection for each worker thread, and every refusal sorted into "later" and "never".

Reply codes are those of RFC 5321 (4.2) and RFC 4954; the first digit decides, with one exception: a 5xx that speaks of *our*
set-up (authentication, our address as a sender) is cured by an operator, so it is tried again, and its words say what to do.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable
from threading import local
from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from shared.documents.mail import Mail
from shared.documents.sending import Envelope, MailServerError, compose

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 20.0
KEEP_SECONDS = 60.0  # servers end idle connections after five minutes (RFC 5321, 4.5.3.2.7); many do so much earlier
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
# 5xx replies that an operator cures: no or wrong authentication (RFC 4954), encryption required (RFC 3207), no service here.
OURS = frozenset({521, 530, 534, 535, 538, 554})


class LaterError(OSError):
    """This mail was refused for now."""


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
        parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], user, password, *asked.get("ca", [None])
    )


class SmtpSender:
    """Sends over a connection of the calling thread; safe to share between threads."""

    def __init__(self, account: Account, clock: Callable[[], float] = monotonic) -> None:
        self._account, self._monotonic = account, clock
        self._own = local()

    def send(self, envelope: Envelope, mail: Mail) -> None:
        """Send one mail.

        Raises MailServerError when the server takes no mail from us now, LaterError when this mail was refused for now, both
        OSError; ValueError when it never will be taken, or can't be sent as it is.
        """
        message = compose(envelope, mail)
        session = self._session()
        needs_utf8 = not envelope.recipient.isascii()
        if needs_utf8 and not session.has_extn("smtputf8"):
            raise ValueError("the recipient's address is not ASCII, and the mail server can't take it (no SMTPUTF8)")
        options = ("SMTPUTF8", "BODY=8BITMIME") if needs_utf8 else ()
        try:
            session.send_message(message, envelope.sender, [envelope.recipient], mail_options=options)
        except smtplib.SMTPSenderRefused as refused:
            self._forget()
            raise MailServerError(f"the mail server refuses our sender: {_said(refused)}") from None
        except smtplib.SMTPRecipientsRefused as refused:
            code, words = next(iter(refused.recipients.values()))
            self._sort(code, words)
        except smtplib.SMTPResponseException as refused:
            self._sort(refused.smtp_code, refused.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self._forget()
            raise MailServerError(f"the mail server broke off: {type(error).__name__}") from None
        self._own.used_at = self._monotonic()

    def close(self) -> None:
        """End the calling thread's connection."""
        session = getattr(self._own, "session", None)
        if session is not None:
            self._own.session = None
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()

    def _sort(self, code: int, words: bytes | str) -> None:
        """Raise what a refusal means."""
        told = f"{code} {_text(words)}"
        if code == 421:  # "service not available, closing transmission channel"
            self._forget()
            raise MailServerError(f"the mail server takes no mail now: {told}")
        if code < 500:
            raise LaterError(told)
        if code in OURS and code != 554:  # 554 after DATA is about the mail; in a greeting it is about us
            self._forget()
            raise MailServerError(
                f"the mail server does not accept us ({told}); check DUECYCLE_MAIL_URL and its password"
            )
        raise ValueError(told)

    def _session(self) -> smtplib.SMTP:
        """The thread's connection: the kept one if it still answers, else a new one."""
        session: smtplib.SMTP | None = getattr(self._own, "session", None)
        if session is not None:
            if self._monotonic() - self._own.used_at < KEEP_SECONDS and _answers(session):
                return session
            self.close()
        self._own.session = session = connect(self._account)
        self._own.used_at = self._monotonic()
        return session

    def _forget(self) -> None:
        session = getattr(self._own, "session", None)
        self._own.session = None
        if session is not None:
            session.close()


def connect(account: Account) -> smtplib.SMTP:
    """A connection that may be sent over: encrypted unless the address says plain, and logged in. Raises MailServerError."""
    where = f"{account.host}:{account.port}"
    try:
        return _connect(account)
    except smtplib.SMTPAuthenticationError as error:
        told = f"{where} refuses the user or the password ({error.smtp_code}); check DUECYCLE_MAIL_PASSWORD"
    except smtplib.SMTPNotSupportedError as error:
        told = f"{where}: {error}; use a server that can, or another scheme in DUECYCLE_MAIL_URL"
    except ssl.SSLCertVerificationError as error:
        told = f"{where}: its certificate is not trusted ({error.verify_message}); mount its CA and add ?ca=/path"
    except ssl.SSLError as error:
        told = f"{where} does not speak TLS as expected ({error.reason}); smtps:// is TLS from the start, smtp:// is STARTTLS"
    except socket.gaierror:
        told = f"there is no host {account.host}; check DUECYCLE_MAIL_URL"
    except (TimeoutError, ConnectionRefusedError) as error:
        told = f"nobody answers at {where} ({type(error).__name__})"
    except (smtplib.SMTPException, OSError) as error:
        told = f"{where}: {type(error).__name__}: {_said(error)}"
    raise MailServerError(told)


def _connect(account: Account) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=account.ca)
    if account.scheme == "smtps":
        session: smtplib.SMTP = smtplib.SMTP_SSL(account.host, account.port, timeout=CONNECT_SECONDS, context=context)
    else:
        session = smtplib.SMTP(account.host, account.port, timeout=CONNECT_SECONDS)
    try:
        if account.scheme == "smtp":
            session.starttls(context=context)  # raises if it is not offered: nothing goes out in clear
        session.ehlo_or_helo_if_needed()
        if account.user is not None:
            _log_in(session, account.user, account.password or "")
        if session.sock is not None:
            session.sock.settimeout(COMMAND_SECONDS)
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


def _said(error: BaseException) -> str:
    """A server's words without addresses, for they go to the log."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return type(error).__name__ if isinstance(error, smtplib.SMTPException) else str(error.strerror or error)  # type: ignore[attr-defined]


def _text(words: bytes | str) -> str:
    """A server's words on one line, with whatever looks like an address taken out: reasons are shown and logged."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    kept = ("[address]" if "@" in word else word for word in text.split())
    return " ".join(kept)[:200]
