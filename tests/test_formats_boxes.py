"""Boxes of four corners out of the table and in again, in every form, for every orientation of a photograph."""

import io
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import good, insert, label, picture, turned_upright
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lib import __main__ as command
from lib import tasks
from lib.common import config
from lib.data import formats, ingest
from lib.data.formats.shapes import Label, Scheme, rectangle
from lib.imaging import geometry, images
from lib.storage import tables
from lib.tasks import contract

FOLDERS = ("yolo-pose", "yolo-obb", "labelme")
WHERE = {"coco": "labels.json", "labelstudio": "labels.json", "cvat": "annotations.xml"}
CORNERS = np.array([[5, 6], [60, 7], [59, 40], [4, 41]], float)


def scheme(name="coco", **overrides):
    return Scheme.of(tasks.find("corners")(config.resolve("corners", "smoke", overrides)), name)


class Classes(contract.Task):
    """A task whose labels are no corners."""


class Known:
    """Pictures that are all gathered, of the sizes given by name."""

    stored = False

    def __init__(self, labels):
        self.seen = {each.image: each.size for each in labels}

    def named(self, stem):
        return next((name for name in self.seen if name.rpartition(".")[0] == stem), None)


def through(name, labels, folder, scheme):
    """The Labels that come back from a file of the format."""
    path = Path(folder) / WHERE.get(name, "labels")
    formats._write_files(path, formats.BOXES[name].write(labels, scheme))
    return list(formats.BOXES[name].parse(path, scheme, Known(labels)))


@st.composite
def boxes(draw):
    """A convex quadrilateral, in order, in or a little outside a picture of any size that is taken."""
    size = draw(st.integers(32, 20_000)), draw(st.integers(32, 20_000))
    part = st.floats(-0.05, 1.05, width=64)
    corners = geometry.order(np.array([[draw(part), draw(part)] for _ in range(4)]) * size)
    assume(geometry.is_convex(corners) and geometry.area(corners) > 1e-3 * size[0] * size[1])
    return Label("a b-é.jpg", size, corners, {"row_nb": draw(st.integers(1, 10))})


# --- one form after the other


@pytest.mark.parametrize("name", formats.BOXES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(box=boxes())
def test_any_box_comes_back_to_a_thousandth_of_a_pixel(name, box):
    with tempfile.TemporaryDirectory() as folder:
        back, = through(name, [box], folder, scheme(name))
    assert back.image == box.image and back.size == box.size
    assert np.abs(back.corners - box.corners).max() < 1e-3
    assert {key: int(value) for key, value in back.values.items()} == box.values


@pytest.mark.parametrize("name", formats.BOXES)
def test_a_task_without_rows_of_core_keeps_its_corners(name, tmp_path):
    back, = through(name, [Label("a.jpg", (64, 48), CORNERS)], tmp_path, scheme(name, **{"corners.predictor_mode": 8}))
    assert np.allclose(back.corners, CORNERS) and not back.values


@pytest.mark.parametrize("name", formats.BOXES)
def test_a_task_that_labels_no_corners_is_told_to_use_csv(name, tmp_path):
    for call in (formats.export_labels, formats.import_labels):
        with pytest.raises(config.ConfigError, match="are not four corners"):
            call(Classes(config.resolve("corners", "smoke")), tmp_path / "x", name)


@pytest.mark.parametrize("name", ["yolo-pose", "yolo-obb", "labelme"])
def test_two_pictures_of_one_stem_do_not_lie_over_each_other(name):
    labels = [Label(image, (64, 48), CORNERS, {"row_nb": 3}) for image in ("a.jpg", "a.png")]
    with pytest.raises(ValueError, match="nothing but their suffix"):
        formats.BOXES[name].write(labels, scheme())


def test_coco_holds_keypoints_polygon_box_and_rows(tmp_path):
    through("coco", [Label("a.jpg", (64, 48), CORNERS, {"row_nb": 3})], tmp_path, scheme())
    content = json.loads((tmp_path / "labels.json").read_text())
    one = content["annotations"][0]
    assert one["keypoints"] == [5, 6, 2, 60, 7, 2, 59, 40, 2, 4, 41, 2] and one["num_keypoints"] == 4
    assert one["segmentation"] == [[5, 6, 60, 7, 59, 40, 4, 41]] and one["bbox"] == [4, 6, 56, 35]
    assert one["attributes"] == {"row_nb": 3} and one["area"] == pytest.approx(geometry.area(CORNERS))
    assert content["categories"][0]["keypoints"] == ["p1", "p2", "p3", "p4"]


def test_yolo_writes_parts_of_the_picture_and_the_rows_as_the_class(tmp_path):
    box = Label("a.jpg", (64, 48), rectangle(16, 12, 32, 24), {"row_nb": 3}, "validation")
    through("yolo-pose", [box], tmp_path / "pose", scheme())
    through("yolo-obb", [box], tmp_path / "obb", scheme())
    assert (tmp_path / "pose/labels/labels/a.txt").read_text() == \
        "3 0.5 0.5 0.5 0.5 0.25 0.25 2 0.75 0.25 2 0.75 0.75 2 0.25 0.75 2\n"
    assert (tmp_path / "obb/labels/labels/a.txt").read_text() == "3 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n"
    assert (tmp_path / "obb/labels/val.txt").read_text() == "./images/a.jpg\n"
    assert "3: row_nb=3" in (tmp_path / "obb/labels/data.yaml").read_text()


def test_yolo_classes_of_other_names_say_nothing_of_rows(tmp_path):
    box = Label("a.jpg", (64, 48), CORNERS, {"row_nb": 1})
    through("yolo-obb", [box], tmp_path, scheme())
    about = tmp_path / "labels/data.yaml"
    about.write_text(about.read_text().replace("row_nb=1", "tray"))
    back, = formats.BOXES["yolo-obb"].parse(tmp_path / "labels", scheme(), Known([box]))
    assert back.values == {}
    about.unlink()
    back, = formats.BOXES["yolo-obb"].parse(tmp_path / "labels", scheme(), Known([box]))
    assert back.values == {"row_nb": 1}


def test_a_rectangle_turns_clockwise_about_its_corner_or_its_centre():
    assert np.allclose(rectangle(10, 20, 4, 2, 90), [[10, 20], [10, 24], [8, 24], [8, 20]])
    assert np.allclose(rectangle(10, 20, 4, 2, 90, centre=True), [[13, 19], [13, 23], [11, 23], [11, 19]])


def task(*regions, image="a.jpg", **more):
    shown = {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}
    return [{"id": 1, "data": {"image": image}, "annotations": [{"result": [{**shown, **each} for each in regions]}],
             **more}]


def region(kind, **value):
    return {"type": f"{kind}labels", "value": {**value, f"{kind}labels": ["corners"]}, "from_name": "label"}


@pytest.mark.parametrize("regions, corners", [
    ([region("rectangle", x=10, y=20, width=50, height=40, rotation=0)], [[20, 20], [120, 20], [120, 60], [20, 60]]),
    ([region("rectangle", x=50, y=10, width=25, height=20, rotation=90)], [[100, 10], [100, 60], [80, 60], [80, 10]]),
    ([region("keypoint", x=x, y=y, width=1) for x, y in ((10, 20), (60, 20), (60, 60), (10, 60))],
     [[20, 20], [120, 20], [120, 60], [20, 60]]),
    ([region("polygon", points=[[10, 20], [60, 20], [60, 60], [10, 60]])], [[20, 20], [120, 20], [120, 60], [20, 60]])])
def test_label_studio_has_three_ways_to_say_a_box(regions, corners, tmp_path):
    rows = {"type": "choices", "from_name": "row_nb", "value": {"choices": ["4"]}}
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(task(*regions, rows)))
    back, = formats.BOXES["labelstudio"].parse(path, scheme(), None)
    assert np.allclose(back.corners, corners) and back.values == {"row_nb": "4"} and back.size == (200, 100)


@pytest.mark.parametrize("image, name", [("/data/local-files/?d=a%20b.jpg", "a b.jpg"), ("/data/upload/7/a%20b.jpg", "a b.jpg"),
                                         ("https://host/x/a%20b.jpg?token=1", "https://host/x/a%20b.jpg?token=1"),
                                         ("a b.jpg", "a b.jpg")])
def test_label_studio_names_a_picture_in_several_ways(image, name, tmp_path):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(task(region("rectangle", x=1, y=1, width=5, height=5), image=image)))
    assert next(formats.BOXES["labelstudio"].parse(path, scheme(), None)).image == name


def test_label_studio_may_call_the_picture_otherwise_and_a_hole_is_no_picture(tmp_path):
    path = tmp_path / "tasks.json"
    tasks_ = task(region("rectangle", x=1, y=1, width=5, height=5))
    tasks_[0]["data"] = {"hole": "H1", "photo": "/data/local-files/?d=H1/001.jpg"}
    path.write_text(json.dumps(tasks_))
    assert next(formats.BOXES["labelstudio"].parse(path, scheme(), None)).image == "H1/001.jpg"
    tasks_[0]["data"] |= {"other": "H1/002.jpg"}
    path.write_text(json.dumps(tasks_))
    with pytest.raises(ValueError, match="names several pictures, under photo, other; call the one"):
        list(formats.BOXES["labelstudio"].parse(path, scheme(), None))


@pytest.mark.parametrize("shape, corners", [
    ('<polygon label="x" points="1,2;9,2;9,8;1,8"/>', [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ('<points label="x" points="1,2;9,2;9,8;1,8"/>', [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ('<box label="x" xtl="1" ytl="2" xbr="9" ybr="8"/>', [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ('<box label="x" xtl="1" ytl="2" xbr="9" ybr="8" rotation="90"/>', [[8, 1], [8, 9], [2, 9], [2, 1]]),
    ('<tag label="good"/><mask label="sky"/><polygon label="corners" points="1,2;9,2;9,8;1,8"/>',
     [[1, 2], [9, 2], [9, 8], [1, 8]])])
def test_cvat_has_several_ways_to_say_a_box(shape, corners, tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text(f'<annotations><image name="a.jpg" width="10" height="10">{shape}</image></annotations>')
    back, = formats.BOXES["cvat"].parse(path, scheme(), None)
    assert np.allclose(back.corners, corners)


@pytest.mark.parametrize("shapes, corners", [
    ([("rectangle", [[1, 2], [9, 8]])], [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ([("oriented_rectangle", [[1, 2], [9, 2], [9, 8], [1, 8]])], [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ([("point", [point]) for point in ([1, 2], [9, 2], [9, 8], [1, 8])], [[1, 2], [9, 2], [9, 8], [1, 8]]),
    ([("polygon", [[1, 2], [9, 2], [9, 8], [1, 8], [1, 2]]), ("circle", [[1, 1], [2, 2]])],
     [[1, 2], [9, 2], [9, 8], [1, 8]])])
def test_labelme_has_several_ways_to_say_a_box_and_a_flag_for_the_rows(shapes, corners, tmp_path):
    content = {"imagePath": "..\\pics\\a.jpg", "imageWidth": 10, "imageHeight": 10, "shapes": [
        {"label": "x", "shape_type": kind, "points": points, "flags": {"row_nb: 2": True, "row_nb: 7": False}}
        for kind, points in shapes]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    back, = formats.BOXES["labelme"].parse(path, scheme(), None)
    assert np.allclose(back.corners, corners) and back.values == {"row_nb": "2"} and back.image == "../pics/a.jpg"


# --- with the table


@pytest.fixture
def job_of(walk, place):
    """A function that makes the job of `walk` with the rule for its share."""

    def make(orientation="upright"):
        overrides = {"data.token": walk.job.params.data.token, "data.generate": 0, "data.workers": 2,
                     "data.orientation": orientation, "data.path_rules": [{"from": "X:\\", "to": str(place)}]}
        return type(walk.job)(config.resolve("corners", "smoke", overrides), walk.job.profile)

    return make


@pytest.fixture
def gathered(walk, place, job_of):
    """The job of twenty gathered pictures, their labels in the table under X:\\."""
    walk(good(place))
    return job_of()


def change(path):
    """Move p1x of everything in a file or folder of labels by a pixel, as a person would in a tool."""
    labels = list(formats.BOXES["coco"].parse(path, scheme(), None))
    moved = [Label(each.image, each.size, each.corners + [1, 0], {"row_nb": 7}) for each in labels]
    formats._write_files(path, formats.BOXES["coco"].write(moved, scheme()))


@pytest.mark.parametrize("name", formats.BOXES)
def test_labels_go_out_as_gathered_and_come_back_onto_the_same_rows(name, gathered, tmp_path):
    job, path = gathered, tmp_path / "out" / WHERE.get(name, "labels")
    before = tables.read_table(job)
    assert formats.export_labels(job, path, name) == 20
    assert path.is_dir() == (name in FOLDERS)
    assert formats.import_labels(job, path, name).known == 20
    after = tables.read_table(job)
    assert after[0] == before[0]
    for old, new in zip(sorted(before[1]), sorted(after[1]), strict=True):
        assert old[:2] == new[:2]  # the path and the site, which the file does not hold
        assert np.allclose(np.array(old[2:], float), np.array(new[2:], float), atol=1e-3)


def test_what_a_tool_changed_is_gathered(gathered, tmp_path):
    path = tmp_path / "labels.json"
    formats.export_labels(gathered, path, "coco")
    change(path)
    formats.import_labels(gathered, path, "coco")
    table = ingest.ingest_labels(gathered).table
    assert set(table.p1x) == {6.0} and set(table.row_nb) == {7} and len(set(table.group)) == 20


def test_a_file_without_rows_leaves_those_of_the_table(gathered, tmp_path):
    path = tmp_path / "labels.json"
    formats.export_labels(gathered, path, "coco")
    path.write_text(re.sub(r'"row_nb": \d+', "", path.read_text()))
    formats.import_labels(gathered, path, "coco")
    assert {row["row_nb"] for row in tables.snapshot(gathered).rows} == {"3"}


def test_labels_of_the_table_go_out_where_nothing_is_gathered(job_of, place, tmp_path):
    job = job_of()
    insert(job, good(place, 3))
    assert not (job.folder / "labels.csv").exists()
    assert formats.export_labels(job, tmp_path / "a.json", "coco") == 3
    names = {each["file_name"] for each in json.loads((tmp_path / "a.json").read_text())["images"]}
    assert names == {"p00.jpg", "p01.jpg", "p02.jpg"}
    assert formats.import_labels(job, tmp_path / "a.json", "coco").known == 3
    assert {row["image"] for row in tables.snapshot(job).rows} == {f"X:\\p0{n}.jpg" for n in range(3)}


def test_rows_of_the_table_that_cannot_go_out_are_told(job_of, place, tmp_path):
    job = job_of()
    half, line = good(place, 4)[2:]
    picture(place / "a\nb.jpg")
    insert(job, [*good(place, 2), {**half, "p1x": None}, {**line, "fullname": "X:\\a\nb.jpg"}, label("X:\\none.jpg")])
    with pytest.raises(ValueError, match="3 of 5 rows cannot be exported, the first is .*run notebook 01"):
        formats.export_labels(job, tmp_path / "a.json", "coco")
    assert not (tmp_path / "a.json").exists()


def test_new_pictures_and_another_table_are_filled(tcp_job, tmp_path):
    path = tmp_path / "labels.json"
    formats._write_files(path, formats.BOXES["coco"].write([Label("new/a.jpg", (64, 48), CORNERS, {"row_nb": 3})], scheme()))
    assert formats.import_labels(tcp_job(), path, "coco", table="other", add=True).changes.new == 1
    names, (row,) = tables.read_table(tcp_job(), "other")
    assert dict(zip(names, row, strict=True))["fullname"] == "new/a.jpg"


def test_yolo_measures_pictures_that_are_new_to_the_table(tcp_job, tmp_path):
    exif = _exif(6)
    for kind in ("labels", "images"):
        (tmp_path / kind / "train").mkdir(parents=True)
    picture(tmp_path / "images/train/a.JPG", exif=exif)   # stored 64x48, upright 48x64
    (tmp_path / "labels/train/a.txt").write_text("2 0 0 1 0 1 1 0 1\n")
    for orientation, size in (("upright", ["48", "64"]), ("stored", ["64", "48"])):
        formats.import_labels(tcp_job(data__orientation=orientation), tmp_path, "yolo-obb", add=True)
        names, (row,) = tables.read_table(tcp_job())
        row = dict(zip(names, row, strict=True))
        assert [row["p3x"], row["p3y"]] == size and row["row_nb"] == "2" and row["fullname"] == "train/a.JPG"


def test_a_folder_that_holds_something_is_not_written_into(gathered, tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(ValueError, match="is there already; name a new folder"):
        formats.export_labels(gathered, tmp_path, "labelme")
    assert [path.name for path in tmp_path.iterdir() if path.name == "labels"] == []


def test_the_command_knows_every_format_and_takes_a_table(monkeypatch, tmp_path):
    assert command.FORMATS == formats.FORMATS
    calls = []
    monkeypatch.setattr(formats, "import_labels", lambda *words: calls.append(words) or 3)
    assert command.main(["labels", "import", "x.json", "--format", "coco", "--table", "other"]) == 0
    assert calls[0][1:] == ("x.json", "coco", "other", False, False)
    command.main(["labels", "import", "x.json", "--add", "--dry-run"])
    assert calls[1][1:] == ("x.json", "csv", "", True, True)
    with pytest.raises(SystemExit):
        command.main(["labels", "import", "x.json", "--format", "xls"])


# --- orientation


COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
UPRIGHT = np.array([[24, 20], [132, 28], [124, 100], [20, 92]], float)   # in 160 x 120
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}   # the orientation that undoes one


def _exif(orientation):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def photograph(path, orientation):
    """A picture of 160x120 with a coloured patch at each corner of its box, stored turned; the stored corners."""
    from PIL import Image

    pixels = np.full((120, 160, 3), 90, np.uint8)
    for (x, y), colour in zip(UPRIGHT.astype(int), COLOURS, strict=True):
        pixels[y - 8:y + 8, x - 8:x + 8] = colour
    stored = turned_upright(pixels, BACK[orientation])
    Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=95, exif=_exif(orientation))
    return images.upright(UPRIGHT, BACK[orientation], stored.shape[1::-1]), stored.shape[1::-1]


def colours(path, corners):
    """The main colour at each corner, as anybody sees it who turns the picture by its EXIF orientation."""
    from PIL import Image, ImageOps

    pixels = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes()))).convert("RGB")).astype(int)
    seen = [pixels[int(y), int(x)] for x, y in corners]
    return [min(COLOURS, key=lambda colour: np.abs(colour - pixel).sum()) for pixel in seen]


@pytest.fixture
def eight(walk, place):
    """A function that gathers the eight orientations, labelled in upright or in stored pixels."""

    def run(orientation):
        rows, stored = [], {}
        for n in range(16):
            name = f"o{n}.jpg"
            stored[f"X:\\{name}"] = photograph(place / name, 1 + n % 8)
            (place / name).write_bytes((place / name).read_bytes() + bytes([n]))  # no two are the same file
            points = stored[f"X:\\{name}"][0] if orientation == "stored" else UPRIGHT
            rows.append(label(f"X:\\{name}", f"site {n}", 3, points.ravel().tolist()))
        return walk(rows, data__orientation=orientation), stored

    return run


@pytest.mark.parametrize("orientation", ["upright", "stored"])
@pytest.mark.parametrize("name", formats.BOXES)
def test_what_goes_out_is_the_same_corner_of_the_upright_picture(name, orientation, eight, job_of, tmp_path):
    eight(orientation)
    for table in ("", "log_pic"):   # the gathered labels, and the table itself
        path = tmp_path / f"{table}x" / WHERE.get(name, "labels")
        job = job_of(orientation)
        assert formats.export_labels(job, path, name, table) == 16
        pictures = _Upright(job)
        copies = {path: image for image, path in pictures.copies.items()}
        found = {copies.get(each.image, each.image): each for each in formats.BOXES[name].parse(path, scheme(), pictures)}
        for image, each in found.items():
            assert each.size == (160, 120) and np.allclose(each.corners, UPRIGHT, atol=1e-3)
            assert colours(job.folder / "images" / image, each.corners) == list(COLOURS)
        assert len(found) == 16


class _Upright(formats.KnownPictures):
    """Pictures as a tool sees them that turns them upright."""

    def __init__(self, job):
        super().__init__(job)
        self.seen = dict.fromkeys(self.seen, (160, 120))


@pytest.mark.parametrize("name", formats.BOXES)
def test_labels_of_the_stored_pixels_come_in_as_the_setting_says(name, eight, job_of, tmp_path):
    _, stored = eight("upright")
    job = job_of("stored")
    known = formats.KnownPictures(job)
    labels = [Label(image, tuple(stored[path][1]), stored[path][0], {"row_nb": 5}, "train")
              for image, path in known.copies.items()]
    path = tmp_path / WHERE.get(name, "labels")
    formats._write_files(path, formats.BOXES[name].write(labels, scheme()))
    assert formats.import_labels(job, path, name).known == 16
    table = ingest.ingest_labels(job).table
    assert len(table) == 16 and set(table.row_nb) == {5}
    assert np.allclose(table[[f"p{n}{axis}" for n in (1, 2, 3, 4) for axis in "xy"]], UPRIGHT.ravel(), atol=1e-3)


def test_a_tool_that_does_not_turn_pictures_is_noticed_by_their_size(eight, job_of, tmp_path):
    _, stored = eight("upright")
    job = job_of()
    labels = [Label(image, tuple(stored[path][1]), stored[path][0], {"row_nb": 5})
              for image, path in formats.KnownPictures(job).copies.items()]
    formats._write_files(tmp_path / "a.json", formats.BOXES["coco"].write(labels, scheme()))
    before = tables.read_table(job)
    with pytest.raises(ValueError, match="has 160x120 px and the file says 120x160; .*set data.orientation=stored"):
        formats.import_labels(job, tmp_path / "a.json", "coco")
    assert tables.read_table(job) == before


# --- several boxes of a picture


UPPER, LOWER, RIGHT = (5, 5, 30, 6, 29, 20, 4, 19), (5, 24, 30, 25, 29, 40, 4, 41), (34, 5, 60, 6, 59, 20, 35, 19)


def labelled():
    """Labels of two pictures: three boxes with 3, 4 and 5 rows, and one."""
    boxes = [np.reshape(each, (4, 2)).astype(float) for each in (UPPER, LOWER, RIGHT)]
    return [*[Label("a/b.jpg", (64, 48), each, {"row_nb": rows}) for rows, each in enumerate(boxes, 3)],
            Label("c.jpg", (64, 48), CORNERS, {"row_nb": 7})]


@pytest.mark.parametrize("name", formats.BOXES)
def test_several_boxes_of_a_picture_come_back_each_with_its_rows(name, tmp_path):
    labels = labelled()
    back = through(name, labels, tmp_path, scheme(name))
    assert [(each.image, {key: int(value) for key, value in each.values.items()}) for each in back] \
        == [(each.image, each.values) for each in labels]
    assert all(np.abs(one.corners - other.corners).max() < 1e-3 for one, other in zip(back, labels, strict=True))


def test_label_studio_tells_the_rows_of_one_box_as_ever_and_of_several_by_region(tmp_path):
    through("labelstudio", labelled(), tmp_path, scheme("labelstudio"))
    several, one = (task["annotations"][0]["result"] for task in json.loads((tmp_path / "labels.json").read_text()))
    assert [each["id"] for each in several] == ["1-box1", "1-box1", "1-box2", "1-box2", "1-box3", "1-box3"]
    assert several[1]["value"]["number"] == 3 and several[1]["value"]["points"] == several[0]["value"]["points"]
    assert one[1] == {"id": "2-row_nb", "type": "number", "from_name": "row_nb", "to_name": "image", "value": {"number": 7}}


@pytest.fixture
def of_two(walk, place, tcp_job):
    """The job of a table with a picture of two boxes, gathered."""
    rows = good(place)
    picture(place / "two.jpg", 900)
    two = [label("X:\\two.jpg", "Albion", rows, corners) for corners, rows in ((UPPER, 3), (LOWER, 4))]
    walk([*rows, *two])
    return tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}]})


def two_of(job):
    names, rows = tables.read_table(job)
    found = [dict(zip(names, row, strict=True)) for row in rows if row[names.index("fullname")] == "X:\\two.jpg"]
    return sorted((round(float(row["p1y"]), 6), round(float(row["p1x"]), 6), int(row["row_nb"]), row["site_na"]) for row in found)


@pytest.mark.parametrize("name", formats.BOXES)
def test_what_is_exported_goes_back_into_its_own_rows(name, of_two, tmp_path):
    path = tmp_path / WHERE.get(name, "out")
    assert formats.export_labels(of_two, path, name) == 22
    before = tables.read_table(of_two)
    found = formats.import_labels(of_two, path, name)
    assert (found.changes.new, found.changes.left, len(tables.read_table(of_two)[1])) == (0, 0, len(before[1]))
    assert two_of(of_two) == [(5, 5, 3, "Albion"), (24, 5, 4, "Albion")]


def coco_of(path, *boxes):
    """A COCO file of one picture with these boxes: pairs of corners and rows."""
    labels = [Label("two.jpg", (64, 48), np.reshape(corners, (4, 2)).astype(float), {"row_nb": rows}) for corners, rows in boxes]
    path.write_text(formats.BOXES["coco"].write(labels, scheme())[""])
    return path


def test_a_corrected_box_goes_into_the_row_it_overlaps_with_and_a_new_one_becomes_a_row(of_two, tmp_path):
    path = coco_of(tmp_path / "new.json", (RIGHT, 9), (np.add(LOWER, 1), 8))
    shown = formats.import_labels(of_two, path, "coco", dry_run=True)
    assert two_of(of_two) == [(5, 5, 3, "Albion"), (24, 5, 4, "Albion")] and "would be: 1 row updated, 1 new" in str(shown)
    found = formats.import_labels(of_two, path, "coco")
    assert (found.changes.updated, found.changes.new, found.changes.left) == (1, 1, 1)
    assert "1 further row of these pictures left as they are" in str(found)
    assert two_of(of_two) == [(5, 5, 3, "Albion"), (5, 34, 9, None), (25, 6, 8, "Albion")]


def test_two_labels_of_one_box_in_a_file_are_refused(of_two, tmp_path):
    before = tables.read_table(of_two)
    with pytest.raises(ValueError, match="two.jpg has 3 labels, the first at"):
        formats.import_labels(of_two, coco_of(tmp_path / "twice.json", (UPPER, 3), (LOWER, 4), (np.add(LOWER, 1), 5)), "coco")
    header = "fullname,row_nb," + ",".join(f"p{n}{axis}" for n in (1, 2, 3, 4) for axis in "xy")
    csv = tmp_path / "twice.csv"
    csv.write_text("\n".join([header, *(f"X:\\two.jpg,{rows}," + ",".join(map(str, UPPER)) for rows in (3, 5))]))
    with pytest.raises(ValueError, match="two rows for 'X:.*two.jpg' differ and are labels of the same box"):
        formats.import_labels(of_two, csv)
    assert tables.read_table(of_two) == before


def test_a_csv_of_several_boxes_is_loaded_again_without_a_row_more(of_two, tmp_path):
    formats.export_labels(of_two, tmp_path / "all.csv")
    before = sorted(map(str, tables.read_table(of_two)[1]))
    found = formats.import_labels(of_two, tmp_path / "all.csv").changes
    assert (found.updated, found.new, found.left) == (0, 0, 0) and sorted(map(str, tables.read_table(of_two)[1])) == before


@pytest.mark.parametrize("id", [None, 5, [], {}, "b"])
def test_results_of_a_region_without_a_usable_name_are_those_of_the_picture(id, tmp_path):
    through("labelstudio", labelled()[:1], tmp_path, scheme("labelstudio"))
    path = tmp_path / "labels.json"
    content = json.loads(path.read_text())
    for region in content[0]["annotations"][0]["result"]:
        region["id"] = id
    path.write_text(json.dumps(content))
    back, = formats.BOXES["labelstudio"].parse(path, scheme("labelstudio"), None)
    assert back.values == {"row_nb": 3}
    content[0]["annotations"][0]["result"].append(id)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not an object|type is missing"):
        list(formats.BOXES["labelstudio"].parse(path, scheme("labelstudio"), None))
