"""What is written of a data set: labels, the list for a cloud transfer, YOLO's, darknet's and COCO's files."""

import csv
import dataclasses
import io
from dataclasses import dataclass

from lib.data.formats import darknet
from lib.imaging import coco
from lib.storage import files

FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")


@dataclass(frozen=True)
class Picture:
    """A picture of Open Images with its boxes: xmin, ymin, xmax, ymax as parts of the file's own width and height.

    `turn`: degrees counterclockwise by which picture and boxes are to be rotated, None where that is not known.
    `upright`: width and height, once it is there and stands upright; `placed`: its boxes in pixels then.
    """

    id: str
    url: str
    bytes: int | None
    md5: str
    turn: int | None
    author: str
    boxes: tuple
    labels: tuple
    flags: tuple
    split: str = ""
    upright: tuple | None = None
    placed: tuple = ()

    @property
    def name(self):
        return f"{self.id}.jpg"

    @property
    def groups(self):
        """Of each box whether it stands for a group that was not told apart."""
        return tuple(flags[FLAGS.index("IsGroupOf")] == 1 for flags in self.flags)

    def with_split(self, split):
        return dataclasses.replace(self, split=split)

    def sides(self):
        """The boxes as parts of the upright picture's width and height."""
        return tuple(turned(box, self.turn or 0) for box in self.boxes)


def turned(box, degrees):
    """A box of parts of a picture when both are rotated counterclockwise by 0, 90, 180 or 270 degrees."""
    x0, y0, x1, y1 = box
    return {0: box, 90: (y0, 1 - x1, y1, 1 - x0), 180: (1 - x1, 1 - y1, 1 - x0, 1 - y0),
            270: (1 - y1, x0, 1 - y0, x1)}[degrees]


def write(out, pictures, names, wanted, separate):
    """boxes.csv, transfer.tsv, and the files of YOLO and darknet, whose labels are those of upright pictures."""
    rows = [[each.id, wanted[label], *box, *flags, each.turn if each.turn is not None else "", each.split, each.author]
            for each in pictures for box, label, flags in zip(each.boxes, each.labels, each.flags, strict=True)]
    files.write(out / "boxes.csv", _csv(["image", "class", "xmin", "ymin", "xmax", "ymax", *FLAGS, "rotation", "split",
                                         "author"], rows))
    # Storage Transfer Service asks for the order of the URLs' bytes.
    lines = sorted(f"{each.url}\t{each.bytes or ''}\t{each.md5}" for each in pictures)
    files.write(out / "transfer.tsv", "\n".join(["TsvHttpData-1.0", *lines]) + "\n")
    numbers = _numbers(wanted, separate)
    items = [(each.name, each.split, [(numbers[label], box) for label, box, group in
              zip(each.labels, each.sides(), each.groups, strict=True) if not group]) for each in pictures]
    for name, text in darknet.texts(items, names, out).items():
        files.write(out / name, text)


def write_fetched(out, pictures, failed, names, wanted, separate):
    """coco.json of the pictures that are there, and failed.csv of the others with the reason."""
    files.write(out / "failed.csv", _csv(["image", "reason"], sorted(failed.items())))
    numbers = _numbers(wanted, separate)
    shapes = []
    for number, each in enumerate(pictures, 1):
        for (x0, y0, x1, y1), label, group in zip(each.placed, each.labels, each.groups, strict=True):
            shapes.append({"id": len(shapes) + 1, "image_id": number, "category_id": numbers[label] + 1,
                           "bbox": [round(value, 3) for value in coco.bbox([(x0, y0), (x1, y1)])],
                           "area": round((x1 - x0) * (y1 - y0), 3), "iscrowd": int(group)})
    sections = {"images": [coco.image(number, each.name, each.upright) for number, each in enumerate(pictures, 1)],
                "annotations": shapes, "categories": [{"id": at + 1, "name": name} for at, name in enumerate(names)]}
    files.write(out / "coco.json", "".join(coco.pieces(sections, ascii_only=True)) + "\n")


def _numbers(wanted, separate):
    """The class number of each label."""
    return {label: at if separate else 0 for at, label in enumerate(wanted)}


def _csv(names, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue()
