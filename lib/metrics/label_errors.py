"""How improbable is a label, by what networks say that have not learned from it? Arrays in, one number a label out.

Above 1 a label is worth a second look.
"""

import numpy as np


def confident(labels, chances):
    """Suspicion of class labels (n,), each of 0 … k - 1, given out-of-sample probabilities (n, k), from 0 to 2.

    It is 1 and how much more probable another class is than the label. A label that the confident joint (arXiv
    1911.00068) counts as wrong is suspect in any case: another class is as probable there as it is, on the average, for
    pictures labelled so. A class that nobody labelled is nobody's.
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
