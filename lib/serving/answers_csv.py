"""The answers to a folder of pictures as a CSV file, which a run that was ended goes on with."""

import csv
import fcntl
import io
import json
from pathlib import Path

from lib.serving.prediction import rounded
from lib.storage import files
from lib.tasks.contract import Served


def write_csv(predictor, folder, out, workers=2, decimals=0, progress=True, compute=None, **limits):
    """Answer every picture of a folder into a CSV (RFC 4180); returns the numbers of rows added and with an error.

    Rows that are there are kept and their pictures skipped, so that a run that was ended goes on. A file with
    other columns or of another model is a ValueError; one that another run is writing is files.Busy.
    """
    header = ["image", *predictor.columns, "error"]
    with _held(out) as handle:
        there = _resume(handle, out, header, predictor.version)
        new = bad = 0
        for row in predictor.answers(folder, progress, workers, there, compute, **limits):
            _append(handle, [_cell(rounded(row, Served.of(predictor.job).pixel_fields, decimals).get(key)) for key in header])
            new, bad = new + 1, bad + (row["error"] is not None)
    return new, bad


def _held(path):
    """A CSV file opened for reading and appending, held against a second writer."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle = open(path, "a+b", buffering=0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise files.Busy(f"{path} is being written by another run; wait for it or choose another file") from error
    return handle


def _resume(handle, path, header, version):
    """The pictures whose rows are there, in a set; a last line that was torn is cut off, a new file gets its header."""
    handle.seek(0)
    content = handle.read()
    whole = _whole(content)
    if whole < len(content):
        handle.truncate(whole)
    if not whole:
        _append(handle, header)
        return set()
    rows = list(csv.reader(io.StringIO(content[:whole].decode("utf-8", "backslashreplace"), newline="")))
    if rows[0] != header:
        raise ValueError(f"{path} has other columns than {', '.join(header)}; choose another file or remove it")
    versions = {row[header.index("model_version")] for row in rows[1:]} - {"", version}
    if versions:
        raise ValueError(f"{path} holds answers of the model {versions.pop()}, not of {version}; "
                         "choose another file or remove it")
    return {row[0] for row in rows[1:]}


def _whole(content):
    """How many bytes of a CSV are whole records: up to the last line end outside quotes."""
    end = quotes = start = 0
    while (at := content.find(b"\r\n", start)) >= 0:
        quotes += content.count(b'"', start, at)
        start = at + 2
        if quotes % 2 == 0:
            end = start
    return end


def _append(handle, cells):
    """Write one record by one call, so that it is there whole or, after a fall, cut off by _whole."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    content = text.getvalue().encode("utf-8", "backslashreplace")
    if handle.write(content) < len(content):
        raise files.DiskFull(28, f"no room to write {handle.name}; the rows so far are kept, make room and run again")


def _cell(value):
    """A value as CSV text: nothing for None, JSON for lists and dicts."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
