"""Labels of the user's own, in from a file and out again."""

import csv
import os
import re
from pathlib import Path

import pytest
from conftest import insert, label

from lib.common import config
from lib.data import demo, formats, ingest
from lib.storage import tables

HEADER = "fullname,site_na,hole,row_nb,p1x,p1y,p2x,p2y,p3x,p3y,p4x,p4y"
LINE = "a/b.jpg,Highland,007,3,5,5.5,60,6,59,40,4,41"


@pytest.fixture
def file(tmp_path):
    """A function that writes lines as a CSV file and returns its path."""

    def write(*lines, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
        return path

    return write


def test_labels_go_into_the_table_and_come_out_the_same(tcp_job, file, tmp_path):
    job, path = tcp_job(), file(HEADER, LINE, 'c d.jpg,"x\'; drop table log_pic; -- ""q"", é",,4,5.25,5,60,6,59,40,4,41')
    assert formats.import_labels(job, path).changes.new == 2
    assert formats.export_labels(job, tmp_path / "out.csv") == 2
    assert list(csv.reader(open(tmp_path / "out.csv"))) == list(csv.reader(open(path)))


def test_columns_beyond_ours_are_text_and_ours_have_their_types(server, tcp_job, file):
    job = tcp_job()
    formats.import_labels(job, file(HEADER, LINE))
    assert server.sql(f"SELECT hole, row_nb, p1y FROM {tables.schema(job)}.log_pic") == [("007", 3, 5.5)]


def test_loading_again_replaces_and_another_table_can_be_named(tcp_job, file):
    job = tcp_job()
    formats.import_labels(job, file(HEADER, LINE, LINE.replace("a/b", "a/c")))
    formats.import_labels(job, file(HEADER, LINE.replace(",3,", ",5,")))
    assert [(row["image"], row["row_nb"]) for row in tables.snapshot(job).rows] == [("a/b.jpg", "5"), ("a/c.jpg", "3")]
    assert formats.import_labels(job, file(HEADER, LINE), table="other").changes.new == 1
    assert len(tables.read_table(job, "other")[1]) == 1


def test_a_table_that_lacks_a_column_gets_it(tcp_job, file):
    job = tcp_job()
    insert(job, [label("old.jpg")])
    changes = formats.import_labels(job, file(HEADER.replace("hole", "depth"), LINE)).changes
    names, rows = tables.read_table(job)
    assert changes.columns == ("depth",) and "depth" in names and len(rows) == 2


def test_the_users_rows_take_the_place_of_generated_ones(make_job, file, quick_pictures):
    job = make_job(data__generate=3, data__generate_width=320, data__generate_height=240)
    demo.fill_table(job)
    formats.import_labels(job, file(HEADER, LINE))
    assert demo.fill_table(job) == 0
    assert [row["image"] for row in tables.snapshot(job).rows] == ["a/b.jpg"]


def test_a_byte_order_mark_and_empty_cells_are_read(tcp_job, file):
    job = tcp_job()
    formats.import_labels(job, file(HEADER, LINE.replace("5.5", ""), LINE.replace("a/b", "c").replace("5.5", "NaN"),
                           encoding="utf-8-sig"))
    assert [row["p1y"] for row in tables.snapshot(job).rows] == [None, None]


@pytest.mark.parametrize("lines, words", [
    ((HEADER, LINE.replace("5.5", "left")), "line 2, column p1y: 'left' is not a finite number; nothing was loaded"),
    ((HEADER, LINE, LINE.replace(",3,", ",2.5,")), "line 3, column row_nb: '2.5' is not a whole number"),
    ((HEADER, LINE.replace("5.5", "inf")), "'inf' is not a finite number"),
    ((HEADER, LINE + ",9"), "line 2 of"), ((HEADER,), "a header and no rows"), ((), "must name every column once"),
    ((HEADER.replace("p4y", "p4x"), LINE), "must name every column once"),
    ((HEADER.replace("fullname", "path"), LINE), "has no column 'fullname' (data.columns.image)"),
    ((HEADER, '"' + LINE), "is not CSV"), ((HEADER, LINE.replace("a/b", "a\0b")), "NUL")])
def test_a_file_that_cannot_be_loaded_is_told_with_its_line(tcp_job, file, lines, words):
    job = tcp_job()
    with pytest.raises(ValueError) as caught:
        formats.import_labels(job, file(*lines))
    assert words in str(caught.value)
    with pytest.raises(config.ConfigError, match="there is no table"):
        tables.snapshot(job)


def test_what_is_no_file_or_no_format_is_told(tcp_job, file, tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        formats.import_labels(tcp_job(), tmp_path / "none.csv")
    with pytest.raises(ValueError, match="not CSV in UTF-8, UTF-16 or Windows-1252; save it"):
        formats.import_labels(tcp_job(), file(HEADER, LINE.replace("a/b", "\x81"), encoding="latin-1"))
    with pytest.raises(config.ConfigError, match="format is 'xls'; there are csv"):
        formats.import_labels(tcp_job(), file(HEADER, LINE), "xls")
    with pytest.raises(config.ConfigError, match="there is no table"):
        formats.export_labels(tcp_job(), tmp_path / "out.csv")


@pytest.mark.skipif("COREBOX_REAL_DATA" not in os.environ, reason="COREBOX_REAL_DATA names no folder of real pictures")
def test_real_photographs_are_loaded_and_gathered_by_hole(tcp_job):
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "coreboxes"
    job = tcp_job(data__columns__group="hole", data__path_rules=[{"from": "", "to": str(folder)}])
    assert formats.import_labels(job, folder / "log_pic.csv").changes.new == 25
    found = ingest.ingest_labels(job)
    assert len(found.table) + len(found.dropped) == 25 and len(found.table) >= 20
    assert all(len(set(part)) == 1 for _, part in found.table.groupby("group").split)


def test_the_page_of_formats_names_each_with_its_commands():
    page = (config.REPOSITORY / "docs" / "formats.md").read_text()
    for name in formats.FORMATS:
        options = "" if name == "csv" else rf"( --task \w+)? --format {name}"
        out = rf"labels export \S+{options}`" if writes(name) else "not written"
        assert re.search(rf"^\| `{name}` \|.*{out}.*labels import \S+{options}` \|$", page, re.M), name


def writes(name):
    return name not in formats.DATA_SETS or hasattr(formats.DATA_SETS[name], "write")
