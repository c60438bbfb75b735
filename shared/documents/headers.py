"""Header lines of a mail, folded by ourselves (RFC 5322, RFC 2047).

Python's own folding takes the quotes off a long name, and each comma in it then begins another address. Here a name is either
one quoted string on one line, or encoded words, in which no character means anything.
"""

from base64 import b64encode

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
