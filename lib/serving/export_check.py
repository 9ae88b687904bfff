"""May this export be used? Its export.json, the hashes of its files and its golden pictures are checked."""

import json
import math
import os
import re
import stat
from pathlib import Path

from lib import tasks
from lib.storage import files

FORMAT = 1                     # of export.json
MAX_CARD = 4 * 2**20           # bytes of export.json
MAX_NETWORK = 2**31            # bytes of a network: what its format (FlatBuffers) can address
MAX_NAME = 200                 # characters of a task, profile or version
KEYS = {"format": int, "task": str, "profile": str, "version": str, "settings": dict, "parts": dict}
ENTRY = {"file": str, "sha256": str, "input": list, "outputs": dict}
GOLDEN = {"file": str, "sha256": str, "truth": dict, "limit": float}


class BadExport(ValueError):
    """An export that must not be used; the message names the file and what is wrong with it."""


def check(folder, task=None, golden=True):
    """export.json of a folder as a dict; BadExport where its form or the hash of a file is wrong, or golden pictures lack.

    Files are hashed, and neither networks nor pictures are decoded. `golden` False is for an export that is not to be
    served: it needs no golden pictures.
    """
    folder = Path(folder)
    content = read_card(folder)
    if task and content["task"] != task:
        raise BadExport(f"{folder.name} is an export of {content['task']}, not of {task}")
    if content["task"] not in tasks.names():
        raise BadExport(f"{folder.name} is an export of {content['task']!r}; there are {', '.join(tasks.names())}")
    for name, entry in content["parts"].items():
        _check_form(entry, ENTRY, f"export.json of {folder.name}, part {name[:80]},")
    for entry in content.get("golden", ()):
        _check_form(entry, GOLDEN, f"export.json of {folder.name}, golden picture,")
    for entry in (*content["parts"].values(), *content.get("golden", ())):
        _check_file(folder, entry)
    if golden and not content.get("golden"):
        raise BadExport(f"{folder.name} has no golden pictures, by which a model is tried before it is used; train again, "
                        "with a validation split that has pictures")
    return content


def members(content):
    """The names of the files that belong to an export, from its checked export.json."""
    entries = (*content["parts"].values(), *content.get("golden", ()))
    return ["export.json", *(entry["file"] for entry in entries)]


def check_golden_pictures(predictor, folder, content):
    """The answers to the golden pictures of an export (its checked export.json); BadExport where one is worse than its limit."""
    job, answers = predictor.job, []
    sign = 1 if job.primary_metric.best == "low" else -1
    for entry in content.get("golden", ()):
        answers.append(predictor.answer(folder / entry["file"]))
        score = job.score(entry["truth"], answers[-1]).get(job.primary_metric.name)
        if score is None or not sign * score <= sign * entry["limit"]:
            raise BadExport(f"{folder.name} fails its golden picture {entry['file']}: {job.primary_metric.name} is {score}, "
                            f"{entry['limit']:g} is the limit; the model is not fit to be served")
    return answers


def read_card(folder):
    """export.json of a folder as a dict that has the KEYS, with their types; BadExport."""
    folder = Path(folder)
    what = f"export.json of {folder.name}"
    try:
        content = json.loads(read_text(folder / "export.json", what), parse_constant=_refuse_number, parse_float=_number)
    except FileNotFoundError as error:
        raise BadExport(f"{folder.name} holds no export.json; export a run into it first") from error
    except BadExport:
        raise
    except (OSError, ValueError, RecursionError) as error:
        wrong = "is not JSON" if isinstance(error, ValueError) else "cannot be read"
        raise BadExport(f"{what} {wrong}: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise BadExport(f"{what} holds no object")
    _check_form({"format": content.get("format")}, {"format": int}, what)
    if content["format"] != FORMAT:
        newer = content["format"] > FORMAT
        raise BadExport(f"{folder.name} is of format {str(content['format'])[:20]}; this program reads format {FORMAT}, "
                        + ("update it" if newer else "export the run again"))
    _check_form(content, KEYS, what)
    for key in ("task", "profile", "version"):
        if len(content[key]) > MAX_NAME or not content[key].isprintable():
            raise BadExport(f"{what} needs {key} as at most {MAX_NAME} printable characters and has "
                            f"{len(content[key])}: {content[key][:40]!r}")
    if not content["parts"]:
        raise BadExport(f"{what} names no parts")
    if not isinstance(content.get("golden", []), list):
        raise BadExport(f"{what} needs golden as a list")
    return content


def read_text(path, what):
    """The text of a regular file of at most MAX_CARD bytes; BadExport names it as `what`. A pipe is not waited for."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadExport(f"{what} is no regular file")
        content = file.read(MAX_CARD + 1)
    if len(content) > MAX_CARD:
        raise BadExport(f"{what} is larger than {MAX_CARD // 2**20} MiB")
    return content.decode("utf-8")


def _refuse_number(text):
    raise ValueError(f"{text} is no number in JSON")


def _number(text):
    """A float of export.json; 1e999 is no number either."""
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _check_form(content, keys, what):
    """Raise BadExport for a dict that lacks one of `keys` or holds another type under it."""
    if not isinstance(content, dict):
        raise BadExport(f"{what} is {type(content).__name__}, not an object")
    for key, kind in keys.items():
        if type(content.get(key)) is not kind:
            raise BadExport(f"{what} needs {key} as {kind.__name__} and has {str(content.get(key))[:40]!r}")


def _check_file(folder, entry):
    """Raise BadExport for a file outside its folder, missing, or with another hash; reads it in constant memory."""
    name = entry["file"]
    if name != Path(name).name or "\\" in name or not name.isprintable() or name in ("", ".."):
        raise BadExport(f"export.json of {folder.name} names the file {name[:80]!r}; it must lie in the same folder")
    path = folder / name
    if not path.is_file():
        raise BadExport(f"{name[:80]} is missing in {folder.name}")
    if not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
        raise BadExport(f"export.json of {folder.name} holds no SHA-256 for {name}")
    if path.stat().st_size > MAX_NETWORK:
        raise BadExport(f"{name} in {folder.name} is larger than {MAX_NETWORK // 2**30} GiB")
    if files.sha256(path) != entry["sha256"]:
        raise BadExport(f"{name} in {folder.name} is damaged: its SHA-256 is not the one of export.json; export it again")


def first_line(error):
    """The first line of an error's text, or its type where it has none; at most 160 characters."""
    return (str(error) or type(error).__name__).splitlines()[0][:160]
