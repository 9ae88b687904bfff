"""What the hub's app reads of a request: JSON of a known form, the pictures of a form, numbers that PostgreSQL can hold."""

import hashlib
from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from lib.common.http import form, json_body, query
from lib.common.http.description import problems
from lib.common.http.problem_details import Problem
from lib.hub import accounts
from lib.hub.datasets import versions
from lib.hub.intake import sources
from lib.hub.web.middleware import bad_input

AROUND = 256 * 1024      # bytes that a form may add to its pictures
FIELDS = 16              # fields a form may have beside its pictures
MAX_JSON = 2**20         # bytes of a JSON body
MAX_WANTED = 8 * 2**20   # bytes of a JSON body with as many names and hashes as may be asked about at once
WANTED = 200_000         # commas and brackets of one, which may be in its names


def account(request: Request):
    """The Account that asks, as the middleware found out before anything was read."""
    return request.state.account


def known_query(request: Request):
    """Problem `bad_query` where the query holds a name that the path does not take."""
    query.check_names(request, {field.alias for field in request.scope["route"].dependant.query_params})


PROBLEMS = problems(400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 503, 507)
FILE = {"description": "The file", "content": {kind: {"schema": {"type": "string", "format": "binary"}}
                                               for kind in ("application/x-tar", "application/zip", "image/png")}}
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["file"], "additionalProperties": False, "properties": {
        "file": {"contentMediaType": "application/octet-stream", "description": "a picture; the field comes once for each"},
        **{name: {"type": "string", "description": words} for name, words in {
            "labels": "joined by ;", "place": "such as Perth, AU", "licence": "an SPDX identifier", "author": "",
            "task": "whose label comes with the pictures", "label": "JSON: an object with the task's columns",
            "sha256": "of each file, joined by commas"}.items()}}}}}}}
KNOWN = set(FORM["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"])
BatchKey = Annotated[str, Path(json_schema_extra={"pattern": r"^[\w.-]{1,100}$"})]
Number = Annotated[int, Path(ge=0, lt=2**63)]            # of a batch, picture, version or training
Who = Annotated[accounts.Account, Depends(account)]


def saved(name):
    """The headers of a file that is saved; the page fetches it in a frame, which other answers forbid."""
    return {"content-disposition": f'attachment; filename="{name}"', "content-security-policy": "sandbox; default-src 'none'"}


class JsonBody:
    """A JSON body of a type (of pydantic), as a dependency that reads it within bounds and parses it in a thread.

    `schema` is what the description says of it where the type says less. Problem `bad_request`.
    """

    def __init__(self, reader, kind, schema=None, limit=MAX_JSON, most=json_body.MEMBERS):
        self.reader, self.limit, self.most = reader, limit, most
        self._kind = TypeAdapter(kind)
        self.about = {"requestBody": {"required": True, "content": {"application/json": {
            "schema": schema or self._kind.json_schema()}}}}

    async def __call__(self, request: Request):
        async with self.reader.read(request, self.limit, owner=account(request).id) as content:
            return await run_in_threadpool(self._parsed, content)

    def _parsed(self, content):
        values = json_body.parse(content, max(json_body.NESTED, self.most // 10), self.most, "bad_request")
        if not json_body.storable(content, values):
            raise bad_input("a text holds a NUL or half a surrogate pair; take it out")
        try:
            return self._kind.validate_python(values, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise Problem("bad_request", f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg']}"[:300]) from error


def _whole(value):
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]   # 5.0 is a whole number to JSON Schema


class Query(BaseModel):
    """What pictures are wanted, for the description; lib.hub.datasets.selection checks the values."""

    model_config = ConfigDict(extra="forbid")

    labels: list[str] = []
    subtree: bool = True
    places: list[str] = Field([], description="AU, or AU/Perth")
    licences: list[str] = []
    quality: float = Field(0.0, ge=0, le=1)
    since: str = Field("", description="a day, such as 2026-11-20")
    until: str = Field("", description="a day, such as 2026-11-20")
    per_label: int = Field(0, ge=0, lt=2**31)
    task: str = ""


class Watch(BaseModel):
    """A query, and how many pictures of each of its labels are waited for."""

    model_config = ConfigDict(extra="forbid")

    query: dict
    least: Whole = Field(ge=1, lt=2**31)


class Wish(BaseModel):
    """A training that is asked for."""

    model_config = ConfigDict(extra="forbid")

    version: Whole = Field(ge=0, lt=2**53)   # as JSON holds exactly (RFC 8259, 6)
    overrides: dict | None = None
    profile: str = ""


def version(hub, number):
    """The version of a data set of this number; Problem `not_found`."""
    try:
        return versions.find(hub, number)
    except ValueError as error:
        raise Problem("not_found", str(error)) from error


def items(content, content_type, most):
    """The Items of a form with 1 to `most` pictures: its files, each with the values of the form's other fields.

    Problem `bad_request` where the form is none, `bad_input` where a field cannot be used.
    """
    fields = form.fields(content, content_type, most + FIELDS)
    sent = [each for each in fields if each.name == "file"]
    words = {each.name: _text(each) for each in fields if each.name != "file"}
    if not 1 <= len(sent) <= most:
        raise Problem("bad_request", f"the form has {len(sent) or 'no'} field{'s' * (len(sent) > 1)} `file`; send a form "
                      f"with 1 to {most} fields `file`")
    if unknown := next((name for name in words if name not in KNOWN), None):
        raise Problem("bad_request", f"the form has a field {unknown[:40]!r}; {query.instead(unknown, KNOWN)}")
    hashes = [each for each in words.get("sha256", "").split(",") if each]
    if hashes and len(hashes) != len(sent):
        raise Problem("bad_request", f"the form has {len(sent)} files and {len(hashes)} hashes in its field `sha256`")
    return [_item(each, words, wanted) for each, wanted in zip(sent, hashes or [""] * len(sent), strict=True)]


def _text(field):
    """A field's text; Problem `bad_input` where it is none."""
    try:
        text = field.data.decode()
    except UnicodeDecodeError as error:
        raise bad_input(f"the field {field.name[:40]!r} is no UTF-8") from error
    if "\0" in text or len(text) > AROUND:
        raise bad_input(f"the field {field.name[:40]!r} holds a NUL or is longer than {AROUND} characters")
    return text


def _item(field, words, wanted):
    data, name = bytes(field.data), field.filename
    sha256 = hashlib.sha256(data).hexdigest()
    if wanted and wanted.lower() != sha256:
        raise bad_input(f"{name[:100]!r} came with the SHA-256 {sha256}, not {wanted[:64]!r}; send it again")
    if wrong := sources.unsafe(name):
        raise bad_input(f"the file name {name[:100]!r} {wrong}; give it another")
    values = {key: words[key] for key in ("place", "licence", "author", "task") if words.get(key)}
    values["labels"] = [label.strip() for label in words.get("labels", "").split(";") if label.strip()]
    if words.get("label"):
        values["label"] = _label(words["label"])
    return sources.Item(name, data, values, sha256)


def _label(text):
    """A task's label from its JSON."""
    content = text.encode()
    try:
        found = json_body.parse(content)
    except Problem as error:
        raise bad_input(f"the field `label` is no JSON object with a task's columns: {error.sentence}") from error
    if not json_body.storable(content, found):
        raise bad_input("the field `label` holds a NUL or half a surrogate pair; take it out")
    return found
