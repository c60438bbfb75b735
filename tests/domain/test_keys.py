"""Business keys: the same business, the same key, for ever."""

import inspect
import re

import pytest

from shared.domain import keys
from tests.domain.facts_of import on


def test_the_key_of_a_charge_never_changes() -> None:
    """SHA-256 of provider, agency, invoice, attempt and the word charge, joined by unit separators (coreutils' sha256sum)."""
    key = keys.charge_key("a1", "sandbox", "inv:sub1:2026-06-01", 1)
    assert key == "inv1-73ca915731d6704dcaeb74edafb476cc70d62336"
    assert len(key) == 45


def test_the_key_of_a_charge_is_made_without_amount_currency_method_or_version() -> None:
    """A changed amount has to meet the same key, so that the provider refuses it and nobody is charged twice."""
    assert list(inspect.signature(keys.charge_key).parameters) == ["agency_id", "provider", "invoice", "attempt"]


def test_every_part_of_a_charges_key_counts() -> None:
    of = [
        ("a", "p", "i", 1),
        ("b", "p", "i", 1),
        ("a", "q", "i", 1),
        ("a", "p", "j", 1),
        ("a", "p", "i", 2),
        ("ap", "", "i", 1),
    ]
    assert len({keys.charge_key(*each) for each in of}) == 6


def test_a_charges_key_is_free_of_personal_data_and_fits_every_provider() -> None:
    key = keys.charge_key("agentür@example", "stripe", "Müller & Söhne " * 20, 32767)
    assert re.fullmatch(r"inv1-[0-9a-f]{40}", key)


def test_documents_are_named_by_subscription_and_period() -> None:
    assert keys.invoice_id("sub", on("2026-06-01")) == "inv:sub:2026-06-01"
    assert keys.order_id("sub", on("2026-06-01")) == "ord:sub:2026-06-01"


def test_a_notice_is_named_by_occasion_audience_and_what_it_is_about() -> None:
    assert keys.notice_key("payment_failed", "client", "inv-1", "0/first") == "payment_failed:client:inv-1:0/first"
    assert keys.notice_key("invoice_open", "client", "inv-1") == "invoice_open:client:inv-1"


@pytest.mark.parametrize(
    ("prefix", "sequence", "shown"), [("NL-", 1, "NL-00001"), ("", 99999, "99999"), ("NL-", 100000, "NL-100000")]
)
def test_a_number_is_prefix_and_at_least_five_digits(prefix: str, sequence: int, shown: str) -> None:
    assert keys.number(prefix, sequence) == shown
    assert keys.sequence_of(shown) == sequence


@pytest.mark.parametrize(
    ("number", "sequence"),
    [("2026/7", 7), ("A-", None), ("", None), ("٣", None), ("9" * 18, int("9" * 18)), ("9" * 19, None)],
)
def test_the_sequence_a_number_ends_in(number: str, sequence: int | None) -> None:
    assert keys.sequence_of(number) == sequence


def test_everything_about_a_subscription_has_one_subject() -> None:
    assert keys.subscription_subject("sub") == "subscription/sub"
