"""voila with a light page before it, and a bound on its kernels."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import tornado.ioloop
import tornado.web
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from traitlets import Integer
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.tornado.handler import TornadoVoilaHandler

from lib.common.http.server import is_loopback
from lib.common.notebook_app import kernels

FRONT = Path(__file__).with_name("front.html")
OWN = ("same-origin", "none")   # Sec-Fetch-Site of what a person typed or our own page asked for
WATCH = 5_000                   # ms between looks at which kernels have a page


class NotebookApp(Voila):
    """voila that serves one notebook, and starts no kernel for a GET that no person stands behind."""

    views = Integer(8, help="pages that may be open at once, each with a kernel").tag(config=True)

    def initialize(self, argv=None):
        """As voila; kernels that lost their page end after a while."""
        self.update_config(Config({"MappingKernelManager": {"cull_idle_timeout": kernels.ABANDONED, "cull_interval": 30}}))
        super().initialize(argv)

    def init_handlers(self):
        """voila's handlers, with ours in the place of that of the notebook, which is the last."""
        *others, (_, handler, facts) = super().init_handlers()
        bound = kernels.Kernels(self.kernel_manager, self.views)
        tornado.ioloop.PeriodicCallback(bound.observe, WATCH).start()
        loopback = {"kernels": bound, "loopback": is_loopback(self.ip)}
        assert issubclass(handler, TornadoVoilaHandler)
        return [(url_path_join(self.server_url, r"/voila/api/shutdown/(.*)"), Shutdown), *others, (url_path_join(self.server_url, "/"), Front, loopback),
                (url_path_join(self.server_url, "/open"), Open, loopback),
                (url_path_join(self.server_url, r"/view/([\w-]+)"), View, {**facts, **loopback})]


class _Guarded:
    """What our pages share: who may ask, and what others may do with the answer."""

    def admit_host(self):
        """403 for a name that is not this machine's: a foreign page whose name was made to lead here (DNS rebinding)."""
        host = urlsplit(f"//{self.request.host}").hostname or ""
        if self.loopback and not is_loopback(host):
            raise tornado.web.HTTPError(403, f"this page is for this machine alone, and not for {host[:100]!r}")

    def check_xsrf_cookie(self):
        """403 unless a page of ours asks; browsers say so, older ones by Origin."""
        headers = self.request.headers
        own = headers["Sec-Fetch-Site"] == "same-origin" if "Sec-Fetch-Site" in headers \
            else urlsplit(headers.get("Origin", "")).netloc == self.request.host
        if not own:
            raise tornado.web.HTTPError(403, "only a page of this server may ask this")

    def set_default_headers(self):
        """No other page may show ours in a frame."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code, **facts):
        """The reason as a line of text."""
        _, error, _ = facts.get("exc_info", (None, None, None))
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {getattr(error, 'log_message', None) or 'this did not work; the log says why'}\n")


class Front(_Guarded, JupyterHandler):
    """The light page. It asks for the notebook itself, unless a foreign page has led here: then a person presses a button."""

    def initialize(self, kernels, loopback):
        self.loopback = loopback

    @tornado.web.authenticated
    def get(self):
        """The page as it lies on disk."""
        self.admit_host()
        own = self.request.headers.get("Sec-Fetch-Site", "none") in OWN
        self.finish(FRONT.read_text().replace("<body", f'<body data-own="{"yes" if own else ""}"', 1))


class Open(_Guarded, JupyterHandler):
    """Where the light page asks for the notebook."""

    def initialize(self, kernels, loopback):
        self.kernels, self.loopback = kernels, loopback

    @tornado.web.authenticated
    async def post(self):
        """{"path": …}, good for one page within a minute; 503 and {"error": …} where too many are open."""
        self.admit_host()
        self.set_header("Content-Type", "application/json")
        try:
            answer = {"path": f"view/{await self.kernels.admit()}"}
        except kernels.Full as error:
            self.set_status(503)
            answer = {"error": str(error)}
        self.finish(json.dumps(answer))


class Shutdown(_Guarded, VoilaShutdownKernelHandler):
    """Where a page that is closed ends its kernel. voila's own handler asks for a token that its page does not send."""


class View(_Guarded, TornadoVoilaHandler):
    """The notebook, for one whom the light page has let in; all others are sent there."""

    def initialize(self, kernels, loopback, **facts):
        """As voila, with the bound on kernels."""
        self.kernels, self.loopback = kernels, loopback
        super().initialize(**facts)

    @tornado.web.authenticated
    async def get(self, key):
        """The notebook with a kernel of its own."""
        self.admit_host()
        with self.kernels.redeemed(key) as good:
            if not good:
                return self.redirect(self.base_url)
            await super().get(path=None)
