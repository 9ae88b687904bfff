"""Calibration of probabilities, and the decision of least expected cost."""

import numpy as np


def platt(logits, happened):
    """Slope and offset of Platt's sigmoid for logits (n,) and whether it happened (n,), with his smoothed targets.

    Smoothing (Platt 1999) keeps the probabilities of a perfect separation from becoming 0 and 1. Where one of the
    two never happened, nothing can be learned: (1, 0).
    """
    from sklearn.linear_model import LogisticRegression

    logits, happened = np.asarray(logits, float), np.asarray(happened, bool)
    yes, no = happened.sum(), (~happened).sum()
    if not yes or not no:
        return 1.0, 0.0
    target = np.where(happened, (yes + 1) / (yes + 2), 1 / (no + 2))
    fit = LogisticRegression(C=1e4).fit(np.tile(logits, 2)[:, None], np.repeat([1, 0], len(logits)),
                                        sample_weight=np.concatenate([target, 1 - target]))
    slope = float(fit.coef_[0, 0])
    return (slope, float(fit.intercept_[0])) if slope > 0 else (1.0, 0.0)


def fit_logistic(inputs, labels, ridge=0.01):
    """Weights and bias (d + 1,) of a logistic regression of labels (n,) on inputs (n, d), all under a little ridge.

    ValueError where all labels are alike.
    """
    from sklearn.linear_model import LogisticRegression

    with_ones = np.c_[inputs, np.ones(len(inputs))]
    return LogisticRegression(C=1 / ridge, fit_intercept=False, solver="newton-cholesky", tol=1e-10).fit(
        with_ones, labels).coef_[0]


def reliability(probabilities, happened, bins=10):
    """For equally wide bins of probability that are not empty: mean probability, share that happened, count (n, 3)."""
    probabilities, happened = np.asarray(probabilities, float), np.asarray(happened, float)
    where = np.minimum((probabilities * bins).astype(int), bins - 1)
    rows = [(probabilities[where == each].mean(), happened[where == each].mean(), (where == each).sum())
            for each in range(bins) if (where == each).any()]
    return np.array(rows, float).reshape(-1, 3)


def error(probabilities, happened, bins=10):
    """Expected calibration error: how far apart the two are on average over `reliability`'s bins (arXiv 1706.04599)."""
    table = reliability(probabilities, happened, bins)
    return float((np.abs(table[:, 0] - table[:, 1]) * table[:, 2]).sum() / max(table[:, 2].sum(), 1))


def ranking(scores, happened):
    """Area under the ROC curve (Mann-Whitney, ties count half); NaN where one of the two never happened.

    As scikit-learn's, at a fiftieth of its time: each resample of an interval asks for it.
    """
    scores, happened = np.asarray(scores, float), np.asarray(happened, bool)
    yes, no = happened.sum(), (~happened).sum()
    if not yes or not no:
        return float("nan")
    _, at, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]
    return float((ranks[happened].sum() - yes * (yes + 1) / 2) / (yes * no))


def cheapest(probability, miss, alarm, look):
    """The decision of least expected cost for a part that is bad with this probability: "good", "bad" or "look".

    Passing a bad part costs `miss`, rejecting a good one `alarm`, and inspection by a person `look`.
    """
    costs = {"good": probability * miss, "bad": (1 - probability) * alarm, "look": look}
    return min(costs, key=lambda name: (costs[name], name == "look"))


def selective(certainty, right, part):
    """The accuracy on the most certain fraction `part` (0 … 1) of the answers; ties at its border count with their mean."""
    order = np.unique(-np.asarray(certainty, float), return_inverse=True)[1]
    numbers, hits = np.bincount(order), np.bincount(order, np.asarray(right, float))
    wanted = part * len(order)
    taken = np.clip(wanted - np.concatenate([[0], np.cumsum(numbers)[:-1]]), 0, numbers)
    return float((hits / numbers * taken).sum() / wanted)
