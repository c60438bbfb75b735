"""Mail addresses as they go over the wire: one bare address, its domain in ASCII.

Domains become A-labels as IDNA 2008 has them (RFC 5891: small letters, NFC, Punycode). Python's own codec is IDNA 2003, which
makes another domain of some: `straße` is not `strasse`.
"""

import re
import unicodedata
from typing import Final

LABEL_MAX: Final = 63  # RFC 1035, 2.3.4
LOCAL_MAX: Final = 64  # RFC 5321, 4.5.3.1.1
DOMAIN_MAX: Final = 253
_ATOM: Final = r'[^@\s\x00-\x1f\x7f-\x9f.,;:<>()\[\]\\"]+'
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")  # what may be typed for a dot between labels (RFC 3490, 3.1)
_MARKS: Final = ("Mn", "Mc")
_JOINERS: Final = "-_\u00b7\u30fb"


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII; what comes before the @ stays as it is. Raises ValueError with what is wrong."""
    local, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("no @")
    if not _LOCAL.fullmatch(local):
        raise ValueError("nothing, a needless dot, or a character that needs quotes before the @")
    if len(local.encode()) > LOCAL_MAX:
        raise ValueError(f"more than {LOCAL_MAX} bytes before the @")
    labels = [_label(each) for each in _DOTS.split(domain)]
    wire = ".".join(labels)
    if len(wire) > DOMAIN_MAX:
        raise ValueError(f"a domain of more than {DOMAIN_MAX} characters")
    return f"{local}@{wire}"


def _label(label: str) -> str:
    if not label:
        raise ValueError("a needless dot in the domain")
    plain = label if label.isascii() else unicodedata.normalize("NFKC", label.lower()).lower()
    if not all(each.isalnum() or each in _JOINERS or unicodedata.category(each) in _MARKS for each in plain):
        raise ValueError("a character that no domain has")
    if plain[0] == "-" or plain[-1] == "-":
        raise ValueError("a hyphen at an end of a part of the domain")
    wire = plain if plain.isascii() else f"xn--{plain.encode('punycode').decode('ascii')}"
    if len(wire) > LABEL_MAX:
        raise ValueError(f"a part of the domain of more than {LABEL_MAX} characters")
    return wire
