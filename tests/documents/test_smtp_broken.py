"""A mail server that breaks off: before the final dot the mail was not its own, after it nobody knows."""

import socket
from threading import Thread
from time import monotonic, sleep

import pytest

from shared.documents.smtp import SmtpSender, account_of
from tests.documents.test_smtp import MAIL, refused, to


class Script:
    """A server of one mail that answers line by line as it is told, then does as `ends`: hangs up, is silent or lies."""

    def __init__(self, ends: bytes | None, *answers: bytes, pause: float = 0.0) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._ends, self._answers, self._pause, self.got = ends, answers, pause, b""
        self._thread = Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        client, _ = self._socket.accept()
        self._client = client
        for answer in self._answers:
            client.sendall(answer + b"\r\n")
            self.got += client.recv(4096)
        while self._answers[-1].startswith(b"354") and not self.got.endswith(b"\r\n.\r\n"):
            self.got += client.recv(4096)
        if self._ends is None:
            client.close()
        elif self._ends:
            sleep(self._pause)
            client.sendall(self._ends)

    def close(self) -> None:
        self._thread.join(5)
        self._client.close()
        self._socket.close()


UNTIL_DATA = (b"220 hello", b"250 hello", b"250 sender", b"250 recipient", b"354 go on")


@pytest.mark.parametrize("ends", [None, b"", b"garbage\r\n"], ids=["hangs up", "is silent", "lies"])
def test_a_server_that_breaks_off_after_the_final_dot_leaves_it_in_doubt(ends: bytes | None) -> None:
    """RFC 1047: it may have taken the mail."""
    server = Script(ends, *UNTIL_DATA)
    sender = SmtpSender(account_of(f"smtp+plain://127.0.0.1:{server.port}"), seconds=0.5, dot_seconds=0.5)
    refused(sender, "in_doubt", "it may have arrived")
    server.close()
    assert server.got.endswith(b"\r\n.\r\n")


@pytest.mark.parametrize("said", range(1, 5))
def test_a_server_that_breaks_off_before_it_is_away(said: int) -> None:
    """Whatever it was asked last: the mail was not its own yet."""
    server = Script(None, *UNTIL_DATA[:said])
    refused(SmtpSender(account_of(f"smtp+plain://127.0.0.1:{server.port}")), "away", "broke|closed|Disconnected")
    server.close()


def test_a_slow_server_takes_no_longer_than_one_mail_may() -> None:
    """A lease is longer than that, so nobody else sends the mail meanwhile."""
    server = Script(b"", *UNTIL_DATA[:3])
    began = monotonic()
    refused(SmtpSender(account_of(f"smtp+plain://127.0.0.1:{server.port}"), seconds=0.3), "away", "no answer in time")
    assert monotonic() - began < 3
    server.close()


def test_the_answer_to_the_final_dot_may_take_longer_than_the_mail_did() -> None:
    """RFC 5321, 4.5.3.2.6: ten minutes. Who gives up earlier sends the mail again to somebody who has it."""
    server = Script(b"250 taken\r\n", *UNTIL_DATA, pause=0.6)
    SmtpSender(account_of(f"smtp+plain://127.0.0.1:{server.port}"), seconds=0.4, dot_seconds=5).send(to(), MAIL)
    server.close()
    assert server.got.count(b"\r\n.\r\n") == 1
