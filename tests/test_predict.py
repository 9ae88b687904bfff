"""Exports are trusted only when every hash is right; a folder of pictures becomes a CSV that can be gone on with."""

import concurrent.futures
import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import toy_export
from PIL import Image

from lib.common import config
from lib.imaging import images
from lib.serving import answers_csv, export_check, image_list, prediction
from lib.storage import files


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


@pytest.fixture(scope="session")
def predictor(export):
    return prediction.load(export)


@pytest.fixture
def copy(export, tmp_path):
    return shutil.copytree(export, tmp_path / "copy")


def picture(seed=0, size=(320, 240), kind="JPEG"):
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize(size)
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=95)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Five good pictures, one of them in a folder of its own, and one that is damaged."""
    for number in range(4):
        files.write(tmp_path / "pictures" / f"box {number}.jpg", picture(number))
    files.write(tmp_path / "pictures" / "hole, \"7\"" / "a.PNG", picture(9, kind="PNG"))
    files.write(tmp_path / "pictures" / "box 2b.jpg", picture(5)[:500])
    files.write(tmp_path / "pictures" / "notes.txt", "no picture")
    return tmp_path / "pictures"


def change(folder, **members):
    content = files.read_json(folder / "export.json")
    files.write_json(folder / "export.json", {**content, **members})


def change_part(folder, **members):
    parts = files.read_json(folder / "export.json")["parts"]
    change(folder, parts={"coarse": {**parts["coarse"], **members}})


# --- answers


def test_an_answer_is_plain_json_in_the_pictures_pixels(predictor):
    answer = predictor.answer(picture())
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert 0 < answer["p1x"] < answer["p2x"] < 320 and 0 < answer["p1y"] < answer["p4y"] < 240
    assert answer["model"] == "corners" and answer["model_version"] == toy_export.VERSION
    assert tuple(answer) == predictor.columns


def test_bytes_a_path_and_a_picture_are_answered_alike(predictor, tmp_path):
    files.write(tmp_path / "a.jpg", picture())
    answer = predictor.answer(picture())
    assert answer == predictor.answer(tmp_path / "a.jpg") == predictor.answer(images.read(picture()))


def test_a_picture_twice_as_large_has_corners_twice_as_far(predictor):
    small, large = predictor.answer(picture(3)), predictor.answer(picture(3, (640, 480)))
    for name in predictor.job.columns:
        if name != "row_nb":
            assert large[name] == pytest.approx(2 * small[name], abs=2)


def test_threads_get_the_answers_of_one(predictor):
    alone = [predictor.answer(picture(seed)) for seed in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predictor.answer, [picture(seed) for seed in range(8)] * 4))
    assert together == alone * 4


def test_a_part_takes_batches_of_any_size(predictor):
    part = predictor.parts["coarse"]
    batch = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), np.uint8)
    together = part(batch)
    assert together.shape == (5, 9)
    np.testing.assert_allclose(together, np.concatenate([part(one[None]) for one in batch]), atol=1e-6)


def test_an_answer_that_is_no_number_is_an_error(predictor, monkeypatch):
    monkeypatch.setitem(predictor.parts, "coarse", lambda batch: np.full((1, 9), np.nan))
    with pytest.raises(ValueError):
        predictor.answer(picture())


def test_limits_reach_the_door(predictor):
    with pytest.raises(images.Refused, match="megapixels"):
        predictor.answer(picture(), max_pixels=1000)


def test_rounding_touches_the_named_members_only():
    answer = {"p1x": 1.6, "radius": [0.44, None], "confidence": 0.123, "boxes": None}
    assert prediction.rounded(answer, ("p1x", "radius", "boxes"), 0) == {
        "p1x": 2, "radius": [0, None], "confidence": 0.123, "boxes": None}
    assert isinstance(prediction.rounded(answer, ("p1x",), 0)["p1x"], int)
    assert prediction.rounded(answer, ("p1x", "radius"), 1)["radius"] == [0.4, None]


# --- exports that must not be used


def spell(folder, **members):
    """As `change`, with what our own writer refuses."""
    files.write(folder / "export.json", json.dumps({**files.read_json(folder / "export.json"), **members}))


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def change_setting(folder, group, **values):
    settings = files.read_json(folder / "export.json")["settings"]
    change(folder, settings={**settings, group: {**settings[group], **values}})


def damage(how):
    def apply(folder):
        path = folder / "coarse.tflite"
        content = bytearray(path.read_bytes())
        path.write_bytes(how(content))
    return apply


def flipped(content):
    for at in np.random.default_rng(0).choice(len(content), 30, replace=False):
        content[at] ^= 0xFF
    return content


def relabelled(content):
    """Another way to spoil a file, and the hash put right: only the interpreter can tell."""
    def apply(folder):
        (folder / "coarse.tflite").write_bytes(content)
        change_part(folder, sha256=files.sha256(folder / "coarse.tflite"))
    return apply


BAD = {  # what is done to a good export, and a word of the sentence
    "part missing": (lambda f: (f / "coarse.tflite").unlink(), "missing"),
    "part empty": (damage(lambda c: b""), "damaged"),
    "cut to half": (damage(lambda c: c[: len(c) // 2]), "damaged"),
    "cut by a byte": (damage(lambda c: c[:-1]), "damaged"),
    "zeroes in the middle": (damage(lambda c: c[:3000] + bytes(3000) + c[6000:]), "damaged"),
    "flipped bytes": (damage(flipped), "damaged"),
    "bytes appended": (damage(lambda c: c + b"x"), "damaged"),
    "another file": (lambda f: shutil.copy(f / "export.json", f / "coarse.tflite"), "damaged"),
    "a text": (damage(lambda c: b"hello"), "damaged"),
    "a text with the right hash": (relabelled(b"hello"), "cannot be run"),
    "nothing with the right hash": (relabelled(b""), "cannot be run"),
    "hash altered": (lambda f: change_part(f, sha256="0" * 64), "damaged"),
    "hash no hash": (lambda f: change_part(f, sha256="abc"), "no SHA-256"),
    "no export.json": (lambda f: (f / "export.json").unlink(), "no export.json"),
    "not JSON": (lambda f: files.write(f / "export.json", "{"), "not JSON"),
    "too deep": (lambda f: files.write(f / "export.json", "[" * 100_000), "cannot be read"),
    "too large": (lambda f: files.write(f / "export.json", " " * (export_check.MAX_CARD + 1)), "larger"),
    "a list": (lambda f: files.write(f / "export.json", "[]"), "no object"),
    "key missing": (lambda f: change(f, version=None), "version"),
    "part's key missing": (lambda f: change_part(f, outputs=None), "outputs"),
    "no parts": (lambda f: change(f, parts={}), "no parts"),
    "another task": (lambda f: change(f, task="nails"), "nails"),
    "a task that is a path": (lambda f: change(f, task="../../x"), "x"),
    "a newer format": (lambda f: change(f, format=2), "format 2"),
    "outputs other than said": (lambda f: change_part(f, outputs={"output": [8]}), "answers"),
    "another input size": (lambda f: change_part(f, input=[64, 48, 3]), "takes"),
    "a path that leaves": (lambda f: change_part(f, file="../coarse.tflite"), "same folder"),
    "an absolute path": (lambda f: change_part(f, file="/etc/passwd"), "same folder"),
    "a Windows path": (lambda f: change_part(f, file="..\\coarse.tflite"), "same folder"),
    "a folder": (lambda f: change_part(f, file="."), "same folder"),
    "format 0": (lambda f: change(f, format=0), "format 0"),
    "a negative format": (lambda f: change(f, format=-5), "format -5"),
    "a number that is none": (lambda f: spell(f, extra=float("nan")), "NaN is no number"),
    "a number without end": (lambda f: files.write(f / "export.json", '{"format": 1e999}'), "1e999 is no number"),
    "a version without end": (lambda f: change(f, version="v" * 100_000), "at most 200 printable characters"),
    "a version of two lines": (lambda f: change(f, version="one\ntwo"), "printable"),
    "a version that is no text": (lambda f: spell(f, version="\ud800"), "printable"),
    "export.json a pipe": (lambda f: pipe(f / "export.json"), "no regular file"),
    "export.json a folder": (lambda f: (f / "export.json").unlink() or (f / "export.json").mkdir(), "export.json"),
    "a part a pipe": (lambda f: pipe(f / "coarse.tflite"), "missing"),
    "golden picture a pipe": (lambda f: pipe(f / "golden-1.jpg"), "missing"),
    "no golden pictures": (lambda f: change(f, golden=[]), "no golden pictures"),
    "nothing of golden pictures": (lambda f: change(f, golden=None), "golden"),
    "a setting of another type": (lambda f: change_setting(f, "model", width="wide"), "by its settings"),
    "settings of another version": (lambda f: change(f, settings={"model": {}}), "again"),
}


def golden(folder, limit, **others):
    """Put a golden picture into an export: the truth is what it answers, moved by about 5 % of the diagonal."""
    answer = prediction.load(folder).answer(picture(3))
    truth = {key: answer[key] + (10.0 if key.endswith("x") else 0) for key in prediction.load(folder).job.columns}
    files.write(folder / "golden.jpg", picture(3))
    entry = {"file": "golden.jpg", "sha256": files.sha256(folder / "golden.jpg"), "truth": truth, "limit": limit}
    change(folder, golden=[{**entry, **others}])


BAD |= {
    "a golden picture failed": (lambda f: golden(f, 1.0), "not fit to be served"),
    "a golden picture missing": (lambda f: golden(f, 50.0, file="other.jpg"), "missing"),
    "a golden picture damaged": (lambda f: golden(f, 50.0, sha256="0" * 64), "damaged"),
    "a golden picture without a limit": (lambda f: golden(f, None), "limit"),
    "golden pictures as a dict": (lambda f: change(f, golden={}), "as a list"),
}


def test_an_export_that_passes_its_golden_pictures_is_used(copy):
    golden(copy, 50.0)
    assert prediction.load(copy).version == toy_export.VERSION


@pytest.mark.parametrize("name", BAD)
def test_a_bad_export_is_refused_in_one_sentence(name, copy):
    spoil, word = BAD[name]
    spoil(copy)
    with pytest.raises(export_check.BadExport, match=word) as error:
        prediction.load(copy, task="corners")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_part_is_not_opened_before_its_hash_is_right(copy, monkeypatch):
    monkeypatch.setattr(prediction, "ExportedNetwork", lambda *_: pytest.fail("opened"))
    damage(flipped)(copy)
    with pytest.raises(export_check.BadExport):
        prediction.load(copy)


def test_a_part_that_is_overwritten_while_it_is_served_does_no_harm(copy):
    loaded = prediction.load(copy)
    before = loaded.answer(picture())
    (copy / "coarse.tflite").write_bytes(b"")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # more interpreters than are open
        assert all(answer == before for answer in pool.map(loaded.answer, [picture()] * 16))


def test_the_wanted_task_is_named_where_it_is_another(copy):
    with pytest.raises(export_check.BadExport, match="not of nails"):
        prediction.load(copy, task="nails")


# --- folders of pictures


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


def test_a_folder_without_pictures_is_named(predictor, tmp_path):
    with pytest.raises(ValueError, match="holds no pictures"):
        list(predictor.answers(tmp_path))
    with pytest.raises(ValueError, match="no folder"):
        image_list.list_images(tmp_path / "nowhere")


def test_what_is_left_out_of_a_folder_is_named(tmp_path):
    for name in ("a.jpg", "b.JFIF", "c.jpe", "d.png", "e.heic", "f.webp", "notes.txt", "noted"):
        files.write(tmp_path / "in" / name, picture())
    files.write(tmp_path / "other" / "z.jpg", picture())
    os.symlink(tmp_path / "other", tmp_path / "in" / "linked")
    listing = image_list.list_images(tmp_path / "in", ("JPEG", "PNG"))
    assert listing.names == ["a.jpg", "b.JFIF", "c.jpe", "d.png"]
    for word in ("1 left out: files .heic", "1 left out: files .webp, as api.formats lacks WEBP", "1 left out: files .txt",
                 "files without a suffix", "the linked folder linked"):
        assert word in str(listing)


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


def test_answers_can_be_left_in_the_middle(predictor, folder):
    answers = predictor.answers(folder, progress=False)
    assert next(answers)["error"] is None
    answers.close()


def test_loading_says_nothing_and_hides_no_error(copy):
    code = ("import os, sys; from lib.serving import exported_network, prediction; run = exported_network.ExportedNetwork._run;"
            "exported_network.ExportedNetwork._run = lambda *words: (os.write(2, b'an error\\n'), run(*words))[1];"
            "prediction.load(sys.argv[1]); os.write(2, b'after\\n')")
    done = subprocess.run([sys.executable, "-c", code, copy], capture_output=True, text=True, cwd=config.REPOSITORY)
    assert "INFO" not in done.stderr and done.stderr.startswith("an error\n") and done.stderr.endswith("after\n")
