"""EXIF information of a picture file: read what the hub keeps of it, and remove all metadata.

`strip` takes segments out and changes no pixel: of JPEG (ITU T.81, Exif 3.0) only JFIF, ICC profile and Adobe's colour
marker stay, of PNG (ISO 15948) only what decoding needs. The orientation is put back in, alone.
"""

import datetime
import io
import struct
import zlib
from dataclasses import dataclass

GPS, DETAILS, ORIENTATION, TAKEN, ARTIST = 0x8825, 0x8769, 0x0112, 0x9003, 0x013B   # tags of Exif 3.0
CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD")


@dataclass(frozen=True)
class Exif:
    """When a picture was taken (the camera's own time), by whom, and where (latitude, longitude in degrees)."""

    taken: datetime.datetime | None = None
    author: str = ""
    position: tuple | None = None


def read_exif(data):
    """The Exif of a picture's bytes; what is missing or impossible is left out."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            exif = image.getexif()
            details, gps = exif.get_ifd(DETAILS), exif.get_ifd(GPS)
    except Exception:  # broken metadata must not lose a good picture; Pillow raises many types here
        return Exif()
    return Exif(_time(details.get(TAKEN) or exif.get(0x0132)), _text(exif.get(ARTIST)), _position(gps))


def _time(value):
    try:
        return datetime.datetime.strptime(str(value)[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _text(value):
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:200]


def _position(gps):
    try:
        values = [sum(float(part) / 60 ** n for n, part in enumerate(gps[tag])) for tag in (2, 4)]
        latitude, longitude = (-value if gps.get(tag) in ("S", "W") else value
                               for value, tag in zip(values, (1, 3), strict=True))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    good = -90 <= latitude <= 90 and -180 <= longitude <= 180 and (latitude, longitude) != (0, 0)
    return (latitude, longitude) if good else None


def strip(data, orientation):
    """The same JPEG or PNG without anything but the picture and its EXIF orientation (1 … 8); ValueError if damaged."""
    data = bytes(data)
    return _strip_png(data, orientation) if data.startswith(b"\x89PNG") else _strip_jpeg(data, orientation)


def _orientation_exif(orientation):
    """A TIFF structure of one entry: the orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def _strip_jpeg(data, orientation):
    kept, at = [b"\xff\xd8"], 2
    if orientation > 1:
        body = b"Exif\0\0" + _orientation_exif(orientation)
        kept.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    while True:
        while data[at:at + 2] == b"\xff\xff":   # fill bytes
            at += 1
        marker, head = data[at + 1:at + 2], data[at:at + 4]
        if data[at:at + 1] != b"\xff" or not marker:
            raise ValueError("the JPEG is damaged: no marker where one must be")
        if marker == b"\xd9":
            return b"".join([*kept, b"\xff\xd9"])   # what follows, such as a second picture, goes
        if len(head) < 4:
            raise ValueError("the JPEG is damaged: it is cut")
        end = at + 2 + int.from_bytes(head[2:], "big")
        body = data[at + 4:end]
        if _wanted(marker[0], body):
            kept.append(data[at:end])
        at = end
        if marker == b"\xda":
            end = _after_scan(data, at)
            kept.append(data[at:end])
            at = end


def _wanted(marker, body):
    """Whether a segment is needed to show the picture: all but comments and applications' data."""
    if marker == 0xFE or 0xE0 <= marker <= 0xEF:
        return (marker == 0xE0 and body.startswith(b"JFIF\0") or marker == 0xEE and body.startswith(b"Adobe")
                or marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))
    return True


def _after_scan(data, at):
    """Where the next marker stands that is neither a stuffed zero nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("the JPEG is damaged: its pixels have no end")
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _strip_png(data, orientation):
    kept, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at:at + 4], "big")
        kind = data[at + 4:at + 8]
        if end > len(data):
            raise ValueError("the PNG is damaged: it is cut")
        if kind in CHUNKS:
            kept.append(data[at:end])
        if kind == b"IHDR" and orientation > 1:
            body = b"eXIf" + _orientation_exif(orientation)
            kept.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise ValueError("the PNG is damaged: it has no end")
