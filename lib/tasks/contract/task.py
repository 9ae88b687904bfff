"""The contract: the names that every task has."""

from typing import NamedTuple

import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.contract.job import Job
from lib.tasks.contract.network import Network


class RejectedRow(ValueError):
    """A row of labels that cannot be used: `reason` in a few words (rows are counted by it), and a `detail`."""

    def __init__(self, reason, detail=""):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Metric(NamedTuple):
    """Name of a score, and which end of it is the best: "high" or "low"."""

    name: str
    best: str = "high"


class Task(Job):
    """What a task says of itself. As it stands, a task classifies pictures; a subclass says only what differs.

    A sixth task is one file of lib/tasks, named like its class. This is a whole one, lib/tasks/fill.py:

        \"\"\"Which part of the core box is filled?\"\"\"

        import cv2
        import numpy as np

        from lib.tasks.contract import Metric, RejectedRow, Reported, Task


        class Fill(Task, Reported):
            question = "Which part of the core box is filled?"
            columns = {"filled": float}
            primary_metric = Metric("off", best="low")
            scales = {"off": ("filled part off by", "share of the box", "low")}   # of Reported

            def sample(self, rng, size):
                pixels, filled = rng.integers(0, 60, (size[1], size[0], 3), np.uint8), rng.random()
                pixels[:round(filled * size[1])] += 150
                return cv2.imencode(".jpg", pixels)[1].tobytes(), {"filled": filled}

            def check(self, row):
                if not 0 <= row["filled"] <= 1:
                    raise RejectedRow("filled not from 0 to 1", row["filled"])
                return row

            def truth(self, row):
                return {"filled": row["filled"]}

            def encode(self, row):
                return np.float32([row["filled"]])

            def decode(self, output, size):
                return {"filled": float(output[0])}

            def head(self, features):
                import keras

                pooled = keras.layers.GlobalAveragePooling2D()(features[-1])
                return keras.layers.Dense(1, activation="sigmoid", name="network")(pooled)

            def loss(self):
                import keras

                return keras.losses.MeanSquaredError()

            def baseline(self, rows):
                mean = float(np.mean([row["filled"] for row in rows]))
                return lambda size: {"filled": mean}

            def score(self, truth, answer):
                return {"off": abs(truth["filled"] - answer["filled"])}

            def draw(self, ax, answer, color):
                ax.axhline(answer["filled"] * ax.get_ylim()[0], color=color)

    with its settings in params.yaml, below settings.tasks:

        fill:
          data: {columns: {image: image, filled: filled}}
          model: {width: 64, height: 48, backbone: small}
    """

    # --- what the task is

    question = "Which class does the picture show?"
    columns = {"label": str}         # the columns of a row of labels with their types, beside image, width and height
    classes = ()                     # the classes of a classifier
    setting_checks = {}              # conditions on the task's own settings, as in config.CHECKS
    primary_metric = Metric("right")  # the score by which answers are ranked and exports are checked

    # --- labels

    def sample(self, rng, size):
        """A generated picture of (width, height) and its label: JPEG bytes, and a row with the columns."""
        raise NotImplementedError(f"{self.name} draws no pictures")

    def check(self, row):
        """The row as training uses it, corrected where that is certain. Raises RejectedRow."""
        if row["label"] not in self.classes:
            raise RejectedRow(f"unknown class {str(row['label'])[:40]!r}{config.suggestion(row['label'], self.classes)}")
        return row

    def truth(self, row):
        """The label of a row as an answer: plain values; lengths in pixels of the upright picture."""
        return {"label": row["label"]}

    # --- from the picture to the network and back

    minimum_decode_size = None       # (width, height) that decoding at reduced scale must keep; None: full size

    def prepare(self, picture):
        """The first network's input for a Picture: uint8 RGB (height, width, 3); training and the API both call this."""
        return images.place(picture, geometry.letterbox(picture.size, self.input_size))

    def encode(self, row):
        """The first network's target for a row: float32 array, or a dict of arrays by output name."""
        target = np.zeros(len(self.classes), np.float32)
        target[self.classes.index(row["label"])] = 1
        return target

    def decode(self, output, size):
        """The answer (plain JSON) from the first network's output for one picture of (width, height): undoes `encode`."""
        output = np.asarray(output, float)
        best = int(output.argmax())
        return {"label": self.classes[best], "probability": float(output[best]),
                "probabilities": dict(zip(self.classes, map(float, output), strict=True))}

    def answer(self, predict, picture):
        """The answer for a Picture. `predict` maps the name of a network to a function of a uint8 batch (n, h, w, 3)."""
        output = predict[next(iter(self.networks))](self.prepare(picture)[None])
        return self.decode({k: v[0] for k, v in output.items()} if isinstance(output, dict) else output[0],
                           picture.size)

    # --- training

    @property
    def networks(self):
        """The Networks by name, in the order in which they are trained."""
        return {"network": Network(self)}

    def head(self, features):
        """Output tensor, or a dict of them by name, from the backbone's feature maps (a list, finest first)."""
        import keras

        pooled = keras.layers.GlobalAveragePooling2D()(features[-1])
        return keras.layers.Dense(len(self.classes), activation="softmax", name="network")(pooled)

    def loss(self):
        """The Keras loss, or a dict of them by output name."""
        import keras

        return keras.losses.CategoricalCrossentropy()

    def example(self, cached, row, rng=None):
        """A training example from a cached image: (uint8 (h, w, 3), target); without `rng` it is not augmented."""
        if rng is not None and rng.random() < 0.5:
            cached = cached[:, ::-1]
        return cached, self.encode(row)

    # --- scores and drawing

    def baseline(self, rows):
        """The constant answer of these rows, as a function of a picture's (width, height)."""
        labels = [row["label"] for row in rows]
        answer = {"label": max(sorted(set(labels)), key=labels.count)}
        return lambda size: answer

    def score(self, truth, answer):
        """Scores of an answer by name; lengths in pixels of the picture; None where a score does not apply."""
        return {"right": float(truth["label"] == answer["label"])}

    def draw(self, ax, answer, color):
        """Draw an answer on matplotlib axes that show the picture: the truth in white, an answer in red."""
        ax.text(0.02, 0.98 if color == "white" else 0.86, answer["label"], color=color, transform=ax.transAxes,
                va="top", weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})
