"""Latency of the viewer in a real browser: time to the next picture, and to a filtered list.

    python -m benchmarks.viewer [--steps 100] [--pictures 104] [--pause 0.3]

Photographs of 24 megapixels; the time runs from the key press to the frame that shows the picture, by the page's clock.
First with no copies made beforehand (each is made when its picture is near), then with all copies made, at a person's
pace and as fast as the page follows. The list holds 10,000 answers.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from lib import tasks
from lib.common import config
from lib.storage import files, runs
from lib.tasks.contract import Reviewable, Served

SIZE, DRAWN, LIST = (6000, 4000), 4, 10_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PORT = 8867


def stored(pictures):
    """A finished run of LIST answers, the first `pictures` of them with a photograph; few are drawn, all are decoded."""
    job = tasks.job("corners", "smoke", "r1")
    rng, names = np.random.default_rng(0), [f"{number:05}.jpg" for number in range(pictures)]
    folder = job.folder / "images"
    drawn = [job.sample(np.random.default_rng(seed), SIZE) for seed in range(DRAWN)]
    for number, name in enumerate(names):
        if number < DRAWN:
            files.write(folder / name, drawn[number][0])
        else:
            os.link(folder / names[number % DRAWN], folder / name)
    items = [_item(job, number, names, drawn[number % DRAWN][1], rng) for number in range(LIST)]
    record = runs.Run(job, "r1")
    for name, values in (("done", {}), ("export/export", {}), ("review", {"items": items})):
        record.write(name, values)
    files.write(record.path("params.yaml"), "")
    return sum((folder / name).stat().st_size for name in names[:DRAWN]) / DRAWN


def _item(job, number, names, row, rng):
    truth = job.truth(row)
    answer = {name: value + float(rng.normal(0, 9)) if name in Served.of(job).pixel_fields else value for name, value in truth.items()}
    answer |= {"radius": rng.uniform(5, 40, 4).tolist(), "confidence": float(rng.random()), "refused": None}
    return {"image": names[number] if number < len(names) else f"{number:05}.jpg", "source": f"D:\\{number:05}.jpg",
            "sha256": "", "group": f"hole {number % 40}", "split": "test", "width": SIZE[0], "height": SIZE[1],
            "truth": truth, "answer": answer, "scores": job.score(truth, answer), "surprise": Reviewable.of(job).label_nll(truth, answer)}


@contextlib.contextmanager
def served():
    """The viewer's address while voila serves it."""
    process = subprocess.Popen([sys.executable, "-m", "lib.viewer", "--profile", "smoke", f"--port={PORT}", "--read-only"],
                               cwd=config.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{PORT}/"
    try:
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"{address}voila/static/voila.js").close()
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def walk(page, steps, pause):
    """Milliseconds from key to picture, for so many steps from the first picture on."""
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    found = []
    for _ in range(steps):
        page.evaluate("document.querySelector('.corebox').dataset.ms = ''")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.corebox').dataset.ms", timeout=30_000, polling=5)
        found.append(float(page.evaluate("document.querySelector('.corebox').dataset.ms")))
        page.wait_for_timeout(pause * 1000)
    return found


def filters(page):
    """Milliseconds to search, filter and sort the list, several of each."""
    found = []
    for label, value in (("order", "surprise"), ("order", "confidence"), ("group", "hole 7"), ("group", ""),
                         ("answer", "doubt"), ("answer", ""), ("order", "name"), ("order", "rank")):
        started = time.perf_counter()
        page.get_by_label(label, exact=True).select_option(value)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        found.append(1000 * (time.perf_counter() - started))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=104)
    parser.add_argument("--pause", type=float, default=0.3, help="s between the picture and the next key")
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    home = Path(tempfile.mkdtemp(prefix="corebox-viewer-"))
    out, os.environ["COREBOX_HOME"] = config.home() / "outputs" / "benchmarks" / "viewer.json", str(home)
    try:
        size = stored(given.pictures)
        with served() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": 1500, "height": 1000})
            started = time.perf_counter()
            page.goto(address, timeout=120_000)
            page.locator(".corebox[data-shown]").wait_for(timeout=120_000)
            lines = {"page opened, first picture shown": [1000 * (time.perf_counter() - started)]}
            page.locator(".corebox").focus()
            lines["next picture, copies not made yet"] = walk(page, given.steps, given.pause)
            page.reload()
            page.locator(".corebox[data-shown]").wait_for(timeout=120_000)
            page.locator(".corebox").focus()
            lines["next picture, copies made"] = walk(page, given.steps, given.pause)
            page.reload()
            page.locator(".corebox[data-shown]").wait_for(timeout=120_000)
            page.locator(".corebox").focus()
            lines["next picture, without a pause"] = walk(page, given.steps, 0)
            lines[f"filter or order {LIST:,} answers"] = filters(page)
            browser.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    table = {name: {"n": len(found), "median_ms": float(np.median(found)), "p95_ms": float(np.percentile(found, 95)),
                    "max_ms": max(found)} for name, found in lines.items()}
    print(f"{SIZE[0]}x{SIZE[1]} px, {size / 1e6:.1f} MB a picture, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, line in table.items():
        print(f"{name:42}" + "".join(f"{key.removesuffix('_ms'):>8} {value:7.0f}" for key, value in line.items()))
    files.write_json(out, table)


if __name__ == "__main__":
    main()
