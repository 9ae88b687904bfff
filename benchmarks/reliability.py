"""Long versions of the reliability tests: bad pictures, faults, fuzzing, load, model swaps, memory, secrets, settings.

    make reliability PART=corpus|faults|fuzz|attacks|clients|load|swaps|memory|secrets|settings [ARGS="--minutes 20"]

Each part ends within `--minutes` (60). The same command continues where it ended, and the counts add up, with the date of
each, in outputs/benchmarks/reliability.json; `--anew` discards them. Load, swaps and memory are those of benchmarks.api,
which prints their figures. Exit status 1 where anything was lost or broken, or a result differs from the expected one.
"""

import argparse
import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

import pandas as pd

from benchmarks import attacks, client_checks, faults
from lib.common import config
from lib.storage import files

OUT = "outputs/benchmarks/reliability.json"
TESTS = config.REPOSITORY / "tests"
PYTHON = sys.executable


class Part:
    """What a part has reached so far, kept after every step; `left(name, wanted)` is what is still to be done."""

    def __init__(self, name, given):
        self.name, self.path = name, config.home() / OUT
        self.until = time.monotonic() + 60 * given.minutes
        there = files.read_json(self.path) if self.path.is_file() else {}
        self.lines = {} if given.anew else there.get(name, {})

    def left(self, name, wanted):
        if time.monotonic() > self.until:
            return 0
        return max(0, wanted - self.lines.get(name, {}).get("done", 0))

    def add(self, name, wanted, done, wrong=0, **others):
        """Note that `done` more were done, `wrong` of them not as they were to be."""
        line = self.lines.setdefault(name, {"wanted": wanted, "done": 0, "wrong": 0})
        line.update(others, wanted=wanted, done=line["done"] + done, wrong=line["wrong"] + wrong,
                    date=time.strftime("%Y-%m-%d"), load=round(os.getloadavg()[0], 1))
        there = files.read_json(self.path) if self.path.is_file() else {}
        files.write_json(self.path, {**there, self.name: self.lines})
        print(name, line, flush=True)


def tested(part, name, *words):
    """Run tests and note how many there were, and how many did not pass."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *words],
                       cwd=config.REPOSITORY, stdout=subprocess.DEVNULL)
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    counts = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    part.lines.pop(name, None)  # told anew, as the tests are now
    part.add(name, counts["tests"], counts["tests"] - counts["skipped"], counts["failures"] + counts["errors"])


# --- the parts


def corpus(part):
    tested(part, "108 pictures: door, API, notebook 01", "tests/test_corpus.py")
    tested(part, "24 ways of HTTP", "tests/test_api_http.py")
    tested(part, "8 of JSON, and access", "tests/test_api_protocols.py", "tests/test_api_access.py")
    tested(part, "16 rows", "tests/test_rows.py")
    tested(part, "20 damaged exports", "tests/test_api_models.py", "tests/test_export_check.py")


def settings(part):
    tested(part, "25 wrong settings", "tests/test_settings.py")


def faulty(part):
    with _home() as home:
        one = faults.Gathering(home)
        while part.left(name := "F1 notebook 01 killed at random", 100):
            _told(part, name, 100, faults.at_random("F1", one.work, one.fresh, one.check, 10, time.time_ns()))
        if part.left(name := "F2 notebook 01 killed at every step", 1):
            line = faults.each_step("F2", one.work, one.fresh, one.check, 20)
            part.add(name, 1, line["hit"], line["lost"])
        while part.left(name := "F14 two at once", 100):  # fifty pairs
            _told(part, name, 100, faults.both_at_once(one, 5))
    with _home() as home:
        two = faults.Publishing(_export(home), home)
        while part.left(name := "F4 publishing killed at random", 100):
            _told(part, name, 100, faults.at_random("F4", two.work, two.restore, two.check, 10, time.time_ns()))
        if part.left(name := "F4 publishing killed at every step", 1):
            line = faults.each_step("F4", two.work, two.restore, two.check, 6)
            part.add(name, 1, line["hit"], line["lost"])
    for name, number in (("F22 papermill killed (notebook 01)", "01"), ("F3 training killed (notebook 02)", "02")):
        if part.left(name, 25):
            with _home() as home:
                killed = 0
                if number == "02":
                    subprocess.run([PYTHON, "-m", "lib", "run", "01", "--profile", "smoke"], check=True,
                                   env={**os.environ, "COREBOX_HOME": str(home)}, stdout=subprocess.DEVNULL)
                while part.left(name, 25):
                    def words(at, number=number, first=killed):  # a training that is whole is not begun again
                        seed = [] if number == "01" else ["--set", f"training.seed={first + at}"]
                        return ["run", number, "--profile", "smoke", *seed]

                    line = faults.command_killed(name, words, home, 5, _whole(home), killed)
                    killed += 5
                    part.add(name, 25, 5, 0, hit=part.lines.get(name, {}).get("hit", 0) + line["hit"])
    tested(part, "F1 to F22, the short forms", "tests/test_faults.py")


def _told(part, name, wanted, line):
    part.add(name, wanted, line["victims"], line["lost"], hit=part.lines.get(name, {}).get("hit", 0) + line["hit"])


def _whole(home):
    """A check that no notebook, table or JSON of a home is torn."""
    def check(ended):
        for path in home.rglob("*"):
            if path.is_file() and not path.name.startswith(".") and "postgres" not in path.parts:
                if path.suffix in (".ipynb", ".json"):
                    json.loads(path.read_text())
                elif path.suffix == ".csv":
                    assert path.read_bytes().endswith(b"\n"), path
    return check


def fuzz(part):
    while count := part.left(name := "mutated pictures through the door", 1_000_000):
        seconds = int(min(300, max(1, part.until - time.monotonic())))
        seed = part.lines.get(name, {}).get("done", 0) + 1
        line = _last_json([PYTHON, "-m", "benchmarks.fuzz", "--runs", str(count), "--seconds", str(seconds), "--seed",
                           str(seed % 2**31)])
        part.add(name, 1_000_000, line["executions"], len(line["broken"]), **{key: line[key] for key in (
            "way", "slowest s", "most MB")}, seconds=part.lines.get(name, {}).get("seconds", 0) + line["seconds"])
    tested(part, "hypothesis: JSON, forms, URLs, paths", "tests/test_api_fuzz.py", "tests/test_formats_hostile.py",
           "tests/test_transfer.py")


def attacked(part):
    """One who sends what costs much, and four, against the API and the hub."""
    for what in ("api", "hub"):
        seconds = min(6.0, max(1.0, (part.until - time.monotonic()) / 600))   # about 600 s pass beside what is measured
        done = subprocess.run([PYTHON, "-m", "benchmarks.attacks", what, "--seconds", f"{seconds:.1f}"], cwd=config.REPOSITORY)
        part.lines.pop(what, None)
        part.add(what, 1, 1, int(done.returncode != 0), figures=attacks.OUT)


def clients(part):
    """tritonclient, kserve and schemathesis, in an environment of their own."""
    middle = (time.monotonic() + part.until) / 2
    for what, until in (("api", middle), ("hub", part.until)):
        with attacks.serving(what) as (url, (token, _)):
            if what == "api":
                number, wrong = client_checks.real(url)
                part.lines.pop("tritonclient and kserve", None)
                part.add("tritonclient and kserve", number, number, len(wrong), said=wrong)
            while part.left(name := f"schemathesis, {what}", 10_000) and (seconds := until - time.monotonic()) > 0:
                done, failed, words = client_checks.schemathesis(url, int(min(300, max(30, seconds))), token)
                part.add(name, 10_000, done, failed, said=words)


def load(part):
    for what in ("load", "stalled"):
        _measured(part, what, "--set", "api.processes=2", "api.workers=1")  # as docs/deploy.md advises for two cores
    for what in ("start", "body"):
        _measured(part, what)


def swaps(part):
    _measured(part, "swap", "--swaps", "1000")


def memory(part):
    _measured(part, "memory", "--requests", "20000")


def _measured(part, what, *words):
    """Run a part of benchmarks.api, which keeps its figures in api.json."""
    done = subprocess.run([PYTHON, "-m", "benchmarks.api", what, *words], cwd=config.REPOSITORY)
    part.lines.pop(what, None)
    part.add(what, 1, 1, int(done.returncode != 0), figures="outputs/benchmarks/api.json")


def secrets(part):
    """The four notebooks on a PostgreSQL with a password, the API with a token: both are in nothing that is written."""
    sys.path.insert(0, str(TESTS))
    from conftest import PASSWORD, Server

    from lib import tasks
    from lib.serving.api import authentication

    with _home() as home:
        server = Server(tempfile.mkdtemp(prefix="corebox-pg-"))
        try:
            os.environ["COREBOX_HOME"] = str(home)
            token = server.token(home / "token.json", schema="cores")
            _fill(tasks.job("corners", "smoke", overrides={"data.token": token, "data.generate": 24}), home)
            bearer = authentication.make(home / "tokens.json", "predict")
            words = [f"data.token={token}", f"data.path_rules=[{{from: 'X:', to: {home / 'share'}}}]",
                     "tracking.enabled=true", "tracking.uri=postgresql", "training.epochs=1"]
            done = subprocess.run([PYTHON, "-m", "lib", "run", "all", "--profile", "smoke", "--set", *words],
                                  capture_output=True, text=True, env={**os.environ, "COREBOX_HOME": str(home)})
            assert done.returncode == 0, done.stderr[-2000:]
            _asked(home, bearer)
        finally:
            server.stop()
        said = done.stdout + done.stderr
        written = [path for path in home.rglob("*") if path.is_file() and path.name not in ("token.json", "tokens.json")]
        found = [str(path) for path in written for secret in (PASSWORD, bearer) if secret.encode() in path.read_bytes()]
        found += ["standard output"] * any(secret in said for secret in (PASSWORD, bearer))
        assert bearer.encode() not in (home / "tokens.json").read_bytes()
        part.lines.pop("files with a planted password or token", None)
        part.add("files with a planted password or token", 1, len(written), len(found), where=found[:5])


def _fill(job, home):
    """Rows and pictures of a share, as the owner of a table has them."""
    import numpy as np

    from lib.storage import table_writes

    records = []
    for number in range(24):
        data, row = job.sample(np.random.default_rng(number), (640, 480))
        files.write(home / "share" / f"{number}.jpg", data)
        records.append({"fullname": f"X:\\{number}.jpg", "site_na": f"S{number}", **row})
    kinds = {name: type(value) for name, value in records[0].items()}
    table_writes.write_rows(job, "log_pic", kinds, records, "fullname")


def _asked(home, bearer):
    """Ask an API that logs to a file with a good and a bad token."""
    from lib.serving import api

    run = next(home.glob("outputs/corners/smoke/*/export"))
    settings = config.resolve_group("api", {"port": 0, "tokens": str(home / "tokens.json"), "log": str(home / "api.log")})
    with api.start(run, settings, token=bearer) as server:
        server.ask(next((home / "share").iterdir()))
        server.ask(b"no picture")


# --- what they share


@contextlib.contextmanager
def _home():
    """A COREBOX_HOME of its own, whose PostgreSQL is stopped at the end."""
    before = os.environ.get("COREBOX_HOME")
    folder = Path(tempfile.mkdtemp(prefix="corebox-reliability-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for pid in folder.glob("data/postgres*/postmaster.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(pid.read_text().splitlines()[0]), 2)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("COREBOX_HOME", None)
        os.environ.update({"COREBOX_HOME": before} if before else {})


def _export(home):
    """The small export that the tests use."""
    folder = home / "toy"
    subprocess.run([PYTHON, TESTS / "toy_export.py", "toy", folder], check=True, capture_output=True)
    return folder


def _last_json(words):
    """What a command says in its last line of JSON; it is told where there is none."""
    done = subprocess.run(words, capture_output=True, text=True, cwd=config.REPOSITORY)
    for line in reversed(done.stdout.splitlines()):
        with contextlib.suppress(ValueError):
            return json.loads(line)
    raise RuntimeError(f"{' '.join(map(str, words[1:4]))} ended with {done.returncode}: {done.stderr[-2000:]}")


PARTS = {"corpus": corpus, "settings": settings, "faults": faulty, "fuzz": fuzz, "attacks": attacked,
         "clients": clients, "load": load, "swaps": swaps,
         "memory": memory, "secrets": secrets}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="all of them where none is named")
    words.add_argument("--minutes", type=float, default=60.0)
    words.add_argument("--anew", action="store_true")
    given = words.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        words.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    rows = []
    for name in given.parts or PARTS:
        part = Part(name, given)
        PARTS[name](part)
        rows += [{"part": name, "what": what, **line} for what, line in part.lines.items()]
    table = pd.DataFrame(rows)
    print(table[["part", "what", "wanted", "done", "wrong"]].to_string(index=False))
    print(collections.Counter(bool(row["wrong"]) for row in rows)[True], "lines where something is not as it was to be")
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
