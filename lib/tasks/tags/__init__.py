"""Several labels a picture, from a tree of labels: a label implies its parents."""

import numpy as np

from lib.tasks import Job, Refusal
from lib.tasks.tags import figures
from lib.tasks.tags.thresholds import average_precision, best_cut, thresholds
from lib.tasks.tags.tree import APART, Tree, is_tree


class Tags(Job):
    question = "Which labels fit the picture?"
    columns = {"labels": str}     # joined by ";", each as in the setting tags.labels
    checks = {"tags.labels": (is_tree, "a list of paths such as 'rock > stone', in which no label stands below itself")}
    tree_setting = "tags.labels"
    edit = None                   # a set of labels is no single choice; it is reviewed in the hub
    headline, best_is = "f1", "high"
    scales = {"f1": ("F1 of a picture's labels", "mean over pictures", "high"),
              "exact": ("all labels right", "share of the pictures", "high"), "f1_micro": ("F1", "of all decisions", "high"),
              "f1_macro": ("F1", "mean over labels", "high"), "map": ("average precision", "mean over labels", "high")}
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
        from lib.tasks.tags.losses import MultiLabelCrossEntropy

        return MultiLabelCrossEntropy()

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

    def charts(self, truths, answers):
        from matplotlib.figure import Figure

        true, _, chances = self._tables(truths, answers)
        return {"precision_recall": figures.precision_recall(Figure((11, 4.5), layout="constrained"), true, chances,
                                                             self.classes),
                "calibration": figures.calibration(Figure((5, 4), layout="constrained"), true.ravel(), chances.ravel())}

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color, self.tree)

    def chart(self, axes, table):
        figures.chart(axes, table, self.tree)
