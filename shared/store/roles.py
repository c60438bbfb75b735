"""The database roles of the processes: made and kept up to date by `duecycle migrate --roles`, checked by each at its start."""

from collections.abc import Mapping

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateObject, InsufficientPrivilege
from sqlalchemy import Engine, text

from shared.store.connection_args import parameters
from shared.store.grants import KINDS, WRITES, reads, role_of

_LACKING = """
SELECT w.privilege, w.home, w.columns
FROM unnest(CAST(:privileges AS text[]), CAST(:homes AS text[]), CAST(:columns AS text[]))
  WITH ORDINALITY AS w(privilege, home, columns, place)
WHERE NOT CASE WHEN w.columns = '' THEN has_table_privilege(w.home, w.privilege)
               ELSE (SELECT bool_and(has_column_privilege(w.home, c, w.privilege))
                     FROM unnest(string_to_array(w.columns, ', ')) AS c) END
ORDER BY w.place LIMIT 3"""


class MayNotError(Exception):
    """Who migrates may not make or change roles; the message says what to do."""


def apply(url: str, passwords: Mapping[str, str] | None = None) -> None:
    """Make the role of each kind of process if it is missing, and let it do what its kind needs and nothing else.

    `passwords`: by kind; a role without one keeps what it has. All of it counts at once. Raises MayNotError,
    psycopg.Error.
    """
    try:
        _apply(url, passwords or {})
    except InsufficientPrivilege as error:
        raise MayNotError(
            f"the database's user may not make or change roles ({error.diag.message_primary}); give it CREATEROLE, or let an"
            " administrator create the roles of docs/operating/roles.md, then run this again without --passwords"
        ) from None


def _apply(url: str, passwords: Mapping[str, str]) -> None:
    with psycopg.connect(**parameters(url, "duecycle migrate")) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('duecycle roles', 0))")
        ours = sql.SQL(", ").join(
            map(sql.Identifier, reads("ops"))
        )  # what others have put there is none of our business
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(ours))
        if connection.execute("SELECT has_schema_privilege('public', 'CREATE WITH GRANT OPTION')").fetchone() == (
            True,
        ):
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for kind in KINDS:
            _make(connection, role_of(kind), passwords.get(kind))
            _grant(connection, kind, ours)


def _make(connection: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    try:
        with connection.transaction():
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    except DuplicateObject:  # another database of this server is given its roles at this moment
        pass
    if password:  # hashed here, so that no log of the server ever holds it
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(hashed)))


def _grant(connection: psycopg.Connection, kind: str, ours: sql.Composable) -> None:
    role = sql.Identifier(role_of(kind))
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(ours, role))
    if connection.execute("SELECT has_schema_privilege(%s, 'public', 'USAGE')", [role_of(kind)]).fetchone() != (True,):
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
    for privileges in (reads(kind), WRITES[kind]):
        for table, words in privileges.items():
            grant = sql.SQL("GRANT {} ON {} TO {}")
            connection.execute(grant.format(sql.SQL(words), sql.Identifier(table), role))


def missing(engine: Engine, kind: str) -> str | None:
    """What the role of this process lacks, in words that say what to do; None if it may do all that its kind does."""
    wanted = [
        (privilege, table, columns)
        for privileges in (reads(kind), WRITES[kind])
        for table, words in privileges.items()
        for privilege, columns in parsed(words).items()
    ]
    with engine.connect() as connection:
        lacking = connection.execute(
            text(_LACKING),
            dict(zip(("privileges", "homes", "columns"), map(list, zip(*wanted, strict=True)), strict=True)),
        ).fetchall()
        who = connection.execute(text("SELECT current_user")).scalar_one()
    if not lacking:
        return None
    what = ", ".join(f"{row[0]} on {row[1]}{f' ({row[2]})' if row[2] else ''}" for row in lacking)
    return (
        f"the database role {who} may not do what {kind} does (it lacks {what}); let the owner of the tables run:"
        f" duecycle migrate --roles, and connect as {role_of(kind)}"
    )


def parsed(words: str) -> dict[str, str]:
    """The privileges of one entry, each with the columns it is limited to; "" for all of them."""
    found = {}
    for part in words.replace("), ", ")|").split("|"):
        if "(" not in part:
            found.update(dict.fromkeys(part.split(", "), ""))
            continue
        before, _, columns = part.partition(" (")
        *whole, limited = before.split(", ")
        found.update(dict.fromkeys(whole, ""))
        found[limited] = columns.rstrip(")")
    return found
