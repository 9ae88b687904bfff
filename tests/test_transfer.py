"""Pictures from where they are: paths are mapped and stay inside, copies are whole, a bad place is told."""

import errno
import os
import shutil
from collections import Counter

import pytest
import s3_server
from conftest import good, label, picture, reasons
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.common import config
from lib.data import ingest, transfer
from lib.storage import files
from lib.storage.locations import StorageLocation, Unreachable

# --- paths


def locate(path, *starts):
    try:
        number, parts = transfer.locate(path, [transfer._uniform_slashes(start).rstrip("/") for start in starts])
        return number, "/".join(parts)
    except transfer.RejectedRow as drop:
        return drop.reason


@pytest.mark.parametrize("path, starts, found", [
    ("D:\\Cores\\a\\b.jpg", ["D:\\Cores"], (0, "a/b.jpg")),
    ("d:/CORES//a\\b.jpg", ["D:\\Cores\\"], (0, "a/b.jpg")),
    ("\\\\server\\Share\\b.jpg", ["//SERVER/share"], (0, "b.jpg")),
    ("D:\\Cores2\\b.jpg", ["D:\\Cores"], "unmapped path"),
    ("D:\\Cores\\x\\b.jpg", ["D:\\Cores\\x", "D:\\Cores"], (0, "b.jpg")),
    ("D:\\Cores\\y\\b.jpg", ["D:\\Cores\\x", "D:\\Cores"], (1, "y/b.jpg")),
    ("labelled/b.jpg", [""], (0, "labelled/b.jpg")),
    ("/etc/passwd", [""], (0, "etc/passwd")),
    ("../../etc/passwd", [""], "outside the folder"),
    ("D:\\Cores\\a\\..\\..\\x.jpg", ["D:\\Cores"], "outside the folder"),
    ("D:\\Cores\\a\\..\\x.jpg", ["D:\\Cores"], (0, "x.jpg")),
    ("D:\\Cores", ["D:\\Cores"], "no file"),
    ("", ["D:\\Cores"], "no path"), (None, [""], "no path"), ("b.jpg", [], "unmapped path")])
def test_a_path_is_mapped_by_the_first_rule_that_fits(path, starts, found):
    assert locate(path, *starts) == found


PATHS = st.text(st.sampled_from("aB.:/\\ é\0\n;'\"…📷") | st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=300, deadline=None)
@given(PATHS, st.lists(PATHS, max_size=3))
def test_no_path_leaves_its_folder(path, starts):
    found = locate(path, *starts)
    if isinstance(found, tuple):
        assert os.path.normpath(f"/root/{found[1]}").startswith("/root/")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["D:\\Cores", "//srv/share", "/mnt/x"]), st.lists(st.text("abcé1", min_size=1), min_size=1, max_size=4),
       st.sampled_from("/\\"))
def test_case_and_slashes_of_a_prefix_do_not_matter(start, parts, slash):
    path = start.swapcase().replace("/", slash).replace("\\", slash) + slash + slash.join(parts)
    assert locate(path, start) == (0, "/".join(parts))


@settings(max_examples=200, deadline=None)
@given(PATHS, PATHS)
def test_two_sources_never_share_a_file(one, other):
    stems = [transfer.Source(path, None, path).stem for path in (one, other)]
    assert (stems[0] == stems[1]) == (one == other)
    assert all(stem.isascii() and "/" not in stem and "\0" not in stem and stem[0] != "." for stem in stems)


def test_files_of_one_name_do_not_collide_and_one_source_is_one_file(walk, place):
    rows = good(place)
    picture(place / "a" / "box.jpg", 101), picture(place / "b" / "box.jpg", 102)
    rows += [label("X:\\a\\box.jpg"), label("X:\\b\\box.jpg"), label("x:/B/../b//box.jpg")]
    found = walk(rows)
    assert len(list((walk.folder / "images").iterdir())) == 22 == len(found.table)
    assert list(found.dropped.reason) == ["same picture twice"]


@pytest.mark.parametrize("rules, word", [
    (["D:\\Cores"], "it must be {from:"), ([{"from": "D:", "too": "x"}], "it must be {from:"),
    ([{"from": "D:", "to": "/no/such/folder"}], "there is no folder /no/such/folder"),
    ([{"from": "D:", "to": "wat://x"}], "wat://x cannot be opened")])
def test_a_rule_that_cannot_work_is_named_before_anything_is_read(make_job, rules, word):
    with pytest.raises(config.ConfigError, match=r"data.path_rules\[0\]") as caught:
        ingest.ingest_labels(make_job(data__path_rules=rules))
    assert word in str(caught.value)


# --- faults


class Flaky:
    """A file system whose reads fail in a given way, so many times for each picture."""

    protocol = ("flaky",)

    def __init__(self, root, fault, times):
        import fsspec

        self.fs, self.root, self.fault, self.times, self.seen = fsspec.filesystem("file"), root, fault, times, Counter()

    def info(self, path):
        return self.fs.info(path)

    def cat_file(self, path):
        self.seen[path] += 1
        if self.seen[path] <= self.times and path.endswith(("3.jpg", "7.jpg")):
            return self.fault(self.fs.cat_file(path))
        return self.fs.cat_file(path)


def fails(_):
    raise OSError(errno.EIO, "Input/output error")


def half(data):
    return data[:len(data) // 2]


@pytest.mark.parametrize("fault", [fails, half])
def test_a_share_that_drops_is_tried_again_and_then_reported(walk, place, monkeypatch, fault):
    monkeypatch.setattr(transfer, "PAUSE", 0.01)
    rows = good(place)
    for times, kept in ((3, 20), (4, 16)):
        flaky = Flaky(str(place), fault, times)
        monkeypatch.setattr(transfer, "storage_locations", lambda job, fs=flaky: [StorageLocation("X:", fs, str(place))])
        found = walk(rows)
        assert len(found.table) == kept
        assert set(found.dropped.reason) <= {"copy failed"}
        for row in found.table.itertuples():
            assert files.sha256(walk.folder / "images" / row.image) == row.sha256
        shutil.rmtree(walk.folder)


def test_a_share_that_is_gone_is_given_up_soon(walk, place, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    monkeypatch.setattr(transfer, "MAX_FAILURES_IN_A_ROW", 5)
    rows = good(place)
    monkeypatch.setattr(Flaky, "cat_file", lambda self, path: fails(path))
    monkeypatch.setattr(transfer, "storage_locations", lambda job: [StorageLocation("X:", Flaky(str(place), fails, 9), str(place))])
    with pytest.raises(Unreachable, match="5 pictures in a row could not be copied"):
        walk(rows)
    assert not (walk.folder / "labels.csv").exists()


# --- object storage


@pytest.fixture(scope="module")
def bucket():
    """The client of a bucket of a local S3 server."""
    with s3_server.running("cores") as client:
        yield client


def test_pictures_come_from_object_storage(walk, place, bucket):
    rows = good(place)
    for path in place.iterdir():
        bucket.upload_file(str(path), "cores", f"site a/{path.name}")
    rows.append(label("X:\\none.jpg"))
    rules = [{"from": "x:", "to": "s3://cores/site a"}]
    found = walk(rows, **{"data.path_rules": rules})
    assert len(found.table) == 20 and reasons(found) == {"X:\\none.jpg": "no file"}
    assert found.table.sha256[0] == files.sha256(place / "p00.jpg")
    assert walk(rows, **{"data.path_rules": rules}).counts["copied"] == 0
    bucket.upload_file(str(picture(place / "new.jpg", 500)), "cores", "site a/p00.jpg")
    assert walk(rows, **{"data.path_rules": rules}).counts["copied"] == 1


