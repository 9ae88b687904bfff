"""Downloaded, checked and turned: the pictures of a data set.

Open Images tells boxes in the file's own pixels, whatever its EXIF says, and a Rotation by which picture and boxes
are to be turned. The turn is written into the EXIF of a copy, so that no pixel is coded again.
"""

import dataclasses

import numpy as np

from lib.imaging import images
from lib.storage import downloads, files

ORIENTATIONS = {0: 1, 90: 8, 180: 3, 270: 6}    # counterclockwise degrees to what EXIF calls it (TIFF 6.0, tag 274)


def bring(pictures, out, workers=8, progress=True):
    """Download into out/original, and lay copies that stand upright into out/images; returns the Pictures that are
    there and the reason for each of the others by name. A second call fetches what is missing."""
    urls = {each.name: each.url for each in pictures}
    sums = {each.name: each.md5 for each in pictures if each.md5}
    came = downloads.fetch(urls, out / "original", workers, md5=sums, progress=progress)
    failed, there = dict(came.failed), []
    for each in pictures:
        if each.name in came.there:
            try:
                there.append(_placed(each, came.there[each.name], out / "images" / each.name))
            except images.Refused as refused:
                failed[each.name] = str(refused)
    return there, failed


def _placed(picture, source, target):
    """The Picture with its upright size and its boxes in pixels; its upright copy is written."""
    data = source.read_bytes()
    images.read(data, at_least=(64, 64), max_bytes=2**31, max_pixels=10**9)     # a damaged file is refused here
    orientation = ORIENTATIONS[picture.turn or 0]
    if not target.is_file() or images.orientation(target.read_bytes()) != orientation:
        files.write(target, data if images.orientation(data) == orientation else tagged(data, orientation))
    width, height = images.size(target.read_bytes())
    boxes = np.array(picture.sides()) * (width, height, width, height)
    return dataclasses.replace(picture, upright=(width, height), placed=tuple(map(tuple, boxes.round(3).tolist())))


def tagged(data, orientation):
    """JPEG bytes whose EXIF holds this orientation and nothing else; the coded pixels are those that were there."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    segment = exif.tobytes()
    kept, at = [b"\xff\xd8", b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment], 2
    while data[at:at + 1] == b"\xff" and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2:at + 4], "big")
        if not (data[at + 1] == 0xE1 and data[at + 4:at + 10] == b"Exif\0\0"):
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, data[at:]])
