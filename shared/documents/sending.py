"""Ways to send a mail: the interface, its error, and the writer of `.eml` files."""

import hashlib
import re
from base64 import b64encode
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from shared.documents.mail import Mail
from shared.domain.mail_addresses import on_the_wire
from shared.domain.mailing import Trouble

LINE_MAX = 78
_WORD_BYTES = 42  # makes encoded words of 68 characters at most: they fit behind the longest field name here


def mailbox(field: str, name: str, address: str) -> str:
    """`From: "Name" <address>`, whatever characters the name holds; it holds exactly one address."""
    shown = _one_line(name)
    if not shown:
        return f"{field}: {address}"
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    line = f'{field}: "{escaped}" <{address}>'
    if _plain(shown) and len(line) <= LINE_MAX:
        return line
    return _joined([f"{field}:", *_encoded(shown), f"<{address}>"])


def address_only(field: str, address: str) -> str:
    """`To: address`; an address is never broken."""
    return _joined([f"{field}:", address])


def words(field: str, text: str) -> str:
    """A line of free text, such as a subject: folded at its spaces if it is plain, else encoded."""
    shown = _one_line(text)
    folded = _joined([f"{field}:", *shown.split(" ")])
    if _plain(shown) and max(len(each) for each in folded.split("\r\n")) <= LINE_MAX:
        return folded
    return _joined([f"{field}:", *_encoded(shown)])


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _plain(text: str) -> bool:
    """False for what is not ASCII, and for what a reader would decode: it may say something else then."""
    return text.isascii() and "=?" not in text


def _encoded(text: str) -> list[str]:
    """Encoded words of whole characters; a reader joins neighbours without the space between them."""
    chunks, chunk = [], b""
    for each in text:
        raw = each.encode("utf-8", "replace")
        if len(chunk) + len(raw) > _WORD_BYTES:
            chunks.append(chunk)
            chunk = b""
        chunk += raw
    return [f"=?utf-8?b?{b64encode(each).decode()}?=" for each in (*chunks, chunk) if each]


def _joined(parts: list[str]) -> str:
    """The parts with spaces between them, and a line break before each that no longer fits."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 1 + len(part) <= LINE_MAX:
            lines[-1] += f" {part}"
        else:
            lines.append(f" {part}")
    return "\r\n".join(lines)


class Envelope(NamedTuple):
    """Who writes to whom, when, and under which id: one notice has one id, however often it is sent."""

    sender_name: str
    sender: str
    recipient: str
    at: datetime
    message_id: str


class UnsentError(Exception):
    """A mail was not sent, or it is unknown. `lasting`: the server will never accept it.

    `tried` False: nothing was tried for this mail. `alone`: the problem concerns this mail alone. The reason contains no
    address, because it is shown and logged.
    """

    def __init__(
        self, trouble: Trouble, reason: str, *, lasting: bool = False, tried: bool = True, alone: bool = False
    ) -> None:
        super().__init__(reason)
        self.trouble, self.reason, self.lasting, self.tried, self.alone = trouble, reason, lasting, tried, alone


class Sender(Protocol):
    """Sends a mail, at least once. Raises UnsentError, and nothing else, for one that was not sent."""

    def send(self, envelope: Envelope, mail: Mail) -> None: ...


def message_id(agency_id: str, key: str) -> str:
    """The Message-ID of a notice, made from its key: a mail sent twice is seen as one by mail programs."""
    digest = hashlib.sha256(f"{agency_id}\x1f{key}".encode()).hexdigest()
    return f"<{digest[:32]}@duecycle.invalid>"


def with_wire_addresses(envelope: Envelope) -> Envelope:
    """The envelope with both domains in ASCII. Raises UnsentError for an address that can't be sent from or to."""
    sender = _wire("agency", "its agency's address", "send the agency with a valid one", envelope.sender)
    recipient = _wire("recipient", "its recipient's address", "send the client with a valid one", envelope.recipient)
    return envelope._replace(sender=sender, recipient=recipient)


def _wire(trouble: Trouble, whose: str, fix: str, address: str) -> str:
    try:
        return on_the_wire(address)
    except ValueError as error:
        raise UnsentError(trouble, f"{whose} is not valid: {error}; {fix}", lasting=True) from None


def compose(envelope: Envelope, mail: Mail) -> bytes:
    """The message as it goes over the wire: header lines of our own folding, and the text. Raises UnsentError."""
    wire = with_wire_addresses(envelope)
    lines = (
        mailbox("From", wire.sender_name, wire.sender),
        address_only("To", wire.recipient),
        words("Subject", mail.subject),
        f"Date: {format_datetime(wire.at)}",
        f"Message-ID: {wire.message_id}",
        "Auto-Submitted: auto-generated",
    )
    content = EmailMessage(policy=SMTP)
    content.set_content(mail.body, cte="quoted-printable")
    return "".join(f"{line}\r\n" for line in lines).encode() + content.as_bytes()


class EmlWriter:
    """Writes every mail as a file, named by its moment, recipient and id; the same mail twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, envelope: Envelope, mail: Mail) -> None:
        """Write `<time>-<recipient>-<id>.eml`; the id makes it unique, everything else is for people. Raises UnsentError."""
        message = compose(envelope, mail)
        who = re.sub(r"[^A-Za-z0-9.@_-]", "_", envelope.recipient)[:60]
        name = f"{envelope.at:%Y-%m-%dT%H%M%SZ}-{who}-{envelope.message_id[1:33]}.eml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(message)
        except OSError as error:
            raise UnsentError("away", f"the mail folder can't be written: {error.strerror or error}") from None
