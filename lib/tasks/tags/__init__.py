"""Several labels a picture, from a tree of labels: a label implies its parents."""

import numpy as np

from lib.tasks.contract import Hierarchical, Metric, Network, RejectedRow, Task
from lib.tasks.tags import figures
from lib.tasks.tags.report import TagsReported
from lib.tasks.tags.review import TagsReviewable
from lib.tasks.tags.thresholds import best_cut, thresholds
from lib.tasks.tags.tree import APART, Tree, is_tree


class TagsNetwork(Network):
    """Its thresholds are fitted once it is trained."""

    def calibrate(self, network, prepared):
        """Set each label's threshold to the one of the best F1 on the validation pictures."""
        at = prepared.of("validation")
        pixels = np.stack([self.example(prepared.stored["network"][n], prepared.rows[n])[0] for n in at])
        truths = np.stack([self.task.encode(prepared.rows[n])[:, 0] for n in at])
        chances = network.predict(pixels.astype(np.float32), verbose=0)[..., 0]
        kernel, _ = network.get_layer("cut").get_weights()
        network.get_layer("cut").set_weights([kernel, thresholds(truths, chances)])


class Tags(Task, TagsReviewable, TagsReported, Hierarchical):
    """Labels with their parents, and the probability of each label of the tree."""

    question = "Which labels fit the picture?"
    columns = {"labels": str}     # joined by ";", each as in the setting tags.labels
    setting_checks = {"tags.labels": (is_tree, "a list of paths such as 'rock > stone', in which no label stands below itself")}
    tree_setting = "tags.labels"
    primary_metric = Metric("f1")

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
        """The row with the parents of its labels. Rejected: no label, or one that is not in tags.labels."""
        names = [name.strip() for name in str(row.get("labels") or "").split(APART) if name.strip()]
        if not names:
            raise RejectedRow("no label")
        unknown = sorted(set(names) - set(self.classes))
        if unknown:
            raise RejectedRow(f"unknown label {unknown[0][:60]}")
        return {**row, "labels": APART.join(self.tree.closed(names))}

    def truth(self, row):
        return {"labels": row["labels"].split(APART)}

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

    def head(self, features):
        """(labels, 2): the probability of each label, and the probability from which on it counts as there."""
        import keras

        pooled = keras.layers.GlobalAveragePooling2D()(features[-1])
        chance = keras.layers.Dense(len(self.classes), activation="sigmoid", name="chance")(pooled)
        # Thresholds travel with the network: a layer that answers its bias, whatever it sees.
        cut = keras.layers.Dense(len(self.classes), kernel_initializer="zeros", name="cut", trainable=False,
                                 bias_initializer=keras.initializers.Constant(0.5))(pooled)
        column = keras.layers.Reshape((len(self.classes), 1))
        return keras.layers.Concatenate(name="network")([column(chance), column(cut)])

    def loss(self):
        from lib.tasks.tags.losses import MultiLabelCrossEntropy

        return MultiLabelCrossEntropy()

    @property
    def networks(self):
        return {"network": TagsNetwork(self)}

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

    def draw(self, ax, answer, color):
        figures.draw(ax, answer, color, self.tree)
