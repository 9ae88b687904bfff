"""Exports are trusted only when every hash is right and their golden pictures pass."""

import json
import os
import shutil

import numpy as np
import pytest
import toy_export
from toy_export import picture

from lib.serving import export_check, prediction
from lib.storage import files


def change(folder, **members):
    content = files.read_json(folder / "export.json")
    files.write_json(folder / "export.json", {**content, **members})


def change_part(folder, **members):
    parts = files.read_json(folder / "export.json")["parts"]
    change(folder, parts={"coarse": {**parts["coarse"], **members}})


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



def test_the_wanted_task_is_named_where_it_is_another(copy):
    with pytest.raises(export_check.BadExport, match="not of nails"):
        prediction.load(copy, task="nails")
