"""How does notebook 01 read a data set version? Rows like those of a table, and pictures without metadata."""

import posixpath

import fsspec

from lib.common import config
from lib.hub import access
from lib.hub.datasets import export, versions
from lib.storage import files, tables
from lib.storage.locations import StorageLocation

PATH_PREFIX = "hub"   # with which the paths of such rows begin


def rows(job):
    """The database.Snapshot of the version that `data.version` names: a row a picture, as text.

    A task finds its own label of the picture; the columns `labels` (all names, joined by ";") and `label` (the one)
    are the picture's own where the task keeps none. The group is the batch. config.ConfigError.
    """
    version = _version(job)
    found = [_row(job, entry) for entry in versions.entries(access.for_task(job), version)]
    return tables.Snapshot(found, version.created)


def unlabelled(job, number):
    """A folder with those pictures of a version that have no label of the task, as they are given out; goes on after a stop."""
    hub, folder = access.for_task(job), config.home() / "data" / job.name / "hub" / str(number)
    for entry in versions.entries(hub, _version(job, number)):
        path = folder / entry["file"]
        if job.name not in entry["annotations"] and not path.is_file():
            files.write(path, export.stripped_picture(hub, entry))
    if not folder.is_dir():
        raise ValueError(f"all pictures of version {number} have a label of {job.name}; there is none to choose")
    return folder


def _version(job, number=""):
    try:
        return versions.find(access.for_task(job), number or job.params.data.version or "none")
    except ValueError as error:
        raise config.ConfigError(f"data.version: {error}") from error


def _row(job, entry):
    own = {"labels": ";".join(entry["labels"]), "label": entry["labels"][0] if len(entry["labels"]) == 1 else None}
    label = {**{name: own[name] for name in own if name in job.columns}, **entry["annotations"].get(job.name, {})}
    return {"image": f"{PATH_PREFIX}/{entry['file']}", "group": entry["group"],
            **{name: None if label.get(name) is None else str(label[name]) for name in job.columns}}


def location(job):
    """The StorageLocation under which the pictures of the version lie."""
    hub = access.for_task(job)
    known = {entry["file"]: entry for entry in versions.entries(hub, _version(job))}
    return StorageLocation(PATH_PREFIX, StrippedPictures(hub, known, skip_instance_cache=True), "")


class StrippedPictures(fsspec.AbstractFileSystem):
    """The pictures of a version as files, without metadata; read only."""

    protocol = "hub"

    def __init__(self, hub, known, **options):
        super().__init__(**options)
        self.hub, self.known = hub, known

    def info(self, path, **options):
        entry = self._entry(path)
        return {"name": path, "type": "file", "size": entry["bytes"], "md5": entry["sha256"]}

    def cat_file(self, path, start=None, end=None, **options):
        return export.stripped_picture(self.hub, self._entry(path))[start:end]

    def _entry(self, path):
        try:
            return self.known[posixpath.basename(path)]
        except KeyError as error:
            raise FileNotFoundError(path) from error
