"""Schemas in PostgreSQL: each migration runs once, in order, all or none; databases made before keep their bookkeeping."""

import os

import psycopg2
import pytest
from conftest import PASSWORD

from lib.common import config
from lib.hub import schema
from lib.storage import revisions, schemas


def connect(server, user=None, password=PASSWORD):
    return psycopg2.connect(host="127.0.0.1", port=server.port, dbname=server.database, user=user or server.uid, password=password)


@pytest.fixture
def made(server, tmp_path):
    """A schema of two migrations, of which none was run."""
    name = f"migrated{os.getpid()}"
    (tmp_path / "001_first.sql").write_text(f"CREATE TABLE {name}.thing (a integer)")
    (tmp_path / "002_second.sql").write_text(f"ALTER TABLE {name}.thing ADD b integer")
    yield schemas.Schema(name, tmp_path, lock=os.getpid(), remedy="ask its owner")
    server.sql(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def test_each_migration_runs_once_in_order(server, made):
    with connect(server) as connection:
        assert made.migrate(connection, 1) == ["001_first.sql"]
        assert made.migrate(connection) == ["002_second.sql"]
        assert made.migrate(connection) == []
    assert [name for name, in server.sql(f"SELECT name FROM {made.name}.migration ORDER BY at, name")] \
        == ["001_first.sql", "002_second.sql"]


def test_a_migration_that_fails_leaves_nothing_of_the_others(server, made):
    (made.folder / "003_third.sql").write_text("SELECT nothing")
    connection = connect(server)
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        made.migrate(connection)
    connection.close()
    assert server.sql("SELECT to_regnamespace(%s)", (made.name,)) == [(None,)]


def test_a_role_that_may_not_is_told_what_to_do(server, made):
    role = f"{made.name}_reader"
    server.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    try:
        connection = connect(server, role)
        with pytest.raises(config.ConfigError, match="our role may not change it: .*; ask its owner"):
            made.migrate(connection)
        connection.close()
    finally:
        server.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize("ours", [schema.SCHEMA, revisions.MIGRATIONS], ids=lambda each: each.name)
def test_a_database_that_was_made_before_is_not_migrated_twice(server, ours):
    """The bookkeeping tables as earlier versions of this program wrote them; the files would fail if they ran again."""
    server.sql(f"DROP SCHEMA IF EXISTS {ours.name} CASCADE")
    server.sql(f"CREATE SCHEMA {ours.name}")
    server.sql(f"CREATE TABLE {ours.name}.migration (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())")
    known = {"hub": ("001_people.sql", "002_pictures.sql", "003_labels.sql", "004_verification.sql", "005_versions.sql",
                     "006_trainings.sql", "007_roles.sql", "008_keys.sql", "009_bulk.sql"),
             "corebox": ("001_revision.sql", "002_applied.sql")}[ours.name]
    server.sql(f"INSERT INTO {ours.name}.migration (name) SELECT unnest(%s)", (list(known),))
    try:
        with connect(server) as connection:
            assert set(known) <= {path.name for path in ours.files()}
            newer = len(ours.files()) - len(known)
            assert ours.migrate(connection, len(known)) == [] and newer >= 0
    finally:
        server.sql(f"DROP SCHEMA {ours.name} CASCADE")
