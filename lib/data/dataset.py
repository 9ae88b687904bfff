"""The gathered rows as training examples: prepared once in parallel, cached on disk, read as tf.data."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from lib.common import parallel
from lib.imaging import images
from lib.storage import files

SPLITS = ("train", "validation", "test")


@dataclass
class Prepared:
    """What training reads: `rows` (plain dicts) and, by part, the array of stored pixels in the same order."""

    rows: list
    stored: dict

    def of(self, split):
        """Positions of the rows of a split."""
        return np.array([at for at, row in enumerate(self.rows) if row["split"] == split], np.int64)


def as_records(table):
    """A labels table as plain dicts, numbers as Python numbers."""
    return [{key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
            for row in table.to_dict("records")]


def picture_path(job, row):
    """Where the picture of a row lies."""
    return job.folder / "images" / row["image"]


def read_picture(job, row, at_least=None):
    """The picture of a row; ValueError says what to do where it cannot be read any more."""
    try:
        return images.read(picture_path(job, row), at_least=at_least or job.minimum_decode_size,
                           formats=images.KINDS, max_bytes=2**31, max_pixels=10**9)
    except images.Refused as error:
        raise ValueError(f"{row['image']} can no longer be read ({error}); run notebook 01 again") from error


def prepare(job, table, progress=True, folder=None):
    """Decode every picture once, in parallel, into the cache that training reads; pictures already there are kept.

    Memory stays small: each worker holds one photograph, the cache is a file mapped into memory. A killed run
    goes on where it stopped. `folder` is another place for the cache than beside the pictures.
    """
    records = as_records(table)
    if not records:
        raise ValueError(f"{job.name}/{job.profile} has no rows; run notebook 01 and see what it dropped")
    folder = folder or job.folder / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder):
        name = cache_key(job, records)
        _remove_other_caches(folder, name)
        stored = _open_cache(job, records, folder, name)
        done = _open_done_flags(folder / f"{name}.done.npy", len(records))
        missing = np.flatnonzero(~done.astype(bool))
        jobs = [(job, records[at]) for at in missing]
        with parallel.executor(job.params.compute, job.params.data.workers) as workers:
            found = tqdm(workers.map(_prepare_picture, jobs), total=len(jobs), desc="prepare", disable=not (progress and jobs))
            for at, pixels in zip(missing, found, strict=True):
                for part, array in stored.items():
                    array[at] = pixels[part]
                done[at] = 1  # after the pixels: a killed process loses at most the pictures in hand
        done.flush()
        for array in stored.values():
            array.flush()
    return Prepared(records, stored)


def _prepare_picture(work):
    """By part, what training stores of a picture; the work is a job and a row."""
    job, row = work
    picture = read_picture(job, row)
    return {part: job.networks[part].cached_image(picture, row) for part in job.networks}


def cache_key(job, records):
    """Changes when a picture, a label or a setting that shapes the stored pixels does."""
    params = job.params.plain()
    facts = [params["model"], params.get(job.name), [sorted(row.items(), key=str) for row in records]]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]


def _remove_other_caches(folder, key):
    for path in folder.glob("*.npy"):
        if not path.name.startswith(key):
            path.unlink()


def _open_cache(job, records, folder, key):
    """By part, the array on disk for all rows; its shape is that of the first row's stored pixels."""
    picture = read_picture(job, records[0])
    arrays = {}
    for part in job.networks:
        first = job.networks[part].cached_image(picture, records[0])
        path = folder / f"{key}-{part}.npy"
        shape = (len(records), *first.shape)
        if not path.is_file():
            files.require_space(folder, int(np.prod(shape)))
            with files.writing(path) as temporary:
                np.lib.format.open_memmap(temporary, "w+", np.uint8, shape).flush()
            (folder / f"{key}.done.npy").unlink(missing_ok=True)
        arrays[part] = np.lib.format.open_memmap(path, "r+")
    return arrays


def _open_done_flags(path, count):
    if not path.is_file():
        with files.writing(path) as temporary:
            np.lib.format.open_memmap(temporary, "w+", np.uint8, (count,)).flush()
    return np.lib.format.open_memmap(path, "r+")


def training_batches(job, part, prepared, split, epoch=0, step=0):
    """An endless tf.data of batches for training a part, from the `step` of an `epoch` on; and steps an epoch.

    Example number k of the stream depends on the seed and on k alone, so a resumed training sees what an
    undisturbed one would have seen.
    """
    import tensorflow as tf

    positions = prepared.of(split)
    seed, size = job.params.training.seed, job.params.training.batch_size
    each = len(positions) * job.networks[part].examples_per_image
    # A part that is taught to correct a guess needs guesses, also where pictures are not to be varied.
    varied = job.params.training.augment or job.networks[part].examples_per_image > 1
    steps = max(1, each // size)

    def example(number):
        turn, place = divmod(int(number), each)
        order = np.random.default_rng((seed, turn)).permutation(each)
        at = positions[order[place] % len(positions)]
        rng = np.random.default_rng((seed, int(number))) if varied else None
        return job.networks[part].example(prepared.stored[part][at], prepared.rows[at], rng)

    first = (epoch * steps + step) * size
    numbers = tf.data.Dataset.range(first, 2**62)
    return _examples(numbers, example).batch(size, drop_remainder=True).prefetch(2), steps


def validation_batches(job, part, prepared, split):
    """The examples of a split once each, as they are, in batches: for validation."""
    import tensorflow as tf

    positions = np.repeat(prepared.of(split), job.networks[part].examples_per_image)

    def example(number):
        at = positions[int(number)]
        # Guesses to correct are the same ones in every epoch.
        rng = np.random.default_rng((0, int(number))) if job.networks[part].examples_per_image > 1 else None
        return job.networks[part].example(prepared.stored[part][at], prepared.rows[at], rng)

    numbers = tf.data.Dataset.range(len(positions))
    return _examples(numbers, example).batch(job.params.training.batch_size).prefetch(2)


def _examples(numbers, example):
    """A dataset of (pixels, target) from one of numbers; the target is an array or a dict, as the first one is."""
    import tensorflow as tf

    pixels, target = example(0)
    names = sorted(target) if isinstance(target, dict) else None
    shapes = [np.shape(target[name]) for name in names] if names else [np.shape(target)]

    def flat(number):
        pixels, target = example(number)
        values = [target[name] for name in names] if names else [target]
        return np.ascontiguousarray(pixels, np.uint8), *[np.asarray(value, np.float32) for value in values]

    def shaped(number):
        first, *others = tf.numpy_function(flat, [number], [tf.uint8] + [tf.float32] * len(shapes))
        first = tf.cast(tf.ensure_shape(first, pixels.shape), tf.float32)
        others = [tf.ensure_shape(value, shape) for value, shape in zip(others, shapes, strict=True)]
        return first, dict(zip(names, others, strict=True)) if names else others[0]

    return numbers.map(shaped, num_parallel_calls=2, deterministic=True)
