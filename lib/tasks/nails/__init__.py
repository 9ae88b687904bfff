"""Is the nail good, or is it bad?"""

from dataclasses import dataclass

import cv2
import numpy as np

from lib.common import config
from lib.imaging import images
from lib.metrics import calibration
from lib.tasks import Job
from lib.tasks.nails import alignment, augmentation, figures, network
from lib.tasks.nails.windows import corners, spread

HEIGHT = 1216             # px of the pictures that the lengths in params.yaml are of; others are scaled


@dataclass(frozen=True)
class Found:
    """The `square` (left, top, side) of the original's crop; the brightness of the picture's middle, uint8, whose
    first pixel is `corner`; and the Part in it, None where there is no nail."""

    square: tuple
    corner: tuple
    light: np.ndarray
    part: object


class Nails(Job):
    """Good or bad, with a calibrated probability, the cheapest decision, and where a nail is unlike good ones."""

    scales = {"right": ("right answers", "share of the pictures", "high"),
              "right_where_sure": ("right where it decides", "share of those decided", "high"),
              "cost": ("cost of the decisions", "a picture", "low"), "area_under_roc": ("area under ROC", "0.5 … 1", "high"),
              "calibration_error": ("calibration error", "probability", "low"),
              "decided": ("decided without a person", "share of the pictures", "high")}

    question = "Is the nail good, or is it bad?"
    classes = ("good", "bad")
    pixels = ("window",)
    checks = {"nails.crop": config.one_of("upright", "original"), "nails.head": config.one_of("outline", "original"),
              "nails.contrast": config.between(1, 255), "nails.memory": config.between(1, 100_000),
              "nails.cost_miss": config.between(1e-6, 1e6), "nails.cost_alarm": config.between(1e-6, 1e6),
              "nails.cost_look": config.between(0.0, 1e6), "nails.defect": config.between(0.1, 10.0),
              "nails.light": config.between(0.05, 5.0), "nails.blur": config.between(0.0, 20.0)}

    @property
    def settings(self):
        return self.params.nails

    @property
    def measures(self):
        """Whether the network measures the nail's outline and remembers good ones."""
        return self.settings.head == "outline"

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import nails

        scene = nails.draw(int(rng.integers(2**31)), size, self.settings.held, None, self.settings.defect,
                           self.settings.light, self.settings.blur)
        return cv2.imencode(".jpg", scene.pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes(), {"label": scene.label}

    def check(self, row):
        """The row with its label in small letters. Refusal: another than good and bad."""
        return super().check({**row, "label": str(row.get("label") or "").strip().lower()})

    # --- from picture to network and back

    def find(self, picture):
        """What was Found in the middle of a picture."""
        settings, pixels = self.settings, picture.pixels
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
        if found.part is None or self.settings.crop == "original":
            left, top, side = found.square
            return images.Picture(picture.pixels[top:top + side, left:left + side], (side, side)), \
                np.array([[1.0, 0, -left], [0, 1, -top]])
        scale = picture.pixels.shape[0] / HEIGHT
        size = round(self.settings.part_width * scale), round(self.settings.part_height * scale)
        matrix = alignment.lay(found.part, size)
        grey = alignment.cut_out(found.light, found.part, matrix, size)
        matrix[:, 2] -= matrix[:, :2] @ found.corner
        return images.Picture(cv2.merge([grey] * 3), size), matrix

    def crop(self, picture):
        return self.window(picture, self.find(picture))[0]

    def encode(self, row):
        target = super().encode(row)
        return {"label": target} if self.measures else target

    def decode(self, output, size):
        """Label, probabilities, `refused` ("unsure") and how unlike good nails it is (`anomaly`, `map`, 1 as usual)."""
        chances, unlike = (output["label"], output.get("anomaly")) if isinstance(output, dict) else (output, None)
        bad, costs = float(chances[1]), (self.settings.cost_miss, self.settings.cost_alarm)
        label = calibration.cheapest(bad, *costs, np.inf)
        look = calibration.cheapest(bad, *costs, self.settings.cost_look) == "look"
        return {"label": label, "probability": bad if label == "bad" else 1 - bad,
                "probabilities": {"good": 1 - bad, "bad": bad}, "refused": "unsure" if look else None,
                "anomaly": None if unlike is None else float(np.max(unlike)),
                "map": None if unlike is None else np.round(np.asarray(unlike, float), 2).tolist()}

    def answer(self, parts, picture):
        """As `decode`, with the `window` that was judged: four corners in pixels. Without a nail `label` is None."""
        found = self.find(picture)
        seen, matrix = self.window(picture, found)
        if found.part is None:
            answer = dict.fromkeys(("label", "probability", "probabilities", "refused", "anomaly", "map"))
            return {**answer, "refused": "no_nail", "window": corners(matrix, seen.size, picture)}
        output = parts["network"](images.place(seen, self.frame(seen.size))[None])
        output = {key: value[0] for key, value in output.items()} if isinstance(output, dict) else output[0]
        return {**self.decode(output, picture.size), "window": corners(matrix, seen.size, picture)}

    def outlines(self, answer):
        """The window with the answer, and around what is more unlike good nails than usual."""
        if answer.get("map") is None:
            return [(answer["window"], answer["refused"] or answer["label"])]
        unlike = cv2.resize(np.array(answer["map"], np.float32), None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR)
        lines, _ = cv2.findContours((unlike > 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        around = [(spread(answer["window"], line[:, 0] / unlike.shape[::-1]), "") for line in lines if len(line) > 2]
        return [(answer["window"], f"{answer['label']} {answer['probability']:.2f}"), *around]

    # --- training

    def backbone(self, part):
        return self.params.model.backbone if self.measures else ""

    def outcome(self, part, pixels, features):
        return network.judge(pixels, features, self.settings) if self.measures else self.head(part, features)

    def head(self, part, features):
        return network.original(features[0])

    def loss(self, part):
        import keras

        loss = keras.losses.CategoricalCrossentropy()
        return {"label": loss} if self.measures else loss

    def example(self, part, stored, row, rng=None):
        return stored if rng is None else augmentation.varied(stored, rng, self.measures), self.encode(row)

    def finish(self, part, network, prepared):
        """Remember the good nails of training, and calibrate the probability on validation."""
        if self.measures:
            from lib.tasks.nails.calibration import settle

            settle(network, prepared.stored[part], prepared.rows, self.params.training.seed,
                   frozen=not self.params.model.trainable)

    # --- scores and drawing

    def baseline(self, rows):
        """The commoner label, with the share of each as its probability."""
        share = sum(row["label"] == "bad" for row in rows) / len(rows)
        chances = {"good": 1 - share, "bad": share}
        answer = {"label": max(chances, key=chances.get), "probabilities": chances}
        return lambda size: answer

    def score(self, truth, answer):
        """Whether the label is right, whether it is where the answer is sure (None: it is not), and what it costs."""
        settings, right = self.settings, float(truth["label"] == answer["label"])
        unsure = bool(answer.get("refused"))
        cost = settings.cost_look if unsure else (1 - right) * (
            settings.cost_miss if truth["label"] == "bad" else settings.cost_alarm)
        return {"right": right, "right_where_sure": None if unsure else right, "cost": float(cost)}

    def summary(self, truths, answers):
        """Area under ROC, expected calibration error, and the share that is decided without a person's look."""
        if not answers:
            return {}
        bad, happened = self.chances(truths, answers)
        sure = [a is not None and not a.get("refused") for a in answers]
        return {"area_under_roc": calibration.ranking(bad, happened),
                "calibration_error": calibration.error(bad, happened), "decided": float(np.mean(sure))}

    def chances(self, truths, answers):
        """The probability of bad (n,) where there is one, 0.5 elsewhere, and what was bad (n,)."""
        bad = [((a or {}).get("probabilities") or {"bad": 0.5})["bad"] for a in answers]
        return np.array(bad, float), np.array([truth["label"] == "bad" for truth in truths])

    def charts(self, truths, answers):
        from lib.metrics import plots

        bad, happened = self.chances(truths, answers)
        said = [(a or {}).get("refused") or (a or {}).get("label") or "unreadable" for a in answers]
        right = [(a or {}).get("label") == t["label"] for t, a in zip(truths, answers, strict=True)]
        return {"roc": plots.roc(bad, happened), "calibration": plots.calibrated(bad, happened),
                "confusion": plots.confusion([truth["label"] for truth in truths], said, self.classes),
                "selective": plots.selective(np.abs(bad - 0.5), right)}

    def studies(self, prepared, record):
        from lib.tasks.nails import experiments

        return experiments.run(self, prepared, record)

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)
