"""Files of others: read whole, up to a size, as strict JSON, as XML without entities, or as text."""

import io
import json
import os
import stat
from pathlib import Path

MAX_BYTES = 32 * 2**20   # of one file; a label takes some 400 bytes of JSON
MAX_DEPTH = 20           # of XML; CVAT's own is 8


def read_bytes(path):
    """The bytes of a regular file; ValueError says why it cannot be read and what to do."""
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise ValueError(f"{path} is a folder; name the file in it")
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{path} is not a regular file")
        if about.st_size > MAX_BYTES:
            raise ValueError(f"{path} has {about.st_size / 2**20:.0f} MiB and {MAX_BYTES / 2**20:.0f} are read; "
                             "export fewer pictures at a time")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if data.startswith(b"PK\3\4"):
        raise ValueError(f"{path} is a ZIP archive; unpack it and name the file or folder that was in it")
    return data


def read_text(path):
    """The text of a file in UTF-8; ValueError."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}; "
                         "export the labels anew") from error


def parse_json(path):
    """The content of a JSON file (RFC 8259: no NaN); ValueError."""
    content = read_text(path)
    try:
        return json.loads(content, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply for a file of labels; export them anew") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {str(error)[:200]}; export the labels anew") from error


def _no_constant(name):
    raise ValueError(f"{name} is no number of JSON")


def parse_xml(path):
    """The root element of an XML file; ValueError. A document type, and with it any entity, is refused."""
    from defusedxml import DefusedXmlException, ElementTree

    root, depth, data = None, 0, io.BytesIO(read_bytes(path))
    try:
        for event, element in ElementTree.iterparse(data, events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise ValueError("elements are nested too deeply")
        return root
    except DefusedXmlException as error:
        raise ValueError(f"{path} declares a document type or entities, which a file of labels does not need; "
                         "take the declaration out") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path} is not XML: {str(error)[:200]}; export the labels anew") from error


def walk(folder, suffix):
    """The paths below a folder that end so, in order; links to folders are not followed. ValueError."""
    if not os.path.isdir(folder):
        raise ValueError(f"{folder} is no folder; name the one that holds the {suffix} files")
    return sorted(Path(where, name) for where, _, names in os.walk(folder) for name in names
                  if name.lower().endswith(suffix))
