"""The pictures of a folder, and what of it is left out."""

import collections
import os
import re
from pathlib import Path
from typing import NamedTuple

from lib.imaging import images


class Listing(NamedTuple):
    """Sorted relative `names` of the pictures, and `left_out`: how many files or folders are not taken, by the reason."""

    names: list
    left_out: dict

    def __str__(self):
        """What is left out, in words; empty where nothing is."""
        return "; ".join(f"{count} left out: {why}" for why, count in sorted(self.left_out.items()))


def list_images(folder, formats=images.KINDS):
    """The Listing of a folder: pictures are told by their suffix, linked folders are not followed.

    ValueError where the folder is none, or holds no pictures.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; name one that holds pictures")
    names, left_out = [], collections.Counter()
    for root, folders, files in os.walk(folder):
        left_out.update(f"the linked folder {escape(name)}" for name in folders if os.path.islink(os.path.join(root, name)))
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            kind = images.SUFFIXES.get(suffix)
            if name.startswith("."):
                continue
            if kind in formats:
                names.append(Path(root, name).relative_to(folder).as_posix())
            else:
                left_out[f"files {escape(suffix) or 'without a suffix'}" + (f", as api.formats lacks {kind}" if kind else "")] += 1
    listing = Listing(sorted(names), dict(left_out))
    if not names:
        taken = ", ".join(suffix for suffix, kind in images.SUFFIXES.items() if kind in formats)
        raise ValueError(f"{folder} holds no pictures ({taken})" + (f"; {listing}" if left_out else ""))
    return listing


def escape(name):
    """A file name as text that can be written: bytes that are not UTF-8 become \\xNN, as in `caf\\xe9.jpg`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def escaped_path(folder, name):
    """The path of the picture in a folder that `escape` wrote as `name`.

    ValueError where two files are written so: one whose name holds a byte that is not UTF-8, one that spells it out.
    """
    spelt = Path(folder, name)
    meant = Path(folder, os.fsdecode(re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()),
                                            os.fsencode(name))))
    if meant != spelt and meant.exists() and spelt.exists():
        raise ValueError(f"{name[:200]!r} stands for two files in {folder}; rename one of them")
    return meant if meant.exists() else spelt
