"""Time and memory to select one class from all of Open Images: `python -m benchmarks.openimages`.

Generates a file of 14.6 million boxes in the official format (21 columns, or 13) with random values. The boxes of one
class are selected by the project's reader (pyarrow, in blocks), by pandas, whole and in chunks, and by DuckDB where it is
installed, each in its own process; the results must be equal. Prints seconds (wall clock, processor) and peak resident
memory; writes outputs/benchmarks/openimages.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lib.common import config
from lib.storage import files

ROWS = 14_610_229        # of oidv6-train-annotations-bbox.csv
PICTURES = 1_743_042
BOAT, CLASSES = "/m/019jd", 601
CHUNK = 500_000
BLOCK = 1_000_000        # boxes that are drawn; the file repeats them, which no reader here can make use of
LONG = [f"XClick{n}{axis}" for axis in "XY" for n in (1, 2, 3, 4)]
FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")


def generate(path, count, long=True):
    """Write `count` boxes; every 230th or so is a boat's, as in the original. After BLOCK of them they repeat."""
    import pyarrow as pa
    from pyarrow import csv

    rng, writer = np.random.default_rng(0), None
    labels = np.array([BOAT, *(f"/m/0{at:05x}" for at in range(1, CLASSES))])
    weights = np.append(1 / 230, rng.dirichlet(np.full(CLASSES - 1, 0.15)) * (1 - 1 / 230))
    done = 0
    while done < min(count, BLOCK):
        size = min(CHUNK, count - done)
        ids = np.sort(rng.integers(0, PICTURES, size)) // (count // CHUNK + 1) + done * (PICTURES // count + 1)
        low, side = rng.random((2, size, 2))
        high = low + (1 - low) * np.maximum(side, 0.01)
        columns = {"ImageID": _hex(ids * 2654435761), "Source": np.full(size, "xclick"),
                   "LabelName": labels[rng.choice(CLASSES, size, p=weights)], "Confidence": np.ones(size, np.int8),
                   "XMin": low[:, 0].round(6), "XMax": high[:, 0].round(6), "YMin": low[:, 1].round(6), "YMax": high[:, 1].round(6),
                   **{flag: rng.integers(0, 2, size, np.int8) for flag in FLAGS},
                   **({name: rng.random(size).round(6) for name in LONG} if long else {})}
        table = pa.table(columns)
        if writer is None:
            file = open(path, "wb")
            file.write((",".join(columns) + "\n").encode())        # pyarrow would put the names into quotes
            writer = csv.CSVWriter(file, table.schema, write_options=csv.WriteOptions(include_header=False, quoting_style="none"))
        writer.write(table)
        done += size
    writer.close()
    file.close()
    lines = path.read_bytes().partition(b"\n")[2] if count > done else b""
    with open(path, "ab") as file:
        while count > done:
            more = min(BLOCK, count - done)
            file.write(lines if more == BLOCK else b"".join(lines.splitlines(True)[:more]))
            done += more


def _hex(numbers):
    """Sixteen hexadecimal digits of each number, as texts."""
    digits = (numbers[:, None] >> np.arange(60, -1, -4)) & 15
    return np.frombuffer(b"0123456789abcdef", "S1")[digits].view("S16")[:, 0].astype(str)


# --- ways: each gives the number of boxes and the sum of their XMin


def ours(folder):
    from lib.data.formats.openimages import rows

    table = rows.boxes(Path(folder), "train", {BOAT: "Boat"}, {"IsDepiction": "without"})
    return len(table), float(table["XMin"].to_numpy().sum())


def whole_pandas(folder):
    import pandas as pd

    table = pd.read_csv(Path(folder) / "oidv6-train-annotations-bbox.csv")
    table = table[(table["LabelName"] == BOAT) & (table["IsDepiction"] != 1)]
    return len(table), float(table["XMin"].sum())


def chunked_pandas(folder):
    import pandas as pd

    used = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", *FLAGS]
    chunks = pd.read_csv(Path(folder) / "oidv6-train-annotations-bbox.csv", usecols=used, chunksize=CHUNK)
    table = pd.concat([chunk[(chunk["LabelName"] == BOAT) & (chunk["IsDepiction"] != 1)] for chunk in chunks])
    return len(table), float(table["XMin"].sum())


def duckdb(folder):
    import duckdb

    session = duckdb.connect(config={"memory_limit": "400MB", "threads": 2})
    found = session.execute("SELECT ImageID, LabelName, XMin, XMax, YMin, YMax, " + ", ".join(FLAGS) + " FROM read_csv(?) "
                            "WHERE LabelName = ? AND IsDepiction != 1",
                            [str(Path(folder) / "oidv6-train-annotations-bbox.csv"), BOAT]).fetchnumpy()
    return len(found["XMin"]), float(found["XMin"].sum())


WAYS = {"ours (pyarrow, blocks)": ours, "pandas, chunks and chosen columns": chunked_pandas, "pandas, whole": whole_pandas,
        "DuckDB": duckdb}


def measure(way, folder):
    """The result of a way in this process, what it took, and the peak of memory it reached."""
    wall, cpu = time.time(), time.process_time()
    result = WAYS[way](folder)
    return {"result": result, "wall": time.time() - wall, "cpu": time.process_time() - cpu,
            "peak_mb": peak()}


def peak():
    """The most memory that this process has held, MiB; getrusage would count that of the one it was forked from."""
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=21, choices=[13, 21])
    parser.add_argument("--folder", help="where the file is made, and removed again; else a temporary folder")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(*arguments.child)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path, start = Path(folder) / "oidv6-train-annotations-bbox.csv", time.time()
        generate(path, arguments.rows, arguments.columns == 21)
        size = path.stat().st_size / 2**20
        print(f"{arguments.rows:,} rows of {arguments.columns} columns, {size:,.0f} MiB, generated in {time.time() - start:.0f} s")
        lines = {}
        for way in arguments.ways:
            done = subprocess.run([sys.executable, "-m", "benchmarks.openimages", "--child", way, folder], capture_output=True,
                                  text=True, cwd=config.REPOSITORY)
            if done.returncode:
                lines[way] = {"error": done.stderr.strip().splitlines()[-1]}
                print(f"{way:36} {lines[way]['error']}")
                continue
            line = lines[way] = json.loads(done.stdout.splitlines()[-1])
            print(f"{way:36} {line['wall']:7.1f} s wall {line['cpu']:7.1f} s cpu {line['peak_mb']:8.0f} MiB "
                  f"{line['result'][0]:8,} boxes")
    results = {(line["result"][0], round(line["result"][1], 4)) for line in lines.values() if "result" in line}
    if len(results) != 1:
        raise SystemExit(f"the ways disagree: {results}")
    files.write_json(config.home() / "outputs" / "benchmarks" / "openimages.json",
                     {"rows": arguments.rows, "columns": arguments.columns, "mib": size, "lines": lines})


if __name__ == "__main__":
    main()
