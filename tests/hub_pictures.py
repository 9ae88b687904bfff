"""Small sharp pictures of two kinds for the hub's tests; no two are near duplicates."""

import io

import cv2
import numpy as np
from PIL import Image

LICENCE = "CC-BY-4.0"


def pixels(kind, seed, size=(320, 240)):
    """A picture of rings (kind 0) or of bars (kind 1) on a noisy background, uint8 (h, w, 3) RGB."""
    rng = np.random.default_rng((kind, seed))
    ground = cv2.resize(rng.integers(60, 200, (12, 16, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    picture = np.ascontiguousarray(ground)
    for _ in range(9):
        x, y, r = int(rng.integers(0, size[0])), int(rng.integers(0, size[1])), int(rng.integers(15, 60))
        colour = [int(value) for value in rng.integers(0, 255, 3)]
        if kind:
            cv2.rectangle(picture, (x, 0), (x + r // 4, size[1]), colour, -1)
        else:
            cv2.circle(picture, (x, y), r, colour, 5)
    noise = rng.integers(-18, 18, (size[1], size[0], 1))
    return (picture + noise).clip(0, 255).astype(np.uint8)


def jpeg(array, quality=90, exif=None, **options):
    """The bytes of a JPEG of pixels, uint8 (h, w, 3) RGB."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, "JPEG", quality=quality, **({"exif": exif} if exif else {}), **options)
    return file.getvalue()


def picture(kind, seed, size=(320, 240), **options):
    """The bytes of a JPEG of `pixels(kind, seed, size)`."""
    return jpeg(pixels(kind, seed, size), **options)


def exif(orientation=1, position=(-31.95, 115.86), artist="A. Smith"):
    """EXIF with GPS, an author, a time and a serial number."""
    made = Image.Exif()
    made[0x0112], made[0x013B] = orientation, artist
    made.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0xA431: "SERIAL-4711"})
    (lat, lon) = position
    made.get_ifd(0x8825).update({1: "S" if lat < 0 else "N", 2: (abs(lat), 0.0, 0.0), 3: "W" if lon < 0 else "E",
                                 4: (abs(lon), 0.0, 0.0)})
    return made


def folder(path, kinds, start=0, count=4):
    """Write `count` pictures below one folder for each label; `kinds` is {label: kind}. Returns `path`."""
    for label, kind in kinds.items():
        (path / label).mkdir(parents=True, exist_ok=True)
        for n in range(start, start + count):
            (path / label / f"{n:03}.jpg").write_bytes(picture(kind, n))
    return path
