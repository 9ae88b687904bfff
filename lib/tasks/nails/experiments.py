"""Slower questions about nails: simplest answers, how many pictures are needed, what is hard, and what breaks it."""

import numpy as np

from lib.imaging import images
from lib.metrics import cross_validation, plots
from lib.models import saving
from lib.tasks.nails import corruptions, figures
from lib.tasks.nails.network import OUTLINE


def run(job, prepared, record):
    """Simplest answers, how many pictures are needed, what is hard, and what breaks it (accuracy, folds, tests)."""
    if not (job.measures and job.params.nails.crop == "upright"):
        return
    stored, rows = prepared.stored["network"], prepared.rows
    bad = np.array([row["label"] == "bad" for row in rows])
    network = saving.load(record.path("model", "network.keras"))
    light = stored.mean((1, 2, 3))[:, None]
    values, names = measured(network, stored, frozen=not job.params.model.trainable)
    classic = cross_validation.cross_validate(cross_validation.logistic, values[:, :OUTLINE], bad)
    full = cross_validation.cross_validate(cross_validation.logistic, values, bad)
    lines = [("always the commoner", *cross_validation.share(np.tile(bad == (bad.mean() > 0.5), (1, 1)))),
             ("mean brightness", *cross_validation.share((cross_validation.cross_validate(cross_validation.logistic, light, bad) > 0.5) == bad)),
             ("outline, logistic regression", *cross_validation.share((classic > 0.5) == bad)),
             (names, *cross_validation.share((full > 0.5) == bad))]
    yield "simplest", plots.bars(lines, "accuracy in repeated stratified 5-fold cross-validation")
    yield "difficulty", figures.difficulty(values, classic.mean(0), bad)
    sizes = np.unique(np.geomspace(8, 0.75 * len(bad), 8).astype(int))
    wrong = cross_validation.learning_curve(cross_validation.logistic, values, bad, sizes)
    known = len(sizes) - 2
    yield "pictures needed", plots.curve(sizes, wrong, cross_validation.extrapolate(sizes[:known], wrong[:known].mean(1)),
                                          known)
    chosen = [row for row in rows if row["split"] == "test"] or [row for row in rows if row["split"] == "validation"]
    found = {kind: (unit, amounts, [_accuracy(job, network, chosen[:40], kind, amount) for amount in amounts])
             for kind, (unit, amounts) in corruptions.KINDS.items()}
    yield "corruptions", plots.corrupted(found, _accuracy(job, network, chosen[:40]))


def _accuracy(job, network, rows, kind=None, amount=None):
    """The share of right labels on the pictures of the rows, corrupted so; a refused one is not right."""
    parts = {"network": lambda batch: {key: value.numpy() for key, value in network(batch).items()}}
    right = []
    for number, row in enumerate(rows):
        picture = images.read(job.folder / "images" / row["image"], formats=images.KINDS)
        if kind:
            picture = images.Picture(corruptions.corrupt(picture.pixels, kind, amount, number), picture.size)
        right.append(job.answer(parts, picture)["label"] == row["label"])
    return float(np.mean(right))


def measured(network, stored, frozen):
    """What the head weighs of windows uint8 (n, h, w, 3): (n, OUTLINE + d) and a name; features where they are frozen."""
    import keras

    names = ["measured", "pooled"] if frozen else ["measured"]
    inside = keras.Model(network.input, [network.get_layer(name).output for name in names])
    found = inside.predict(np.asarray(stored), verbose=0)
    values = np.concatenate(found, 1) if isinstance(found, list) else found
    return values, "outline and frozen features" if frozen else "outline alone"
