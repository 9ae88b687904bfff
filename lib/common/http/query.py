"""The names in a query: few of them, before anything parses it, and none that the path does not know."""

import difflib

from lib.common.http.problem_details import Problem

LONGEST = 8 * 1024  # bytes of a query
MOST = 32           # values in a query


def check_size(scope):
    """Problem `bad_request` where the query is longer than any that is needed; what parses it later may be quadratic."""
    query = scope["query_string"]
    if len(query) > LONGEST or query.count(b"&") >= MOST:
        raise Problem("bad_request", f"the query is longer than {LONGEST} bytes or holds more than {MOST} values")


def check_names(request, known):
    """Problem `bad_query` where the query names something else than `known`: a misspelt name must not pass unseen."""
    for name in request.query_params:
        if name not in known:
            raise Problem("bad_query", f"this path takes no {name[:40]!r} in its query; {instead(name, known)}")


def instead(name, known):
    """What could be meant by a name that is not known, as words."""
    near = difflib.get_close_matches(name[:40].lower(), known, 1)
    there = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
    return there + (f"; did you mean {near[0]}?" if near else "")
