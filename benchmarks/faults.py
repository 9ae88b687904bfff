"""Consistency of files after a process is killed at a random time, or before each of its disk operations.

The processes killed are forks of this one, so that hundreds of them cost little; TensorFlow is not loaded here. Each
function returns one result: the number of the fault in the list of faults, how many processes were started, how many of
them were killed before they ended, and how many files were lost. It raises AssertionError where any was.
"""

import builtins
import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib import tasks
from lib.common import config
from lib.data import ingest
from lib.serving import api, export_check
from lib.serving.api import model_store
from lib.storage import files

CALLS = ("mkdir", "open", "fsync", "chmod", "replace", "rename", "unlink", "rmdir", "link", "symlink")
DIED = 9


# --- killing


def victim(work, at=0, seconds=None):
    """Run `work` in a fork; how it ended: "done", "killed", or the name of its error.

    It dies before its call number `at` of those that touch the disk (0: it does not), or `seconds` after it began.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _live(work, at, reader, writer)
    os.close(writer)
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with open(reader, "rb") as said:
        words = said.read().decode()
    os.waitpid(child, 0)
    return words or "killed"


def _live(work, at, reader, writer):
    """The life of a victim; it never returns."""
    os.close(reader)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)  # progress bars
    if at:
        _die_at(at)
    try:
        work()
        words = "done"
    except BaseException as error:
        words = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    os.write(writer, words.encode())
    os._exit(0)


def _die_at(number):
    """End this process by force before the call of that number; SQLite's method (sqlite.org/testing.html)."""
    left = [number]

    def dying(call):
        def run(*words, **others):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*words, **others)
        return run

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    plain = builtins.open

    def opened(file, mode="r", *words, **others):
        return (dying(plain) if set(mode) & set("wax+") else plain)(file, mode, *words, **others)

    builtins.open = io.open = opened


def each_step(fault, work, restore, check, least, every=1):
    """Kill a victim at its step 1, 2, 3 … until one lives to its end; `restore` comes before each, `check` after."""
    at, hit = 1, 0
    while True:
        restore()
        ended = victim(work, at)
        check(ended)
        if ended == "done":
            assert hit >= least, f"only {hit} steps were seen"
            return {"fault": fault, "victims": hit + 1, "hit": hit, "lost": 0}
        assert ended == "killed", ended
        at, hit = at + every, hit + 1


def at_random(fault, work, restore, check, count, seed=0):
    """Kill `count` victims, each after a random part of the time that an undisturbed one takes."""
    restore()
    begun = time.monotonic()
    assert (ended := victim(work)) == "done", ended
    whole, chance, hit = time.monotonic() - begun, random.Random(seed), 0
    for _ in range(count):
        restore()
        ended = victim(work, seconds=chance.uniform(0, whole))
        assert ended in ("done", "killed"), ended
        hit += ended == "killed"
        check(ended)
    return {"fault": fault, "victims": count, "hit": hit, "lost": 0}


# --- notebook 01


def content(folder):
    """The bytes of every file below a folder by name; locks and temporary files are no part of it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and not path.name.startswith(".") and path.name != "gathered.json"}


class Gathering:
    """Notebook 01's work on pictures and rows of its own, in a fresh COREBOX_HOME."""

    def __init__(self, home, pictures=12):
        os.environ["COREBOX_HOME"] = str(home)
        self.job = tasks.find("corners")(config.resolve("corners", "smoke", {
            "data.generate": pictures, "data.generate_width": 320, "data.generate_height": 240, "data.workers": 2,
            "split.by": "", "split.train": 0.5, "split.validation": 0.5, "split.test": 0.0}), "faults")
        ingest.ingest_labels(self.job)
        self.whole, self.before = content(self.job.folder), Path(home) / "before"

    def work(self):
        ingest.ingest_labels(self.job)

    def fresh(self):
        """Nothing has been gathered yet; the pictures are there."""
        for path in self.job.folder.iterdir():
            if path.name != "generated":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def check(self, ended):
        """Nothing is seen in part; the same command goes on, and ends as if nothing had been."""
        for name, data in content(self.job.folder).items():
            if name.startswith("images/") or name.endswith(".csv"):
                assert data == self.whole[name], f"{name} was seen in part"
        assert (again := victim(self.work)) == "done", again
        found = content(self.job.folder)
        assert found == self.whole, sorted(name for name in found.keys() | self.whole.keys()
                                           if found.get(name) != self.whole.get(name))
        assert not list(self.job.folder.rglob(".writing-*"))


def both_at_once(gathering, count):
    """Two of notebook 01 at the same moment: one does the work, the other is told who does, or comes after it."""
    told = 0
    for _ in range(count):
        gathering.fresh()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.write(writer, victim(gathering.work).encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as said:
            ours, theirs = victim(gathering.work), said.read().decode()
        os.waitpid(child, 0)
        assert "done" in (ours, theirs), (ours, theirs)
        for other in {ours, theirs} - {"done"}:
            assert other.startswith("Busy: ") and f"process {'?'}" not in other or "in use by process" in other, other
            told += 1
        assert content(gathering.job.folder) == gathering.whole
    return {"fault": "F14", "victims": 2 * count, "hit": told, "lost": 0}


# --- publishing


class Publishing:
    """Two exports that are put in each other's place in a served folder."""

    def __init__(self, export, folder):
        self.served, self.two = Path(folder) / "served", Path(folder) / "two"
        one = version(export, Path(folder) / "one", "one")
        version(export, self.two, "two")
        api.promote(one, self.served)
        self.kept = Path(folder) / "kept"
        shutil.copytree(self.served, self.kept)

    def work(self):
        api.promote(self.two, self.served)

    def restore(self):
        shutil.rmtree(self.served)
        shutil.copytree(self.kept, self.served)

    def check(self, ended):
        """What is current is whole, and the one or the other; promoting again ends well."""
        current, = model_store.exports(self.served)
        named = export_check.check(current)["version"]
        assert named in ("one", "two") and (ended != "done" or named == "two"), (ended, named)
        api.promote(self.two, self.served)
        assert export_check.check(model_store.exports(self.served)[0])["version"] == "two"


def version(export, folder, name):
    """A copy of an export under another version."""
    for member in export_check.members(export_check.check(export)):
        files.write(folder / member, (Path(export) / member).read_bytes())
    files.write_json(folder / "export.json", {**files.read_json(folder / "export.json"), "version": name})
    return folder


# --- notebooks and training, whose processes are their own


def command_killed(fault, words, home, count, check, seed=0, least=2.0):
    """Kill each command `python -m lib WORDS`, WORDS = words(0 … count - 1), after a random time; then let each end.

    How long one takes is seen from words(count). Where all are the same, each goes on from where the one before was.
    """
    chance, hit = random.Random(seed), 0
    begun = time.monotonic()
    assert _command(words(count), home).wait() == 0
    whole = time.monotonic() - begun
    for at in range(count):
        process = _command(words(at), home)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(least, max(least, whole)))
        hit += process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        check(False)
    for each in dict.fromkeys(tuple(words(at)) for at in range(count)):
        assert _command(each, home).wait() == 0
    check(True)
    return {"fault": fault, "victims": count, "hit": hit, "lost": 0}


def _command(words, home):
    return subprocess.Popen([sys.executable, "-m", "lib", *words], env={**os.environ, "COREBOX_HOME": str(home)},
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
