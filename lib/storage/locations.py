"""Where do the pictures of a table lie? In any folder or URL that fsspec opens."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StorageLocation:
    """A path rule: what starts with `start` in the table lies under `root` of the file system `fs`."""

    start: str
    fs: object
    root: str

    @property
    def local(self):
        return "file" in self.fs.protocol or self.fs.protocol == "file"
