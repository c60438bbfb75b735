"""What decline codes mean: their classes, and how a provider's own tables of them are read.

A decline is `retryable` (the same method may be tried again, later), `customer` (only the client can cure it, with another
method or by confirming) or `final` (this method must never be tried again). Codes that say little, and codes nobody has
listed, are retryable and `capped`: a few tries of the same method and amount, then it counts as final.

The tables themselves, with their sources, are beside each provider's adapter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

RETRYABLE, FINAL, CUSTOMER = "retryable", "final", "customer"
CAPPED_TRIES_MAX: Final = 4
# Our own advice about a code that no table lists, where the provider names the method or its owner as what is wrong.
METHOD_REFUSED: Final = "method_refused"


class Meaning(NamedTuple):
    """The class of a code. `capped`: it says little, so fewer tries. `known`: somebody has judged it."""

    decline_class: str
    capped: bool = False
    known: bool = True


UNKNOWN: Final = Meaning(RETRYABLE, capped=True, known=False)
_NOTHING: Final[Mapping[str, Meaning]] = MappingProxyType({})


class Codes(NamedTuple):
    """What one provider's words mean.

    `declines`: codes of declines. `advice`: what it advises, which wins over the code. `account`: codes of refusals that are
    about the agency's own account. `amount`: those about the amount, each with our own word, which the agency's mail explains.
    `method_places`: the places of a request that name the method or its owner. `unlisted`: a code that is nowhere.
    """

    declines: Mapping[str, Meaning] = _NOTHING
    advice: Mapping[str, Meaning] = _NOTHING
    account: frozenset[str] = frozenset()
    amount: Mapping[str, str] = MappingProxyType({})
    method_places: tuple[str, ...] = ()
    unlisted: Meaning = UNKNOWN


def table(**codes: str) -> Mapping[str, Meaning]:
    """A table of codes from words for each class: `retryable`, `capped`, `customer`, `final`."""
    classes = {"retryable": Meaning(RETRYABLE), "capped": Meaning(RETRYABLE, capped=True)}
    classes |= {"customer": Meaning(CUSTOMER), "final": Meaning(FINAL)}
    found = {code: classes[name] for name, listed in codes.items() for code in listed.split()}
    if len(found) != sum(len(listed.split()) for listed in codes.values()):
        raise ValueError("a code is in two classes, and would silently mean the later one")
    return MappingProxyType(found)


def words(listed: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(listed.split())


def meaning(codes: Codes, code: str, advice: str | None = None) -> Meaning:
    """What a decline means: by the provider's advice, else by its code; UNKNOWN if neither is listed."""
    return codes.advice.get(advice or "") or codes.declines.get(code, codes.unlisted)
