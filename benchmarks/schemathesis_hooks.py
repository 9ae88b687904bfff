"""What fits a schema and is no picture, no label that is there, is refused: where a valid request is wanted, it gets those.

Named by schemathesis.toml, so that `schemathesis run URL/openapi.json` in this folder uses it; requests that are meant to be
wrong stay as they are. Nothing but schemathesis and the standard library is imported: it has an environment of its own.
"""

import base64
import itertools

import schemathesis

# A grey PNG of 48x36; bytes after its end make each picture another one.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAkCAAAAADqLubWAAAAHklEQVR42mMsYiANMDGMahjVMKphVMOohlENQ0IDABBGALraQdPhAAAAAElFTkSuQmCC")
NUMBERS = itertools.count()
QUERY = ("/v1/select", "/v1/versions")   # of the hub: paths that take a query for pictures


def picture():
    """The bytes of a picture of its own."""
    return PICTURE + b"%d" % next(NUMBERS)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Put a picture, and words that are there, into a request that is meant to be valid."""
    if case.meta is None or not all(one.mode.is_positive for one in (case.meta.generation, *case.meta.components.values())):
        return
    path = case.operation.path
    if path.endswith(("/predict", "/predict/batch", "/pictures")) and case.method == "POST":
        # Sent in place of the generated body, which stays: schemathesis takes bytes for what fits no schema.
        if case.media_type == "multipart/form-data":
            kwargs.update(files=[("file", (f"{next(NUMBERS)}.png", picture()))], data=words(case.body))
        else:
            kwargs.update(data=picture())
    elif path.endswith("/infer"):
        case.body = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1],
                                 "data": [base64.b64encode(picture()).decode()]}]}
    elif path in QUERY and case.method == "POST":
        case.body = {}
    elif path == "/v1/watches" and case.method == "POST":
        case.body = {**case.body, "query": {}}
    elif path == "/v1/trainings" and case.method == "POST":
        case.body = {"version": case.body["version"]}


def words(body):
    """The fields of the hub's form that may be as they come."""
    return {"licence": "CC0-1.0", "labels": str(body.get("labels", ""))[:50].strip()} if isinstance(body, dict) and (
        "licence" in body or "labels" in body) else {}
