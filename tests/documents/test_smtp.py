"""Mail by SMTP against a real server: what is kept, what is refused for now or for good, and that nothing goes out in clear."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from ops.servers.rabbitmq import free_ports
from shared.documents.delivery import sender_of
from shared.documents.mail import Mail
from shared.documents.sending import EmlWriter, Envelope, UnsentError
from shared.documents.smtp import SmtpSender, account_of
from shared.domain.mailing import Trouble

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
MAIL = Mail("Invoice NL-00001", "Please pay 119,00 €.\n")


class Box:
    """What the server got, and what it answers: `says` by recipient, or by command."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.sessions: set[Any] = set()
        self.says: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        self.sessions.add(session.peer)
        if address in self.says:
            return self.says[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.says:
            return self.says["DATA"]
        self.mails.append(envelope)
        return "250 OK"


def to(recipient: str = "client@zoo.example", number: int = 1) -> Envelope:
    return Envelope("Acme", "billing@acme.example", recipient, AT, f"<{number:032x}@duecycle.invalid>")


@pytest.fixture
def box() -> Box:
    return Box()


def refused(sender: SmtpSender, trouble: Trouble, words: str, envelope: Envelope | None = None) -> UnsentError:
    """One mail is not sent, and says whose trouble that is."""
    with pytest.raises(UnsentError, match=words) as caught:
        sender.send(envelope or to(), MAIL)
    assert caught.value.trouble == trouble
    return caught.value


def serve(box: Box, **options: Any) -> Controller:
    server = Controller(box, hostname="127.0.0.1", port=free_ports(1)[0], **options)
    server.start()
    return server


def port_of(server: Controller) -> int:
    return server.port


@pytest.fixture
def plain(box: Box) -> Iterator[SmtpSender]:
    server = serve(box)
    yield SmtpSender(account_of(f"smtp+plain://127.0.0.1:{port_of(server)}"))
    server.stop()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_mail_arrives_as_it_was_composed(plain: SmtpSender, box: Box) -> None:
    """With its own id, so that a mail sent twice is seen as one."""
    plain.send(to(), MAIL)

    (got,) = box.mails
    text = got.content.decode()
    assert (got.mail_from, got.rcpt_tos) == ("billing@acme.example", ["client@zoo.example"])
    assert "Message-ID: <00000000000000000000000000000001@duecycle.invalid>" in text
    assert "Subject: Invoice NL-00001" in text
    assert "119,00 =E2=82=AC" in text


def test_many_mails_go_over_one_connection(plain: SmtpSender, box: Box) -> None:
    for number in range(5):
        plain.send(to(number=number), MAIL)

    assert len(box.mails) == 5
    assert len(box.sessions) == 1


def test_a_connection_that_was_idle_for_long_is_made_again(box: Box) -> None:
    """Servers end idle connections; finding that out by a lost mail would be too late."""
    server, now = serve(box), [0.0]
    sender = SmtpSender(account_of(f"smtp+plain://127.0.0.1:{port_of(server)}"), clock=lambda: now[0])
    sender.send(to(), MAIL)
    now[0] += 61
    sender.send(to(), MAIL)
    server.stop()

    assert len(box.sessions) == 2


@pytest.mark.parametrize("answer", ["450 mailbox busy", "451 try again later", "452 too many recipients"])
def test_a_4xx_answer_means_later(plain: SmtpSender, box: Box, answer: str) -> None:
    """RFC 5321, 4.2.1: transient negative completion. The next mail is tried as ever."""
    box.says["client@zoo.example"] = answer
    assert not refused(plain, "recipient", answer[:3]).lasting

    plain.send(to("other@zoo.example"), MAIL)
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    "answer", ["550 no such user", "551 not local", "552 mailbox full", "553 bad name", "501 syntax"]
)
def test_a_5xx_answer_about_the_recipient_means_never(plain: SmtpSender, box: Box, answer: str) -> None:
    """RFC 5321, 4.2.1: permanent negative completion. Trying again would only annoy the server."""
    box.says["client@zoo.example"] = answer
    assert refused(plain, "recipient", answer[:3]).lasting


def test_a_mail_refused_for_its_content_is_never_sent(plain: SmtpSender, box: Box) -> None:
    box.says["DATA"] = "554 looks like spam"
    assert refused(plain, "recipient", "554").lasting


@pytest.mark.parametrize("answer", ["530 authentication required", "535 credentials invalid"])
def test_a_refusal_of_our_account_pauses_it(box: Box, answer: str) -> None:
    """No mail is given up for our own wrong set-up, and none is tried for a minute: wrong logins in a row lock accounts."""
    server, now = serve(box), [0.0]
    sender = SmtpSender(account_of(f"smtp+plain://127.0.0.1:{port_of(server)}"), clock=lambda: now[0])
    box.says["MAIL"] = answer
    assert refused(sender, "account", answer[:3]).tried
    del box.says["MAIL"]
    assert not refused(sender, "account", answer[:3]).tried
    now[0] += 60
    sender.send(to(), MAIL)
    server.stop()

    assert len(box.mails) == 1


def test_a_refusal_of_the_sender_is_its_agencys(plain: SmtpSender, box: Box) -> None:
    """Another agency's mails go out as ever."""
    box.says["MAIL"] = "550 sender not allowed"
    refused(plain, "agency", "refused as a sender: 550 sender not allowed")
    del box.says["MAIL"]

    plain.send(to(), MAIL)
    assert len(box.mails) == 1


def test_a_server_that_takes_no_mail_now_is_told_apart(plain: SmtpSender, box: Box) -> None:
    box.says["client@zoo.example"] = "421 shutting down"
    refused(plain, "away", "421")


def test_an_answer_to_the_final_dot_is_no_doubt(plain: SmtpSender, box: Box) -> None:
    box.says["DATA"] = "421 4.3.2 shutting down"
    refused(plain, "away", "421")


def test_lines_that_begin_with_a_dot_arrive(plain: SmtpSender, box: Box) -> None:
    plain.send(to(), Mail("s", ".\n..\n.x\n"))
    assert box.mails[0].content.endswith(b"\r\n\r\n.\r\n..\r\n.x\r\n")


def test_an_internationalised_domain_goes_out(plain: SmtpSender, box: Box) -> None:
    """Also through a server without SMTPUTF8."""
    plain.send(to("client@b\u00fccher.example"), MAIL)
    assert box.mails[0].rcpt_tos == ["client@xn--bcher-kva.example"]
    assert b"To: client@xn--bcher-kva.example\r\n" in box.mails[0].content


def test_words_of_a_server_are_kept_without_addresses(plain: SmtpSender, box: Box) -> None:
    """Reasons are shown and logged; whose mail it was is nobody's business there."""
    box.says["client@zoo.example"] = "550 <client@zoo.example> unknown"
    assert "zoo" not in str(refused(plain, "recipient", "unknown"))


def test_nobody_listening_is_told_with_the_address() -> None:
    refused(SmtpSender(account_of("smtp+plain://127.0.0.1:1")), "away", r"no answer from 127\.0\.0\.1:1 ")


def test_an_unencrypted_server_gets_nothing_when_encryption_is_asked_for(box: Box) -> None:
    """smtp:// is STARTTLS or nothing."""
    server = serve(box)
    refused(SmtpSender(account_of(f"smtp://127.0.0.1:{port_of(server)}")), "account", "STARTTLS")
    server.stop()
    assert box.mails == []


def test_starttls_and_a_login_with_a_trusted_certificate(box: Box, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    seen: list[tuple[bytes, bytes]] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        seen.append((given.login, given.password))
        return AuthResult(success=given.password == b"p@ss")

    server = serve(
        box, tls_context=context_of(authority), require_starttls=True, authenticator=check, auth_required=True
    )
    url = f"smtp://post:p%40ss@127.0.0.1:{port_of(server)}?ca={tmp_path / 'ca.pem'}"
    SmtpSender(account_of(url)).send(to(), MAIL)
    refused(SmtpSender(account_of(url.replace("p%40ss", "wrong"))), "account", "refuses the user or the password")
    server.stop()

    assert len(box.mails) == 1
    assert seen[0] == (b"post", b"p@ss")


def test_a_certificate_that_nobody_vouches_for_is_refused(box: Box, authority: trustme.CA) -> None:
    server = serve(box, tls_context=context_of(authority), require_starttls=True)
    refused(SmtpSender(account_of(f"smtp://127.0.0.1:{port_of(server)}")), "account", "certificate is not trusted")
    server.stop()
    assert box.mails == []


def test_a_certificate_of_another_name_is_refused(box: Box, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = serve(box, tls_context=context_of(authority, "mail.example"), require_starttls=True)
    url = f"smtp://127.0.0.1:{port_of(server)}?ca={tmp_path / 'ca.pem'}"
    refused(SmtpSender(account_of(url)), "account", "certificate is not trusted")
    server.stop()


def test_an_address_that_is_not_ascii_is_refused_where_it_cant_be_taken(box: Box) -> None:
    server = serve(box, enable_SMTPUTF8=False)
    sender = SmtpSender(account_of(f"smtp+plain://127.0.0.1:{port_of(server)}"))
    assert refused(sender, "recipient", "SMTPUTF8", to("jürgen@zoo.example")).lasting
    server.stop()


def test_an_address_that_is_not_ascii_arrives_where_it_can_be_taken(box: Box) -> None:
    server = serve(box, enable_SMTPUTF8=True)
    SmtpSender(account_of(f"smtp+plain://127.0.0.1:{port_of(server)}")).send(to("jürgen@zoo.example"), MAIL)
    server.stop()
    assert box.mails[0].rcpt_tos == ["jürgen@zoo.example"]


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "smtp+plain://user:secret@mail", "smtp://mail?verify=no"])
def test_a_wrong_address_says_what_to_write(url: str) -> None:
    with pytest.raises(ValueError, match=r"smtp|option"):
        sender_of(url)


def test_a_folder_is_a_way_to_send_too(tmp_path: Path) -> None:
    sender = sender_of(f"file://{tmp_path}/mails")
    assert isinstance(sender, EmlWriter)
    sender.send(to(), MAIL)
    assert len(list((tmp_path / "mails").iterdir())) == 1
