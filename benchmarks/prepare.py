"""Time and memory to prepare photographs, beside decoding them in full, sequentially.

    python -m benchmarks.prepare [--photographs 48]

Generated 12-megapixel photographs. The memory is the peak of a process of its own, for a quarter of the set and for the
whole set: it must not grow with the number of photographs.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.imaging import images
from lib.storage import files

SIZE = (4000, 3000)
ROUNDS = 3


def photographs(job, count):
    """A labels table of `count` photographs in the job's folder; eight are drawn, the others are copies."""
    drawn = [job.sample(np.random.default_rng(seed), SIZE) for seed in range(min(8, count))]
    rows = []
    for number in range(count):
        content, row = drawn[number % len(drawn)]
        name = f"{number:05}.jpg"
        files.write(job.folder / "images" / name, content)
        rows.append({"image": name, "width": SIZE[0], "height": SIZE[1], "group": "", "split": "train", **row})
    return pd.DataFrame(rows)


def peak(work, *arguments):
    """Seconds and peak memory in MB of `work`, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_measured, args=(there, work, arguments))
    process.start()
    seconds, memory = here.recv()
    process.join()
    return seconds, memory


def _measured(there, work, arguments):
    began = time.perf_counter()
    work(*arguments)
    # Not getrusage: its peak begins with that of the process which started this one.
    high = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    there.send((time.perf_counter() - began, int(high.split()[1]) / 1024))


def prepare(table):
    job = tasks.job("corners", "full")
    for path in (job.folder / "cache").glob("*.npy"):
        path.unlink()
    dataset.prepare(job, table, progress=False)


def decode(table):
    """What a simple script does: decode each photograph in full, resize it, keep it."""
    job = tasks.job("corners", "full")
    kept = []
    for name in table["image"]:
        picture = images.read(job.folder / "images" / name)
        kept.append(images.place(picture, job.frame(picture.size)))


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--photographs", type=int, default=48)
    count = words.parse_args().photographs
    out = config.home() / "outputs" / "benchmarks" / "prepare.json"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COREBOX_HOME"] = folder
        files.write(Path(folder) / "params.yaml", (config.REPOSITORY / "params.yaml").read_text())
        table = photographs(tasks.job("corners", "full"), count)
        lines = []
        for _ in range(ROUNDS):
            for name, work, rows in (("prepare, a quarter", prepare, table[:count // 4]), ("prepare", prepare, table),
                                     ("decode in full", decode, table)):
                seconds, memory = peak(work, rows)
                lines.append({"way": name, "photographs": len(rows), "a second": len(rows) / seconds, "peak MB": memory})
    found = pd.DataFrame(lines)
    shown = found.groupby("way", sort=False).agg(photographs=("photographs", "first"), median=("a second", "median"),
                                                 least=("a second", "min"), most=("a second", "max"),
                                                 peak_MB=("peak MB", "max"))
    print(f"synthetic photographs of {SIZE[0]}x{SIZE[1]} px, {ROUNDS} rounds; photographs a second, with start-up")
    print(shown.round(1).to_string())
    files.write_json(out, {"rounds": lines})


if __name__ == "__main__":
    main()
