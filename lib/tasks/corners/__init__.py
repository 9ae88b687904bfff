"""Where is the core box, and how many rows of core does it hold?"""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.storage import files
from lib.tasks import Job, Refusal
from lib.tasks.corners import augmentation, crops, decoding, label_errors

NUMBERS = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")
KINDS = ("box", "none", "cut", "several", "blurred")
REFUSALS = {"none": "no_box", "cut": "cut", "several": "several", "blurred": "blurred"}
ROWS = 10                # the most rows that are counted
OUTSIDE = 0.05           # how far outside the picture a labelled corner may lie, as a part of its sides
SMALL = 640, 480         # px of the picture that the looks and the first strips are cut from
DOUBT = 0.002            # of the diagonal: where a corner is expected to be further off, more looks are taken
SPREAD = 0.058           # of a first look's heatmap, parts of the input: likewise where there are no sides
MUCH_LESS = 0.74         # how much less a guess must expect to be off to be taken instead
SHIPPED = Path(__file__).resolve().with_name("weights")


class Found(NamedTuple):
    """Corners (4, 2) in pixels: a guess, those of the second look and those where the sides meet; what is said of them."""

    guess: np.ndarray
    near: np.ndarray
    second: dict             # the second look's output
    corners: np.ndarray
    blur: np.ndarray         # (4,) px, how far each corner is expected to be off; 0 without sides

    def doubt(self):
        """The largest expected error, as a part of the diagonal."""
        return self.blur.max() / geometry.diagonal(self.corners)


class Corners(Job):
    """Four corners, in pixels of the upright picture, and in mode 9 the number of rows."""

    question = "Where is the core box, and how many rows of core does it hold?"
    headline, best_is, spread_name = "error", "low", "corner error, % of the box's diagonal"
    pixels = (*NUMBERS, "radius")
    shipped = SHIPPED
    checks = {"corners.predictor_mode": config.one_of(8, 9), "corners.edge": config.one_of("outer", "inner"),
              "corners.head": config.one_of("dense", "heatmap", "cascade")}

    @property
    def settings(self):
        return self.params.corners

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
        values = [_number(row.get(name)) for name in NUMBERS]
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
            row["row_nb"] = _rows(row.get("row_nb"))
        return row

    def truth(self, row):
        answer = point_dict(points(row))
        return {**answer, "row_nb": int(row["row_nb"])} if self.counts else answer

    # --- from picture to network and back

    @property
    def detail(self):
        """Corners to 1/4000 of the picture need no more than this; the rest of a decode would be waste."""
        return (1280, 960) if "sides" in self.parts() else SMALL

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
            output = _one(parts["coarse"](self.prepare(picture)[None]))["output"]
            return {**self.decode(output, picture.size), "confidence": None, "radius": None, "refused": None}
        corners, signs, kinds, rows = self.signs(parts, picture)
        answer = {**point_dict(corners), **judge(signs, kinds, self.calibration())}
        answer["radius"] = [part * geometry.diagonal(corners) for part in answer["radius"]]
        if self.counts:
            answer["row_nb"] = 1 + int((rows > 0.5).sum())
        return answer

    def signs(self, parts, picture):
        """Corners (4, 2), signs of doubt (4, s), the kinds' probabilities, and "more than i rows" of a picture.

        Where there is doubt, the mirror images are looked at too, and the corners completed from one another tried.
        """
        pictures = crops.reduced(picture, SMALL), picture
        shown = self.prepare(pictures[0])
        looks = [parts["coarse"](shown[None])]
        first = decoding.agreed(looks[0])
        found = self._follow(parts, pictures, self._placed(first, picture.size))
        if self._doubtful(first, found):
            looks += [parts["coarse"](image[None]) for image in decoding.mirrored(shown)[1:]]
            first = decoding.agreed({name: np.concatenate([look[name] for look in looks]) for name in looks[0]})
            other = self._follow(parts, pictures, self._placed(first, picture.size))
            found = self._surest(parts, pictures, min(other, found, key=Found.doubt))
        size = geometry.diagonal(found.corners)
        signs = np.stack([found.second["corners"][:, 2], found.blur / size,
                          geometry.errors(found.near, found.corners) / size,
                          geometry.errors(found.guess, found.corners) / size, first["corners"][:, 2]], 1)
        turn = -int(np.argmin(found.corners.sum(1)))  # the sides may have turned a doubtful guess past its top-left
        return np.roll(found.corners, turn, 0), np.roll(signs, turn, 0), first["kind"], found.second["rows"]

    def _placed(self, output, size):
        """The corners, in pixels of a picture of (width, height), that the first look's maps support best."""
        return geometry.order(self.frame(size).back(decoding.assemble(output) * self.size))

    def _doubtful(self, first, found):
        """Whether more looks may pay: a side's expected error, or without sides the first look's spread, is large."""
        return found.doubt() > DOUBT if self.settings.head == "cascade" else first["corners"][:, 2].max() > SPREAD

    def _surest(self, parts, pictures, found):
        """What has been found, or what a completed corner leads to where its sides expect to be off by much less."""
        if found.doubt() <= DOUBT:
            return found
        best = min((self._follow(parts, pictures, each) for each in completed(found.corners)), key=Found.doubt)
        return best if best.doubt() < MUCH_LESS * found.doubt() else found

    def _follow(self, parts, pictures, guess):
        """What a guess of the corners leads to, by the second look and the sides."""
        near, second = self._look_again(parts, pictures[0], guess)
        refined = refine(parts["sides"], pictures, near) if "sides" in parts else (near, np.zeros(4))
        return Found(guess, near, second, *refined)

    def _look_again(self, parts, picture, corners):
        """The corners seen in a window that holds little but the box, and the network's output for it."""
        matrix = crops.quad(roomy(corners), self.size, crops.ZOOM)
        output = _one(parts["coarse"](crops.of(picture, matrix, self.size)[None]))
        found = geometry.warp(np.linalg.inv(matrix), decoding.assemble(output) * self.size)
        return (found, output) if geometry.is_convex(found) else (corners, output)

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
            return side_head(features[0])
        return dense_head(features[-1], 9 if self.counts else 8) if self.settings.head == "dense" else coarse_head(features)

    def loss(self, part):
        from lib.models import layers

        if part == "sides":
            return {"line": layers.Ends(), "profile": layers.Profile(crops.STRIP_MARGIN, factor=0.1)}
        if self.settings.head == "dense":
            import keras

            return keras.losses.MeanSquaredError()
        return {"corners": layers.Wing(0.05, 0.005, factor=4.0), "heat": layers.Heat(1.0, factor=0.15),
                "edges": layers.Edges(factor=0.4), "rows": layers.Ordinal(factor=0.5),
                "kind": layers.Classes(factor=0.2)}

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
        known = _calibration()
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

    def charts(self, truths, answers):
        """How far the radius can be believed: each corner's distance from its label beside the radius stated for it."""
        lines = [(100 / geometry.diagonal(points(truth)), np.array(answer["radius"]),
                  geometry.errors(points(truth), points(answer)))
                 for truth, answer in zip(truths, answers, strict=True) if answer and answer.get("radius")]
        if not lines:
            return {}
        from matplotlib.figure import Figure

        radius, apart = (np.maximum(np.concatenate([line[0] * line[at] for line in lines]), 1e-3) for at in (1, 2))
        figure = Figure(figsize=(5.5, 4.5), layout="constrained")
        ax = figure.subplots()
        ends = [min(radius.min(), apart.min()) / 1.5, max(radius.max(), apart.max()) * 1.5]
        ax.loglog(radius, apart, ".", color="red", alpha=0.5)
        ax.loglog(ends, ends, color="#33415c", lw=1)
        numbers = self.calibration()
        stated = f", {numbers['coverage']:.0%} stated" if numbers else ""
        ax.set(xlabel="radius stated, % of the box's diagonal", ylabel="distance from the label, % of the diagonal",
               title=f"{(apart <= radius).mean():.0%} of {len(radius)} corners lie within their radius{stated}")
        ax.title.set_fontsize(10)
        return {"radius": figure}

    def chart(self, axes, table):
        """Where the corners lie, as parts of their pictures, and how many rows the boxes hold."""
        for number, color in zip((1, 2, 3, 4), ("tab:red", "tab:orange", "tab:green", "tab:blue"), strict=True):
            axes[0].scatter(table[f"p{number}x"] / table["width"], table[f"p{number}y"] / table["height"], s=12,
                            alpha=0.6, color=color, label=f"p{number}")
        axes[0].set(xlabel="x / width", ylabel="y / height", xlim=(-0.05, 1.05), ylim=(1.05, -0.05))
        axes[0].legend(ncols=4, fontsize=8)
        axes[1].axis("off")
        if self.counts:
            axes[1].axis("on")
            counts = table["row_nb"].value_counts().sort_index()
            axes[1].bar_label(axes[1].bar(counts.index, counts))
            axes[1].set(xlabel="core number: rows of core in the box", ylabel="pictures", xticks=counts.index)

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
        pictures = crops.reduced(picture, SMALL), picture
        refined, expected = refine(parts["sides"], pictures, label)
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
        if answer.get("p1x") is None:
            return
        corners = points(answer)
        first = color == "white"  # the truth is drawn first, and wider, so that both are seen where they agree
        ax.plot(*np.vstack([corners, corners[:1]]).T, color=color, lw=3 if first else 1.2)
        if "row_nb" in answer:
            ax.annotate(f"{answer['row_nb']} rows", corners[0 if first else 1], (0, 4), textcoords="offset points",
                        color=color, ha="left" if first else "right", weight="bold", fontsize=8)


# --- labels


def points(row):
    """The corners (4, 2) of a row or an answer."""
    return np.array([row[name] for name in NUMBERS], float).reshape(4, 2)


def point_dict(corners):
    return {name: float(value) for name, value in zip(NUMBERS, np.asarray(corners, float).ravel(), strict=True)}


def row_of(corners, row_nb):
    return {"row_nb": int(row_nb), **point_dict(corners)}


def _number(value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise Refusal("corner missing" if value is None or value == "" else "corner not a number") from None
    if math.isnan(value):
        raise Refusal("corner missing")
    if math.isinf(value):
        raise Refusal("corner not a number")
    return value


def _rows(value):
    try:
        count = float(value)
    except (TypeError, ValueError):
        raise Refusal("row count missing") from None
    if count != count:
        raise Refusal("row count missing")
    if count != round(count) or not 1 <= count <= ROWS:
        raise Refusal(f"row count not from 1 to {ROWS}")
    return int(count)


# --- geometry of the looks


def roomy(corners):
    """The corners, or an upright rectangle about them where they make no convex quadrilateral of some size."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    if geometry.is_convex(corners) and sides.min() > 0.04 * sides.max():
        return corners
    low, high = corners.min(0), corners.max(0)
    high = np.maximum(high, low + 0.1 * (high - low).max() + 2)
    return np.array([low, [high[0], low[1]], high, [low[0], high[1]]])


def completed(corners):
    """For each of the corners, all four with that one where the other three have it for a parallelogram."""
    for at in range(4):
        guess = corners.copy()
        guess[at] = corners[at - 1] + corners[(at + 1) % 4] - corners[(at + 2) % 4]
        yield guess


def refine(network, pictures, corners):
    """The corners where the four corrected sides meet, and how far each is expected to be off, in pixels.

    Two passes, the second in narrower strips, each cut from its own of the two `pictures`. A side that would move
    its corner out of its strip is not believed.
    """
    expected = np.zeros(4)
    for picture, half in zip(pictures, crops.HALVES, strict=True):
        half = half * geometry.diagonal(corners)
        ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        matrices = [crops.side(*each, half, crops.STRIP, crops.STRIP_MARGIN) for each in ends]
        batch = np.stack([crops.of(picture, matrix, crops.STRIP) for matrix in matrices])
        lines = network(batch)["line"].astype(float)
        sides = [_moved(start, end, line[:2] * half) for (start, end), line in zip(ends, lines, strict=True)]
        met = np.array([geometry.intersect(sides[at - 1], sides[at]) for at in range(4)])
        good = np.isfinite(met).all(1) & (geometry.errors(corners, np.nan_to_num(met)) < 3 * half)
        met[~good] = corners[~good]
        if not geometry.is_convex(met):
            break
        corners, scale = met, np.exp(np.clip(lines[:, 3], -8, 2)) * half
        expected = np.hypot(scale, np.roll(scale, 1))
    return corners, expected


def _moved(start, end, offsets):
    """A side's two ends moved by `offsets` pixels to its inner (right) side."""
    along = (end - start) / max(np.linalg.norm(end - start), 1e-6)
    inward = np.array([-along[1], along[0]])
    return np.array([start + offsets[0] * inward, end + offsets[1] * inward])


# --- what is known of an answer's quality


@cache
def _calibration():
    """Numbers by the size of the coarse network's input and by head: shipped beside the weights."""
    path = SHIPPED / "calibration.json"
    return files.read_json(path) if path.is_file() else {}


def judge(signs, kinds, numbers):
    """`confidence`, `radius` (4, parts of the diagonal) and `refused` from signs (4, s) and the kinds' probabilities.

    The radius holds the true corner with the stated coverage (split conformal, arXiv 2107.07511); the confidence is
    the chance that there is one whole box and that all four corners are within 1 % of its diagonal.
    """
    refused = REFUSALS.get(KINDS[int(np.argmax(kinds))])
    if numbers is None:
        return {"radius": [0.02] * 4, "confidence": float(kinds[0]), "refused": refused}
    radius = radii(signs, numbers["radius"])
    chance = numbers["confidence"]
    odds = float(np.clip(chance["bias"] + chance["radius"] * math.log(radius.max()), -30, 30))
    whole = kinds[0] >= numbers["whole"]
    if whole:
        refused = None
    elif refused is None:
        refused = REFUSALS[KINDS[1 + int(np.argmax(kinds[1:]))]]
    return {"radius": radius.tolist(), "confidence": float(kinds[0]) / (1 + math.exp(-odds)),
            "refused": refused}


def radii(signs, numbers):
    """Radius (n,) of corners with signs (n, s), by the fitted log-linear rule: parts of the diagonal, at most all of it."""
    fitted = np.log(signs + 1e-4) @ numbers["weights"] + numbers["bias"]
    return np.minimum(np.exp(np.minimum(fitted, 9.0)) * numbers["factor"], 1.0)


def _one(outputs):
    """The outputs for the only picture of a batch, by name."""
    outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
    return {name: np.asarray(value[0], float) for name, value in outputs.items()}


# --- heads


def dense_head(x, count):
    """The head of the project this one began with: Flatten, Dense 256-128-64-32, sigmoid."""
    from keras import layers

    x = layers.Flatten(name="flat")(x)
    for width in (256, 128, 64, 32):
        x = layers.Dense(width, activation="relu", name=f"dense{width}")(x)
    return layers.Dense(count, activation="sigmoid", name="output")(x)


def coarse_head(features):
    """Corners, heatmaps, edge maps, rows and kind of the box from a backbone's features, finest first."""
    from keras import layers

    from lib.models.layers import Points, convolve, neck

    x = neck(features, 40)
    x = convolve(x, 40, name="read")
    heat = layers.Conv2D(4, 1, name="heat")(x)
    edges = layers.Conv2D(4, 1, name="edges")(x)
    deep = features[-1]
    pooled = layers.Concatenate(name="pooled")([
        layers.GlobalAveragePooling2D(name="pool_deep")(deep), layers.GlobalMaxPooling2D(name="pool_most")(deep),
        layers.GlobalAveragePooling2D(name="pool_fine")(x)])
    pooled = layers.Dropout(0.1, name="pool_drop")(pooled)
    kind = layers.Dense(len(KINDS), activation="softmax", name="kind")(
        layers.Dense(64, activation="relu", name="kind_in")(pooled))
    rows = count_head(x, pooled)
    return {"corners": Points(name="corners")(heat), "heat": heat, "edges": edges, "rows": rows, "kind": kind}


def count_head(x, pooled):
    """"More than i rows" for i of 1 … ROWS - 1, from the finest features seen along both axes."""
    from keras import layers

    fine = layers.Conv2D(12, 3, padding="same", activation="relu", name="rows_in")(x)
    height, width = fine.shape[1:3]
    down = layers.Flatten(name="rows_down")(layers.AveragePooling2D((1, width), name="rows_mean_down")(fine))
    across = layers.Flatten(name="rows_across")(layers.AveragePooling2D((height, 1), name="rows_mean_across")(fine))
    both = layers.Concatenate(name="rows_both")([down, across, pooled])
    both = layers.Dense(64, activation="relu", name="rows_dense")(layers.Dropout(0.1, name="rows_drop")(both))
    return layers.Dense(ROWS - 1, activation="sigmoid", name="rows")(both)


def side_head(x):
    """A side's line in its strip (offsets of both ends, spread, log expected error) and the profile it is read from."""
    from keras import layers

    from lib.models.layers import Level, Like, Line, convolve

    x = convolve(Level(name="level")(x), 16, strides=2, name="stem")
    x = convolve(x, 24, strides=(1, 2), name="down0")
    fine = convolve(x, 24, name="keep0")
    middle = convolve(convolve(fine, 40, strides=2, name="down1"), 40, name="keep1")
    deep = convolve(convolve(middle, 56, strides=2, name="down2"), 56, name="keep2")
    mean = layers.Conv2D(56, 1, name="mean_in")(layers.GlobalAveragePooling2D(keepdims=True, name="mean")(deep))
    deep = layers.Add(name="whole")([deep, mean])
    x = layers.Add(name="add1")([middle, Like(name="up1")([layers.Conv2D(40, 1, name="in1")(deep), middle])])
    x = convolve(x, 40, name="out1")
    x = layers.Add(name="add0")([fine, Like(name="up0")([layers.Conv2D(24, 1, name="in0")(x), fine])])
    x = convolve(x, 24, name="out0")
    profile = layers.Reshape(x.shape[1:3], name="profile")(layers.Conv2D(1, 3, padding="same", name="edge")(x))
    columns = layers.Reshape((x.shape[2], x.shape[3]), name="columns")(
        layers.MaxPooling2D((x.shape[1], 1), name="column_most")(x))
    trust = layers.Conv1D(1, 3, padding="same", name="trust")(columns)
    line = Line(crops.STRIP_MARGIN, name="line_fit")([profile, trust])
    about = layers.Concatenate(name="about")([layers.GlobalAveragePooling2D(name="about_deep")(deep), line])
    scale = layers.Dense(1, bias_initializer="zeros", name="scale")(
        layers.Dense(32, activation="relu", name="scale_in")(about))
    return {"line": layers.Concatenate(name="line")([line, scale]), "profile": profile}
