"""Mutated image files against the picture reader, which must return a Picture or raise Refused.

    python -m benchmarks.fuzz [--seconds 300] [--runs 1000000] [--seed 1]

The corpus of bad pictures and, each time it starts, small good ones are mutated by atheris (libFuzzer), or, where that
is not installed, by our own flips, cuts, repeats and numbers. Bytes that raise anything else are written to a file, to be
added to the corpus. Prints the counts as one line of JSON.
"""

import argparse
import importlib.util
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from lib.common import config
from lib.imaging import images, jpeg, png

SLOWEST = 5.0  # s that a picture may take
LARGEST = 200_000  # bytes of a seed; larger ones are slow to mutate and tell nothing more
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")


def seeds():
    """The pictures of the corpus, those that are large in the file left out."""
    sys.path.insert(0, str(config.REPOSITORY / "tests"))
    import corpus

    return [data for data in corpus.cases("G1 G2 G4 G5").values() if 0 < len(data) < LARGEST]


class Door:
    """Counts what comes of bytes, and keeps those that break the promise."""

    def __init__(self):
        self.executions = self.accepted = 0
        self.slowest, self.broken, self.begun = 0.0, [], time.monotonic()

    def __call__(self, data):
        begun = time.process_time()
        self.executions += 1
        try:
            picture = images.read(bytes(data), (160, 120), formats=FORMATS, max_pixels=4_000_000)
            self.accepted += 1
            assert picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3 and min(picture.size) >= 32
        except images.Refused as refused:
            assert "\n" not in str(refused) and len(str(refused)) < 300
        except BaseException as error:
            self.broken.append(f"{type(error).__name__}: {error}"[:200])
            Path(tempfile.gettempdir(), f"broken-{len(self.broken)}.bin").write_bytes(data)
            raise
        finally:
            self.slowest = max(self.slowest, time.process_time() - begun)

    def told(self, way):
        return {"way": way, "executions": self.executions, "accepted": self.accepted, "broken": self.broken,
                "slowest s": round(self.slowest, 2), "seconds": round(time.monotonic() - self.begun),
                "most MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


def by_atheris(door, given):
    import atheris

    folder = tempfile.mkdtemp(prefix="core-box-fuzz-")
    for number, data in enumerate(seeds()):
        Path(folder, f"seed-{number:03}").write_bytes(data)
    door.begun = time.monotonic()

    def told(data):
        door(data)
        if door.executions % 500 == 0 or door.executions == given.runs:  # libFuzzer ends the process as it likes
            print(json.dumps(door.told("atheris")), flush=True)

    atheris.instrument_func(jpeg.scan)
    atheris.instrument_func(png.scan)
    atheris.Setup([sys.argv[0], folder, f"-runs={given.runs}", f"-max_total_time={given.seconds}", f"-seed={given.seed}",
                   "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536", "-verbosity=0", "-print_final_stats=0"], told)
    atheris.Fuzz()


def by_ourselves(door, given):
    chance, known = random.Random(given.seed), seeds()
    door.begun = time.monotonic()
    while door.executions < given.runs and time.monotonic() - door.begun < given.seconds:
        door(mutated(bytearray(chance.choice(known)), chance, known))
    print(json.dumps(door.told("flips, cuts, repeats, numbers, joins")), flush=True)


def mutated(data, chance, known):
    """The bytes with one to eight changes."""
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(max(1, len(data))), chance.randint(1, 64)
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at:at + length]
        elif kind == 2:
            data[at:at] = data[at:at + length]
        elif kind == 3:  # a length or a size that lies
            data[at:at + 4] = chance.choice((0, 1, 2**31 - 1, 2**32 - 1, chance.randrange(2**32))).to_bytes(4, "big")
        elif kind == 4:
            data[at:] = chance.choice(known)[at:]
        else:
            del data[at:]
    return data


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=int, default=300)
    words.add_argument("--runs", type=int, default=1_000_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--ourselves", action="store_true", help="not by atheris, even where it is installed")
    given = words.parse_args()
    atheris = importlib.util.find_spec("atheris") and not given.ourselves
    (by_atheris if atheris else by_ourselves)(Door(), given)


if __name__ == "__main__":
    main()
