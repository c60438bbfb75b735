"""The mails: every occasion has its text, clients never read why a card is dead, and one notice is one message."""

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from shared.documents.mail import TEXTS, Mail, render
from shared.documents.mail_money import DIFFERENT
from shared.documents.sending import EmlWriter, Envelope, UnsentError, compose, message_id
from shared.domain.charging import Charge
from shared.domain.declines import meaning
from shared.gateways.sandbox_provider import SANDBOX
from tests.documents.contexts import INVOICE, SERIES, UNDELIVERED
from workers.charges.dunning import client_reason

AT = datetime(2026, 7, 1, 7, 30, tzinfo=UTC)
OCCASIONS = [
    ("invoice_open", "client", INVOICE, "Invoice NL-00001 from Northlight"),
    ("invoice_paid", "client", INVOICE, "Paid: invoice NL-00001 from Northlight"),
    ("payment_failed", "client", INVOICE, "Payment failed: invoice NL-00001"),
    ("payment_failed", "agency", INVOICE, "Payment failed: Kanzlei Brandt, invoice NL-00001"),
    ("action_required", "client", INVOICE, "Please confirm: invoice NL-00001"),
    ("dunning_exhausted", "client", INVOICE, "Unpaid: invoice NL-00001"),
    ("dunning_exhausted", "agency", INVOICE, "Dunning ended: Kanzlei Brandt, invoice NL-00001"),
    ("charge_impossible", "agency", INVOICE, "Can't be charged: invoice NL-00001"),
    ("charge_answered", "agency", {**INVOICE, "succeeded": True}, "Charged: invoice NL-00001"),
    ("charge_answered", "agency", {**INVOICE, "succeeded": False}, "Not charged: invoice NL-00001"),
    ("account_refused", "agency", INVOICE, "Your Stripe account is not working"),
    ("charge_in_doubt", "agency", INVOICE, "Please check: invoice NL-00001"),
    ("refunded", "client", INVOICE, "Refunded: invoice NL-00001 from Northlight"),
    ("refund_failed", "agency", INVOICE, "Refund failed: invoice NL-00001"),
    ("refund_in_doubt", "agency", INVOICE, "Please check the refund: invoice NL-00001"),
    ("payment_disputed", "agency", INVOICE, "Payment disputed: invoice NL-00001"),
    ("books_differ", "agency", INVOICE, "Please check: invoice NL-00001"),
    ("surplus_payment", "agency", INVOICE, "Surplus payment: invoice NL-00001"),
    ("invoice_overdue", "client", INVOICE, "Overdue: invoice NL-00001 from Northlight"),
    ("invoice_overdue", "agency", INVOICE, "Overdue: Kanzlei Brandt, invoice NL-00001"),
    ("page_impossible", "agency", INVOICE, "Can't be paid online: invoice NL-00001"),
    ("page_payment_failed", "client", INVOICE, "Not paid: invoice NL-00001"),
    ("page_payment_failed", "agency", INVOICE, "Payment did not go through: invoice NL-00001"),
    ("page_payment_in_doubt", "agency", INVOICE, "Please check: invoice NL-00001"),
    ("payment_reversed", "client", INVOICE, "Payment reversed: invoice NL-00001"),
    ("payment_reversed", "agency", INVOICE, "Payment reversed: invoice NL-00001"),
    ("payment_reinstated", "agency", INVOICE, "Payment reinstated: invoice NL-00001"),
    ("reversal_in_doubt", "agency", INVOICE, "Please check: invoice NL-00001"),
    ("cycle_blocked", "agency", SERIES, "Blocked: sub"),
    ("series_stopped", "agency", SERIES, "Invoicing stopped: sub"),
    ("first_invoice_missing", "agency", SERIES, "First invoice missing: sub"),
    ("mail_undelivered", "agency", UNDELIVERED, "Not delivered: our mail to Kanzlei Brandt"),
]

PLEASE_PAY = """\
Dear Kanzlei Brandt,

Here is invoice NL-00001 for 1785.00 EUR. Please pay it by 2026-07-15.

  Invoice:    NL-00001
  For:        SEO care
  Period:     2026-07-01 to 2026-07-31
  Issued on:  2026-07-01
  Due on:     2026-07-15
  Total:      1785.00 EUR

Kind regards
Northlight
"""
FAILED = """\
Hello Northlight,

A payment of 1785.00 EUR by Kanzlei Brandt for invoice NL-00001 failed (reason: insufficient_funds). New orders for \
this subscription are on hold until this is resolved.

Next attempt: 2026-07-02.

  Invoice:    NL-00001
  For:        SEO care
  Period:     2026-07-01 to 2026-07-31
  Issued on:  2026-07-01
  Due on:     2026-07-15
  Total:      1785.00 EUR
  Still open: 1000.00 EUR

Duecycle
"""


@pytest.mark.parametrize(("occasion", "audience", "context", "subject"), OCCASIONS)
def test_every_occasion_has_a_text(occasion: str, audience: str, context: dict[str, Any], subject: str) -> None:
    """With a subject, somebody addressed, and no hole left where a value should stand."""
    mail = render(occasion, audience, context)
    assert mail.subject == subject
    assert mail.body.startswith("Dear Kanzlei Brandt," if audience == "client" else "Hello Northlight,")
    assert "None" not in mail.body
    assert "{" not in mail.body


@pytest.mark.parametrize(("occasion", "audience"), TEXTS)
def test_what_is_not_known_is_never_printed_as_none(occasion: str, audience: str) -> None:
    """Each field that may be missing is: a code, a reason, a date."""
    (kept, *_) = [dict(context) for of, to, context, _ in OCCASIONS if (of, to) == (occasion, audience)]
    hints = get_type_hints(TEXTS[occasion, audience].struct)
    kept |= {field: None for field, hint in hints.items() if type(None) in get_args(hint)}
    mail = render(occasion, audience, kept)
    assert "None" not in mail.subject + mail.body


def test_no_text_is_left_out_here() -> None:
    assert {(occasion, audience) for occasion, audience, _, _ in OCCASIONS} == set(TEXTS)


def test_a_command_can_be_typed_as_it_stands() -> None:
    """Ids that a shell would take apart are quoted."""
    body = render("charge_in_doubt", "agency", INVOICE).body
    assert "duecycle charge resolve --agency 'north light' --invoice inv:a:2026-07-01 --not-charged" in body


@pytest.mark.parametrize(
    "occasion",
    [
        "invoice_open",
        "payment_failed",
        "action_required",
        "dunning_exhausted",
        "page_payment_failed",
        "payment_reversed",
    ],
)
def test_a_client_who_can_pay_online_reads_where(occasion: str) -> None:
    """And nobody reads of a page that there is not."""
    assert "https://pay.example/1" in render(occasion, "client", INVOICE).body
    assert "here:" not in render(occasion, "client", {**INVOICE, "pay_url": None}).body


@pytest.mark.parametrize("what", DIFFERENT)
def test_every_difference_of_the_reconciliation_has_its_words(what: str) -> None:
    assert "Stripe" in render("books_differ", "agency", {**INVOICE, "what": what}).body


def test_the_request_to_pay_word_by_word() -> None:
    offline = {**INVOICE, "pay_url": None}
    assert render("invoice_open", "client", offline) == Mail("Invoice NL-00001 from Northlight", PLEASE_PAY)


def test_the_failure_as_the_agency_reads_it_word_by_word() -> None:
    mail = render("payment_failed", "agency", {**INVOICE, "outstanding_minor": 100000})
    assert mail == Mail("Payment failed: Kanzlei Brandt, invoice NL-00001", FAILED)


def test_an_invoice_without_number_or_period_reads_well() -> None:
    bare = {**INVOICE, "number": None, "period_starts_on": None, "period_ends_on": None}
    mail = render("invoice_open", "client", bare)
    assert mail.subject == "Your invoice from Northlight"
    assert "Invoice:" not in mail.body
    assert "Period:" not in mail.body


@pytest.mark.parametrize(("currency", "total", "shown"), [("JPY", 1785, "1785 JPY"), ("KWD", 1785, "1.785 KWD")])
def test_amounts_have_their_currencys_decimals(currency: str, total: int, shown: str) -> None:
    mail = render(
        "invoice_open", "client", {**INVOICE, "currency": currency, "total_minor": total, "outstanding_minor": total}
    )
    assert f"for {shown}." in mail.body


@pytest.mark.parametrize(
    ("occasion", "audience"), [("invoice_open", "agency"), ("cycle_blocked", "client"), ("x", "client")]
)
def test_a_text_that_does_not_exist_is_an_error(occasion: str, audience: str) -> None:
    with pytest.raises(KeyError):
        render(occasion, audience, INVOICE)


def attempt(code: str) -> Charge:
    found = meaning(SANDBOX.codes, code).decline_class
    blank = dict.fromkeys(Charge._fields)
    return Charge(**{**blank, "provider": "sandbox", "code": code, "decline_class": found})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("insufficient_funds", "insufficient_funds", "Your bank reported insufficient funds."),
        ("processing_error", "declined", "Your bank declined the payment."),
        ("lost_card", "needs_another_method", "Please give us another payment method."),
        ("stolen_card", "needs_another_method", "Please give us another payment method."),
        ("expired_card", "needs_another_method", "Please give us another payment method."),
        ("fraudulent", "declined", "Your bank declined the payment."),
        ("pickup_card_stolen_fraud_suspected", "declined", "Your bank declined the payment."),
        ("no_payment_method", "no_payment_method", "We have no payment method for you that we can use."),
        ("action_not_taken", "not_confirmed", "The payment was not confirmed in time."),
    ],
)
def test_a_client_never_reads_lost_stolen_or_fraud(code: str, reason: str, said: str) -> None:
    """Whatever the bank's code is, the words are ours."""
    assert client_reason(attempt(code)) == reason
    for occasion in ("payment_failed", "action_required", "dunning_exhausted", "payment_reversed"):
        mail = render(occasion, "client", {**INVOICE, "reason": reason, "code": code})
        text = (mail.subject + mail.body).lower()
        assert not [word for word in ("lost", "stolen", "fraud", "pickup", code) if word in text]
        assert occasion != "payment_failed" or said in mail.body


def envelope(**changes: Any) -> Envelope:
    base = Envelope("Northlight", "office@agency.example", "accounts@law.example", AT, message_id("ag", "n-1"))
    return base._replace(**changes)


def parsed(message: bytes) -> EmailMessage:
    found = email.message_from_bytes(message, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_notice_has_one_message_id_for_ever() -> None:
    """SHA-256 of agency and key, joined by a unit separator: a mail sent twice is seen as one."""
    assert message_id("ag", "n-1") == "<4a82d6d187b0330412afe8eda82ed01c@duecycle.invalid>"
    assert len({message_id("ag", "n-1"), message_id("ag", "n-2"), message_id("ah", "n-1")}) == 3


INJECTIONS = [
    "\nBcc: evil@x.example",
    "\r\nBcc: evil@x.example",
    "\r\n\r\nbody",
    "\x85Bcc: x",
    "\u2028Bcc: x",
    '" <evil@x.example>, "',
    "\\",
    '\\"',
]


@pytest.mark.parametrize("bad", INJECTIONS)
def test_no_name_can_add_a_header_or_a_recipient(bad: str) -> None:
    name = f"North{bad}light"
    mail = render("invoice_paid", "client", {**INVOICE, "agency": name, "number": f"N{bad}1"})
    found = parsed(compose(envelope(sender_name=name), mail))
    assert sorted(found.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ]
    )
    assert [each.addr_spec for each in found["From"].addresses] == ["office@agency.example"]
    assert [each.addr_spec for each in found["To"].addresses] == ["accounts@law.example"]


def test_a_recipient_with_a_line_break_is_refused() -> None:
    with pytest.raises(UnsentError, match="its recipient's address is not valid"):
        compose(envelope(recipient="a@x.example\nBcc: evil@x.example"), Mail("s", "b\n"))


def test_an_eml_file_is_the_mail(tmp_path: Path) -> None:
    """Readable by any mail program, with its sender's name, umlauts and all; sent twice it is one file."""
    writer = EmlWriter(tmp_path / "mails")
    mail = render("invoice_open", "client", {**INVOICE, "client": "Bäckerei Öztürk", "pay_url": None})
    for _ in range(2):
        writer.send(envelope(sender_name="Studio Ü & Co."), mail)
    (file,) = (tmp_path / "mails").iterdir()
    assert file.name.startswith("2026-07-01T073000Z-accounts@law.example-")
    assert file.suffix == ".eml"
    found = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert found["From"].addresses[0].display_name == "Studio Ü & Co."
    assert found["Subject"] == "Invoice NL-00001 from Northlight"
    assert found["Date"].datetime == AT
    assert found["Message-ID"] == message_id("ag", "n-1")
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content().replace("\r\n", "\n") == PLEASE_PAY.replace("Kanzlei Brandt", "Bäckerei Öztürk")


def test_a_recipient_names_no_file_outside_the_folder(tmp_path: Path) -> None:
    EmlWriter(tmp_path / "mails").send(envelope(recipient="/etc/x/y@z.example"), Mail("s", "b\n"))
    assert [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.eml")] == ["mails"]
