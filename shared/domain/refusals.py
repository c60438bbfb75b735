"""What it means when a provider refuses a request to collect, by its own tables.

A refusal is about the *method* (or the client's account that it belongs to), about the *amount*, or about the agency's own
*account*. One about the method is a decline, and `declines.py` says of which class: it needs the client, or the method is
gone, or one of its kind can't be charged here (an account without cards still takes wallets). One about the account concerns
every attempt, and no client can cure it. A limit that more time or another method cures is a decline too, for what is about
the amount is not asked for again. What is listed nowhere is about the *request*.
"""

from typing import Final, Literal

from shared.domain.declines import Codes

About = Literal["method", "account", "amount", "request"]
# Tries of a request that the provider refuses for a reason nobody has listed; then it is a failure, and told.
REFUSED_TRIES_MAX: Final = 3
# The amount itself can't be collected by the provider, however often it is tried: the agency has to do something.
UNPAYABLE: Final = frozenset({"amount_too_small", "amount_too_large", "amount_not_payable", "currency_not_supported"})


def about(codes: Codes, code: str, place: str | None) -> About:
    """What a refusal is about: by the provider's code, else by the place of the request that it names."""
    if code in codes.account:
        return "account"
    if code in codes.amount:
        return "amount"
    if code in codes.declines:
        return "method"
    named = place or ""
    # Whatever is wrong with the method or its owner, only the client can mend it.
    return "method" if any(named == each or named.startswith(f"{each}/") for each in codes.method_places) else "request"
