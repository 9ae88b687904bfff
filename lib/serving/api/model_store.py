"""The model store: a folder with the exports of each task, and a file `current` that names one and is replaced whole.

    served/corners/current                 {"export": "2026-…", "before": "2025-…"}
    served/corners/2026-…/export.json      a copy of a run's export, never changed
"""

import atexit
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from lib.serving import export_check, prediction
from lib.storage import files


def exports(folder):
    """The export folders that are to be served: `folder` itself if it is one, else the current one of each task.

    BadExport where there is none.
    """
    folder = Path(folder)
    if os.path.lexists(folder / "export.json"):   # whatever it is: what reads it says what is wrong with it
        return [folder]
    found = [path.parent / _current(path)["export"] for path in sorted(folder.glob("*/current"))]
    if not found:
        raise export_check.BadExport(f"{folder.name} holds no export.json and no promoted export; promote a run first")
    return found


def previous(folder):
    """The export folders to which a rollback would go back."""
    found = [(path.parent, _current(path)["before"]) for path in sorted(Path(folder).glob("*/current"))]
    return [home / name for home, name in found if name and (home / name).is_dir()]


def mark(export):
    """What changes when an export is replaced by another one under the same name; None where it has no export.json."""
    try:
        about = (export / "export.json").stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns


def task(export, folder):
    """The task that an export of the served folder must be of; None, any, where the folder is itself the export."""
    return None if export == Path(folder) else export.parent.name


def promote(export, served, version=""):
    """Copy an export to the served folder and make it its task's current one; returns the folder of the copy.

    It is loaded and passes its golden pictures first: BadExport says why not, and the old one stays. With a `version`
    the copy goes by that name instead of its run's.
    """
    export, content = Path(export), prediction.load(export).content
    home = Path(served) / content["task"]
    readable = re.sub(r"[^\w.-]+", "-", version or content["version"])[:60]
    name = readable + "-" + files.sha256(export / "export.json")[:8]
    if not (home / name).is_dir():
        _copy(export, home / name, content, version)
    export_check.check(home / name)
    _point(home, name)
    return home / name


def temporary(export):
    """A served folder with an export as its current one, which is gone when this process ends."""
    folder = tempfile.mkdtemp(prefix="core-box-served-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    promote(export, folder)
    return Path(folder)


def rollback(served, task):
    """Make the export current that was so before; returns its folder. A ValueError where there is none."""
    home = Path(served) / task
    before = _current(home / "current")["before"]
    if not before or not (home / before).is_dir():
        raise ValueError(f"{task} has no export before the current one; promote another run")
    export_check.check(home / before)
    _point(home, before)
    return home / before


def _current(path):
    """What the file `current` says: the folder names `export` and `before` (None: there was none); BadExport."""
    try:
        content = json.loads(export_check.read_text(path, f"{path.parent.name}/current"))
        names = {"export": content["export"], "before": content.get("before")}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        if isinstance(error, export_check.BadExport):
            raise
        raise export_check.BadExport(f"{path.parent.name}/current cannot be used: {export_check.first_line(error)}; "
                                     "promote a run again") from error
    for name in filter(None, names.values()):
        if not isinstance(name, str) or name != Path(name).name or not name.isprintable():
            raise export_check.BadExport(f"{path.parent.name}/current names {str(name)[:80]!r}, no folder beside it; "
                                         "promote a run again")
    return names


def _point(home, name):
    """Replace `current`, and with it the model that is served."""
    path = home / "current"
    old = _current(path) if path.exists() else {"export": None, "before": None}
    before = old["before"] if old["export"] == name else old["export"]
    files.write_json(path, {"export": name, "before": before})


def _copy(export, to, content, version):
    """Copy an export's own files; they are seen under their folder's name when all are on disk, or not at all."""
    names = export_check.members(content)
    files.require_space(_made(to.parent), sum((export / name).stat().st_size for name in names))
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=to.parent))
    try:
        for name in names:
            with files.writing(temporary / name) as path:
                shutil.copyfile(export / name, path)
        if version:
            files.write_json(temporary / "export.json", {**content, "version": version})
        temporary.chmod(0o755)
        os.replace(temporary, to)
        files._fsync(to.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder
