"""Another model takes over: tried first, swapped in whole, and no damaged one is ever served."""

import os
import shutil
import threading
import time

import pytest
import toy_export
from test_api import _until, picture, renamed, settings
from test_api_http import HEALTH, raw

from lib.serving import api, export_check
from lib.serving.api import load_check
from lib.serving.api.served_models import Models
from lib.storage import files


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


def change(folder, **members):
    """Change export.json; a member that is None is taken out."""
    content = {**files.read_json(folder / "export.json"), **members}
    files.write_json(folder / "export.json", {key: value for key, value in content.items() if value is not None})


def change_part(folder, **members):
    parts = files.read_json(folder / "export.json")["parts"]
    change(folder, parts={"coarse": {**parts["coarse"], **members}})


def rewrite(folder, make, right=False):
    """Change the part's bytes; where `right` is true its hash in export.json is made to fit."""
    path = folder / "coarse.tflite"
    path.write_bytes(make(path.read_bytes()))
    if right:
        change_part(folder, sha256=files.sha256(path))


def golden(folder, limit):
    """Give an export a golden picture whose corners lie where no model finds them."""
    (folder / "golden.jpg").write_bytes(picture())
    truth = {f"p{n}{axis}": float(value) for n, axis, value in zip(
        (1, 1, 2, 2, 3, 3, 4, 4), "xyxyxyxy", (0, 0, 20, 0, 20, 20, 0, 20), strict=True)}
    change(folder, golden=[{"file": "golden.jpg", "sha256": files.sha256(folder / "golden.jpg"),
                            "truth": {**truth, "row_nb": 3}, "limit": limit}])


def flipped(content):
    changed = bytearray(content)
    for at in range(100, len(content), len(content) // 30):
        changed[at] ^= 0xFF
    return bytes(changed)


def lost_golden(folder):
    golden(folder, 1e6)
    (folder / "golden.jpg").unlink()


EXPORTS = {  # RELIABILITY's 20: what is done to a good export, and what is said of it
    "1 part missing": (lambda f: (f / "coarse.tflite").unlink(), "missing"),
    "2 empty": (lambda f: rewrite(f, lambda c: b""), "damaged"),
    "3 cut to half": (lambda f: rewrite(f, lambda c: c[:len(c) // 2]), "damaged"),
    "4 cut by 1 byte": (lambda f: rewrite(f, lambda c: c[:-1]), "damaged"),
    "5 zeroes in the middle": (lambda f: rewrite(f, lambda c: c[:900] + bytes(3000) + c[3900:]), "damaged"),
    "6 30 flipped bytes": (lambda f: rewrite(f, flipped), "damaged"),
    "7 appended bytes": (lambda f: rewrite(f, lambda c: c + b"x"), "damaged"),
    "8 other file under the name": (lambda f: rewrite(f, lambda c: picture()), "damaged"),
    "9 text file": (lambda f: rewrite(f, lambda c: b"a model", right=True), "cannot be run"),
    "10 hash altered": (lambda f: change_part(f, sha256="0" * 64), "damaged"),
    "11 export.json missing": (lambda f: (f / "export.json").unlink(), "no export.json"),
    "12 not JSON": (lambda f: (f / "export.json").write_text("{"), "not JSON"),
    "13 lacks a key": (lambda f: change(f, settings=None), "settings"),
    "14 wrong task": (lambda f: change(f, task="nails"), "not of corners"),
    "15 wrong number of outputs": (lambda f: change_part(f, outputs={"output": [8]}), "answers"),
    "16 other input size": (lambda f: change_part(f, input=[96, 128, 3]), "takes"),
    "17 newer format": (lambda f: change(f, format=99), "format 99"),
    "18 golden picture missing": (lost_golden, "golden.jpg is missing"),
    "19 fails its golden picture": (lambda f: golden(f, 1.0), "fails its golden picture"),
    "20 a path that leaves the folder": (lambda f: change_part(f, file="../coarse.tflite"), "same folder"),
}


def wanted(served, name):
    files.write_json(served / "corners" / "current", {"export": name, "before": None})


def test_none_of_20_damaged_exports_is_served_and_the_old_one_stays(export, tmp_path):
    served, notes = tmp_path / "served", []
    good = api.promote(export, served)
    models = Models(served, lambda **note: notes.append(note), 60)
    assert models.reload() == [] and models.served["corners"].version == toy_export.VERSION
    old, before = models.served["corners"], models.served["corners"].answer(picture())
    for name, (spoil, words) in EXPORTS.items():
        bad = served / "corners" / name.replace(" ", "-")
        spoil(renamed(export, bad, "bad"))
        wanted(served, bad.name)
        begun = time.process_time() + sum(os.times()[2:4])
        why, = models.reload()
        spent = time.process_time() + sum(os.times()[2:4]) - begun
        assert words in why and "\n" not in why and str(tmp_path) not in why, name
        assert spent < 5, name  # s of this process and its child, which others on this machine cannot stretch
        assert models.served == {"corners": old} and old.answer(picture()) == before, name
        assert models.reload() == []  # not tried again until it changes
    assert len([note for note in notes if "error" in note]) == 20
    wanted(served, good.name)
    assert models.reload() == [] and models.served["corners"] is old


def test_an_export_that_is_put_right_is_served(export, tmp_path):
    served = tmp_path / "served"
    api.promote(export, served)
    models = Models(served, lambda **note: None, 60)
    models.reload()
    second = renamed(export, served / "corners" / "second", "second")
    content = (second / "coarse.tflite").read_bytes()
    (second / "coarse.tflite").write_bytes(b"")
    wanted(served, "second")
    assert models.reload() and models.reload() == []
    (second / "coarse.tflite").write_bytes(content)
    assert models.reload(again=True) == [] and models.served["corners"].version == "second"


def test_an_export_that_hangs_or_crashes_takes_nothing_down(export, monkeypatch):
    with pytest.raises(export_check.BadExport, match="not loaded within 0.05 seconds"):
        load_check.run(export, "corners", 0.05)
    monkeypatch.setattr(load_check.sys, "executable", "/bin/false")
    with pytest.raises(export_check.BadExport, match="ended its process with status 1"):
        load_check.run(export, "corners", 60)


def test_swaps_under_load_lose_and_mix_nothing(export, tmp_path):
    """Two models whose answers differ: each answer must be that of the version it names."""
    served = tmp_path / "served"
    for version in ("one", "two"):
        folder = renamed(export, tmp_path / version, version)
        if version == "two":  # it answers in mode 8 alone, which can be seen
            content = files.read_json(folder / "export.json")
            content["settings"]["corners"]["predictor_mode"] = 8
            files.write_json(folder / "export.json", content)
        api.promote(folder, served)
    found, done = [], threading.Event()
    with api.start(served, settings()) as server:
        def ask():
            while not done.is_set():
                found.append(server.ask(picture()))

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        begun = time.monotonic()
        for _ in range(20):
            statuses, *_ = raw(server, [b"POST /models/corners/rollback HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                        b"Content-Length: 0\r\n\r\n"])
            assert statuses == [200]
        seconds = (time.monotonic() - begun) / 20
        _until(lambda: len(found) > 40)
        done.set()
        for thread in asking:
            thread.join()
        assert raw(server, [HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])[0] == [200]
    versions = [answer.get("model_version") for answer in found]
    assert set(versions) == {"one", "two"} and seconds < 1
    assert all(("row_nb" in answer) == (answer["model_version"] == "one") for answer in found)


def test_a_served_export_is_of_the_folder_it_lies_in(export, tmp_path):
    shutil.copytree(export, tmp_path / "nails" / "x")
    files.write_json(tmp_path / "nails" / "current", {"export": "x", "before": None})
    models = Models(tmp_path, lambda **note: None, 60)
    assert "not of nails" in models.reload()[0] and models.served == {}
