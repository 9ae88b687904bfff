"""Rows and pictures as they come: every bad one has its reason, nothing half-written stays, a stopped run goes on."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import PASSWORD, good, insert, label, picture, reasons
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib.common import config
from lib.data import demo, ingest, transfer
from lib.storage import files

SITES = demo.SITES


# --- the whole way


def test_the_demo_is_gathered_from_its_windows_paths(make_job, quick_pictures):
    job = make_job(data__generate=20, data__generate_width=320, data__generate_height=240)
    found = ingest.ingest_labels(job)
    assert found.counts == {"rows": 20, "kept": 20, "dropped": 0, "reordered": 0, "revised": 0, "copied": 20}
    row = found.table.iloc[0]
    assert row.source.startswith("D:\\Cores\\") and row.group in SITES
    assert (row.width, row.height) == (320, 240) == Image.open(job.folder / "images" / row.image).size
    assert row.sha256 == files.sha256(job.folder / "images" / row.image)
    assert set(found.table.split) == {"train", "validation", "test"}
    about = json.loads((job.folder / "gathered.json").read_text())
    assert about["counts"] == found.counts and about["snapshot"]["time"].endswith("Z")


def test_labels_are_read_back_with_their_types(walk, place):
    found = walk(good(place))
    read = ingest.read_labels(walk.job)
    assert read.equals(found.table)
    assert [str(read[name].dtype) for name in ("row_nb", "p1x", "width", "image")] == ["int64", "float64", "int64", "str"]
    assert list(read.columns) == ["image", "row_nb", "p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y", "width",
                                  "height", "sha256", "group", "split", "source"]


def test_reading_before_gathering_says_what_to_do(make_job):
    job = make_job()
    with pytest.raises(ValueError, match=f"corners/{job.profile} has no labels yet; run notebook 01 first"):
        ingest.read_labels(job)
    files.write(job.folder / "labels.csv", "image\na.jpg\n")
    with pytest.raises(ValueError, match="no usable column 'row_nb'.*run notebook 01 again"):
        ingest.read_labels(job)


def test_a_second_run_copies_nothing_and_ends_the_same(walk, place):
    rows = good(place)
    walk(rows)
    before = (walk.folder / "labels.csv").read_bytes()
    again = walk(rows)
    assert again.counts["copied"] == 0
    assert (walk.folder / "labels.csv").read_bytes() == before


def test_a_picture_that_changed_or_vanished_here_is_copied_again(walk, place):
    rows = good(place)
    first = walk(rows).table
    picture(place / "p03.jpg", 99)
    (walk.folder / "images" / first.image[5]).unlink()
    again = walk(rows)
    assert again.counts["copied"] == 2
    assert again.table.sha256[3] != first.sha256[3] and again.table.sha256[5] == first.sha256[5]
    assert {path.name for path in (walk.folder / "images").iterdir()} == set(again.table.image)
    assert list(again.table.split) == list(first.split)
    picture(place / "p03.jpg", 98)
    third = walk(rows, **{"split.by": ""}).table
    assert third.group[3] == first.image[3], "alone in its group, it stays there"
    assert again.table.image[3] != third.image[3], "a name is not used again while labels.csv speaks of it"


# --- rows


def test_every_bad_row_has_its_reason(walk, place, tmp_path):
    """Database rows of the list of bad inputs (141-156): each is left out, and the run goes on."""
    rows = good(place)
    (tmp_path / "secret.jpg").write_bytes(picture(tmp_path / "s.jpg").read_bytes())
    (place / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (place / "zero.jpg").symlink_to("/dev/zero")
    (place / "round.jpg").symlink_to(place / "round.jpg")
    (place / "folder.jpg").mkdir()
    os.mkfifo(place / "pipe.jpg")
    (place / "empty.jpg").touch()
    (place / "text.jpg").write_text("not a picture")
    (place / "cut.jpg").write_bytes(picture(tmp_path / "whole.jpg", 7).read_bytes()[:-40])
    bad = {None: "no path", "": "no path", "Y:\\a.jpg": "unmapped path", "X:\\..\\secret.jpg": "outside the folder",
           "X:\\link.jpg": "outside the folder", "X:\\zero.jpg": "outside the folder", "X:\\none.jpg": "no file",
           "X:\\folder.jpg": "not a file", "X:\\pipe.jpg": "not a file", "X:\\empty.jpg": "empty file",
           "X:\\text.jpg": "not a picture", "X:\\cut.jpg": "picture unreadable", "X:\\round.jpg": "no file",
           "X:\\p00.jpg\\x.jpg": "no file", "X:\\" + "n" * 300 + ".jpg": "no file",
           "X:\\x'; drop table box; --\n📷.jpg": "no file"}
    start = time.monotonic()
    found = walk([label(name) for name in bad] + rows)
    assert time.monotonic() - start < 10
    assert Counter(found.dropped.reason) == Counter(bad.values())
    assert reasons(found) == {name or "": reason for name, reason in bad.items()}
    assert len(found.table) == 20
    assert found.counts == {"rows": 36, "kept": 20, "dropped": 16, "reordered": 0, "revised": 0, "copied": 20}


def test_odd_pictures_come_in_as_they_are_or_are_told(walk, place):
    rows = good(place)
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8))
    taken = {"cmyk.jpg": noise.convert("CMYK"), "grey.jpg": noise.convert("L"), "alpha.png": noise.convert("RGBA"),
             "deep.png": Image.fromarray((np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16))}
    for name, image in taken.items():
        image.save(place / name)
    noise.save(place / "moving.png", save_all=True, append_images=[noise.rotate(90)])
    Image.new("L", (10_000, 10_000)).save(place / "huge.png")
    noise.save(place / "other.tif")
    picture(place / "tiny.jpg", 5, (31, 31))
    refused = {"moving.png": "picture unreadable", "huge.png": "picture too large", "other.tif": "not a picture",
               "tiny.jpg": "picture unreadable"}
    found = walk(rows + [label(f"X:\\{name}") for name in [*taken, *refused]])
    assert reasons(found) == {f"X:\\{name}": reason for name, reason in refused.items()}
    assert "100000000" not in str(found.dropped.detail) and "megapixels" in " ".join(found.dropped.detail)
    with_tiff = walk([*rows, label("X:\\other.tif")], **{"api.formats": ["JPEG", "PNG", "TIFF"]})
    assert with_tiff.table.image.str.endswith(".tif").sum() == 1


def test_every_bad_label_has_its_reason(walk, place):
    rows = good(place)
    names = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")

    def corners(*values):
        return dict(zip(names, values, strict=True))

    bad = [{"p1x": None}, {"p1x": "NaN"}, {"p1x": "inf"}, {"p1x": "1e308"}, {"p1x": "left"}, {"p1x": "-30"},
           {"p3x": "640"}, corners(*[20, 20] * 4), corners(5, 5, 60, 5, 10, 10, 5, 40),
           {"row_nb": None}, {"row_nb": "three"}, {"row_nb": "-1"}, {"row_nb": "1000000000"}, {"row_nb": "2.5"}]
    lines = []
    for n, change in enumerate(bad):
        picture(place / f"b{n:02}.jpg", 200 + n)
        lines.append({**label(f"X:\\b{n:02}.jpg"), **change})
    found = walk(lines + rows)
    assert len(found.table) == 20 and len(found.dropped) == len(bad)
    assert all(found.dropped.reason.str.len() > 3)


def test_corners_in_another_order_are_put_right_and_counted(walk, place):
    rows = good(place)
    rows[0] = label("X:\\p00.jpg", corners=(59, 40, 4, 41, 5, 5, 60, 6))
    found = walk(rows)
    assert found.counts["reordered"] == 1
    assert found.table.loc[0, ["p1x", "p1y", "p3x", "p3y"]].tolist() == [5, 5, 59, 40]


def test_sql_and_odd_characters_in_a_field_stay_text(walk, place):
    rows, nasty = good(place), "x'; drop table log_pic; -- \"quoted\", é\r\n📷\r"
    picture(place / "ä'; --📷 e\u0301.jpg", 50)
    rows.append(label("X:\\ä'; --📷 e\u0301.jpg", nasty))
    table = walk(rows).table
    row = table[table.source.str.contains("--")].iloc[0]
    assert row.group == nasty and row.source == "X:\\ä'; --📷 e\u0301.jpg"
    assert row.image.isascii() and (walk.folder / "images" / row.image).is_file()


def test_the_same_picture_with_other_labels_is_left_out_altogether(walk, place):
    rows = good(place)
    for name in ("same1", "same2", "other1", "other2"):
        picture(place / f"{name}.jpg", 300 if name.startswith("same") else 301)
    rows += [label("X:\\same1.jpg"), label("X:\\same2.jpg"),
             label("X:\\other1.jpg"), label("X:\\other2.jpg", rows=4)]
    found = walk(rows)
    assert len(found.table) == 21
    assert reasons(found) == {"X:\\same2.jpg": "same picture twice", "X:\\other1.jpg": "same picture, other labels",
                              "X:\\other2.jpg": "same picture, other labels"}
    assert "also X:\\same1.jpg" in list(found.dropped.detail)


@pytest.mark.parametrize("setting, value, reason", [
    ("min_width", 65, "width under 65 px"), ("max_width", 63, "width over 63 px"),
    ("min_height", 49, "height under 49 px"), ("max_height", 47, "height over 47 px"),
    ("aspect", 1.5, "aspect other than 1.5")])
def test_each_filter_tests_what_it_says(walk, place, setting, value, reason):
    rows = good(place)
    fits = {"min_width": (66, 48), "max_width": (62, 48), "min_height": (64, 50), "max_height": (64, 46),
            "aspect": (72, 48)}[setting]
    for n in range(19):
        picture(place / f"p{n:02}.jpg", n, fits)
    found = walk(rows, **{f"filters.{setting}": value})
    assert reasons(found) == {"X:\\p19.jpg": reason}


def test_labels_of_stored_pixels_are_turned_with_the_picture(walk, place):
    rows, stored = good(place), (5.0, 5.0, 60.0, 6.0, 59.0, 40.0, 4.0, 41.0)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture(place / f"p{orientation:02}.jpg", orientation, exif=exif)
    table = walk(rows, **{"data.orientation": "stored"}).table
    for orientation in range(1, 9):
        row = table[table.source == f"X:\\p{orientation:02}.jpg"].iloc[0]
        mask = np.zeros((48, 64), np.uint8)  # a dot at the label in the stored pixels must lie there when turned
        for x, y in np.reshape(stored, (4, 2)).astype(int):
            mask[y, x] = 255
        upright = np.asarray(Image.fromarray(mask).transpose(
            {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation])) if orientation > 1 else mask
        assert upright.shape == (row.height, row.width)
        dots = {(x, y) for y, x in np.argwhere(upright)}
        found = {tuple(row[[f"p{n}x", f"p{n}y"]]) for n in range(1, 5)}
        for x, y in found:
            assert any(0 <= x - a <= 1 and 0 <= y - b <= 1 for a, b in dots), (orientation, found, dots)


def test_when_all_rows_are_dropped_the_old_labels_stay_and_the_reasons_are_told(walk, place):
    rows = good(place)
    walk(rows)
    before = (walk.folder / "labels.csv").read_bytes()
    with pytest.raises(config.ConfigError, match=r"all 20 rows of s.*log_pic were dropped: width under 999 px 20"):
        walk(rows, **{"filters.min_width": 999})
    assert (walk.folder / "labels.csv").read_bytes() == before
    assert len(list(csv.reader(open(walk.folder / "dropped.csv")))) == 21


# --- the split


def split(**changes):
    return config.resolve("corners", "smoke", {f"split.{key}": value for key, value in changes.items()}).split


@settings(max_examples=50, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=8), min_size=60, max_size=90), st.sets(st.text(max_size=8), max_size=50))
def test_a_group_keeps_its_part_when_others_are_added(groups, more):
    before, after = ingest.assign_splits(groups, split()), ingest.assign_splits(groups | more, split())
    assert all(after[group] == part for group, part in before.items())


def test_the_fractions_hold_over_many_groups():
    parts = Counter(ingest.assign_splits({f"g{n}" for n in range(4000)}, split()).values())
    assert parts["train"] == pytest.approx(2800, abs=120) and parts["test"] == pytest.approx(600, abs=80)
    assert set(ingest.assign_splits({f"g{n}" for n in range(99)}, split(train=0.5, validation=0.5, test=0.0)).values()) == \
        {"train", "validation"}


def test_groups_named_by_hand_go_there_and_the_rest_over_the_other_parts():
    groups = {f"g{n}" for n in range(300)}
    parts = ingest.assign_splits(groups, split(test_groups=["g7"]))
    assert [group for group, part in parts.items() if part == "test"] == ["g7"]
    assert 30 < Counter(parts.values())["validation"] < 80
    parts = ingest.assign_splits(groups, split(test_groups=["g7"], validation_groups=["g8"]))
    assert Counter(parts.values()) == {"train": 298, "validation": 1, "test": 1}


@pytest.mark.parametrize("groups, changes, words", [
    ({"only"}, {}, "the only group (only)"), ({"a", "b"}, {}, "no picture falls to"),
    ({"a", "b"}, {"test_groups": ["c"]}, "names 'c', which is no group here; there are a, b"),
    ({"a", "b"}, {"test_groups": ["a"], "validation_groups": ["a"]}, "both name a"),
    ({"a", "b"}, {"test_groups": ["a"], "validation_groups": ["b"]}, "no picture falls to train")])
def test_a_split_that_cannot_be_is_told(groups, changes, words):
    with pytest.raises(config.ConfigError) as caught:
        ingest.assign_splits(groups, split(**changes))
    assert words in str(caught.value)


def test_pictures_of_a_group_stay_together_and_those_without_stand_alone(walk, place):
    rows = good(place, 40)
    rows[0]["site_na"], rows[1]["site_na"] = None, " "
    table = walk(rows).table
    assert all(len(set(part)) == 1 for _, part in table.groupby("group").split)
    assert table.group[0] == table.image[0] and table.group[1] == table.image[1]
    alone = walk(rows, **{"split.by": ""}).table
    assert list(alone.group) == list(alone.image)
    with pytest.raises(config.ConfigError, match="split.by is 'hole'"):
        walk(rows, **{"split.by": "hole"})


# --- copying under faults


def test_a_full_disk_loses_nothing(walk, place, monkeypatch):
    rows = good(place)
    walk(rows[:15], **{"split.by": "", "split.train": 0.5, "split.validation": 0.5, "split.test": 0.0})
    before = snapshot(walk.folder)
    write = files.write

    def full(path, content):
        if "images" in Path(path).parts:
            with files.writing(path) as temporary:
                temporary.write_bytes(content[:100])
                raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(files.DiskFull, match="no room to write .* MB free"):
        walk(rows)
    assert snapshot(walk.folder) == before
    monkeypatch.setattr(files, "write", write)
    assert walk(rows).counts == {"rows": 20, "kept": 20, "dropped": 0, "reordered": 0, "revised": 0, "copied": 5}


def snapshot(folder):
    """Every file of a data folder with its bytes; the lock is no part of it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and ".lock" not in path.name}


def test_too_little_room_is_told_before_a_picture_is_written(walk, place, monkeypatch):
    monkeypatch.setattr(files, "free_megabytes", lambda folder: 0.0001)
    with pytest.raises(files.DiskFull, match="are needed in"):
        walk(good(place))


def test_a_second_run_at_once_is_told_who_holds_the_folder(tcp_job):
    job = tcp_job()
    code = "import sys, time\nfrom lib.storage import files\nwith files.lock(sys.argv[1]):\n print('held', flush=True)\n time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(job.folder)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(files.Busy, match=f"in use by process {holder.pid}"):
            ingest.ingest_labels(job)
        holder.kill()
    with pytest.raises(config.ConfigError, match="there is no table"):  # the lock of the dead is void
        ingest.ingest_labels(job)


KILLED = """
import os, random, sys, threading, time
sys.path.insert(0, {tests!r})
from lib import tasks
from lib.common import config
from lib.data import ingest, transfer
job = tasks.find("corners")(config.resolve("corners", "smoke", {overrides!r}), {profile!r})
transfer.CHUNK, transfer.SECONDS = 7, 60
keep = transfer._store_copy
transfer._store_copy = lambda *words: (time.sleep(0.02), keep(*words))[1]
print("go", flush=True)
ingest.ingest_labels(job)
"""


def test_kill_9_at_any_time_leaves_a_run_that_ends_the_same(walk, place, home):
    rows = good(place, 60)
    walk(rows)
    whole = walk.job
    expected = snapshot(whole.folder)
    code = KILLED.format(tests=str(Path(__file__).parent), profile=whole.profile,
                         overrides=config.nest({**whole_overrides(whole, place)}))
    resumed = 0
    for after in (0.25, 0.6):
        shutil.rmtree(whole.folder)
        run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**os.environ, "COREBOX_HOME": str(home)}, start_new_session=True)
        assert run.stdout.readline() == b"go\n"
        images = whole.folder / "images"
        wanted = int(60 * after)
        while run.poll() is None and (not images.is_dir() or len(list(images.glob("[!.]*"))) < wanted):
            time.sleep(0.005)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        for name in images.glob("[!.]*"):  # nothing half-written under a final name
            assert name.read_bytes() == expected[f"images/{name.name}"]
        assert not (whole.folder / "labels.csv").exists()
        resumed += walk(rows).counts["copied"] < 60
        found = snapshot(whole.folder)
        for name in expected:
            if not name.endswith(".json"):
                assert found[name] == expected[name], name
        assert found.keys() == expected.keys()
    assert resumed == 2


def whole_overrides(job, place):
    return {"data.token": job.params.data.token, "data.workers": 2, "data.path_rules": [{"from": "X:\\", "to": str(place)}]}


def test_every_write_of_a_run_may_be_its_last(walk, place, monkeypatch):
    """As SQLite does it: fail at write 1, 2, 3 … and see that the labels are the old ones or the new ones."""
    rows = good(place)
    walk(rows)
    monkeypatch.setattr(transfer, "CHUNK", 5)
    real, states = os.replace, set()
    for number in range(1, 99):
        picture(place / "p03.jpg", 1000 + number)
        old, calls = (walk.folder / "labels.csv").read_bytes(), [0]

        def replace(*names, calls=calls, number=number):
            calls[0] += 1
            if calls[0] == number:
                raise KeyboardInterrupt
            real(*names)

        monkeypatch.setattr(os, "replace", replace)
        try:
            walk(rows)
            break
        except KeyboardInterrupt:
            labels = (walk.folder / "labels.csv").read_bytes()
            states.add(labels == old)
            assert labels == old or files.sha256(place / "p03.jpg").encode() in labels
            for row in ingest.read_labels(walk.job).itertuples():  # picture and label are of one moment
                assert files.sha256(walk.folder / "images" / row.image) == row.sha256
        finally:
            monkeypatch.setattr(os, "replace", real)
    assert 3 < number < 98 and states == {True, False}


# --- secrets


def test_a_real_server_is_gathered_and_its_password_is_nowhere(tcp_job, place, caplog, capfd):
    job = tcp_job(data__path_rules=[{"from": "X:", "to": str(place)}])
    insert(job, good(place))
    assert len(ingest.ingest_labels(job).table) == 20
    written = [path for path in job.folder.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in caplog.text + "".join(capfd.readouterr())
