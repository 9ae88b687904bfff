"""Which known picture is meant by a path that another tool or another machine wrote?"""

import posixpath
import re
import unicodedata
import urllib.parse

# Folders that tools put before file names.
TOOL_FOLDERS = ("images", "train", "val", "valid", "validation", "test")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class PathIndex:
    """Known paths, found again by the paths that others write for them.

    `pairs` are (name, path): a path may have several names. Compared are, until one of them fits: the whole names as
    they are; without regard to the kind of slash and to Unicode's composed or decomposed letters; also without regard to
    case; and last the ends, at whole folder names: the written path may lack the first folders of a name, or have more
    before it. A bare file name with another folder before it is found only below a folder of `TOOL_FOLDERS`, since
    H9/001.jpg need not be 001.jpg; the names `distinct`, which no two pictures share, are found below any.
    """

    def __init__(self, pairs, distinct=()):
        self._forms = ({}, {}, {})
        self._by_base = {}
        for name, path in (*pairs, *distinct):
            for names, form in zip(self._forms, (str, uniform, _folded), strict=True):
                names.setdefault(form(name), set()).add(path)
            if parts := _parts(name):
                self._by_base.setdefault(parts[-1], set()).add((parts, path))
        self._distinct = {_parts(name) for name, _ in distinct}

    def find_whole(self, name):
        """The paths that a whole name can mean: none, the one, or several in order."""
        for names, form in zip(self._forms, (str, uniform, _folded), strict=True):
            if found := names.get(form(name)):
                return sorted(found)
        return []

    def find(self, name):
        """The paths that a name can mean, whole or by its end; several where it cannot be told."""
        if found := self.find_whole(name):
            return found
        parts = _parts(name)
        lengths = {}
        for known, path in self._by_base.get(parts[-1], ()) if parts else ():
            shorter = min(len(known), len(parts))
            if known[-shorter:] == parts[-shorter:] and self._may_lie_below(known, parts, name):
                lengths[path] = max(shorter, lengths.get(path, 0))
        return sorted(path for path, length in lengths.items() if length == max(lengths.values()))

    def _may_lie_below(self, known, parts, name):
        """Whether a known name is more than a bare file name, or may stand below the folders before it."""
        return len(known) > 1 or len(parts) == 1 or known in self._distinct or parts[-2] in TOOL_FOLDERS \
            or len(parts) == 2 and URL.match(name) is not None   # the folder is the host, or the bucket


def uniform(name):
    """A path with one kind of single slashes and composed letters (NFC)."""
    return unicodedata.normalize("NFC", re.sub(r"[/\\]+", "/", name))


def _folded(name):
    return uniform(name).casefold()


def _parts(name):
    """Folders and file of a path, folded, without drive, a URL's scheme and what climbs up."""
    if URL.match(name):
        name = urllib.parse.unquote(re.split("[?#]", name)[0])
    parts = posixpath.normpath(_folded(name)).split("/")
    return tuple(part for part in parts if part not in ("", ".", "..") and not re.fullmatch(r"[a-z][a-z0-9+.-]*:", part))
