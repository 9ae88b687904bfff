"""CVAT XML, "CVAT for images 1.1" (docs.cvat.ai, XML annotation format): a polygon in each image.

Points are pixels of the upright picture, TL, TR, BR, BL. Rows of core and the like are attributes of the shape. Read
are polygons, four points, and boxes with their rotation (clockwise about the centre, in degrees).
"""

from lib.data.formats import reading
from lib.data.formats.shapes import (
    Label,
    by_image,
    four_corners,
    number,
    rectangle,
    shapes_of_task,
    size,
)


def write(labels, scheme):
    from xml.etree import ElementTree as tree

    root = tree.Element("annotations")
    tree.SubElement(root, "version").text = "1.1"
    pictures = by_image(labels)
    _meta(tree, root, pictures, scheme)
    for at, (name, found) in enumerate(pictures.items()):
        width, height = found[0].size
        image = tree.SubElement(root, "image", id=str(at), name=name, width=str(width), height=str(height))
        for label in found:
            points = ";".join(f"{x!r},{y!r}" for x, y in label.corners.tolist())
            shape = tree.SubElement(image, "polygon", label=scheme.name, source="manual", occluded="0", points=points,
                                    z_order="0")
            for column, value in label.values.items():
                tree.SubElement(shape, "attribute", name=column).text = str(value)
    tree.indent(root, " ")
    return {"": '<?xml version="1.0" encoding="utf-8"?>\n' + tree.tostring(root, encoding="unicode") + "\n"}


def _meta(tree, root, pictures, scheme):
    """The task, its label and that label's attributes, with the numbers that may be chosen (least, most, step)."""
    task = tree.SubElement(tree.SubElement(root, "meta"), "task")
    for name, text in (("name", scheme.name), ("size", str(len(pictures))), ("mode", "annotation")):
        tree.SubElement(task, name).text = text
    label = tree.SubElement(tree.SubElement(task, "labels"), "label")
    tree.SubElement(label, "name").text = scheme.name
    tree.SubElement(label, "type").text = "polygon"
    attributes = tree.SubElement(label, "attributes")
    for name, kind in scheme.values.items():
        choices = scheme.choices.get(name)
        ranged = kind is int and choices
        attribute = tree.SubElement(attributes, "attribute")
        for tag, text in (("name", name), ("mutable", "False"), ("input_type", "number" if ranged else "text"),
                          ("default_value", str(choices[0]) if ranged else ""),
                          ("values", f"{min(choices)}\n{max(choices)}\n1" if ranged else "")):
            tree.SubElement(attribute, tag).text = text


def parse(path, scheme, pictures):
    root = reading.parse_xml(path)
    if root.tag != "annotations" or root.find("track") is not None:
        raise ValueError(f"{path} is not 'CVAT for images 1.1'; export the task in that format, not as a video's")
    names = set()
    for at, image in enumerate(root.iterfind("image")):
        place, name = f"{path}, image {at + 1}", image.get("name", "")
        if name in names:
            raise ValueError(f"{place}: the picture {name[:200]} is listed twice; keep one")
        names.add(name)
        shapes = [shape for shape in image if shape.tag != "tag"]
        for shape in shapes_of_task(shapes, lambda shape: shape.get("label"), scheme):
            yield Label(name, size(image.attrib, "width", "height", place), _corners(shape, place),
                        _values(shape, scheme), place=place)


def _corners(shape, place):
    if shape.tag in ("polygon", "points"):
        return four_corners([pair.split(",") for pair in shape.get("points", "").split(";")], place)
    if shape.tag == "box":
        left, top, right, bottom = (number(shape.get(name), place, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        degrees = number(shape.get("rotation", 0), place, "rotation")
        return rectangle(left, top, right - left, bottom - top, degrees, centre=True)
    raise ValueError(f"{place}: a {shape.tag[:80]} has no four corners; draw a polygon, four points or a box")


def _values(shape, scheme):
    return {each.get("name"): each.text for each in shape.iterfind("attribute") if each.get("name") in scheme.values}
