"""What a trained nail network still needs: its memory of good nails, and a probability that means what it says."""

import numpy as np

from lib.metrics import calibration
from lib.tasks.nails import coreset
from lib.tasks.nails.network import LOGIT, PATCHES


def settle(network, stored, rows, seed, frozen=False):
    """Fit a network's memory bank to the good crops of training, mirrored too, and its probability to validation.

    `stored` are crops uint8 (n, h, w, 3), `rows` their labels and splits. On `frozen` features the training
    pictures calibrate too: a linear head hardly overfits, and two dozen pictures alone leave the probabilities near a
    half (benchmarks/LOG.md).
    """
    import keras

    def of(split, label=None):
        at = [n for n, row in enumerate(rows) if row["split"] == split and label in (None, row["label"])]
        return np.stack([stored[n] for n in at]) if at else np.empty((0, *stored.shape[1:]), np.uint8)

    inside = keras.Model(network.input, {name: network.get_layer(name).output for name in (PATCHES, LOGIT)})
    good = of("train", "good")
    if len(good):
        mirrored = np.concatenate([good, good[:, :, ::-1], good[:, ::-1], good[:, ::-1, ::-1]])
        coreset.fit(network.get_layer("anomaly"), inside.predict(mirrored, verbose=0)[PATCHES], seed)
        fresh = of("validation", "good")
        coreset.scale(network.get_layer("anomaly"), network.predict(
            fresh if len(fresh) else good, verbose=0)["anomaly"])
    told = [n for n, row in enumerate(rows) if row["split"] in (("train", "validation") if frozen else ("validation",))]
    if told:
        logits = inside.predict(stored[told], verbose=0)[LOGIT][:, 0]
        slope, offset = calibration.platt(logits, [rows[n]["label"] == "bad" for n in told])
        network.get_layer("label").slope.assign(slope)
        network.get_layer("label").offset.assign(offset)
