"""A folder of pictures becomes a CSV that can be gone on with."""

import csv
import os

import pytest
import toy_export
from toy_export import picture

from lib import tasks
from lib.serving import answers_csv, image_list, prediction
from lib.storage import files
from lib.storage.postgres import schema
from lib.tasks.corners import boxes, labels


@pytest.fixture
def folder(tmp_path):
    """Five good pictures, one of them in a folder of its own, and one that is damaged."""
    for number in range(4):
        files.write(tmp_path / "pictures" / f"box {number}.jpg", picture(number))
    files.write(tmp_path / "pictures" / "hole, \"7\"" / "a.PNG", picture(9, kind="PNG"))
    files.write(tmp_path / "pictures" / "box 2b.jpg", picture(5)[:500])
    files.write(tmp_path / "pictures" / "notes.txt", "no picture")
    return tmp_path / "pictures"


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_csv_and_a_bad_picture_a_row_with_its_error(predictor, folder, tmp_path):
    assert answers_csv.write_csv(predictor, folder, tmp_path / "answers.csv", progress=False) == (6, 1)
    table = rows(tmp_path / "answers.csv")
    assert [row["image"] for row in table] == image_list.list_images(folder).names
    bad = [row for row in table if row["error"]]
    assert [row["image"] for row in bad] == ["box 2b.jpg"] and bad[0]["p1x"] == ""
    assert bad[0]["error"].startswith("unreadable")
    good = table[0]
    assert good["p1x"] == str(round(predictor.answer(folder / good["image"])["p1x"]))
    assert good["model_version"] == toy_export.VERSION and good["refused"] == ""


def test_every_cut_of_a_csv_is_gone_on_with_to_the_same_bytes(predictor, folder, tmp_path):
    out = tmp_path / "answers.csv"
    answers_csv.write_csv(predictor, folder, out, progress=False)
    whole = out.read_bytes()
    for cut in sorted({*range(0, len(whole), 37), whole.index(b"\r\n"), whole.index(b"\r\n") + 1, len(whole)}):
        out.write_bytes(whole[:cut])
        answers_csv.write_csv(predictor, folder, out, progress=False)
        assert out.read_bytes() == whole, cut


def test_what_is_there_is_not_asked_again(predictor, folder, tmp_path):
    answers_csv.write_csv(predictor, folder, tmp_path / "answers.csv", progress=False)
    files.write(folder / "box 9.jpg", picture(9))
    assert answers_csv.write_csv(predictor, folder, tmp_path / "answers.csv", progress=False) == (1, 0)
    assert rows(tmp_path / "answers.csv")[-1]["image"] == "box 9.jpg"


def test_answers_of_another_model_or_another_table_are_not_added_to(predictor, folder, tmp_path):
    out = tmp_path / "answers.csv"
    answers_csv.write_csv(predictor, folder, out, progress=False)
    text = out.read_bytes()
    out.write_bytes(text.replace(toy_export.VERSION.encode(), b"other"))
    with pytest.raises(ValueError, match="of the model other"):
        answers_csv.write_csv(predictor, folder, out, progress=False)
    out.write_bytes(b"a,b\r\n1,2\r\n")
    with pytest.raises(ValueError, match="other columns"):
        answers_csv.write_csv(predictor, folder, out, progress=False)
    assert out.read_bytes() == b"a,b\r\n1,2\r\n"


def test_two_runs_do_not_write_one_csv(predictor, folder, tmp_path):
    with answers_csv._held(tmp_path / "answers.csv"), pytest.raises(files.Busy):
        answers_csv.write_csv(predictor, folder, tmp_path / "answers.csv", progress=False)


def test_an_odd_file_name_comes_through(predictor, tmp_path):
    names = ["a\nb.jpg", "a,b.jpg", 'a"b.jpg', "é😀.jpg", "=1+1.jpg"]
    for name in names:
        files.write(tmp_path / "odd" / name, picture())
    for _ in range(2):
        answers_csv.write_csv(predictor, tmp_path / "odd", tmp_path / "answers.csv", progress=False)
    assert [row["image"] for row in rows(tmp_path / "answers.csv")] == sorted(names)


def test_limits_of_pixels_and_formats_hold_for_folders(predictor, folder, tmp_path):
    answers_csv.write_csv(predictor, folder, tmp_path / "a.csv", progress=False, formats=("PNG",), max_pixels=100)
    (one,) = rows(tmp_path / "a.csv")
    assert one["image"].endswith("a.PNG") and one["error"].startswith("too_large")


def test_a_name_that_is_not_utf8_is_escaped_and_the_rest_is_answered(predictor, tmp_path):
    (tmp_path / "in").mkdir()
    for name in (b"caf\xe9.jpg", "gr\u00fcn.jpg".encode()):
        with open(os.path.join(os.fsencode(tmp_path / "in"), name), "wb") as file:
            file.write(picture())
    out = tmp_path / "a.csv"
    assert answers_csv.write_csv(predictor, tmp_path / "in", out, progress=False) == (2, 0)
    assert [row["image"] for row in rows(out)] == ["caf\\xe9.jpg", "gr\u00fcn.jpg"]
    assert answers_csv.write_csv(predictor, tmp_path / "in", out, progress=False) == (0, 0), "it is known again"


# --- a row for every box


@pytest.fixture
def finder(export, monkeypatch):
    """A Predictor that finds no box in its first picture, one in the second, and so on up to three."""
    found = prediction.load(export)

    def answer(_, picture):
        count = int(picture.pixels[0, 0].sum()) % 4
        return boxes.answer_of([{**labels.row_of([(9.6, y), (60, y), (60, y + 20), (9, y + 20)], 1 + at), "rows_run": None,
                                 "confidence": 0.9 - 0.1 * at, "radius": None, "cut": at == 2, "refused": None}
                                for at, y in enumerate(range(0, 30 * count, 30))])

    monkeypatch.setattr(found.job, "answer", answer)
    return found


def test_a_picture_is_one_row_with_its_surest_box_and_how_many_there_are(finder, folder, tmp_path):
    answers_csv.write_csv(finder, folder, tmp_path / "answers.csv", progress=False)
    table = rows(tmp_path / "answers.csv")
    assert [row["image"] for row in table] == image_list.list_images(folder).names
    assert not {"boxes", "box"} & table[0].keys() and {"boxes_nb", "rows_run", "cut"} <= table[0].keys()
    assert len({row["boxes_nb"] for row in table}) > 2
    for row in table:
        assert (row["p1x"] == "") == (row["boxes_nb"] in ("0", "")) and (row["refused"] == "no_box") == (row["boxes_nb"] == "0")


def test_every_box_of_a_picture_is_a_row_and_nothing_of_it_is_left_out(finder, folder, tmp_path):
    out = tmp_path / "every.csv"
    assert answers_csv.write_csv(finder, folder, out, progress=False, every=True) == (6, 1)
    found = {}
    for row in rows(out):
        found.setdefault(row["image"], []).append(row)
    assert list(found) == image_list.list_images(folder).names
    for name, lines in found.items():
        assert [row["box"] for row in lines] == [str(at) for at in range(1, 1 + len(lines))]
        if lines[0]["error"]:
            assert len(lines) == 1 and lines[0]["p1x"] == ""
            continue
        answer = finder.answer(folder / name)
        assert len(lines) == max(1, answer["boxes_nb"]) and {row["boxes_nb"] for row in lines} == {str(answer["boxes_nb"])}
        for row, box in zip(lines, answer["boxes"], strict=False):
            assert (row["p1x"], row["row_nb"], row["confidence"], row["cut"]) == (
                "10", str(box["row_nb"]), str(box["confidence"]), str(box["cut"]).lower())
        assert answer["boxes"] or (lines[0]["refused"], lines[0]["p1x"], lines[0]["model_version"]) == ("no_box", "", toy_export.VERSION)


def test_every_cut_of_a_csv_of_boxes_is_gone_on_with_to_the_same_bytes(finder, folder, tmp_path):
    out = tmp_path / "every.csv"
    answers_csv.write_csv(finder, folder, out, progress=False, every=True)
    whole = out.read_bytes()
    ends = [at + 2 for at in range(len(whole)) if whole.startswith(b"\r\n", at)]
    for cut in sorted({*range(0, len(whole), 41), *ends}):
        out.write_bytes(whole[:cut])
        answers_csv.write_csv(finder, folder, out, progress=False, every=True)
        assert out.read_bytes() == whole, cut


def test_rows_of_boxes_are_not_added_to_rows_of_pictures_nor_the_other_way_round(finder, folder, tmp_path):
    for first in (True, False):
        out = tmp_path / f"{first}.csv"
        answers_csv.write_csv(finder, folder, out, progress=False, every=first)
        before = out.read_bytes()
        with pytest.raises(ValueError, match="other columns"):
            answers_csv.write_csv(finder, folder, out, progress=False, every=not first)
        assert out.read_bytes() == before


def test_a_task_that_lists_nothing_has_no_rows_of_boxes():
    with pytest.raises(ValueError, match="nails has one answer"):
        answers_csv.numbering(tasks.job("nails"))


def test_a_file_that_a_person_made_is_never_emptied(predictor, folder, tmp_path):
    """A spreadsheet program, or git, may write line ends of another kind: no row then ends as ours do."""
    out = tmp_path / "answers.csv"
    answers_csv.write_csv(predictor, folder, out, progress=False)
    for content in (out.read_bytes().replace(b"\r\n", b"\n"), b"my notes", out.read_bytes().replace(b"\r\n", b"\n", 3)):
        out.write_bytes(content)
        with pytest.raises(ValueError, match="other columns|line ends"):
            answers_csv.write_csv(predictor, folder, out, progress=False)
        assert out.read_bytes() == content


# --- the command


@pytest.fixture
def predict(tcp_job, export, monkeypatch):
    """A function that runs the command `predict` with more words, for a run with the toy's export; returns its job and output."""
    from lib import __main__ as command

    job = tcp_job()

    class Finished:
        def path(self, name):
            return export

    def run(capsys, *words):
        monkeypatch.setattr(command, "find_finished", lambda arguments: (job, Finished()))
        assert command.main(["predict", *map(str, words)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    run.job = job
    return run


def odd_names(folder):
    """A folder of pictures with names that are UTF-8, are not, and look like escaped ones; as they are written."""
    folder.mkdir()
    for name in (b"caf\xe9.jpg", "gr\u00fcn.jpg".encode(), b"\xff\xfe.jpg", b"a'b;--.jpg"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(picture())
    return ["a'b;--.jpg", "caf\\xe9.jpg", "gr\u00fcn.jpg", "\\xff\\xfe.jpg"]


@pytest.mark.parametrize("more", [(), ("--boxes", "all")])
def test_pictures_whose_names_are_not_utf8_reach_the_database_with_the_rest(predict, server, tmp_path, capsys, more):
    names = odd_names(tmp_path / "in")
    words = (tmp_path / "in", "--out", tmp_path / "a.csv", "--to-database", "found", *more)
    assert "4 new" in predict(capsys, *words, "--dry-run") and "4 new" in predict(capsys, *words)
    found = server.sql(f"SELECT image, boxes_nb, refused FROM {schema(predict.job)}.found")
    assert sorted(found) == sorted((name, 1, None) for name in names)
    assert "4 unchanged" in predict(capsys, *words), "they are known again"


def test_a_table_of_boxes_says_so_to_a_run_that_writes_pictures(predict, tmp_path, capsys):
    from lib import __main__ as command

    odd_names(tmp_path / "in")
    predict(capsys, tmp_path / "in", "--boxes", "all", "--out", tmp_path / "every.csv", "--to-database", "every")
    assert command.main(["predict", str(tmp_path / "in"), "--out", str(tmp_path / "one.csv"), "--to-database", "every"]) == 1
    assert "it holds several rows for each image; name another table" in capsys.readouterr().err
