"""A folder of pictures becomes a CSV that can be gone on with."""

import csv
import os

import pytest
import toy_export
from toy_export import picture

from lib.serving import answers_csv, image_list
from lib.storage import files


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
