"""One file a job, all with the contract of Job; shared code never asks which job it runs."""

import importlib
import json
import pkgutil

import numpy as np

from lib.common import config
from lib.imaging import geometry, images
from lib.metrics import label_errors
from lib.storage import files


class Refusal(ValueError):
    """A row that cannot be used, with its `reason` in a word or two."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


def names():
    """The jobs there are: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def job(task, profile="smoke", run="", overrides=None, settings=None):
    """The job of a task, with its settings settled: the first call of every notebook.

    Empty `settings` mean those of params.yaml; ConfigError names a setting that cannot be used. Where `search.use` is
    true, the best settings that were searched for hold, unless they are overridden.
    """
    if task not in names():
        raise config.ConfigError(f"task is {task!r}; there are {', '.join(names())}{config.suggestion(task, names())}")
    kind = find(task)
    params = config.resolve(task, profile, overrides, settings, kind.checks)
    if params.search.use:
        best = _searched(task, profile)
        params = config.resolve(task, profile, config.merge(config.nest(best), config.nest(overrides)), settings,
                               kind.checks)
    return kind(params, profile, run)


def _searched(task, profile):
    """The best settings found so far, by dotted keys; ConfigError where there was no search."""
    path = config.outputs_folder(task, profile) / "search" / "best.json"
    if not path.is_file():
        raise config.ConfigError(f"search.use is true and {task}/{profile} was not searched; run python -m lib search "
                                 "first, or set search.use=false")
    return files.read_json(path)["settings"]


def find(task):
    """The class of a task: the one subclass of Job in its file."""
    module = importlib.import_module(f"{__name__}.{task}")
    return next(kind for kind in vars(module).values()
                if isinstance(kind, type) and issubclass(kind, Job) and kind.__module__ == module.__name__)


class Job:
    """A task with its params. As it stands: classify whole pictures; a task says only what differs."""

    question = "Which class does the picture show?"
    columns = {"label": str}      # what a row of labels must hold, beside image, width and height
    classes = ()
    checks = {}                   # what its own settings must hold, as in config.CHECKS
    tree_setting = ""             # the setting that holds the tree of labels, where a data set may bring its own
    pretraining = None            # what its shipped weights learn from: drawn, row_of, calibrate, SEED; None: it ships none

    def __init__(self, params, profile="smoke", run=""):
        self.params, self.profile, self.run = params, profile, run

    @property
    def name(self):
        return type(self).__module__.rpartition(".")[2]

    @property
    def folder(self):
        """Where notebook 01 leaves labels.csv and images/."""
        return config.data_folder(self.name, self.profile)

    @property
    def outputs(self):
        """Where runs of this job and profile lie."""
        return config.outputs_folder(self.name, self.profile)

    def keep(self, figure, name):
        """Save a figure of the data as figures/NAME.png beside them and return it, so that the cell shows it."""
        return files.write_figure(self.folder / "figures" / f"{name}.png", figure)

    # --- labels

    def sample(self, rng, size):
        """A generated picture and its label: (JPEG bytes, row)."""
        raise NotImplementedError(f"{self.name} draws no pictures")

    def check(self, row):
        """The row as it is to be used, perhaps put right; Refusal says why it cannot be."""
        if row["label"] not in self.classes:
            raise Refusal(f"unknown class {str(row['label'])[:40]!r}{config.suggestion(row['label'], self.classes)}")
        return row

    def turned(self, row, turn):
        """The row with its points moved by `turn`, a function of points (n, 2); columns p1x and p1y are a point.

        A row whose points are no numbers comes back as it is, for `check` to refuse.
        """
        points = [(name, f"{name[:-1]}y") for name in self.columns
                  if name.endswith("x") and f"{name[:-1]}y" in self.columns]
        try:
            moved = turn([[float(row[x]), float(row[y])] for x, y in points]) if points else []
        except (TypeError, ValueError):
            return row
        return row | {name: float(value) for pair, point in zip(points, moved, strict=True)
                      for name, value in zip(pair, point, strict=True)}

    def truth(self, row):
        """The label of a row as an answer: plain values in the picture's own scale."""
        return {"label": row["label"]}

    def label(self, answer):
        """The row of labels that an answer is, where a reviewer accepts it; None where it is none (it was refused)."""
        row = {name: answer.get(name) for name in self.columns}
        return None if answer.get("refused") or any(value is None or value == "" for value in row.values()) else row

    # --- from picture to network and back

    detail = None  # (width, height) a picture must keep when it is decoded; None: all of it

    @property
    def size(self):
        """Width and height of the network's input."""
        return self.params.model.width, self.params.model.height

    def parts(self):
        """The networks of this job, in the order in which they are trained."""
        return ("network",)

    def frame(self, size):
        """The Frame of a picture of (width, height) in the input of the first network."""
        return geometry.letterbox(size, self.size)

    def crop(self, picture):
        """The picture the network is to see."""
        return picture

    def prepare(self, picture):
        """The first network's input, uint8 (height, width, 3), for training, verification and the API alike."""
        picture = self.crop(picture)
        return images.place(picture, self.frame(picture.size))

    def encode(self, row):
        """What the first network is to learn of a row: float32 array, or a dict of them by output name."""
        target = np.zeros(len(self.classes), np.float32)
        target[self.classes.index(row["label"])] = 1
        return target

    def decode(self, output, size):
        """An answer (plain JSON) from the first network's output for a picture of (width, height)."""
        output = np.asarray(output, float)
        best = int(output.argmax())
        return {"label": self.classes[best], "probability": float(output[best]),
                "probabilities": dict(zip(self.classes, map(float, output), strict=True))}

    def answer(self, parts, picture):
        """A plain answer for a Picture. `parts` maps the name of a part to a function of a uint8 batch."""
        output = parts["network"](self.prepare(picture)[None])
        return self.decode({k: v[0] for k, v in output.items()} if isinstance(output, dict) else output[0],
                           picture.size)

    # --- over HTTP

    pixels = ()  # the members of an answer that are lengths in pixels, which `api.decimals` rounds

    @property
    def query(self):
        """What a request may ask of an answer: {name: JSON schema with `enum` and `default`}, as OpenAPI wants it."""
        return {}

    def reply(self, answer, query):
        """What the API sends of an answer, given the value of each name in `query`."""
        return answer

    def outlines(self, answer):
        """What the API draws of an answer on its picture: closed lines (n, 2) in pixels, each with a few words."""
        return []

    # --- in the viewer

    edit = "choices"  # what of a label is corrected there: its "points" or "boxes" too, its "choices"; None: it is only shown
    kinds = ()        # with "boxes": what a box may be; empty: all are of one kind

    def boxes(self, values):
        """The boxes of a row or an answer: lists [x1, y1, x2, y2] in pixels of the upright picture, x1 < x2, y1 < y2.

        Where there are several `kinds`, a box has its kind as a fifth member.
        """
        boxes = values.get("boxes") or []
        return json.loads(boxes) if isinstance(boxes, str) else list(boxes)

    def with_boxes(self, row, boxes):
        """The row with these boxes in place of its own: JSON text in the column `boxes`."""
        return {**row, "boxes": json.dumps(boxes)}

    @property
    def choices(self):
        """The values that a label may take in the columns which are chosen from a list (a class, a count)."""
        return {"label": list(self.classes)} if "label" in self.columns else {}

    def surprise(self, truth, answer):
        """How improbable a label is by the model's own doubt; above 1 it is worth a second look. None: not known."""
        chance = (answer.get("probabilities") or {}).get(truth.get("label"))
        return None if chance is None else float(-np.log2(max(chance, 1e-6)))

    def doubt(self, answer):
        """How unsure an answer is, from 0 on: pictures with much of it are the ones to be labelled next."""
        if answer.get("confidence") is not None:
            return 1.0 - answer["confidence"]
        return 1.0 - max((answer.get("probabilities") or {"": 1.0}).values())

    # --- labels that may be wrong; the answers are of networks that have not learned from them

    def habit(self, truths, answers):
        """How good labels differ from answers as a rule: plain values for `evidence`. None: not at all."""
        return None

    def evidence(self, parts, picture, truth, answer, habit):
        """What networks see at a label itself, beside their answer: plain values. None: nothing."""
        return None

    def suspicions(self, truths, answers, evidence):
        """How improbable each label of a set is: above 1 it is suspect. None: not known, as where an answer is None."""
        name, values = next(iter(self.choices.items()), ("", ()))
        classes = [str(value) for value in values]
        known = [at for at, (truth, answer) in enumerate(zip(truths, answers, strict=True))
                 if str(truth.get(name)) in classes and (answer or {}).get("probabilities")]
        if not known:
            return [answer and self.surprise(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
        found = label_errors.confident([classes.index(str(truths[at][name])) for at in known],
                                    [[answers[at]["probabilities"][each] for each in classes] for at in known])
        return [dict(zip(known, map(float, found), strict=True)).get(at) for at in range(len(truths))]

    # --- training

    def stored(self, part, picture, row):
        """What the cache keeps of a picture for training a part: uint8, of one shape for all pictures."""
        return self.prepare(picture)

    def example(self, part, stored, row, rng=None):
        """A training example of a part: (uint8 input, target as in encode); `rng` None: as it is, else varied."""
        if rng is not None and rng.random() < 0.5:
            stored = stored[:, ::-1]
        return stored, self.encode(row)

    def draws(self, part):
        """Examples drawn from one picture in an epoch; more than one where a part learns to correct a guess."""
        return 1

    def input_size(self, part):
        """Width and height of a part's input."""
        return self.size

    def backbone(self, part):
        """Name of the backbone under a part's head; empty: the head works on the pixels, scaled to -1 … 1."""
        return self.params.model.backbone

    def head(self, part, features):
        """Output tensor(s) of a part on its backbone's features (a list, finest first)."""
        import keras

        pooled = keras.layers.GlobalAveragePooling2D()(features[-1])
        return keras.layers.Dense(len(self.classes), activation="softmax", name="network")(pooled)

    def outcome(self, part, pixels, features):
        """Output tensor(s) of a part on its pixels 0 … 255 and its features: those of `head`, unless it measures pixels."""
        return self.head(part, features)

    def start(self, part, network):
        """Give a part's new network the weights it starts from; whether there were any (beside the backbone's)."""
        return False

    def loss(self, part):
        """The loss, or a dict of them by output name."""
        import keras

        return keras.losses.CategoricalCrossentropy()

    def finish(self, part, network, prepared):
        """Settle what a trained network still needs (thresholds, calibration), by its validation pictures, in place."""

    # --- scores and drawing

    def baseline(self, rows):
        """The constant answer that knows only these rows: a function of a picture's (width, height)."""
        labels = [row["label"] for row in rows]
        answer = {"label": max(sorted(set(labels)), key=labels.count)}
        return lambda size: answer

    def score(self, truth, answer):
        """Numbers that compare an answer with the truth, in the picture's own units."""
        return {"right": float(truth["label"] == answer["label"])}

    def summary(self, truths, answers):
        """Numbers of a whole set which are no mean of its pictures' scores (an area under ROC, an RMSE): {name: number}.

        Quick, for it is called for every resample of an interval; an answer may be None.
        """
        return {}

    # Of each score: what it is, its unit, and which end of it is good.
    scales = {"right": ("right answers", "share of the pictures", "high")}
    headline = "right"      # the score by which answers are ranked …
    best_is = "high"        # … and which end of it is good
    spread_name = "wrong"   # what spread measures, with its unit

    def spread(self, truth, answer):
        """One or more errors of an answer; figures show which share of them is below what."""
        return [1 - self.score(truth, answer)["right"]]

    def draw(self, ax, answer, color):
        """Draw an answer on matplotlib axes that show the picture: truth in white, an answer in red."""
        ax.text(0.02, 0.98 if color == "white" else 0.86, answer["label"], color=color, transform=ax.transAxes,
                va="top", weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})

    def charts(self, truths, answers):
        """What a set of answers looks like, beyond its scores: {name: closed matplotlib Figure}."""
        return {}

    def studies(self, prepared, record):
        """Slower questions of this job, asked where verify.studies is true: pairs of a name and its closed Figure.

        `prepared` is what its networks learned from, `record` the run; a generator, so that each is shown when it is done.
        """
        return iter(())

    def chart(self, axes, table):
        """Two axes that show how the labels of a table are distributed."""
        table["label"].value_counts().reindex(self.classes).plot.bar(ax=axes[0], rot=0, ylabel="pictures")
        table.groupby("split")["label"].value_counts().unstack().plot.bar(ax=axes[1], rot=0, ylabel="pictures")
