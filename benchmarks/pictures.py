"""Processor time and memory to read pictures that are made to be expensive to decode.

    python -m benchmarks.pictures

For each: its size in bytes, the result, and the processor time and peak memory of reading it in a process of its own, less
those of a small picture. Writes outputs/benchmarks/pictures.json.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from lib.common import config
from lib.storage import files

OUT = "outputs/benchmarks/pictures.json"
ONE = """
import json, re, sys, threading, time
from lib.imaging import images

def peak():   # of this program alone: ru_maxrss begins with that of the process that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

def read(path, told):
    try:
        images.read(open(path, "rb").read())
        told.append("taken")
    except images.Refused as refused:
        told.append(f"{refused.code}: {refused}")

read(sys.argv[1], [])
before, begun, told = peak(), time.process_time(), []
threads = [threading.Thread(target=read, args=(path, told)) for path in sys.argv[2:]]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(json.dumps({"outcome": told[0], "CPU s": round(time.process_time() - begun, 2),
                  "MB": (peak() - before) // 1024}))
"""


def cases():
    """{name: the bytes of pictures that are read at once}; the first is a plain small one, read before each."""
    sys.path.insert(0, str(config.REPOSITORY / "tests"))
    import corpus

    plain, MIB = corpus.jpeg(), 2**20
    deep = corpus.png_of(7000, 7000, 16, 6, corpus.zeros((7000 * 8 + 1) * 7000))
    return {
        "small": [plain],
        "progressive JPEG of 12 Mpx, 400 scans": [corpus.scans(390)],
        "progressive JPEG of 12 Mpx, 32 scans": [corpus.scans(22)],
        "progressive JPEG of 12 Mpx, 10 scans": [corpus.scans(0)],
        "JPEG of 32 MiB of fill bytes": [corpus.after_start(plain, b"\xff" * (32 * MIB - len(plain)))],
        "JPEG of 7 million empty segments": [corpus.after_start(plain, corpus.segment(0xFE, b"") * (7 * MIB))],
        "JPEG whose EXIF claims 300 MB": [corpus.bombs()["JPEG whose EXIF claims 300 MB"]],
        "two PNGs of 7000x7000, RGBA of 16 bit": [deep, deep],
        "one PNG of 7000x7000, RGBA of 16 bit": [deep],
    }


def main():
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small")
        small.write_bytes(cases()["small"][0])
        for name, pictures in cases().items():
            paths = [Path(folder, str(at)) for at in range(len(pictures))]
            for path, data in zip(paths, pictures, strict=True):
                path.write_bytes(data)
            done = subprocess.run([sys.executable, "-c", ONE, small, *paths], capture_output=True, text=True)
            found = json.loads(done.stdout) if done.returncode == 0 else {"outcome": f"ended by {done.returncode}"}
            lines.append({"picture": name, "bytes": len(pictures[0]), **found})
            print(lines[-1], flush=True)
    files.write_json(config.home() / OUT, lines)
    print(pd.DataFrame(lines).to_string(index=False))


if __name__ == "__main__":
    main()
