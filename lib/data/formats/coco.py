"""COCO JSON (cocodataset.org/#format-data): four keypoints and the same polygon in each annotation.

Coordinates are pixels of the upright picture, `keypoints` x, y, 2 in the order TL, TR, BR, BL, `segmentation` one
polygon, `bbox` left, top, width, height. Rows of core and the like stand in `attributes`, as CVAT and Datumaro write
them.
"""

from collections import Counter
from operator import itemgetter

from lib.data.formats import reading
from lib.data.formats.shapes import (
    Label,
    by_image,
    four_corners,
    required,
    shapes_of_task,
    size,
)
from lib.imaging import coco, geometry


def write(labels, scheme):
    numbers = {name: n for n, name in enumerate(by_image(labels), 1)}
    images = [coco.image(numbers[name], name, found[0].size) for name, found in by_image(labels).items()]
    category = {"id": 1, "name": scheme.name, "supercategory": "", "keypoints": list(scheme.points),
                "skeleton": [[1, 2], [2, 3], [3, 4], [4, 1]]}
    content = {"info": {"description": f"labels of {scheme.name}"}, "licenses": [], "images": images,
               "categories": [category], "annotations": [_annotation(n, numbers[label.image], label) for n, label in enumerate(labels, 1)]}
    return {"": "".join(coco.pieces(content))}


def _annotation(number, image, label):
    points = label.corners.tolist()
    return {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "num_keypoints": 4,
            "keypoints": [each for x, y in points for each in (x, y, 2)],
            "segmentation": coco.segmentation(points), "area": abs(geometry.area(label.corners)),
            "bbox": coco.bbox(points), "attributes": label.values}


def parse(path, scheme, pictures):
    content = reading.parse_json(path)
    categories = {each.get("id"): each.get("name") for each in required(content, "categories", list, path)
                  if isinstance(each, dict) and isinstance(each.get("id"), int)}
    images, shapes = _images(content, path), {}
    for number, annotation in enumerate(required(content, "annotations", list, path)):
        place = f"{path}, annotations[{number}]"
        image, category = required(annotation, "image_id", (int, str), place), annotation.get("category_id")
        if image not in images:
            raise ValueError(f"{place}: image_id {str(image)[:80]} is not among the images; export the labels anew")
        name = categories.get(category) if isinstance(category, int) else None
        shapes.setdefault(image, []).append((name, annotation, place))
    for image, found in shapes.items():
        for _, annotation, place in shapes_of_task(found, itemgetter(0), scheme):
            attributes = annotation.get("attributes")
            values = attributes if isinstance(attributes, dict) else {}
            yield Label(*images[image], _corners(annotation, place),
                        {name: values.get(name) for name in scheme.values}, place=place)


def _images(content, path):
    """By id: name and (width, height) of each picture; ValueError where one comes twice."""
    images = {}
    for number, image in enumerate(required(content, "images", list, path)):
        place = f"{path}, images[{number}]"
        key = required(image, "id", (int, str), place)
        if key in images:
            raise ValueError(f"{place}: id {str(key)[:80]} stands there twice; export the labels anew")
        images[key] = required(image, "file_name", str, place), size(image, "width", "height", place)
    twice = [name for name, count in Counter(name for name, _ in images.values()).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: the picture {twice[0][:200]} is listed twice; keep one")
    return images


def _corners(annotation, place):
    """The keypoints where all four are labelled, else the one polygon."""
    keypoints, polygons = annotation.get("keypoints"), annotation.get("segmentation")
    if isinstance(keypoints, list) and len(keypoints) == 12 and all(keypoints[2::3]):
        return four_corners([keypoints[at:at + 2] for at in range(0, 12, 3)], place)
    if isinstance(polygons, list) and len(polygons) == 1 and isinstance(polygons[0], list) and not len(polygons[0]) % 2:
        return four_corners([polygons[0][at:at + 2] for at in range(0, len(polygons[0]), 2)], place)
    raise ValueError(f"{place} has neither four keypoints that are labelled nor one polygon; draw the box's four corners")
