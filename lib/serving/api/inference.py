"""The Open Inference Protocol, version 2, as JSON: one input `image`, base64 texts; one output `answer`, JSON texts.

https://github.com/kserve/open-inference-protocol, "HTTP/REST"
"""

import base64
import binascii
import json

from lib.common.http.problem_details import Problem

NESTED = 200     # brackets that a request may open: far more than any needs, far less than hurts
MEMBERS = 2_000  # commas; base64 has none


def about(predictor):
    """What GET /v2/models/{model} answers."""
    return {"name": predictor.task, "versions": [predictor.version], "platform": "litert",
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "answer", "datatype": "BYTES", "shape": [-1]}]}


def read(content, most):
    """The pictures, the query (name: texts) and the id of an inference request; Problem bad_json or bad_input."""
    request = parse(content)
    inputs, outputs = request.get("inputs"), request.get("outputs", [{"name": "answer"}])
    _hold(isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict), "inputs must hold one input")
    _hold(isinstance(outputs, list) and all(isinstance(one, dict) and one.get("name") == "answer" for one in outputs),
          "outputs may name `answer` alone")
    name, parameters = request.get("id", ""), request.get("parameters", {})
    _hold(isinstance(name, str) and len(name) <= 200 and name.isprintable(), "id must be a short printable text")
    _hold(isinstance(parameters, dict), "parameters must be an object")
    return _pictures(inputs[0], most), {key: [_text(value)] for key, value in parameters.items()}, name


def parse(content):
    """A JSON object, strictly: no key twice, no NaN, no depth that could hurt; else Problem bad_json."""
    if content.count(b"[") + content.count(b"{") > NESTED or content.count(b",") > MEMBERS:
        raise Problem("bad_json", f"the JSON opens more than {NESTED} brackets or has more than {MEMBERS} commas")
    try:
        found = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError too
        raise Problem("bad_json", "the body is not JSON, repeats a key, or holds NaN or Infinity") from error
    if not isinstance(found, dict):
        raise Problem("bad_json", "the body must be a JSON object")
    return found


def _once(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_number(word):
    raise ValueError(f"{word} is no JSON")


def _pictures(given, most):
    """The pictures' bytes of an input of type BYTES."""
    shape, data = given.get("shape"), given.get("data")
    _hold(given.get("name") == "image", "the input is called image")
    _hold(given.get("datatype") == "BYTES", "image has the datatype BYTES: base64 of a JPEG or PNG")
    _hold(isinstance(data, list) and all(isinstance(text, str) for text in data), "data must be a list of texts")
    _hold(isinstance(shape, list) and all(type(length) is int for length in shape) and shape in ([len(data)],
          [len(data), 1]), "shape must be [n], n being the number of texts in data")
    _hold(1 <= len(data) <= most, f"data must hold 1 to {most} pictures")
    try:
        return [base64.b64decode(text, validate=True) for text in data]
    except (binascii.Error, ValueError) as error:
        raise Problem("bad_input", "data must be base64 (RFC 4648, with padding)") from error


def _text(value):
    return json.dumps(value).strip('"')


def _hold(true, sentence):
    if not true:
        raise Problem("bad_input", sentence)


def reply(predictor, answers, name, trace_id):
    """What POST …/infer answers; `name` is the request's id."""
    return {"model_name": predictor.task, "model_version": predictor.version, **({"id": name} if name else {}),
            "parameters": {"trace_id": trace_id},
            "outputs": [{"name": "answer", "datatype": "BYTES", "shape": [len(answers)],
                         "data": [json.dumps(answer, allow_nan=False) for answer in answers]}]}
