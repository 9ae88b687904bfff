"""Slower questions about bins: does more contrast help, and how much is lost on bins unlike those learned from?"""

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.metrics import plots
from lib.models import backbones, saving
from lib.tasks.bins.augmentation import enhance


def run(job, prepared, record):
    """Does more contrast help, and how much is lost on bins unlike those learned from?"""
    yield "contrast", plots.bars(list(_contrasts(job, prepared)), "right, on validation pictures")
    if job.params.data.generate and not job.params.data.token:
        yield "shifted", plots.bars(_shifted(job, record), "right, on 200 generated bins")


def _contrasts(job, prepared):
    """Accuracy with each kind of contrast, as taken and in half the light: networks of their own, from scratch."""
    learned, held = ([prepared.rows[at] for at in prepared.of(split)] for split in ("train", "validation"))
    for way in ("none", "equalise", "clahe"):
        pixels = [enhance(each, way, job.params.bins.clip) for each in _plain(job, learned)]
        network = _taught(job, pixels, learned)
        for name, light in ((way, 1.0), (f"{way}, half the light", 0.5)):
            seen = [enhance(cv2.convertScaleAbs(each, alpha=light), way, job.params.bins.clip)
                    for each in _plain(job, held)]
            yield name, *rate(_right(job, network, seen, held))


def _plain(job, rows):
    for row in rows:
        picture = images.read(job.folder / "images" / row["image"], at_least=job.input_size)
        yield images.place(picture, geometry.stretch(picture.size, job.input_size))


def _taught(job, pixels, rows):
    """A small network, trained as the settings say but without a choice among its epochs."""
    import keras

    settings, rng = job.params.training, np.random.default_rng(job.params.training.seed)
    keras.utils.set_random_seed(settings.seed)
    given = keras.Input((*job.input_size[::-1], 3))
    network = keras.Model(given, job.head(backbones.small(keras.layers.Rescaling(1 / 127.5, -1.0)(given))))
    steps = max(1, len(rows) // settings.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs, alpha=0.01)
    network.compile(keras.optimizers.get({"class_name": settings.optimizer, "config": {"learning_rate": rate}}),
                    job.loss(), jit_compile=False)
    for _ in range(settings.epochs):
        order = rng.permutation(len(rows))
        for step in range(steps):
            chosen = order[step * settings.batch_size:(step + 1) * settings.batch_size]
            examples = [job.example(pixels[at], rows[at], rng) for at in chosen]
            targets = {name: np.stack([target[name] for _, target in examples]) for name in examples[0][1]}
            network.train_on_batch(np.float32([seen for seen, _ in examples]), targets)
    return network


def _shifted(job, record):
    """The run's accuracy on bins like those it learned from and on shifted ones, each after the oracle's."""
    network, lines = saving.load(record.path("model", "network.keras")), []
    for name, shifted in (("like those learned from", False), ("shifted", True)):
        params = config.with_overrides(job.params, {"bins.generator.shifted": shifted}, job.setting_checks)
        pixels, rows = drawn(type(job)(params, job.profile), 200)
        lines += [(f"an oracle, {name}", *[job.oracle_accuracy([job.truth(row) for row in rows])] * 3),
                  (name, *rate(_right(job, network, pixels, rows)))]
    return lines


def drawn(job, number, first=10**6):
    """Prepared pixels and rows of generated bins of seeds that no notebook draws."""
    size = job.params.data.generate_width, job.params.data.generate_height
    made = [job.sample(np.random.default_rng(first + seed), size) for seed in range(number)]
    return [job.prepare(images.read(content)) for content, _ in made], [row for _, row in made]


def _right(job, network, pixels, rows):
    outputs = network.predict(np.float32(pixels), verbose=0, batch_size=32)["count"]
    return [job.decode({"count": output}, job.input_size)["count"] == row["count"]
            for output, row in zip(outputs, rows, strict=True)]


def rate(right):
    """A share with its 95 % interval (Wilson 1927)."""
    n, share = len(right), float(np.mean(right))
    middle, half = (share + 1.92 / n) / (1 + 3.84 / n), 1.96 * np.sqrt(share * (1 - share) / n + 0.96 / n**2) / (1 + 3.84 / n)
    return share, middle - half, middle + half
