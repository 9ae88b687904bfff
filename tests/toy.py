"""A small working job, for tests of the shared code: is the picture red, green or blue?"""

import io

import keras
import numpy as np

from lib import tasks
from lib.common import config
from lib.tasks.contract import Network, Reported, Task

SETTINGS = {
    "defaults": {**config.read_file()["settings"]["defaults"], "data": {
        **config.read_file()["settings"]["defaults"]["data"], "columns": {"image": "image", "label": "label"}}},
    "profiles": {"smoke": {"tracking": {"enabled": False}, "verify": {"bootstrap": 100}}},
    "tasks": {"toy": {"model": {"width": 16, "height": 12}, "training": {"epochs": 3, "batch_size": 4}}},
}


class OnPixels(Network):
    backbone = ""


class Toy(Task):
    question = "Which colour?"
    classes = ("red", "green", "blue")
    networks = property(lambda self: {"network": OnPixels(self)})

    def head(self, features):
        return super().head([keras.layers.Conv2D(4, 3, 2, activation="relu")(features[0])])

    def sample(self, rng, size):
        from PIL import Image

        label = int(rng.integers(3))
        pixels = rng.integers(0, 60, (size[1], size[0], 3), np.uint8)
        pixels[..., label] += 150
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        return buffer.getvalue(), {"label": self.classes[label]}


class Whole(Toy, Reported):
    """The toy with metrics, figures and experiments of a whole set."""

    def set_metrics(self, truths, answers):
        return {"reds": float(sum(a["label"] == "red" for a in answers)) / len(answers)}

    def plot_results(self, truths, answers):
        return {"answers": self.figure(len(answers))}

    def experiments(self, prepared, record):
        yield "pictures", self.figure(len(prepared.rows))

    def figure(self, count):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2, 2))
        figure.subplots().bar([0], [count])
        return figure


def known(patch):
    """Let the shared code find this job by its name."""
    patch.setattr(tasks, "names", lambda: ["toy"])
    patch.setattr(tasks, "find", lambda task: Toy)


def job(run="", **overrides):
    return Toy(config.resolve("toy", "smoke", overrides, SETTINGS), "smoke", run)


def gathered(toy, count=24):
    """Pictures and a labels table in the job's folder, as notebook 01 leaves them."""
    import pandas as pd

    lines = []
    for number in range(count):
        rng = np.random.default_rng(number)
        data, row = toy.sample(rng, (64, 48))
        name = f"toy-{number:03}.jpg"
        path = toy.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        split = "train" if number < count * 2 // 3 else "validation" if number % 2 else "test"
        lines.append({"image": name, "width": 64, "height": 48, "group": f"g{number % 5}", "split": split, **row})
    return pd.DataFrame(lines)
