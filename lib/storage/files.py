"""The one door for files: nothing half-written is ever seen under its final name."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path


class DiskFull(OSError):
    """The disk cannot hold what is about to be written; nothing was changed."""


class Busy(RuntimeError):
    """Another process holds the folder; the message says which, and since when."""


@contextlib.contextmanager
def writing(path):
    """A temporary path in the folder of `path`; it becomes `path` when the block ends well, else it is removed.

    The bytes are on disk before the rename, and the rename before the return (write, fsync, replace, fsync).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, since savers such as Keras choose their format by it.
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with reporting_disk_full(path):
            yield temporary
            install(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def install(temporary, path):
    """Give a file that was written beside `path` its name: its bytes are on disk before it is seen."""
    _fsync(temporary)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    _fsync(Path(path).parent)


@contextlib.contextmanager
def reporting_disk_full(path):
    """DiskFull, with what is free, where the disk is too full for what the block writes as `path` or beside it."""
    try:
        yield
    except OSError as error:
        if error.errno in (27, 28, 122) and not isinstance(error, DiskFull):  # file too large for its limit, disk full, quota
            raise DiskFull(error.errno, f"no room to write {path.name}: {free_megabytes(path.parent):.0f} MB free "
                         f"in {path.parent}; the old file is untouched, make room and run again") from error
        raise


def _fsync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path, content):
    """Write text or bytes to `path`, whole or not at all."""
    content = content.encode() if isinstance(content, str) else content
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path, content):
    """Write plain values as indented JSON; NaN is refused, since JSON has none."""
    write(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_figure(path, figure):
    """Write a matplotlib figure as PNG, and return it; a cell that ends with it shows the file, and draws nothing again."""
    with writing(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")
    figure._ipython_display_ = functools.partial(_show, path)  # goes before the notebook's own drawing of figures
    return figure


def _show(path):
    from IPython.display import Image, display

    display(Image(path.read_bytes()))


def read_json(path):
    """The content of a JSON file; a missing or malformed one is a ValueError that names it."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def sha256(path):
    """The SHA-256 of a file as hex, read in constant memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_megabytes(folder):
    """Free space where `folder` lies, in MB."""
    return shutil.disk_usage(folder).free / 1e6


def require_writable(folder):
    """Make a folder and be sure that files can be written there; an OSError that names it where they cannot."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise type(error)(error.errno, f"{folder} cannot be written ({error.strerror}); is the disk there, and yours to "
                          "write?") from error


def require_space(folder, size):
    """Refuse early, with DiskFull, to write `size` bytes (and a tenth more) into a folder that cannot hold them."""
    if free_megabytes(folder) * 1e6 < size * 1.1:
        raise DiskFull(28, f"{size * 1.1 / 1e6:.0f} MB are needed in {folder} and {free_megabytes(folder):.0f} MB are free; "
                     "nothing was written, make room and run again")


@contextlib.contextmanager
def lock(folder):
    """Hold `folder` for this process; a second one gets Busy at once. The lock of a dead process is void."""
    from filelock import FileLock, Timeout

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / ".lock.json"
    guard = FileLock(folder / ".lock")  # flock: the system frees it when its process dies
    try:
        guard.acquire(timeout=0)
    except Timeout as error:
        try:
            holder = json.loads(note.read_text())
        except (OSError, ValueError):
            holder = {"pid": "?", "host": "?", "since": "?"}
        raise Busy(f"{folder} is in use by process {holder['pid']} on {holder['host']} since {holder['since']}; "
                   "wait for it or stop it") from error
    try:
        write(note, json.dumps({"pid": os.getpid(), "host": socket.gethostname(),
                                "since": time.strftime("%Y-%m-%d %H:%M:%S")}))
        yield
    finally:
        note.unlink(missing_ok=True)
        guard.release()
