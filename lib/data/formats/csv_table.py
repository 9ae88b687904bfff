"""CSV of the user's own table (RFC 4180, UTF-8), any task: every column goes in and comes out."""

import csv
import io
import math

from lib.storage import files, tables


def read(job, path):
    """The columns of a CSV with their types (ours as the job wants them, the others text), and its rows as records.

    An empty cell is NULL. ValueError names the line, the column and the value that cannot be loaded.
    """
    names, rows = _read(path)
    kinds = _kinds(job, names, path)
    records = [{name: parse_cell(f"line {line}", name, text, kinds[name]) for name, text in zip(names, texts, strict=True)}
               for line, texts in rows]
    if not records:
        raise ValueError(f"{path} holds a header and no rows")
    return kinds, records


def write(job, path, table=""):
    """Write the whole table as CSV and return the number of rows."""
    names, rows = tables.read_table(job, table)
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])  # lines end as RFC 4180 says, and a lone \r is quoted
    files.write(path, text.getvalue())
    return len(rows)


def _read(path):
    """Column names, and the rows with the line each ends on; ValueError where it is no proper CSV."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            names = next(lines, [])
            rows = [(lines.line_num, values) for values in lines if values]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not CSV in UTF-8: {error}") from error
    if not names or not all(names) or len(set(names)) < len(names):
        raise ValueError(f"the first line of {path} must name every column once; it is {','.join(names)[:200]!r}")
    for line, values in rows:
        if len(values) != len(names):
            raise ValueError(f"line {line} of {path} has {len(values)} values for {len(names)} columns")
    return names, rows


def _kinds(job, names, path):
    """The type of every column of the file: ours as the job wants them, the others text."""
    ours = {column: job.columns.get(name, str) for name, column in job.params.data.columns.items() if column}
    for name in ("image", *job.columns):
        column = job.params.data.columns.get(name)
        if column not in names:
            raise ValueError(f"{path} has no column {column!r} (data.columns.{name}); it has {', '.join(names)}")
    return {name: ours.get(name, str) for name in names}


def parse_cell(place, name, text, kind):
    """What a text means in a column; None where it is empty or NaN. ValueError."""
    if "\0" in text:
        raise ValueError(f"{place}, column {name}: PostgreSQL holds no NUL character; take it out of the file")
    if text == "":
        return None
    try:
        value = kind(float(text)) if kind is int and float(text).is_integer() else kind(text)
        if value in (math.inf, -math.inf):
            raise ValueError
    except (ValueError, OverflowError):
        word = {int: "a whole number", float: "a finite number"}.get(kind, kind.__name__)
        raise ValueError(f"{place}, column {name}: {text!r} is not {word}; nothing was loaded") from None
    return None if value != value else value  # NaN, which means missing
