"""A request's bytes, counted while they are read, and the pictures in them."""

import asyncio
import contextlib

from starlette.requests import ClientDisconnect

from lib.common.http.executor import busy
from lib.common.http.problem_details import Problem

STILL = 0.025        # s without a byte after which a body keeps its place at the desk no longer
AROUND = 64 * 1024   # bytes that a form may add to its picture
OTHERS = 7           # fields a form may have beside its pictures


class Bodies:
    """Reads bodies for a desk, each within `seconds`, all together within `together` bytes of memory."""

    def __init__(self, desk, seconds, together):
        self.desk, self.seconds, self.together, self.held = desk, seconds, together, 0

    @contextlib.asynccontextmanager
    async def read(self, request, limit, place):
        """The body, of at most `limit` bytes, as a bytearray, which counts as held until the block ends.

        A body that stands still loses its place at the desk, so that it is in nobody's way. Problem `too_large` before more
        than the limit is read, `slow` where it does not come in time, `busy` where too much is held already.
        """
        _check_headers(request, limit)
        content = bytearray()
        try:
            await self._fill(content, request, limit, place)
            yield content
        finally:
            self.held -= len(content)

    async def _fill(self, content, request, limit, place):
        loop = asyncio.get_running_loop()
        still = loop.call_later(STILL, self.desk.leave, place)
        try:
            async with asyncio.timeout(self.seconds):
                async for chunk in request.stream():
                    still.cancel()
                    still = loop.call_later(STILL, self.desk.leave, place)
                    if len(content) + len(chunk) > limit:
                        raise too_large(limit)
                    if self.held + len(chunk) > self.together:
                        raise busy()
                    content += chunk
                    self.held += len(chunk)
        except TimeoutError as error:
            raise Problem("slow", f"the body did not come within {self.seconds:g} seconds") from error
        except ClientDisconnect as error:
            raise Problem("bad_request", "the body broke off or is malformed") from error
        finally:
            still.cancel()


def _check_headers(request, limit):
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("not_a_picture", "a Content-Encoding is not taken; send the bytes as they are")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise too_large(limit)


def too_large(limit):
    """The Problem of a body over the limit."""
    return Problem("too_large", f"the body is larger than {limit / 2**20:.4g} MiB; send less")


def is_form(request):
    """Whether the body is a form with the picture in a field, as the original sent it."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def pictures(content, content_type, most=1):
    """The bytes of each picture in a form's fields `file`, at least one and at most `most`; else Problem `bad_request`."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Problem("bad_request", "the form has no boundary; send the picture's bytes, or a field `file`")
    form = _Form(most + OTHERS)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(content)
        parser.finalize()
    except FormParserError as error:
        raise Problem("bad_request", "the form is malformed; send the picture's bytes, or a field `file`") from error
    if not 1 <= len(form.files) <= most or not form.ended:
        wanted = "one" if most == 1 else f"1 to {most}"
        raise Problem("bad_request", f"the form has {len(form.files)} whole fields `file`; send {wanted}")
    return form.files


class _Form:
    """What the parser finds: the contents of the fields named `file`."""

    def __init__(self, most):
        self.files, self.most, self.parts, self.ended = [], most, 0, False
        self._name = self._value = b""
        self._headers, self._into = {}, None

    def callbacks(self):
        return {f"on_{name}": getattr(self, name) for name in (
            "part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")}

    def part_begin(self):
        self.parts += 1
        if self.parts > self.most:
            raise Problem("bad_request", f"the form has more than {self.most} fields; send fields `file` alone")
        self._headers, self._into = {}, None

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
        if options.get(b"name") == b"file":
            self._into = bytearray()
            self.files.append(self._into)

    def part_data(self, data, start, end):
        if self._into is not None:
            self._into += data[start:end]

    def end(self):
        self.ended = True
