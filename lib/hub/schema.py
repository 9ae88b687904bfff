"""How does the hub's schema come to be as this program needs it? By numbered files, each run once."""

from pathlib import Path

from psycopg2 import errors

from lib.common import config
from lib.storage import postgres

FOLDER = Path(__file__).with_name("migrations")
LOCK = 7_236_114_002   # any number, the same in all processes that migrate


def files():
    """The migrations in their order."""
    return sorted(FOLDER.glob("*.sql"))


def migrate(connection, number=None):
    """Run the migrations that are missing (of the first `number`; all by default) and return their names.

    All of them or none, one process at a time; ConfigError where our role may not.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            cursor.execute("CREATE SCHEMA IF NOT EXISTS hub")
            cursor.execute("CREATE TABLE IF NOT EXISTS hub.migration "
                           "(name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())")
            missing = [path for path in files()[:number] if path.name in absent(cursor)]
            for path in missing:
                cursor.execute(path.read_text())
                cursor.execute("INSERT INTO hub.migration (name) VALUES (%s)", (path.name,))
        connection.commit()
    except errors.InsufficientPrivilege as error:
        connection.rollback()
        raise config.ConfigError(f"the hub's schema cannot be made: {postgres.said(error)}; let a user who may create "
                                 "schemas and roles run: python -m lib hub migrate") from error
    return [path.name for path in missing]


def absent(cursor):
    """The names of the migrations that were not run yet."""
    cursor.execute("SELECT to_regclass('hub.migration') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return [path.name for path in files()]
    cursor.execute("SELECT name FROM hub.migration")
    known = {name for name, in cursor.fetchall()}
    return [path.name for path in files() if path.name not in known]
