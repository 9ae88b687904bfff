"""From a picture to a plain answer, with exported parts only: no TensorFlow, no database."""

import collections
import concurrent.futures
import contextlib
import csv
import fcntl
import functools
import io
import json
import os
import queue
import re
import tempfile
import threading
from pathlib import Path

import numpy as np

from lib import tasks
from lib.common import config, parallel
from lib.imaging import images
from lib.storage import files

FORMAT = 1                     # of export.json; a newer one is refused
MAX_CARD = 4 * 2**20           # bytes of export.json
MAX_PART = 2**31               # bytes of a part: what its format (FlatBuffers) can address
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
KEYS = {"format": int, "task": str, "profile": str, "version": str, "settings": dict, "parts": dict}
ENTRY = {"file": str, "sha256": str, "input": list, "outputs": dict}
GOLDEN = {"file": str, "sha256": str, "truth": dict, "limit": float}


class BadExport(ValueError):
    """An export that must not be used; the message names the file and what is wrong with it."""


def load(folder, task=None, threads=1):
    """The Predictor of an export folder, warmed up; BadExport where anything is not as export.json says.

    Hashes are checked before a part is opened, and its golden pictures (below `golden` in export.json: a file, its
    hash, the truth, and the limit that the job's headline score may reach) must be answered well. `task` is the one
    that is wanted, None for any; `threads` are those of one network for one picture.
    """
    folder = Path(folder)
    content = check(folder, task)
    job = tasks.find(content["task"])(config.Params(content["settings"]), content["profile"])
    try:
        if set(content["parts"]) != set(job.parts()):
            raise BadExport(f"{folder.name} has the parts {', '.join(content['parts'])}; "
                            f"{job.name} needs {', '.join(job.parts())}")
        for part, entry in content["parts"].items():
            if entry["input"] != [*job.input_size(part)[::-1], 3]:
                raise BadExport(f"{part} takes {entry['input']}; by its settings it is "
                                f"{[*job.input_size(part)[::-1], 3]}")
        parts = {part: Part(folder / entry["file"], part, entry, threads) for part, entry in content["parts"].items()}
        predictor = Predictor(job, parts, content)
        predictor.folder = folder
        for entry in content.get("golden", ()):
            _pass(predictor, folder, entry)
        return predictor
    except (AttributeError, KeyError, TypeError) as error:  # settings of another version lack a key
        raise BadExport(f"{folder.name} cannot be used: {_short(error)}; export it again") from error


def check(folder, task=None):
    """export.json of a folder as a dict, once its form and every part's hash have been found right; else BadExport."""
    folder = Path(folder)
    content = _card(folder)
    if task and content["task"] != task:
        raise BadExport(f"{folder.name} is an export of {content['task']}, not of {task}")
    if content["task"] not in tasks.names():
        raise BadExport(f"{folder.name} is an export of {content['task']!r}; there are {', '.join(tasks.names())}")
    for part, entry in content["parts"].items():
        _form(entry, ENTRY, f"export.json of {folder.name}, part {part},")
    for entry in content.get("golden", ()):
        _form(entry, GOLDEN, f"export.json of {folder.name}, golden picture,")
    for entry in (*content["parts"].values(), *content.get("golden", ())):
        _check_file(folder, entry)
    return content


def members(content):
    """The names of the files that belong to an export, from its checked export.json."""
    entries = (*content["parts"].values(), *content.get("golden", ()))
    return ["export.json", *(entry["file"] for entry in entries)]


def _pass(predictor, folder, entry):
    """Refuse an export that answers a golden picture worse than it must."""
    job = predictor.job
    score = job.score(entry["truth"], predictor.answer(folder / entry["file"])).get(job.headline)
    sign = 1 if job.best_is == "low" else -1
    if score is None or not sign * score <= sign * entry["limit"]:
        raise BadExport(f"{folder.name} fails its golden picture {entry['file']}: {job.headline} is {score}, "
                        f"{entry['limit']:g} is the limit; the model is not fit to be served")


def _card(folder):
    path = folder / "export.json"
    try:
        if path.stat().st_size > MAX_CARD:
            raise BadExport(f"export.json of {folder.name} is larger than {MAX_CARD // 2**20} MiB")
        content = files.read_json(path)
    except FileNotFoundError as error:
        raise BadExport(f"{folder.name} holds no export.json; export a run into it first") from error
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, BadExport):
            raise
        raise BadExport(f"export.json of {folder.name} cannot be read: "
                        + _short(error).replace(str(path), path.name)) from error
    what = f"export.json of {folder.name}"
    if not isinstance(content, dict):
        raise BadExport(f"{what} holds no object")
    _form({"format": content.get("format")}, {"format": int}, what)
    if content["format"] > FORMAT:
        raise BadExport(f"{folder.name} is of format {content['format']}; this program reads up to {FORMAT}, update it")
    _form(content, KEYS, what)
    if not content["parts"]:
        raise BadExport(f"{what} names no parts")
    if not isinstance(content.get("golden", []), list):
        raise BadExport(f"{what} needs golden as a list")
    return content


def _form(content, keys, what):
    """Refuse a dict that lacks one of `keys` or holds another type under it."""
    if not isinstance(content, dict):
        raise BadExport(f"{what} is {type(content).__name__}, not an object")
    for key, kind in keys.items():
        if type(content.get(key)) is not kind:
            raise BadExport(f"{what} needs {key} as {kind.__name__} and has {str(content.get(key))[:40]!r}")


def _check_file(folder, entry):
    """Refuse a file outside its folder, missing, or with another hash; reads it in constant memory, opens nothing."""
    name = entry["file"]
    if name != Path(name).name or "\\" in name or "\0" in name or name in ("", ".."):
        raise BadExport(f"export.json of {folder.name} names the file {name[:80]!r}; it must lie in the same folder")
    path = folder / name
    if not path.is_file():
        raise BadExport(f"{name} is missing in {folder.name}")
    if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
        raise BadExport(f"export.json of {folder.name} holds no SHA-256 for {name}")
    if path.stat().st_size > MAX_PART:
        raise BadExport(f"{name} in {folder.name} is larger than {MAX_PART // 2**30} GiB")
    if files.sha256(path) != entry["sha256"]:
        raise BadExport(f"{name} in {folder.name} is damaged: its SHA-256 is not the one of export.json; export it again")


def _short(error):
    return (str(error) or type(error).__name__).splitlines()[0][:160]


GREETING = threading.Lock()    # taken for good by the first network of a process


@contextlib.contextmanager
def _without_greeting():
    """LiteRT says once in a process, below Python, that it is there; what else is said on standard error passes on.

    It has no setting for that (ai-edge-litert 2.3).
    """
    if not GREETING.acquire(blocking=False):
        yield
        return
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        try:
            os.dup2(said.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not line.startswith(b"INFO: Created TensorFlow Lite")))


class Part:
    """An exported network: a function of a uint8 batch (n, height, width, 3) that any number of threads may call.

    It gives the array of a network with one output, else a dict of arrays by output name.
    """

    def __init__(self, path, name, entry, threads):
        # Read whole, not mapped: the file may be replaced or cut while it is served.
        self._content, self._threads, self._outputs = path.read_bytes(), threads, entry["outputs"]
        self._shape = entry["input"]
        self._idle = queue.LifoQueue()  # an interpreter serves one thread at a time
        try:
            with _without_greeting():
                runner = self._open()
                (self._input, details), = runner.get_input_details().items()
                self._type = details["dtype"]
                self._idle.put(runner)
                found = self._run(np.zeros((1, *entry["input"]), np.uint8))
        except (ValueError, RuntimeError) as error:  # what LiteRT raises on a file it cannot run
            raise BadExport(f"{path.name} cannot be run: {_short(error)}") from error
        shapes = {key: list(value.shape[1:]) for key, value in found.items()}
        if shapes != self._outputs:
            raise BadExport(f"{name} answers {shapes}; export.json says {self._outputs}")

    def __call__(self, batch):
        outputs = self._run(batch)
        return outputs["output"] if set(outputs) == {"output"} else outputs

    def warm(self, count):
        """Have `count` interpreters ready, so that as many threads may ask at once without waiting for theirs."""
        batch = np.zeros((1, *self._shape), np.uint8)
        for _ in range(count - self._idle.qsize()):
            runner = self._open()
            runner(**{self._input: np.ascontiguousarray(batch, self._type)})
            self._idle.put(runner)

    def _open(self):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_content=self._content, num_threads=self._threads).get_signature_runner()

    def _run(self, batch):
        try:
            runner = self._idle.get_nowait()
        except queue.Empty:
            runner = self._open()
        outputs = runner(**{self._input: np.ascontiguousarray(batch, self._type)})
        self._idle.put(runner)  # one that has failed is not used again
        return outputs


class Predictor:
    """A job with its exported parts. Its answers are plain JSON in the picture's own pixels."""

    def __init__(self, job, parts, content):
        self.job, self.parts, self.content = job, parts, content
        self.task, self.version = content["task"], content["version"]
        self.folder = None   # of the export, where it came from one
        grey = images.Picture(np.full((480, 640, 3), images.GREY, np.uint8), (640, 480))
        self.example = self.answer(grey)
        self.columns = tuple(self.example)

    def warm(self, count):
        """Be ready for `count` threads at once."""
        for part in self.parts.values():
            part.warm(count)

    def answer(self, picture, **limits):
        """The answer for a picture (bytes, a path, or a Picture), with `model` and `model_version`.

        Refused names what is wrong with the picture; `limits` are those of images.read.
        """
        if not isinstance(picture, images.Picture):
            picture = images.read(picture, self.job.detail, **limits)
        answer = {**self.job.answer(self.parts, picture), "model": self.task, "model_version": self.version}
        json.dumps(answer, allow_nan=False)  # a number that is no number must not pass for an answer
        return answer

    def answers(self, pictures, progress=True, workers=2, skip=(), compute=None, **limits):
        """Yield, in order, a row for each picture: `image`, the members of its answer, and `error` (None if none).

        `pictures` is a folder or a list of paths; those whose names are in `skip` are left out; `limits` are those
        of images.read. A picture that cannot be answered has the error alone. `compute` are settings of that group:
        with its engine dask, the pictures are answered wherever its workers are.
        """
        from tqdm.auto import tqdm

        root = Path(pictures) if isinstance(pictures, str | os.PathLike) else None
        names = [name for name in (found(root) if root else pictures) if name not in skip]
        with self._pool(compute, workers) as (pool, row):
            ahead = collections.deque()
            try:
                for name in tqdm(names, "predict", unit="picture", disable=not progress):
                    ahead.append((name, pool.submit(row, root / name if root else name, str(name), limits)))
                    if len(ahead) > 2 * max(workers, compute.workers if compute else 0):
                        yield ahead.popleft()[1].result()
                while ahead:
                    yield ahead.popleft()[1].result()
            finally:
                for _, future in ahead:
                    future.cancel()

    @contextlib.contextmanager
    def _pool(self, compute, workers):
        """Who answers, and the function that does: threads with this Predictor, or processes that load its export."""
        if compute is None or compute.engine == "threads":
            with concurrent.futures.ThreadPoolExecutor(max(1, workers)) as pool:
                yield pool, self._row
            return
        with parallel.open_engine(compute) as pool:
            yield pool, functools.partial(_row_elsewhere, str(Path(self.folder).resolve()))

    def _row(self, path, name, limits):
        try:
            return {"image": name, **self.answer(path, **limits), "error": None}
        except images.Refused as error:
            return {"image": name, "error": f"{error.code}: {error}"}
        except Exception as error:  # one picture must not end the run of a hundred thousand
            return {"image": name, "error": f"{type(error).__name__}: {_short(error)}"}


@functools.lru_cache(maxsize=2)
def _loaded(folder):
    return load(folder)


def _row_elsewhere(folder, path, name, limits):
    """The row of a picture, in a process that loads the export from its folder, once."""
    return _loaded(folder)._row(path, name, limits)


def found(folder):
    """The pictures below a folder as sorted relative names; a folder without any is a ValueError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; name one that holds pictures")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                   if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    if not names:
        raise ValueError(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
    return names


def rounded(answer, keys, decimals):
    """The answer with its members `keys` (numbers, None, or lists of them) rounded; to whole numbers at 0 decimals."""
    def of(value):
        if isinstance(value, list | tuple):
            return [of(item) for item in value]
        return value if value is None else round(value, decimals or None)

    return {key: of(value) if key in keys else value for key, value in answer.items()}


def to_csv(predictor, folder, out, workers=2, decimals=0, progress=True, compute=None, **limits):
    """Answer every picture of a folder into a CSV (RFC 4180); returns the numbers of rows added and with an error.

    Rows that are there are kept and their pictures skipped, so that a run that was ended goes on. A file with
    other columns or of another model is a ValueError; one that another run is writing is files.Busy.
    """
    header = ["image", *predictor.columns, "error"]
    with _held(out) as handle:
        there = _resume(handle, out, header, predictor.version)
        new = bad = 0
        for row in predictor.answers(folder, progress, workers, there, compute, **limits):
            _append(handle, [_cell(rounded(row, predictor.job.pixels, decimals).get(key)) for key in header])
            new, bad = new + 1, bad + (row["error"] is not None)
    return new, bad


def _held(path):
    """A CSV file opened for reading and appending, held against a second writer."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = open(path, "a+b", buffering=0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise files.Busy(f"{path} is being written by another run; wait for it or choose another file") from error
    return handle


def _resume(handle, path, header, version):
    """The pictures whose rows are there, in a set; a last line that was torn is cut off, a new file gets its header."""
    handle.seek(0)
    content = handle.read()
    whole = _whole(content)
    if whole < len(content):
        handle.truncate(whole)
    if not whole:
        _append(handle, header)
        return set()
    rows = list(csv.reader(io.StringIO(content[:whole].decode("utf-8", "surrogateescape"), newline="")))
    if rows[0] != header:
        raise ValueError(f"{path} has other columns than {', '.join(header)}; choose another file or remove it")
    versions = {row[header.index("model_version")] for row in rows[1:]} - {"", version}
    if versions:
        raise ValueError(f"{path} holds answers of the model {versions.pop()}, not of {version}; "
                         "choose another file or remove it")
    return {row[0] for row in rows[1:]}


def _whole(content):
    """How many bytes of a CSV are whole records: up to the last line end outside quotes."""
    end = quotes = start = 0
    while (at := content.find(b"\r\n", start)) >= 0:
        quotes += content.count(b'"', start, at)
        start = at + 2
        if quotes % 2 == 0:
            end = start
    return end


def _append(handle, cells):
    """Write one record by one call, so that it is there whole or, after a fall, cut off by _whole."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    content = text.getvalue().encode("utf-8", "surrogateescape")
    if handle.write(content) < len(content):
        raise files.NoRoom(28, f"no room to write {handle.name}; the rows so far are kept, make room and run again")


def _cell(value):
    """A value as CSV text: nothing for None, JSON for lists and dicts."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
