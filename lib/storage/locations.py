"""Where do things lie? Pictures in any folder or URL that fsspec opens; Unreachable where a place does not answer."""

from dataclasses import dataclass


class Unreachable(RuntimeError):
    """A server or a share does not answer; the message names it, says what to do, and never holds a password."""


@dataclass(frozen=True)
class StorageLocation:
    """A path rule: what starts with `start` in the table lies under `root` of the file system `fs`."""

    start: str
    fs: object
    root: str

    @property
    def local(self):
        return "file" in self.fs.protocol or self.fs.protocol == "file"
