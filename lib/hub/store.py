"""Pictures, manifests and models of the hub, stored under their SHA-256 in any folder or URL that fsspec opens."""

import functools
import hashlib
import io
import posixpath

import fsspec

from lib.common import config
from lib.storage import files


@functools.lru_cache(maxsize=32)
def _file_system(place):
    try:
        fs, root = fsspec.url_to_fs(place)
    except (ValueError, ImportError) as error:
        raise config.ConfigError(f"hub.store is {place}, which cannot be opened: {error}; s3, gs and az need the "
                                 "extra [cloud] installed") from error
    return fs, root.rstrip("/"), "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def path(hub, sha256, kind="pictures"):
    """The path of a content in the store's file system."""
    return posixpath.join(_file_system(hub.place)[1], kind, sha256[:2], sha256)


def put(hub, data, kind="pictures"):
    """Write bytes atomically and return their SHA-256; a content that is there already is not written again."""
    sha256 = hashlib.sha256(data).hexdigest()
    fs, _, local = _file_system(hub.place)
    where = path(hub, sha256, kind)
    if fs.exists(where) and fs.size(where) == len(data):
        return sha256
    if local:
        files.write(where, data)
    else:
        fs.pipe_file(where, data)   # an object store shows an object only when it is complete
    return sha256


def read(hub, sha256, kind="pictures"):
    """The bytes of a content after its hash was checked; ValueError where it is missing or damaged."""
    fs = _file_system(hub.place)[0]
    try:
        data = fs.cat_file(path(hub, sha256, kind))
    except FileNotFoundError as error:
        raise ValueError(f"{path(hub, sha256, kind)} is missing in the hub's store; put it back from a copy") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path(hub, sha256, kind)} is damaged: its SHA-256 is another; put it back from a copy")
    return data


def lines(hub, sha256, kind):
    """The lines of a text in the store, one by one, in constant memory."""
    with _file_system(hub.place)[0].open(path(hub, sha256, kind), "rb") as file:
        yield from io.TextIOWrapper(file, "utf-8")


def thumbnail(hub, sha256, side=160):
    """A small JPEG of a picture, upright, at most `side` px long, without metadata."""
    import cv2

    from lib.imaging import images

    picture = images.read(read(hub, sha256), at_least=(side, side))
    height, width = picture.pixels.shape[:2]
    scale = min(1, side / max(height, width))
    small = cv2.resize(picture.pixels, (max(1, round(width * scale)), max(1, round(height * scale))),
                       interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
