"""Time from a photograph's JPEG to the answer of `corners`, beside decoding alone.

    python -m benchmarks.corners_speed [--rounds 7]

Generated 12-megapixel photographs, shipped weights. Heatmap mode is compared with decoding at the reduced scale that it
requests, cascade mode with decoding in full. `single`: sequentially, in one thread; `batch`: in a pool of two threads;
`-192`: the weights for the smaller input. Each round times both alternately; reported are the median over rounds, and the
lowest and highest ratio. The last rows time pictures that are already decoded, generated as for benchmarks.corners:
answers a second with two threads.
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np

from benchmarks import corners as benchmark
from lib import tasks
from lib.imaging import images
from lib.serving import prediction
from lib.storage import files

SIZE = (4000, 3000)
PHOTOGRAPHS, DECODED = 6, 60
SEED = 70_000_000        # of the decoded pictures


def ways(head):
    """Functions of a JPEG's bytes: decoding alone, and decoding and answering as the job does."""
    predictor = prediction.load(benchmark.exported(head), threads=1, golden=False)
    least = predictor.job.minimum_decode_size

    def answer(data):
        return predictor.answer(images.read(data, at_least=least))

    return partial(images.read, at_least=least if head.startswith("heatmap") else None), answer, predictor


def seconds(function, inputs, threads):
    """Wall-clock time of a function of all inputs."""
    began = time.perf_counter()
    if threads == 1:
        for each in inputs:
            function(each)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(function, inputs))
    return time.perf_counter() - began


def beside(plain, other, inputs, threads, rounds):
    """Milliseconds an input of either function, and the ratio of the second to the first: median, lowest, highest."""
    took = [(seconds(plain, inputs, threads), seconds(other, inputs, threads)) for _ in range(rounds)]
    ratios = [second / first for first, second in took]
    first, second = (1000 * statistics.median(each) / len(inputs) for each in zip(*took, strict=True))
    return {"plain_ms": first, "ms": second, "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--rounds", type=int, default=7)
    rounds, results = words.parse_args().rounds, []
    cv2.setNumThreads(1)
    job = tasks.job("corners", overrides=benchmark.PLAIN)
    photographs = [job.sample(np.random.default_rng(seed), SIZE)[0] for seed in range(PHOTOGRAPHS)]
    decoded = [benchmark._scene(SEED + at, False)["picture"] for at in range(DECODED)]
    print(f"{'':34}{'decoding':>10}{'with answer':>13}{'ratio':>7}{'lowest':>8}{'highest':>9}")
    for head in ("heatmap", "cascade", "heatmap-192", "cascade-192"):
        plain, answer, predictor = ways(head)
        [answer(each) for each in photographs]
        for name, threads, inputs in (("single", 1, photographs), ("batch", 2, 4 * photographs)):
            got = beside(plain, answer, inputs, threads, rounds)
            results.append({"head": head, "way": name, **got})
            print(f"{head + ', ' + name:34}{got['plain_ms']:7.1f} ms{got['ms']:10.1f} ms{got['ratio']:7.2f}"
                  f"{got['lowest']:8.2f}{got['highest']:9.2f}")
        rates = [len(decoded) / seconds(predictor.answer, decoded, 2) for _ in range(rounds)]
        results.append({"head": head, "way": "decoded", "per_second": statistics.median(rates), "lowest": min(rates),
                        "highest": max(rates)})
        print(f"{head}, decoded already: {statistics.median(rates):.0f} a second ({min(rates):.0f}-{max(rates):.0f})")
    files.write_json(benchmark.FOLDER / "corners_speed.json", {"made": time.strftime("%Y-%m-%d %H:%M:%S"), "results": results})


if __name__ == "__main__":
    main()
