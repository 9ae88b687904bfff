"""Is the nail good, or is it bad?"""

from dataclasses import dataclass

import cv2
import numpy as np

from lib.common import config
from lib.imaging import images
from lib.metrics import calibration
from lib.tasks import Job
from lib.tasks.nails import alignment

HEIGHT = 1216             # px of the pictures that the lengths in params.yaml are of; others are scaled
OUTLINE = 13              # numbers of layers.Midline
PATCHES, LOGIT = "patches", "logit"  # layers that `finish` reads
TURN = 1.0                # degrees by which examples are turned, either way


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
            return {**answer, "refused": "no_nail", "window": _corners(matrix, seen.size, picture)}
        output = parts["network"](images.place(seen, self.frame(seen.size))[None])
        output = {key: value[0] for key, value in output.items()} if isinstance(output, dict) else output[0]
        return {**self.decode(output, picture.size), "window": _corners(matrix, seen.size, picture)}

    def outlines(self, answer):
        """The window with the answer, and around what is more unlike good nails than usual."""
        if answer.get("map") is None:
            return [(answer["window"], answer["refused"] or answer["label"])]
        unlike = cv2.resize(np.array(answer["map"], np.float32), None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR)
        lines, _ = cv2.findContours((unlike > 1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        around = [(_spread(answer["window"], line[:, 0] / unlike.shape[::-1]), "") for line in lines if len(line) > 2]
        return [(answer["window"], f"{answer['label']} {answer['probability']:.2f}"), *around]

    # --- training

    def backbone(self, part):
        return self.params.model.backbone if self.measures else ""

    def outcome(self, part, pixels, features):
        return judge(pixels, features, self.settings) if self.measures else self.head(part, features)

    def head(self, part, features):
        return original(features[0])

    def loss(self, part):
        import keras

        loss = keras.losses.CategoricalCrossentropy()
        return {"label": loss} if self.measures else loss

    def example(self, part, stored, row, rng=None):
        return stored if rng is None else varied(stored, rng, self.measures), self.encode(row)

    def finish(self, part, network, prepared):
        """Remember the good nails of training, and calibrate the probability on validation."""
        if self.measures:
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
        """Simplest answers, how many pictures are needed, what is hard, and what breaks it (accuracy, folds, tests)."""
        from lib.metrics import cross_validation, plots
        from lib.tasks.nails import corruptions

        if not (self.measures and self.settings.crop == "upright"):
            return
        stored, rows = prepared.stored[self.parts()[0]], prepared.rows
        bad = np.array([row["label"] == "bad" for row in rows])
        network = _load(record)
        light = stored.mean((1, 2, 3))[:, None]
        values, names = measured(network, stored, frozen=not self.params.model.trainable)
        classic = cross_validation.cross_validate(cross_validation.logistic, values[:, :OUTLINE], bad)
        full = cross_validation.cross_validate(cross_validation.logistic, values, bad)
        lines = [("always the commoner", *cross_validation.share(np.tile(bad == (bad.mean() > 0.5), (1, 1)))),
                 ("mean brightness", *cross_validation.share((cross_validation.cross_validate(cross_validation.logistic, light, bad) > 0.5) == bad)),
                 ("outline, logistic regression", *cross_validation.share((classic > 0.5) == bad)),
                 (names, *cross_validation.share((full > 0.5) == bad))]
        yield "simplest", plots.bars(lines, "accuracy in repeated stratified 5-fold cross-validation")
        yield "difficulty", _difficulty(values, classic.mean(0), bad)
        sizes = np.unique(np.geomspace(8, 0.75 * len(bad), 8).astype(int))
        wrong = cross_validation.learning_curve(cross_validation.logistic, values, bad, sizes)
        known = len(sizes) - 2
        yield "pictures needed", plots.curve(sizes, wrong, cross_validation.extrapolate(sizes[:known], wrong[:known].mean(1)),
                                              known)
        chosen = [row for row in rows if row["split"] == "test"] or [row for row in rows if row["split"] == "validation"]
        found = {kind: (unit, amounts, [self._accuracy(network, chosen[:40], kind, amount) for amount in amounts])
                 for kind, (unit, amounts) in corruptions.KINDS.items()}
        yield "corruptions", plots.corrupted(found, self._accuracy(network, chosen[:40]))

    def _accuracy(self, network, rows, kind=None, amount=None):
        """The share of right labels on the pictures of the rows, corrupted so; a refused one is not right."""
        from lib.tasks.nails import corruptions

        parts = {"network": lambda batch: {key: value.numpy() for key, value in network(batch).items()}}
        right = []
        for number, row in enumerate(rows):
            picture = images.read(self.folder / "images" / row["image"], formats=tuple(images.MAGIC))
            if kind:
                picture = images.Picture(corruptions.corrupt(picture.pixels, kind, amount, number), picture.size)
            right.append(self.answer(parts, picture)["label"] == row["label"])
        return float(np.mean(right))

    def draw(self, ax, answer, color):
        """The words; of an answer the window too, shown large, and in red where the nail is unlike good ones."""
        words = answer["label"] or "?"
        if answer.get("probability") is not None:
            words += f" {answer['probability']:.2f}"
        if answer.get("refused"):
            words += f" ({answer['refused']})"
        ax.text(0.02, 0.98 if color == "white" else 0.86, words, color=color, transform=ax.transAxes, va="top",
                weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})
        if answer.get("window") is None:
            return
        window = np.asarray(answer["window"], float)
        ax.plot(*window[[0, 1, 2, 3, 0]].T, color=color, lw=0.8)
        _zoom(ax, window)
        if answer.get("map") is not None:
            unlike = np.array(answer["map"])
            grid = [np.linspace(0, 1, count + 1) for count in unlike.shape[::-1]]
            points = _spread(window, np.stack(np.meshgrid(*grid), -1).reshape(-1, 2)).reshape(
                len(grid[1]), len(grid[0]), 2)
            ax.pcolormesh(points[..., 0], points[..., 1], unlike, color=None, cmap="Reds", vmin=0, vmax=2, lw=0,
                          alpha=np.clip((unlike - 0.8) / 1.2, 0, 0.6))


def _corners(matrix, size, picture):
    """The corners of a window of `size` in pixels of the upright picture, from the top left one on along its edges."""
    edges = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], float) - 0.5
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    points = edges @ back[:, :2].T + back[:, 2] + 0.5
    return (points * picture.size[0] / picture.pixels.shape[1]).tolist()


def _spread(window, parts):
    """Points given as parts (n, 2) of a window's width and height, in pixels of the picture."""
    window, parts = np.asarray(window, float), np.asarray(parts, float)
    return window[0] + parts[:, :1] * (window[1] - window[0]) + parts[:, 1:] * (window[3] - window[0])


def _zoom(ax, window, room=0.25):
    """Let the axes show a window, as broad as the picture is, within the picture."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    shape = (right - left) / (bottom - top)
    low, high = window.min(0), window.max(0)
    height = max((high[1] - low[1]), (high[0] - low[0]) / shape) * (1 + room)
    middle = (low + high) / 2
    ax.set_xlim(middle[0] - height * shape / 2, middle[0] + height * shape / 2)
    ax.set_ylim(middle[1] + height / 2, middle[1] - height / 2)


# --- networks


def judge(pixels, features, settings):
    """Probabilities and the anomaly map: the outline's measures and the features, weighed; and the memory of good ones.

    Patches are the backbone's features at strides 8 and 16, smoothed (PatchCore, arXiv 2106.08265).
    """
    from keras import layers as each

    from lib.models import layers

    outline = layers.Midline(name="measured")(pixels) if settings.crop == "upright" else None
    logit = weigh(each.GlobalAveragePooling2D(name="pooled")(features[-1]), outline)
    at8, at16 = (min(features, key=lambda each, stride=stride: abs(each.shape[2] * stride - pixels.shape[2]))
                 for stride in (8, 16))  # a network of keras.applications also has padded maps in between
    fine = each.AveragePooling2D(3, 2, "same", name="fine_patches")(at8)
    coarse = each.AveragePooling2D(3, 1, "same", name="coarse_patches")(at16)
    patches = each.Concatenate(name=PATCHES)([fine, coarse])
    return {"label": layers.Platt(name="label")(logit),
            "anomaly": layers.Memory(settings.memory, name="anomaly")(patches)}


def weigh(pooled, outline):
    """The logit of bad, (n, 1): pooled features (n, d) and an outline's measures (n, OUTLINE), each weighed; or one."""
    import keras
    from keras import layers as each

    weighed = []
    if pooled is not None:
        weighed.append(each.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-2), name="seen")(
            each.Dropout(0.3)(pooled)))
    if outline is not None:
        weighed.append(each.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-3), name="straight")(
            each.BatchNormalization(momentum=0.9, name="measured_norm")(outline)))
    return each.Add(name=LOGIT)(weighed) if len(weighed) > 1 else each.Identity(name=LOGIT)(weighed[0])


def original(x):
    """The network this task began with: four convolutions with instance norm and max pooling, two dense of 512.

    Instance norm is a group norm of one channel a group (arXiv 1607.08022).
    """
    from keras import layers as each

    for at, (filters, kernel) in enumerate(((16, 5), (16, 5), (32, 5), (64, 3))):
        x = each.Conv2D(filters, kernel, padding="same", activation="relu", name=f"conv{at}")(x)
        x = each.GroupNormalization(groups=-1, name=f"norm{at}")(x)
        x = each.MaxPooling2D(name=f"pool{at}")(x)
    x = each.Flatten()(x)
    for at in range(2):
        x = each.Dropout(0.5)(each.Dense(512, activation="relu", name=f"dense{at}")(x))
    return each.Dense(2, activation="softmax", name="network")(x)


def varied(pixels, rng, camera):
    """A window mirrored and turned a little; with `camera` also brighter or darker, less sharp and noisier."""
    across, down = rng.random(2) < 0.5
    pixels = pixels[::-1 if down else 1, ::-1 if across else 1]
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-TURN, TURN), 1.0)
    turn[:, 2] += rng.uniform(-2, 2, 2)
    pixels = cv2.warpAffine(np.ascontiguousarray(pixels), turn, (width, height), flags=cv2.INTER_LINEAR,
                            borderMode=cv2.BORDER_REPLICATE)
    if not camera:
        return pixels
    level = alignment.LEVEL
    light = (pixels.astype(np.float32) - level) * np.float32(rng.uniform(0.8, 1.2)) + level
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        light += rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(2, 8))
    return np.clip(light, 0, 255).astype(np.uint8)


def settle(network, stored, rows, seed, frozen=False):
    """Fill a network's memory from the good windows of training, mirrored too, and calibrate it on validation.

    `stored` are windows uint8 (n, h, w, 3), `rows` their labels and splits. On `frozen` features the training
    pictures calibrate too: a linear head hardly overfits, and two dozen pictures alone leave it far too unsure
    (benchmarks/LOG.md).
    """
    import keras

    from lib.tasks.nails import coreset

    def of(split, label=None):
        at = [n for n, row in enumerate(rows) if row["split"] == split and label in (None, row["label"])]
        return np.stack([stored[n] for n in at]) if at else np.empty((0, *stored.shape[1:]), np.uint8)

    inside = keras.Model(network.input, {name: network.get_layer(name).output for name in (PATCHES, LOGIT)})
    good = of("train", "good")
    if len(good):
        mirrored = np.concatenate([good, good[:, :, ::-1], good[:, ::-1], good[:, ::-1, ::-1]])
        coreset.remember(network.get_layer("anomaly"), inside.predict(mirrored, verbose=0)[PATCHES], seed)
        fresh = of("validation", "good")
        coreset.settle(network.get_layer("anomaly"), network.predict(
            fresh if len(fresh) else good, verbose=0)["anomaly"])
    told = [n for n, row in enumerate(rows) if row["split"] in (("train", "validation") if frozen else ("validation",))]
    if told:
        logits = inside.predict(stored[told], verbose=0)[LOGIT][:, 0]
        slope, offset = calibration.platt(logits, [rows[n]["label"] == "bad" for n in told])
        network.get_layer("label").slope.assign(slope)
        network.get_layer("label").offset.assign(offset)


# --- studies


def _load(record):
    """The network of a run, as Keras."""
    import keras

    from lib.models import layers  # noqa: F401  (registers our layers with Keras)

    return keras.saving.load_model(record.path("model", "network.keras"), compile=False)


def measured(network, stored, frozen):
    """What the head weighs of windows uint8 (n, h, w, 3): (n, OUTLINE + d) and a name; features where they are frozen."""
    import keras

    names = ["measured", "pooled"] if frozen else ["measured"]
    inside = keras.Model(network.input, [network.get_layer(name).output for name in names])
    found = inside.predict(np.asarray(stored), verbose=0)
    values = np.concatenate(found, 1) if isinstance(found, list) else found
    return values, "outline and frozen features" if frozen else "outline alone"


def _difficulty(values, chance, bad):
    """How bent the nails are, and what folds that had not seen them said: red are the wrong ones."""
    from lib.metrics import plots

    figure, axes = plots.sheet(width=7)
    bent = 100 * (np.exp(values[:, 2]) - 1e-3)  # rms distance of the middle line from a straight one
    for which, color, name in ((bad, plots.INK, "bad"), (~bad, plots.BASELINE, "good")):
        axes[0, 0].scatter(bent[which], chance[which], s=16, color=color, alpha=0.7, label=name)
    wrong = (chance > 0.5) != bad
    axes[0, 0].scatter(bent[wrong], chance[wrong], s=70, facecolor="none", edgecolor=plots.ANSWER, label="wrong")
    axes[0, 0].axhline(0.5, color="grey", lw=0.8)
    axes[0, 0].set(xscale="log", xlabel="distance from a straight line (rms), % of the length",
                   ylabel="probability of bad, held out")
    axes[0, 0].legend()
    return figure
