"""Business keys: the same business, the same key, for ever."""

import inspect
import re
from collections.abc import Callable

import pytest

from shared.domain import keys
from shared.domain.keys import Origin
from tests.domain.facts_of import on

ORIGIN = Origin("d1", "sandbox", "a1", "sandbox")


def test_the_key_of_a_charge_never_changes() -> None:
    """SHA-256 of deployment, mode, agency, provider, invoice, attempt and the word charge, joined by unit separators
    (coreutils' sha256sum)."""
    key = keys.charge_key(ORIGIN, "inv:sub1:2026-06-01", 1)
    assert key == "inv2-03e2854c9cf000e0d2bfa4ace856e5b860759abb"
    assert len(key) == 45


def test_the_key_of_a_charge_is_made_without_amount_currency_method_or_version() -> None:
    """A changed amount has to meet the same key, so that the provider refuses it and nobody is charged twice."""
    assert list(inspect.signature(keys.charge_key).parameters) == ["origin", "invoice", "attempt"]


@pytest.mark.parametrize("make", [keys.charge_key, keys.refund_key, keys.pay_link_key])
def test_every_part_of_a_key_counts(make: Callable[[Origin, str, int], str]) -> None:
    of = [
        (Origin("d", "live", "a", "p"), "i", 1),
        (Origin("e", "live", "a", "p"), "i", 1),
        (Origin("d", "test", "a", "p"), "i", 1),
        (Origin("d", "sandbox", "a", "p"), "i", 1),
        (Origin("d", "live", "b", "p"), "i", 1),
        (Origin("d", "live", "a", "q"), "i", 1),
        (Origin("d", "live", "a", "p"), "j", 1),
        (Origin("d", "live", "a", "p"), "i", 2),
        (Origin("d", "live", "ap", ""), "i", 1),
    ]
    assert len({make(*each) for each in of}) == len(of)


def test_a_charges_key_is_free_of_personal_data_and_fits_every_provider() -> None:
    key = keys.charge_key(Origin("d", "live", "agentür@example", "stripe"), "Müller & Söhne " * 20, 32767)
    assert re.fullmatch(r"inv2-[0-9a-f]{40}", key)


def test_keys_from_before_name_no_deployment() -> None:
    assert keys.names_deployment(keys.refund_key(ORIGIN, "inv-1", 1))
    assert not any(keys.names_deployment(f"{kind}1-{'0' * 40}") for kind in ("inv", "ref", "pay"))


def test_documents_are_named_by_subscription_and_period() -> None:
    assert keys.invoice_id("sub", on("2026-06-01")) == "inv:sub:2026-06-01"
    assert keys.order_id("sub", on("2026-06-01")) == "ord:sub:2026-06-01"


def test_a_notice_is_named_by_occasion_audience_and_what_it_is_about() -> None:
    assert keys.notice_key("payment_failed", "client", "inv-1", "0/first") == "payment_failed:client:inv-1:0/first"
    assert keys.notice_key("invoice_open", "client", "inv-1") == "invoice_open:client:inv-1"


def test_what_a_notice_is_about_and_its_instance_do_not_run_into_each_other() -> None:
    """Both may hold upstream's own text, colons and all."""
    of = [("a", "b:c"), ("a:b", "c"), ("a", "b%3Ac"), ("a:b%3Ac", "d")]
    assert len({keys.notice_key("surplus_payment", "agency", *each) for each in of}) == len(of)


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
