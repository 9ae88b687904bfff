"""The Open Inference Protocol, version 2: one input `image`, one output `answer` of JSON texts.

A picture is base64 text in JSON, or its bytes after the JSON: the binary data extension, which clients of Triton and
KServe speak by default.

https://github.com/kserve/open-inference-protocol, "HTTP/REST"
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import base64
import binascii
import json
from dataclasses import dataclass

from lib.common.http import json_body
from lib.common.http.problem_details import Problem

HEADER = "inference-header-content-length"   # bytes of JSON at the beginning of a body that goes on with binary data
EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository"]
IGNORED = {"sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "headers", "content_type"}


@dataclass
class Request:
    """An inference request: `pictures` (bytes of each), `parameters` (name: [text]), its `id`, whether a binary answer is wanted."""

    pictures: list
    parameters: dict
    id: str
    binary: bool


def about(predictor):
    """What GET /v2/models/{model} answers."""
    return {"name": predictor.task, "versions": [predictor.version], "platform": "litert",
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "answer", "datatype": "BYTES", "shape": [-1]}]}


def configuration(predictor, most):
    """What GET /v2/models/{model}/config answers, as Triton describes a model; it takes `most` pictures at once."""
    return {"name": predictor.task, "platform": "litert", "backend": "litert", "max_batch_size": most,
            "version_policy": {"latest": {"num_versions": 1}},
            "input": [{"name": "image", "data_type": "TYPE_STRING", "dims": [1]}],
            "output": [{"name": "answer", "data_type": "TYPE_STRING", "dims": [1]}]}


def index(predictors):
    """What POST /v2/repository/index answers: the models that are served."""
    return [{"name": one.task, "version": one.version, "state": "READY", "reason": ""} for one in predictors.values()]


def read(content, most, header_length=None):
    """The Request of a body, of at most `most` pictures; Problem `bad_json`, `bad_input` or `bad_request`.

    `header_length` is the text of the header HEADER; None, where the body is JSON alone.
    """
    length = len(content)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdigit()) or int(header_length[:20]) > length:
            raise Problem("bad_request", f"{HEADER} must be the number of bytes of the JSON at the beginning of the body")
        length = int(header_length)
    request = json_body.parse(content[:length] if length < len(content) else content)
    inputs, outputs = request.get("inputs"), request.get("outputs", [{"name": "answer"}])
    _hold(isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict), "inputs must hold one input")
    _hold(isinstance(outputs, list) and all(isinstance(one, dict) and one.get("name") == "answer" for one in outputs)
          and len(outputs) <= 1, "outputs may name `answer` alone")
    name, parameters = request.get("id", ""), _parameters(request)
    _hold(isinstance(name, str) and len(name) <= 200 and name.isprintable(), "id must be a short printable text")
    binary = parameters.pop("binary_data_output", False)
    wanted = _parameters(outputs[0]).get("binary_data", binary) if outputs else binary
    _hold(isinstance(wanted, bool), "binary_data and binary_data_output are true or false")
    return Request(_pictures(inputs[0], most, memoryview(content)[length:]),
                   {key: [_text(value)] for key, value in parameters.items() if key not in IGNORED}, name, wanted)


def _parameters(owner):
    """The member `parameters` of a request, an input or an output."""
    found = owner.get("parameters", {})
    _hold(isinstance(found, dict), "parameters must be an object")
    return dict(found)


def _pictures(given, most, rest):
    """The pictures' bytes of an input of type BYTES; `rest` are the bytes after the JSON."""
    shape, size = given.get("shape"), _parameters(given).get("binary_data_size")
    _hold(given.get("name") == "image", "the input is called image")
    _hold(given.get("datatype") == "BYTES", "image has the datatype BYTES: base64 of a JPEG or PNG, or its bytes")
    if size is None:
        _hold(not len(rest), "what follows the JSON is in no input; give image the parameter binary_data_size")
        found = _decoded(given.get("data"))
    else:
        _hold("data" not in given and type(size) is int and size == len(rest),
              f"binary_data_size must be the {len(rest)} bytes that follow the JSON, with no member data")
        found = _elements(rest, most)
    _hold(isinstance(shape, list) and all(type(length) is int for length in shape) and shape in ([len(found)],
          [len(found), 1]), "shape must be [n], n being the number of pictures")
    _hold(1 <= len(found) <= most, f"image must hold 1 to {most} pictures")
    return found


def _decoded(data):
    """The bytes of base64 texts."""
    _hold(isinstance(data, list) and all(isinstance(text, str) for text in data), "data must be a list of texts")
    try:
        return [base64.b64decode(text, validate=True) for text in data]
    except (binascii.Error, ValueError) as error:
        raise Problem("bad_input", "data must be base64 (RFC 4648, with padding)") from error


def _elements(rest, most):
    """The elements of a binary BYTES tensor: before each, its length as four bytes, little-endian."""
    found, at = [], 0
    while at < len(rest):
        end = at + 4 + int.from_bytes(rest[at:at + 4], "little")
        _hold(at + 4 <= end <= len(rest) and len(found) < most,
              f"the binary data must be 1 to {most} pictures, each after its length as four bytes, little-endian")
        found.append(bytes(rest[at + 4:end]))
        at = end
    return found


def _text(value):
    return json.dumps(value).strip('"')


def _hold(true, sentence):
    if not true:
        raise Problem("bad_input", sentence)


def reply(predictor, answers, request, trace_id):
    """The body and headers of the answer to a Request, in JSON or, where it is wanted, with binary data after it."""
    texts = [json.dumps(answer, allow_nan=False) for answer in answers]
    output = {"name": "answer", "datatype": "BYTES", "shape": [len(texts)]}
    data = b""
    if request.binary:
        data = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in texts)  # JSON of ours is ASCII
        output["parameters"] = {"binary_data_size": len(data)}
    else:
        output["data"] = texts
    head = json.dumps({"model_name": predictor.task, "model_version": predictor.version,
                       **({"id": request.id} if request.id else {}), "parameters": {"trace_id": trace_id},
                       "outputs": [output]}).encode()
    if not request.binary:
        return head, {"content-type": "application/json"}
    return head + data, {"content-type": "application/octet-stream", HEADER: str(len(head))}
