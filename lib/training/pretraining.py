"""Train the weights that a task ships, on generated pictures alone: draw, fit, calibrate, pack. Resumable."""

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lib import tasks
from lib.data import dataset
from lib.storage import files
from lib.tasks.contract import Pretrained

CHUNK = 50


def draw_examples(job, folder, count, seed, workers=2):
    """Prepared examples of `count` scenes from `seed` on, drawn once into `folder`; a killed run goes on."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _allocate(job, folder, count, seed)
    chunks = [start for start in range(0, count, CHUNK) if not (folder / f"rows-{start}.json").is_file()]
    with ProcessPoolExecutor(workers) as pool:
        work = [pool.submit(_draw_chunk, job, folder, start, min(start + CHUNK, count), seed) for start in chunks]
        for each in tqdm(work, desc="draw", unit="chunk"):
            each.result()
    return read_examples(job, folder, count)


def read_examples(job, folder, count):
    """The Prepared of what is drawn in `folder`; the last twentieth is for validation."""
    rows = []
    for start in range(0, count, CHUNK):
        rows += json.loads((Path(folder) / f"rows-{start}.json").read_text())
    for at, row in enumerate(rows):
        row["split"] = "validation" if at >= 0.95 * count else "train"
    return dataset.Prepared(rows, {part: np.load(Path(folder) / f"{part}.npy", mmap_mode="r") for part in job.networks})


def _allocate(job, folder, count, seed):
    for part in job.networks:
        path = folder / f"{part}.npy"
        if not path.is_file():
            shape = job.networks[part].cached_image(*job.pretraining_example(seed)).shape
            files.require_space(folder, count * int(np.prod(shape)))
            np.lib.format.open_memmap(path, "w+", np.uint8, (count, *shape)).flush()


def _draw_chunk(job, folder, start, stop, seed):
    """Draw the scenes of a chunk and write their rows last, as the sign that it is done."""
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r+") for part in job.networks}
    rows = []
    for at in range(start, stop):
        picture, row = job.pretraining_example(seed + at)
        rows.append(row)
        for part, array in arrays.items():
            array[at] = job.networks[part].cached_image(picture, rows[-1])
    for array in arrays.values():
        array.flush()
    files.write(folder / f"rows-{start}.json", json.dumps(rows))


def pack(network, path):
    """Write a network's weights as arrays w0, w1, … in one packed .npz: kernels as float16, all else as float32.

    Half the bytes; answers move by less than a thousandth of a window's pixel (benchmarks/LOG.md).
    """
    with files.writing(path) as temporary:
        np.savez_compressed(temporary, **{f"w{at}": weight.astype(np.float16 if weight.ndim > 1 else np.float32)
                                          for at, weight in enumerate(network.get_weights())})


def pretrain(task, overrides=None):
    """Make the shipped weights of a task anew, with its profile `pretrain`; goes on where an earlier call stopped.

    Drawing and training leave their state in outputs/<task>/pretrain/, so a killed run loses minutes; the weights,
    their calibration and the record of how they were made replace the old ones at the end, each as a whole. The sides'
    network serves every size of the coarse one's input: where weights of another size ship, make those anew too.
    """
    from lib.training.loop import fit_network

    job = tasks.job(task, "pretrain", overrides=overrides)
    if not isinstance(job, Pretrained):
        raise ValueError(f"{task} ships no weights of its own; there is nothing to pretrain")
    folder = job.outputs / _fingerprint(job)
    prepared = draw_examples(job, folder / "drawn", job.params.data.generate, job.pretraining_seed)
    networks, history = {}, []
    for part in job.networks:
        networks[part], lines = fit_network(job, part, _examples_for(job, part, prepared), folder)
        history += lines
    for part, network in networks.items():
        pack(network, job.weights_file(part))
    path, size = job.weights_folder / "calibration.json", "{}x{}".format(*job.input_size)
    known = files.read_json(path) if path.is_file() else {}
    files.write_json(path, {**known, size: {**known.get(size, {}), **job.fit_calibration(networks)}})
    files.write_json(job.weights_folder / "made.json", {"settings": job.params.plain(), "seed": job.pretraining_seed, "history": history,
                                             "versions": _versions()})


def _examples_for(job, part, prepared):
    """The Prepared with those rows alone that can teach a part."""
    rows = [{**row, "split": row["split"] if job.trains_on(part, row) else ""} for row in prepared.rows]
    return dataset.Prepared(rows, prepared.stored)


def _fingerprint(job):
    import hashlib

    settings = job.params.plain()
    return hashlib.sha256(json.dumps([settings["model"], settings["training"], settings["data"]["generate"],
                                      settings[job.name]], sort_keys=True).encode()).hexdigest()[:12]


def _versions():
    import importlib.metadata

    return {name: importlib.metadata.version(name) for name in ("keras", "tensorflow-cpu", "numpy",
                                                                "opencv-python-headless")}
