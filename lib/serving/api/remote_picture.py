"""A picture fetched from a URL: https alone, from hosts that a setting names, never from an address within."""

import concurrent.futures
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse

from lib.common.http.problem_details import Problem

NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Fetcher:
    """Fetches from `hosts` (names, or name:port), each picture within `seconds` and `max_bytes`.

    `resolve(host, port)` gives addresses as texts, `connect((address, port), seconds)` a socket; `context` says which
    certificates are trusted.
    """

    def __init__(self, hosts, seconds, max_bytes, resolve=None, connect=socket.create_connection, context=None):
        self.hosts, self.seconds, self.max_bytes = {host.lower() for host in hosts}, seconds, max_bytes
        self._resolve, self._connect = resolve or _addresses, connect
        self._context = context or ssl.create_default_context()

    def fetch(self, url):
        """The bytes at a URL; Problem bad_image_url where it may not be asked, not_fetched where nothing good comes."""
        host, port, target = self._allowed(url)
        until = time.monotonic() + self.seconds
        try:
            address = self._pinned(host, port)
            line = self._connect((address, port), self.seconds)  # that very address: a name may change meanwhile
            with line, line.dup() as same:
                # Each read has its own timeout; this one bounds them all.
                alarm = threading.Timer(self.seconds, _hang_up, [same])
                alarm.start()
                try:
                    content = self._get(line, host, target)
                finally:
                    alarm.cancel()
            if time.monotonic() > until:  # what was cut off may look like an end
                raise TimeoutError
            return content
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise Problem("not_fetched", "the picture could not be fetched from image_url") from error

    def _allowed(self, url):
        """Host, port and target of a URL that may be asked."""
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port or 443
            fine = parts.scheme == "https" and parts.username is None and url.isascii() and url.isprintable()
        except ValueError:
            fine = False
        if not fine or " " in url or (host if port == 443 else f"{host}:{port}") not in self.hosts:
            raise Problem("bad_image_url", "image_url must be https and name a host that is allowed here")
        return host, port, urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))

    def _pinned(self, host, port):
        """An address of a host; Problem where any of its addresses is not one of the open internet."""
        addresses = self._resolve(host, port)
        if not addresses or not all(is_open(address) for address in addresses):
            raise Problem("bad_image_url", "image_url leads to an address that is not allowed")
        return addresses[0]

    def _get(self, line, host, target):
        line.settimeout(self.seconds)
        connection = http.client.HTTPSConnection(host, context=self._context)
        connection.sock = self._context.wrap_socket(line, server_hostname=host)
        with connection.sock:
            connection.request("GET", target, headers={"Accept": "image/*", "Accept-Encoding": "identity"})
            answer = connection.getresponse()
            if answer.status != 200:  # a redirect too: where it leads has not been checked
                raise Problem("not_fetched", f"image_url was answered with status {answer.status}")
            content = answer.read(self.max_bytes + 1)
        if len(content) > self.max_bytes:
            raise Problem("too_large", f"the picture at image_url is larger than {self.max_bytes / 2**20:g} MiB")
        return content


def is_open(address):
    """Whether an address is one of the open internet, also where it wraps an IPv4 address."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if one.version == 6:
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo or (None, None))[1] or (
            ipaddress.ip_address(int(one) & 0xFFFFFFFF) if one in NAT64 else None)
        if inner:
            return is_open(str(inner))
    return one.is_global and not one.is_multicast


def _addresses(host, port):
    """What the system's resolver says, within 3 seconds."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    try:
        found = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(3)
    finally:
        pool.shutdown(wait=False)
    return [one[4][0] for one in found]


def _hang_up(line):
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:  # it was closed meanwhile
        pass
