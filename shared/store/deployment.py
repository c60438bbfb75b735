"""Which deployment this database is: a random id made with it, so that what is sent to a provider can be attributed."""

from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from shared.domain.keys import Mode, Origin
from shared.gateways import providers
from shared.store.database import Transaction

# It never changes, so it is read once.
_KNOWN: Final[WeakKeyDictionary[Engine, str]] = WeakKeyDictionary()


def deployment_id(tx: Transaction) -> str:
    """The id of this deployment."""
    engine = tx.connection.engine
    if engine not in _KNOWN:
        found: str | None = tx.scalar("SELECT deployment_id FROM deployment")
        if found is None:
            raise RuntimeError("the database does not say which deployment it is: its row was removed")
        _KNOWN[engine] = found
    return _KNOWN[engine]


def fix(tx: Transaction, deployment: str) -> None:
    """Give the deployment a name of our own, before anything is made in it: simulations must come out the same each time."""
    tx.run("UPDATE deployment SET deployment_id = :id", id=deployment)
    _KNOWN.pop(tx.connection.engine, None)


class Origins(NamedTuple):
    """Where the keys of an agency are made. `tests`: the providers with which it has a test account."""

    deployment: str
    agency_id: str
    tests: frozenset[str]

    def of(self, provider: str) -> Origin:
        """The origin of a key for a provider."""
        mode: Mode = (
            "sandbox" if providers.provider_of(provider).is_simulated else "test" if provider in self.tests else "live"
        )
        return Origin(self.deployment, mode, self.agency_id, provider)


def origins(tx: Transaction, agency_id: str) -> Origins:
    """Where the keys of an agency are made, for all of its providers."""
    rows = tx.rows("SELECT provider FROM gateway_accounts WHERE agency_id = :agency_id AND test", agency_id=agency_id)
    return Origins(deployment_id(tx), agency_id, frozenset(row[0] for row in rows))
