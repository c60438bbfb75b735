"""What a mail server's reply means: whose problem it is.

By the enhanced status code if there is one (RFC 3463 and the registry of RFC 5248), else by its words, for blocklists and
quotas are told in words alone, else by the command that it answers. Postfix tells what it has against client and sender only
after RCPT, so the command alone says little.
"""

import re
from typing import Literal

from shared.domain.mailing import Trouble

Stage = Literal["greeting", "login", "sender", "recipient", "data", "content"]

_ENHANCED = re.compile(r"\s*[245]\.(\d{1,3})\.(\d{1,3})\b")
# RFC 4954: authentication needed, failed or too weak; RFC 3207: TLS needed or not to be had.
_AUTHENTICATION = frozenset({432, 454, 523, 530, 534, 535, 538})
# The sender's address is none, has no mailbox, or its domain does not let us send for it (DKIM, SPF, DMARC: RFC 7372).
_SENDER = frozenset({(1, 7), (1, 8), (7, 20), (7, 21), (7, 22), (7, 23), (7, 24), (7, 26), (7, 27), (7, 60)})
# Credentials, encryption, reverse DNS, and Google's words for limits and reputation.
_ACCOUNT = frozenset({(5, 3), (7, 8), (7, 9), (7, 11), (7, 14), (7, 25), (7, 28)})
_MAIL = frozenset({(2, 3), (3, 4)})  # this mail is too large
_SENDER_WORDS = re.compile(
    r"sender address|sender (?:is )?(?:rejected|denied|not)|sender verif|send as|not owned by|from (?:address|header|domain)"
    r"|\bspf\b|\bdkim\b|\bdmarc\b",
    re.IGNORECASE,
)
_ACCOUNT_WORDS = re.compile(
    r"client host|block ?list|black ?list|\bblocked\b|spamhaus|reputation|your ip|\brelay|not authenticated"
    r"|authentication (?:is )?required|sending (?:limit|quota)|\b(?:daily|hourly|monthly) [\w ]*(?:limit|quota)"
    r"|message quota|rate limit|too many (?:messages|connections|e?mails)|account (?:is )?(?:suspended|disabled|locked)",
    re.IGNORECASE,
)


def trouble_of(stage: Stage, code: int, words: str) -> Trouble:
    """Whose problem a refusal is. A code of 500 and above means that it lasts."""
    found = _ENHANCED.match(words)
    enhanced = (int(found[1]), int(found[2])) if found else None
    if code in _AUTHENTICATION or stage == "login":
        return "account"
    by_code = _by_code(stage, code, enhanced) if enhanced else None
    if by_code is not None:
        return by_code
    if _SENDER_WORDS.search(words):
        return "agency"
    if _ACCOUNT_WORDS.search(words):
        return "account"
    if code == 421:  # "service not available, closing transmission channel"
        return "account" if enhanced and enhanced[0] == 7 else "away"
    return _by_command(stage, code)


def _by_code(stage: Stage, code: int, enhanced: tuple[int, int]) -> Trouble | None:
    """What the enhanced code says on its own; None for one that leaves it open, as 5.7.1 does."""
    subject, _ = enhanced
    if enhanced in _SENDER or (subject == 1 and stage == "sender"):
        return "agency"
    if enhanced in _ACCOUNT or (enhanced == (4, 5) and code >= 500):  # RFC 3463: congestion; Google: the daily limit
        return "account"
    if subject in (1, 2, 6) or enhanced in _MAIL:
        return "recipient"
    if subject in (3, 4) and code < 500 and stage != "recipient":
        return "away"
    return None


def _by_command(stage: Stage, code: int) -> Trouble:
    if not 400 <= code < 600 or code == 503:  # no reply to what was said
        return "away"
    if stage == "greeting":
        return "away" if code < 500 else "account"
    if stage == "sender":
        if code == 552:
            return "recipient"  # this mail is too large
        return "away" if code < 500 else "agency"
    if stage == "data" and code < 500:
        return "away"
    return "recipient"
