"""Pictures of core boxes generated a second, beside decoding a JPEG of the same size.

    python -m benchmarks.generator_speed            table, and outputs/benchmarks/generator_speed.json
    python -m benchmarks.generator_speed --sheet    also outputs/benchmarks/generator_speed.jpg, a contact sheet with corners and rows
"""

import argparse
import multiprocessing
import platform
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from lib.storage import files
from lib.synthetic import coreboxes

OUT = Path("outputs/benchmarks")
SIZES = [(320, 240), (640, 480), (1024, 480), (4000, 1800)]


def rates(one, count, rounds=5):
    """Calls a second in each round, and the same in CPU time, which other work on the machine disturbs less."""
    wall, cpu = [], []
    for k in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        for seed in range(k * count, (k + 1) * count):
            one(seed)
        wall.append(count / (time.perf_counter() - start))
        cpu.append(count / max(time.process_time() - used, 1e-9))
    return wall, cpu


def line(name, size, rounds):
    """One line of the table: median, lowest and highest rate."""
    wall, cpu = rounds
    return {"name": name, "size": list(size), "per_second": round(statistics.median(wall), 1),
            "lowest": round(min(wall), 1), "highest": round(max(wall), 1), "per_cpu_second": round(statistics.median(cpu), 1)}


def measure(size, count):
    """Lines for drawing and for decoding at one size, on one core."""
    scene = coreboxes.draw(1, size)
    data = np.frombuffer(coreboxes.jpeg(scene, 90), np.uint8)
    for seed in range(20 if size[0] < 2000 else 1):
        coreboxes.draw(900_000 + seed, size)  # fills the bank of textures
    return [line("draw", size, rates(lambda seed: coreboxes.draw(seed, size), count)),
            line("draw_wide", size, rates(lambda seed: coreboxes.draw_wide(seed, size), count)),
            line("decode a JPEG", size, rates(lambda seed: cv2.imdecode(data, cv2.IMREAD_COLOR), count))]


def share(seeds):
    """Draws these seeds; for one of several processes. The first draws only fill its bank of textures."""
    cv2.setNumThreads(1)
    for seed in range(20):
        coreboxes.draw(900_000 + seed)
    wall, cpu = rates(lambda k: coreboxes.draw(seeds[k]), len(seeds), 1)
    return wall[0], cpu[0]


def together(count, processes=2):
    """The line for several processes drawing 640x480 pictures at once."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        shares = [range(k * 10_000, k * 10_000 + count) for k in range(processes)]
        rounds = [np.sum(pool.map(share, shares, 1), 0).tolist() for _ in range(3)]
    return line(f"draw, {processes} processes", (640, 480), tuple(zip(*rounds, strict=True)))


def marked(seed, width=480):
    """A small picture of a scene with its corners and rows drawn in white."""
    scene = coreboxes.draw(seed, shifted=seed % 4 == 3)
    k = width / scene.pixels.shape[1]
    pixels = cv2.resize(scene.pixels, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    polygons = [] if scene.kind == "none" else [scene.outer, *scene.rows]
    cv2.polylines(pixels, [np.round(p * k * 16).astype(np.int32) for p in polygons], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    return pixels


def sheet(columns=6, lines=8):
    """A contact sheet; every fourth picture comes from the shifted world."""
    pictures = [marked(seed) for seed in range(columns * lines)]
    return np.vstack([np.hstack(pictures[k : k + columns]) for k in range(0, len(pictures), columns)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", action="store_true", help="also write a contact sheet")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    table = [row for size in SIZES for row in measure(size, 40 if size[0] < 2000 else 2)] + [together(100)]
    print(f"{'':22}{'size':>12}{'a second':>10}{'lowest':>9}{'highest':>9}{'a CPU second':>14}")
    for r in table:
        print(f"{r['name']:22}{'x'.join(map(str, r['size'])):>12}{r['per_second']:10}{r['lowest']:9}{r['highest']:9}{r['per_cpu_second']:14}")
    files.write_json(OUT / "generator_speed.json", {"table": table, "machine": platform.processor() or platform.machine(),
                                          "python": platform.python_version(), "opencv": cv2.__version__, "date": time.strftime("%Y-%m-%d")})
    if asked.sheet:
        _, data = cv2.imencode(".jpg", sheet()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
        files.write(OUT / "generator_speed.jpg", data.tobytes())
        print(f"contact sheet: {OUT / 'generator_speed.jpg'}")


if __name__ == "__main__":
    main()
