"""Upstream's ids where only plain characters may be used: in the path of an address, in an id of ours that is joined.

An id is 1 to 128 printable characters of any script; it may hold slashes and per cent signs, be `..`, or end in a slash.
Servers, proxies and providers each decode, shorten or refuse such paths in their own way, so none is ever sent one.
"""

import base64
import binascii
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_MARK: Final = "~"


def segment(id_: str) -> str:
    """An id as one segment of a path: itself if it is plain, else `~` and its UTF-8 in base64url. Different ids differ."""
    if _PLAIN.fullmatch(id_):
        return id_
    return _MARK + base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def id_of(found: str) -> str | None:
    """The id of a segment; None for a segment that we would not have written.

    What is neither plain nor marked is taken as the id itself: addresses from before were written so.
    """
    if not found.startswith(_MARK):
        return found
    try:
        id_ = base64.urlsafe_b64decode(found[1:] + "=" * (-len(found[1:]) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return id_ if id_ and segment(id_) == found else None


def joined(first: str, last: str) -> str:
    """Two free texts as one, split by a slash: other texts make another one, for the last holds no slash then."""
    return f"{first}/{last.replace('%', '%25').replace('/', '%2F')}"


def message_subject(source: str, id_: str) -> str:
    """The subject of events about one message from upstream."""
    return f"message/{joined(source, id_)}"
