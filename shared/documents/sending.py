"""Ways to send a mail: a port, and the writer of `.eml` files."""

import hashlib
import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from shared.documents.mail import Mail


class Envelope(NamedTuple):
    """Who writes to whom, when, and under which id: one notice has one id, however often it is sent."""

    sender_name: str
    sender: str
    recipient: str
    at: datetime
    message_id: str


class MailServerError(OSError):
    """The server can't be reached or takes no mail from us now: the same for every mail, so none is tried after it."""


class Sender(Protocol):
    """Sends a mail, at least once. Raises OSError when trying again later may help, ValueError when it never will."""

    def send(self, envelope: Envelope, mail: Mail) -> None: ...


def message_id(agency_id: str, key: str) -> str:
    """The Message-ID of a notice, made from its key: a mail sent twice is seen as one by mail programs."""
    digest = hashlib.sha256(f"{agency_id}\x1f{key}".encode()).hexdigest()
    return f"<{digest[:32]}@duecycle.invalid>"


def compose(envelope: Envelope, mail: Mail) -> EmailMessage:
    """The message as it goes over the wire. Raises ValueError for a header that can't be sent."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{_quoted(envelope.sender_name)} <{envelope.sender}>"
    message["To"] = envelope.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(envelope.at)
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body, cte="quoted-printable")
    return message


def _quoted(name: str) -> str:
    """A display name as a quoted string on one line, whatever characters it holds."""
    escaped = " ".join(name.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class EmlWriter:
    """Writes every mail as a file, named by its moment, recipient and id; the same mail twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, envelope: Envelope, mail: Mail) -> None:
        """Write `<time>-<recipient>-<id>.eml`; the id alone tells files apart, the rest is for people."""
        self._folder.mkdir(parents=True, exist_ok=True)
        who = re.sub(r"[^A-Za-z0-9.@_-]", "_", envelope.recipient)[:60]
        name = f"{envelope.at:%Y-%m-%dT%H%M%SZ}-{who}-{envelope.message_id[1:33]}.eml"
        (self._folder / name).write_bytes(compose(envelope, mail).as_bytes())
