"""The API in a process of its own, and a client that asks it: `start`."""

import io
import json
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from lib.common import config
from lib.common.http import server


def start(folder, settings, deadline=60.0, token="", port=None):
    """A Server in a process of its own that serves an export, ready to be asked, with a `token` where it wants one.

    Where it does not come up within `deadline` seconds, a RuntimeError says why; a port that cannot be had is a
    ConfigError. Port 0 takes any free one; `port` goes before that of the settings.
    """
    port = settings.port if port is None else port
    server.check_port("api", settings.host, port)
    port = port or server.free_port(settings.host)
    return Server(Path(folder), config.Params({**settings.plain(), "port": port}), deadline, token)


class Server:
    """A server process: `url`, `ask`, `stop`; as a context manager it is stopped at the end of the block.

    It ends, too, when the process that started it does.
    """

    def __init__(self, folder, settings, deadline=60.0, token=""):
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        self.url = server.address(host, settings.port, settings.certificate)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = _opener(settings.certificate)
        words = [f"api.{key}={json.dumps(value)}" for key, value in settings.plain().items()]
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lib.api", str(folder), "--with-stdin", "--set", *words],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
            env=server.environment())
        try:
            self._wait(time.monotonic() + deadline)
        except BaseException:
            self.stop()
            raise

    def _wait(self, until):
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once: {self._last_line()}")
            try:
                if self.get("/v2/health/ready").get("ready"):
                    return
            except OSError:  # it does not listen yet
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"the server is not ready in time: {self._last_line()}")
            time.sleep(0.05)

    def _last_line(self):
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing"

    def ask(self, picture, path="/predict", **query):
        """The answer for a picture (bytes or a path) as the API sends it, or its problem details with `code`.

        `query` is what the task lets one ask: `ask(picture, mode=8, boxes="all")`.
        """
        content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        return self._call(f"{path}?{urllib.parse.urlencode(query)}", content)

    def draw(self, picture, path="/predict"):
        """The picture (bytes or a path) with the answer drawn on it by the API, as a PIL image that a notebook shows."""
        from PIL import Image

        content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        return Image.open(io.BytesIO(self._send(f"{path}?draw=true", content)))

    def get(self, path):
        """What the API answers to a GET, as JSON."""
        return self._call(path)

    def metrics(self, *starts):
        """What /metrics counts under names that begin so: {name with labels: number}."""
        lines = [line.rsplit(" ", 1) for line in self._send("/metrics").decode().splitlines()]
        return {name: float(value) for name, value in lines if name.startswith(starts)}

    def reload(self):
        """Have the API read its model store now; returns what it serves then, or a problem with the reason."""
        return self._call("/models/reload", b"")

    def rollback(self, task):
        """Let the API serve what it served before."""
        return self._call(f"/models/{task}/rollback", b"")

    def _call(self, path, content=None):
        try:
            return json.loads(self._send(path, content))
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def _send(self, path, content=None):
        headers = {"Content-Type": "application/octet-stream", **self._headers}
        with self._opener.open(urllib.request.Request(self.url + path, content, headers), timeout=90) as answer:
            return answer.read()

    def stop(self):
        """End the process; what was asked is still answered. Returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(server.DRAIN + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdin.close()
        self._errors.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _opener(certificate):
    """What opens URLs of our own machine: no proxy stands before it, and its certificate is the one we gave it."""
    handlers = [urllib.request.ProxyHandler({})]
    if certificate:
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False  # it is made for the name that others know
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)
