"""Rows into a table that is the user's own: updated in place, never deleted; what the database fills stays its business."""

import pytest

from lib.storage import table_writes, tables
from lib.storage.locations import Unreachable
from lib.storage.postgres import schema
from lib.storage.table_writes import write_rows

OWN = """CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.own_pic (id serial PRIMARY KEY, fullname text UNIQUE NOT NULL, site_na varchar(6), row_nb integer,
    "Kern %" text, p1x double precision, shape json, logged timestamptz NOT NULL DEFAULT '2026-01-01',
    upper_site text GENERATED ALWAYS AS (upper(site_na)) STORED, number integer GENERATED ALWAYS AS IDENTITY);
CREATE TABLE {schema}.own_note (pic integer NOT NULL REFERENCES {schema}.own_pic (id) {cascade}, note text);
INSERT INTO {schema}.own_pic (fullname, site_na, row_nb, p1x, shape) VALUES ('a', 'H1', 3, 1, '{{"x":  1}}'), ('b', 'H2', 3, 1, NULL);
INSERT INTO {schema}.own_note SELECT id, 'logged by Anna' FROM {schema}.own_pic"""


@pytest.fixture(params=["ON DELETE CASCADE", ""], ids=["cascade", "restrict"])
def own(request, server, tcp_job):
    """A job whose table has a serial key, an identity, a generated column, defaults, and rows that hang on it."""
    job = tcp_job(data__table="own_pic", data__columns__group="site_na")
    server.sql(OWN.format(schema=schema(job), cascade=request.param))
    return job


def write(job, *records, **options):
    kinds = {name: type(value) if value is not None else str for record in records for name, value in record.items()}
    return write_rows(job, "own_pic", kinds, records, "fullname", **options)


def stands(server, job, columns, table="own_pic"):
    return server.sql(f'SELECT {columns} FROM {schema(job)}.{table} ORDER BY 1')


def test_rows_that_are_there_are_updated_in_the_columns_that_are_known(server, own):
    changes = write(own, {"fullname": "a", "p1x": 7.5})
    assert (changes.updated, changes.new, changes.unchanged) == (1, 0, 0)
    assert stands(server, own, "fullname, id, site_na, row_nb, p1x, number") == [("a", 1, "H1", 3, 7.5, 1), ("b", 2, "H2", 3, 1, 2)]
    assert stands(server, own, "pic, note", "own_note") == [(1, "logged by Anna"), (2, "logged by Anna")]


def test_new_rows_get_what_is_known_and_the_defaults(server, own):
    changes = write(own, {"fullname": "c", "p1x": 2.0, "id": None, "logged": None, "site_na": "h3"})
    assert (changes.updated, changes.new, changes.added) == (0, 1, ("c",))
    assert stands(server, own, "id, fullname, upper_site, number, logged::date::text")[2] == (3, "c", "H3", 3, "2026-01-01")


def test_a_row_that_says_the_same_is_not_touched(server, own):
    before = stands(server, own, "fullname, xmin::text")
    changes = write(own, {"fullname": "a", "p1x": 1.0, "row_nb": 3.0, "shape": '{"x":  1}'}, {"fullname": "b", "site_na": "H2"})
    assert (changes.updated, changes.new, changes.unchanged) == (0, 0, 2)
    assert stands(server, own, "fullname, xmin::text") == before


def test_what_the_database_fills_is_left_to_it_and_told(server, own):
    changes = write(own, {"fullname": "a", "id": 9, "upper_site": "WRONG", "number": 7, "p1x": 2.0})
    assert changes.kept == ("id", "upper_site", "number") and "left to the database: id, upper_site, number" in str(changes)
    assert stands(server, own, "id, fullname, upper_site, number, p1x")[0] == (1, "a", "H1", 1, 2.0)


def test_an_exported_table_goes_in_again_unchanged(server, own):
    names, rows = tables.read_table(own)
    changes = write(own, *(dict(zip(names, row, strict=True)) for row in rows))
    assert (changes.updated, changes.new, changes.unchanged) == (0, 0, 2)


def test_a_number_that_a_new_row_brings_is_not_given_out_again(server, own):
    write(own, {"fullname": "c", "id": 40})
    write(own, {"fullname": "d", "p1x": 1.0})
    assert stands(server, own, "fullname, id")[2:] == [("c", 40), ("d", 41)]


def test_a_dry_run_tells_what_would_be_and_keeps_nothing(server, own):
    records = {"fullname": "a", "p1x": 7.5, "more": "x"}, {"fullname": "c", "p1x": 1.0, "more": None}
    before = tables.read_table(own)
    told = write(own, *records, dry_run=True)
    assert tables.read_table(own) == before
    assert write(own, *records) == told and (told.updated, told.new, told.columns) == (1, 1, ("more",))
    assert stands(server, own, "fullname, id")[2] == ("c", 3)


@pytest.mark.parametrize("record, words", [
    ({"fullname": "a", "site_na": "too long for it"}, "too long"), ({"fullname": "a", "row_nb": 2.5}, "2.5"),
    ({"fullname": "a", "p1x": "x"}, "invalid input syntax"), ({"fullname": "c", "row_nb": 2.5}, "2.5"),
    ({"fullname": "", "p1x": 1.0}, "no value in 'fullname'")])
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(own, record, words):
    before = tables.read_table(own)
    with pytest.raises(ValueError, match="nothing was written") as caught:
        write(own, {"fullname": "b", "p1x": 9.0}, record)
    assert words in str(caught.value) and tables.read_table(own) == before


def test_two_records_of_one_row_must_agree(server, own):
    assert write(own, {"fullname": "a", "p1x": 5.0}, {"fullname": "a", "p1x": 5.0}).updated == 1
    with pytest.raises(ValueError, match="two rows for 'a' differ in p1x; keep one; nothing was written"):
        write(own, {"fullname": "a", "p1x": 5.0}, {"fullname": "a", "p1x": 6.0})


def test_a_row_that_is_there_twice_is_not_guessed_at(server, tcp_job):
    job = tcp_job(data__table="own_pic")
    server.sql(f"CREATE SCHEMA IF NOT EXISTS {schema(job)}; CREATE TABLE {schema(job)}.own_pic (fullname text, p1x float);"
               f"INSERT INTO {schema(job)}.own_pic VALUES ('a', 1), ('a', 2)")
    with pytest.raises(ValueError, match="has 2 rows for 'a'.*leave one row each.*nothing was written"):
        write(job, {"fullname": "a", "p1x": 3.0})
    assert stands(server, job, "p1x") == [(1,), (2,)]


LONG = "Koordinate der oberen linken Ecke des Kernkastens in Pixeln - horizontal"


@pytest.mark.parametrize("name, words", [(LONG, f"'{LONG}' has a name of 72 bytes and PostgreSQL takes 63"),
                                         ("ä" * 32, "64 bytes"), ("xmin", "'xmin' has a name that PostgreSQL keeps"),
                                         ("tableoid", "keeps for itself")])
def test_a_name_that_postgresql_cannot_hold_is_told_before_anything_is_made(tcp_job, name, words):
    with pytest.raises(ValueError, match="nothing was written") as caught:
        write(tcp_job(), {"fullname": "a", name: "1"})
    assert words in str(caught.value)


def test_percent_signs_in_names_are_letters_like_others(server, tcp_job):
    job = tcp_job(data__table="own_pic")
    for value in ("95", "96"):
        write_rows(job, "100 %s", {"fullname": str, "Kern %": str, "%(x)s": str},
                   [{"fullname": "5 %", "Kern %": value, "%(x)s": "%s"}], "fullname")
    assert stands(server, job, "*", '"100 %s"') == [("5 %", "96", "%s")]


def test_generated_rows_make_way_whatever_the_column_is_called(server, own):
    write(own, {"fullname": "gen:1", "p1x": 1.0}, {"fullname": "gen:2", "p1x": 1.0}, {"fullname": "general", "p1x": 1.0})
    changes = write_rows(own, "own_pic", {"Foto": str}, [{"Foto": "gen:2", "fullname": "x"}], "Foto", make_way="^gen:")
    assert changes.removed == 2 and [row[0] for row in stands(server, own, "fullname")] == ["a", "b", "general", "x"]


def test_a_line_that_breaks_while_writing_leaves_nothing(server, tcp_job, monkeypatch):
    job, written = tcp_job(data__table="own_pic"), table_writes._Writer.write
    write(job, {"fullname": "a"})

    def broken(self, records):
        changes = written(self, records)
        server.sql("SELECT pg_terminate_backend(%s)", (self.cursor.connection.info.backend_pid,))
        return changes

    monkeypatch.setattr(table_writes._Writer, "write", broken)
    with pytest.raises(Unreachable, match="nothing was written"):
        write(job, {"fullname": "b"})
    assert stands(server, job, "*") == [("a",)]


def test_thousands_of_rows_go_in_by_batches(server, tcp_job):
    job = tcp_job(data__table="own_pic")
    records = [{"fullname": str(n), "p1x": float(n)} for n in range(2500)]
    assert write(job, *records).new == 2500
    changes = write(job, *(record | {"p1x": 0.5} if n % 2 else record for n, record in enumerate(records)))
    assert (changes.updated, changes.unchanged) == (1250, 1250)


# --- several rows of one key


def nearest(rows, records):
    """Pairs of rows and records whose p1x are at most 2 apart."""
    return [(at, n) for n, record in enumerate(records) for at, row in enumerate(rows) if abs(float(row["p1x"]) - record["p1x"]) <= 2]


PARTS = """CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.own_pic (fullname text, p1x float, note text){parted};
INSERT INTO {schema}.own_pic VALUES ('a', 1, 'first'), ('a', 50, 'second'), ('b', 1, 'third')"""
PARTED = """ PARTITION BY RANGE (p1x);
CREATE TABLE {schema}.low PARTITION OF {schema}.own_pic FOR VALUES FROM (0) TO (20);
CREATE TABLE {schema}.high PARTITION OF {schema}.own_pic FOR VALUES FROM (20) TO (100)"""


@pytest.mark.parametrize("parted", ["", PARTED], ids=["table", "partitions"])
def test_records_go_into_the_rows_of_their_key_that_they_are_paired_with(server, tcp_job, parted):
    job = tcp_job(data__table="own_pic")
    server.sql(PARTS.format(schema=schema(job), parted=parted.format(schema=schema(job))))
    records = {"fullname": "a", "p1x": 51.0}, {"fullname": "a", "p1x": 90.0}, {"fullname": "c", "p1x": 3.0}
    assert (write(job, *records, pair=nearest, dry_run=True).updated, len(stands(server, job, "p1x"))) == (1, 3)
    changes = write(job, *records, pair=nearest)
    assert (changes.updated, changes.new, changes.unchanged, changes.left) == (1, 2, 0, 1)
    assert stands(server, job, "p1x, fullname, note") == [
        (1, "a", "first"), (1, "b", "third"), (3, "c", None), (51, "a", "second"), (90, "a", None)]
    again = write(job, *records, pair=nearest)
    assert (again.updated, again.new, again.unchanged) == (0, 0, 3)


def test_a_view_has_one_row_of_a_key_and_says_so(server, tcp_job):
    job = tcp_job(data__table="own_view")
    server.sql(PARTS.format(schema=schema(job), parted="") + f"; CREATE VIEW {schema(job)}.own_view AS SELECT * FROM {schema(job)}.own_pic")

    def into_view(*records):
        return write_rows(job, "own_view", {"fullname": str, "p1x": float}, records, "fullname", pair=nearest)

    assert into_view({"fullname": "b", "p1x": 2.0}).updated == 1
    for records in (({"fullname": "a", "p1x": 1.0},), ({"fullname": "b", "p1x": 2.0}, {"fullname": "b", "p1x": 9.0})):
        with pytest.raises(ValueError, match="nothing was written"):
            into_view(*records)
    assert stands(server, job, "p1x") == [(1,), (2,), (50,)]
