"""The one door for pictures: read, check, turn upright, resize. Notebooks and API come through here alike."""

import contextlib
import functools
import importlib.util
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.imaging import exif, jpeg, png, tiff
from lib.imaging.refusals import Refused

MAGIC = {
    "JPEG": (b"\xff\xd8",), "PNG": (b"\x89PNG\r\n\x1a\n",), "WEBP": (b"RIFF",),
    "TIFF": (b"II*\0", b"MM\0*"), "BMP": (b"BM",),
}
BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")   # of HEIF (ISO 23008-12) behind b"ftyp": still pictures
SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF",
            ".tiff": "TIFF", ".bmp": "BMP", ".heic": "HEIF", ".heif": "HEIF"}   # by which pictures are found, lower case
KINDS = (*MAGIC, "HEIF")   # all that are read; HEIF where pillow-heif is installed
FORMATS = ("JPEG", "PNG")
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
COSTLY = 12_000_000  # px from which a picture takes so long or so much memory that it is decoded alone
SIDES = (32, 20_000)
MAX_ASPECT = 20
STRIP = 2**20        # px that are converted at a time
GREY = 114  # what lies around a picture in the network's input
# What the EXIF orientations 1 … 8 (TIFF 6.0, tag 274) mean: down, across; of 5 and above after the axes are swapped.
MIRROR = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}


@dataclass(frozen=True)
class Picture:
    """An upright photograph: `pixels` uint8 (h, w, 3) RGB, and the `size` (width, height) it has at full resolution.

    Where the decoder was allowed to reduce, `pixels` is smaller than `size` says; coordinates are always those of
    `size`.
    """

    pixels: np.ndarray
    size: tuple


@dataclass(frozen=True)
class Encoded:
    """A picture file that was examined and not yet decoded: `kind` is its format, `size` (width, height) upright.

    `data` are the bytes to decode, without metadata where that is easily left out; `orientation` (EXIF, 1 … 8) is how
    they are to be turned.
    """

    kind: str
    data: bytes
    size: tuple
    orientation: int = 1
    progressive: bool = False

    @property
    def costly(self):
        """Whether it is large or progressive: such pictures are decoded one at a time."""
        return self.progressive or self.size[0] * self.size[1] > COSTLY


def read(source, at_least=None, formats=FORMATS, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS):
    """The Picture in a file or in bytes, upright, as RGB; Refused names what is wrong with it.

    `at_least` (width, height) lets a JPEG be decoded at 1/2, 1/4 or 1/8 as long as it stays that large.
    Transparent pictures are laid over white, 16-bit grey is scaled. Orientation is EXIF's; one that stands in XMP alone
    is not followed, as in browsers.
    """
    return decode(examine(source, formats, max_bytes, max_pixels), at_least)


def examine(source, formats=FORMATS, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS):
    """The Encoded picture in a file or in bytes; Refused: no such format, damaged, or too much to decode.

    Nothing is decoded: it takes a time that is linear in the file's bytes, 50 ms for 32 MiB at the worst.
    """
    data = _load(source, max_bytes) if isinstance(source, str | os.PathLike) else bytes(source)
    encoded = _scanned(sniff(data, formats, max_bytes), data)
    _check_size(*encoded.size, max_pixels)
    return encoded


def _scanned(kind, data):
    """The Encoded picture in bytes of a format, whatever its size."""
    if kind == "JPEG":
        found = jpeg.scan(data)
        return _encoded(kind, found.plain, found.size, exif.orientation(found.exif), found.progressive or found.scans > 1)
    if kind == "PNG":
        found = png.scan(data)
        return _encoded(kind, found.plain, found.size, exif.orientation(found.exif))
    return _opened(kind, data)


def _encoded(kind, data, size, orientation, progressive=False):
    return Encoded(kind, data, size[::-1] if orientation >= 5 else size, orientation, progressive)


def _opened(kind, data):
    """The Encoded of a format whose header Pillow reads in a bounded time."""
    if kind == "TIFF":
        tiff.check(data)
    with _pillow(kind, data) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise Refused("unreadable", "animated or of several pages: send one picture")
        if image.mode == "F":
            raise Refused("not_a_picture", "floating-point pixels; save it as 8-bit")
        orientation = exif.orientation(data if kind == "TIFF" else image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
        return _encoded(kind, data, image.size, 1 if kind == "HEIF" else orientation)  # HEIF is turned by its reader


def _check_size(width, height, max_pixels):
    if width * height > max_pixels or max(width, height) > SIDES[1]:
        raise Refused("too_large", f"{width}x{height} px is more than {max_pixels / 1e6:.0f} megapixels "
                      f"or {SIDES[1]} px a side")
    if min(width, height) < SIDES[0] or max(width, height) > MAX_ASPECT * min(width, height):
        raise Refused("unreadable", f"{width}x{height} px: a side is under {SIDES[0]} px or {MAX_ASPECT} times the other")


def is_costly(data):
    """Whether a picture in bytes is `Encoded.costly`; not where it is refused, which costs nothing."""
    try:
        return _scanned(sniff(data, KINDS, len(data)), bytes(data)).costly
    except Refused:
        return False


def decode(encoded, at_least=None):
    """The Picture of an Encoded one; Refused where its pixels are damaged. It takes up to 7 bytes a pixel for a while."""
    turned = encoded.orientation >= 5
    with _pillow(encoded.kind, encoded.data) as image:
        if at_least and encoded.kind == "JPEG":
            image.draft("RGB", tuple(at_least[::-1] if turned else at_least))
        image.load()
        # Pillow turns a TIFF itself
        return Picture(_rgb(image, 1 if encoded.kind == "TIFF" else encoded.orientation), encoded.size)


@contextlib.contextmanager
def _pillow(kind, data):
    """An open Pillow image; whatever Pillow raises in the block becomes Refused."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, and of sizes that are checked here
        try:
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                yield image
        except Refused:
            raise
        except Image.DecompressionBombError as error:
            raise Refused("too_large", "more pixels than are taken") from error
        except MemoryError as error:
            raise Refused("too_large", "the picture does not fit in memory") from error
        except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
            raise Refused("unreadable", f"the {kind} is damaged: {_short(error)}") from error


def _load(path, max_bytes):
    """The bytes of a regular file; a folder, a pipe or a device is refused before it can hang."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise Refused("not_a_picture", f"{Path(path).name} is not a regular file")
        if os.stat(path).st_size > max_bytes:
            raise Refused("too_large", f"{Path(path).name} is larger than {max_bytes / 2**20:.0f} MiB")
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused("missing", f"{Path(path).name} is not there") from error
    except ValueError as error:  # a NUL in the name
        if isinstance(error, Refused):
            raise
        raise Refused("missing", f"{path!r} is no file name") from error


def sniff(data, formats=FORMATS, max_bytes=MAX_BYTES):
    """The format of a picture's bytes, one of `formats`; Refused: empty, too large, another format."""
    if not len(data):
        raise Refused("empty", "no bytes: send the picture's bytes")
    if len(data) > max_bytes:
        raise Refused("too_large", f"larger than {max_bytes / 2**20:.0f} MiB")
    head = bytes(data[:16])
    kind = next((kind for kind in KINDS if _is(kind, head)), None)
    if kind not in formats:
        hint = "; convert it to JPEG" if head[4:8] == b"ftyp" else ""
        raise Refused("not_a_picture", f"not a {' or '.join(formats)} picture{hint}")
    if kind == "HEIF" and not reads_heif():
        raise Refused("not_a_picture", "HEIC is read where pillow-heif is installed; install it, or convert it to JPEG")
    return kind


def _is(kind, head):
    if kind == "HEIF":
        return head[4:8] == b"ftyp" and head[8:12] in BRANDS
    return head.startswith(MAGIC[kind]) and (kind != "WEBP" or head[8:12] == b"WEBP")


@functools.cache
def reads_heif():
    """Whether pillow-heif is installed; if so, Pillow reads HEIC with it."""
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _rgb(image, orientation):
    """Pixels as uint8 RGB (h, w, 3), turned by the orientation; converted in strips, so that there is no second copy."""
    width, height = image.size
    pixels = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    down, across = MIRROR[orientation]
    stored = pixels[::down, ::across]
    stored = stored.transpose(1, 0, 2) if orientation >= 5 else stored
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        stored[top:top + rows] = _as_rgb(image.crop((0, top, width, min(top + rows, height))))
    return pixels


def _as_rgb(image):
    """Pixels as uint8 RGB, by mode; see the mode table in the tests."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image, np.uint32)  # convert("RGB") would saturate
        return (grey / 257).round().clip(0, 255).astype(np.uint8)[..., None]
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return np.asarray(Image.alpha_composite(white, over).convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def upright(points, orientation, size):
    """Points (n, 2) of the stored pixels where they lie in the upright picture of `size` (width, height)."""
    points = np.array(points, float)
    if orientation >= 5:
        points = points[:, ::-1]
    away = np.array(MIRROR[orientation][::-1]) < 0
    return np.where(away, np.array(size) - points, points)


def stored(points, orientation, size):
    """Points (n, 2) of the upright picture of `size` where they lie in the stored pixels: what `upright` undoes."""
    away = np.array(MIRROR[orientation][::-1]) < 0
    points = np.where(away, np.array(size) - points, np.array(points, float))
    return points[:, ::-1] if orientation >= 5 else points


def orientation(data):
    """The EXIF orientation 1 … 8 in a picture's bytes; 1 where there is none that makes sense. Refused: no picture."""
    return _scanned(sniff(data, KINDS, len(data)), data).orientation


def suffix(kind):
    """The usual suffix of a format: ".jpg" for "JPEG"."""
    return next(suffix for suffix, of in SUFFIXES.items() if of == kind)


def _short(error):
    if type(error).__name__ == "UnidentifiedImageError":  # its text is the address of a buffer
        return "its header cannot be read"
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def size(source):
    """Width and height of a picture (bytes, or a file's path) as it stands upright, undecoded; Refused where it is damaged."""
    data = source if isinstance(source, bytes) else _load(source, MAX_BYTES)
    return _scanned(sniff(data, KINDS), data).size


def place(picture, frame):
    """The network's input, uint8 (height, width, 3): the picture resized (area) into its Frame, grey around it."""
    canvas = np.full((frame.size[1], frame.size[0], 3), GREY, np.uint8)
    (across, down), (left, top) = frame.inner, frame.shift
    way = cv2.INTER_AREA if across <= picture.pixels.shape[1] else cv2.INTER_LINEAR
    canvas[top:top + down, left:left + across] = cv2.resize(picture.pixels, (across, down), interpolation=way)
    return canvas
