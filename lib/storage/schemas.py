"""How does a schema in PostgreSQL come to the state that this program needs? By numbered SQL files, each run once.

The table `migration` of the schema holds the names of the files that were run.
"""

from dataclasses import dataclass
from pathlib import Path

from psycopg2 import errors, sql

from lib.common import config
from lib.storage import postgres


@dataclass(frozen=True)
class Schema:
    """A PostgreSQL schema with the folder of its migrations (NNN_name.sql), which run in the order of their names.

    `lock` is the number of the advisory lock that keeps other processes out meanwhile; each schema has its own.
    `remedy` tells the user what to do where our role may not change the schema.
    """

    name: str
    folder: Path
    lock: int
    remedy: str

    def files(self):
        """The paths of all migrations, in their order."""
        return sorted(self.folder.glob("*.sql"))

    def migrate(self, connection, number=None):
        """Run the missing migrations among the first `number` (None: all), commit, and return their names.

        All of them run, or none. Raises config.ConfigError where our role may not create or alter the schema.
        """
        try:
            with connection.cursor() as cursor:
                if not self._missing(cursor):
                    connection.rollback()
                    return []
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (self.lock,))
                cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.name)))
                cursor.execute(self._query("CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, "
                                           "at timestamptz NOT NULL DEFAULT now())"))
                missing = [path for path in self._missing(cursor) if path in self.files()[:number]]
                for path in missing:
                    cursor.execute(path.read_text())
                    cursor.execute(self._query("INSERT INTO {} (name) VALUES (%s)"), (path.name,))
            connection.commit()
        except errors.InsufficientPrivilege as error:
            connection.rollback()
            raise config.ConfigError(f"the schema {self.name} is missing or older than this program, and our role may "
                                     f"not change it: {postgres.error_text(error)}; {self.remedy}") from error
        return [path.name for path in missing]

    def _missing(self, cursor):
        """The paths of the migrations that were not run yet, in their order; all of them where there is no schema."""
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{self.name}.migration",))
        if not cursor.fetchone()[0]:
            return self.files()
        cursor.execute(self._query("SELECT name FROM {}"))
        known = {name for name, in cursor.fetchall()}
        return [path for path in self.files() if path.name not in known]

    def _query(self, text):
        """A statement whose {} is the table of the migrations that were run."""
        return sql.SQL(text).format(sql.Identifier(self.name, "migration"))
