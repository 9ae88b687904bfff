"""Open Images' own files become a data set: the right boxes, the same bytes twice, pictures that stand upright."""

import base64
import csv
import hashlib
import http.server
import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lib import tasks
from lib.common import config
from lib.data import formats, ingest
from lib.data.formats import darknet, openimages
from lib.data.formats.openimages import classes, manifests, pictures, rows
from lib.imaging import images
from lib.storage import files

NAMES = {"/m/019jd": "Boat", "/m/01btn": "Barge", "/m/0ph39": "Canoe", "/m/0k4j": "Car", "/m/01bl7v": "Boy",
         "/m/0h8mhzd": "Boot"}
TREE = {"LabelName": "/m/0bl9f", "Subcategory": [
    {"LabelName": "/m/019jd", "Subcategory": [{"LabelName": "/m/01btn"}, {"LabelName": "/m/0ph39"}],
     "Part": [{"LabelName": "/m/0h8mhzd"}]}, {"LabelName": "/m/0k4j"}]}
SHORT = ("ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,"
         "IsInside").split(",")
LONG = SHORT + [f"XClick{n}{axis}" for axis in "XY" for n in (1, 2, 3, 4)]
RED = (slice(12, 24), slice(8, 32))        # of the drawn pictures, 80x60 px: rows and columns


def drawn(seed, exif=0, quality=90):
    """A JPEG of 80x60 px with a red box, whose EXIF may say anything."""
    pixels = np.random.default_rng(seed).integers(90, 110, (60, 80, 3)).astype(np.uint8)
    pixels[RED] = (230, 20, 20)
    out, tags = io.BytesIO(), Image.Exif()
    if exif:
        tags[0x0112] = exif
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, exif=tags)
    return out.getvalue()


class Metadata:
    """The official files of pictures that are drawn here, and what a web server would give for their URLs."""

    def __init__(self, folder, url="http://127.0.0.1:9", count=24, columns=LONG):
        self.folder, self.bodies = Path(folder), {}
        self.folder.mkdir(exist_ok=True)
        write = self.write
        write("class-descriptions-boxable.csv", [(label, name) for label, name in NAMES.items()])
        (self.folder / "bbox_labels_600_hierarchy.json").write_text(json.dumps(TREE))
        shapes, facts = [], [("ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
                              "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation").split(",")]
        for at in range(count):
            name, body = f"{at:016x}", drawn(at, exif=(0, 6, 1)[at % 3])
            self.bodies[f"/{name}_o.jpg"] = body
            label = ("/m/019jd", "/m/0ph39", "/m/0k4j")[at % 3 if at > 5 else 0]
            shapes.append([name, "xclick", label, 1, 0.1, 0.4, 0.2, 0.4, 0, 1, int(at == 7), 0, 0])
            shapes.append([name, "xclick", "/m/01btn", 1, 0.5, 0.9, 0.5, 0.95, -1, 0, 0, int(at % 2), 0])
            facts.append([name, "train", f"{url}/{name}_o.jpg", "https://www.flickr.com/x", "CC", f"https://p/{at % 12}",
                          f"An author {at % 12}", 'A "title", with\nall that', len(body),
                          base64.b64encode(hashlib.md5(body).digest()).decode(), "", ("0.0", "90.0", "180.0", "270.0", "")[at % 5]])
        write("oidv6-train-annotations-bbox.csv", [columns, *(line + [0.5] * (len(columns) - len(line)) for line in shapes)])
        write("train-images-boxable-with-rotation.csv", facts)

    def write(self, name, lines):
        with open(self.folder / name, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


@pytest.fixture
def metadata(tmp_path):
    return Metadata(tmp_path / "meta")


def make(**overrides):
    return tasks.job("boats", "smoke", overrides={"data.generate": 0, "openimages.download": False,
                                                  **{key.replace("__", "."): value for key, value in overrides.items()}})


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and not path.name.startswith(".")}


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("columns", [SHORT, LONG], ids=["13", "21"])
def test_the_boxes_of_a_class_and_those_below_it_are_chosen(tmp_path, columns):
    folder = Metadata(tmp_path / "meta", columns=columns).folder
    openimages.build(make(), folder, tmp_path / "out")
    found = read_csv(tmp_path / "out" / "boxes.csv")
    assert {row["class"] for row in found} == {"Boat", "Barge", "Canoe"}
    assert len([row for row in found if row["class"] == "Barge"]) == 12       # those that are drawn are left out
    first = found[0]
    assert [float(first[name]) for name in ("xmin", "ymin", "xmax", "ymax")] == [0.1, 0.2, 0.4, 0.4]
    assert first["IsTruncated"] == "1"


def test_children_and_attributes_can_be_left_out(metadata, tmp_path):
    openimages.build(make(openimages__classes=["Barge", "canoe"], openimages__children=False), metadata.folder, tmp_path / "a")
    assert {row["class"] for row in read_csv(tmp_path / "a" / "boxes.csv")} == {"Barge", "Canoe"}
    only = {"openimages.attributes": {"IsGroupOf": "only"}, "openimages.download": False}
    with pytest.raises(config.ConfigError, match="no picture falls to"):   # one picture cannot be split
        openimages.build(tasks.job("boats", "smoke", overrides=only), metadata.folder, tmp_path / "b")
    table = rows.boxes(metadata.folder, "train", classes.wanted(metadata.folder, ["boat"]),
                       {"IsGroupOf": "only", "IsOccluded": "without"})
    assert table["ImageID"].to_pylist() == [f"{7:016x}"]


def test_two_builds_are_the_same_bytes_whatever_the_blocks_are(metadata, tmp_path, monkeypatch):
    openimages.build(make(), metadata.folder, tmp_path / "out")
    first = everything(tmp_path / "out")
    openimages.build(make(), metadata.folder, tmp_path / "out")
    assert everything(tmp_path / "out") == first
    monkeypatch.setattr(rows, "BLOCK", 700)
    openimages.build(make(), metadata.folder, tmp_path / "out")
    assert everything(tmp_path / "out") == first


def test_authors_stay_together_and_a_larger_limit_only_adds(metadata, tmp_path):
    job, chosen = make(), {}
    for limit in (18, 0):
        job = make(openimages__limit=limit)
        built = openimages.build(job, metadata.folder, tmp_path / str(limit))
        chosen[limit] = {each.id for each in built.pictures}
        splits = {}
        for each in built.pictures:
            splits.setdefault(each.author, set()).add(each.split)
        assert all(len(parts) == 1 for parts in splits.values())
        assert {each.split for each in built.pictures} == {"train", "validation", "test"}
    assert len(chosen[18]) == 18 and chosen[18] < chosen[0]


def test_the_transfer_list_is_what_the_storage_service_takes(metadata, tmp_path):
    built = openimages.build(make(), metadata.folder, tmp_path)
    first, *lines = (tmp_path / "transfer.tsv").read_text().splitlines()
    assert first == "TsvHttpData-1.0" and lines == sorted(lines) and len(lines) == len(built.pictures)
    for line in lines:
        url, size, digest = line.split("\t")
        body = metadata.bodies[url.removeprefix("http://127.0.0.1:9")]
        assert int(size) == len(body) and base64.b64decode(digest) == hashlib.md5(body).digest()


def test_pictures_that_are_on_no_list_for_transfer_are_gone(metadata, tmp_path):
    facts = read_csv(metadata.folder / "train-images-boxable-with-rotation.csv")
    lines = [f"{row['OriginalURL']}\t{row['OriginalSize']}\t{row['OriginalMD5']}" for row in facts[:20]]
    for number, part in enumerate((lines[:9], lines[9:])):
        (metadata.folder / f"open-images-dataset-train_{number}.tsv").write_text("\n".join(["TsvHttpData-1.0", *part]) + "\n")
    built = openimages.build(make(), metadata.folder, tmp_path / "out")
    assert max(each.id for each in built.pictures) == f"{19:016x}"
    (metadata.folder / "open-images-dataset-train_1.tsv").write_text("url size\n")
    with pytest.raises(ValueError, match="not TsvHttpData-1.0"):
        openimages.build(make(), metadata.folder, tmp_path / "out")


def test_a_picture_under_two_ids_comes_once(metadata, tmp_path):
    path = metadata.folder / "train-images-boxable-with-rotation.csv"
    facts = read_csv(path)
    facts[3]["OriginalMD5"] = facts[0]["OriginalMD5"]
    metadata.write(path.name, [list(facts[0]), *(list(row.values()) for row in facts)])
    built = openimages.build(make(), metadata.folder, tmp_path / "out")
    assert built.counts["same picture twice"] == 1
    assert f"{3:016x}" not in {each.id for each in built.pictures}


# --- what is wrong is said in one sentence


def test_an_unknown_class_is_told_with_the_nearest(metadata, tmp_path):
    with pytest.raises(config.ConfigError, match="'Boats'.*the nearest: Boat") as error:
        openimages.build(make(openimages__classes=["Boats"]), metadata.folder, tmp_path)
    assert "\n" not in str(error.value) and not list(tmp_path.glob("*.csv"))
    with pytest.raises(config.ConfigError, match="empty"):
        openimages.build(make(openimages__classes=[]), metadata.folder, tmp_path)


@pytest.mark.parametrize("name, text, sentence", [
    ("oidv6-train-annotations-bbox.csv", "ImageID,LabelName\na,b\n", "needs the columns"),
    ("oidv6-train-annotations-bbox.csv", ",".join(SHORT) + "\nab,x,/m/019jd,1,left,0.4,0.2,0.4,0,0,0,0,0\n", "cannot be read"),
    ("oidv6-train-annotations-bbox.csv", ",".join(SHORT) + "\nab,x,/m/019jd,1,0.1,0.4,0.2,nan,0,0,0,0,0\n", "not XMin < XMax"),
    ("oidv6-train-annotations-bbox.csv", ",".join(SHORT) + "\nab,x,/m/019jd,1,0.4,0.1,0.2,0.3,0,0,0,0,0\n", "not XMin < XMax"),
    ("oidv6-train-annotations-bbox.csv", ",".join(SHORT) + "\nab,x,/m/019jd,1,0.1,0.4,0.2,3.4,0,0,0,0,0\n", "not XMin < XMax"),
    ("oidv6-train-annotations-bbox.csv", ",".join(SHORT) + "\n", "no box of"),
    ("oidv6-train-annotations-bbox.csv", "", "cannot be read"),
    ("oidv6-train-annotations-bbox.csv", None, "holds no file"),
    ("train-images-boxable-with-rotation.csv", None, "holds no file"),
    ("train-images-boxable-with-rotation.csv", "ImageID,OriginalURL,AuthorProfileURL,OriginalSize,OriginalMD5,Rotation\n",
     "knows none"),
    ("train-images-boxable-with-rotation.csv", "ImageID,OriginalURL,AuthorProfileURL,OriginalSize,OriginalMD5,Rotation\n"
     f"{0:016x},http://x/a.jpg,p,12,,45\n", "Rotation '45'"),
    ("bbox_labels_600_hierarchy.json", "{", "not JSON"), ("bbox_labels_600_hierarchy.json", "[]", "no hierarchy"),
    ("bbox_labels_600_hierarchy.json", '{"LabelName": "/m/019jd", "Subcategory": 3}', "no hierarchy"),
    ("bbox_labels_600_hierarchy.json", '{"LabelName": "/m/019jd", "Subcategory": [{"Label": 1}]}', "no hierarchy"),
    ("class-descriptions-boxable.csv", "/m/019jd\n", "not LABEL,NAME"), ("class-descriptions-boxable.csv", "", "names no class"),
])
def test_a_malformed_file_is_one_sentence(metadata, tmp_path, name, text, sentence):
    if text is None:
        (metadata.folder / name).unlink()
    else:
        (metadata.folder / name).write_text(text)
    with pytest.raises(ValueError, match=sentence) as error:
        openimages.build(make(), metadata.folder, tmp_path / "out")
    assert len(str(error.value).splitlines()) == 1 and not (tmp_path / "out" / "boxes.csv").exists()


def test_a_picture_cannot_name_a_file_elsewhere(metadata, tmp_path):
    for path in (metadata.folder / "oidv6-train-annotations-bbox.csv",
                 metadata.folder / "train-images-boxable-with-rotation.csv"):
        path.write_text(path.read_text().replace(f"{0:016x}", "../../outside"))
    with pytest.raises(ValueError, match="'../../outside' is no ImageID"):
        openimages.build(make(), metadata.folder, tmp_path / "out")
    assert not list(tmp_path.rglob("outside*"))


def test_a_task_without_boxes_has_no_such_data_set(metadata, tmp_path):
    with pytest.raises(config.ConfigError, match="no settings openimages"):
        openimages.build(tasks.job("corners"), metadata.folder, tmp_path)


# --- pictures


class Web:
    """A server of bodies by path, which fails the first time it is asked for each of `flaky`."""

    def __init__(self, bodies, flaky=()):
        web, self.bodies, self.flaky, self.asked = self, bodies, set(flaky), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                web.asked.append(self.path)
                body = web.bodies.get(self.path)
                status = 404 if body is None else 503 if self.path in web.flaky else 200
                web.flaky.discard(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body or b"")) if status == 200 else "0")
                self.end_headers()
                self.wfile.write(body if status == 200 else b"")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def web(monkeypatch):
    from lib.storage import downloads

    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    server = Web({})
    yield server
    server.server.shutdown()


def red(picture):
    """The box of the red pixels of a Picture, in pixels."""
    ys, xs = np.nonzero((picture.pixels[..., 0] > 170) & (picture.pixels[..., 1] < 90))
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_pictures_come_are_checked_and_stand_upright_with_their_boxes(web, tmp_path):
    made = Metadata(tmp_path / "meta", web.url, count=20)
    web.bodies = dict(made.bodies)
    web.flaky = {f"/{2:016x}_o.jpg"}
    del web.bodies[f"/{4:016x}_o.jpg"]
    web.bodies[f"/{6:016x}_o.jpg"] = drawn(99)                       # another file than was labelled
    job = make(openimages__download=True, openimages__workers=3)
    built = openimages.build(job, made.folder, tmp_path / "out", progress=False)
    assert built.counts["failed"] == 2 and built.counts["downloaded"] == built.counts["pictures"] - 2
    reasons = {row["image"]: row["reason"] for row in read_csv(tmp_path / "out" / "failed.csv")}
    assert "404" in reasons[f"{4:016x}.jpg"] and "MD5" in reasons[f"{6:016x}.jpg"]
    for each in built.pictures:
        picture = images.read(tmp_path / "out" / "images" / each.name)
        assert picture.size == each.upright == ((80, 60) if each.turn in (None, 0, 180) else (60, 80))
        if len(each.placed) and each.labels[0] != "/m/01btn":
            assert np.abs(np.array(red(picture)) - each.placed[0]).max() <= 1
        source = tmp_path / "out" / "original" / each.name
        assert source.read_bytes() == made.bodies[f"/{each.id}_o.jpg"]   # what came is kept as it is
        stored, first = (Image.open(path) for path in (source, tmp_path / "out" / "images" / each.name))
        assert np.array_equal(np.asarray(stored), np.asarray(first))     # no pixel was coded again
    asked = len(web.asked)
    again = openimages.build(job, made.folder, tmp_path / "out", progress=False)
    assert again == built and len(web.asked) <= asked + 2 + 6            # only what failed is asked for


def test_the_exports_are_read_by_other_tools(web, tmp_path):
    made = Metadata(tmp_path / "meta", web.url, count=16)
    web.bodies = made.bodies
    out = tmp_path / "out"
    built = openimages.build(make(openimages__download=True, openimages__separate=True), made.folder, out, progress=False)
    from pycocotools.coco import COCO

    coco = COCO(str(out / "coco.json"))
    assert {each["name"] for each in coco.loadCats(coco.getCatIds())} == {"Boat", "Barge", "Canoe"}
    assert [shape["iscrowd"] for shape in coco.anns.values()].count(1) == 1
    about = dict(line.split(" = ") for line in (out / "obj.data").read_text().splitlines())
    listed = [Path(line) for name in ("train", "valid", "test") for line in (out / f"{name}.txt").read_text().splitlines()]
    assert about["classes"] == "3" and Path(about["train"]) == out / "train.txt"
    assert sorted(path.name for path in listed) == [each.name for each in built.pictures] and all(map(Path.is_file, listed))
    for each, path in zip(built.pictures, sorted(listed, key=lambda path: path.name), strict=True):
        label = Path(str(path).replace("images", "labels")).with_suffix(".txt")        # as darknet finds it
        lines = [list(map(float, line.split())) for line in label.read_text().splitlines()]
        wanted = [box for box, group in zip(each.placed, each.groups, strict=True) if not group]
        assert len(lines) == len(wanted)
        for (_, x, y, wide, high), box in zip(lines, wanted, strict=True):
            sides = np.array([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]) * (each.upright * 2)
            np.testing.assert_allclose(sides, box, atol=0.01)


def test_a_data_set_walks_into_notebook_01(home, web, tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(home))
    made = Metadata(tmp_path / "meta", web.url, count=24)
    web.bodies = made.bodies
    kind, settled = tasks.find("boats"), {"data.generate": 0, "filters.min_width": 0, "data.workers": 2}
    job = kind(config.resolve("boats", "smoke", settled, None, kind.setting_checks), f"oi{os.getpid()}")
    count = formats.import_labels(job, made.folder, "openimages")
    found = ingest.ingest_labels(job).table
    assert len(found) == count.changes.new > 12
    for row in found.to_dict("records"):
        assert (row["width"], row["height"]) in ((80, 60), (60, 80))
        picture, boxes = images.read(job.folder / "images" / row["image"]), job.boxes(row)
        if row["image"].endswith("00000.jpg"):
            assert np.abs(np.array(red(picture)) - boxes[0]).max() <= 1
    splits = {each.id: each.split for each in openimages.build(job, made.folder, job.folder / "imported").pictures}
    for row in found.to_dict("records"):     # the lists and the notebooks split alike
        assert splits[Path(row["source"]).stem] == row["split"]
    assert formats.export_labels(job, tmp_path / "yolo", "darknet") == len(found)
    with pytest.raises(config.ConfigError, match="only read"):
        formats.export_labels(job, tmp_path / "x", "openimages")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from([0, 90, 180, 270]), st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_turn_as_pixels_do(degrees, values):
    x0, x1 = sorted(values[:2])
    y0, y1 = sorted(values[2:])
    size = np.array((80, 60)) if degrees in (0, 180) else np.array((60, 80))
    wanted = images.upright(np.array([[x0, y0], [x1, y1]]) * (80, 60), pictures.ORIENTATIONS[degrees], size)
    found = np.array(manifests.turned((x0, y0, x1, y1), degrees)).reshape(2, 2) * size
    np.testing.assert_allclose(found, np.stack([wanted.min(0), wanted.max(0)]), atol=1e-9)


@pytest.mark.parametrize("exif", [0, 1, 3, 6, 8])
def test_a_new_tag_leaves_the_picture_as_it_was_coded(exif):
    data = drawn(3, exif)
    for orientation in (1, 3, 6, 8):
        new = pictures.tagged(data, orientation)
        assert images.orientation(new) == orientation
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(new))), np.asarray(Image.open(io.BytesIO(data))))


# --- darknet


LOG = """ 1: 987.654297, 987.654297 avg loss, 0.000000 rate, 5.123456 seconds, 64 images
v3 (iou loss, Normalizer: (iou: 0.07, cls: 1.00) Region 139 Avg (IOU: 0.412345, GIOU: 0.384), Class: 0.5, count: 8
v3 (iou loss, Normalizer: (iou: 0.07, cls: 1.00) Region 150 Avg (IOU: 0.612345, GIOU: 0.384), Class: 0.5, count: 8

 2: 800.000000, 968.888867 avg loss, 0.000000 rate, 5.0 seconds, 128 images
Region 82 Avg IOU: -nan, Class: -nan, Obj: -nan, No Obj: 0.4, .5R: -nan, .75R: -nan,  count: 0
Region 94 Avg IOU: 0.300000, Class: 0.5, Obj: 0.5, No Obj: 0.4, .5R: 0.0, .75R: 0.0,  count: 3
 3: 700.5, 942.05 avg, 0.000100 rate, 4.9 seconds, 192 images
"""


def test_a_training_log_of_darknet_gives_its_two_charts(tmp_path):
    (tmp_path / "log.txt").write_text(LOG)
    found = darknet.read_log(tmp_path / "log.txt")
    assert [row["iteration"] for row in found] == [1, 2, 3] and found[2]["average"] == 942.05
    assert found[0]["overlap"] is None
    assert found[1]["overlap"] == pytest.approx(0.512345) and found[2]["overlap"] == pytest.approx(0.3)
    figures = darknet.charts(found)
    assert set(figures) == {"loss", "overlap"}
    assert figures["overlap"].axes[0].lines[0].get_xydata().tolist() == [[2, pytest.approx(0.512345)], [3, pytest.approx(0.3)]]
    for name, figure in figures.items():
        files.write_figure(tmp_path / f"{name}.png", figure)
    (tmp_path / "other.txt").write_text("nothing\n")
    with pytest.raises(ValueError, match="no line such as"):
        darknet.read_log(tmp_path / "other.txt")


def test_a_darknet_folder_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(drawn(1))
    (tmp_path / "a.txt").write_text("4 0.25 0.3 0.3 0.2\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "images" / "b.jpg").write_bytes(drawn(2))
    (tmp_path / "labels" / "b.txt").write_text("")
    _, records = darknet.read_records(make(), tmp_path)
    assert [row["fullname"] for row in records] == ["a.jpg", "images/b.jpg"]
    assert json.loads(records[0]["boxes"]) == [[8.0, 12.0, 32.0, 24.0]] and json.loads(records[1]["boxes"]) == []
    (tmp_path / "a.txt").write_text("4 0.25 0.3 30 20\n")
    with pytest.raises(ValueError, match="a.txt, line 1: the width and height are 30 and 20"):
        darknet.read_records(make(), tmp_path)
    for line, words in (("4 0.25", "has 2 words"), ("boat 0.25 0.3 0.3 0.2", "the class is 'boat'"),
                        ("4 1.25 0.3 0.3 0.2", "the centre is 1.25, 0.3, outside"), ("4 x 0.3 0.3 0.2", "'x'")):
        (tmp_path / "a.txt").write_text(line + "\n")
        with pytest.raises(ValueError, match=words):
            darknet.read_records(make(), tmp_path)


# --- the real files


REAL = Path(os.environ.get("COREBOX_REAL_DATA", "")) / "openimages" / "metadata"
needs_real = pytest.mark.skipif("COREBOX_REAL_DATA" not in os.environ, reason="COREBOX_REAL_DATA is unset")


@needs_real
def test_the_real_hierarchy_knows_what_a_boat_is():
    assert set(classes.wanted(REAL, ["Boat"]).values()) == {"Boat", "Barge", "Gondola", "Canoe"}
    assert len(classes.wanted(REAL, ["Vehicle"])) > 20
    with pytest.raises(config.ConfigError, match="Boat"):
        classes.wanted(REAL, ["Boats"])


@needs_real
def test_real_rows_are_read_as_pandas_reads_them(tmp_path):
    import pandas as pd

    os.symlink(REAL / "sysaster_bodyparts_train-annotations-bbox.csv", tmp_path / "train-annotations-bbox.csv")
    wanted = classes.wanted(REAL, ["Human foot", "Human hand"])
    found = rows.boxes(tmp_path, "train", wanted, {"IsOccluded": "without", "IsGroupOf": "any"}).to_pandas()
    table = pd.read_csv(tmp_path / "train-annotations-bbox.csv")
    table = table[table["LabelName"].isin(wanted) & (table["IsOccluded"] != 1)]
    assert len(found) == len(table) and found["ImageID"].tolist() == table["ImageID"].tolist()
    np.testing.assert_array_equal(found[list(rows.SIDES)], table[list(rows.SIDES)])
