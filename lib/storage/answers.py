"""Answers into a table of PostgreSQL: a row for each picture, or for each thing found in it; or the CSV of `predict`."""

import contextlib
import csv
import itertools
import json
from pathlib import Path

import numpy as np

from lib.storage.table_writes import TYPES, RowChanges, write_rows


def write_answers(job, table, answers, dry_run=False, listed=None, every=False):
    """Write answers (dicts of plain values, or the path of a CSV) into a table and return the RowChanges.

    `image` is one of their columns. The table is made if it is missing; the row of a picture that was answered before is
    updated in the columns that the new answer has. A name that is not UTF-8 is written with its bytes escaped (`\\xe4`).
    `listed` is that of the task (tasks.contract.Served). With `every` the records are the things found, told apart by the
    column listed[1]: the row of one that the new answer has no longer stays, with its values taken out and `refused`.
    Errors as in `write_rows`; ValueError too for a table whose rows are pictures where things are given, or the other
    way round.
    """
    records = _read_csv(answers) if isinstance(answers, str | Path) else answers
    records = [{name: _plain_value(value) for name, value in record.items()} for record in records]
    types = {}
    for name, value in itertools.chain.from_iterable(record.items() for record in records):
        types.setdefault(name, set()).update(() if value is None else {type(value)})
    kinds = {name: _common_type(found) for name, found in types.items()}
    if not records:
        return RowChanges()
    if every:
        return write_rows(job, table, kinds, records, ("image", listed[1]), dry_run, gone=lambda one: _gone(one, *listed))
    return write_rows(job, table, kinds, records, "image", dry_run, never=listed[1] if listed else "")


def _gone(record, listed, each):
    """What becomes of a row whose thing is found no longer, given a record of its picture."""
    kept = ("image", "model", "model_version", f"{listed}_nb")
    return {name: value if name in kept else None for name, value in record.items()} | {"refused": f"no_{each}"}


def _read_csv(path):
    """The rows of a CSV of answers; a column becomes numbers where all its cells are."""
    with open(path, encoding="utf-8", errors="backslashreplace", newline="") as file:
        records = list(csv.DictReader(file))
    for name in records[0] if records else ():
        cells = [record[name] for record in records]
        for kind in (str,) if name == "image" else (int, float, str):
            with contextlib.suppress(ValueError):
                for record, cell in zip(records, [kind(cell) if cell else None for cell in cells], strict=True):
                    record[name] = cell
                break
    return records


def _common_type(types):
    """The one type that holds values of all these types."""
    return float if types == {int, float} else types.pop() if len(types) == 1 else str


def _plain_value(value):
    """A number, a text or None; lists and dicts become JSON, and a text is one that PostgreSQL holds."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is not None and type(value) not in TYPES:
        value = json.dumps(value, ensure_ascii=False)
    return _storable(value) if isinstance(value, str) else value


def _storable(text):
    """A text in which bytes that are not UTF-8, lone surrogates and NUL are escaped."""
    with contextlib.suppress(UnicodeEncodeError):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
