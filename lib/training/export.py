"""A trained network as the folder that prediction loads: a LiteRT file a part, and export.json."""

import importlib.metadata
import tempfile
import time
from pathlib import Path

import numpy as np

from lib.common import native_output
from lib.data import dataset
from lib.serving import prediction
from lib.storage import files


def saved_files(run):
    """A pandas row for each file of a run's networks and of its export, with its size."""
    import pandas as pd

    paths = sorted(path for folder in ("model", "export") for path in run.path(folder).iterdir())
    return pd.DataFrame([{"file": f"{path.parent.name}/{path.name}", "MB": round(path.stat().st_size / 1e6, 2)}
                         for path in paths])


def export(job, networks, folder, version):
    """Write the folder that prediction loads: a LiteRT file a network, and export.json with hashes, sizes and versions.

    Refuses (ValueError) a LiteRT file whose outputs differ from Keras' by more than 1e-4 of their range.
    """
    folder = Path(folder)
    parts = {part: _convert(job, part, network, folder) for part, network in networks.items()}
    files.write_json(folder / "export.json", {
        "format": 1,
        "task": job.name,
        "profile": job.profile,
        "version": version,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "settings": job.params.plain(),
        "parts": parts,
        "corner_order": "TL, TR, BR, BL",
        "preprocessing": "inside the network, from RGB 0 … 255",
        "versions": {name: importlib.metadata.version(name) for name in ("keras", "ai-edge-litert", "numpy", "pillow",
                                                                         "opencv-python-headless")},
    })
    return folder / "export.json"


def add_golden(job, folder, rows, number=2):
    """Add golden pictures to an export: those of the rows whose score is the median one, and how bad they may get.

    They are kept upright and without metadata, so that no place or owner travels with a model; whoever loads the
    export refuses it where it answers one much worse than it does now (twice as badly, and a little).
    """
    predictor = prediction.load(folder, golden=False)
    scored = []
    for at, row in enumerate(rows):
        score = job.score(job.truth(row), predictor.answer(dataset.read_picture(job, row)))[job.primary_metric.name]
        if score is not None:
            scored.append((score, at))
    middle = max(0, (len(scored) - number) // 2)
    golden = [_golden(job, predictor, folder / f"golden-{n}.jpg", rows[at])
              for n, (_, at) in enumerate(sorted(scored)[middle:middle + number], 1)]
    card = files.read_json(folder / "export.json")
    files.write_json(folder / "export.json", {**card, "golden": golden})


def _golden(job, predictor, path, row):
    """Write a golden picture; returns its entry in export.json."""
    from PIL import Image

    with files.writing(path) as temporary:
        Image.fromarray(dataset.read_picture(job, row, at_least=(row["width"], row["height"])).pixels).save(temporary, "JPEG", quality=95)
    score = job.score(job.truth(row), predictor.answer(path))[job.primary_metric.name]
    limit = 2 * score + 1 if job.primary_metric.best == "low" else score / 2 - 1e-9
    return {"file": path.name, "sha256": files.sha256(path), "truth": job.truth(row), "limit": float(limit)}


def _convert(job, part, network, folder):
    """The LiteRT form of a part, in `folder`; returns its entry in export.json."""
    import keras
    import tensorflow as tf

    width, height = job.networks[part].input_size

    def serve(pixels):
        outputs = network(tf.cast(pixels, tf.float32), training=False)
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    path = folder / f"{part}.tflite"
    with native_output.without_remarks(), tempfile.TemporaryDirectory() as saved:
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint("serve", serve, [tf.TensorSpec((None, height, width, 3), tf.uint8, name="pixels")])
        archive.write_out(saved, verbose=False)
        # By way of a SavedModel, since a converter given the function alone leaves the variables out.
        content = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=["serve"]).convert()
    files.write(path, content)
    outputs = _compare(path, serve, (height, width, 3), part)
    return {"file": path.name, "sha256": files.sha256(path), "input": [height, width, 3], "outputs": outputs}


def _compare(path, serve, shape, part):
    """The outputs' names and shapes, once the file has been shown to answer as Keras does."""
    from ai_edge_litert.interpreter import Interpreter

    probe = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    expected = {name: value.numpy() for name, value in serve(probe).items()}
    with native_output.without_remarks():
        found = Interpreter(str(path)).get_signature_runner()(pixels=probe)
    for name, value in expected.items():
        apart = np.abs(found[name] - value).max()
        if not apart <= 1e-4 * max(1.0, np.abs(value).max()):
            raise ValueError(f"the LiteRT form of {part} differs from Keras by {apart:.2g} in {name}; not exported")
    return {name: list(value.shape[1:]) for name, value in expected.items()}
