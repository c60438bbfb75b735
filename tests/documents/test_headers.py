"""Header lines: one address in From, whatever the name is; lines of legal length; nothing a reader would decode into more."""

import email
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents import sending
from shared.documents.mail import Mail
from shared.documents.sending import Envelope, UnsentError, compose
from shared.domain.mail_addresses import on_the_wire

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
COMMAS = "Northlight Studio, Partners, Friends and Family, Lawyers, Accountants, Architects and Engineers of Berlin"
NAMES = [
    COMMAS,
    f"{COMMAS}, {COMMAS}, {COMMAS}",
    'a", <evil@x.example>, "',
    "=?utf-8?q?a=22=2C_=3Cevil=40x.example=3E=2C?=",
    "ends with a backslash \\",
    "工作室" * 60,
    "Évreux, Orléans, and a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z",
]


def composed(name: str, subject: str = "s", recipient: str = "accounts@law.example") -> bytes:
    return compose(Envelope(name, "office@agency.example", recipient, AT, "<1@duecycle.invalid>"), Mail(subject, "b\n"))


def parsed(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_name_never_makes_a_second_address(name: str) -> None:
    """A long ASCII name with commas gave six addresses, folded by Python."""
    raw = composed(name)

    (address,) = parsed(raw)["From"].addresses
    assert address.addr_spec == "office@agency.example"
    unread = " ".join(raw.split(b"\r\nTo:")[0].decode().split()).removeprefix("From: ")
    ((shown, bare),) = getaddresses([unread])  # a reader that decodes nothing sees one address too
    assert (str(make_header(decode_header(shown))), bare) == (name, "office@agency.example")


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_short_enough(name: str) -> None:
    """RFC 5322, 2.1.1: 78 characters; only an address alone on its line may be longer."""
    assert max(len(line) for line in composed(name, name).split(b"\r\n")) <= 78


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_stands_in_name_and_subject_adds_no_header(name: str, subject: str) -> None:
    found = parsed(composed(name, subject))
    assert found.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    ]
    assert [each.addr_spec for each in found["From"].addresses] == ["office@agency.example"]
    assert [each.addr_spec for each in found["To"].addresses] == ["accounts@law.example"]


def test_a_short_name_stays_readable() -> None:
    assert sending.mailbox("From", "Studio, Co.", "a@b.example") == 'From: "Studio, Co." <a@b.example>'
    assert sending.mailbox("From", " ", "a@b.example") == "From: a@b.example"
    assert sending.words("Subject", "Paid: invoice 1") == "Subject: Paid: invoice 1"


def test_a_long_plain_subject_is_folded_at_its_spaces() -> None:
    folded = sending.words("Subject", "Invoice " * 20)
    assert [len(line) <= 78 for line in folded.split("\r\n")] == [True] * 3
    assert "=?" not in folded


def test_a_long_address_is_never_broken() -> None:
    long = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example"
    assert f"\r\nTo:\r\n {long}\r\n".encode() in composed("Acme", recipient=long)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("a@zoo.example", "a@zoo.example"),
        ("A.b@Zoo.Example", "A.b@Zoo.Example"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@Bücher.example", "a@xn--bcher-kva.example"),
        ("a@straße.example", "a@xn--strae-oqa.example"),  # IDNA 2003 would write to strasse.example
        ("a@bu\u0308cher.example", "a@xn--bcher-kva.example"),
        ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),  # the IDN test domain of RFC 5890's time
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
    ],
)
def test_a_domain_goes_out_in_ascii(address: str, wire: str) -> None:
    """Expected values: RFC 3492 and the registries' converters."""
    assert on_the_wire(address) == wire


@pytest.mark.parametrize(
    "address",
    [
        *("a", "@b.example", "a@", "a@b..example", "a@.b.example", "a@b.example.", ".a@b.example", "a.@b.example"),
        *(
            "a..b@c.example",
            "a b@c.example",
            "a@-b.example",
            "a@b-.example",
            f"a@{'b' * 64}.example",
            "a@b\u2025c.example",
        ),
        *(f"{'a' * 65}@b.example", "a@b.example\nBcc: evil@x.example", f"a@{'ü' * 60}.example", "a@b!c.example"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_is_wrong(address: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        on_the_wire(address)
    with pytest.raises(UnsentError, match="recipient's address is not valid") as unsent:
        composed("Acme", recipient=address)
    assert (unsent.value.trouble, unsent.value.lasting) == ("recipient", True)
