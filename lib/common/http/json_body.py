"""A JSON body, strictly parsed, and bounded by what parsing it costs."""

import json
import math
import re

from lib.common.http.problem_details import Problem

NESTED = 200     # brackets that a body may open: far more than any needs, far less than hurts
MEMBERS = 2_000  # commas
LARGEST = 2**63  # no number is this large: what stores them takes 64 bits
ESCAPED = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def parse(content, nested=NESTED, members=MEMBERS, code="bad_json"):
    """A JSON object as a dict; else a Problem with this code.

    Refused are a key that is there twice, NaN and infinite numbers, whole numbers of more than 64 bits, more than `nested`
    brackets, and more than `members` commas.
    """
    if content.count(b"[") + content.count(b"{") > nested or content.count(b",") > members:
        raise Problem(code, f"the JSON opens more than {nested} brackets or has more than {members} commas")
    try:
        found = json.loads(str(content, "utf-8"), object_pairs_hook=_once, parse_constant=_no_number,
                           parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:  # UnicodeError too
        raise Problem(code, "the body is not JSON, repeats a key, or holds NaN or a number that is too large") from error
    if not isinstance(found, dict):
        raise Problem(code, "the body must be a JSON object")
    return found


def storable(content, values):
    """Whether PostgreSQL can hold the texts of `values`, parsed from `content`: they hold no NUL and no lone surrogate."""
    if not ESCAPED.search(content):  # what is written out is valid UTF-8, and JSON has no NUL
        return True
    try:
        text = json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return not NUL.search(text)


def _once(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _no_number(word):
    raise ValueError(f"{word} is no JSON")


def _finite(word):
    if not math.isfinite(number := float(word)):
        raise ValueError("a number is too large")
    return number


def _whole(word):
    if len(word) > 20 or not -LARGEST <= (number := int(word)) < LARGEST:
        raise ValueError("a number is too large")
    return number
