"""What we export is read by the tools' own readers to a thousandth of a pixel: 200 random boxes."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import reference_readers
from test_formats_boxes import scheme

from lib.common import config
from lib.data import formats
from lib.data.formats.shapes import Label
from lib.imaging import geometry

TOOLS = ("datumaro==1.13.*", "label-studio-sdk==2.1.*", "supervision==0.31.*", "loguru", "tifffile", "imgviz",
         "imageio", "lazy_loader", "simplejson", "h5py")
BARE = ("labelme==6.3.*", "sleap-io==0.9.*")   # their readers need little of what the programs need
SECONDS = 60


@pytest.fixture(scope="module")
def labels():
    """Two hundred boxes in pictures of up to 6000 px, inside them as some readers want."""
    rng, found = np.random.default_rng(7), []
    while len(found) < 200:
        size = tuple(map(int, rng.integers(300, 6000, 2)))
        corners = geometry.order(rng.uniform(0.001, 0.999, (4, 2)) * size)
        if geometry.is_convex(corners) and geometry.area(corners) > 0.02 * size[0] * size[1]:
            found.append(Label(f"box{len(found):03}.png", size, corners, {"row_nb": int(rng.integers(1, 10))}, "train"))
    return found


@pytest.fixture(scope="module")
def exported(labels):
    """A folder with the 200 boxes in every format, and grey pictures of their sizes."""
    from PIL import Image

    folder = Path(tempfile.mkdtemp(prefix="corebox-formats-"))
    pages = {"coco": ["coco_person_keypoints/annotations/person_keypoints_train.json",
                      "coco_instances/annotations/instances_train.json"],
             "cvat": ["cvat/annotations.xml"], "labelstudio": ["labelstudio.json"]}
    for name, kind in formats.BOXES.items():
        for page in pages.get(name, [name]):
            formats._write_files(folder / page, kind.write(labels, scheme(name)))
    (folder / "images").mkdir()
    for each in labels:
        Image.new("1", each.size).save(folder / "images" / each.image)
    for name in ("cvat", "coco_person_keypoints", "coco_instances"):
        (folder / name / "images").symlink_to(folder / "images")
    for each in labels:
        (folder / "labelme" / each.image).symlink_to(folder / "images" / each.image)
    (folder / "sizes.json").write_text(json.dumps({Path(each.image).stem: each.size for each in labels}))
    page = (config.REPOSITORY / "docs" / "formats.md").read_text()
    (folder / "setup.xml").write_text(re.search(r"```xml\n(.*?)```", page, re.S).group(1))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def found(exported):
    """What each reader found; skipped where the tools cannot be installed within a minute."""
    place = Path(tempfile.mkdtemp(prefix="corebox-readers-"))
    python = place / "bin" / "python"
    uv = shutil.which("uv")
    make = [[uv, "venv", "-q", "--clear", "--python", sys.executable, place]] if uv else \
        [[sys.executable, "-m", "venv", place]]
    install = [uv, "pip", "install", "-q", "-p", python] if uv else [python, "-m", "pip", "install", "-q"]
    end = time.monotonic() + SECONDS
    try:
        for words in (*make, [*install, *TOOLS], [*install, "--no-deps", *BARE]):
            subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True,
                           timeout=end - time.monotonic())
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(place, ignore_errors=True)
        said = (getattr(error, "stderr", None) or str(error)).strip()
        pytest.skip(f"the tools cannot be installed: {said[-200:]}")
    try:
        done = subprocess.run([python, reference_readers.__file__, exported], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return json.loads((exported / "found.json").read_text())


@pytest.mark.parametrize("reader, rows", [
    ("datumaro_coco", True), ("datumaro_polygons", True), ("datumaro_cvat", True), ("label_studio", True),
    ("labelme", True), ("supervision_obb", True), ("sleap_pose", False)])
def test_the_tools_read_what_we_export(found, labels, reader, rows):
    assert len(found[reader]) == 200
    for each in labels:
        values = found[reader][Path(each.image).stem]
        assert np.abs(np.array(values[:8]).reshape(4, 2) - each.corners).max() < 1e-3
        assert values[8:] == ([each.values["row_nb"]] if rows else [])


def test_pycocotools_reads_what_we_export(exported, labels):
    from pycocotools.coco import COCO

    coco = COCO(str(exported / "coco_person_keypoints/annotations/person_keypoints_train.json"))
    assert coco.loadCats(coco.getCatIds())[0]["keypoints"] == ["p1", "p2", "p3", "p4"]
    names = {each["id"]: each for each in coco.loadImgs(coco.getImgIds())}
    known = {each.image: each for each in labels}
    for one in coco.loadAnns(coco.getAnnIds()):
        image = names[one["image_id"]]
        label = known.pop(image["file_name"])
        assert (image["width"], image["height"]) == label.size
        points = np.array(one["keypoints"]).reshape(4, 3)
        assert np.abs(points[:, :2] - label.corners).max() < 1e-3 and (points[:, 2] == 2).all()
        assert np.abs(np.array(one["segmentation"][0]).reshape(4, 2) - label.corners).max() < 1e-3
        assert one["attributes"] == label.values
    assert not known


@pytest.mark.parametrize("number", [0, 1, 2])
def test_pycocotools_draws_the_box_we_export(exported, labels, number):
    """Its mask has the box's area, to the pixels of its edge."""
    from pycocotools.coco import COCO

    coco = COCO(str(exported / "coco_instances/annotations/instances_train.json"))
    mask = coco.annToMask(coco.loadAnns([number + 1])[0])
    assert mask.shape == labels[number].size[::-1]
    edge = np.linalg.norm(np.roll(labels[number].corners, -1, 0) - labels[number].corners, axis=1).sum()
    assert abs(mask.sum() - geometry.area(labels[number].corners)) < edge
