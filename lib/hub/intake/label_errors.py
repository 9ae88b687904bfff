"""Label errors: which labels disagree with their pictures, by a classifier that did not learn from the picture it judges."""

import numpy as np

from lib.metrics import label_errors

FOLDS = 5
SCALE = 5.0   # of features, which have length one: too small for the regularisation of logistic regression


def cross_validated_probabilities(features, labels, groups=None, seed=0):
    """Out-of-sample probabilities (n, k) of the sorted labels, by logistic regression on features (n, d).

    Pictures of one group (a supplier's batch, a hole) are never on both sides where there are groups enough.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    from threadpoolctl import threadpool_limits

    names, classes = np.unique(labels, return_inverse=True)
    folds = int(min(FOLDS, np.bincount(classes).min()))
    if len(names) < 2 or folds < 2:
        raise ValueError("wrong labels are told from two labels on with two pictures each; submit more of each")
    by_group = groups is not None and all(len(set(np.asarray(groups)[classes == k])) >= folds
                                          for k in range(len(names)))
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed) if by_group else \
        StratifiedKFold(folds, shuffle=True, random_state=seed)
    found = np.full((len(classes), len(names)), 1 / len(names))
    with threadpool_limits(1):   # the matrices are small: more threads would only wait for each other
        for train, test in split.split(features, classes, groups if by_group else None):
            model = LogisticRegression(C=10.0, max_iter=300, tol=1e-3, class_weight="balanced")
            model.fit(features[train] * SCALE, classes[train])
            found[np.ix_(test, model.classes_)] = model.predict_proba(features[test] * SCALE)
    return names, found


def find(features, labels, groups=None, seed=0):
    """How suspect each label is (above 1: worth a look), the label that fits best, and its probability; three arrays (n,).

    Confident learning (Northcutt and others 2021) on cross-validated probabilities.
    """
    names, found = cross_validated_probabilities(features, labels, groups, seed)
    at = np.searchsorted(names, labels)
    best = found.argmax(1)
    return label_errors.confident(at, found), names[best], found[np.arange(len(at)), best]
