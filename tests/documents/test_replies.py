"""Replies as mail servers give them (Postfix, Exim, Exchange Online, Gmail, Amazon SES): whose trouble each is."""

import pytest

from shared.documents.replies import Stage, trouble_of
from shared.domain.mailing import Trouble

REPLIES: list[tuple[Stage, int, str, Trouble]] = [
    (
        "recipient",
        550,
        "5.1.1 <x@y.example>: Recipient address rejected: User unknown in local recipient table",
        "recipient",
    ),
    ("recipient", 550, "no such user", "recipient"),
    ("recipient", 450, "4.2.0 <x@y.example>: Recipient address rejected: Greylisted", "recipient"),
    ("recipient", 452, "4.2.2 The email account that you tried to reach is over quota", "recipient"),
    ("recipient", 552, "5.2.2 Mailbox quota exceeded", "recipient"),
    ("recipient", 451, "4.3.0 try again later", "recipient"),
    ("recipient", 556, "5.1.10 Domain has null MX", "recipient"),
    ("recipient", 550, "5.7.1 message rejected by the recipient's policy", "recipient"),
    ("content", 552, "5.3.4 Message size exceeds fixed limit", "recipient"),
    ("sender", 552, "message exceeds maximum size", "recipient"),
    ("content", 554, "5.6.0 looks like spam", "recipient"),
    ("content", 451, "4.7.1 scanner says later", "recipient"),
    # Postfix says what it has against the sender after RCPT (smtpd_delay_reject).
    ("recipient", 550, "5.1.8 <a@b.example>: Sender address rejected: Domain not found", "agency"),
    ("recipient", 553, "5.7.1 <a@b.example>: Sender address rejected: not owned by user post", "agency"),
    ("sender", 550, "sender not allowed", "agency"),
    ("sender", 501, "5.1.7 Bad sender address syntax", "agency"),
    ("content", 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", "agency"),
    (
        "content",
        550,
        "5.7.26 Unauthenticated email from b.example is not accepted due to domain's DMARC policy",
        "agency",
    ),
    ("content", 554, "Message rejected: Email address is not verified: the from address failed the check", "agency"),
    ("sender", 530, "5.7.0 Authentication Required", "account"),
    ("sender", 535, "credentials invalid", "account"),
    ("login", 535, "5.7.8 Error: authentication failed", "account"),
    ("login", 454, "4.7.0 Temporary authentication failure", "account"),
    ("greeting", 554, "5.7.1 no mail from you", "account"),
    ("recipient", 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "account"),
    ("recipient", 554, "5.7.1 <x@y.example>: Relay access denied", "account"),
    ("recipient", 550, "5.7.1 Unable to relay", "account"),
    ("content", 550, "5.4.5 Daily user sending limit exceeded", "account"),
    ("sender", 454, "Throttling failure: Daily message quota exceeded.", "account"),
    ("content", 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "account"),
    ("recipient", 452, "4.5.3 Too many recipients this hour", "account"),
    ("greeting", 421, "4.7.0 Try again later, closing connection", "account"),
    ("greeting", 421, "too many connections from your IP", "account"),
    ("recipient", 421, "shutting down", "away"),
    ("greeting", 450, "busy", "away"),
    ("sender", 451, "4.3.0 local error", "away"),
    ("sender", 452, "4.3.1 Insufficient system storage", "away"),
    ("data", 451, "queue file write error", "away"),
    ("content", 452, "4.3.1 Insufficient system storage", "away"),
    ("data", 503, "bad sequence of commands", "away"),
    ("recipient", -1, "", "away"),
]


@pytest.mark.parametrize(("stage", "code", "words", "trouble"), REPLIES)
def test_whose_trouble_a_reply_is(stage: Stage, code: int, words: str, trouble: Trouble) -> None:
    assert trouble_of(stage, code, words) == trouble
