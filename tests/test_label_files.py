"""Label files of other programs, by the command line: they meet the rows that they mean, and say what became of them."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from conftest import label, picture

from lib import __main__ as command
from lib.common import config
from lib.data import demo, formats
from lib.storage import tables
from lib.storage.postgres import schema

EXCEL = Path(__file__).with_name("cases") / "excel.csv"
HEADER = "fullname,site_na,row_nb,p1x,p1y,p2x,p2y,p3x,p3y,p4x,p4y"
CORNERS = "5,5,60,6,59,40,4,41"
NAMES = ("H1\\001.jpg", "H2\\001.jpg", "H 3\\Kärn 1.JPG", "H4\\only.jpg")
QUAD = [[10, 10], [50, 11], [51, 40], [12, 39]]


@pytest.fixture
def table(server, tcp_job, place, monkeypatch):
    """A function that runs `labels` on a table of four photographs with a serial key and notes; and what is left there."""
    share = place / "pics"
    for number, name in enumerate(NAMES):
        picture(share.joinpath(*name.split("\\")), number)
    job = tcp_job(data__path_rules=[{"from": "D:\\Cores", "to": str(share)}])
    rows = ", ".join(f"('D:\\Cores\\{name}', 'H', 3, {CORNERS})" for name in NAMES)
    server.sql(f"""CREATE SCHEMA {schema(job)}; CREATE TABLE {schema(job)}.log_pic (id serial PRIMARY KEY, fullname text UNIQUE NOT NULL,
        site_na text, row_nb int, p1x float, p1y float, p2x float, p2y float, p3x float, p3y float, p4x float, p4y float,
        upper text GENERATED ALWAYS AS (upper(site_na)) STORED, logged date NOT NULL DEFAULT '2026-01-01');
        CREATE TABLE {schema(job)}.note (pic int NOT NULL REFERENCES {schema(job)}.log_pic (id) ON DELETE CASCADE, note text);
        INSERT INTO {schema(job)}.log_pic (fullname, site_na, row_nb, p1x, p1y, p2x, p2y, p3x, p3y, p4x, p4y) VALUES {rows};
        INSERT INTO {schema(job)}.note SELECT id, 'logged by Anna' FROM {schema(job)}.log_pic""")

    def run(path, *words, format="csv", settings=()):
        monkeypatch.setattr(command, "find_job", lambda arguments: tcp_job(**{
            "data__path_rules": job.params.data.path_rules, **dict(settings)}))
        return command.main(["labels", "import", str(path), "--format", format, *words])

    def stands():
        assert len(server.sql(f"SELECT pic FROM {schema(job)}.note")) == 4
        return dict(server.sql(f"SELECT id, p1x FROM {schema(job)}.log_pic ORDER BY id"))

    run.job, run.stands = job, stands
    return run


def coco(name):
    return {"images": [{"id": 1, "file_name": name, "width": 64, "height": 48}], "categories": [{"id": 1, "name": "corners"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [sum(QUAD, [])], "attributes": {"row_nb": "5"}}]}


def labelme(name):
    return {"version": "5.4.1", "shapes": [{"label": "corners", "points": QUAD, "shape_type": "polygon", "description": "row_nb: 5"}],
            "imagePath": name, "imageHeight": 48, "imageWidth": 64}


def labelstudio(name, key="image"):
    value = {"points": [[x / 0.64, y / 0.48] for x, y in QUAD], "polygonlabels": ["corners"]}
    return [{"data": {"hole": "H1", key: each}, "annotations": [{"result": [
        {"type": "polygonlabels", "original_width": 64, "original_height": 48, "value": value}]}]}
        for each in ([name] if isinstance(name, str) else name)]


def write(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("format, content, rows", [
    ("coco", coco("H1\\001.jpg"), [1]), ("coco", coco("h1/001.JPG"), [1]), ("coco", coco("images/H4/only.jpg"), [4]),
    ("labelme", labelme("..\\pics\\H1\\001.jpg"), [1]), ("labelme", labelme("only.jpg"), [4]),
    ("labelme", labelme(unicodedata.normalize("NFD", "H 3/Kärn 1.JPG")), [3]),
    ("labelstudio", labelstudio("/data/local-files/?d=pics/H2/001.jpg"), [2]),
    ("labelstudio", labelstudio("/data/local-files/?d=H%203/K%C3%A4rn%201.JPG"), [3]),
    ("labelstudio", labelstudio(["s3://cores/H1/001.jpg", "s3://cores/H2/001.jpg"]), [1, 2]),
    ("labelstudio", labelstudio("/data/local-files/?d=H1/001.jpg", "photo"), [1])])
def test_a_label_meets_the_row_of_its_picture_however_it_is_written(table, tmp_path, capsys, format, content, rows):
    assert table(write(tmp_path / "labels.json", content), format=format) == 0
    assert table.stands() == {number: 10 if number in rows else 5 for number in (1, 2, 3, 4)}
    told = capsys.readouterr().out
    assert re.match(rf"{len(rows)} labels? met known pictures, 0 are of new pictures\n{len(rows)} rows? updated, 0 new, 0 unchanged", told)


@pytest.mark.parametrize("format, content, words", [
    ("coco", coco("H9/001.jpg"), "none of its 1 pictures is in the table: H9/001.jpg; .*--add"),
    ("labelme", labelme("new.jpg"), "--add"), ("labelme", labelme("001.jpg"), "001.jpg may be .*H1.001.jpg or .*H2.001.jpg"),
    ("coco", coco("H1"), "'H1' names no picture"), ("labelstudio", labelstudio("H1", "photo"), "names no picture")])
def test_a_label_that_meets_no_row_is_told_and_makes_none(table, tmp_path, capsys, format, content, words):
    assert table(write(tmp_path / "labels.json", content), format=format) == 1
    told = capsys.readouterr()
    assert re.search(words, told.err) and told.err.count("\n") == 1 and not told.out
    assert table.stands() == dict.fromkeys((1, 2, 3, 4), 5)


def test_new_pictures_are_listed_and_added_when_asked_for(table, tmp_path, capsys):
    path = write(tmp_path / "labels.json", labelstudio(["s3://cores/H1/001.jpg", "s3://cores/H9/new.jpg", "001.jpg"]))
    assert table(path, format="labelstudio") == 0
    told = capsys.readouterr().out
    assert "1 label met known pictures, 1 is of new pictures, which were left out (--add takes them)" in told
    assert "new: H9/new.jpg" in told and "not told apart: 001.jpg may be" in told
    assert table.stands() == {1: 10, 2: 5, 3: 5, 4: 5}
    assert table(path, "--add", "--dry-run", format="labelstudio") == 0 and len(table.stands()) == 4
    assert "would be: 0 rows updated, 1 new, 1 unchanged" in capsys.readouterr().out
    assert table(path, "--add", format="labelstudio") == 0
    assert "0 rows updated, 1 new, 1 unchanged" in capsys.readouterr().out
    assert table.stands() == {1: 10, 2: 5, 3: 5, 4: 5, 5: 10}


def test_yolo_beside_the_classes_of_labelimg_is_read(table, tmp_path):
    for name, text in (("001.txt", "0 .1 .1 .9 .1 .9 .9 .1 .9\n"), ("classes.txt", "corners\n")):
        (tmp_path / "labels" / "H4").mkdir(parents=True, exist_ok=True)
        (tmp_path / "labels" / "H4" / name.replace("001", "only")).write_text(text)
    picture(tmp_path / "images" / "H4" / "only.jpg")
    assert table(tmp_path, format="yolo-obb") == 0
    assert table.stands()[4] == pytest.approx(6.4)


def csv(path, *lines, header=HEADER, encoding="utf-8"):
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    return path


def test_a_csv_updates_rows_by_key_and_says_how_many(table, tmp_path, capsys):
    path = csv(tmp_path / "labels.csv", f"D:\\Cores\\H1\\001.jpg,H,3,{CORNERS}", f"d:/cores/H2/001.jpg,H,3,7{CORNERS[1:]}",
               f"D:\\Cores\\H9\\new.jpg,H,3,{CORNERS}")
    assert table(path, "--dry-run") == 0 and table.stands() == dict.fromkeys((1, 2, 3, 4), 5)
    would = capsys.readouterr().out
    assert table(path) == 0
    told = capsys.readouterr().out
    assert would == told.replace("\n1 row", "\nwould be: 1 row") and "1 row updated, 1 new, 1 unchanged" in told
    assert table.stands() == {1: 5, 2: 7, 3: 5, 4: 5, 5: 5}


def test_what_the_table_exports_goes_in_again_unchanged(table, tmp_path, capsys):
    assert formats.export_labels(table.job, tmp_path / "out.csv") == 4
    assert table(tmp_path / "out.csv") == 0
    assert "0 rows updated, 0 new, 4 unchanged; left to the database: id, upper" in capsys.readouterr().out


LONG = "Koordinate der oberen linken Ecke des Kernkastens in Pixeln - horizontal"


@pytest.mark.parametrize("header, line, words", [
    (f"{HEADER},{LONG}", "1", LONG), (f"{HEADER},xmin", "1", "'xmin' has a name that PostgreSQL keeps"),
    (HEADER, None, "a header and no rows")])
def test_a_header_that_cannot_be_a_column_is_told_before_anything_is_written(table, tmp_path, capsys, header, line, words):
    names = tables.read_table(table.job)
    lines = [f"D:\\Cores\\H1\\001.jpg,H,3,9{CORNERS[1:]},{line}"] if line else [",,,,,,,,,,"]
    assert table(csv(tmp_path / "labels.csv", *lines, header=header)) == 1
    assert words in capsys.readouterr().err and tables.read_table(table.job) == names


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\n"])
def test_separators_blank_rows_and_empty_last_columns_are_taken(table, tmp_path, separator, first):
    line = f"D:\\Cores\\H1\\001.jpg,H,3,9{CORNERS[1:]}"
    text = first.format(separator) + "\n".join([HEADER + ",", line + ",", "," * 11, line, " "]).replace(",", separator)
    (tmp_path / "labels.csv").write_text(text)
    assert table(tmp_path / "labels.csv") == 0
    assert table.stands() == {1: 9, 2: 5, 3: 5, 4: 5}


COLUMNS = {"image": "Foto Datei", "group": "Bohrung Nr", "row_nb": "Reihen Zahl",
           **{f"p{n}{axis}": f"E{n} {axis.upper()}" for n in (1, 2, 3, 4) for axis in "xy"}}


def test_excels_csv_is_read_as_it_is(table, capsys, server):
    settings = {"data__table": "excel", "data__columns": COLUMNS, "data__filter_column": "Bohrung Nr"}
    assert table(EXCEL, settings=settings) == 0
    assert "read as Windows-1252, semicolons, decimal commas" in capsys.readouterr().out
    found = server.sql(f"""SELECT "Bohrung Nr", "Foto Datei", "Reihen Zahl", "E1 X", "E2 X", "Kernverlust %" FROM {schema(table.job)}.excel ORDER BY 1""")
    assert found == [("Größe 4", "D:\\Kerne\\Größe 4\\Kärn 2.JPG", 4, 9.99, 60, None), ("Süd 1", "D:\\Kerne\\Süd 1\\Kärn 1.JPG", 3, 5.5, 60.25, "3,5")]


@pytest.mark.parametrize("lines, words", [
    ([f"a.jpg;H;3;{CORNERS.replace(',', ';').replace('60', '9,99').replace('59', '5.5')}"], "with commas and with points"),
    (['a.jpg,H,3,"9,99",5,60,6,59,40,4,41'], "separated by commas and writes numbers with commas too"),
    ([f"a.jpg;H;3,5;{CORNERS.replace(',', ';')}"], "'3,5' is not a whole number"),
    ([f"a.jpg;H;3;1.234,5;{CORNERS[2:].replace(',', ';')}"], "'1.234,5'"), ([f"a.jpg,H,3,1_2{CORNERS[1:]}"], "'1_2' is not a finite number"),
    ([f",H,3,{CORNERS}"], "line 2, column fullname: the row names no picture")])
def test_a_number_is_never_read_as_another(table, tmp_path, capsys, lines, words):
    header = HEADER.replace(",", ";") if ";" in lines[0] else HEADER
    assert table(csv(tmp_path / "labels.csv", *lines, header=header)) == 1
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1 and table.stands() == dict.fromkeys((1, 2, 3, 4), 5)


def test_percent_signs_in_column_names_go_in_and_out_and_filter(table, tmp_path, capsys):
    path = csv(tmp_path / "labels.csv", f"D:\\Cores\\H1\\001.jpg,95 %,3,{CORNERS}", header=HEADER.replace("site_na", "Kern %"))
    settings = {"data__columns__group": "Kern %", "data__filter_column": "Kern %", "data__filter": "9%", "data__key": "Kern %"}
    for line in ("95 %", "96 %"):
        path.write_text(path.read_text().replace("95 %", line))
        assert table(path, settings=settings) == 0
    content = write(tmp_path / "labels.json", coco("H1/001.jpg"))
    assert table(content, format="coco", settings=settings) == 0
    job = command.find_job(None)
    row, = tables.snapshot(job).rows
    assert (row["group"], row["p1x"]) == ("96 %", "10") and table.stands()[1] == 10


def test_generated_rows_make_way_whatever_the_columns_are_called(make_job, tmp_path, quick_pictures):
    """The user's own pictures under D:\\Cores are no generated ones, and stay."""
    small = {"data__generate": 3, "data__generate_width": 320, "data__generate_height": 240}
    demo.fill_table(make_job(**small))
    columns = {"image": "Foto", "group": "Bohrung", "row_nb": "Reihen", **{f"p{n}{axis}": f"{axis}{n}" for n in (1, 2, 3, 4) for axis in "xy"}}
    own = make_job(**small, data__columns=columns, data__filter_column="Bohrung")
    header = ",".join(columns.values())
    path = csv(tmp_path / "a.csv", *(f"D:\\Cores\\H{n}\\001.jpg,H{n},3,{CORNERS}" for n in (1, 2)), header=header)
    found = formats.import_labels(own, path)
    assert (found.changes.new, found.changes.removed) == (2, 3)
    formats.import_labels(own, csv(tmp_path / "b.csv", f"D:\\Cores\\H3\\001.jpg,H3,3,{CORNERS}", header=header))
    assert demo.fill_table(own) == 0
    assert [row["image"] for row in tables.snapshot(own).rows] == [f"D:\\Cores\\H{n}\\001.jpg" for n in (1, 2, 3)]


def test_generated_rows_are_drawn_anew_under_new_column_names(make_job, quick_pictures):
    small = {"data__generate": 3, "data__generate_width": 320, "data__generate_height": 240}
    demo.fill_table(make_job(**small))
    job = make_job(**small, data__columns__image="Foto")
    assert demo.fill_table(job) == 3 and len(tables.read_table(job)[1]) == 3
    assert all(demo.is_generated(row["image"]) for row in tables.snapshot(job).rows)


def test_a_hole_of_odd_digits_is_tested_on_and_not_another(walk, place):
    rows = [label(f"X:\\{n}.jpg", site) for n, site in enumerate(["12", "13", "014", "007", "15", "16", "17", "18"])]
    for n in range(8):
        picture(place / f"{n}.jpg", n)
    found = walk(rows, **config.parse_overrides("split.test_groups=[014] split.validation_groups=[007]"))
    assert dict(zip(found.table.group, found.table.split, strict=True)) == {
        "12": "train", "13": "train", "014": "test", "007": "validation", "15": "train", "16": "train", "17": "train", "18": "train"}
