"""In which encoding bytes are: messages are UTF-8, with or without the mark that some editors put in front."""

from typing import Final

MARK: Final = b"\xef\xbb\xbf"
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# Without a mark the zeros among the first four bytes decide (RFC 4627, section 3): JSON begins with two ASCII characters. A
# line that was cut from UTF-16 or UTF-32 behind the byte of its line break begins with the rest of that.
_ZEROS: Final = {
    (True, True, True, False): "UTF-32",
    (False, True, True, True): "UTF-32",
    (True, False, True, False): "UTF-16",
    (False, True, False, True): "UTF-16",
}


def without_mark(raw: bytes) -> bytes:
    """The bytes without a byte order mark of UTF-8."""
    return raw.removeprefix(MARK)


def wide_encoding(raw: bytes) -> str | None:
    """UTF-16 or UTF-32 if the bytes are of that kind, None for anything else."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name
    return _ZEROS.get(tuple(byte == 0 for byte in raw[:4]))  # type: ignore[arg-type]


def is_blank(raw: bytes) -> bool:
    """True for a line of a file with nothing on it: white space, a mark, or at its end what is left of a wide line break."""
    return raw in (b"\x00", b"\x00\x00\x00") or not without_mark(raw).strip()
