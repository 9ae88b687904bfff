"""From a picture to a plain answer, by an export alone: no TensorFlow, no database."""

import collections
import concurrent.futures
import contextlib
import functools
import json
import os
from pathlib import Path

import numpy as np

from lib import tasks
from lib.common import config, parallel
from lib.imaging import images
from lib.serving import export_check, image_list
from lib.serving.export_check import BadExport, first_line
from lib.serving.exported_network import ExportedNetwork


def load(folder, task=None, threads=1, golden=True):
    """The Predictor of an export folder, warmed up; BadExport where anything is not as export.json says.

    Hashes are checked before a network is opened, and the golden pictures (`golden` in export.json: a file, its hash,
    the truth, and the limit of the task's primary score) must be answered well. `task` is the one that is wanted, None
    for any; `threads` are those of one network for one picture. `golden` False is for an export that is not to be
    served: it needs no golden pictures.
    """
    folder = Path(folder)
    content = export_check.check(folder, task, golden)
    try:
        job = tasks.find(content["task"])(config.Params(content["settings"]), content["profile"])
        networks = {name: _network(folder, job, content, name, threads) for name in _names(folder, job, content)}
        predictor = Predictor(job, networks, content)
        predictor.folder = folder
        predictor.example, *_ = *export_check.check_golden_pictures(predictor, folder, content), predictor.example
        return predictor
    except BadExport:
        raise
    except (LookupError, AttributeError, TypeError, ValueError, ArithmeticError) as error:  # settings that do not fit the task
        raise BadExport(f"{folder.name} cannot be used: {first_line(error)}; export it again") from error


def _names(folder, job, content):
    """The names of the networks, once they are those that the task has."""
    if set(content["parts"]) != set(job.networks):
        raise BadExport(f"{folder.name} has the parts {', '.join(content['parts'])[:80]}; {job.name} needs {', '.join(job.networks)}")
    return job.networks


def _network(folder, job, content, name, threads):
    entry, size = content["parts"][name], [*job.networks[name].input_size[::-1], 3]
    if entry["input"] != size:
        raise BadExport(f"{name} takes {str(entry['input'])[:80]}; by its settings it is {size}")
    return ExportedNetwork(folder / entry["file"], name, entry, threads)


class Predictor:
    """A job with its exported parts. Its answers are plain JSON in the picture's own pixels.

    `example` is an answer: to a golden picture where the export has some, else to a grey one; `columns` are its members.
    """

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
            picture = images.read(picture, self.job.minimum_decode_size, **limits)
        answer = {**self.job.answer(self.parts, picture), "model": self.task, "model_version": self.version}
        json.dumps(answer, allow_nan=False)  # a number that is no number must not pass for an answer
        return answer

    def answers(self, pictures, progress=True, workers=2, skip=(), compute=None, **limits):
        """Yield, in order, a row for each picture: `image`, the members of its answer, and `error` (None if none).

        `pictures` is a folder or a list of paths; those whose names (as image_list.escape writes them) are in `skip` are
        left out; `limits` are those of images.read. A picture that cannot be answered has the error alone. `compute` are settings of that group:
        with its engine dask, the pictures are answered wherever its workers are.
        """
        from tqdm.auto import tqdm

        root = Path(pictures) if isinstance(pictures, str | os.PathLike) else None
        if root:
            pictures = image_list.list_images(root, limits.get("formats", images.KINDS)).names
        names = [name for name in pictures if image_list.escape(name) not in skip]
        with self._pool(compute, workers) as (pool, row):
            ahead = collections.deque()
            try:
                for name in tqdm(names, "predict", unit="picture", disable=not progress):
                    ahead.append((name, pool.submit(row, root / name if root else name, image_list.escape(name), limits)))
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
        with parallel.executor(compute) as pool:
            yield pool, functools.partial(_row_elsewhere, str(Path(self.folder).resolve()))

    def _row(self, path, name, limits):
        try:
            return {"image": name, **self.answer(path, **limits), "error": None}
        except images.Refused as error:
            return {"image": name, "error": f"{error.code}: {error}"}
        except Exception as error:  # one picture must not end the run of a hundred thousand
            return {"image": name, "error": f"{type(error).__name__}: {first_line(error)}"}


@functools.lru_cache(maxsize=2)
def _loaded(folder):
    return load(folder)


def _row_elsewhere(folder, path, name, limits):
    """The row of a picture, in a process that loads the export from its folder, once."""
    return _loaded(folder)._row(path, name, limits)


def rounded(answer, keys, decimals):
    """The answer with its members `keys` (numbers, None, or lists of them) rounded; to whole numbers at 0 decimals.

    So are those of the dicts in a list of the answer.
    """
    def of(value):
        if isinstance(value, list | tuple):
            return [of(item) for item in value]
        return value if value is None else round(value, decimals or None)

    def within(value):
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return [rounded(item, keys, decimals) for item in value]
        return value

    return {key: of(value) if key in keys else within(value) for key, value in answer.items()}
