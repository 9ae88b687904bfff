"""Several labels a picture, from a tree of labels: a label implies its parents."""

import numpy as np

from lib.tasks import Job, Refusal

APART = ";"      # between the labels of a row
BELOW = " > "    # between a label and its child in the setting tags.labels


class Tree:
    """Labels by name, parents before children, from paths such as "rock > stone"; a label may stand in several."""

    def __init__(self, paths):
        """ValueError where a path is empty or a label stands below itself."""
        self.parents = {}
        for path in paths:
            names = [name.strip() for name in str(path).split(BELOW.strip())]
            if not all(names) or APART in str(path):
                raise ValueError(f"{path!r} is no path of labels")
            for above, name in zip([None, *names], names, strict=False):
                self.parents.setdefault(name, set()).update({above} - {None})
        self.above = {name: self._above(name, ()) for name in self.parents}
        self.names = tuple(sorted(self.parents, key=lambda name: len(self.above[name])))

    def _above(self, name, seen):
        if name in seen:
            raise ValueError(f"{name!r} stands below itself")
        return set().union(*({parent} | self._above(parent, (*seen, name)) for parent in self.parents[name]))

    def closed(self, names):
        """The names with all their parents, in the tree's order."""
        wanted = set(names).union(*(self.above[name] for name in names))
        return [name for name in self.names if name in wanted]

    def leaves(self, names):
        """Those of the names that no other of them implies."""
        return [name for name in names if not any(name in self.above[other] for other in names)]


def _is_tree(paths):
    try:
        return len(Tree(paths).names) > 0
    except ValueError:
        return False


class Tags(Job):
    question = "Which labels fit the picture?"
    columns = {"labels": str}     # joined by ";", each as in the setting tags.labels
    checks = {"tags.labels": (_is_tree, "a list of paths such as 'rock > stone', in which no label stands below itself")}
    tree_setting = "tags.labels"
    edit = None                   # a set of labels is no single choice; it is reviewed in the hub
    headline, best_is = "f1", "high"
    spread_name = "labels missed or too many, per picture"

    def __init__(self, params, profile="smoke", run=""):
        super().__init__(params, profile, run)
        self.tree = Tree(params.tags.labels)
        self.classes = self.tree.names

    # --- labels

    def sample(self, rng, size):
        import cv2

        from lib.synthetic import tags

        pixels, names = tags.draw(rng, size)
        code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        return code.tobytes(), {"labels": APART.join(self.tree.closed(set(names) & set(self.classes)))}

    def check(self, row):
        """The row with the parents of its labels. Refusals: no label, or one that is not in tags.labels."""
        names = [name.strip() for name in str(row.get("labels") or "").split(APART) if name.strip()]
        if not names:
            raise Refusal("no label")
        unknown = sorted(set(names) - set(self.classes))
        if unknown:
            raise Refusal(f"unknown label {unknown[0][:60]}")
        return {**row, "labels": APART.join(self.tree.closed(names))}

    def truth(self, row):
        return {"labels": row["labels"].split(APART)}

    def label(self, answer):
        return {"labels": APART.join(answer["labels"])} if answer.get("labels") else None

    # --- network

    def encode(self, row):
        there = set(row["labels"].split(APART))
        target = np.array([name in there for name in self.classes], np.float32)
        return np.stack([target, np.full_like(target, 0.5)], -1)

    def decode(self, output, size):
        """`labels` with their parents, and `probabilities` by label; a parent is as probable as its likeliest child."""
        chances, cuts = np.asarray(output, float).T
        found = self.tree.closed([name for name, chance, cut in zip(self.classes, chances, cuts, strict=True)
                                  if chance >= cut])
        probabilities = dict(zip(self.classes, map(float, chances), strict=True))
        for name in self.classes:
            for above in self.tree.above[name]:
                probabilities[above] = max(probabilities[above], probabilities[name])
        return {"labels": found, "probabilities": probabilities}

    def head(self, part, features):
        """(labels, 2): the probability of each label, and the probability from which on it counts as there."""
        import keras

        pooled = keras.layers.GlobalAveragePooling2D()(features[-1])
        chance = keras.layers.Dense(len(self.classes), activation="sigmoid", name="chance")(pooled)
        # Thresholds travel with the network: a layer that answers its bias, whatever it sees.
        cut = keras.layers.Dense(len(self.classes), kernel_initializer="zeros", name="cut", trainable=False,
                                 bias_initializer=keras.initializers.Constant(0.5))(pooled)
        column = keras.layers.Reshape((len(self.classes), 1))
        return keras.layers.Concatenate(name="network")([column(chance), column(cut)])

    def loss(self, part):
        from lib.models import layers

        return layers.Chances()

    def finish(self, part, network, prepared):
        """Set each label's threshold to the one of the best F1 on the validation pictures."""
        at = prepared.of("validation")
        pixels = np.stack([self.example(part, prepared.stored[part][n], prepared.rows[n])[0] for n in at])
        truths = np.stack([self.encode(prepared.rows[n])[:, 0] for n in at])
        chances = network.predict(pixels.astype(np.float32), verbose=0)[..., 0]
        kernel, _ = network.get_layer("cut").get_weights()
        network.get_layer("cut").set_weights([kernel, thresholds(truths, chances)])

    # --- scores and drawing

    def baseline(self, rows):
        """Every label's share of these rows as its probability; those above the cut of the best F1 are its labels."""
        there = np.stack([self.encode(row)[:, 0] for row in rows])
        share = there.mean(0)
        cut = best_cut(there.ravel(), np.tile(share, len(there)))
        answer = {"labels": self.tree.closed([name for name, part in zip(self.classes, share, strict=True) if part >= cut]),
                  "probabilities": dict(zip(self.classes, map(float, share), strict=True))}
        return lambda size: answer

    def score(self, truth, answer):
        """F1 of a picture's labels, and whether they are exactly the true ones."""
        true, found = set(truth["labels"]), set(answer["labels"])
        return {"f1": 2 * len(true & found) / (len(true) + len(found)), "exact": float(true == found)}

    def spread(self, truth, answer):
        return [len(set(truth["labels"]) ^ set(answer["labels"]))]

    def surprise(self, truth, answer):
        chances, true = answer.get("probabilities"), set(truth["labels"])
        if not chances:
            return None
        least = min(chance if name in true else 1 - chance for name, chance in chances.items())
        return float(-np.log2(max(least, 1e-6)))

    def summary(self, truths, answers):
        """F1 of all decisions together (micro), its mean over labels (macro), and the mean average precision (map).

        Over the labels that some truth has; a picture without an answer has no label, each with probability 0.
        """
        true, found, chances = self._tables(truths, answers)
        right, both = (true & found).sum(0), true.sum(0) + found.sum(0)
        there = true.any(0)
        precisions = [average_precision(true[:, n], chances[:, n]) for n in np.flatnonzero(there)]
        return {"f1_micro": float(2 * right.sum() / max(both.sum(), 1)),
                "f1_macro": float(np.mean(2 * right[there] / both[there])) if there.any() else float("nan"),
                "map": float(np.mean(precisions)) if precisions else float("nan")}

    def _tables(self, truths, answers):
        """Truths, answers (bool) and probabilities, each (pictures, labels)."""
        def table(given, of, kind):
            return np.array([[of(each, name) for name in self.classes] for each in given], kind).reshape(-1, len(self.classes))

        answers = [answer or {"labels": [], "probabilities": {}} for answer in answers]
        truths, given = [set(truth["labels"]) for truth in truths], [set(answer["labels"]) for answer in answers]
        return (table(truths, lambda there, name: name in there, bool),
                table(given, lambda there, name: name in there, bool),
                table(answers, lambda answer, name: answer["probabilities"].get(name, 0.0), float))

    def draw(self, ax, answer, color):
        names = self.tree.leaves([name for name in answer["labels"] if name in self.classes])
        left = color == "white"
        names = [*names[:9], f"and {len(names) - 9} more"] if len(names) > 10 else names or ["no label"]
        ax.text(0.02 if left else 0.98, 0.98, "\n".join(names), color=color, transform=ax.transAxes, fontsize=8,
                ha="left" if left else "right", va="top", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})

    def chart(self, axes, table):
        """How often each label stands, children below their parents, and how many labels a picture has."""
        there = [set(labels.split(APART)) for labels in table["labels"]]
        counts = {name: sum(name in names for names in there) for name in self.classes}
        shown = [name for name in self._nested() if counts[name]]
        if len(shown) > 40:
            often = sorted(shown, key=lambda name: -counts[name])[:40]
            shown = [name for name in shown if name in often]
        axes[0].barh([f"{name}{'    ' * len(self.tree.above[name])}" for name in shown], [counts[name] for name in shown],
                     color=["#33415c" if self.tree.above[name] else "#b0892f" for name in shown])
        axes[0].invert_yaxis()
        axes[0].tick_params(axis="y", labelsize=8 if len(shown) < 20 else 6)
        axes[0].set(xlabel="pictures", title=f"{len(shown)} of {len(self.classes)} labels; parents in ochre")
        counts = [len(self.tree.leaves(names)) for names in there]
        axes[1].hist(counts, bins=np.arange(0.5, max(counts) + 1), rwidth=0.9, color="#33415c")
        axes[1].set(xlabel="labels of a picture, without their parents", ylabel="pictures")

    def _nested(self):
        """All names, each followed by its children."""
        def below(name):
            for child in self.classes:
                if child not in seen and (name in self.tree.parents[child] if name else not self.tree.parents[child]):
                    seen.add(child)
                    yield child
                    yield from below(child)

        seen = set()
        return list(below(None))

    def charts(self, truths, answers):
        from matplotlib.figure import Figure

        true, _, chances = self._tables(truths, answers)
        return {"precision_recall": self._precision_recall(Figure((11, 4.5), layout="constrained"), true, chances),
                "calibration": _calibration(Figure((5, 4), layout="constrained"), true.ravel(), chances.ravel())}

    def _precision_recall(self, figure, true, chances):
        """Precision over recall of all decisions together, and the average precision of each label beside its share."""
        curve, bars = figure.subplots(1, 2)
        order = np.argsort(-chances, axis=None, kind="stable")
        right = np.cumsum(true.ravel()[order])
        curve.plot(right / max(1, right[-1]), right / np.arange(1, len(right) + 1), color="red")
        curve.axhline(true.mean(), color="#b0892f", ls="--", label="chance")
        curve.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        curve.legend()
        shown = [n for n in np.argsort(-true.sum(0), kind="stable")[:30] if true[:, n].any()]
        names = [f"{self.classes[n]} ({true[:, n].sum()})" for n in shown]
        bars.barh(names, [average_precision(true[:, n], chances[:, n]) for n in shown], color="red", label="model")
        bars.plot([true[:, n].mean() for n in shown], names, "|", ms=9, mew=2, color="#b0892f", label="chance")
        bars.invert_yaxis()
        bars.tick_params(axis="y", labelsize=7)
        bars.set(xlabel="average precision", xlim=(0, 1))
        bars.legend(loc="lower left")
        return figure


def average_precision(true, chances):
    """Mean precision at the ranks of the true ones; among equal chances, that of the whole group of equals."""
    if not true.any():
        return float("nan")
    order = np.argsort(-chances, kind="stable")
    sorted_chances, right = -chances[order], np.cumsum(true[order])
    last = np.searchsorted(sorted_chances, sorted_chances, side="right") - 1
    return float((right[last] / (last + 1))[true[order]].mean())


def best_cut(true, chances):
    """The threshold with the best F1, in the middle between two chances."""
    order = np.argsort(-chances, kind="stable")
    chances, right = chances[order], np.cumsum(true[order])
    ends = np.append(chances[:-1] > chances[1:], True)  # a threshold cannot part equals
    f1 = np.where(ends, 2 * right / (np.arange(1, len(right) + 1) + right[-1]), -1)
    at = int(f1.argmax())
    return float((chances[at] + (chances[at + 1] if at + 1 < len(chances) else 0.0)) / 2)


def thresholds(true, chances, least=20):
    """A threshold for each label (columns), of the best F1; labels with under `least` examples share one."""
    shared = best_cut(true.ravel(), chances.ravel())
    return np.array([best_cut(column, chances[:, n]) if column.sum() >= least else shared
                     for n, column in enumerate(true.T)], np.float32)


def _calibration(figure, true, chances):
    """How often a label is there where its probability is so and so: on the diagonal, it can be believed."""
    ax = figure.subplots()
    bins = np.clip((chances * 10).astype(int), 0, 9)
    full = [n for n in range(10) if (bins == n).any()]
    ax.plot([0, 1], [0, 1], color="#b0892f", ls="--", label="can be believed")
    ax.plot([chances[bins == n].mean() for n in full], [true[bins == n].mean() for n in full], "o-", color="red", label="model")
    gap = sum(abs(chances[bins == n].sum() - true[bins == n].sum()) for n in full) / len(true)
    ax.set(xlabel="probability", ylabel="share of labels that are there", title=f"calibration error {gap:.3f}")
    ax.legend()
    return figure
