"""Which rows of the user's table do the corrected labels of a picture change?"""

from typing import NamedTuple

from lib.data.merging import SAME
from lib.tasks.contract import Located


class Conflict(ValueError):
    """The rows of a picture are not as its reviewer saw them; the text says what differs."""


class Match(NamedTuple):
    """A corrected label, the position of the row that it belongs to (None: a new row), and the label that its reviewer saw."""

    label: dict
    row: int | None = None
    seen: dict | None = None


def match(job, rows, seen, wanted, agree):
    """The Matches of the `wanted` labels of a picture with its rows, given those that its reviewer saw.

    `rows` are the labels of the rows, None for one that is not usable; `agree(one, other)` says whether two labels are the
    same. A row that the reviewer never saw stays as it is where it overlaps with none of these labels, else it is a
    Conflict; so are a row that changed or left since, two rows that say the same, and one whose label the reviewer took
    out: no row is deleted.
    """
    known = [_first(row, seen, agree) for row in rows]
    there = [_first(label, rows, agree) for label in wanted]
    if _repeated(known) or _repeated(there):
        raise Conflict(f"the table has {len(rows)} rows for this picture, and two of them say the same; leave one")
    if None not in there and _beside(job, rows, there, [*wanted, *seen]):
        return [Match(label, at, label if known[at] is None else seen[known[at]]) for label, at in zip(wanted, there, strict=True)]
    if not _beside(job, rows, [at for at, label in enumerate(known) if label is not None], [*seen, *wanted]):
        raise Conflict("the table's label was changed since it was looked at")
    pairs, row_of = _pairs(job, seen, wanted), {label: at for at, label in enumerate(known) if label is not None}
    if not set(pairs.values()) <= row_of.keys():
        raise Conflict("the table has no row for a label of this picture any more")
    if not row_of.keys() <= set(pairs.values()):
        raise Conflict("a label was taken out in the review, and rows are not deleted here; remove its row yourself")
    return [Match(label, row_of[pairs[at]], seen[pairs[at]]) if at in pairs else Match(label) for at, label in enumerate(wanted)]


def _first(label, others, agree):
    """The position of the label in `others` that agrees with this one; None where none does."""
    return next((at for at, other in enumerate(others) if None not in (label, other) and agree(label, other)), None)


def _repeated(found):
    known = [at for at in found if at is not None]
    return len(set(known)) < len(known)


def _beside(job, rows, ours, labels):
    """Whether all other rows than `ours` lie beside these labels."""
    others = [row for at, row in enumerate(rows) if at not in ours]
    if not others:
        return True
    if not Located.of(job).several or None in others:
        return False
    return bool((Located.of(job).overlaps(others, labels) < SAME).all())


def _pairs(job, seen, wanted):
    """{position in wanted: position in seen}: those that overlap most first, what is left over in its order."""
    pairs = {}
    if len(seen) > 1 or len(wanted) > 1:
        shared = Located.of(job).overlaps(wanted, seen)
        while shared.size and shared.max() > 0:
            one, other = divmod(int(shared.argmax()), len(seen))
            pairs[one] = other
            shared[one], shared[:, other] = 0, 0
    left = [at for at in range(len(seen)) if at not in pairs.values()]
    return pairs | dict(zip((at for at in range(len(wanted)) if at not in pairs), left, strict=False))
