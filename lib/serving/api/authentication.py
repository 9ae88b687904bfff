"""Bearer tokens: who may ask, and who may change what is served. The file holds their hashes alone."""

import hmac
import secrets
import stat
from pathlib import Path

from lib.common import config
from lib.common.http import bearer
from lib.storage import files

ROLES = ("predict", "admin")  # admin may do all that predict may


def make(path, role, name=""):
    """A new token of a role, to be handed to its user; only its hash is added to the file, under the name."""
    there = read(path) if Path(path).exists() else []
    token = "cb_" + secrets.token_urlsafe(32)
    files.write_json(path, {"tokens": [*there, {"name": name, "role": role, "sha256": bearer.digest(token)}]})
    return token


def read(path):
    """The entries of a token file; ConfigError where it is missing, malformed, empty, or open to others' writing."""
    path, make_one = Path(path), "make one with python -m lib.api token FILE"
    if not path.is_file():
        raise config.ConfigError(f"api.tokens is {str(path)!r}, which is no file; {make_one}")
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise config.ConfigError(f"api.tokens is {str(path)!r}, which others may write; chmod go-w it")
    try:
        content = files.read_json(path)
        entries = content["tokens"]
        good = entries and all(entry["role"] in ROLES and len(bytes.fromhex(entry["sha256"])) == 32
                               for entry in entries)
    except (ValueError, TypeError, KeyError, OSError):
        good = False
    if not good:
        raise config.ConfigError(f"api.tokens is {str(path)!r}, which holds no tokens; {make_one}")
    return entries


class Tokens:
    """The tokens of a file, read afresh when it has been replaced; where it cannot be read, nobody is let in."""

    def __init__(self, path):
        self.path, self._mark, self._entries = Path(path), None, ()

    def role(self, token):
        """The role of a token; None of one that is not in the file."""
        found, given = None, bearer.digest(token)
        for entry in self._fresh():  # every one, so that the time tells nothing
            if hmac.compare_digest(entry["sha256"], given):
                found = entry["role"]
        return found

    def _fresh(self):
        try:
            about = self.path.stat()
            if self._mark != (mark := (about.st_ino, about.st_mtime_ns, about.st_mode)):
                self._entries, self._mark = read(self.path), mark
        except (OSError, config.ConfigError):
            self._entries, self._mark = (), None
        return self._entries
