"""An ASGI application served by granian: its limits, its port, its certificate, and when its process ends."""

import errno
import ipaddress
import os
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

from lib.common import config

HEADERS_WITHIN = 8_000      # ms that a client may take for its headers; granian then closes the connection
MAX_HEADERS = 64 * 1024     # bytes
DRAIN = 20                  # s that requests may take to end after SIGTERM
SWITCH = 0.001              # s after which a thread that answers lets the event loop have Python's lock; 0.005 by itself


def run(name, load, host, port, pair=("", ""), processes=1, on_startup=None, interface="asgi", drain=DRAIN):
    """Serve the application that `load()` returns in each of `processes`, until SIGTERM or SIGINT.

    `name` is shown where processes are listed; `pair` names the PEM files of a certificate and its key: HTTPS.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings

    certificate, key = pair
    tls = {"ssl_cert": Path(certificate), "ssl_key": Path(key), "ssl_protocol_min": SSLProtocols.tls12} if certificate else {}
    server = Granian(name, address=host, port=port, interface=Interfaces(interface), http=HTTPModes.http1, websockets=False,
                     workers=processes, workers_kill_timeout=drain, respawn_failed_workers=True, log_enabled=False,
                     http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN, max_buffer_size=MAX_HEADERS), **tls)
    if on_startup:
        server.on_startup(on_startup)
    server.serve(target_loader=load, wrap_loader=False)


def scheme(certificate):
    return "https" if certificate else "http"


def address(host, port, certificate=""):
    """The URL at which a server listens."""
    return f"{scheme(certificate)}://{f'[{host}]' if ':' in host else host}:{port}"


# --- what is refused before anything is served; `block` names the settings in the message


def check_certificate(block, certificate, key):
    """Refuse, as a ConfigError, what is no pair of PEM files without a password; two empty names are no certificate."""
    if not (certificate or key):
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise config.ConfigError(f"{block}.certificate {certificate!r} and {block}.key {key!r} are no "
                                 "pair of PEM files without a password") from error


def _no_password():
    raise ValueError("the key has a password")


def is_loopback(host):
    """Whether nobody but this machine reaches an address or name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(block, host, port):
    """Refuse, as a ConfigError, an address that cannot be listened on; granian would share a taken port silently."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        words = {errno.EADDRINUSE: f"is in use; stop what listens there or choose another {block}.port",
                 errno.EACCES: f"is not allowed to this user; choose a {block}.port above 1023"}
        raise config.ConfigError(f"port {port} of {host} " + words.get(
            error.errno, f"cannot be listened on: {error.strerror or error}")) from error


def free_port(host):
    """A port of `host` that nobody listens on now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return probe.getsockname()[1]


# --- when a process ends


def with_parent(application, parent):
    """The application; this process ends as by SIGTERM once its parent (a process id) has gone, however that went."""
    def gone():
        while os.getppid() == parent:
            time.sleep(0.5)
        while True:
            _terminate()  # again and again: in its first moments it would be deaf to one
            time.sleep(0.5)

    threading.Thread(target=gone, name="parent", daemon=True).start()
    sys.setswitchinterval(SWITCH)
    return application


def end_with_stdin():
    """End this process as SIGTERM does once its standard input is closed: its parent has gone."""
    def closed():
        while os.read(0, 1024):
            pass
        _terminate()

    threading.Thread(target=closed, daemon=True).start()


def _terminate():
    import signal

    os.kill(os.getpid(), signal.SIGTERM)


def environment():
    """The environment in which a process of its own finds this package, wherever it is started."""
    paths = str(config.REPOSITORY), os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
