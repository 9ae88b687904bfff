"""Where are the boats? One class of things, each with its box, by the centres of things (arXiv 1904.07850)."""

import json
from functools import lru_cache

import cv2
import numpy as np

from lib.common import config
from lib.imaging import augmentation, geometry, images
from lib.tasks import Job, Refusal
from lib.tasks.boats import detection

STRIDE = 4              # px of the input to a cell of the maps
SIZE = 8.0              # cells: the unit of what the maps say of boxes
BROAD = 0.16            # of a box's sides: standard deviation of the peak at its centre (arXiv 1909.00700)
TOLD = 0.3              # height of the peak down to which cells are asked for the box
OTHER_COLOURS = 0.5     # of the examples get other hues …
PAINTED = 0.25          # … and of the boats a coat of their own
PART = 0.4              # of a box that must be left in a window for it to be asked for
OUTSIDE = 0.02          # of the picture's sides: how far a box may stand out, to be cut off there
ANCHORS = 12            # boxes of the constant answer


class Boats(Job):
    """Boxes in pixels of the upright picture, each with a score. Column `boxes`: JSON, a list of [xmin, ymin, xmax,
    ymax]; column `crowds`, if there is one, the same for groups that are not told apart: they are not judged."""

    question = "Where are the boats?"
    columns = {"boxes": str}
    headline, best_is, spread_name = "f1", "high", "1 - overlap of each true box with its answer"
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
        return {**row, **{name: json.dumps(_checked(row[name], size)) for name in ("boxes", "crowds") if row.get(name)}}

    def turned(self, row, turn):
        return {**row, **{name: json.dumps([_turned(box, turn) for box in _parsed(row[name])])
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
        return self.size[0] // STRIDE, self.size[1] // STRIDE

    def encode(self, row):
        frame, truth = self.frame((row["width"], row["height"])), self.truth(row)
        return self._target(*(_within(frame, truth[name]) for name in ("boxes", "crowds")))

    def _target(self, things, crowds):
        """What the network is to say of boxes in pixels of its input; cells in crowds are not judged."""
        columns, rows = self.grid
        heat, told = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 5), np.float32)
        heat[..., 1] = 1
        for x0, y0, x1, y1 in crowds / STRIDE:
            heat[int(max(y0, 0)):int(np.ceil(max(y1, 0))), int(max(x0, 0)):int(np.ceil(max(x1, 0))), 1] = 0
        y, x = np.mgrid[0:rows, 0:columns]
        for box in things[np.argsort(-detection.areas(things), kind="stable")] / STRIDE:  # of two equals the small one
            centre, side = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1e-3)
            cell = np.clip(centre.astype(int), 0, (columns - 1, rows - 1))
            spread = np.maximum(BROAD * side, 0.35)
            peak = np.exp(-((x - cell[0]) / spread[0]) ** 2 / 2 - ((y - cell[1]) / spread[1]) ** 2 / 2)
            mine = (peak > TOLD) & (peak >= heat[..., 0])   # a cell speaks of the box whose peak is highest there
            heat[..., 0] = np.maximum(heat[..., 0], peak)
            heat[..., 1] = np.maximum(heat[..., 1], peak > TOLD)
            told[mine, :4] = np.stack([(centre[0] - x[mine] - 0.5) / SIZE, (centre[1] - y[mine] - 0.5) / SIZE,
                                       *(np.full(mine.sum(), np.log(each / SIZE)) for each in side)], 1)
            told[mine, 4] = peak[mine] / peak[mine].sum()
        return {"heat": heat, "box": told}

    def decode(self, output, size):
        """Boxes with their scores from the maps, surest first: the peaks, without those that overlap a surer one."""
        heat = np.ascontiguousarray(output["heat"][..., 0], np.float32)
        peaks = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= self.settings.least)
        rows, columns = np.nonzero(peaks)
        order = np.argsort(-heat[rows, columns], kind="stable")[:detection.MOST]
        rows, columns = rows[order], columns[order]
        told = np.asarray(output["box"], float)[rows, columns]
        centre = np.stack([columns + 0.5, rows + 0.5], 1) + told[:, :2] * SIZE
        half = np.exp(np.clip(told[:, 2:4], -6, 6)) * SIZE / 2
        frame = self.frame(size)
        found = np.concatenate([frame.back((centre - half) * STRIDE), frame.back((centre + half) * STRIDE)], 1)
        found = np.clip(found, 0, [*size, *size])
        scores = heat[rows, columns].astype(float)
        keep = detection.distinct(found, scores, self.settings.suppress)
        keep = keep[detection.areas(found[keep]) > 0]
        return {"boxes": found[keep].tolist(), "scores": np.clip(scores[keep], 0, 1).tolist()}

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
        frame, truth = self._stored_frame(row), self.truth(row)
        matrix = _window(rng, frame, self.size)
        scale = abs(matrix[0, 0])
        if scale < 0.5:  # the warp does not average
            stored = cv2.GaussianBlur(stored, (0, 0), 0.4 / scale)
        pixels = cv2.warpAffine(stored, matrix - [[0, 0, 0.5 * (1 - matrix[0, 0])], [0, 0, 0.5 * (1 - matrix[1, 1])]],
                                self.size, flags=cv2.INTER_LINEAR, borderValue=(images.GREY,) * 3)
        things, crowds = (detection.moved(_within(frame, truth[name]), matrix) for name in ("boxes", "crowds"))
        cut = np.clip(things, 0, [*self.size, *self.size])
        left = detection.areas(cut) / np.maximum(detection.areas(things), 1e-9)
        good = (left >= PART) & ((cut[:, 2:] - cut[:, :2]).min(1, initial=np.inf) >= 2)
        unsure = cut[~good & (left > 0)]
        pixels = _recoloured(rng, pixels, cut[good])
        return augmentation.vary(pixels, rng), self._target(cut[good], np.concatenate([crowds, unsure]))

    def head(self, part, features):
        from keras import initializers, layers

        from lib.models.layers import convolve, neck

        x = convolve(neck(features, 48), 48, name="read")           # cells of 4 px are many: what they cost is most of all
        little = initializers.RandomNormal(stddev=0.01, seed=0)     # to begin with, a boat is as improbable everywhere
        heat = layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer=little, name="heat",
                             bias_initializer=initializers.Constant(-2.2))(x)
        box = layers.Conv2D(4, 1, kernel_initializer=little, name="box")(x)
        return {"heat": heat, "box": box}

    def loss(self, part):
        from lib.models import layers

        return {"heat": layers.Peaks(), "box": layers.Boxes()}

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

    def draw(self, ax, answer, color):
        from matplotlib.patches import Rectangle

        first = color == "white"  # the truth is drawn first, and wider, so that both are seen where they agree
        shown = self.reply({"scores": [1.0] * len(answer["boxes"]), **answer}, {})
        for (x0, y0, x1, y1), score in zip(shown["boxes"], shown["scores"], strict=True):
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=color, lw=2.5 if first else 1.2))
            if "scores" in answer:
                ax.annotate(f"{score:.2f}", (x0, y0), (0, 2), textcoords="offset points", color=color, fontsize=7)
        for x0, y0, x1, y1 in answer.get("crowds", ()):
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=color, lw=1, ls=":"))

    def charts(self, truths, answers):
        """Precision against recall, and how well boxes fit."""
        pairs = [matched(truth, answer or NOTHING) for truth, answer in zip(truths, answers, strict=True)]
        count = sum(len(truth["boxes"]) for truth in truths)
        return {"precision_recall": _precision_recall(pairs, count), "overlaps": self._overlaps(truths, answers)}

    def _overlaps(self, truths, answers):
        """IoU of each true box with its answer, and by how large the box is."""
        figure, (left, right) = _figure(2)
        found, sides = [], []
        for truth, answer in zip(truths, answers, strict=True):
            if truth["boxes"]:
                found += [1 - each for each in self.spread(truth, self.reply(answer or NOTHING, {}))]
                sides += np.sqrt(detection.areas(detection.array(truth["boxes"]))).tolist()
        left.hist(found, np.linspace(0, 1, 21), color="red")
        left.set(xlabel="overlap (IoU) with the answer", ylabel="true boxes")
        right.scatter(sides, found, s=12, alpha=0.5, color="red")
        right.set(xlabel="side of the true box, px (root of its area)", ylabel="overlap (IoU)", ylim=(-0.03, 1.03))
        right.set_xscale("log", base=2)
        right.xaxis.set_major_formatter("{x:.0f}")
        return figure

    def chart(self, axes, table):
        """How large the boxes are, as parts of their pictures, and how many a picture has."""
        every = [detection.array(json.loads(text)) / ([wide, high] * 2)
                 for text, wide, high in zip(table["boxes"], table["width"], table["height"], strict=True)]
        sides = np.concatenate([each[:, 2:] - each[:, :2] for each in every])
        axes[0].scatter(*sides.T, s=10, alpha=0.5)
        axes[0].set(xlabel="width / picture's", ylabel="height / picture's", xscale="log", yscale="log")
        counts = np.bincount([len(each) for each in every])
        axes[1].bar_label(axes[1].bar(range(len(counts)), counts))
        axes[1].set(xlabel="boats in a picture", ylabel="pictures")


NOTHING = {"boxes": [], "scores": []}


# --- labels


def _parsed(text):
    """A list of boxes from JSON text; Refusal."""
    try:
        found = json.loads(text)
        values = np.array(found, float)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refusal("boxes not a list of four numbers each") from error
    if not isinstance(found, list) or len(found) and values.shape != (len(found), 4):
        raise Refusal("boxes not a list of four numbers each")
    if not np.isfinite(values).all():
        raise Refusal("box not a number")
    return values.reshape(-1, 4).tolist()


def _checked(text, size):
    found = detection.array(_parsed(text))
    if (np.maximum(-found, found - size) > OUTSIDE * size + 1).any():
        raise Refusal("box outside the picture")
    found = np.clip(found, 0, size)
    if ((found[:, 2:] - found[:, :2]) < 1).any():
        raise Refusal("box turned round or under a pixel")
    return found.round(3).tolist()


def _turned(box, turn):
    x0, y0, x1, y1 = box
    moved = np.asarray(turn([[x0, y0], [x1, y1]]), float)
    return [*moved.min(0).tolist(), *moved.max(0).tolist()]


# --- geometry


def _within(frame, things):
    """Boxes of the picture in pixels of the frame's input (n, 4)."""
    return frame.into(detection.array(things).reshape(-1, 2, 2)).reshape(-1, 4)


def _window(rng, frame, size):
    """The matrix (2, 3) from a stored picture to an input that shows it nearer or farther, perhaps mirrored."""
    scale = size[0] / frame.size[0] * np.exp(rng.uniform(-0.3, 0.6))
    shown = np.array(frame.inner) * scale
    room = np.array(size) - shown           # negative: the window is smaller than the picture
    place = np.where(room < 0, room * rng.random(2), room * rng.random(2)) - np.array(frame.shift) * scale
    matrix = np.array([[scale, 0, place[0]], [0, scale, place[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], 0, size[0] - matrix[0, 2]]
    return matrix


def _recoloured(rng, pixels, things):
    """The picture in other hues, and some of the things in a colour of their own: both come in more than a data set has."""
    pixels = pixels.copy()
    for thing in things[rng.random(len(things)) < PAINTED]:
        _paint(rng, pixels, thing)
        room = np.array(pixels.shape[1::-1]) - (thing[2:] - thing[:2])   # and as much elsewhere, lest paint tells of a boat
        _paint(rng, pixels, np.tile(rng.random(2) * room - thing[:2], 2) + thing)
    if rng.random() < OTHER_COLOURS:
        code = cv2.cvtColor(np.ascontiguousarray(pixels[..., rng.permutation(3)]), cv2.COLOR_RGB2HSV)
        code[..., 0] = (code[..., 0].astype(int) + rng.integers(-20, 21)) % 180
        code[..., 1] = np.clip(code[..., 1] * rng.uniform(0.3, 1.7), 0, 255)
        pixels = cv2.cvtColor(code, cv2.COLOR_HSV2RGB)
    return pixels


def _paint(rng, pixels, thing):
    """Show an ellipse over a box through coloured glass that is clear at its rim; changes the picture."""
    x0, y0, x1, y1 = thing.round().astype(int)
    across, down = np.linspace(-1, 1, x1 - x0, dtype=np.float32), np.linspace(-1, 1, y1 - y0, dtype=np.float32)[:, None]
    glass = np.clip(2 - 2 * (across**2 + down**2), 0, 1)[..., None] * np.float32(1 - rng.uniform(0.15, 1.0, 3))
    pixels[y0:y1, x0:x1] = pixels[y0:y1, x0:x1] * (1 - glass)


# --- matching


def matched(truth, answer):
    """Of an answer's boxes, surest first, what each is at COCO's limits (10, n), and their scores (n,)."""
    scores = answer.get("scores", [1.0] * len(answer["boxes"]))
    return _matched(_frozen(truth["boxes"]), _frozen(truth.get("crowds", ())), _frozen(answer["boxes"]), tuple(scores))


def _frozen(things):
    return tuple(map(tuple, things))


@lru_cache(4096)  # a bootstrap asks for the same pictures again and again
def _matched(truth, crowds, found, scores):
    order = np.argsort(-np.array(scores, float), kind="mergesort")[:detection.MOST]
    return detection.match(truth, crowds, detection.array(found)[order]), np.array(scores, float)[order]


# --- figures


def _figure(columns):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * columns + 1, 3.6), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, columns))


def _precision_recall(pairs, count):
    figure, (ax,) = _figure(1)
    scores = np.concatenate([scores for _, scores in pairs])
    for at, style in ((0, "-"), (5, "--"), (8, ":")):
        line = detection.curve(np.concatenate([lines[at] for lines, _ in pairs]), scores, count)
        if line is not None:
            ax.plot(detection.RECALLS, line, style, color="red", label=f"IoU {detection.LIMITS[at]:.2f}: {line.mean():.3f}")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.03))
    ax.legend(loc="lower left")
    return figure
