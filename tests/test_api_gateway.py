"""The API as a Lambda function: events as API Gateway sends them, bodies in base64 and as text, tokens, errors."""

import base64
import io
import json

import pytest
import toy_export
from PIL import Image
from test_api import picture, problem

from lib.common import config
from lib.serving import prediction
from lib.serving.api import authentication, lambda_handler

BINARY = base64.b64encode(picture()).decode()


def rest(path, body=None, query=None, method="POST", encoded=True, **headers):
    """An event of a REST API (payload format 1.0), as recorded from one, its identifiers put out."""
    headers = {"Accept": "*/*", "Host": "70ixmpl4fl.execute-api.us-east-2.amazonaws.com", "X-Forwarded-Port": "443",
               "X-Forwarded-Proto": "https", "User-Agent": "curl/8.5.0", **headers}
    return {"resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()}, "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
            "pathParameters": {"proxy": path[1:]}, "stageVariables": None, "body": body, "isBase64Encoded": encoded,
            "requestContext": {"resourceId": "2gxmpl", "resourcePath": "/{proxy+}", "httpMethod": method,
                               "path": f"/Prod{path}", "accountId": "123456789012", "protocol": "HTTP/1.1",
                               "stage": "Prod", "domainPrefix": "70ixmpl4fl", "requestTimeEpoch": 1583798639428,
                               "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599", "apiId": "70ixmpl4fl",
                               "identity": {"sourceIp": "192.0.2.1", "userAgent": "curl/8.5.0"}}}


def http(path, body=None, query=None, method="POST", encoded=True, **headers):
    """An event of an HTTP API or a function URL (payload format 2.0)."""
    text = "&".join(f"{name}={value}" for name, value in (query or {}).items())
    return {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": text,
            "headers": {"accept": "*/*", "content-length": str(len(body or "")), "x-forwarded-port": "443",
                        "host": "r3pmxmplak.execute-api.us-east-2.amazonaws.com", "x-forwarded-proto": "https",
                        **{name.lower(): value for name, value in headers.items()}},
            "requestContext": {"accountId": "123456789012", "apiId": "r3pmxmplak", "domainPrefix": "r3pmxmplak",
                               "domainName": "r3pmxmplak.execute-api.us-east-2.amazonaws.com", "stage": "$default",
                               "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
                                        "sourceIp": "192.0.2.1", "userAgent": "curl/8.5.0"},
                               "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "timeEpoch": 1583348638390},
            "body": body, "isBase64Encoded": encoded}


@pytest.fixture(scope="module", params=[rest, http], ids=["format 1.0", "format 2.0"])
def ask(request, tmp_path_factory):
    """A function that sends the Lambda function an event of one kind and returns what it answers, its body read."""
    folder = tmp_path_factory.mktemp("lambda")
    token = authentication.make(folder / "tokens.json", "predict")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COREBOX_EXPORT", str(toy_export.folder(tmp_path_factory)))
        patch.setenv("COREBOX_API", f"api.tokens={folder / 'tokens.json'} api.log={folder / 'log'}")
        lambda_handler._adapter.cache_clear()

        def send(path, *words, **others):
            event = request.param(path, *words, **{"Authorization": f"Bearer {token}", **others})
            answer = lambda_handler.handler(event, None)
            json.dumps(answer)  # what Lambda does with it
            body = answer["body"]
            return Answer(answer, base64.b64decode(body) if answer["isBase64Encoded"] else body.encode())

        yield send
        lambda_handler._adapter.cache_clear()


class Answer:
    def __init__(self, answer, content):
        several = {name: values[-1] for name, values in answer.get("multiValueHeaders", {}).items()}
        self.status_code, self.headers = answer["statusCode"], {**several, **answer["headers"]}
        self.content, self.text = content, content.decode("latin-1")

    def json(self):
        return json.loads(self.content)


def test_a_picture_in_base64_is_answered_as_on_any_server(ask, tmp_path_factory):
    answer = ask("/predict", BINARY, {"mode": "8"})
    found = prediction.load(toy_export.folder(tmp_path_factory)).answer(picture())
    assert answer.status_code == 200 and "row_nb" not in answer.json()
    assert answer.json()["p3x"] == round(found["p3x"]) and answer.json()["model_version"] == toy_export.VERSION
    assert answer.headers["x-trace-id"] == answer.json()["trace_id"]
    assert answer.headers["strict-transport-security"]


def test_every_box_is_sent_where_all_are_asked_for(ask):
    one, every = ask("/predict", BINARY).json(), ask("/predict", BINARY, {"boxes": "all", "mode": "8"}).json()
    assert "boxes" not in one and len(every["boxes"]) == every["boxes_nb"] == one["boxes_nb"] == 1
    assert every["boxes"][0]["p3x"] == one["p3x"] and "row_nb" not in every["boxes"][0]


def test_a_drawn_picture_comes_back_in_base64(ask):
    drawn = Image.open(io.BytesIO(ask("/v1/corners/predict", BINARY, {"draw": "true"}).content))
    assert drawn.format == "PNG" and drawn.size == (320, 240)


def test_json_as_text_is_read_too(ask):
    wanted = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [BINARY]}]}
    answer = ask("/v2/models/corners/infer", json.dumps(wanted), encoded=False).json()
    assert json.loads(answer["outputs"][0]["data"][0])["p1x"] == ask("/predict", BINARY).json()["p1x"]


def test_what_is_wrong_is_a_problem_and_the_next_event_is_answered(ask):
    problem(ask("/predict", base64.b64encode(b"hello").decode()), 415, "not_a_picture")
    problem(ask("/predict", None, encoded=False), 400, "empty")
    problem(ask("/predict", BINARY, Authorization="Bearer cb_none"), 401, "no_token")
    problem(ask("/nothing", method="GET"), 404, "no_path")
    assert ask("/v2/health/ready", method="GET").json() == {"ready": True, "models": {"corners": toy_export.VERSION}}


def test_a_function_without_tokens_is_not_served(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("COREBOX_EXPORT", str(toy_export.folder(tmp_path_factory)))
    monkeypatch.setenv("COREBOX_API", "")
    lambda_handler._adapter.cache_clear()
    with pytest.raises(config.ConfigError, match="api.tokens names no file"):
        lambda_handler.handler(http("/health", method="GET"), None)
    monkeypatch.setenv("COREBOX_EXPORT", "/nowhere")
    monkeypatch.setenv("COREBOX_API", "api.tokens=/nowhere")
    with pytest.raises(config.ConfigError, match="no file; make one"):
        lambda_handler.handler(http("/health", method="GET"), None)
