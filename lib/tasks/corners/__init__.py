"""Where is the core box, and how many rows of core does it hold?"""

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks import Job, Refusal
from lib.tasks.corners import augmentation, crops, figures, label_errors, network, refinement
from lib.tasks.corners.confidence import KINDS, SHIPPED, judge, shipped
from lib.tasks.corners.labels import NUMBERS, ROWS, number, point_dict, points, row_count, row_of

OUTSIDE = 0.05           # how far outside the picture a labelled corner may lie, as a part of its sides


class Corners(Job):
    """Four corners, in pixels of the upright picture, and in mode 9 the number of rows."""

    question = "Where is the core box, and how many rows of core does it hold?"
    headline, best_is, spread_name = "error", "low", "corner error, % of the box's diagonal"
    scales = {"error_px": ("mean corner error", "px", "low"), "error": ("mean corner error", "% of the diagonal", "low"),
              "worst_px": ("worst corner", "px", "low"), "jaccard": ("overlap with the true box", "Jaccard index", "high"),
              "rows_right": ("row counts right", "share of the pictures", "high")}
    pixels = (*NUMBERS, "radius")
    shipped = SHIPPED
    checks = {"corners.predictor_mode": config.one_of(8, 9), "corners.edge": config.one_of("outer", "inner"),
              "corners.head": config.one_of("dense", "heatmap", "cascade")}

    @property
    def settings(self):
        return self.params.corners

    @property
    def pretraining(self):
        from lib.tasks.corners import pretraining

        return pretraining

    @property
    def counts(self):
        """Whether rows are counted: mode 9."""
        return self.settings.predictor_mode == 9

    @property
    def columns(self):
        return {**({"row_nb": int} if self.counts else {}), **dict.fromkeys(NUMBERS, float)}

    @property
    def query(self):
        return {"mode": {"type": "integer", "enum": [8, 9] if self.counts else [8],
                         "default": self.settings.predictor_mode,
                         "description": "8: the corners; 9: the rows of core too"}}

    def reply(self, answer, query):
        answer = dict(answer)
        if int(query.get("mode", self.settings.predictor_mode)) == 8:
            answer.pop("row_nb", None)
        return answer

    # --- labels

    def sample(self, rng, size):
        from lib.synthetic import coreboxes

        scene = coreboxes.draw(int(rng.integers(2**31)), size=size, kind="box")
        code = cv2.imencode(".jpg", scene.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return code.tobytes(), row_of(getattr(scene, self.settings.edge), scene.row_nb)

    def check(self, row):
        """The row with its corners in order. Refusals: a corner missing, not a number or far outside, not convex."""
        values = [number(row.get(name)) for name in NUMBERS]
        size = np.array([row["width"], row["height"]], float)
        given = np.array(values).reshape(4, 2)
        away = np.maximum(-given, given - size) / size
        if away.max() > (OUTSIDE if self.params.data.allow_outside else 0.5 / size.min()):
            raise Refusal("corner outside the picture")
        corners = geometry.order(given)
        if not geometry.is_convex(corners):
            raise Refusal("corners not convex")
        if geometry.area(corners) < 1e-3 * size.prod():
            raise Refusal("box too small")
        row = {**row, **point_dict(corners), "reordered": bool(np.abs(corners - given).max() > 1e-9)}
        if self.counts:
            row["row_nb"] = row_count(row.get("row_nb"))
        return row

    def truth(self, row):
        answer = point_dict(points(row))
        return {**answer, "row_nb": int(row["row_nb"])} if self.counts else answer

    # --- from picture to network and back

    @property
    def detail(self):
        """Corners to 1/4000 of the picture need no more than this; the rest of a decode would be waste."""
        return (1280, 960) if "sides" in self.parts() else refinement.SMALL

    def parts(self):
        return ("coarse", "sides") if self.settings.head == "cascade" else ("coarse",)

    def input_size(self, part):
        return crops.STRIP if part == "sides" else self.size

    def backbone(self, part):
        return "" if part == "sides" else self.params.model.backbone

    def frame(self, size):
        return crops.frame(size, self.size) if self.settings.head != "dense" else geometry.stretch(size, self.size)

    def encode(self, row):
        size = row["width"], row["height"]
        return self._target(self.frame(size).into(points(row)) / self.size, row)

    def _target(self, corners, row, kind="box"):
        """What the coarse network is to say of corners given as parts of its input."""
        if self.settings.head == "dense":
            vector = np.clip(corners, 0, 1).reshape(-1)
            return np.append(vector, row["row_nb"] / ROWS if self.counts else []).astype(np.float32)
        corners = np.nan_to_num(np.asarray(corners, float), nan=-9.0)
        within = ((corners > 0.005) & (corners < 0.995)).all(1)
        target = np.concatenate([np.clip(corners, 0, 1), within[:, None]], 1).astype(np.float32)
        target[:, 2] *= kind in ("box", "cut")
        nb = row.get("row_nb")
        known = self.counts and kind == "box" and nb is not None and 1 <= nb <= ROWS
        more = (np.arange(1, ROWS) < nb).astype(np.float32) if known else -np.ones(ROWS - 1, np.float32)
        is_kind = np.array([kind == name for name in KINDS], np.float32)
        return {"corners": target, "heat": target, "edges": target, "rows": more, "kind": is_kind}

    def decode(self, output, size):
        """Corners, and the rows in mode 9, from the coarse output for a picture of (width, height)."""
        if self.settings.head == "dense":
            output = np.asarray(output, float)
            output = {"corners": output[:8].reshape(4, 2), "rows": output[8:]}
            count = float(output["rows"][0]) * ROWS if self.counts else 1
        else:
            count = 1 + (np.asarray(output["rows"]) > 0.5).sum()
        inside = np.asarray(output["corners"], float)[:, :2] * self.size
        answer = point_dict(geometry.order(self.frame(size).back(inside)))
        return {**answer, "row_nb": int(np.clip(round(float(count)), 1, ROWS))} if self.counts else answer

    def answer(self, parts, picture):
        """Corners in pixels of the upright original, `confidence`, `radius` (px a corner) and `refused`.

        The coarse network looks at the whole picture (in doubt also at its mirror images), then at the box alone;
        the sides' network corrects the four sides twice, in strips of the full picture; corners are where they meet.
        """
        if self.settings.head == "dense":
            output = refinement.only(parts["coarse"](self.prepare(picture)[None]))["output"]
            return {**self.decode(output, picture.size), "confidence": None, "radius": None, "refused": None}
        corners, signs, kinds, rows = refinement.Search(parts, picture, self.size).signs()
        answer = {**point_dict(corners), **judge(signs, kinds, self.calibration())}
        answer["radius"] = [part * geometry.diagonal(corners) for part in answer["radius"]]
        if self.counts:
            answer["row_nb"] = 1 + int((rows > 0.5).sum())
        return answer

    # --- training

    def stored(self, part, picture, row):
        if part == "sides":
            return augmentation.strips(picture, points(row))
        if self.settings.head == "dense":
            return self.prepare(picture)
        return images.place(picture, crops.frame(picture.size, self._stored_size))

    @property
    def _stored_size(self):
        return 2 * self.size[0], 2 * self.size[1]

    def teaches(self, part, row):
        """Whether a drawn picture has anything to teach a part: sides are those of one whole box."""
        return part != "sides" or row["kind"] == "box"

    def draws(self, part):
        return 4 if part == "sides" else 1

    def example(self, part, stored, row, rng=None):
        if part == "sides":
            return augmentation.strip_example(stored, rng)
        if self.settings.head == "dense":
            return super().example(part, stored, row, None)
        kind = row.get("kind", "box")
        where = crops.frame((row["width"], row["height"]), self._stored_size)
        corners = where.into(points(row))
        if rng is None:
            pixels = cv2.resize(stored, self.size, interpolation=cv2.INTER_AREA)
            return pixels, self._target(crops.ordered(corners / 2) / self.size, row, kind)
        left, top = where.shift
        shown = stored[top:top + where.inner[1], left:left + where.inner[0]]
        pixels, corners = augmentation.look(shown, corners - where.shift, kind, self.size, rng)
        return pixels, self._target(crops.ordered(corners) / self.size, row, kind)

    def head(self, part, features):
        if part == "sides":
            return network.side_head(features[0])
        return network.dense_head(features[-1], 9 if self.counts else 8) if self.settings.head == "dense" else network.coarse_head(features)

    def loss(self, part):
        from lib.models.losses import MaskedCrossEntropy, OrdinalCrossEntropy, WingLoss
        from lib.tasks.corners import losses

        if part == "sides":
            return {"line": losses.LineEndsLoss(), "profile": losses.ProfileLoss(crops.STRIP_MARGIN, factor=0.1)}
        if self.settings.head == "dense":
            import keras

            return keras.losses.MeanSquaredError()
        return {"corners": WingLoss(0.05, 0.005, factor=4.0), "heat": losses.HeatmapLoss(1.0, factor=0.15),
                "edges": losses.EdgeMapLoss(factor=0.4), "rows": OrdinalCrossEntropy(factor=0.5),
                "kind": MaskedCrossEntropy(factor=0.2)}

    def start(self, part, network):
        """The shipped weights, where `model.weights` says so and they were made for such a network."""
        if self.params.model.weights != "shipped" or self.settings.head == "dense":
            return False
        path, weights = self.packed(part), []
        if path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                weights = [arrays[f"w{at}"].astype(np.float32) for at in range(len(arrays.files))]
        if [each.shape for each in weights] != [tuple(each.shape) for each in network.weights]:
            sizes = ", ".join(sorted(each.stem.partition("-")[2] for each in self.shipped.glob("coarse-*.npz")))
            raise ValueError(f"the shipped weights of {part} are of another network than model.backbone="
                             f"{self.params.model.backbone!r} at {self.size[0]}x{self.size[1]} px; there are some for {sizes}: "
                             "set the backbone and size of one, or model.weights=none to train from scratch")
        network.set_weights(weights)
        for layer in network.layers:
            if type(layer).__name__ == "BatchNormalization":
                layer.trainable = False  # a handful of pictures would ruin its statistics
        return True

    def packed(self, part):
        """The file of a part's shipped weights: those of the coarse network fit one size of its input."""
        width, height = self.size
        return self.shipped / (f"{part}.npz" if part == "sides" else f"{part}-{width}x{height}.npz")

    def calibration(self):
        """The numbers that turn signs of doubt into radius, confidence and refusal; those of another size where it has none."""
        known = shipped()
        return known.get("{}x{}".format(*self.size), next(iter(known.values()), {})).get(self.settings.head)

    # --- scores and drawing

    def baseline(self, rows):
        """The training rows' mean corners, as parts of their pictures, and the commonest count."""
        mean = np.mean([points(each) / (each["width"], each["height"]) for each in rows], axis=0)
        counts = [int(each["row_nb"]) for each in rows] if self.counts else []
        common = {"row_nb": max(sorted(set(counts)), key=counts.count)} if counts else {}
        return lambda size: {**point_dict(mean * size), **common}

    def score(self, truth, answer):
        """Corner errors in pixels and in % of the true box's diagonal, overlap, and whether the rows are right."""
        if answer.get("p1x") is None:
            far = {"error_px": None, "error": None, "worst_px": None, "jaccard": 0.0}
            return {**far, **({"rows_right": 0.0} if "row_nb" in truth else {})}
        wanted, found = points(truth), points(answer)
        apart, size = geometry.errors(wanted, found), geometry.diagonal(wanted)
        score = {"error_px": float(apart.mean()), "error": float(100 * apart.mean() / size),
                 "worst_px": float(apart.max()), "jaccard": geometry.jaccard(wanted, found)}
        if "row_nb" in truth:
            score["rows_right"] = float(truth["row_nb"] == answer.get("row_nb"))
        return score

    def spread(self, truth, answer):
        """The error of each corner; none where there is no guess."""
        if answer.get("p1x") is None:
            return []
        wanted = points(truth)
        return (100 * geometry.errors(wanted, points(answer)) / geometry.diagonal(wanted)).tolist()

    edit = "points"

    @property
    def choices(self):
        return {"row_nb": list(range(1, ROWS + 1))} if self.counts else {}

    def surprise(self, truth, answer):
        """How many times its radius the farthest corner lies from the label."""
        if answer.get("p1x") is None or not answer.get("radius"):
            return None
        apart = geometry.errors(points(truth), points(answer))
        return float((apart / np.maximum(answer["radius"], 1e-3)).max())

    def habit(self, truths, answers):
        known = [(points(truth), points(answer), max(answer["radius"]) / geometry.diagonal(points(answer)))
                 for truth, answer in zip(truths, answers, strict=True) if answer and answer.get("radius")]
        usual, near = label_errors.habit(*zip(*known, strict=True)) if known else label_errors.habit([], [], [])
        return {"usual": usual.tolist(), "near": near}

    def evidence(self, parts, picture, truth, answer, habit):
        if "sides" not in parts:
            return None
        label = label_errors.shifted(points(truth), habit["usual"])
        pictures = crops.reduced(picture, refinement.SMALL), picture
        refined, expected = refinement.refine(parts["sides"], pictures, label)
        return {"label": label.tolist(), "refined": refined.tolist(), "expected": expected.tolist(),
                "edges": label_errors.surprise_at(parts["sides"], pictures, label, habit["near"]).tolist()}

    def suspicions(self, truths, answers, evidence):
        return [label_errors.moved(*map(np.array, (seen["label"], points(answer), answer["radius"], seen["refined"],
                                                seen["expected"], seen["edges"])))
                if seen else answer and self.surprise(truth, answer)
                for truth, answer, seen in zip(truths, answers, evidence, strict=True)]

    def outlines(self, answer):
        if answer.get("p1x") is None:
            return []
        return [(points(answer), f"{answer['row_nb']} rows" if "row_nb" in answer else "")]

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color)

    def charts(self, truths, answers):
        figure = figures.radius(truths, answers, self.calibration())
        return {"radius": figure} if figure else {}

    def chart(self, axes, table):
        figures.chart(axes, table if self.counts else table.drop(columns="row_nb", errors="ignore"))
