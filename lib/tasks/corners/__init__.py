"""Where is the core box, and how many rows of core does it hold?"""

import itertools

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.contract import Metric, RejectedRow, Task
from lib.tasks.corners import boxes, crops, figures, finder, finding, network, refinement, scoring
from lib.tasks.corners.confidence import judge
from lib.tasks.corners.labels import (
    NUMBERS,
    ROWS,
    boxes_of,
    is_cut,
    number,
    point_dict,
    points,
    row_count,
    row_of,
    stated_cut,
)
from lib.tasks.corners.located import CornersLocated
from lib.tasks.corners.network import Coarse, Sides
from lib.tasks.corners.pretraining import CornersPretrained
from lib.tasks.corners.report import CornersReported
from lib.tasks.corners.review import CornersAuditable, CornersReviewable
from lib.tasks.corners.serving import CornersServed

OUTSIDE = 0.05           # how far outside the picture a labelled corner may lie, as a part of its sides
CUT_OUTSIDE = 1.0        # the same for a box that is labelled as cut by the picture's frame


def _wide(seed, size):
    """The first scene from this seed on in which there is a box; there may be several."""
    from lib.synthetic import coreboxes

    return next(scene for scene in (coreboxes.draw_wide(seed + more, size) for more in itertools.count()) if scene.boxes)


class Corners(Task, CornersServed, CornersReviewable, CornersAuditable, CornersReported, CornersPretrained, CornersLocated):
    """Four corners, in pixels of the upright picture, and in mode 9 the number of rows."""

    question = "Where is the core box, and how many rows of core does it hold?"
    primary_metric = Metric("error", best="low")
    setting_checks = {"corners.predictor_mode": config.one_of(8, 9), "corners.edge": config.one_of("outer", "inner"),
                      "corners.head": config.one_of("dense", "heatmap", "cascade"), "corners.boxes": config.one_of("one", "all")}

    @property
    def counts(self):
        """Whether rows are counted: mode 9."""
        return self.params.corners.predictor_mode == 9

    @property
    def columns(self):
        return {**({"row_nb": int} if self.counts else {}), **dict.fromkeys(NUMBERS, float)}

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import coreboxes

        edge, seed = self.params.corners.edge, int(rng.integers(2**31))
        scene = coreboxes.draw(seed, size=size, kind="box") if rng.random() >= self.params.data.several else _wide(seed, size)
        labels = [row_of(getattr(box, edge), box.row_nb) | {"cut": bool(box.cut)} for box in scene.boxes] \
            if scene.kind != "box" else [row_of(getattr(scene, edge), scene.row_nb)]
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return code.tobytes(), self.merge(labels)

    def check(self, row):
        """The row with its corners in order TL, TR, BR, BL.

        Rejected are a corner that is missing, no number or far outside, and corners that are not convex.
        """
        values = [number(row.get(name)) for name in NUMBERS]
        size = np.array([row["width"], row["height"]], float)
        given = np.array(values).reshape(4, 2)
        away = np.maximum(-given, given - size) / size
        if away.max() > (CUT_OUTSIDE if stated_cut(row) else OUTSIDE if self.params.data.allow_outside else 0.5 / size.min()):
            raise RejectedRow("corner outside the picture")
        corners = geometry.order(given)
        if not geometry.is_convex(corners):
            raise RejectedRow("corners not convex")
        if geometry.area(corners) < 1e-3 * size.prod():
            raise RejectedRow("box too small")
        row = {**row, **point_dict(corners), "reordered": bool(np.abs(corners - given).max() > 1e-9)}
        if self.counts:
            row["row_nb"] = row_count(row.get("row_nb"))
        return row

    def truth(self, row):
        """The boxes of a row as an answer, each with `cut`, and the picture's `size`, inside which overlaps are taken."""
        size = [int(row["width"]), int(row["height"])]
        found = [{**({"row_nb": int(box["row_nb"])} if self.counts else {}), **point_dict(points(box)),
                  "cut": is_cut(box, size)} for box in boxes_of(row)]
        return {**found[0], "boxes_nb": len(found), "boxes": found, "size": size}

    # --- from the picture to the network and back

    @property
    def minimum_decode_size(self):
        """Corners to 1/4000 of the picture need no more than this; the rest of a decode would be waste."""
        return (1280, 960) if "sides" in self.networks else refinement.SMALL

    @property
    def networks(self):
        return {"coarse": Coarse(self), **({"sides": Sides(self)} if self.params.corners.head == "cascade" else {}),
                **({"finder": finder.Finder(self)} if finder.is_used(self) else {})}

    def frame(self, size):
        """The Frame of a picture of (width, height) in the coarse network's input."""
        if self.params.corners.head == "dense":
            return geometry.stretch(size, self.input_size)
        return crops.frame(size, self.input_size)

    def prepare(self, picture):
        return images.place(picture, self.frame(picture.size))

    def encode(self, row):
        corners = self.frame((row["width"], row["height"])).into(points(row)) / self.input_size
        return self.networks["coarse"].target(corners, row)

    def decode(self, output, size):
        """Corners, and the rows in mode 9, from the coarse output for a picture of (width, height); of the finder's, all boxes."""
        if isinstance(output, dict) and "cells" in output:
            return finding.decode(output, size)
        if self.params.corners.head == "dense":
            output = np.asarray(output, float)
            output = {"corners": output[:8].reshape(4, 2), "rows": output[8:]}
            count = float(output["rows"][0]) * network.DENSE_ROWS if self.counts else 1
        else:
            count = 1 + (np.asarray(output["rows"]) > 0.5).sum()
        inside = np.asarray(output["corners"], float)[:, :2] * self.input_size
        answer = point_dict(geometry.order(self.frame(size).back(inside)))
        return {**answer, "row_nb": int(np.clip(round(float(count)), 1, ROWS))} if self.counts else answer

    def answer(self, predict, picture):
        """The boxes of a picture, as boxes.answer_of: corners and `radius` (px a corner) in pixels of the upright original.

        The finder looks at the whole picture for all boxes, or the coarse network (in doubt also at its mirror images) for
        one. The coarse network looks at each box alone; the sides' network corrects its four sides twice, in strips of the
        full picture; corners are where they meet.
        """
        if finder.is_used(self):
            found, kinds = finding.find(predict, picture, self.input_size)
            return boxes.answer_of(boxes.judged(found, kinds, picture.size, self.calibration(), self.counts), self.counts)
        if self.params.corners.head == "dense":
            output = refinement.only(predict["coarse"](self.prepare(picture)[None]))["output"]
            box = {**self.decode(output, picture.size), **dict.fromkeys(boxes.MEMBERS), "cut": False}
            return boxes.answer_of([box], self.counts)
        corners, signs, kinds, rows = refinement.Search(predict, picture, self.input_size).signs()
        judged = judge(signs, kinds, self.calibration())
        box = {**point_dict(corners), **({"row_nb": 1 + int((rows > 0.5).sum())} if self.counts else {}), "rows_run": None,
               **judged, "radius": [part * geometry.diagonal(corners) for part in judged["radius"]],
               "cut": judged["refused"] == "cut"}
        answer = boxes.answer_of([box], self.counts)
        return answer | {"boxes_nb": 0, "boxes": []} if judged["refused"] == "no_box" else answer

    # --- scores and drawing

    def baseline(self, rows):
        """The training rows' mean corners, as parts of their pictures, and the commonest count."""
        mean = np.mean([points(each) / (each["width"], each["height"]) for each in rows], axis=0)
        counts = [int(each["row_nb"]) for each in rows] if self.counts else []
        common = {"row_nb": max(sorted(set(counts)), key=counts.count)} if counts else {}
        return lambda size: {**point_dict(mean * size), **common}

    def score(self, truth, answer):
        return scoring.score(truth, answer)

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)
