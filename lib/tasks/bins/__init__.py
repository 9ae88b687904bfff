"""How many items lie in the bin?"""

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.bins import augmentation, figures, network
from lib.tasks.bins.layout import CELL, LAYOUT, layout, maps
from lib.tasks.bins.report import BinsReported
from lib.tasks.bins.review import BinsReviewable
from lib.tasks.contract import RejectedRow, Task


class Bins(Task, BinsReviewable, BinsReported):
    """A count, and how probable each count is; `expected` is the mean of that distribution."""

    question = "How many items lie in the bin?"
    columns = {"count": int}
    setting_checks = {"bins.least": config.between(0, 1), "bins.most": config.between(2, 50),
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
    def classes(self):
        """The counts there are, from the fewest to the most."""
        return tuple(range(self.params.bins.least, self.params.bins.most + 1))

    # --- labels

    def sample(self, rng, size):
        """A generated bin. `seen`: the items of which an oracle could know (synthetic.bins.Scene.seen); `layout`: where
        each of them shows, rows of letters with "." where none does."""
        from lib.synthetic import bins

        how = self.params.bins.generator
        scene = bins.draw(rng, size, how, int(rng.integers(self.params.bins.least, self.params.bins.most + 1)))
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        seen = np.flatnonzero(scene.shown >= how.least_shown)
        return code.tobytes(), {"count": scene.count, "seen": len(seen), "layout": layout(scene.owner, seen)}

    def check(self, row):
        """The row with its count as a whole number. Rejected: no such number, or one outside least … most."""
        try:
            count = float(row.get("count"))
        except (TypeError, ValueError):
            raise RejectedRow("count not a number") from None
        if not count.is_integer():
            raise RejectedRow("count not a whole number")
        if count not in self.classes:
            raise RejectedRow(f"count outside {self.params.bins.least} to {self.params.bins.most}")
        if row.get("layout") and [len(line) for line in str(row["layout"]).split()] != [LAYOUT[0]] * LAYOUT[1]:
            raise RejectedRow("layout not {1} rows of {0} letters".format(*LAYOUT))
        return {**row, "count": int(count)}

    def truth(self, row):
        seen = str(row.get("seen", ""))  # real bins have none
        return {"count": int(row["count"]), **({"seen": int(seen)} if seen.isdecimal() else {})}

    # --- from picture to network and back

    def prepare(self, picture):
        settings, frame = self.params.bins, geometry.stretch(picture.size, self.input_size)  # no width is lost to margins
        return augmentation.enhance(images.place(picture, frame), settings.contrast, settings.clip)

    def encode(self, row):
        """The count, a map of peaks at the items' centres, and a map of offsets to them; 0 with weight 0 where unknown.

        `places` (rows, columns, 2): the peak and the cell's weight. `parts` (rows, columns, 4): the offset (x, y) from the
        cell to the centre of the item that shows there, whether one does, and the cell's weight.
        """
        return self.target(row, np.array([[self.input_size[0] / row["width"], 0, 0], [0, self.input_size[1] / row["height"], 0]]))

    def target(self, row, matrix):
        """`encode` of a row whose picture was moved into the input by a matrix (2, 3)."""
        at = self.classes.index(row["count"])
        ranks = np.arange(len(self.classes) - 1) < at
        answer = ranks if self.params.bins.head == "ordinal" else np.arange(len(self.classes)) == at
        return {"count": answer.astype(np.float32), **maps(row, matrix, self.grid)}

    @property
    def grid(self):
        """Rows and columns of the map of places."""
        return tuple(-(-side // CELL) for side in self.input_size[::-1])

    def decode(self, output, size):
        """Count, its probability, the expected count and the whole distribution.

        Of the ordinal head (probabilities of "more than i") the count is the number of those above a half
        (arXiv 1901.07884), of the softmax the most probable one.
        """
        output = np.asarray(output["count"], float)
        if self.params.bins.head == "ordinal":
            chances = np.clip(-np.diff(np.concatenate([[1.0], output, [0.0]])), 0, None)
            at = int((output > 0.5).sum())
        else:
            chances, at = output, int(output.argmax())
        return answer_of(self.classes, chances / chances.sum(), at)

    # --- training

    def example(self, cached, row, rng=None):
        if rng is None:
            return cached, self.encode(row)
        pixels, matrix = augmentation.varied(cached, rng)
        into = np.diag([self.input_size[0] / row["width"], self.input_size[1] / row["height"], 1.0])
        return pixels, self.target(row, matrix @ into)

    def head(self, features):
        return network.head(features, self.grid, self.classes, self.params.bins)

    def loss(self):
        from lib.models.losses import CentreFocalLoss, MaskedCrossEntropy, OrdinalCrossEntropy
        from lib.tasks.bins.losses import CentreOffsetLoss

        ranks = len(self.classes) - 1   # Ordinal is their mean: as a sum it weighs like the softmax's cross-entropy
        return {"count": OrdinalCrossEntropy(ranks) if self.params.bins.head == "ordinal" else MaskedCrossEntropy(),
                "places": CentreFocalLoss(), "parts": CentreOffsetLoss()}

    # --- scores

    def baseline(self, rows):
        """The commonest count, with the shares of the counts as its probabilities."""
        counts = np.bincount([self.classes.index(row["count"]) for row in rows], minlength=len(self.classes))
        answer = answer_of(self.classes, counts / counts.sum(), int(counts.argmax()))
        return lambda size: answer

    def score(self, truth, answer):
        off = abs(truth["count"] - answer["count"])
        return {"right": float(off == 0), "off": float(off), "within_1": float(off <= 1)}

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)


def answer_of(classes, chances, at):
    """The answer that counts classes[at] items, where `chances` are the probabilities of the classes."""
    return {"count": classes[at], "probability": float(chances[at]), "expected": float(chances @ np.array(classes)),
            "probabilities": {str(count): float(chance) for count, chance in zip(classes, chances, strict=True)}}
