"""Repeated cross-validation, learning curves and their extrapolation."""

import numpy as np

REPEATS, FOLDS = 5, 5


def folds(labels, repeats=REPEATS, count=FOLDS):
    """Repeated stratified folds: for each repeat a list of arrays of positions that are held out."""
    from sklearn.model_selection import StratifiedKFold

    for seed in range(repeats):
        splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
        yield [held for _, held in splitter.split(np.zeros(len(labels)), labels)]


def cross_validate(fit, values, labels, repeats=REPEATS, count=FOLDS):
    """Probabilities (repeats, n) for pictures that were held out; `fit(values, labels)` gives a function of values."""
    labels = np.asarray(labels)
    found = np.full((repeats, len(labels)), np.nan)
    for line, parts in zip(found, folds(labels, repeats, count), strict=True):
        for held in parts:
            rest = np.setdiff1d(np.arange(len(labels)), held)
            line[held] = fit(values[rest], labels[rest])(values[held])
    return found


def logistic(values, labels, strength=0.5):
    """Logistic regression on standardised values (n, d): a function of values that gives probabilities."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000)).fit(values, labels)
    return lambda others: fitted.predict_proba(others)[:, 1]


def share(hits, seed=0, rounds=2000, level=0.95):
    """Mean of hits (repeats, n), and its interval when the pictures are drawn anew: (mean, low, high)."""
    each = np.asarray(hits, float).mean(0)  # the repeats of a picture are no new pictures
    picks = np.random.default_rng(seed).integers(0, len(each), (rounds, len(each)))
    tail = (1 - level) / 2
    return float(each.mean()), *map(float, np.quantile(each[picks].mean(1), [tail, 1 - tail]))


def learning_curve(fit, values, labels, sizes, rounds=20, held=0.25, seed=0):
    """Shares that were wrong (sizes, rounds): each round holds out another stratified part and learns from the rest."""
    from sklearn.model_selection import train_test_split

    labels = np.asarray(labels)
    wrong = np.empty((len(sizes), rounds))
    for turn in range(rounds):
        rest, out = train_test_split(np.arange(len(labels)), test_size=held, stratify=labels,
                                     random_state=seed + turn)
        for line, size in zip(wrong, sizes, strict=True):
            few = rest if size > len(rest) - 2 else train_test_split(
                rest, train_size=int(size), stratify=labels[rest], random_state=seed + turn)[0]
            line[turn] = ((fit(values[few], labels[few])(values[out]) > 0.5) != labels[out]).mean()
    return wrong


def extrapolate(sizes, errors):
    """A power law `floor + scale * size ** -power` through errors (floor, scale, power >= 0), as a function of sizes.

    Learning curves follow one over a wide range (arXiv 1712.00409); least squares on a grid of floors.
    """
    sizes, errors = np.asarray(sizes, float), np.maximum(np.asarray(errors, float), 1e-4)
    best = None
    for floor in np.linspace(0, errors.min() * 0.95, 30):
        slope, offset = np.polyfit(np.log(sizes), np.log(errors - floor), 1)
        slope = min(slope, 0.0)
        guess = floor + np.exp(np.mean(np.log(errors - floor) - slope * np.log(sizes)) if slope == 0 else offset) \
            * sizes**slope
        cost = ((guess - errors) ** 2).sum()
        if best is None or cost < best[0]:
            best = cost, floor, slope, np.log(guess - floor)[0] - slope * np.log(sizes[0])
    _, floor, slope, offset = best
    return lambda size: floor + np.exp(offset) * np.asarray(size, float) ** slope
