"""Files of labels that are broken or meant to do harm: one sentence with the place, and nothing half-imported."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_formats_boxes import scheme

from lib.common import config
from lib.data import formats
from lib.data.formats import reading
from lib.data.formats.shapes import name_problem
from lib.storage import tables

QUAD = [[5, 5], [60, 6], [59, 40], [4, 41]]


def coco(**changes):
    content = {"images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
               "categories": [{"id": 1, "name": "corners"}],
               "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "attributes": {"row_nb": 3},
                                "segmentation": [sum(QUAD, [])]}]}
    return {**content, **changes}


def annotation(**changes):
    return coco(annotations=[{**coco()["annotations"][0], **changes}])


def image(**changes):
    return coco(images=[{**coco()["images"][0], **changes}])


def labelme(**changes):
    shape = {"label": "x", "shape_type": "polygon", "points": QUAD}
    return {"imagePath": "a.jpg", "imageWidth": 64, "imageHeight": 48, "shapes": [shape | changes.pop("shape", {})],
            **changes}


def studio(value=None, **changes):
    value = {"points": [[10, 10], [90, 10], [90, 90], [10, 90]], "polygonlabels": ["x"]} if value is None else value
    region = {"type": "polygonlabels", "original_width": 64, "original_height": 48, "value": value, **changes}
    return [{"data": {"image": "a.jpg"}, "annotations": [{"result": [region]}]}]


def cvat(shape='<polygon label="x" points="5,5;60,6;59,40;4,41"/>', attributes='name="a.jpg" width="64" height="48"'):
    return f"<annotations><image {attributes}>{shape}</image></annotations>"


BOMB = ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "boom">' + "".join(
    f'<!ENTITY b{n} "{f"&b{n - 1 or str()};" * 10}">' for n in range(1, 9)) + "]><annotations>&b8;</annotations>")
LEAK = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>'
TWICE = [*coco()["images"], {**coco()["images"][0], "id": 2}]

FILES = [
    ("coco", "", "is not JSON"), ("coco", "{", "is not JSON"), ("coco", "[" * 200_000, "nested too deeply"),
    ("coco", b"\xff\xfe{}", "not text in UTF-8"), ("coco", "PK\3\4xxxx", "is a ZIP archive; unpack it"),
    ("coco", "[]", "is a list of 0, not an object"), ("coco", "{}", "categories is missing; it must be a list"),
    ("coco", "9" * 5000, "is not JSON"), ("coco", '{"categories": NaN}', "NaN is no number of JSON"),
    ("coco", coco(images=7), "images is 7; it must be a list"),
    ("coco", coco(annotations=[]), "holds no labels of coco"), ("coco", coco(annotations=[7]), "is 7, not an object"),
    ("coco", coco(images=TWICE), "a.jpg is listed twice; keep one"), ("coco", coco(images=TWICE[:1] * 2), "id 1 stands"),
    ("coco", annotation(image_id=9), "annotations[0]: image_id 9 is not among the images"),
    ("coco", annotation(image_id=[9]), "image_id is a list of 1; it must be a whole number"),
    ("coco", annotation(segmentation={"counts": [1], "size": [1, 2]}), "neither four keypoints"),
    ("coco", annotation(segmentation=[[1, 2, 3]]), "neither four keypoints"),
    ("coco", annotation(segmentation=[[1, 2, 3, 4, 5, 6]]), "has 3 points; a box needs its four corners"),
    ("coco", annotation(segmentation=[[1, 2, "x", 4, 5, 6, 7, 8]]), "'x', not a finite number"),
    ("coco", annotation(segmentation=[[1, 2, True, 4, 5, 6, 7, 8]]), "True, not a finite number"),
    ("coco", annotation(segmentation=[[1, 2, 10**400, 4, 5, 6, 7, 8]]), "not a finite number"),
    ("coco", annotation(keypoints=[1, 2, 0] * 4, segmentation=[]), "neither four keypoints"),
    ("coco", annotation(attributes={"row_nb": 2.5}), "column row_nb: '2.5' is not a whole number"),
    ("coco", annotation(attributes={"row_nb": {"a": [1] * 999}}), "is not a whole number"),
    ("coco", annotation(attributes={"row_nb": "3\0"}), "holds no NUL character"),
    ("coco", image(width="wide"), "width is 'wide', not a finite number"), ("coco", image(width=0.5), "whole pixels"),
    ("coco", image(file_name=7), "file_name is 7; it must be a text"),
    ("coco", image(file_name="../../etc/passwd"), "'../../etc/passwd' leads out of the folder"),
    ("coco", image(file_name="/etc/passwd"), "leads out"), ("coco", image(file_name="C:\\a.jpg"), "leads out"),
    ("coco", image(file_name="a/..\\..\\b.jpg"), "leads out"), ("coco", image(file_name="file:///a"), "leads out"),
    ("coco", image(file_name="a\0.jpg"), "control characters"), ("coco", image(file_name=""), "is empty"),
    ("coco", image(file_name="\ud800.jpg"), "control characters"), ("coco", image(file_name="a" * 2000), "too long"),
    ("coco", coco(annotations=coco()["annotations"] * 2), "a.jpg has 2 labels, the first at"),
    ("labelme", "null", "is None, not an object"), ("labelme", labelme(shapes={}), "shapes is an object of 0"),
    ("labelme", labelme(imagePath=None), "imagePath is None"), ("labelme", labelme(imageWidth=None), "imageWidth is None"),
    ("labelme", labelme(imagePath="../a.jpg"), "leads out"), ("labelme", labelme(imagePath="..\\..\\a.jpg"), "leads out"),
    ("labelme", labelme(shape={"points": [[1, 2, 3]] * 4}), "not a list of x, y"),
    ("labelme", labelme(shape={"shape_type": "circle"}), "none of its shapes has four corners"),
    ("labelme", labelme(shape={"shape_type": "point"}), "has 1 points"),
    ("labelme", labelme(shape={"label": None}), "label is None"), ("labelme", labelme(shapes=[]), "holds no labels"),
    ("labelstudio", "{}", "not a list of tasks"), ("labelstudio", [{"image": "a"}], "annotations is missing"),
    ("labelstudio", [], "holds no labels"), ("labelstudio", [{"data": {}, "annotations": [{"result": []}]}], "no picture"),
    ("labelstudio", studio({"polygonlabels": []}), "points is missing"),
    ("labelstudio", studio(image_rotation=90), "was rotated in Label Studio"),
    ("labelstudio", studio(original_width=None), "original_width is None"),
    ("labelstudio", studio({"x": 1, "y": 2, "width": 3, "height": None}, type="rectanglelabels"), "height is None"),
    ("labelstudio", studio({"x": 1e307, "y": 2, "width": 1e307, "height": 1}, type="rectanglelabels"), "finite number"),
    ("labelstudio", studio({"x": 1, "y": 2}, type="keypointlabels"), "has 1 points"),
    ("cvat", BOMB, "declares a document type or entities"), ("cvat", LEAK, "declares a document type or entities"),
    ("cvat", "", "is not XML"), ("cvat", "<annotations>", "is not XML"), ("cvat", "<html/>", "is not 'CVAT for images 1.1'"),
    ("cvat", "<annotations><track/></annotations>", "not as a video's"), ("cvat", "<annotations/>", "holds no labels"),
    ("cvat", cvat(attributes='name="a.jpg" width="64"'), "height is None"),
    ("cvat", cvat(attributes='name="../a.jpg" width="64" height="48"'), "leads out"),
    ("cvat", cvat('<polygon points="1,2;3"/>'), "not a list of x, y"), ("cvat", cvat("<polygon/>"), "not a list of x, y"),
    ("cvat", cvat('<polygon points="1,nan;3,4;5,6;7,8"/>'), "'nan', not a finite number"),
    ("cvat", cvat("<mask/>"), "a mask has no four corners"), ("cvat", cvat(cvat()), "a annotations has no four corners"),
    ("cvat", f"<annotations>{cvat()[13:-14] * 2}</annotations>", "a.jpg is listed twice"),
    ("cvat", cvat("<a>" * 30 + "</a>" * 30), "nested too deeply"), ("cvat", "<a/><b/>", "is not XML"),
    ("cvat", '<?xml version="1.0" encoding="utf-99"?><a/>', "is not XML"),
]


@pytest.fixture
def filled(tcp_job, tmp_path):
    """A job whose table holds one row, and what stands in it."""
    job = tcp_job()
    path = tmp_path / "good.json"
    path.write_text(json.dumps(image(file_name="old.jpg")))
    formats.import_labels(job, path, "coco", add=True)
    return job, tables.read_table(job)


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else
                     (content if isinstance(content, str) else json.dumps(content)).encode())
    return path


@pytest.mark.parametrize("format, content, words", FILES, ids=range(len(FILES)))
def test_a_bad_file_is_one_sentence_that_names_it_and_changes_nothing(filled, tmp_path, format, content, words):
    job, before = filled
    path = put(tmp_path / "bad.x", content)
    with pytest.raises(ValueError) as caught:
        formats.import_labels(job, path, format)
    said = str(caught.value)
    assert words in said and "bad.x" in said and "\n" not in said and len(said) < 700
    assert tables.read_table(job) == before


@pytest.mark.parametrize("line, words", [
    ("x 0 0 1 0 1 1 0 1", "the class is 'x'"), ("-1 0 0 1 0 1 1 0 1", "not a whole number"),
    ("0.5 0 0 1 0 1 1 0 1", "not a whole number"), ("0 0 0 1 0 1 1 0", "has 7 numbers after the class"),
    ("0 0 0 1 0 1 1 0 nan", "'nan', not a finite number"), ("0 0 0 1 0 1 1 0 inf", "not a finite number"),
    ("3 0 0 1 0 1 1 0 1\n3 0 0 1 0 1 1 0 1", "a.jpg has 2 labels"), ("1e300 0 0 1 0 1 1 0 1", "does not take the rows"),
    ("\0", "the class is")])
def test_a_bad_line_of_yolo_is_named(filled, tmp_path, line, words):
    from conftest import picture

    job, before = filled
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text(line)
    with pytest.raises(ValueError) as caught:
        formats.import_labels(job, tmp_path, "yolo-obb", add=True)
    assert words in str(caught.value) and tables.read_table(job) == before


def test_yolo_says_what_it_lacks(filled, tmp_path):
    job, before = filled
    folder = tmp_path / "yolo"
    with pytest.raises(ValueError, match="is no folder"):
        formats.import_labels(job, folder, "yolo-obb")
    (folder / "labels").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no labels of yolo-obb"):
        formats.import_labels(job, folder, "yolo-obb")
    (folder / "labels/a.txt").write_text("3 0 0 1 0 1 1 0 1")
    with pytest.raises(ValueError, match="the size of its picture is not known; gather"):
        formats.import_labels(job, folder, "yolo-obb")
    put(folder / "data.yaml", "a: [")
    with pytest.raises(ValueError, match="is not YAML"):
        formats.import_labels(job, folder, "yolo-obb")
    put(folder / "data.yaml", "names: {3: x}\n")
    (folder / "images").mkdir()
    put(folder / "images/a.jpg", b"no picture")
    with pytest.raises(ValueError, match="a.jpg: not a .* picture; put the picture itself there"):
        formats.import_labels(job, folder, "yolo-obb")
    assert tables.read_table(job) == before


def test_one_bad_file_of_a_folder_keeps_all_out(filled, tmp_path):
    job, before = filled
    (tmp_path / "m").mkdir()
    put(tmp_path / "m/a.json", labelme())
    put(tmp_path / "m/b.json", labelme(imagePath="b.jpg", shape={"points": QUAD[:3]}))
    with pytest.raises(ValueError, match=r"b.json, shape 1 \(x\): the shape has 3 points"):
        formats.import_labels(job, tmp_path / "m", "labelme")
    assert tables.read_table(job) == before


def test_two_files_of_one_picture_are_refused(filled, tmp_path):
    job, _ = filled
    (tmp_path / "m").mkdir()
    put(tmp_path / "m/a.json", labelme())
    put(tmp_path / "m/b.json", labelme())
    with pytest.raises(ValueError, match="b.json.*a.jpg has 2 labels, the first at .*a.json"):
        formats.import_labels(job, tmp_path / "m", "labelme")


def test_a_label_named_like_the_task_wins_over_others(tcp_job, tmp_path):
    path = put(tmp_path / "a.json", labelme(shapes=[
        {"label": "scale", "shape_type": "polygon", "points": QUAD[:3]},
        {"label": "corners", "shape_type": "polygon", "points": QUAD, "description": "row_nb = 4"}]))
    assert formats.import_labels(tcp_job(), path, "labelme", add=True).changes.new == 1
    assert tables.snapshot(tcp_job()).rows[0]["row_nb"] == "4"


def test_a_file_beyond_the_cap_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "big.json"
    with open(path, "wb") as file:
        file.truncate(100 * 2**20)
    monkeypatch.setattr(reading.Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="has 100 MiB and 32 are read; export fewer pictures"):
        reading.parse_json(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "not a regular file"), ("none", "cannot be read"), ("", "is a folder")):
        with pytest.raises(ValueError, match=words):
            reading.parse_json(tmp_path / name)
    with pytest.raises(ValueError, match="not a regular file"):
        reading.parse_xml("/dev/zero")


def test_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/loop").symlink_to(tmp_path)
    put(tmp_path / "out.json", "{}")
    assert reading.walk(tmp_path / "in", ".json") == []


JUNK = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["id", "points", "label", "x", "value", "type"]), inner, max_size=3), max_leaves=6)


def places(content, above=()):
    """Paths to every value in a JSON content."""
    yield above
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield from places(value, (*above, key))


def replaced(content, path, junk):
    if not path:
        return junk
    copy = content.copy()
    copy[path[0]] = replaced(content[path[0]], path[1:], junk)
    return copy


@pytest.mark.parametrize("format, content", [
    ("coco", annotation(keypoints=[1, 2, 2] * 4)), ("labelme", labelme(shape={"flags": {"row_nb: 3": True}})),
    ("labelstudio", studio()), ("labelstudio", studio({"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 5},
                                                      type="rectanglelabels"))])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_stands_where_in_a_json_file_it_is_read_or_refused(format, content, data):
    columns = config.read_file()["settings"]["tasks"]["corners"]["data"]["columns"]
    changed = replaced(content, data.draw(st.sampled_from(list(places(content)))), data.draw(JUNK))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ValueError):
        path = put(Path(folder) / "a.json", json.dumps(changed))
        for label in formats.BOXES[format].parse(path, scheme(), None):
            assert label.corners.shape == (4, 2) and isinstance(label.image, str)
            formats._row(label, scheme(), columns)


def test_xml_of_any_depth_ends_in_a_sentence(tmp_path):
    path = put(tmp_path / "deep.xml", "<annotations>" + "<a>" * 300_000 + "</a>" * 300_000 + "</annotations>")
    with pytest.raises(ValueError, match="elements are nested too deeply"):
        list(formats.BOXES["cvat"].parse(path, scheme(), None))


@pytest.mark.parametrize("name", ["a.jpg", "a b/ü.JPG", "x..y/a.jpg", "...jpg"])
def test_ordinary_names_are_taken(name):
    assert name_problem(name) == ""


def test_a_label_the_format_cannot_hold_is_a_setting_to_put_right(tcp_job, tmp_path):
    with pytest.raises(config.ConfigError, match="there are csv, coco, yolo-pose"):
        formats.import_labels(tcp_job(), tmp_path, "pascal")
