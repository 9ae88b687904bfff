"""Which boxes and pictures are meant? Out of files of gigabytes, read as a stream of blocks by pyarrow.

A few blocks are held, and the rows that were chosen; `python -m benchmarks.openimages` measures it.
"""

import hashlib
import re

import numpy as np

from lib.data.formats.openimages.classes import one
from lib.data.formats.openimages.manifests import FLAGS, Picture

BLOCK = 4 * 2**20       # bytes; pyarrow reads some ahead
SIDES = ("XMin", "XMax", "YMin", "YMax")        # in the order of the file
NAME = re.compile(r"[\w-]+")
KEEP = {"any": None, "without": False, "only": True}
FACTS = ("ImageID", "OriginalURL", "AuthorProfileURL", "OriginalSize", "OriginalMD5", "Rotation")


def boxes(folder, subset, wanted, attributes):
    """The boxes of the classes `wanted` (names by label), as a pyarrow table in the order of the file.

    `attributes` says of each flag (IsOccluded …) any, without or only; -1 in the file means that it is not known,
    which is not "only". ValueError: the file is missing, lacks a column or holds a value that is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    path = one(folder, f"*{subset}-annotations-bbox.csv", "the boxes")
    kinds = {"ImageID": pa.string(), "LabelName": pa.string(), **dict.fromkeys(SIDES, pa.float64()),
             **dict.fromkeys(FLAGS, pa.int8())}
    labels, kept = pa.array(wanted), []
    for block in _blocks(path, kinds):
        good = pc.is_in(block["LabelName"], value_set=labels)
        for flag, way in attributes.items():
            if KEEP[way] is not None:
                good = pc.and_(good, (pc.equal if KEEP[way] else pc.not_equal)(block[flag], 1))
        kept.append(block.filter(good))
    table = pa.Table.from_batches(kept) if kept else pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
    if not len(table):
        raise ValueError(f"{path} holds no box of {', '.join(wanted.values())} with these openimages.attributes; "
                         "take other classes or attributes")
    _sound(table, path)
    return table


def _sound(table, path):
    sides = np.stack([table[name].to_numpy() for name in SIDES], 1)
    bad = ~np.isfinite(sides).all(1) | (sides < -0.01).any(1) | (sides > 1.01).any(1) \
        | (sides[:, 1] <= sides[:, 0]) | (sides[:, 3] <= sides[:, 2])
    if bad.any():
        at = int(bad.argmax())
        raise ValueError(f"{path}: a box of the picture {table['ImageID'][at]} is {sides[at].tolist()}, which is not "
                         "XMin < XMax, YMin < YMax within 0 … 1; take the file as Open Images publishes it")


def _blocks(path, kinds, **options):
    """Record batches of some columns of a CSV, one block after another."""
    import pyarrow as pa
    from pyarrow import csv

    names = options.pop("names", None)
    try:
        reader = csv.open_csv(path, csv.ReadOptions(block_size=BLOCK, column_names=names, skip_rows=1 if names else 0),
                              csv.ParseOptions(**options),
                              csv.ConvertOptions(include_columns=list(kinds), column_types=kinds, strings_can_be_null=False))
        yield from reader
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0][:200]}; it needs the columns "
                         f"{', '.join(kinds)}, as Open Images publishes it") from error


def pictures(folder, subset, table, limit=0):
    """The Pictures of a table of boxes, by id, and how many were left out since the same file came under another id.

    With a `limit` those stay whose ids have the least SHA-1, so a larger limit only adds. Size and MD5 are those of
    the lists for cloud transfer (open-images-dataset-*.tsv) where there are any; a picture on none is left out, since
    it is gone from the web.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    path = one(folder, f"*{subset}-images*rotation.csv", "the pictures with their authors")
    ids = pc.unique(table["ImageID"].combine_chunks())
    kept = [block.filter(pc.is_in(block["ImageID"], value_set=ids))
            for block in _blocks(path, dict.fromkeys(FACTS, pa.string()), newlines_in_values=True)]
    facts = {row["ImageID"]: row for block in kept for row in block.to_pylist()}
    listed = _listed(folder, subset, {row["OriginalURL"] for row in facts.values()})
    if listed is not None:
        facts = {name: {**row, **listed[row["OriginalURL"]]} for name, row in facts.items() if row["OriginalURL"] in listed}
    chosen, double = _once(facts)
    if limit:
        chosen = sorted(chosen, key=lambda name: hashlib.sha1(name.encode(), usedforsecurity=False).digest())[:limit]
    chosen = set(chosen)
    if not chosen:
        raise ValueError(f"{path} knows none of the {len(ids)} pictures with such boxes; take the files of one subset")
    if strange := next((name for name in sorted(chosen) if not NAME.fullmatch(name)), None):
        raise ValueError(f"{path}: {strange[:80]!r} is no ImageID, which files are named by; take the file as Open Images "
                         "publishes it")
    few = table.filter(pc.is_in(table["ImageID"], value_set=pa.array(sorted(chosen))))
    shapes = {}
    for row in few.to_pylist():
        shapes.setdefault(row["ImageID"], []).append(row)
    return [_picture(facts[name], shapes[name]) for name in sorted(chosen)], double


def _once(facts):
    """Ids without those whose file is that of an earlier id, and how many those are."""
    first = {}
    for name in sorted(facts):
        first.setdefault(facts[name]["OriginalMD5"] or name, name)
    return list(first.values()), len(facts) - len(first)


def _listed(folder, subset, urls):
    """Size and MD5 by URL, from the lists for cloud transfer; None where there is no such list."""
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = sorted(folder.glob(f"open-images-dataset-{subset}*.tsv"))
    if not paths:
        return None
    wanted, found, names = pa.array(sorted(urls)), {}, ["OriginalURL", "OriginalSize", "OriginalMD5"]
    for path in paths:
        with open(path, encoding="utf-8") as file:
            first = file.readline().strip()
        if first != "TsvHttpData-1.0":
            raise ValueError(f"{path} begins with {first[:40]!r}, not TsvHttpData-1.0; take the file as it is published")
        for block in _blocks(path, dict.fromkeys(names, pa.string()), names=names, delimiter="\t", quote_char=False):
            found |= {row["OriginalURL"]: row for row in
                      block.filter(pc.is_in(block["OriginalURL"], value_set=wanted)).to_pylist()}
    return found


def _picture(fact, shapes):
    turn = fact["Rotation"].strip().lower()
    try:
        turn = None if turn in ("", "nan") else int(float(turn)) % 360
        size = int(fact["OriginalSize"]) if fact["OriginalSize"] else None
        if turn not in (None, 0, 90, 180, 270):
            raise ValueError
    except ValueError as error:
        raise ValueError(f"the picture {fact['ImageID']} has the Rotation {fact['Rotation']!r} and the size "
                         f"{fact['OriginalSize']!r}; take the file as Open Images publishes it") from error
    sides = [tuple(row[name] for name in ("XMin", "YMin", "XMax", "YMax")) for row in shapes]
    return Picture(fact["ImageID"], fact["OriginalURL"], size, fact["OriginalMD5"], turn,
                   fact["AuthorProfileURL"] or fact["ImageID"], tuple(sides), tuple(row["LabelName"] for row in shapes),
                   tuple(tuple(row[flag] for flag in FLAGS) for row in shapes))
