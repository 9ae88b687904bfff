"""Whatever bytes come, what reads them answers or raises a Problem, never anything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from lib.common.http import form
from lib.common.http.problem_details import Problem
from lib.serving.api import inference, remote_picture
from lib.serving.api.answers import checked

plain = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9) | some.sampled_from(
    ["image", "BYTES", "answer", "aGVsbG8="])
values = some.recursive(plain, lambda one: some.lists(one, max_size=3) | some.dictionaries(
    some.sampled_from(["name", "datatype", "shape", "data", "mode", "x"]), one, max_size=5), max_leaves=12)
inputs = some.fixed_dictionaries({"name": some.just("image") | values, "datatype": some.just("BYTES") | values,
                                  "shape": some.lists(some.integers(0, 3), max_size=2) | values,
                                  "data": some.lists(some.text("aGVsbG8=", max_size=8), max_size=3) | values})
requests = some.dictionaries(some.sampled_from(["id", "parameters", "outputs", "x"]), values, max_size=3).flatmap(
    lambda others: some.fixed_dictionaries({"inputs": some.lists(inputs | values, max_size=2) | values}).map(
        lambda given: others | given))
QUERY = {"mode": {"enum": [8, 9], "default": 9}}


def read(content):
    try:
        found = inference.read(content, 3)
        json.dumps(found.id).encode()
        assert all(isinstance(one, bytes) for one in found.pictures) and checked(QUERY, found.parameters)["mode"] in (8, 9)
    except Problem as problem:
        assert problem.status == 400 and "\n" not in problem.sentence


@settings(max_examples=200, deadline=None)
@given(requests)
def test_any_json_is_an_inference_request_or_a_problem(request):
    read(json.dumps(request).encode())


@settings(max_examples=200, deadline=None)
@given(some.binary(max_size=200) | some.text('{}[]",:0truefalsnN. \\u', max_size=60).map(str.encode))
def test_any_bytes_are_an_inference_request_or_a_problem(content):
    read(content)


@settings(max_examples=200, deadline=None)
@given(some.lists(some.sampled_from([b"--b", b"\r\n", b"--", b'Content-Disposition: form-data; name="file"', b"x", b":",
                                     b"Content-Type: image/png", b"\0", b";", b'"', b"\xff"]), max_size=20).map(b"".join),
       some.just("multipart/form-data; boundary=b") | some.binary(max_size=30).map(lambda one: one.decode("latin-1")))
def test_any_form_has_its_pictures_or_is_a_problem(content, kind):
    try:
        assert 1 <= len(form.files(content, kind, 3)) <= 3
    except Problem as problem:
        assert problem.status == 400


@settings(max_examples=200, deadline=None)
@given(some.text(max_size=40) | some.text("htps:/.@?#[]%\\ :0123ab", max_size=30).map("https://pictures.example".__add__))
def test_any_url_is_refused_or_leads_to_the_allowed_host(url):
    def resolve(host, port):
        assert (host, port) == ("pictures.example", 443)
        return ["10.0.0.1"]

    with pytest.raises(Problem) as raised:
        remote_picture.Fetcher(["pictures.example"], 1.0, 1, resolve).fetch(url)
    assert raised.value.code == "bad_image_url"
