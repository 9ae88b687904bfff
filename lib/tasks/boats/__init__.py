"""Where are the boats? One class of things, each with its box, by the centres of things (arXiv 1904.07850)."""

import json

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.boats import augmentation, detection, figures, maps
from lib.tasks.boats.labels import checked
from lib.tasks.boats.matching import matched
from lib.tasks.boats.report import BoatsReported
from lib.tasks.boats.review import BoatsLocated, BoatsReviewable
from lib.tasks.boats.serving import BoatsServed
from lib.tasks.contract import Metric, Network, Task

ANCHORS = 12            # boxes of the constant answer


class BoatsNetwork(Network):
    """Examples are windows of a cached image twice as large as the input."""

    def cached_image(self, picture, row):
        return images.place(picture, cached_frame(self.task, row))


class Boats(Task, BoatsServed, BoatsReviewable, BoatsLocated, BoatsReported):
    """Boxes in pixels of the upright picture, each with a score. Column `boxes`: JSON, a list of [xmin, ymin, xmax,
    ymax]; column `crowds`, if there is one, the same for groups that are not told apart: they are not judged."""

    question = "Where are the boats?"
    columns = {"boxes": str}
    primary_metric = Metric("f1")
    setting_checks = {
        "model.width": ((lambda value: 32 <= value <= 2048 and value % 32 == 0), "a multiple of 32 up to 2048"),
        "model.height": ((lambda value: 32 <= value <= 2048 and value % 32 == 0), "a multiple of 32 up to 2048"),
        "boats.boats": config.between(1, 60), "boats.smallest": config.between(0.01, 1.0),
        "boats.largest": config.between(0.02, 1.0), "boats.overlap": config.between(0.0, 0.5),
        "boats.waves": config.between(0.0, 3.0), "boats.light": config.between(0.0, 2.0),
        "boats.clutter": config.between(0.0, 3.0), "boats.least": config.between(0.001, 1.0),
        "boats.shown": config.between(0.01, 1.0), "boats.suppress": config.between(0.1, 1.0),
        "openimages.subset": config.one_of("train", "validation", "test"), "openimages.limit": config.at_least(0),
        "openimages.workers": config.between(1, 64), "openimages.attributes": (
            (lambda value: set(value.values()) <= {"any", "without", "only"}), "any, without or only, for each")}

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import boats

        hard = {name: self.params.boats[name] for name in boats.USUAL}
        scene = boats.draw(int(rng.integers(2**31)), size, self.params.boats.held, hard)
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return code.tobytes(), {"boxes": json.dumps(scene.boxes), "crowds": json.dumps(scene.crowds)}

    def check(self, row):
        """The row with its boxes cut at the picture's edges. Rejected: no JSON, no box, outside the picture, too small."""
        size = np.array([row["width"], row["height"]] * 2, float)
        return {**row, **{name: json.dumps(checked(row[name], size)) for name in ("boxes", "crowds") if row.get(name)}}

    def truth(self, row):
        return {"boxes": json.loads(row["boxes"]), "crowds": json.loads(row.get("crowds") or "[]")}

    # --- from the picture to the network and back

    @property
    def minimum_decode_size(self):
        return cached_size(self)

    @property
    def grid(self):
        """Columns and rows of the maps."""
        return self.input_size[0] // maps.STRIDE, self.input_size[1] // maps.STRIDE

    def encode(self, row):
        frame, truth = geometry.letterbox((row["width"], row["height"]), self.input_size), self.truth(row)
        return maps.encode(*(augmentation.within(frame, truth[name]) for name in ("boxes", "crowds")), self.grid)

    def decode(self, output, size):
        """Boxes with their scores from the maps, surest first."""
        return maps.decode(output, geometry.letterbox(size, self.input_size), size, self.params.boats.least, self.params.boats.suppress)

    def answer(self, predict, picture):
        """The boxes in a Picture, from the mean of what its maps and those of its mirror image say."""
        pixels = self.prepare(picture)
        output = predict["network"](np.stack([pixels, pixels[:, ::-1]]))
        heat, box = output["heat"], output["box"]
        box = (box[0] + box[1, :, ::-1] * np.float32([-1, 1, 1, 1])) / 2
        return self.decode({"heat": (heat[0] + heat[1, :, ::-1]) / 2, "box": box}, picture.size)

    # --- training

    @property
    def networks(self):
        return {"network": BoatsNetwork(self)}

    def example(self, cached, row, rng=None):
        """The whole picture, or a window of it at another scale, perhaps mirrored, in another light."""
        if rng is None:
            return cv2.resize(cached, self.input_size, interpolation=cv2.INTER_AREA), self.encode(row)
        truth = self.truth(row)
        pixels, boxes, crowds = augmentation.example(cached, truth["boxes"], truth["crowds"], cached_frame(self, row),
                                                     self.input_size, rng)
        return pixels, maps.encode(boxes, crowds, self.grid)

    def head(self, features):
        return maps.head(features)

    def loss(self):
        from lib.models.losses import CentreFocalLoss
        from lib.tasks.boats.losses import BoxLoss

        return {"heat": CentreFocalLoss(), "box": BoxLoss()}

    # --- scores and drawing

    def baseline(self, rows):
        """The boxes that agree with most of these rows' own, as parts of their pictures, scored by how often they do.

        Where a camera stands still this is a strong answer: what lies in the harbour always is found.
        """
        parts = [detection.array(json.loads(row["boxes"])) / ([row["width"], row["height"]] * 2) for row in rows]
        every = np.concatenate([np.zeros((0, 4)), *parts])[:3000]
        agree, open_, chosen = detection.overlaps(every, every) >= 0.5, np.ones(len(every), bool), []
        while open_.any() and len(chosen) < ANCHORS:
            best = int((agree & open_).sum(1).argmax())
            chosen.append((every[agree[best] & open_].mean(0), (agree[best] & open_).sum() / len(rows)))
            open_ &= ~agree[best]
        shapes, shares = np.array([box for box, _ in chosen]).reshape(-1, 4), [min(1.0, float(s)) for _, s in chosen]
        return lambda size: {"boxes": (shapes * [*size, *size]).tolist(), "scores": shares}

    def score(self, truth, answer):
        """Of the boxes that are shown: precision, recall and F1 at an overlap of 0.5, and the mean overlap of true ones."""
        shown = self.format_response({"scores": [1.0] * len(answer["boxes"]), **answer}, {})
        lines, _ = matched(truth, shown)
        hits, judged = int((lines[0] >= 0).sum()), int((lines[0] != -2).sum())
        count = len(truth["boxes"])
        return {"f1": 2 * hits / (count + judged) if count + judged else 1.0,
                "precision": hits / judged if judged else 1.0, "recall": hits / count if count else 1.0,
                "overlap": float(1 - np.mean(self.errors(truth, shown))), "boxes_off": float(abs(count - judged))}

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, self.format_response({"scores": [1.0] * len(answer["boxes"]), **answer}, {}), color)


def cached_size(task):
    """(width, height) of cached images: twice the input's."""
    return 2 * task.input_size[0], 2 * task.input_size[1]


def cached_frame(task, row):
    """The Frame of a row's picture in a cached image."""
    return geometry.letterbox((row["width"], row["height"]), cached_size(task))
