"""Load test of the hub: simulated suppliers submit good and bad generated pictures at once, and the counts are checked.

    python -m benchmarks.hub_load [--suppliers 5] [--pictures 20] [--set hub.name=test …]

The hub is that of params.yaml; migrate it first: `python -m lib hub migrate`.
"""

import argparse
import functools
import io
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from PIL import Image

from lib import tasks
from lib.common import config
from lib.hub import access, accounts
from lib.hub.intake import sources, submission
from lib.storage import postgres

LICENCES = ("CC-BY-4.0", "CC0-1.0", "CC-BY-SA-4.0")
PLACES = ("Perth, AU", "Santiago, CL", "Kiruna, SE", "Toronto, CA", "Johannesburg, ZA", "Freiberg, DE", "Cusco, PE", "")
FAULTS = {"good": 0.80, "again": 0.06, "near duplicate": 0.06, "dark": 0.03, "blurred": 0.03, "text": 0.02}   # by their shares
SIZE = (640, 480)   # px


def simulate(hub, suppliers, pictures, task="", seed=0, batch=20, patience=300.0):
    """Pictures sent by fault, the rate a second, and `totals`, after `suppliers` sent `pictures` each, all at once.

    The pictures are generated and labelled by `task` (empty: hub.training_task) and sent in requests of `batch`. A request
    that fails because the database is away is sent again for up to `patience` seconds; then postgres.Unreachable.
    """
    senders = [_supplier(hub, number) for number in range(suppliers)]
    began, counts, lock = time.monotonic(), dict.fromkeys(FAULTS, 0), threading.Lock()

    def send(at):
        drawn = items(task or hub.settings.training_task, np.random.default_rng((seed, at)), pictures, f"s{at}")
        for start in range(0, pictures, batch):
            faults, part = zip(*itertools.islice(drawn, batch), strict=True)
            _retry(functools.partial(submission.receive, hub, senders[at], f"simulated {seed}", part, "simulate",
                                         done=start + batch >= pictures), patience)
            with lock:
                for fault in faults:
                    counts[fault] += 1

    with ThreadPoolExecutor(suppliers) as pool:
        for done in [pool.submit(send, at) for at in range(suppliers)]:
            done.result()
    seconds = time.monotonic() - began
    return {"suppliers": suppliers, "sent": sum(counts.values()), "seconds": round(seconds, 2),
            "per_second": round(sum(counts.values()) / seconds, 1), "faults": counts, **totals(hub)}


def _retry(call, patience):
    end = time.monotonic() + patience
    while True:
        try:
            return call()
        except postgres.Unreachable:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _supplier(hub, number):
    name = f"simulated {number:03}"
    try:
        return accounts.find(hub, name)
    except ValueError:
        return accounts.add(hub, name, ["supplier"])[0]


def items(task, rng, count, name):
    """Pairs of a fault's name and the Item that has it, generated and labelled by the job of a task."""
    faults = rng.choice(list(FAULTS), count, p=list(FAULTS.values()))
    earlier = []
    for number, fault in enumerate(faults):
        values = {"licence": str(rng.choice(LICENCES)), "place": str(rng.choice(PLACES))}
        if fault in ("again", "near duplicate") and not earlier:
            fault = "good"
        data, labels = earlier[int(rng.integers(len(earlier)))] if fault in ("again", "near duplicate") else _draw(task, rng)
        if fault == "good":
            earlier.append((data, labels))
        yield str(fault), sources.Item(f"{name}/{number:05}.jpg", _spoil(str(fault), data, rng), values | {"labels": labels})


@functools.cache
def _job(task):
    return tasks.job(task)


def _draw(task, rng):
    data, row = _job(task).sample(rng, SIZE)
    labels = row.get("labels") or row.get("label") or task
    return data, labels.split(";")


def _spoil(fault, data, rng):
    """The bytes of a picture with its fault: darkened, blurred, cut and encoded anew, or no picture at all."""
    if fault in ("good", "again"):
        return data
    if fault == "text":
        return f"no picture, {rng.integers(2**60)}".encode()
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    if fault == "dark":
        pixels = (pixels * 0.06).astype(np.uint8)
    elif fault == "blurred":
        pixels = cv2.GaussianBlur(pixels, (0, 0), 12)
    else:
        off = [int(rng.integers(0, side // 20 + 1)) for side in (pixels.shape[0], pixels.shape[1])]
        pixels = pixels[off[0]:off[0] + pixels.shape[0] * 19 // 20, off[1]:off[1] + pixels.shape[1] * 19 // 20]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=int(rng.integers(60, 92)))
    return file.getvalue()


def totals(hub):
    """What the database holds, and whether it adds up: files by outcome, pictures by status, and what does not fit."""
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT outcome, count(*) FROM hub.submission GROUP BY 1 ORDER BY 1")
        files = dict(cursor.fetchall())
        cursor.execute("SELECT status, count(*) FROM hub.picture GROUP BY 1 ORDER BY 1")
        pictures = dict(cursor.fetchall())
        cursor.execute("""SELECT
            (SELECT count(*) FROM hub.picture WHERE (SELECT count(*) FROM hub.submission
             WHERE submission.picture = picture.id AND outcome = 'new') <> 1),
            (SELECT count(*) FROM hub.submission LEFT JOIN hub.picture ON picture.id = submission.picture
             WHERE outcome <> 'refused' AND picture.id IS NULL),
            (SELECT count(*) FROM (SELECT label, status, sum(change) AS n FROM hub.tally GROUP BY 1, 2 HAVING sum(change) <> 0
             EXCEPT SELECT one, status, count(*) FROM hub.picture, unnest(array_append(filed, 0)) AS one GROUP BY 1, 2) AS off)""")
        names = ("pictures_without_their_file", "files_without_their_picture", "counts_that_are_off")
        return {"files": files, "pictures": pictures, **dict(zip(names, cursor.fetchone(), strict=True))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suppliers", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=20, help="of each supplier")
    parser.add_argument("--set", nargs="*", default=[], metavar="a.b=c", help="settings to override (hub, compute, data)")
    arguments = parser.parse_args()
    hub = access.open_hub(config.nest(config.parse_overrides(" ".join(arguments.set))))
    print(json.dumps(simulate(hub, arguments.suppliers, arguments.pictures), indent=1))


if __name__ == "__main__":
    main()
