"""How is the hub's database reached? Each action in a transaction under the PostgreSQL role that may take it."""

import contextlib
from pathlib import Path

import psycopg2
from psycopg2 import errors

from lib.common import config
from lib.hub import accounts, schema
from lib.storage import postgres

VALUE_ERRORS = (errors.NumericValueOutOfRange, errors.UntranslatableCharacter, errors.CharacterNotInRepertoire,
                errors.InvalidTextRepresentation, errors.DatetimeFieldOverflow)   # the user's input, not a fault of the query
GROUPS = ("hub", "data", "api", "compute")   # the settings the hub reads


class Hub:
    """The hub's settings and its way to PostgreSQL, for any number of threads.

    `params` holds the groups `hub`, `compute`, `data` (the server's time limits) and `api` (what a picture may be).
    """

    name = "hub"   # with the profile, that of its database in the embedded PostgreSQL

    def __init__(self, params):
        self.params, self.profile = params, params.hub.name

    @property
    def settings(self):
        return self.params.hub

    @property
    def folder(self):
        """What the hub keeps on this machine."""
        return config.home() / "data" / "hub" / self.profile

    @property
    def place(self):
        """The folder or URL of the store."""
        to = self.settings.store
        return to if "://" in to else str(config.home() / Path(to).expanduser() if to else self.folder / "store")

    def migrate(self):
        """Bring the schema up to date and return the names of the migrations that were run."""
        with postgres.connect(self) as connection, postgres.time_limit(connection, self.limit):
            return schema.SCHEMA.migrate(connection)

    @property
    def limit(self):
        return postgres.GRACE + self.params.data.statement_timeout

    @contextlib.contextmanager
    def owner_transaction(self):
        """A cursor in a transaction under the role that owns the schema; commits when the block ends without an error.

        Raises config.ConfigError (the schema is missing), postgres.Unreachable, and ValueError for a value that PostgreSQL
        does not take.
        """
        with self._cursor() as cursor:
            yield cursor

    @contextlib.contextmanager
    def transaction(self, account, action, seconds=None):
        """A cursor in a transaction under the PostgreSQL role of the account's action, which may do no more.

        Ends after `seconds`, by default after the time limit of one statement. Raises accounts.Forbidden, and what
        `owner_transaction` raises.
        """
        role = accounts.database_role(account, action)
        with self._cursor(seconds) as cursor:
            cursor.execute("SELECT set_config('role', %s, true), set_config('hub.person', %s, true)",
                           (role, str(account.id or "")))
            yield cursor

    @contextlib.contextmanager
    def _cursor(self, seconds=None):
        try:
            with postgres.connect(self) as connection, postgres.time_limit(connection, seconds or self.limit), \
                    connection.cursor() as cursor:
                yield cursor
                connection.commit()
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedFunction) as error:
            raise config.ConfigError(f"the hub's schema is not there or too old ({postgres.error_text(error)}); run: "
                                     "python -m lib hub migrate") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if isinstance(error, errors.QueryCanceled):
                raise postgres.Unreachable(f"PostgreSQL needs more than {self.params.data.statement_timeout} s for a "
                                         "query of the hub; raise data.statement_timeout") from error
            raise postgres.Unreachable(f"PostgreSQL broke off at the hub: {postgres.error_text(error)}; nothing of this step "
                                     "was written, run again") from error
        except errors.InsufficientPrivilege as error:
            raise accounts.Forbidden(f"PostgreSQL does not allow it: {postgres.error_text(error)}") from error
        except VALUE_ERRORS as error:
            raise ValueError(f"PostgreSQL does not take a value: {postgres.error_text(error)[:200]}; put it right") from error
        except UnicodeEncodeError as error:
            raise ValueError(f"the text {error.object[:60]!r} holds half a character (a surrogate); put it right") from error
        except ValueError as error:
            if "cannot contain NUL" not in str(error):
                raise
            raise ValueError("a text holds a NUL character, which PostgreSQL does not take; take it out") from error


def open_hub(overrides=None):
    """The Hub of params.yaml, not connected yet; `overrides` are dotted keys. Raises config.ConfigError."""
    overrides = config.nest(overrides)
    config._check_keys({name: overrides.get(name) for name in (*GROUPS, *overrides)}, GROUPS, "the hub's settings")
    return _hub({name: config.resolve_group(name, overrides.get(name)).plain() for name in GROUPS})


def for_task(job):
    """The Hub that a job's settings name."""
    return _hub({name: job.params[name].plain() for name in GROUPS})


def _hub(values):
    """The Hub of these settings: hub.token goes before data.token; where both are empty, PostgreSQL is the embedded one."""
    values["data"]["token"] = values["hub"]["token"] or values["data"]["token"]
    return Hub(config.Params(values))
