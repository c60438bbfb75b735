"""Ways to send a mail: the interface, its error, and the writer of `.eml` files."""

import hashlib
import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from shared.documents import headers
from shared.documents.mail import Mail
from shared.domain.mail_addresses import on_the_wire
from shared.domain.mailing import Trouble


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
        headers.mailbox("From", wire.sender_name, wire.sender),
        headers.address_only("To", wire.recipient),
        headers.words("Subject", mail.subject),
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
