"""The one door for pictures: read, check, turn upright, resize. Notebooks and API come through here alike."""

import io
import os
import stat
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

MAGIC = {
    "JPEG": (b"\xff\xd8",), "PNG": (b"\x89PNG\r\n\x1a\n",), "WEBP": (b"RIFF",),
    "TIFF": (b"II*\0", b"MM\0*"), "BMP": (b"BM",),
}
FORMATS = ("JPEG", "PNG")
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
SIDES = (32, 20_000)
MAX_ASPECT = 20
MAX_CHUNKS = 20_000  # of a PNG; one of 32 MiB in the usual pieces has 4,096
GREY = 114  # what lies around a picture in the network's input
MIRROR = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}  # down, across


class Refused(ValueError):
    """A picture that is not taken, with `code` (too_large, not_a_picture, unreadable, empty) and a sentence."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Picture:
    """An upright photograph: `pixels` uint8 (h, w, 3) RGB, and the `size` (width, height) it has at full resolution.

    Where the decoder was allowed to reduce, `pixels` is smaller than `size` says; coordinates are always those of
    `size`.
    """

    pixels: np.ndarray
    size: tuple


def read(source, at_least=None, formats=FORMATS, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS):
    """The Picture in a file or in bytes, upright, as RGB; Refused names what is wrong with it.

    `at_least` (width, height) lets a JPEG be decoded at 1/2, 1/4 or 1/8 as long as it stays that large.
    Transparent pictures are laid over white, 16-bit grey is scaled, orientation is EXIF's.
    """
    data = source if isinstance(source, bytes | bytearray | memoryview) else _load(source, max_bytes)
    kind = _sniff(data, formats, max_bytes)
    CHECKS.get(kind, bool)(data)
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, and of sizes that are checked here
        try:
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                return _decode(image, at_least, max_pixels)
        except Refused:
            raise
        except Image.DecompressionBombError as error:
            raise Refused("too_large", f"more than {max_pixels / 1e6:.0f} megapixels") from error
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


def _sniff(data, formats, max_bytes):
    if not len(data):
        raise Refused("empty", "no bytes: send the picture's bytes")
    if len(data) > max_bytes:
        raise Refused("too_large", f"larger than {max_bytes / 2**20:.0f} MiB")
    head = bytes(data[:16])
    for kind in formats:
        if head.startswith(MAGIC[kind]) and (kind != "WEBP" or head[8:12] == b"WEBP"):
            return kind
    hint = "; convert it to JPEG" if head[4:8] == b"ftyp" else ""
    raise Refused("not_a_picture", f"not a {' or '.join(formats)} picture{hint}")


def _check_jpeg(data):
    """Refuse JPEGs of which Pillow makes grey or garbage: not 8-bit, lossless, or without Huffman tables."""
    at, tables, frame = 2, False, None
    while at + 9 < len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        marker = data[at + 1]
        tables |= marker == 0xC4
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = marker, data[at + 4]
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big") if marker != 0xFF else 1
    if frame and (frame[0] not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) or frame[1] != 8):
        raise Refused("not_a_picture", "a 12-bit or lossless JPEG; save it as a plain one")
    if frame and frame[0] < 0xC9 and not tables:
        raise Refused("unreadable", "the JPEG is damaged: it has no Huffman tables")


def _check_png(data):
    """Refuse a PNG that is cut, has a wrong checksum, too many chunks, or a palette picture without its palette.

    Pillow skips the checksums of the pixels and does not miss the end.
    """
    at, kinds, view = 8, [], memoryview(data)
    while not kinds or kinds[-1] != b"IEND":
        end = at + 12 + int.from_bytes(view[at:at + 4], "big")
        if end > len(data) or end < at + 12:
            raise Refused("unreadable", "the PNG is damaged: it is truncated")
        if zlib.crc32(view[at + 4:end - 4]) != int.from_bytes(view[end - 4:end], "big"):
            raise Refused("unreadable", "the PNG is damaged: a checksum is wrong")
        kinds.append(bytes(view[at + 4:at + 8]))
        if len(kinds) > MAX_CHUNKS:
            raise Refused("unreadable", f"the PNG has more than {MAX_CHUNKS} chunks")
        at = end
    if data[25] == 3 and b"PLTE" not in kinds:
        raise Refused("unreadable", "the PNG is damaged: it has no palette")


CHECKS = {"JPEG": _check_jpeg, "PNG": _check_png}


def _decode(image, at_least, max_pixels):
    width, height = image.size
    if width * height > max_pixels or max(width, height) > SIDES[1]:
        raise Refused("too_large", f"{width}x{height} px is more than {max_pixels / 1e6:.0f} megapixels "
                      f"or {SIDES[1]} px a side")
    if min(width, height) < SIDES[0] or max(width, height) > MAX_ASPECT * min(width, height):
        raise Refused("unreadable", f"{width}x{height} px: a side is under {SIDES[0]} px or {MAX_ASPECT} times the other")
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise Refused("unreadable", "animated or of several pages: send one picture")
    if image.format != "JPEG":
        image.load()  # first: getexif would load it too, and its error would be lost there
    orientation = _orientation(image)
    turned = orientation >= 5
    if at_least and image.format == "JPEG":
        image.draft("RGB", tuple(at_least[::-1] if turned else at_least))
    image.load()
    pixels = _upright(_rgb(image), orientation)
    return Picture(np.ascontiguousarray(pixels), (height, width) if turned else (width, height))


def _orientation(image):
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # broken metadata must not lose a good picture; Pillow raises many types here
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rgb(image):
    """Pixels as uint8 RGB, by mode; see the mode table in the tests."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image, np.uint32)  # convert("RGB") would saturate
        return np.repeat((grey / 257).round().clip(0, 255).astype(np.uint8)[..., None], 3, 2)
    if image.mode == "F":
        raise Refused("not_a_picture", "floating-point pixels; save it as 8-bit")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return np.asarray(Image.alpha_composite(white, over).convert("RGB"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _upright(pixels, orientation):
    """Turn and mirror by the EXIF orientation 1 … 8 (TIFF 6.0, tag 274)."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    down, across = MIRROR[orientation]
    return pixels[::down, ::across]


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
    """The EXIF orientation 1 … 8 in a picture's bytes; 1 where there is none that makes sense."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return _orientation(image)


def _short(error):
    if type(error).__name__ == "UnidentifiedImageError":  # its text is the address of a buffer
        return "its header cannot be read"
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def size(source):
    """Width and height of a picture as it stands upright, from its header alone; Refused where it has none."""
    from PIL import Image

    data = source if isinstance(source, bytes) else _load(source, MAX_BYTES)
    kind = _sniff(data, tuple(MAGIC), MAX_BYTES)
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            return image.size[::-1] if _orientation(image) >= 5 else image.size
    except Exception as error:  # see read
        raise Refused("unreadable", f"the {kind} is damaged: {_short(error)}") from error


def place(picture, frame):
    """The network's input, uint8 (height, width, 3): the picture resized (area) into its Frame, grey around it."""
    canvas = np.full((frame.size[1], frame.size[0], 3), GREY, np.uint8)
    (across, down), (left, top) = frame.inner, frame.shift
    way = cv2.INTER_AREA if across <= picture.pixels.shape[1] else cv2.INTER_LINEAR
    canvas[top:top + down, left:left + across] = cv2.resize(picture.pixels, (across, down), interpolation=way)
    return canvas


def cut(picture, matrix, size):
    """A window of `size` (width, height) out of a picture, through the 3x3 `matrix` from picture to window.

    The matrix speaks continuous coordinates (geometry); grey lies outside the picture.
    """
    reduced = picture.pixels.shape[1] / picture.size[0], picture.pixels.shape[0] / picture.size[1]
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # OpenCV counts from pixel centres
    whole = half @ np.asarray(matrix, float) @ np.diag([1 / reduced[0], 1 / reduced[1], 1]) @ np.linalg.inv(half)
    return cv2.warpPerspective(picture.pixels, whole, tuple(size), flags=cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_CONSTANT, borderValue=(GREY,) * 3)
