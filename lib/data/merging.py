"""Several rows of one picture, each a box of it, as one row; as reviewers left them, and without contradictions."""

import contextlib
import json
from typing import NamedTuple

import numpy as np

from lib.tasks.contract import Located, RejectedRow

TOUCHING = 0.2   # overlap from which on a label replaces another: a correction may move a box far, its neighbour hardly overlaps
SAME = 0.5       # overlap (IoU) from which on two labels of a picture are labels of the same thing


class TableRow(NamedTuple):
    """A row of the table: its `number`, its `values` by our names, and its `label` on the upright picture."""

    number: int
    values: dict
    label: dict


def by_picture(job, rows, pictures):
    """Lists of the rows that belong together: those of one picture where the task knows several labels of one.

    `pictures` names the picture of each row; a row whose picture is None stands alone.
    """
    groups = {}
    for at, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        alone = picture is None or not Located.of(job).several
        groups.setdefault((at,) if alone else picture, []).append(row)
    return list(groups.values())


def corrected(job, rows, revision, first):
    """The TableRows of a picture as reviewers left them: `revision` is the latest that decides, `first` the earliest.

    A correction holds all labels that its reviewer saw. Rows that came into the table afterwards stay beside it: those
    that overlap neither with a corrected label nor with one that the table had at first. RejectedRow where the picture
    was marked as not usable.
    """
    if revision is None:
        return rows
    if revision.status != "accepted":
        raise RejectedRow(f"marked {revision.status}", f"by {revision.who} at {revision.at} {revision.note}".rstrip())
    labels = Located.of(job).labels_of(revision.label)
    first_labels = Located.of(job).labels_of((first or revision).was or {})
    if not Located.of(job).several:
        labels = [{name: value for name, value in revision.label.items() if name in job.columns}]
    return [_on_row(job, rows, label) for label in labels] + _later(job, rows, [*labels, *first_labels])


def _on_row(job, rows, label):
    """The row whose label this one corrects, with the new label: of several the one that it overlaps with most.

    What the table says of that row's label besides its columns (that it is cut) is not said of another one.
    """
    row = rows[0] if len(rows) == 1 else rows[int(Located.of(job).overlaps([label], [row.label for row in rows]).argmax())]
    flags = set(job.params.data.columns) - {"image", "group", *job.columns} if Located.of(job).several else ()
    return row._replace(label={name: value for name, value in row.label.items() if name not in flags} | label)


def _later(job, rows, known):
    """Those of several rows that overlap with none of the labels that are known."""
    if len(rows) == 1:
        return []
    shared = Located.of(job).overlaps([row.label for row in rows], known)
    return [row for row, overlap in zip(rows, shared, strict=True) if overlap.max(initial=0) < SAME]


def pair(job, labels, others):
    """Pairs of positions of labels and others that are places of the same thing, each in one pair at most.

    They overlap; where there is one of each, they belong together in any case.
    """
    if len(labels) == len(others) == 1:
        return [(0, 0)]
    from scipy.optimize import linear_sum_assignment

    shared = Located.of(job).overlaps(labels, others)
    same = np.array([[equal(job, label, other) for other in others] for label in labels], bool).reshape(shared.shape)
    shared[same] = 2.0   # before all others
    found = zip(*linear_sum_assignment(np.where(shared >= TOUCHING, shared, 0.0), maximize=True), strict=True)
    return [(int(i), int(j)) for i, j in found if shared[i, j] >= TOUCHING]


def row_matcher(job):
    """For write_rows: which of the rows of a picture a record is meant for, by the overlap of their labels; None where a
    picture has one label."""
    if not Located.of(job).several:
        return None
    names = {column: name for name, column in job.params.data.columns.items() if column}

    def pair_rows(rows, records):
        """Pairs of positions of a picture's rows and its records, both dicts by the table's own columns."""
        labels = [[{names[column]: value for column, value in each.items() if column in names} for each in some]
                  for some in (rows, records)]
        return pair(job, *labels)

    return pair_rows


def contradictions(job, labels):
    """By position among the checked labels of a picture, why one cannot be used: it repeats or contradicts another."""
    if len(labels) < 2:
        return {}
    wrong, same = {}, Located.of(job).overlaps(labels, labels) >= SAME
    for at, label in enumerate(labels):
        others = [labels[other] for other in np.flatnonzero(same[at]) if other != at]
        if any(not equal(job, label, other) for other in others):
            wrong[at] = "same picture, other labels"
        elif any(equal(job, label, other) for other in labels[:at]):
            wrong[at] = "same picture twice"
    return wrong


def equal(job, one, other):
    """Whether two labels say the same, also where one of them holds texts."""
    return all(same_value(one.get(name), other.get(name)) for name in job.columns)


def same_value(one, other):
    """Whether two values mean the same: as numbers, as JSON, or as texts."""
    with contextlib.suppress(TypeError, ValueError):
        return abs(float(one) - float(other)) <= 1e-6 * max(1.0, abs(float(one)))
    with contextlib.suppress(TypeError, ValueError):
        return json.loads(one) == json.loads(other)
    return one == other


def as_text(row):
    """The row as labels.csv has it: its several labels as JSON."""
    return row | {"boxes": json.dumps(row["boxes"])} if len(row["rows"]) > 1 else row
