"""How many items lie in the bin?"""

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.metrics import calibration
from lib.tasks import Job, Refusal
from lib.tasks.bins import augmentation, figures, network
from lib.tasks.bins.layout import CELL, LAYOUT, layout, maps


class Bins(Job):
    """A count, and how probable each count is; `expected` is the mean of that distribution."""

    question = "How many items lie in the bin?"
    columns = {"count": int}
    headline, best_is, spread_name = "right", "high", "items miscounted"
    scales = {"right": ("counts right", "share of the pictures", "high"), "off": ("items miscounted", "items", "low"),
              "within_1": ("at most one miscounted", "share of the pictures", "high"),
              "rmse": ("RMSE of the count", "items", "low"), "rmse_expected": ("RMSE of the expected count", "items", "low"),
              "right_on_surer_half": ("counts right, surer half", "share of the pictures", "high"),
              "calibration_error": ("calibration error", "probability", "low"),
              "perfect_eye": ("accuracy of an oracle", "share of the pictures", "high")}
    checks = {"bins.least": config.between(0, 1), "bins.most": config.between(2, 50),
              "bins.head": config.one_of("softmax", "ordinal"),
              "bins.contrast": config.one_of("none", "clahe", "equalise"),
              "bins.clip": config.between(0.1, 40.0),
              "bins.generator.overlap": config.between(0.0, 0.9),
              "bins.generator.hidden": config.between(0.0, 1.0),
              "bins.generator.least_shown": config.between(0.0, 1.0),
              "bins.generator.size": config.increasing(0.08, 0.6),
              "bins.generator.bands": config.between(0, 6),
              "bins.generator.light": config.increasing(0.05, 3.0),
              "bins.generator.blur": config.increasing(0.0, 5.0)}

    @property
    def settings(self):
        return self.params.bins

    @property
    def classes(self):
        """The counts there are, from the fewest to the most."""
        return tuple(range(self.settings.least, self.settings.most + 1))

    @property
    def choices(self):
        return {"count": list(self.classes)}

    # --- labels

    def sample(self, rng, size):
        """A generated bin. `seen`: the items of which a perfect eye could know (synthetic.bins.Scene.seen); `layout`: where
        each of them shows, rows of letters with "." where none does."""
        from lib.synthetic import bins

        how = self.settings.generator
        scene = bins.draw(rng, size, how, int(rng.integers(self.settings.least, self.settings.most + 1)))
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        seen = np.flatnonzero(scene.shown >= how.least_shown)
        return code.tobytes(), {"count": scene.count, "seen": len(seen), "layout": layout(scene.owner, seen)}

    def check(self, row):
        """The row with its count as a whole number. Refusals: no such number, or one outside least … most."""
        try:
            count = float(row.get("count"))
        except (TypeError, ValueError):
            raise Refusal("count not a number") from None
        if not count.is_integer():
            raise Refusal("count not a whole number")
        if count not in self.classes:
            raise Refusal(f"count outside {self.settings.least} to {self.settings.most}")
        if row.get("layout") and [len(line) for line in str(row["layout"]).split()] != [LAYOUT[0]] * LAYOUT[1]:
            raise Refusal("layout not {1} rows of {0} letters".format(*LAYOUT))
        return {**row, "count": int(count)}

    def truth(self, row):
        seen = str(row.get("seen", ""))  # real bins have none
        return {"count": int(row["count"]), **({"seen": int(seen)} if seen.isdecimal() else {})}

    # --- from picture to network and back

    def frame(self, size):
        return geometry.stretch(size, self.size)  # bins are as wide as they are; no width is lost to margins

    def prepare(self, picture):
        return augmentation.enhance(images.place(picture, self.frame(picture.size)), self.settings.contrast, self.settings.clip)

    def encode(self, row):
        """What the count is, the peaks at the items' middles, and whose each cell is; all 0 and of no weight where not known.

        `places` (rows, columns, 2): the peaks and the cell's weight. `parts` (rows, columns, 4): the way to the middle of
        the item that shows there, whether one does, and the cell's weight.
        """
        return self._target(row, np.array([[self.size[0] / row["width"], 0, 0], [0, self.size[1] / row["height"], 0]]))

    def _target(self, row, matrix):
        """`encode` of a row whose picture was moved into the input by a matrix (2, 3)."""
        at = self.classes.index(row["count"])
        ranks = np.arange(len(self.classes) - 1) < at
        answer = ranks if self.settings.head == "ordinal" else np.arange(len(self.classes)) == at
        return {"count": answer.astype(np.float32), **maps(row, matrix, self.grid)}

    @property
    def grid(self):
        """Rows and columns of the map of places."""
        return tuple(-(-side // CELL) for side in self.size[::-1])

    def decode(self, output, size):
        """Count, its probability, the expected count and the whole distribution.

        Of the ordinal head (probabilities of "more than i") the count is the number of those above a half
        (arXiv 1901.07884), of the softmax the most probable one.
        """
        output = np.asarray(output["count"], float)
        if self.settings.head == "ordinal":
            chances = np.clip(-np.diff(np.concatenate([[1.0], output, [0.0]])), 0, None)
            at = int((output > 0.5).sum())
        else:
            chances, at = output, int(output.argmax())
        return self._answer(chances / chances.sum(), at)

    def _answer(self, chances, at):
        return {"count": self.classes[at], "probability": float(chances[at]),
                "expected": float(chances @ np.array(self.classes)),
                "probabilities": {str(count): float(chance) for count, chance in zip(self.classes, chances, strict=True)}}

    def surprise(self, truth, answer):
        chance = (answer.get("probabilities") or {}).get(str(truth["count"]))
        return None if chance is None else float(-np.log2(max(chance, 1e-6)))

    # --- training

    def example(self, part, stored, row, rng=None):
        if rng is None:
            return stored, self.encode(row)
        pixels, matrix = augmentation.varied(stored, rng)
        into = np.diag([self.size[0] / row["width"], self.size[1] / row["height"], 1.0])
        return pixels, self._target(row, matrix @ into)

    def head(self, part, features):
        return network.head(features, self.grid, self.classes, self.settings)

    def loss(self, part):
        from lib.models.losses import CentreFocalLoss, MaskedCrossEntropy, OrdinalCrossEntropy
        from lib.tasks.bins.losses import CentreOffsetLoss

        ranks = len(self.classes) - 1   # Ordinal is their mean: as a sum it weighs like the softmax's cross-entropy
        return {"count": OrdinalCrossEntropy(ranks) if self.settings.head == "ordinal" else MaskedCrossEntropy(),
                "places": CentreFocalLoss(), "parts": CentreOffsetLoss()}

    def studies(self, prepared, record):
        """Does more contrast help, and how much is lost on bins unlike those learned from?"""
        from lib.tasks.bins import experiments

        return experiments.run(self, prepared, record)

    # --- scores

    def baseline(self, rows):
        """The commonest count, with the shares of the counts as its probabilities."""
        counts = np.bincount([self.classes.index(row["count"]) for row in rows], minlength=len(self.classes))
        answer = self._answer(counts / counts.sum(), int(counts.argmax()))
        return lambda size: answer

    def score(self, truth, answer):
        off = abs(truth["count"] - answer["count"])
        return {"right": float(off == 0), "off": float(off), "within_1": float(off <= 1)}

    def spread(self, truth, answer):
        return [self.score(truth, answer)["off"]]

    def summary(self, truths, answers):
        """RMSE of the count and of the expected one, accuracy on the surer half, ECE, and the perfect eye's accuracy."""
        known = [(truth, answer) for truth, answer in zip(truths, answers, strict=True) if answer is not None]
        if not known:
            return {}
        counts, found, expected, sure = np.array([(truth["count"], answer["count"], answer["expected"],
                                                   answer["probability"]) for truth, answer in known], float).T
        return {"rmse": float(np.sqrt(np.mean((found - counts)**2))),
                "rmse_expected": float(np.sqrt(np.mean((expected - counts)**2))),
                "right_on_surer_half": calibration.selective(sure, found == counts, 0.5),
                "calibration_error": calibration.error(sure, found == counts), "perfect_eye": self.perfect_eye(truths)}

    def perfect_eye(self, truths):
        """The accuracy of a perfect eye on generated bins (synthetic.bins.perfect_eye); NaN where it is not known."""
        from lib.synthetic import bins

        known = truths and all("seen" in truth for truth in truths)
        return bins.perfect_eye([(truth["seen"], truth["count"]) for truth in truths]) if known else float("nan")

    def charts(self, truths, answers):
        return figures.charts(truths, answers, self.classes, self.perfect_eye(truths))

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)

    def chart(self, axes, table):
        figures.chart(axes, table, self.classes)
