"""How is a data set written as COCO JSON (cocodataset.org/#format-data)? One writer for all that goes out in that format.

Coordinates are pixels of the upright picture, x before y.
"""

import json
from collections.abc import Iterator


def image(number, name, size, **more):
    """The entry of a picture under `images`; `size` is (width, height), `more` are further members."""
    return {"id": number, "file_name": name, "width": size[0], "height": size[1], **more}


def bbox(points):
    """The box around points [(x, y), …] as [left, top, width, height]."""
    across, down = [x for x, _ in points], [y for _, y in points]
    return [min(across), min(down), max(across) - min(across), max(down) - min(down)]


def segmentation(points):
    """Points [(x, y), …] as one polygon [[x, y, x, y, …]]."""
    return [[value for point in points for value in point]]


def pieces(sections, ascii_only=False):
    """The text of a COCO file, piece by piece: `sections` are its members by name, in their order.

    A member that is an iterator is written one entry a line while it is read, in constant memory. Raises ValueError for
    a number that is not finite.
    """
    def text(value):
        return json.dumps(value, allow_nan=False, ensure_ascii=ascii_only)

    before = "{"
    for name, content in sections.items():
        yield f"{before}{text(name)}: "
        before = ", "
        if isinstance(content, Iterator):
            yield "["
            for number, entry in enumerate(content):
                yield f"{',' if number else ''}\n{text(entry)}"
            yield "]"
        else:
            yield text(content)
    yield "}"
