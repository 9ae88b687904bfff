"""Corrections go back into the user's own table: shown first, all or none, and never over someone's later change."""

import uuid

import numpy as np
import pytest
from conftest import PASSWORD, insert, label, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import __main__ as command
from lib.common import config
from lib.data import ingest, write_back
from lib.imaging import images
from lib.storage import revisions, tables

FILE = "X:\\p{}.jpg"


def told(values):
    """A label of the table as the viewer was shown it."""
    own = {name: float(value) for name, value in values.items() if name.startswith("p")}
    return {**own, "row_nb": int(values["row_nb"])}


def correct(job, number, place=0, was=..., **values):
    """Save a correction of picture `place` by anna: p1x is 6.25."""
    seen = told(label("")) if was is ... else was
    return revisions.save(job, revisions.Change(
        str(uuid.uuid4()), FILE.format(place), number, values.pop("status", "accepted"),
        {**told(label("")), "p1x": 6.25, **values}, seen, "anna"))


@pytest.fixture
def mine(tcp_job, place):
    """A job whose table has four pictures."""
    for n in range(4):
        picture(place / f"p{n}.jpg", n)
    job = tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}]})
    insert(job, [label(FILE.format(n), f"S{n}") for n in range(4)])
    return job


def column(job, name):
    names, rows = tables.read_table(job)
    return {row[names.index("fullname")]: row[names.index(name)] for row in rows}


def states(lines):
    return {line.revision.source: line.state for line in lines}


def test_what_would_change_is_shown_and_nothing_is_written_until_it_is_asked_for(mine, server):
    correct(mine, 1)
    before = tables.read_table(mine)
    lines = write_back.apply(mine)
    assert states(lines) == {FILE.format(0): "change"} and "p1x 5 → 6.25" in str(lines[0])
    assert tables.read_table(mine) == before and revisions.applied(mine) == {}
    done = write_back.apply(mine, write=True)
    assert write_back.summary(done, True) == "1 were changed"
    assert column(mine, "p1x") == {FILE.format(0): "6.25", **{FILE.format(n): "5" for n in (1, 2, 3)}}
    kept = server.sql("SELECT was, now FROM corebox.applied ORDER BY id DESC LIMIT 1")[0]
    assert kept[0]["p1x"] == "5" and kept[1]["p1x"] == 6.25, "what was before stays in the log"
    assert states(write_back.apply(mine, write=True)) == {FILE.format(0): "there"}


def test_a_table_with_a_percent_sign_and_a_serial_key_is_corrected_in_place(tcp_job, server, place):
    job = tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}], "data.columns.row_nb": "Kern %"})
    schema = mine_schema(job)
    corners = ", ".join(f"p{n}{axis} float" for n in (1, 2, 3, 4) for axis in "xy")
    server.sql(f"""CREATE SCHEMA {schema}; CREATE TABLE {schema}.log_pic (id serial PRIMARY KEY, fullname text UNIQUE NOT NULL,
        site_na text, "Kern %" int, {corners}); CREATE TABLE {schema}.note (pic int REFERENCES {schema}.log_pic (id) ON DELETE CASCADE)""")
    for n in range(2):
        picture(place / f"p{n}.jpg", n)
    insert(job, [{("Kern %" if name == "row_nb" else name): value for name, value in label(FILE.format(0)).items()}])
    server.sql(f"INSERT INTO {schema}.note VALUES (1)")
    correct(job, 1, row_nb=7), correct(job, 1, 1, was=None)
    assert states(write_back.apply(job, write=True)) == {FILE.format(0): "change", FILE.format(1): "new"}
    assert server.sql(f'SELECT id, "Kern %", p1x FROM {schema}.log_pic ORDER BY id') == [(1, 7, 6.25), (2, 3, 6.25)]
    assert server.sql(f"SELECT pic FROM {schema}.note") == [(1,)]


def test_a_row_that_someone_changed_since_is_a_conflict_and_left(mine, server):
    correct(mine, 1)
    correct(mine, 1, 1)
    table = f'"{mine_schema(mine)}".log_pic'
    server.sql(f"UPDATE {table} SET p3x = '58' WHERE fullname = '{FILE.format(0)}'")
    lines = write_back.apply(mine, write=True)
    assert states(lines) == {FILE.format(0): "conflict", FILE.format(1): "change"}
    assert "changed since" in str(lines[0]) and column(mine, "p1x")[FILE.format(0)] == "5"
    server.sql(f"UPDATE {table} SET p3x = '59' WHERE fullname = '{FILE.format(0)}'")
    assert states(write_back.apply(mine, write=True))[FILE.format(0)] == "change"
    server.sql(f"UPDATE {table} SET p1x = '5' WHERE fullname = '{FILE.format(0)}'")
    correct(mine, 2, was={**told(label("")), "p1x": 6.25}, p1x=7.5)
    assert states(write_back.apply(mine, write=True))[FILE.format(0)] == "conflict", "set back by hand after it was written"


def mine_schema(job):
    from lib.storage import postgres as door

    return door.schema(job)


def test_a_second_correction_is_written_over_the_first(mine):
    correct(mine, 1)
    write_back.apply(mine, write=True)
    correct(mine, 2, was={**told(label("")), "p1x": 6.25}, p1x=7.5)
    assert states(write_back.apply(mine, write=True)) == {FILE.format(0): "change"}
    assert column(mine, "p1x")[FILE.format(0)] == "7.5"


def test_pictures_marked_doubted_missing_or_standing_twice_are_told_and_left(mine, place):
    correct(mine, 1, status="bad")
    correct(mine, 1, 1, status="unsure")
    correct(mine, 1, 2)
    insert(mine, [label(FILE.format(2), "S2")])
    correct(mine, 1, 3)
    (place / "p3.jpg").unlink()
    correct(mine, 1, 9)
    before = tables.read_table(mine)
    lines = write_back.apply(mine, write=True)
    assert states(lines) == {FILE.format(0): "marked", FILE.format(2): "conflict", FILE.format(3): "lost",
                             FILE.format(9): "lost"}
    assert "2 rows" in str(lines[1]) and tables.read_table(mine) == before


def test_all_or_none_is_written(mine, server):
    for n in (0, 1):
        correct(mine, 1, n)
    schema = mine_schema(mine)
    server.sql(f"""CREATE FUNCTION "{schema}".no() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.fullname LIKE '%p1%' THEN RAISE EXCEPTION 'p1 is locked'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER no BEFORE UPDATE ON "{schema}".log_pic FOR EACH ROW EXECUTE FUNCTION "{schema}".no()""")
    with pytest.raises(ValueError, match="p1 is locked.*nothing was written"):
        write_back.apply(mine, write=True)
    assert set(column(mine, "p1x").values()) == {"5"} and revisions.applied(mine) == {}


def test_a_role_that_may_not_write_is_told_what_it_needs(mine, server, tmp_path):
    correct(mine, 1)
    schema = mine_schema(mine)
    server.sql(f"DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA "
               f'"{schema}", corebox TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO reader; '
               "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA corebox TO reader")
    values = mine.params.plain()
    values["data"]["token"] = server.token(tmp_path / "reader.json", uid="reader", schema=schema)
    try:
        reader = type(mine)(config.Params(values), mine.profile)
        assert states(write_back.apply(reader)) == {FILE.format(0): "change"}
        with pytest.raises(config.ConfigError, match="needs SELECT, INSERT and UPDATE"):
            write_back.apply(reader, write=True)
    finally:
        server.sql("DROP OWNED BY reader; DROP ROLE reader")


def test_labels_in_the_stored_pixels_are_written_as_they_were_stored(tcp_job, place):
    picture(place / "p0.jpg", 0, exif=orientation_six())
    job = tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}], "data.orientation": "stored"})
    insert(job, [label(FILE.format(0))])
    upright = gather_label(job)
    correct(job, 1, was=upright, **{**upright, "p1x": upright["p1x"] + 1})
    write_back.apply(job, write=True)
    assert gather_label(job) == pytest.approx({**upright, "p1x": upright["p1x"] + 1})
    assert tables.snapshot(job).rows[0]["p4x"] != label("")["p4x"]


def orientation_six():
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def gather_label(job):
    """The only row's label in pixels of the upright picture."""
    row = tables.snapshot(job).rows[0]
    checked = job.check(ingest.upright_label(job, row, {"image": "p0.jpg", "width": 48, "height": 64, "orientation": 6}))
    return {name: checked[name] for name in job.columns}


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_stored_points_are_where_upright_ones_came_from(orientation, width, height, seed):
    points = np.random.default_rng(seed).uniform(-0.1, 1.1, (4, 2)) * (width, height)
    back = images.upright(images.stored(points, orientation, (width, height)), orientation, (width, height))
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_a_picture_first_labelled_in_the_viewer_is_a_row_of_notebook_01_and_added_to_the_table(mine, place):
    for n in range(4, 30):
        picture(place / f"p{n}.jpg", n)
    insert(mine, [label(FILE.format(n), f"S{n}") for n in range(4, 29)])
    correct(mine, 1, 29, was=None)
    found = ingest.ingest_labels(mine)
    row = found.table.set_index("source").loc[FILE.format(29)]
    assert row["p1x"] == 6.25 and found.counts["kept"] == 30
    lines = write_back.apply(mine, write=True)
    assert states(lines) == {FILE.format(29): "new"} and column(mine, "p1x")[FILE.format(29)] == "6.25"
    assert states(write_back.apply(mine)) == {FILE.format(29): "there"}


def test_a_corrected_row_that_left_the_table_does_not_come_back(mine, server):
    correct(mine, 1)
    server.sql(f"""DELETE FROM "{mine_schema(mine)}".log_pic WHERE fullname = '{FILE.format(0)}'""")
    assert states(write_back.apply(mine, write=True)) == {FILE.format(0): "conflict"}
    assert FILE.format(0) not in column(mine, "p1x") and FILE.format(0) not in revisions.new_pictures(mine)


def test_the_command_shows_first_and_writes_with_yes(mine, capsys, monkeypatch):
    correct(mine, 1)
    monkeypatch.setattr(command, "find_job", lambda arguments: mine)
    assert command.main(["labels", "apply"]) == 0
    assert "nothing was written yet, --yes does it" in capsys.readouterr().out and column(mine, "p1x")[FILE.format(0)] == "5"
    assert command.main(["labels", "apply", "--yes"]) == 0
    assert "1 were changed" in capsys.readouterr().out and column(mine, "p1x")[FILE.format(0)] == "6.25"
    assert command.main(["labels", "export"]) == 1 and "needs the name of a file" in capsys.readouterr().err


def test_only_what_was_accepted_and_still_is_goes_into_the_table(mine):
    correct(mine, 1, 0, status="edited", p1x=7.0)
    correct(mine, 1, 1)
    correct(mine, 2, 1, status="open", was={**told(label("")), "p1x": 6.25})
    correct(mine, 1, 2, status="edited", p1x=7.0)
    correct(mine, 2, 2, was={**told(label("")), "p1x": 7.0})
    correct(mine, 1, 3)
    correct(mine, 2, 3, status="edited", p1x=9.0, was={**told(label("")), "p1x": 6.25})
    lines = write_back.apply(mine, write=True)
    assert states(lines) == {FILE.format(2): "change", FILE.format(3): "change"}
    assert [column(mine, "p1x")[FILE.format(n)] for n in range(4)] == ["5", "5", "6.25", "6.25"]


# --- several boxes of a picture, a row each

UPPER, MIDDLE, LOWER = ((5, y, 60, y + 1, 59, y + 10, 4, y + 11) for y in (2, 17, 32))


def box(corners, **others):
    return {**told(label("", corners=corners)), **others}


def of(*boxes):
    """A label of several boxes as the viewer saves it."""
    return {**boxes[0], "boxes": list(boxes)} if len(boxes) > 1 else boxes[0]


@pytest.fixture
def two(tcp_job, place, server):
    """A job whose table has a serial key and two boxes of a picture, and one of another."""
    for n in range(2):
        picture(place / f"p{n}.jpg", n)
    job = tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}]})
    corners = ", ".join(f"p{n}{axis} float" for n in (1, 2, 3, 4) for axis in "xy")
    server.sql(f"CREATE SCHEMA {mine_schema(job)}; CREATE TABLE {mine_schema(job)}.log_pic (id serial PRIMARY KEY, fullname text, "
               f"site_na text, row_nb int, note text, {corners}, cut boolean)")
    insert(job, [label(FILE.format(0), "S", corners=UPPER), label(FILE.format(0), "S", corners=LOWER), label(FILE.format(1), "T", corners=MIDDLE)])
    server.sql(f"UPDATE {mine_schema(job)}.log_pic SET note = 'mine ' || id")
    return job


def save(job, number, wanted, seen):
    return revisions.save(job, revisions.Change(str(uuid.uuid4()), FILE.format(0), number, "accepted", of(*wanted), of(*seen), "anna"))


def whole(job, server):
    return server.sql(f"SELECT id, fullname, site_na, row_nb, note, p1y, p3x, cut FROM {mine_schema(job)}.log_pic ORDER BY id")


def test_each_box_is_corrected_in_its_own_row(two, server):
    seen = [box(UPPER), box(LOWER)]
    save(two, 1, [box(UPPER), box(LOWER, p3x=57.5, row_nb=5)], seen)
    lines = write_back.apply(two)
    assert states(lines) == {FILE.format(0): "change"} and "row 2: row_nb 3 → 5, p3x 59 → 57.5" in str(lines[0])
    before = whole(two, server)
    assert write_back.apply(two, write=True) and whole(two, server) == [
        before[0], (2, FILE.format(0), "S", 5, "mine 2", 32.0, 57.5, None), before[2]]
    assert states(write_back.apply(two, write=True)) == {FILE.format(0): "there"}
    save(two, 2, [box(UPPER, p1y=3.0), box(LOWER, p3x=57.5, row_nb=5)], [box(UPPER), box(LOWER, p3x=57.5, row_nb=5)])
    write_back.apply(two, write=True)
    assert [row[5] for row in whole(two, server)] == [3.0, 32.0, 17.0], "a second correction finds the rows as they were written"


def test_a_box_that_was_added_in_the_review_is_a_row_of_its_group(two, server):
    save(two, 1, [box(UPPER), box(MIDDLE, row_nb=2), box(LOWER)], [box(UPPER), box(LOWER)])
    before = whole(two, server)
    write_back.apply(two, write=True)
    assert whole(two, server) == [*before, (4, FILE.format(0), "S", 2, None, 17.0, 59.0, None)]
    assert states(write_back.apply(two, write=True)) == {FILE.format(0): "there"} and len(whole(two, server)) == 4


def test_the_row_of_a_box_that_was_taken_out_is_told_and_left(two, server):
    save(two, 1, [box(UPPER, p1y=3.0)], [box(UPPER), box(LOWER)])
    before = whole(two, server)
    (line,) = write_back.apply(two, write=True)
    assert line.state == "conflict" and "remove its row yourself" in str(line) and whole(two, server) == before
    server.sql(f"DELETE FROM {mine_schema(two)}.log_pic WHERE id = 2")
    assert states(write_back.apply(two, write=True)) == {FILE.format(0): "change"} and whole(two, server)[0][5] == 3.0


def test_a_box_that_someone_changed_since_is_a_conflict_and_one_that_came_since_is_not(two, server):
    save(two, 1, [box(UPPER, p1y=3.0), box(LOWER)], [box(UPPER), box(LOWER)])
    server.sql(f"UPDATE {mine_schema(two)}.log_pic SET p3x = 58 WHERE id = 2")
    assert states(write_back.apply(two, write=True)) == {FILE.format(0): "conflict"} and whole(two, server)[0][5] == 2.0
    server.sql(f"UPDATE {mine_schema(two)}.log_pic SET p3x = 59 WHERE id = 2")
    insert(two, [label(FILE.format(0), "S", corners=MIDDLE)])
    assert states(write_back.apply(two, write=True)) == {FILE.format(0): "change"}
    assert [row[5] for row in whole(two, server)] == [3.0, 32.0, 17.0, 17.0]


def test_that_a_box_is_cut_is_written_where_the_review_changed_it(two, server):
    save(two, 1, [box(UPPER), box(LOWER, cut=True)], [box(UPPER), box(LOWER)])
    write_back.apply(two, write=True)
    assert [row[7] for row in whole(two, server)] == [None, True, None]
    save(two, 2, [box(UPPER), box(LOWER)], [box(UPPER), box(LOWER, cut=True)])
    write_back.apply(two, write=True)
    assert [row[7] for row in whole(two, server)] == [None, False, None]


def test_a_table_with_one_row_a_picture_keeps_it_and_says_so(mine, server):
    server.sql(f"CREATE UNIQUE INDEX ON {mine_schema(mine)}.log_pic (fullname)")
    seen = told(label(""))
    correct(mine, 1, 1)
    revisions.save(mine, revisions.Change(str(uuid.uuid4()), FILE.format(0), 1, "accepted", of(seen, {**seen, "p1x": 30.0, "p4x": 30.0}),
                                          seen, "anna"))
    lines = write_back.apply(mine, write=True)
    assert states(lines) == {FILE.format(0): "lost", FILE.format(1): "change"} and "one row for a picture" in str(lines[0])
    assert len(column(mine, "p1x")) == 4 and column(mine, "p1x")[FILE.format(1)] == "6.25"
