"""Is the nail good, or is it bad?"""

from dataclasses import dataclass

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.metrics import calibration
from lib.tasks.contract import Task
from lib.tasks.nails import alignment, augmentation, figures
from lib.tasks.nails.network import NailsNetwork
from lib.tasks.nails.report import NailsReported
from lib.tasks.nails.serving import NailsServed
from lib.tasks.nails.windows import corners

HEIGHT = 1216             # px of the pictures that the lengths in params.yaml are of; others are scaled


@dataclass(frozen=True)
class Found:
    """The `square` (left, top, side) of the original's crop; the brightness of the picture's middle, uint8, whose
    first pixel is `corner`; and the Part in it, None where there is no nail."""

    square: tuple
    corner: tuple
    light: np.ndarray
    part: object


class Nails(Task, NailsServed, NailsReported):
    """Good or bad, with a calibrated probability, the cheapest decision, and where a nail is unlike good ones."""

    question = "Is the nail good, or is it bad?"
    classes = ("good", "bad")
    setting_checks = {"nails.crop": config.one_of("upright", "original"), "nails.head": config.one_of("outline", "original"),
              "nails.contrast": config.between(1, 255), "nails.memory": config.between(1, 100_000),
              "nails.cost_miss": config.between(1e-6, 1e6), "nails.cost_alarm": config.between(1e-6, 1e6),
              "nails.cost_look": config.between(0.0, 1e6), "nails.defect": config.between(0.1, 10.0),
              "nails.light": config.between(0.05, 5.0), "nails.blur": config.between(0.0, 20.0)}

    @property
    def measures(self):
        """Whether the network measures the nail's outline and remembers good ones."""
        return self.params.nails.head == "outline"

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import nails

        scene = nails.draw(int(rng.integers(2**31)), size, self.params.nails.held, None, self.params.nails.defect,
                           self.params.nails.light, self.params.nails.blur)
        return cv2.imencode(".jpg", scene.pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes(), {"label": scene.label}

    def check(self, row):
        """The row with its label in small letters. Rejected: another than good and bad."""
        return super().check({**row, "label": str(row.get("label") or "").strip().lower()})

    # --- from picture to network and back

    def find(self, picture):
        """What was Found in the middle of a picture."""
        settings, pixels = self.params.nails, picture.pixels
        scale, size = pixels.shape[0] / HEIGHT, pixels.shape[1::-1]
        left, top, side = alignment.around(np.divide(size, 2), round(settings.centre * scale), size)
        light = alignment.grey(pixels[top:top + side, left:left + side])
        centre, contrast = alignment.brightest(light, settings.below)
        square = alignment.around(np.add(centre, (left, top)), round(settings.window * scale), size)
        part = alignment.find(light, centre, round(settings.search * scale), settings.shortest * scale) \
            if contrast >= settings.contrast else None
        return Found(square, (left, top), light, part)

    def window(self, picture, found):
        """The picture the network is to see, and the matrix (2, 3) from the photograph's pixels to it.

        `upright`: the nail alone, laid along x, on an even ground; `original`: the square around its bright pixels,
        which is what is left too where there is no nail.
        """
        if found.part is None or self.params.nails.crop == "original":
            left, top, side = found.square
            return images.Picture(picture.pixels[top:top + side, left:left + side], (side, side)), \
                np.array([[1.0, 0, -left], [0, 1, -top]])
        scale = picture.pixels.shape[0] / HEIGHT
        size = round(self.params.nails.part_width * scale), round(self.params.nails.part_height * scale)
        matrix = alignment.lay(found.part, size)
        grey = alignment.cut_out(found.light, found.part, matrix, size)
        matrix[:, 2] -= matrix[:, :2] @ found.corner
        return images.Picture(cv2.merge([grey] * 3), size), matrix

    def prepare(self, picture):
        return placed(self.window(picture, self.find(picture))[0], self.input_size)

    def encode(self, row):
        target = super().encode(row)
        return {"label": target} if self.measures else target

    def decode(self, output, size):
        """Label, probabilities, `refused` ("unsure") and how unlike good nails it is (`anomaly`, `map`, 1 as usual)."""
        chances, unlike = (output["label"], output.get("anomaly")) if isinstance(output, dict) else (output, None)
        bad, costs = float(chances[1]), (self.params.nails.cost_miss, self.params.nails.cost_alarm)
        label = calibration.cheapest(bad, *costs, np.inf)
        look = calibration.cheapest(bad, *costs, self.params.nails.cost_look) == "look"
        return {"label": label, "probability": bad if label == "bad" else 1 - bad,
                "probabilities": {"good": 1 - bad, "bad": bad}, "refused": "unsure" if look else None,
                "anomaly": None if unlike is None else float(np.max(unlike)),
                "map": None if unlike is None else np.round(np.asarray(unlike, float), 2).tolist()}

    def answer(self, predict, picture):
        """As `decode`, with the `window` that was judged: four corners in pixels. Without a nail `label` is None."""
        found = self.find(picture)
        seen, matrix = self.window(picture, found)
        if found.part is None:
            answer = dict.fromkeys(("label", "probability", "probabilities", "refused", "anomaly", "map"))
            return {**answer, "refused": "no_nail", "window": corners(matrix, seen.size, picture)}
        output = predict["network"](placed(seen, self.input_size)[None])
        output = {key: value[0] for key, value in output.items()} if isinstance(output, dict) else output[0]
        return {**self.decode(output, picture.size), "window": corners(matrix, seen.size, picture)}

    # --- training

    @property
    def networks(self):
        return {"network": NailsNetwork(self)}

    def loss(self):
        import keras

        loss = keras.losses.CategoricalCrossentropy()
        return {"label": loss} if self.measures else loss

    def example(self, cached, row, rng=None):
        return cached if rng is None else augmentation.varied(cached, rng, self.measures), self.encode(row)

    # --- scores and drawing

    def baseline(self, rows):
        """The commoner label, with the share of each as its probability."""
        share = sum(row["label"] == "bad" for row in rows) / len(rows)
        chances = {"good": 1 - share, "bad": share}
        answer = {"label": max(chances, key=chances.get), "probabilities": chances}
        return lambda size: answer

    def score(self, truth, answer):
        """Whether the label is right, whether it is where the answer is sure (None: it is not), and what it costs."""
        settings, right = self.params.nails, float(truth["label"] == answer["label"])
        unsure = bool(answer.get("refused"))
        cost = settings.cost_look if unsure else (1 - right) * (
            settings.cost_miss if truth["label"] == "bad" else settings.cost_alarm)
        return {"right": right, "right_where_sure": None if unsure else right, "cost": float(cost)}

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)


def placed(window, size):
    """The network's input, of (width, height), for a window."""
    return images.place(window, geometry.letterbox(window.size, size))
