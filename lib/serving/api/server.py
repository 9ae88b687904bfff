"""Serve here and now, or start a server in a process of its own and ask it."""

import contextlib
import errno
import functools
import io
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from lib.common import config
from lib.serving import prediction
from lib.serving.api import authentication, load_check, model_store

HEADERS_WITHIN = 8_000     # ms that a client may take for its headers; granian then closes the connection
HEADERS_LARGEST = 64 * 1024  # bytes
SWITCH = 0.001             # s after which a thread that answers lets the event loop have Python's lock; 0.005 by itself
DRAIN = 20                 # s that requests may take to end after SIGTERM


def serve(folder, settings, ready=None):
    """Serve an export with the settings of the block `api` until SIGTERM or SIGINT, then finish what is asked.

    An export that must not be served is BadExport; a port that cannot be had, a host that others can reach without a
    token, a certificate that is none, are ConfigErrors. All come at once.
    `folder` is an export or a served folder (shelf); port 0 takes any free one, standard error says which.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, SSLProtocols

    check_access(settings)
    for export in model_store.exports(folder):
        prediction.check(export)
    port = settings.port or any_port(settings.host)
    check_port(settings.host, port)
    print(f"core-box api: {_scheme(settings)}://{settings.host}:{port}/docs", file=sys.stderr, flush=True)
    pair = {"ssl_cert": Path(settings.certificate), "ssl_key": Path(settings.key),
            "ssl_protocol_min": SSLProtocols.tls12} if settings.certificate else {}
    server = Granian(
        "lib.serving.api.app", address=settings.host, port=port, interface=Interfaces.ASGI, http=HTTPModes.http1,
        websockets=False, workers=settings.processes, workers_kill_timeout=DRAIN, respawn_failed_workers=True,
        log_enabled=False, http1_settings=http1(), **pair)
    if ready:
        server.on_startup(ready)
    with contextlib.ExitStack() as held:
        if settings.redirect:
            held.enter_context(_redirecting(settings, port))
        if settings.processes > 1:  # before anything imports prometheus_client: they count into files there
            folders = tempfile.TemporaryDirectory(prefix="core-box-metrics-", ignore_cleanup_errors=True)
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = held.enter_context(folders)
        server.serve(target_loader=functools.partial(_application, Path(folder), settings, os.getpid()),
                     wrap_loader=False)


def http1():
    """What granian bounds of a client's headers."""
    from granian.http import HTTP1Settings

    return HTTP1Settings(header_read_timeout=HEADERS_WITHIN, max_buffer_size=HEADERS_LARGEST)


@contextlib.contextmanager
def _redirecting(settings, to):
    """Send plain HTTP on to HTTPS while the block lasts, in a process of its own."""
    check_port(settings.host, settings.redirect)
    words = ["-m", "lib.common.http.redirect", settings.host, str(settings.redirect), str(to)]
    with subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, env=load_check.environment()) as process:
        try:
            yield
        finally:
            process.terminate()


def _application(folder, settings, parent):
    """The application of one process, which is bounded in memory and ends with its `parent`, which watches over it."""
    import resource

    from lib.serving.api.app import create

    sys.setswitchinterval(SWITCH)
    if settings.memory:
        resource.setrlimit(resource.RLIMIT_DATA, (settings.memory * 2**20,) * 2)
    return with_parent(create(folder, settings), parent)


def with_parent(application, parent):
    """The application; this process ends as by SIGTERM once its parent (a process id) has gone, however that went."""
    import signal

    def watch():
        while True:
            time.sleep(0.5)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)  # again and again: in its first moments it would be deaf to one

    threading.Thread(target=watch, name="parent", daemon=True).start()
    return application


def check_access(settings):
    """Refuse, as a ConfigError, to be open to others without tokens, and a token file or certificate that is none."""
    if settings.tokens:
        authentication.read(settings.tokens)
    elif not _loopback(settings.host):
        raise config.ConfigError(f"api.host is {settings.host!r}, which others may reach, and api.tokens names no file "
                                 "of tokens; make one with python -m lib.api token FILE")
    if settings.certificate or settings.key:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.certificate, settings.key,
                                                                               password=_no_password)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise config.ConfigError(f"api.certificate {settings.certificate!r} and api.key {settings.key!r} are no "
                                     "pair of PEM files without a password") from error
    if settings.redirect and not settings.certificate:
        raise config.ConfigError(f"api.redirect is {settings.redirect}, and there is no HTTPS to send on to; set "
                                 "api.certificate and api.key, or api.redirect=0")


def _no_password():
    raise ValueError("the key has a password")


def _loopback(host):
    """Whether nobody but this machine reaches an address or name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _scheme(settings):
    return "https" if settings.certificate else "http"


def check_port(host, port):
    """Refuse, as a ConfigError, an address that cannot be listened on; granian would share a taken port silently."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        words = {errno.EADDRINUSE: "is in use; stop what listens there or choose another api.port",
                 errno.EACCES: "is not allowed to this user; choose an api.port above 1023"}
        raise config.ConfigError(f"port {port} of {host} " + words.get(
            error.errno, f"cannot be listened on: {error.strerror or error}")) from error


def start(folder, settings, deadline=60.0, token=""):
    """A Server in a process of its own that serves an export, ready to be asked, with a `token` where it wants one.

    Where it does not come up within `deadline` seconds, a RuntimeError says why; a port that cannot be had is a
    ConfigError. Port 0 takes any free one.
    """
    check_port(settings.host, settings.port)
    port = settings.port or any_port(settings.host)
    return Server(Path(folder), config.Params({**settings.plain(), "port": port}), deadline, token)


def any_port(host):
    """A port of `host` that nobody listens on now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return probe.getsockname()[1]


class Server:
    """A server process: `url`, `ask`, `stop`; as a context manager it is stopped at the end of the block.

    It ends, too, when the process that started it does.
    """

    def __init__(self, folder, settings, deadline=60.0, token=""):
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        self.url = f"{_scheme(settings)}://{f'[{host}]' if ':' in host else host}:{settings.port}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = _opener(settings.certificate)
        words = [f"api.{key}={json.dumps(value)}" for key, value in settings.plain().items()]
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lib.api", str(folder), "--with-stdin", "--set", *words],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
            env=load_check.environment())
        try:
            self._wait(time.monotonic() + deadline)
        except BaseException:
            self.stop()
            raise

    def _wait(self, until):
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once: {self._last_words()}")
            try:
                if self.get("/v2/health/ready").get("ready"):
                    return
            except OSError:  # it does not listen yet
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"the server is not ready in time: {self._last_words()}")
            time.sleep(0.05)

    def _last_words(self):
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing"

    def ask(self, picture, path="/predict", **query):
        """The answer for a picture (bytes or a path) as the API sends it, or its problem details with `code`.

        `query` is what the task lets one ask: `ask(picture, mode=8)`.
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
        """Let the API look at its served folder now; what it serves then, or a problem with the reason."""
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
            status = self.process.wait(DRAIN + 5)
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


def end_with_stdin():
    """End this process as SIGTERM does once its standard input is closed: its parent has gone."""
    import signal

    def watch():
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
