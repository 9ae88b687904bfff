"""Scores of likely label errors, from the predictions of models that were not trained on these labels.

A label that scores above 1 should be reviewed.
"""

import numpy as np


def confident(labels, chances):
    """Label error scores (n,), 0 … 2, of class labels (n,), each 0 … k - 1, by out-of-sample probabilities (n, k).

    The score is 1 plus the probability of the most probable other class minus that of the label. It is above 1 in any case
    for a label that the confident joint (arXiv 1911.00068) counts as wrong: one for which another class is at least as
    probable as it is on average for the pictures with that label. Classes without any label are left out.
    """
    labels, chances = np.asarray(labels, int), np.asarray(chances, float)
    each, present = np.arange(len(labels)), np.isin(np.arange(chances.shape[1]), labels)
    least = np.array([chances[labels == k, k].mean() if present[k] else np.inf for k in range(chances.shape[1])])
    above = np.where(chances >= least, chances, -1.0)
    counted = (above.max(1) > 0) & (above.argmax(1) != labels)
    own, others = chances[each, labels], np.where(present, chances, 0.0)
    others[each, labels] = 0.0
    more = 1.0 + others.max(1) - own
    return np.where(counted, np.maximum(more, 1.001), more)
