"""Which pictures should be labelled next? Those whose answers are uncertain and that differ from all labelled ones."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from lib.data import dataset, ingest, transfer
from lib.evaluation.viewer import review
from lib.imaging import images
from lib.metrics.k_centre import farthest_first
from lib.models import building, saving
from lib.serving import image_list, prediction
from lib.storage import files, revisions
from lib.tasks.contract import RejectedRow, Reviewable

PAUSE = 20.0             # s after which what was computed is written to disk
KNOWN = 2000             # labelled pictures, at most, from which new ones are to differ


@dataclass(frozen=True)
class Chosen:
    """The pictures to label next: `items` for the viewer, the most useful first; the numbers of `pictures` in the folder, of
    those that are `labelled` already, and of those that are `unreadable`."""

    items: list
    pictures: int
    labelled: int
    unreadable: int

    def __str__(self):
        return (f"{len(self.items)} of {self.pictures} pictures are to be labelled next, {self.labelled} are labelled already, "
                f"{self.unreadable} cannot be read; open the viewer to label them")


def choose(job, run, folder, number, progress=True):
    """Choose `number` pictures of a folder that have no label, put them into the queue of the run's viewer, return a Chosen.

    Labelling starts from the model's answer. What was computed is kept with the run, so a stopped call goes on.
    ValueError: no folder, or no picture in it.
    """
    folder = os.path.realpath(folder)
    names = image_list.list_images(folder).names
    transfer.labelling_folders(job, folder)
    known = _labelled(job)
    fresh = [name for name in names if not known & {os.path.join(folder, name), files.sha256(os.path.join(folder, name))}]
    features = PictureFeatures(job, run, progress)
    seen = features([os.path.join(folder, name) for name in fresh])
    good = [path for path, facts in seen.items() if facts]
    table = ingest.read_labels(job)
    labelled = features([str(dataset.picture_path(job, row)) for row in dataset.as_records(table)[:KNOWN]], ask=False)
    centres = [facts["features"] for facts in labelled.values() if facts]
    order = k_centre([seen[path]["features"] for path in good], [seen[path]["doubt"] for path in good], centres, number)
    items = _queue(job, [(good[at], seen[good[at]]) for at in order])
    review.store_queue(run, items)
    return Chosen(items, len(names), len(names) - len(fresh), len(fresh) - len(good))


def k_centre(features, doubts, centres, number):
    """Positions of `number` pictures to label, by features (n, d), doubts (n,) and the features (m, d) of labelled ones.

    Greedy k-centre (Sener and Savarese, arXiv 1708.00489), weighted by uncertainty: the next picture is the one whose
    distance to the nearest labelled or chosen picture, times its doubt, is greatest.
    """
    features, centres = np.asarray(features, float), np.asarray(centres, float)
    if not len(features):
        return []
    scale = features.std(0) + 1e-6
    weight = np.asarray(doubts, float) + 1e-3
    features = features / scale
    known = centres / scale if len(centres) else features.mean(0, keepdims=True)
    squared = np.min([((features - centre) ** 2).sum(1) for centre in known], 0)
    return farthest_first(features, number, squared=squared, weights=weight)


def _labelled(job):
    """Paths (in the table and in the revisions) and SHA-256 of the pictures that have a label."""
    table = ingest.read_labels(job)
    sources = {revision.source for revision in revisions.latest(job, decided=True).values()}
    return {*table.get("source", ()), *table.get("sha256", ()), *sources} - {""}


class PictureFeatures:
    """What a run's networks compute of pictures: the answer, its uncertainty, and the features of the first network."""

    def __init__(self, job, run, progress=True):
        import keras

        self.job, self.run, self.progress = job, run, progress
        self.predictor = prediction.load(run.path("export"), job.name)
        network = building.features(saving.load(run.path("model", f"{next(iter(job.networks))}.keras")))
        self.features = lambda batch: keras.ops.convert_to_numpy(network(batch.astype(np.float32), training=False))
        self.path = run.path("chosen.json")
        self.known = files.read_json(self.path) if self.path.is_file() else {}

    def __call__(self, paths, ask=True):
        """By path, `features` and, with `ask`, `answer` and `doubt`; None for a picture that cannot be read."""
        marks = {path: self._mark(path) for path in paths}
        left, began = [path for path in paths if not self._is_known(marks[path], ask)], time.monotonic()
        with ThreadPoolExecutor(self.job.params.data.workers) as pool:
            found = pool.map(lambda path: self._compute(path, ask), left)
            for path, facts in zip(left, tqdm(found, "features", len(left), disable=not (self.progress and left)), strict=True):
                self.known[marks[path]] = facts
                if time.monotonic() - began > PAUSE:
                    files.write_json(self.path, self.known)
                    began = time.monotonic()
        files.write_json(self.path, self.known)
        return {path: self.known[marks[path]] for path in paths}

    def _is_known(self, mark, ask):
        """Whether all that is asked was computed before; of a labelled picture there are features without an answer."""
        return mark in self.known and (not ask or self.known[mark] is None or "answer" in self.known[mark])

    def _mark(self, path):
        try:
            about = os.stat(path)
        except OSError:
            return f"{path}|gone"
        return f"{path}|{about.st_size}|{about.st_mtime_ns}"

    def _compute(self, path, ask):
        try:
            picture = images.read(path, at_least=self.job.minimum_decode_size, formats=images.KINDS, max_pixels=10**9)
        except images.Refused:
            return None  # counted, and told, as unreadable
        facts = {"features": self.features(self.job.prepare(picture)[None])[0].astype(float).round(5).tolist()}
        if ask:
            facts["answer"] = self.predictor.answer(picture)
            facts["doubt"] = float(Reviewable.of(self.job).uncertainty(facts["answer"]))
        return facts


def _queue(job, chosen):
    """The viewer's items for chosen paths and what was computed of each; the pictures are copied into the data folder."""
    places = transfer.storage_locations(job)
    sources = {path: transfer.find_picture(path, places) for path, _ in chosen}
    with files.lock(job.folder):
        entries, _ = transfer.copy_all(job, {source.key: source for source in sources.values()})
    return [{name: entry[name] for name in ("image", "sha256", "width", "height")} |
            {"source": path, "group": ingest.folder_of(path), "answer": facts["answer"], "doubt": facts["doubt"]}
            for path, facts in chosen
            if not isinstance(entry := entries[sources[path].key], RejectedRow)]
