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
    assert keys.sequences_of(shown)[-1] == sequence


@pytest.mark.parametrize(
    ("number", "sequences"),
    [
        ("NL-00001", [1]),
        ("NL700001", [1, 700001]),
        ("2026100000", [0, 100000, 6100000, 26100000, 2026100000]),
        ("NL-000001", [1]),
        ("2026/7", []),
        ("A-", []),
        ("", []),
        ("٣00001", [1]),
    ],
)
def test_the_sequences_a_number_may_end_in(number: str, sequences: list[int]) -> None:
    """At least five digits; the prefix may end in digits too, so a longer sequence may be meant as well."""
    assert keys.sequences_of(number) == sequences


def test_no_sequence_is_longer_than_the_database_can_hold() -> None:
    assert keys.sequences_of("9" * 30)[-1] == 999_999_999_999_999_999


def test_everything_about_a_subscription_has_one_subject() -> None:
    assert keys.subscription_subject("sub") == "subscription/sub"
