"""Our exports as read by the labelling tools' own readers; tests/test_formats_oracles.py runs it in its own environment.

Writes found.json: by reader and picture, the corners in pixels as x1, y1 … y4, and the rows where the reader keeps them.
"""

import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

SIZES = {}


def datumaro_items(folder, format):
    """The items of a data set that Datumaro reads."""
    from datumaro.components import annotation
    from datumaro.components.dataset import Dataset

    annotation.COORDINATE_ROUNDING_DIGITS = 6  # by default it rounds to two digits
    return Dataset.import_from(str(folder), format)


def datumaro_coco(folder, format="coco_person_keypoints", kind="points"):
    """By picture, the coordinates of its annotation of this kind, and its rows where Datumaro keeps the attribute."""
    found = {}
    for item in datumaro_items(folder / format, format):
        for each in item.annotations:
            if each.type.name == kind:
                rows = each.attributes.get("row_nb")
                found[item.id] = [*each.points, int(rows)] if rows is not None else list(each.points)
    return found


def datumaro_polygons(folder):
    return datumaro_coco(folder, "coco_instances", "polygon")


def datumaro_cvat(folder):
    return datumaro_coco(folder, "cvat", "polygon")


def label_studio(folder):
    """Label Studio's own converter to COCO, which turns percent into pixels."""
    from label_studio_sdk.converter import Converter

    converter = Converter((folder / "setup.xml").read_text(), str(folder), download_resources=False)
    converter.convert_to_coco(str(folder / "labelstudio.json"), str(folder / "ls"), is_dir=False)
    content = json.loads((folder / "ls/result.json").read_text())
    names = {each["id"]: Path(each["file_name"].rpartition("=")[2]).stem for each in content["images"]}
    found = {names[each["image_id"]]: each["segmentation"][0] for each in content["annotations"]}
    converter.convert_to_json_min(str(folder / "labelstudio.json"), str(folder / "min"), is_dir=False)
    for task in json.loads((folder / "min/result.json").read_text()):
        found[Path(task["image"].rpartition("=")[2]).stem].append(task["row_nb"][0]["number"])
    return found


def labelme(folder):
    """LabelMe's own reader of label files, without its user interface."""
    for name in ("PyQt5", "PyQt5.QtGui", "PyQt5.QtCore", "PyQt5.QtWidgets", "onnxruntime", "osam"):
        sys.modules[name] = MagicMock()
    from labelme._label_file import LabelFile

    found = {}
    for path in (folder / "labelme").glob("*.json"):
        shape, = LabelFile(str(path)).shapes
        assert shape["shape_type"] == "polygon" and shape["label"] == "corners"
        found[path.stem] = [*sum(shape["points"], []), int(shape["description"].removeprefix("row_nb: "))]
    return found


def supervision_obb(folder):
    import supervision

    data = supervision.DetectionDataset.from_yolo(str(folder / "images"), str(folder / "yolo-obb/labels"),
                                                  str(folder / "yolo-obb/data.yaml"), is_obb=True)
    return {Path(path).stem: [*each.data["xyxyxyxy"][0].ravel().tolist(), int(each.class_id[0])]
            for path, each in data.annotations.items()}


def sleap_pose(folder):
    import sleap_io
    from sleap_io.io import ultralytics

    skeleton = sleap_io.Skeleton(["p1", "p2", "p3", "p4"])
    found = {}
    for path in (folder / "yolo-pose/labels").glob("*.txt"):
        width, height = SIZES[path.stem]
        (instance,), *_ = ultralytics.parse_label_file(path, skeleton, (height, width))
        found[path.stem] = instance.numpy().ravel().tolist()
    return found


if __name__ == "__main__":
    where = Path(sys.argv[1])
    SIZES.update(json.loads((where / "sizes.json").read_text()))
    readers = (datumaro_coco, datumaro_polygons, datumaro_cvat, label_studio, labelme, supervision_obb, sleap_pose)
    (where / "found.json").write_text(json.dumps({each.__name__: each(where) for each in readers}, default=float))
