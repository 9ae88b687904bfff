"""CSV of the user's own table, any task: every column goes in and comes out; written as RFC 4180 says, in UTF-8."""

import csv
import io
import math

from lib.data.formats import reading
from lib.data.formats.csv_dialect import decimal_sign, parse_csv
from lib.storage import files, tables
from lib.storage.table_writes import check_names


def read_records(job, path):
    """The columns of a CSV with their types (ours as the task wants them, the others text), its rows as records, and how
    the file is written, in words.

    An empty cell is None. Of the same row twice one is taken. ValueError names the line, the column and the value that
    cannot be loaded.
    """
    cells = parse_csv(reading.read_bytes(path), path, [column for column in job.params.data.columns.values() if column])
    kinds = _kinds(job, cells.names, path)
    check_names(cells.names)
    if not cells.rows:
        raise ValueError(f"{path} holds a header and no rows")
    sign = decimal_sign((f"line {line}, column {name}", text) for line, texts in cells.rows
                        for name, text in zip(cells.names, texts, strict=True) if kinds[name] in (int, float))
    if sign == "," and cells.separator == ",":
        raise ValueError(f"{path} is separated by commas and writes numbers with commas too; save it with semicolons "
                         "between the columns, or with decimal points")
    records = [{name: parse_cell(f"line {line}", name, text, kinds[name], sign)
                for name, text in zip(cells.names, texts, strict=True)} for line, texts in cells.rows]
    _demand_pictures(records, job.params.data.columns["image"], cells.rows)
    words = [str(cells)] * bool(str(cells)) + ["decimal commas"] * (sign == ",")
    return kinds, records, ", ".join(words)


def write(job, path, table=""):
    """Write the whole table as CSV and return the number of rows."""
    names, rows = tables.read_table(job, table)
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])  # lines end as RFC 4180 says, and a lone \r is quoted
    files.write(path, text.getvalue())
    return len(rows)


def _kinds(job, names, path):
    """The type of every column of the file: ours as the task wants them, the others text."""
    ours = {column: job.columns.get(name, str) for name, column in job.params.data.columns.items() if column}
    for name in ("image", *job.columns):
        column = job.params.data.columns.get(name)
        if column not in names:
            raise ValueError(f"{path} has no column {column!r} (data.columns.{name}); it has {', '.join(names)[:500]}; "
                             f"say how the file calls it: --set 'data.columns.{name}=…'")
    return {name: ours.get(name, str) for name in names}


def _demand_pictures(records, image, rows):
    for record, (line, _) in zip(records, rows, strict=True):
        if record[image] is None:
            raise ValueError(f"line {line}, column {image}: the row names no picture; nothing was loaded")


def parse_cell(place, name, text, kind, sign="."):
    """What a text means in a column; None where it is empty or NaN. `sign` is the decimal sign of numbers. ValueError."""
    if "\0" in text:
        raise ValueError(f"{place}, column {name}: PostgreSQL holds no NUL character; take it out of the file")
    if text.strip() == "":
        return None
    plain = text.replace(sign, ".") if kind in (int, float) else text
    try:
        if kind in (int, float) and "_" in plain:  # Python reads 1_2 as 12
            raise ValueError
        value = kind(float(plain)) if kind is int and float(plain).is_integer() else kind(plain)
        if value in (math.inf, -math.inf):
            raise ValueError
    except (ValueError, OverflowError):
        word = {int: "a whole number", float: "a finite number"}.get(kind, kind.__name__)
        raise ValueError(f"{place}, column {name}: {text!r} is not {word}; nothing was loaded") from None
    return None if value != value else value  # NaN, which means missing
