"""Files from a web server into a folder: in parallel, tried again, gone on with where they broke off."""

import base64
import contextlib
import email.utils
import hashlib
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from tqdm.auto import tqdm

from lib.storage import files
from lib.storage.locations import Unreachable

TIMEOUT = 10.0, 30.0   # seconds to connect, and without a byte
PAUSE, LONGEST = 0.5, 60.0   # seconds before the second try (then twice as long each time), and at most
MAX_FAILURES_IN_A_ROW = 20            # failures in a row without a success after which the server is held to be down
CHUNK_BYTES = 2**14          # bytes written at once, which a line that breaks loses
MAX_BYTES = 2**33           # bytes of one file


class DownloadFailed(Exception):
    """A try that failed; `final`: another one cannot help; `wait`: seconds the server asks for."""

    def __init__(self, reason, final=False, wait=0.0):
        super().__init__(reason)
        self.final, self.wait = final, wait


@dataclass(frozen=True)
class Fetched:
    """`there`: path by name of what lies in the folder now; `failed`: the reason by name; `new`: how many came now."""

    there: dict
    failed: dict
    new: int


def fetch(urls, folder, workers=8, retries=5, md5=None, progress=True):
    """Fetch http(s) `urls` into `folder` and return the Fetched; a file that is there is kept.

    `urls` is {name below the folder: URL}, or a list whose names are the last parts of the paths. `md5` gives digests
    by name, as hex or (Open Images) base64: a file that has another one is fetched anew. A file appears under its name
    when it is whole; until then it is NAME.part, with which a later call goes on by a range request, if the server
    still has the same version of it (RFC 9110: If-Range). Server errors, 408, 429 and broken lines are tried
    `retries` times more without a further byte, with pauses that grow or that the server names. ValueError: a name
    or URL that cannot be used; Unreachable: 20 failures in a row; files.DiskFull; files.Busy: another process fetches
    into the folder.
    """
    urls = _check_names(urls)
    folder, md5 = Path(folder), {name: _md5_as_hex(name, value) for name, value in (md5 or {}).items()}
    with files.lock(folder):
        return _fetch_all(_Downloader(retries), urls, folder, workers, md5, progress)


def _fetch_all(downloader, urls, folder, workers, md5, progress):
    there, failed, new, row = {}, {}, 0, 0
    pool = ThreadPoolExecutor(workers)
    try:
        jobs = {pool.submit(downloader.download, url, folder / name, md5.get(name)): name for name, url in urls.items()}
        bar = tqdm(as_completed(jobs), total=len(jobs), desc="fetching", unit="file", disable=not progress)
        for job in bar:
            name = jobs[job]
            try:
                came = job.result()
            except DownloadFailed as failure:
                failed[name], row = str(failure), row if failure.final else row + 1
                bar.set_postfix(failed=len(failed))
            else:
                there[name], new, row = folder / name, new + came, 0
            if row >= MAX_FAILURES_IN_A_ROW:
                raise Unreachable(f"{MAX_FAILURES_IN_A_ROW} files in a row could not be fetched, the last one {urls[name]}: "
                                  f"{failed[name]}; run again when the server answers, what came is kept")
    finally:
        downloader.stop.set()
        pool.shutdown(cancel_futures=True)
    return Fetched({name: there[name] for name in urls if name in there}, failed, new)


def _check_names(urls):
    """URLs by name; ValueError where a name leads out of the folder, comes twice, or the URL is not of the web."""
    if not isinstance(urls, dict):
        names = [unquote(PurePosixPath(urlsplit(url).path).name) for url in urls]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"several URLs end in {twice[0]!r}; give them names: {{name: URL}}")
        urls = dict(zip(names, urls, strict=True))
    for name, url in urls.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} (of {url[:200]}) is no name of a file below the folder")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"{url[:200]!r} is no http(s) URL")
    return urls


def _md5_as_hex(name, digest):
    """An MD5 as hex, given so or in base64; ValueError."""
    with contextlib.suppress(ValueError):
        if len(bytes.fromhex(digest)) == 16:
            return digest.lower()
    with contextlib.suppress(ValueError):
        if len(raw := base64.b64decode(digest, validate=True)) == 16:
            return raw.hex()
    raise ValueError(f"the MD5 of {name} is {digest!r}; it must be 32 hexadecimal digits or 24 letters of base64")


class _Downloader:
    """The connections: one session a thread, and an event that ends all waiting."""

    def __init__(self, retries):
        self.retries, self._local, self.stop = retries, threading.local(), threading.Event()

    @property
    def session(self):
        import requests

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        return self._local.session

    def download(self, url, path, md5):
        """Whether the file had to be fetched; it is there when this returns, and DownloadFailed says why it is not."""
        if path.is_file() and (not md5 or _md5(path) == md5):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.tag")
        tries = most = 0
        while True:
            try:
                with files.reporting_disk_full(path):
                    self._try(url, path, part, tag, md5)
                return True
            except DownloadFailed as failure:
                came = part.stat().st_size if part.is_file() else 0
                if came > most:  # a line that breaks often still brings a large file
                    tries, most = 0, came
                if failure.final or tries >= self.retries:
                    raise DownloadFailed(f"{failure} (tried {tries + 1} times)", failure.final) from failure
                pause = max(failure.wait, PAUSE * 2**tries * random.uniform(0.5, 1))
                tries += 1
            if self.stop.wait(min(pause, LONGEST)):
                raise DownloadFailed("stopped")

    def _try(self, url, path, part, tag, md5):
        import requests

        version = tag.read_text() if tag.is_file() and part.is_file() else ""
        have = part.stat().st_size if version else 0
        asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-", "If-Range": version} if have else {})
        try:
            with self.session.get(url, headers=asked, stream=True, timeout=TIMEOUT) as reply:
                if reply.status_code == 416:  # what is there is longer than the file: it is of another version
                    _remove(part, tag)
                    raise DownloadFailed("the part that was there does not fit the file")
                _check_status(reply)
                resumed = reply.status_code == 206 and _range_start(reply) == have
                if reply.status_code == 206 and not resumed:
                    _remove(part, tag)
                    raise DownloadFailed("the server sent another range than was asked for")
                whole = self._store(reply, part, tag, have if resumed else 0)
        except requests.RequestException as error:
            raise DownloadFailed(f"{type(error).__name__}: {str(error)[:200]}",
                       isinstance(error, requests.exceptions.InvalidURL | requests.TooManyRedirects)) from error
        if whole is not None and part.stat().st_size != whole:
            if part.stat().st_size > whole:
                _remove(part, tag)
            raise DownloadFailed("fewer bytes came than were promised")
        if md5 and (found := _md5(part)) != md5:
            _remove(part, tag)
            raise DownloadFailed(f"the MD5 is {found} and should be {md5}")
        files.install(part, path)
        tag.unlink(missing_ok=True)

    def _store(self, reply, part, tag, have):
        """Write the body behind the `have` bytes that are there; returns the whole length, None where it is not told."""
        length = reply.headers.get("Content-Length")
        whole = have + int(length) if length and length.isdecimal() else None
        if (whole or 0) > MAX_BYTES:
            raise DownloadFailed(f"it has {whole / 2**30:.1f} GiB, and {MAX_BYTES / 2**30:.0f} GiB are taken", final=True)
        files.require_space(part.parent, (whole or have) - have)
        if not have:
            tag.unlink(missing_ok=True)
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            if mark := _validator(reply):
                tag.write_text(mark)
            for piece in reply.iter_content(CHUNK_BYTES):
                if self.stop.is_set():
                    raise DownloadFailed("stopped")
                if file.tell() + len(piece) > MAX_BYTES:
                    raise DownloadFailed(f"it has more than {MAX_BYTES / 2**30:.0f} GiB", final=True)
                file.write(piece)
        return whole


def _check_status(reply):
    """DownloadFailed where the response is not the file."""
    status = reply.status_code
    if status in (200, 206):
        return
    passing = status >= 500 or status in (408, 425, 429)
    raise DownloadFailed(f"the server answered {status} {reply.reason}", not passing, _retry_after(reply) if passing else 0.0)


def _retry_after(reply):
    """Seconds of Retry-After, which is a number or a date."""
    text = reply.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0


def _range_start(reply):
    """The first byte of a range that came, or None."""
    text = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdecimal() else None


def _validator(reply):
    """What If-Range may hold: a strong ETag, else the date of change; empty where the server gives neither."""
    tag = reply.headers.get("ETag", "")
    return tag if tag.startswith('"') else reply.headers.get("Last-Modified", "")


def _remove(*paths):
    for path in paths:
        path.unlink(missing_ok=True)


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

