"""Where are the boats? One class of things, each with its box, by the centres of things (arXiv 1904.07850)."""

import json

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks import Job
from lib.tasks.boats import augmentation, detection, figures, maps
from lib.tasks.boats.labels import checked, parsed, turned
from lib.tasks.boats.matching import NOTHING, matched

ANCHORS = 12            # boxes of the constant answer


class Boats(Job):
    """Boxes in pixels of the upright picture, each with a score. Column `boxes`: JSON, a list of [xmin, ymin, xmax,
    ymax]; column `crowds`, if there is one, the same for groups that are not told apart: they are not judged."""

    question = "Where are the boats?"
    columns = {"boxes": str}
    headline, best_is, spread_name = "f1", "high", "1 - overlap of each true box with its answer"
    scales = {"f1": ("F1 of the boxes", "at an overlap of 0.5", "high"), "precision": ("precision", "share of answers", "high"),
              "recall": ("recall", "share of true boxes", "high"), "overlap": ("mean overlap of true boxes", "IoU", "high"),
              "boxes_off": ("boxes miscounted", "boxes", "low"), "map50": ("average precision", "at an overlap of 0.5", "high"),
              "map50_95": ("average precision", "over overlaps 0.5 … 0.95", "high")}
    pixels = ("boxes",)
    edit = "boxes"
    thing = "boat"
    checks = {
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

    @property
    def settings(self):
        return self.params.boats

    @property
    def detail(self):
        return self._stored_size

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import boats

        hard = {name: self.settings[name] for name in boats.USUAL}
        scene = boats.draw(int(rng.integers(2**31)), size, self.settings.held, hard)
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return code.tobytes(), {"boxes": json.dumps(scene.boxes), "crowds": json.dumps(scene.crowds)}

    def check(self, row):
        """The row with its boxes cut at the picture's edges. Refusals: no JSON, no box, outside the picture, too small."""
        size = np.array([row["width"], row["height"]] * 2, float)
        return {**row, **{name: json.dumps(checked(row[name], size)) for name in ("boxes", "crowds") if row.get(name)}}

    def turned(self, row, turn):
        return {**row, **{name: json.dumps([turned(box, turn) for box in parsed(row[name])])
                          for name in ("boxes", "crowds") if row.get(name)}}

    def truth(self, row):
        return {"boxes": json.loads(row["boxes"]), "crowds": json.loads(row.get("crowds") or "[]")}

    def boxes(self, values):
        """Those of a row, or those of an answer that are sure enough to be shown."""
        return super().boxes(values) if "scores" not in values else self.reply(values, {})["boxes"]

    def label(self, answer):
        return {"boxes": json.dumps(self.boxes(answer))}

    def doubt(self, answer):
        """How near the least sure box is to even odds: 1 at a score of a half, 0 where all are certain."""
        return max((1 - abs(2 * score - 1) for score in answer["scores"]), default=0.0)

    # --- from picture to network and back

    @property
    def grid(self):
        """Columns and rows of the maps."""
        return self.size[0] // maps.STRIDE, self.size[1] // maps.STRIDE

    def encode(self, row):
        frame, truth = self.frame((row["width"], row["height"])), self.truth(row)
        return maps.encode(*(augmentation.within(frame, truth[name]) for name in ("boxes", "crowds")), self.grid)

    def decode(self, output, size):
        """Boxes with their scores from the maps, surest first."""
        return maps.decode(output, self.frame(size), size, self.settings.least, self.settings.suppress)

    def answer(self, parts, picture):
        """The boxes in a Picture, from the mean of what its maps and those of its mirror image say."""
        pixels = self.prepare(picture)
        output = parts["network"](np.stack([pixels, pixels[:, ::-1]]))
        heat, box = output["heat"], output["box"]
        box = (box[0] + box[1, :, ::-1] * np.float32([-1, 1, 1, 1])) / 2
        return self.decode({"heat": (heat[0] + heat[1, :, ::-1]) / 2, "box": box}, picture.size)

    # --- over HTTP

    @property
    def query(self):
        choices = sorted({0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, self.settings.shown})
        return {"least": {"type": "number", "enum": choices, "default": self.settings.shown,
                          "description": "the score that a box must have to be sent"}}

    def reply(self, answer, query):
        least = float(query.get("least", self.settings.shown))
        pairs = [(box, score) for box, score in zip(answer["boxes"], answer["scores"], strict=True) if score >= least]
        return {**answer, "boxes": [box for box, _ in pairs], "scores": [score for _, score in pairs]}

    def outlines(self, answer):
        return [(detection.array([box])[0][[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2), f"{self.thing} {score:.2f}")
                for box, score in zip(answer["boxes"], answer["scores"], strict=True)]

    # --- training

    @property
    def _stored_size(self):
        return 2 * self.size[0], 2 * self.size[1]

    def _stored_frame(self, row):
        return geometry.letterbox((row["width"], row["height"]), self._stored_size)

    def stored(self, part, picture, row):
        return images.place(picture, self._stored_frame(row))

    def example(self, part, stored, row, rng=None):
        """The whole picture, or a window of it at another scale, perhaps mirrored, in another light."""
        if rng is None:
            return cv2.resize(stored, self.size, interpolation=cv2.INTER_AREA), self.encode(row)
        truth = self.truth(row)
        pixels, boxes, crowds = augmentation.example(stored, truth["boxes"], truth["crowds"], self._stored_frame(row),
                                                     self.size, rng)
        return pixels, maps.encode(boxes, crowds, self.grid)

    def head(self, part, features):
        return maps.head(features)

    def loss(self, part):
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
        shown = self.reply({"scores": [1.0] * len(answer["boxes"]), **answer}, {})
        lines, _ = matched(truth, shown)
        hits, judged = int((lines[0] >= 0).sum()), int((lines[0] != -2).sum())
        count = len(truth["boxes"])
        return {"f1": 2 * hits / (count + judged) if count + judged else 1.0,
                "precision": hits / judged if judged else 1.0, "recall": hits / count if count else 1.0,
                "overlap": float(1 - np.mean(self.spread(truth, shown))), "boxes_off": float(abs(count - judged))}

    def summary(self, truths, answers):
        """Average precision as COCO has it, at an overlap of 0.5 and over 0.5 … 0.95; groups are not judged."""
        pairs = [matched(truth, answer or NOTHING) for truth, answer in zip(truths, answers, strict=True)]
        found = detection.average_precision([lines for lines, _ in pairs], [scores for _, scores in pairs],
                                        sum(len(truth["boxes"]) for truth in truths))
        return {"map50": float(found[0]), "map50_95": float(found.mean())}

    def spread(self, truth, answer):
        """1 - overlap of each true box with its answer, 1 where there is none; of an empty picture whether it is taken so."""
        if not truth["boxes"]:
            return [float(bool(answer["boxes"]))]
        agree = detection.overlaps(detection.array(truth["boxes"]), detection.array(answer["boxes"]))
        return (1 - agree.max(1, initial=0.0)).tolist()

    def surprise(self, truth, answer):
        """How improbable the surest box is that has no label."""
        lines, scores = matched(truth, answer)
        missed = scores[lines[0] == -1]
        return float(-np.log2(max(1 - missed.max(), 1e-6))) if len(missed) else 0.0

    def charts(self, truths, answers):
        """Precision against recall, and how well boxes fit."""
        pairs = [matched(truth, answer or NOTHING) for truth, answer in zip(truths, answers, strict=True)]
        count = sum(len(truth["boxes"]) for truth in truths)
        return {"precision_recall": figures.precision_recall(pairs, count), "overlaps": self._overlaps(truths, answers)}

    def _overlaps(self, truths, answers):
        found, sides = [], []
        for truth, answer in zip(truths, answers, strict=True):
            if truth["boxes"]:
                found += [1 - each for each in self.spread(truth, self.reply(answer or NOTHING, {}))]
                sides += np.sqrt(detection.areas(detection.array(truth["boxes"]))).tolist()
        return figures.overlaps(found, sides)

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, self.reply({"scores": [1.0] * len(answer["boxes"]), **answer}, {}), color)

    def chart(self, axes, table):
        figures.chart(axes, table)
