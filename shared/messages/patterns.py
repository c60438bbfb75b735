"""Patterns of the texts in messages.

Written as escapes that Python and ECMA 262 read alike, for the same patterns are in the published schemas.
"""

# UNSAFE is refused in every string of a message, also in unknown fields: a database cannot store NUL or half of a
# surrogate pair, and direction overrides make a text read otherwise than it is.
UNSAFE = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
# In our own fields, too: what a mail header or XML takes for the end of a line, or cannot hold.
UNPRINTABLE = UNSAFE + r"\u007f-\u009f\u2028\u2029\ufffe\uffff"
BREAKS = r"\u0009\u000a\u000d"
_SPACES = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE = r"\u00ad\u200b-\u200f\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
END = r"(?![\s\S])"  # the end of the text; Python's $ also matches before a last line break

SAFE = f"^[^{UNSAFE}]*{END}"
LINE = f"^[^{UNPRINTABLE}{BREAKS}]*{END}"
LINES = rf"^[^{UNPRINTABLE}\u000d]*{END}"
NAME = f"^(?=[\\s\\S]*[^{_SPACES}])[^{UNPRINTABLE}{BREAKS}]*{END}"
IDENTIFIER = f"^(?![{_SPACES}])[^{UNPRINTABLE}{BREAKS}{_INVISIBLE}]*(?<![{_SPACES}]){END}"
LOCALE = rf"^[A-Za-z]{{2,8}}(?:[-_][A-Za-z0-9]{{1,8}})*{END}"
# Beside white space: what separates or quotes addresses in a mail header, so that one address stays one. No part of it is
# empty, and what ASCII stands in a domain is what domains have.
_ATOM = rf'[^@.{UNPRINTABLE}{BREAKS}{_SPACES}{_INVISIBLE},;:<>()\[\]\\"]+'
_OF_NO_DOMAIN = r"\u0000-\u002c\u002e\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f"
_LABEL = rf"(?!-)[^{_OF_NO_DOMAIN}{UNPRINTABLE}{_SPACES}{_INVISIBLE}]+(?<!-)"
EMAIL = rf"^{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*{END}"
CURRENCY = f"^[A-Z]{{3}}{END}"
RATE = rf"^(?:100(?:\.0{{1,4}})?|(?:0|[1-9][0-9]?)(?:\.[0-9]{{1,4}})?){END}"

DATE = r"(?:19[7-9][0-9]|2[01][0-9][0-9])-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_HOUR, _SIXTY = r"(?:[01][0-9]|2[0-3])", r"[0-5][0-9]"
DAY = f"^{DATE}{END}"
DAY_OR_NEXT_BOUNDARY = f"^(?:next_boundary|{DATE}){END}"
LOCAL_TIME = f"^{_HOUR}:{_SIXTY}(?::{_SIXTY})?{END}"
INSTANT = rf"^{DATE}[Tt ]{_HOUR}:{_SIXTY}:{_SIXTY}(?:\.[0-9]+)?(?:[Zz]|[+-]{_HOUR}:?{_SIXTY}){END}"
MEDIA_TYPE = f"^application/json(?: ?; ?charset=(?:utf-8|UTF-8))?{END}"
