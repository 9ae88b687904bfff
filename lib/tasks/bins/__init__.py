"""How many items lie in the bin?"""

import string

import cv2
import numpy as np

from lib.common import config
from lib.imaging import augmentation, geometry, images
from lib.metrics import calibration
from lib.tasks import Job, Refusal

# Accuracy on the real data set, 0 to 5 items; the best one's RMSE is 0.90.
PUBLISHED = {"the original, on real bins": 0.33, "best known, on real bins": 0.562}
OTHER_COLOURS = 0.2   # of the examples get their colour channels in another order
BARRED = 0.4          # of them are barred, since there are other cloths and panels behind the items than those learned from
SURE, HIGH = 20.0, 0.35   # how fast a peak becomes an item with its height at first, and the height at which it is even odds
STEEP = 4.0    # of the score of the ordinal head at first, an item
CELL = 8       # px of the input to a cell of the maps
SPREAD = 1.0   # cells: standard deviation of the peak at an item's middle
FAR = 4.0      # cells: the unit of the way to an item's middle
LAYOUT = (40, 30)   # columns and rows of what a row of labels says of who lies where
NAMES = string.ascii_letters   # of items there


class Bins(Job):
    """A count, and how probable each count is; `expected` is the mean of that distribution."""

    question = "How many items lie in the bin?"
    columns = {"count": int}
    headline, best_is, spread_name = "right", "high", "items miscounted"
    checks = {"bins.least": config.between(0, 1), "bins.most": config.between(2, 50),
              "bins.head": config.one_of("softmax", "ordinal"),
              "bins.contrast": config.one_of("none", "clahe", "equalise"),
              "bins.clip": config.between(0.1, 40.0),
              "bins.generator.overlap": config.between(0.0, 0.9),
              "bins.generator.hidden": config.between(0.0, 1.0),
              "bins.generator.least_shown": config.between(0.0, 1.0),
              "bins.generator.size": config.rising(0.08, 0.6),
              "bins.generator.bands": config.between(0, 6),
              "bins.generator.light": config.rising(0.05, 3.0),
              "bins.generator.blur": config.rising(0.0, 5.0)}

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
        return enhance(images.place(picture, self.frame(picture.size)), self.settings.contrast, self.settings.clip)

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
        return {"count": answer.astype(np.float32), **self._maps(row, matrix)}

    def _maps(self, row, matrix):
        rows, columns = self.grid
        places, parts = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 4), np.float32)
        if not row.get("layout"):
            return {"places": places, "parts": parts}
        places[..., 1] = parts[..., 3] = 1
        known = np.array([list(line) for line in row["layout"].split()])
        unit = np.array((row["width"], row["height"])) / LAYOUT   # px of the picture to a letter
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) + 0.5
        back = (cells * CELL - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T / unit
        there = np.clip(np.floor(back).astype(int), 0, np.array(LAYOUT) - 1)
        owner = np.where(((back >= 0) & (back < LAYOUT)).all(-1), known[there[..., 1], there[..., 0]], ".")
        for name in set(known.flat) - {"."}:
            middle = (np.argwhere(known == name)[:, ::-1].mean(0) + 0.5) * unit
            middle = (matrix[:, :2] @ middle + matrix[:, 2]) / CELL
            away = cells - np.floor(np.clip(middle, 0.5, np.array((columns, rows)) - 0.5)) - 0.5
            places[..., 0] = np.maximum(places[..., 0], np.exp(-(away**2).sum(-1) / 2 / SPREAD**2))
            mine = owner == name
            parts[mine, :2], parts[mine, 2] = (middle - cells[mine]) / FAR, 1
        return {"places": places, "parts": parts}

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
        pixels, matrix = varied(stored, rng)
        into = np.diag([self.size[0] / row["width"], self.size[1] / row["height"], 1.0])
        return pixels, self._target(row, matrix @ into)

    def head(self, part, features):
        """A map of peaks where items are, whose item each cell is, and the count from the highest peaks and the features."""
        import keras

        from lib.models import layers

        maps = [each for each in features if each.shape[1] <= self.grid[0]] or features[-1:]
        x = layers.convolve(layers.neck(maps, 64) if len(maps) > 1 else maps[0], 64, name="read")
        if tuple(x.shape[1:3]) != self.grid:
            x = keras.layers.Resizing(*self.grid)(x)
        places = keras.layers.Conv2D(1, 1, activation="sigmoid", name="places",
                                     bias_initializer=keras.initializers.Constant(-2.2))(x)
        parts = keras.layers.Conv2D(3, 1, name="parts")(x)
        peaks = layers.Highest(len(self.classes) + 2, name="peaks")(places)
        whole = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(each) for each in (maps[-1], x)])
        return {"count": self._count(peaks, whole), "places": places, "parts": parts}

    def _count(self, peaks, whole):
        """The output `count`, from the heights of the highest peaks (n, k) and what the features hold in all (n, d)."""
        import keras

        from lib.models import layers

        start = {"kernel_initializer": keras.initializers.Constant(SURE), "bias_initializer": keras.initializers.Constant(-SURE * HIGH)}
        there = keras.layers.Conv1D(1, 1, activation="sigmoid", name="there", **start)(keras.layers.Reshape((-1, 1))(peaks))
        number = keras.layers.GlobalAveragePooling1D(name="share_there")(there)
        number = keras.layers.Rescaling(float(peaks.shape[1]), name="number")(number)
        whole = keras.layers.Dense(16, activation="relu", name="whole")(keras.layers.Dropout(0.5, name="left_out")(whole))
        rest = keras.layers.Concatenate()([keras.layers.Flatten()(there), whole])
        if self.settings.head == "ordinal":
            known = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(STEEP), name="score_of_number")
            score = [known(number), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="score_of_rest")(rest)]
            return layers.Thresholds(len(self.classes) - 1, STEEP, self.settings.least + 0.5, name="count")(
                keras.layers.Add(name="score")(score))
        counted = keras.layers.Concatenate()([number, rest])
        return keras.layers.Dense(len(self.classes), activation="softmax", name="count")(counted)

    def loss(self, part):
        from lib.models import layers

        ranks = len(self.classes) - 1   # Ordinal is their mean: as a sum it weighs like the softmax's cross-entropy
        return {"count": layers.Ordinal(ranks) if self.settings.head == "ordinal" else layers.Classes(),
                "places": layers.Peaks(), "parts": layers.Parts()}

    def studies(self, prepared, record):
        """Does more contrast help, and how much is lost on bins unlike those learned from?"""
        from lib.metrics import plots

        yield "contrast", plots.bars(list(self._contrasts(prepared)), "right, on validation pictures")
        if self.params.data.generate and not self.params.data.token:
            yield "shifted", plots.bars(self._shifted(record), "right, on 200 generated bins")

    def _contrasts(self, prepared):
        """Accuracy with each kind of contrast, as taken and in half the light: networks of their own, from scratch."""
        learned, held = ([prepared.rows[at] for at in prepared.of(split)] for split in ("train", "validation"))
        for way in ("none", "equalise", "clahe"):
            pixels = [enhance(each, way, self.settings.clip) for each in self._plain(learned)]
            network = self._taught(pixels, learned)
            for name, light in ((way, 1.0), (f"{way}, half the light", 0.5)):
                seen = [enhance(cv2.convertScaleAbs(each, alpha=light), way, self.settings.clip)
                        for each in self._plain(held)]
                yield name, *rate(self._right(network, seen, held))

    def _plain(self, rows):
        for row in rows:
            picture = images.read(self.folder / "images" / row["image"], at_least=self.size)
            yield images.place(picture, self.frame(picture.size))

    def _taught(self, pixels, rows):
        """A small network, trained as the settings say but without a choice among its epochs."""
        import keras

        from lib.models import layers

        settings, rng = self.params.training, np.random.default_rng(self.params.training.seed)
        keras.utils.set_random_seed(settings.seed)
        given = keras.Input((*self.size[::-1], 3))
        network = keras.Model(given, self.head("network", layers.small(keras.layers.Rescaling(1 / 127.5, -1.0)(given))))
        steps = max(1, len(rows) // settings.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs, alpha=0.01)
        network.compile(keras.optimizers.get({"class_name": settings.optimizer, "config": {"learning_rate": rate}}),
                        self.loss("network"), jit_compile=False)
        for _ in range(settings.epochs):
            order = rng.permutation(len(rows))
            for step in range(steps):
                chosen = order[step * settings.batch_size:(step + 1) * settings.batch_size]
                examples = [self.example("network", pixels[at], rows[at], rng) for at in chosen]
                targets = {name: np.stack([target[name] for _, target in examples]) for name in examples[0][1]}
                network.train_on_batch(np.float32([seen for seen, _ in examples]), targets)
        return network

    def _shifted(self, record):
        """The run's accuracy on bins like those it learned from and on shifted ones, each after its perfect eye's."""
        import keras

        from lib.models import layers  # noqa: F401  (registers our layers with Keras)

        network, lines = keras.saving.load_model(record.path("model", "network.keras"), compile=False), []
        for name, shifted in (("like those learned from", False), ("shifted", True)):
            params = config.changed(self.params, {"bins.generator.shifted": shifted}, self.checks)
            pixels, rows = type(self)(params, self.profile).drawn(200)
            lines += [(f"a perfect eye, {name}", *[self.perfect_eye([self.truth(row) for row in rows])] * 3),
                      (name, *rate(self._right(network, pixels, rows)))]
        return lines

    def drawn(self, number, first=10**6):
        """Prepared pixels and rows of generated bins of seeds that no notebook draws."""
        size = self.params.data.generate_width, self.params.data.generate_height
        made = [self.sample(np.random.default_rng(first + seed), size) for seed in range(number)]
        return [self.prepare(images.read(content)) for content, _ in made], [row for _, row in made]

    def _right(self, network, pixels, rows):
        outputs = network.predict(np.float32(pixels), verbose=0, batch_size=32)["count"]
        return [self.decode({"count": output}, self.size)["count"] == row["count"]
                for output, row in zip(outputs, rows, strict=True)]

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

    def charts(self, truths, answers):
        known = [(truth, answer) for truth, answer in zip(truths, answers, strict=True) if answer is not None]
        if not known:
            return {}
        counts, found, sure = np.array([(truth["count"], answer["count"], answer["probability"])
                                        for truth, answer in known]).T
        from lib.metrics import plots

        surest = plots.selective(sure, found == counts)
        for (name, level), style in zip((PUBLISHED | {"a perfect eye": self.perfect_eye(truths)}).items(), (":", "-.", "--"),
                                        strict=True):
            if np.isfinite(level):
                surest.axes[0].axhline(level, color="black", lw=1, ls=style, label=f"{name}: {level:.3g}")
        surest.axes[0].set(ylim=(0, 1.02))
        surest.axes[0].legend(loc="lower left", fontsize=8)
        return {"counts": plots.confusion(list(counts.astype(int)), list(found.astype(int)), list(self.classes)),
                "surest": surest, "calibrated": plots.calibrated(sure, found == counts, "the right count")}

    def perfect_eye(self, truths):
        """The accuracy of a perfect eye on generated bins (synthetic.bins.perfect_eye); NaN where it is not known."""
        from lib.synthetic import bins

        known = truths and all("seen" in truth for truth in truths)
        return bins.perfect_eye([(truth["seen"], truth["count"]) for truth in truths]) if known else float("nan")

    def draw(self, ax, answer, color):
        words = f"{answer['count']}" + (f"  ({answer['probability']:.0%})" if "probability" in answer else "")
        ax.text(0.02, 0.98 if color == "white" else 0.86, words, color=color, transform=ax.transAxes, va="top",
                weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})

    def chart(self, axes, table):
        counts = table.groupby(["count", "split"]).size().unstack(fill_value=0).reindex(self.classes, fill_value=0)
        counts.plot.bar(ax=axes[0], stacked=True, rot=0, xlabel="items", ylabel="pictures")
        (counts / counts.sum()).plot.bar(ax=axes[1], rot=0, xlabel="items", ylabel="part of the split", legend=False)


def enhance(pixels, way, clip):
    """The picture (uint8 RGB) with more contrast in its lightness: CLAHE with a clip limit, or equalised as a whole."""
    if way == "none":
        return pixels
    code = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    light = code[..., 0]
    code[..., 0] = cv2.equalizeHist(light) if way == "equalise" else cv2.createCLAHE(clip, (4, 4)).apply(light)
    return cv2.cvtColor(code, cv2.COLOR_YCrCb2RGB)


def varied(pixels, rng):
    """The picture mirrored or not, turned, moved and stretched a little, in other light and colours; and the matrix (2, 3)."""
    height, width = pixels.shape[:2]
    turn, mirror = np.deg2rad(rng.normal(0, 3)), -1 if rng.random() < 0.5 else 1
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * rng.uniform(0.92, 1.15, 2) * (mirror, 1)
    middle = np.array((width, height)) / 2
    shift = middle + rng.uniform(-0.04, 0.04, 2) * (width, height) - matrix @ middle
    matrix = np.column_stack([matrix, shift])
    moved = np.column_stack([matrix[:, :2], shift + matrix[:, :2] @ [0.5, 0.5] - 0.5])  # OpenCV counts from pixel centres
    pixels = cv2.warpAffine(pixels, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < OTHER_COLOURS:
        pixels = np.ascontiguousarray(pixels[..., rng.permutation(3)])
    if rng.random() < BARRED:
        pixels = augmentation.barred(pixels, rng)
    return augmentation.vary(pixels, rng), matrix


def layout(owner, seen):
    """LAYOUT as text: which of the items `seen` shows in the middle of each cell of a map of owners (h, w)."""
    names = np.array([*NAMES, "."])
    at = [((np.arange(count) + 0.5) * side / count).astype(int) for count, side in zip(LAYOUT[::-1], owner.shape, strict=True)]
    cells = owner[np.ix_(*at)]
    return " ".join("".join(line) for line in names[np.where(np.isin(cells, seen), cells, -1)])


def rate(right):
    """A share with its 95 % interval (Wilson 1927)."""
    n, share = len(right), float(np.mean(right))
    middle, half = (share + 1.92 / n) / (1 + 3.84 / n), 1.96 * np.sqrt(share * (1 - share) / n + 0.96 / n**2) / (1 + 3.84 / n)
    return share, middle - half, middle + half
