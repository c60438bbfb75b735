"""The sender of mails, chosen by the address in the settings."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from shared.documents.sending import EmlWriter, Sender
from shared.documents.smtp import MAIL_SECONDS, SmtpSender, account_of


def sender_of(mail_url: str, seconds: float = MAIL_SECONDS) -> Sender:
    """The sender for an address; over SMTP a mail takes `seconds` at most up to its final dot.

    `file:///folder` writes each mail as a file. `smtp://host` sends with STARTTLS, `smtps://host` with TLS from the start,
    `smtp+plain://host` in clear, for a catcher on the same private network. Raises ValueError with what to write instead.
    """
    parts = urlsplit(mail_url)
    if parts.scheme == "file":
        return EmlWriter(Path(unquote(parts.path)))
    return SmtpSender(account_of(mail_url), seconds)
