"""The answers to a folder of pictures as a CSV file, which a run that was ended goes on with."""

import csv
import fcntl
import io
import json
import re
from pathlib import Path

from lib.serving.prediction import rounded
from lib.storage import files
from lib.tasks.contract import Served


def write_csv(predictor, folder, out, workers=2, decimals=0, progress=True, compute=None, every=False, **limits):
    """Answer every picture of a folder into a CSV (RFC 4180); returns the numbers of pictures added and with an error.

    A picture is one row. With `every` it has a row for each thing found, numbered from 1 in a column (`numbering`), and
    one without numbers where nothing was found. Pictures that are there are kept and skipped, so that a run that was
    ended goes on. A file with other columns or of another model is a ValueError; one that another run is writing is
    files.Busy.
    """
    each = numbering(predictor.job) if every else ""
    header = _columns(predictor, each)
    new = bad = 0
    with _held(out) as handle:
        there = _resume(handle, out, header, predictor, each)
        for row in predictor.answers(folder, progress, workers, there, compute, **limits):
            row = rounded(row, Served.of(predictor.job).pixel_fields, decimals)
            _append(handle, [[_cell(line.get(name)) for name in header] for line in _rows(predictor.job, row, each)])
            new, bad = new + 1, bad + (row["error"] is not None)
    return new, bad


def numbering(job):
    """The column that numbers the things found in a picture, such as box; ValueError where the task lists none."""
    listed = Served.of(job).listed
    if not listed:
        raise ValueError(f"{job.name} has one answer for a picture; leave --boxes out")
    return listed[1]


def _columns(predictor, each):
    """The header: without the list of the things found, whose members have columns of their own."""
    listed = Served.of(predictor.job).listed
    return ["image", *([each] if each else []), *(name for name in predictor.columns if name != (listed and listed[0])), "error"]


def _rows(job, row, each):
    """The rows of a picture's answer: itself, or with `each` one for each thing found, at least one."""
    if not each:
        return [row]
    return [{**row, **one, each: at} for at, one in enumerate(row.get(Served.of(job).listed[0]) or [{}], 1)]


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


def _resume(handle, path, header, predictor, each):
    """The pictures whose rows are there, in a set; a last row or picture that was torn is cut off, a new file gets its header."""
    handle.seek(0)
    content = handle.read()
    ends = _ends(content)
    if not ends:
        if not _bytes([header]).startswith(content):
            raise _other_columns(path, header)
        handle.truncate(0)
        _append(handle, [header])
        return set()
    rows = list(csv.reader(io.StringIO(content[:ends[-1]].decode("utf-8", "backslashreplace"), newline="")))
    if rows[0] != header:
        raise _other_columns(path, header)
    if len(rows) != len(ends) or b"\n" in re.sub(rb'"[^"]*"?', b"", content[ends[-1]:]):
        raise ValueError(f"{path} has line ends that are not ours: another program wrote into it; choose another file or remove it")
    versions = {row[header.index("model_version")] for row in rows[1:]} - {"", predictor.version}
    if versions:
        raise ValueError(f"{path} holds answers of the model {versions.pop()}, not of {predictor.version}; "
                         "choose another file or remove it")
    whole = _whole(rows, header, predictor, each)
    if ends[whole - 1] < len(content):
        handle.truncate(ends[whole - 1])
    return {row[0] for row in rows[1:whole]}


def _other_columns(path, header):
    return ValueError(f"{path} has other columns than {', '.join(header)}; choose another file or remove it")


def _whole(rows, header, predictor, each):
    """How many of the rows are of pictures that are there with all of their rows; the last one may have been torn."""
    if not each or len(rows) == 1:
        return len(rows)
    first, number = len(rows) - 1, rows[-1][header.index(f"{Served.of(predictor.job).listed[0]}_nb")]
    while first > 1 and rows[first - 1][0] == rows[-1][0]:
        first -= 1
    return first if number.isdigit() and len(rows) - first < int(number) else len(rows)


def _ends(content):
    """The byte after each whole record of a CSV: after the line ends outside quotes."""
    ends, quotes, start = [], 0, 0
    while (at := content.find(b"\r\n", start)) >= 0:
        quotes += content.count(b'"', start, at)
        start = at + 2
        if quotes % 2 == 0:
            ends.append(start)
    return ends


def _append(handle, rows):
    """Write the rows of a picture by one call, so that they are there whole or, after a fall, cut off by _resume."""
    content = _bytes(rows)
    if handle.write(content) < len(content):
        raise files.DiskFull(28, f"no room to write {handle.name}; the rows so far are kept, make room and run again")


def _bytes(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value):
    """A value as CSV text: nothing for None, JSON for lists and dicts."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
