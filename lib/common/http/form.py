"""The fields of a multipart form (RFC 7578), parsed from bytes that were read whole."""

from dataclasses import dataclass, field

from lib.common.http.problem_details import Problem

AROUND = 64 * 1024   # bytes that a form may add to its files
OTHERS = 16          # fields a form may have beside its files


@dataclass
class Field:
    """A field of a form: its name, the name of its file ("" where it names none), and its bytes.

    Bytes of the file's name that are no UTF-8 are kept as surrogates.
    """

    name: str = ""
    filename: str = ""
    data: bytearray = field(default_factory=bytearray)


def is_form(request):
    """Whether a request's body is a multipart form."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def fields(content, content_type, most):
    """The Fields of a form, at most `most`; Problem `bad_request` where it is malformed or does not end."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Problem("bad_request", "the form has no boundary; send a multipart form as RFC 7578 has it")
    form = _Form(most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(content)
        parser.finalize()
    except FormParserError as error:
        raise Problem("bad_request", "the form is malformed; send a multipart form as RFC 7578 has it") from error
    if not form.ended:
        raise Problem("bad_request", "the form does not end at its boundary")
    return form.fields


def files(content, content_type, most=1):
    """The bytes of each field `file` of a form, at least one and at most `most`; else Problem `bad_request`."""
    found = [one.data for one in fields(content, content_type, most + OTHERS) if one.name == "file"]
    if not 1 <= len(found) <= most:
        wanted = "one" if most == 1 else f"1 to {most}"
        raise Problem("bad_request", f"the form has {len(found)} fields `file`; send {wanted}")
    return found


class _Form:
    """What the parser finds."""

    def __init__(self, most):
        self.fields, self.most, self.ended = [], most, False
        self._name = self._value = b""
        self._headers = {}

    def callbacks(self):
        return {f"on_{name}": getattr(self, name) for name in (
            "part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")}

    def part_begin(self):
        if len(self.fields) >= self.most:
            raise Problem("bad_request", f"the form has more than {self.most} fields")
        self.fields.append(Field())
        self._headers = {}

    def header_field(self, data, start, end):
        self._name += bytes(data[start:end])

    def header_value(self, data, start, end):
        self._value += bytes(data[start:end])

    def header_end(self):
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def headers_finished(self):
        from python_multipart.multipart import parse_options_header

        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        self.fields[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
        self.fields[-1].filename = options.get(b"filename", b"").decode("utf-8", "surrogateescape")

    def part_data(self, data, start, end):
        self.fields[-1].data += data[start:end]

    def end(self):
        self.ended = True
