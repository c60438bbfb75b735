"""How a database's address becomes the parameters of a plain session, for what is done without SQLAlchemy's pool."""

from typing import Any, Final

from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.engine import make_url

# A server that has gone without a word is noticed within half a minute.
PATIENCE: Final = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def parameters(url: str, name: str) -> dict[str, Any]:
    """What `psycopg.connect` takes. `name` is what the server calls the session, unless the address has one.

    The same translation that the engine uses, so that several hosts and every option of libpq mean the same.
    """
    dialect_: Any = dialect  # its constructor tells no types
    _, found = dialect_().create_connect_args(make_url(url).set(drivername="postgresql+psycopg"))
    return {**PATIENCE, "application_name": name, **found}
