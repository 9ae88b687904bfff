"""How is a CSV written? Its encoding, separator and decimal sign, as Excel and others choose them."""

import codecs
import csv
import io
import re
from dataclasses import dataclass

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
ENCODINGS = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
DIRECTIVE = re.compile(r"sep=(.)\s*", re.IGNORECASE)   # Excel's own first line: sep=;


@dataclass(frozen=True)
class Cells:
    """The cells of a CSV as texts: `names` of the columns, `rows` of (line, texts), and how the file is written."""

    names: list
    rows: list
    encoding: str
    separator: str

    def __str__(self):
        """In words, where it is not plain CSV in UTF-8."""
        words = [] if self.encoding == "utf-8-sig" else [ENCODINGS[self.encoding]]
        return ", ".join(words + ([] if self.separator == "," else [SEPARATORS[self.separator]]))


def parse_csv(data, path, wanted):
    """The Cells of a CSV from its bytes; blank rows and columns without a header and values are left out.

    Separated by commas, semicolons or tabs: the one that splits the header into most of the columns `wanted`, then into
    most columns. ValueError where it is no proper CSV.
    """
    encoding, text = _decode(data, path)
    separator, text, skipped = _separator(text, wanted)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        names = [name.strip() for name in next(lines, [])]
        rows = [(lines.line_num + skipped, values) for values in lines if any(value.strip() for value in values)]
    except csv.Error as error:
        raise ValueError(f"{path} is not CSV: {error}; save it anew as CSV in UTF-8") from error
    names, rows = _without_empty_columns(names, rows)
    if not names or not all(names) or len(set(names)) < len(names):
        raise ValueError(f"the first line of {path} must name every column once; it is {','.join(names)[:200]!r}")
    for line, values in rows:
        if len(values) != len(names):
            raise ValueError(f"line {line} of {path} has {len(values)} values for {len(names)} columns, separated by "
                             f"{SEPARATORS[separator]}; put quotes around a value that holds one")
    return Cells(names, rows, encoding, separator)


def _decode(data, path):
    """Encoding and text: UTF-8 where the bytes are, UTF-16 by its mark, else Windows-1252, as Excel writes it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return encoding, data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path} is not CSV in UTF-8, UTF-16 or Windows-1252; save it in Excel as 'CSV UTF-8'")


def _separator(text, wanted):
    """The separator, the text from the header on, and the number of lines before it."""
    first, _, rest = text.partition("\n")
    directive = DIRECTIVE.fullmatch(first)
    if directive and directive[1] in SEPARATORS:
        return directive[1], rest, 1
    headers = {mark: [name.strip() for name in next(csv.reader([first], delimiter=mark), [])] for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: (len(set(wanted) & set(headers[mark])), len(headers[mark]))), text, 0


def _without_empty_columns(names, rows):
    """Without cells behind the last header that hold nothing, as spreadsheets leave them."""
    width = len(names)
    while width and not names[width - 1]:
        width -= 1
    if any(value.strip() for _, values in rows for value in values[width:]):
        return names, rows
    return names[:width], [(line, values[:width]) for line, values in rows]


def decimal_sign(cells):
    """The decimal sign of number cells, pairs of a place and a text; ValueError where comma and point are both in use."""
    commas = next(((place, text) for place, text in cells if "," in text), None)
    points = next(((place, text) for place, text in cells if "." in text), None)
    if commas and points:
        raise ValueError(f"{commas[0]} is {commas[1]!r} and {points[0]} is {points[1]!r}: numbers are written with commas "
                         "and with points; save them with one decimal sign and without thousands separators")
    return "," if commas else "."
