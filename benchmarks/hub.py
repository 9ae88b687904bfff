"""The image hub's near duplicates, label errors, throughput, a million rows, concurrent clients with faults, and memory.

    python -m benchmarks.hub [duplicates labels verify dask rows crowd stream]

Generated pictures are named as such in the results. COREBOX_REAL_DATA names the folder of real pictures, COREBOX_IMAGENET
the weights of MobileNetV2 for the second kind of features; without them those rows are left out. Results accumulate in
outputs/benchmarks/hub.json.
"""

import argparse
import glob
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np

from benchmarks import hub_load
from lib import tasks
from lib.common import config
from lib.common.http.server import free_port
from lib.hub import access, accounts, store
from lib.hub.datasets import export, selection, versions
from lib.hub.intake import checks, features, label_errors, near_duplicates, sources, submission, verification
from lib.imaging import images
from lib.storage import files

REAL = os.environ.get("COREBOX_REAL_DATA", "")
NETWORK = os.environ.get("COREBOX_IMAGENET", "")
LICENCES = ("CC-BY-4.0", "CC0-1.0", "CC-BY-SA-4.0")


def open_hub(name, **overrides):
    """A migrated hub of its own in the embedded PostgreSQL."""
    hub = access.open_hub({"hub.name": name, **{key.replace("__", "."): value for key, value in overrides.items()}})
    hub.migrate()
    return hub


def account(hub, name, *roles):
    try:
        return accounts.find(hub, name)
    except ValueError:
        return accounts.add(hub, name, list(roles))[0]


def jpeg(pixels, quality=85):
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def generated(task, count, size=(640, 480), seed=0):
    """Pictures (uint8 RGB) that the job of a task draws, with their rows."""
    job = tasks.job(task, "smoke")
    for number in range(count):
        data, row = job.sample(np.random.default_rng((seed, number)), size)
        yield images.read(data).pixels, row


# --- near duplicates


def collections():
    """By name: pictures (uint8 RGB) of which no two are the same, as far as names and pixels tell."""
    yield "generated tags", [pixels for pixels, _ in generated("tags", 60)]
    yield "generated core boxes", [pixels for pixels, _ in generated("corners", 60)]
    if REAL:
        core = {}   # of a box that is there at two sizes, one
        for path in sorted(glob.glob(f"{REAL}/coreboxes/labelled/*") + glob.glob(f"{REAL}/coreboxes/unlabelled/*")):
            core.setdefault(Path(path).name.removeprefix("resized_"), path)
        yield "real core boxes", _apart(core.values())
        yield "real bins", _apart(sorted(glob.glob(f"{REAL}/bins/images/*")))
        yield "real nails (alike by nature)", _apart(sorted(glob.glob(f"{REAL}/nails/Data/**/*.*", recursive=True))[::3])
        yield "real boats (frames of one video)", _apart(sorted(glob.glob(f"{REAL}/boats/images/*")))


def _apart(paths):
    """The pictures of files without those that are, pixel by pixel, the same photograph under another name."""
    kept, tiny = [], []
    for path in [path for path in paths if path.lower().endswith((".jpg", ".jpeg", ".png"))]:
        pixels = images.read(path, at_least=checks.DECODE_SIZE).pixels
        small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        if not any(np.abs(small - other).mean() < 1.0 for other in tiny):
            kept.append(pixels)
            tiny.append(small)
    return kept


def copies(pixels, rng):
    """What people do to a picture before they send it once more."""
    height, width = pixels.shape[:2]
    yield "re-encoded", jpeg(pixels, 40)
    yield "resized", jpeg(cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    across, down = width // 20, height // 20
    left, top = int(rng.integers(0, across + 1)), int(rng.integers(0, down + 1))
    yield "5 % crop", jpeg(pixels[top:top + height - down, left:left + width - across])
    factor, more = rng.uniform(0.75, 1.25), rng.uniform(-20, 20)
    yield "brightness", jpeg((pixels * factor + more).clip(0, 255).astype(np.uint8))


def duplicates(limit=None):
    """Recall and precision of near duplicates among copies, beside a perceptual hash alone at the same distance."""
    settings, results = config.resolve_group("hub"), {}
    for name, pictures in collections():
        pictures, rng, began = pictures[:limit], np.random.default_rng(0), time.monotonic()
        known = [_fingerprint(pixels) for pixels in pictures]
        found, alone, missed, scores = [], [], {}, {"same": [], "other": []}
        for at, pixels in enumerate(pictures):
            for kind, data in copies(pixels, rng):
                mine = _fingerprint(images.read(data, at_least=checks.DECODE_SIZE).pixels)
                near = [(-float(mine[1] @ theirs[1]), other) for other, theirs in enumerate(known)
                        if set(near_duplicates.query_keys(mine[0])) & set(near_duplicates.index_keys(theirs[0]))
                        and near_duplicates.distance(mine[0], theirs[0]) <= settings.hash_distance]
                alone += [other == at for _, other in near]
                hit = False
                for _, other in sorted(near)[:verification.MAX_CANDIDATES]:
                    score = near_duplicates.similarity(near_duplicates.to_grey(mine[2]), near_duplicates.to_grey(known[other][2]), settings.twin)
                    scores["same" if other == at else "other"].append(round(score, 3))
                    if score >= settings.twin:
                        found.append(other == at)
                        hit |= other == at
                        break
                if not hit:
                    missed[kind] = missed.get(kind, 0) + 1
        number = 4 * len(pictures)
        results[name] = {"pictures": len(pictures), "copies": number, "recall": round(sum(found) / number, 4),
                         "precision": round(sum(found) / max(1, len(found)), 4),
                         "hash_alone_recall": round(sum(alone) / number, 4),
                         "hash_alone_precision": round(sum(alone) / max(1, len(alone)), 4), "missed": missed,
                         "lowest_same": sorted(scores["same"])[:8], "highest_other": sorted(scores["other"])[-8:],
                         "seconds": round(time.monotonic() - began, 1)}
        print(f"{name:34} {results[name]}", flush=True)
    return results


def _fingerprint(pixels):
    looks = checks.pixel_figures(pixels)
    return looks["hashes"], looks["features"], looks["small"]


# --- wrong labels


def labels(repeats=5):
    """Area under ROC of label errors on 10 % planted wrong labels; the baseline is chance, 0.5."""
    results = {}
    for kind, extract in extractors().items():
        for name, (pictures, truth) in labelled().items():
            found = extract(pictures)
            scores = [_area(found, np.array(truth), seed) for seed in range(repeats)]
            results[f"{name}, {kind}"] = {"pictures": len(truth), "labels": len(set(truth)), "baseline": 0.5,
                                          "area_under_roc": round(float(np.mean(scores)), 4),
                                          "lowest_of_seeds": round(min(scores), 4), "seeds": repeats}
            print(f"{name}, {kind:40} {results[f'{name}, {kind}']}", flush=True)
        if REAL:
            results[f"openimages thumbnails, {kind}"] = _thumbnails(extract)
            print(json.dumps(results[f"openimages thumbnails, {kind}"], indent=1))
    return results


def extractors():
    found = {"classic": features.extractor(access.open_hub())}
    if NETWORK:
        network = features.extractor(access.open_hub({"hub.features": "MobileNetV2", "hub.features_weights": NETWORK}))
        found[f"MobileNetV2 ({Path(NETWORK).name.split('.weights')[0]})"] = lambda pictures: np.concatenate(
            [network(pictures[at:at + 16]) for at in range(0, len(pictures), 16)])
    return found


def labelled():
    """Pictures (small, uint8 RGB) and labels, of collections whose labels are right."""
    drawn = [(checks.shrink(pixels, 256), task) for task in tasks.names() for pixels, _ in generated(task, 60, (320, 240))]
    found = {"generated, by which task's generator": tuple(map(list, zip(*drawn, strict=True)))}
    if REAL:
        kinds = {"core box": "coreboxes/*labelled/*", "bin": "bins/images/*", "nail": "nails/Data/**/*.*", "boat": "boats/images/*"}
        pairs = [(checks.shrink(images.read(path, at_least=(256, 256)).pixels, 256), label) for label, pattern in kinds.items()
                 for path in sorted(glob.glob(f"{REAL}/{pattern}", recursive=True))[::2] if path.lower().endswith((".jpg", ".jpeg"))]
        found["real core boxes, bins, nails and boats"] = tuple(map(list, zip(*pairs, strict=True)))
    return found


def _area(found, truth, seed):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    wrong = rng.permutation(len(truth)) < round(0.1 * len(truth))
    names = np.unique(truth)
    planted = np.array([rng.choice(names[names != label]) if bad else label
                        for label, bad in zip(truth, wrong, strict=True)])
    return float(roc_auc_score(wrong, label_errors.find(found, planted, seed=seed)[0]))


def _thumbnails(extract):
    paths = sorted(glob.glob(f"{REAL}/openimages/thumbnails/*/*"))
    truth = np.array([Path(path).parent.name for path in paths])
    suspicion, better, sure = label_errors.find(extract([images.read(path).pixels for path in paths]), truth)
    order = np.argsort(-suspicion)
    return [f"{Path(paths[at]).parent.name}/{Path(paths[at]).name}: looks like {better[at]} ({sure[at]:.2f}), suspicion {suspicion[at]:.2f}"
            for at in order if suspicion[at] > 1 and better[at] != truth[at]][:15]


# --- speed


def _submitted(name, count, **overrides):
    """A hub with `count` generated pictures of 640x480 that wait."""
    hub = open_hub(name, **overrides)
    who = account(hub, "bench", "supplier", "customer")
    drawn = [jpeg(pixels) for pixels, _ in generated("tags", 40)]
    rng = np.random.default_rng(0)

    def items():
        for number in range(count):   # each its own: other noise over one of forty drawings, mirrored or not
            pixels = cv2.imdecode(np.frombuffer(drawn[number % 40], np.uint8), 1)[..., ::-1]
            noise = cv2.resize(rng.integers(-50, 50, (8, 8, 3)).astype(np.float32), (640, 480), interpolation=cv2.INTER_CUBIC)
            pixels = (pixels[:, ::(-1) ** (number // 40)] + noise).clip(0, 255).astype(np.uint8)
            yield sources.Item(f"{number}.jpg", jpeg(pixels), {"licence": "CC0-1.0", "labels": ["drawn"]})

    began = time.monotonic()
    receipt = submission.receive(hub, who, "bench", items())
    return hub, receipt, time.monotonic() - began


def verify(count=1000):
    """Pictures verified in a second, 640x480, with two threads; beside decoding alone."""
    hub, _, seconds = _submitted(f"verify{os.getpid()}", count)
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT sha256 FROM hub.picture ORDER BY id LIMIT 300")
        names = [name for name, in cursor.fetchall()]
    began, spent = time.monotonic(), time.process_time()
    for name in names:
        images.read(store.read(hub, name))
    alone, alone_spent = len(names) / (time.monotonic() - began), len(names) / (time.process_time() - spent)
    began, spent = time.monotonic(), time.process_time()
    found = verification.verify(hub)
    # On a machine that others use too, what it takes of a processor says more than the clock; PostgreSQL's part is not in it.
    return {"pictures": count, "verified_per_second": round(count / (time.monotonic() - began), 1), "found": found,
            "verified_per_two_processor_seconds": round(2 * count / (time.process_time() - spent), 1),
            "baseline_decoding_alone_per_second": round(alone, 1),
            "baseline_decoding_alone_per_two_processor_seconds": round(2 * alone_spent, 1),
            "submitted_per_second_with_drawing": round(count / seconds, 1), "load": os.getloadavg()[0]}


def dask(count=600):
    """Pictures measured in a second by one and by two processes of Dask, and after a worker was killed in the middle."""
    from distributed import Client, LocalCluster

    hub, _, _ = _submitted(f"dask{os.getpid()}", count)
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT sha256 FROM hub.picture ORDER BY id")
        jobs = [(hub, name, True) for name, in cursor.fetchall()]
    from lib.common.parallel import _DaskExecutor

    results = {"pictures": len(jobs)}
    for workers in (1, 2):
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            engine = _DaskExecutor(client, 3)
            list(engine.map(verification._measure, jobs[:64]))   # imports
            began = time.monotonic()
            found = list(engine.map(verification._measure, jobs))
            results[f"per_second_with_{workers}"] = round(len(jobs) / (time.monotonic() - began), 1)
            if workers == 2:
                pids = list(client.run(os.getpid).values())
                threading.Timer(0.5, os.kill, (pids[0], signal.SIGKILL)).start()
                again = list(engine.map(verification._measure, jobs))
                results["after_kill_9_pictures"] = len(again)
                results["after_kill_9_the_same"] = all(one["hashes"] == other["hashes"] for one, other in
                                                       zip(found, again, strict=True))
    results["ratio"] = round(results["per_second_with_2"] / results["per_second_with_1"], 2)
    return {**results, "load": os.getloadavg()[0]}


# --- a million rows


def rows(count=1_000_000, chunk=20_000):
    """Metadata of generated pictures: COPY with all constraints, by one connection and by two; selection; counts."""
    hub = open_hub(f"rows{os.getpid()}", data__statement_timeout=600)
    senders = [account(hub, f"bench {number}", "supplier", "customer") for number in (1, 2)]
    rng = np.random.default_rng(0)
    with hub.owner_transaction() as cursor:   # a tree of 600 labels: 12 kinds, each with 49 below, in two steps
        cursor.execute("INSERT INTO hub.label (key, name) SELECT 'k' || n, 'label ' || n FROM generate_series(1, 600) AS n")
        cursor.execute("INSERT INTO hub.edge SELECT 1 + (n - 13) % 12, n FROM generate_series(13, 96) AS n")
        cursor.execute("INSERT INTO hub.edge SELECT 13 + (n - 97) % 84, n FROM generate_series(97, 600) AS n")
        cursor.execute("INSERT INTO hub.place (city, region, country) SELECT 'city ' || n, '', chr(65 + n % 20) || 'A' "
                       "FROM generate_series(1, 400) AS n")
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM hub.label")
        names = np.array(cursor.fetchone()[0])
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM hub.place WHERE city <> ''")
        where = np.array(cursor.fetchone()[0])
        cursor.execute("INSERT INTO hub.batch (person, key, source) SELECT unnest(%s), 'rows', 'generated' RETURNING person, id",
                       ([who.id for who in senders],))
        batches = dict(cursor.fetchall())
    took, done = {1: [], 2: []}, 0
    with ThreadPoolExecutor(2) as pool:
        while done < count:
            abreast = 1 if done < count // 5 else 2   # a fifth of them by one connection
            texts = [_lines(rng, done + n * chunk, chunk, names, where) for n in range(abreast)]
            began = time.monotonic()
            processor = sum(pool.map(lambda who, text: _copied(hub, who, batches[who.id], text), senders, texts))
            took[abreast].append((len(texts) * chunk, time.monotonic() - began, processor))
            done += len(texts) * chunk
            print(f"\r{done} rows, {len(texts) * chunk / took[abreast][-1][1]:.0f} a second", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    with hub.transaction(accounts.OPERATOR, "work", 1200) as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'accepted', quality = (id % 100) / 100.0, verified = now()")
    accepted = time.monotonic() - began
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT hub.sum_up()")
        cursor.connection.commit()
        cursor.connection.autocommit = True
        cursor.execute("VACUUM (ANALYZE) hub.picture")
    totals = {number: np.sum(each, 0) for number, each in took.items()}
    return {"rows": done, "copied_per_second_by_one_connection": round(totals[1][0] / totals[1][1]),
            "copied_per_second_by_two": round(totals[2][0] / totals[2][1]), "slowest_chunk_per_second_by_two":
            round(min(rows / seconds for rows, seconds, _ in took[2])), "copied_per_processor_second_of_the_server":
            round(sum(each[0] for each in totals.values()) / sum(each[2] for each in totals.values())),
            "accepted_in_seconds": round(accepted, 1), **_selected(hub, senders[0], rng), "load": os.getloadavg()[0]}


def _lines(rng, start, chunk, names, where):
    """Rows of `incoming` as COPY reads them, of pictures `start` and on."""
    popular = 1 / np.arange(1, 505) ** 0.7
    leaves = names[96 + rng.choice(504, chunk, p=popular / popular.sum())]
    at, which = where[rng.integers(0, len(where), chunk)], rng.integers(0, 3, chunk)
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(start, start + chunk)]
    return "".join(f"{n}.jpg\t1|1\t\t{sha256}\t90000\t{sha256}\t89000\tJPEG\t640\t480\t\\N\tsomeone\t{place}\t{LICENCES[one]}"
                   f"\t{{{leaf}}}\t\\N\t\\N\t\\N\t\\N\n"
                   for n, sha256, leaf, place, one in zip(range(start, start + chunk), hashes, leaves, at, which, strict=True))


def _copied(hub, who, batch, text):
    """The processor seconds that the server took to take in these rows, as a submission does."""
    with hub.transaction(who, "submit", 600) as cursor:
        cursor.execute(submission.INCOMING)
        cursor.copy_expert("COPY incoming FROM STDIN", io.StringIO(text))
        submission.insert_rows(cursor, who, batch)
        return _processor(cursor)


def _processor(cursor):
    """Seconds of a processor that this connection's server process has used: tells more than the clock on a busy machine."""
    import psutil

    times = psutil.Process(cursor.connection.info.backend_pid).cpu_times()
    return times.user + times.system


def _selected(hub, who, rng):
    queries = []
    for _ in range(100):
        labels = [f"label {int(n)}" for n in rng.choice([*range(1, 13), *range(13, 97), *range(97, 601)], rng.integers(1, 4))]
        queries.append({"labels": labels, "places": [f"{chr(65 + int(rng.integers(20)))}A"],
                        "licences": [str(rng.choice(LICENCES))]})
    times, spent, plans, found = [], [], set(), 0
    with hub.transaction(who, "select", 600) as cursor:
        for query in [selection.checked_query(query) for query in queries]:
            began, before = time.monotonic(), _processor(cursor)
            found += len(selection._ids(cursor, selection._values(cursor, query), 1000))
            times.append(time.monotonic() - began)
            spent.append(_processor(cursor) - before)
            cursor.execute("EXPLAIN SELECT id FROM hub.published WHERE " + selection.MATCHES + " ORDER BY id LIMIT 1000",
                           selection._values(cursor, query))
            plans |= {word for line, in cursor.fetchall() for word in line.split() if word.startswith("picture_")}
    with hub.transaction(who, "browse") as cursor:   # a connection that is there, as a program has it that asks often
        began = time.monotonic()
        counts = selection._counts(cursor, "accepted")
        counted = time.monotonic() - began
    with hub.owner_transaction() as cursor:
        began = time.monotonic()
        cursor.execute("SELECT label.name, count(*) FROM hub.picture, unnest(filed) AS one JOIN hub.label ON label.id = one "
                       "WHERE status = 'accepted' GROUP BY 1")
        truth, plain = dict(cursor.fetchall()), time.monotonic() - began
    return {"select_p50_ms": round(1000 * float(np.percentile(times, 50)), 1),
            "select_p95_ms": round(1000 * float(np.percentile(times, 95)), 1), "ids_found": found,
            "select_p95_processor_ms_of_the_server": round(1000 * float(np.percentile(spent, 95)), 1),
            "indexes_used": sorted(plans), "counts_ms": round(1000 * counted, 1), "counts_equal_counted": counts == truth,
            "baseline_counting_ms": round(1000 * plain)}


# --- a crowd, with faults


def crowded(seconds=180, suppliers=50):
    """Suppliers that submit at once over HTTP, while the app is killed (kill -9) and PostgreSQL in the middle."""
    port = free_port("127.0.0.1")
    hub = open_hub(f"crowd{os.getpid()}", hub__port=port)
    drawn = [item for _, item in hub_load.items("tags", np.random.default_rng(7), 60, "s")]
    app, until, lock = App(hub), threading.Event(), threading.Lock()
    told = {"accepted": {}, "answers": Counter()}   # what the app has answered for, by supplier and file; how it answered
    senders = []
    for number in range(suppliers):
        who, token = accounts.add(hub, f"supplier {number:02}", ["supplier"])
        senders.append(threading.Thread(target=_supplies, args=(app.url, token, who.id, drawn, until, told, lock)))
    began = time.monotonic()
    for each in senders:
        each.start()
    faults = []
    for fault in (app.kill_and_start, _restart):
        time.sleep(max(0.0, began + seconds * (len(faults) + 1) / 3 - time.monotonic()))
        faults.append({"fault": fault.__name__.strip("_"), "at": round(time.monotonic() - began, 1), "accepted_before":
                       len(told["accepted"])})
        fault()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    until.set()
    for each in senders:
        each.join()
    took = time.monotonic() - began
    app.kill()
    return {"suppliers": suppliers, "seconds": round(took, 1), "faults": faults, "answers": dict(told["answers"]),
            "accepted_per_second": round(len(told["accepted"]) / took, 1), **_reconciled(hub, told["accepted"]),
            "load": os.getloadavg()[0]}


class App:
    """The hub's app in a process of its own."""

    def __init__(self, hub):
        self.url = f"http://127.0.0.1:{hub.settings.port}"
        self.command = [sys.executable, "-m", "lib", "hub", "serve", "--set", f"hub.name={hub.profile}",
                        f"hub.port={hub.settings.port}"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, start_new_session=True)
        while True:
            try:
                if httpx.get(f"{self.url}/health", trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)

    def kill(self):
        """kill -9 of the app with the worker that it has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_and_start(self):
        self.kill()
        self.start()


def _supplies(url, token, account, drawn, until, told, lock):
    """One supplier, who sends picture after picture, each again and again until the app has answered for it."""
    with httpx.Client(trust_env=False, timeout=60, headers={"Authorization": f"Bearer {token}"}) as client:
        for number, item in enumerate(itertools.cycle(drawn)):
            if until.is_set():
                return
            words = {"licence": item.values["licence"], "place": item.values["place"], "labels": ";".join(item.values["labels"])}
            comment = f"{account} {number}".encode()   # a file of its own, which costs no drawing
            name, data = f"{number:05}.jpg", item.data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + item.data[2:]
            while True:
                try:
                    answer = client.post(f"{url}/v1/batches/crowd/pictures", data=words,
                                         files={"file": (name, data)})
                    code = str(answer.status_code)
                except httpx.HTTPError as error:
                    code = type(error).__name__
                with lock:
                    told["answers"][code] += 1
                    if code == "200":
                        [file] = answer.json()["files"]
                        told["accepted"][account, file["name"]] = file["outcome"], hashlib.sha256(data).hexdigest()
                if code == "200" or until.is_set() and code != "429":
                    break
                time.sleep(0.3)


def _reconciled(hub, accepted):
    """Whether what the app has answered for is there, once, with its bytes, and the hub's own figures agree."""
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT batch.person, submission.name, outcome, sha256 FROM hub.submission JOIN hub.batch ON "
                       "batch.id = submission.batch LEFT JOIN hub.picture ON picture.id = submission.picture")
        there = {(account, name): (outcome, sha256) for account, name, outcome, sha256 in cursor.fetchall()}
    pictures = {sha256 for outcome, sha256 in there.values() if outcome == "new"}
    for sha256 in pictures:
        store.read(hub, sha256)   # checks the hash
    lost = [file for file, (outcome, sha256) in accepted.items()
            if there.get(file, ("", ""))[0] != outcome or outcome != "refused" and there[file][1] != sha256]
    totals = hub_load.totals(hub)
    return {"files_answered_for": len(accepted), "lost": len(lost), "twice": totals["files"]["new"] - len(pictures), **totals,
            "reconciles": not lost and len(pictures) == sum(totals["pictures"].values()) == totals["files"]["new"]
            and not totals["pictures_without_their_file"] and not totals["files_without_their_picture"]
            and not totals["counts_that_are_off"]}


def _restart():
    """PostgreSQL stopped at once, as by a power cut; whoever asks next starts it again."""
    pid = int((config.home() / "data" / "postgres" / "postmaster.pid").read_text().split("\n")[0])
    os.kill(pid, signal.SIGQUIT)


# --- streaming


def stream(megabytes=1024):
    """Peak memory of a process that streams a data set, and the same for a small one: what the program itself takes."""
    hub = open_hub(f"stream{os.getpid()}")
    who = account(hub, "bench", "supplier", "customer")
    rng = np.random.default_rng(0)

    def items(size, label):   # all of one drawing of noise, each with a scratch of its own: nobody looks at them
        data = jpeg(rng.integers(0, 255, (800, 1100, 3), np.uint8), 88)
        at = next(at for at in range(len(data) // 2, len(data)) if 255 not in data[at - 1:at + 6])
        for number in range(-(-size * 10**6 // len(data))):
            scratch = f"{number:05}".encode()
            yield sources.Item(f"{label}{number}.jpg", data[:at] + scratch + data[at + 5:],
                               {"licence": "CC0-1.0", "labels": [label]})

    results = {}
    for label, size in (("small", 16), ("large", megabytes)):
        submission.receive(hub, who, label, items(size, label))
        with hub.transaction(accounts.OPERATOR, "work") as cursor:
            cursor.execute("UPDATE hub.picture SET status = 'accepted'")
        version = versions.create(hub, who, {"labels": [label]})
        began = time.monotonic()
        sent, peak = _in_a_process(hub, who, version.id)
        results[label] = {"pictures": version.pictures, "sent_mb": round(sent / 1e6), "peak_mb": round(peak),
                          "mb_per_second": round(sent / 1e6 / (time.monotonic() - began))}
    return results


def _in_a_process(hub, who, number):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_streamed, args=(there, hub, who, number))
    process.start()
    found = here.recv()
    process.join()
    return found


def _streamed(there, hub, who, number):
    sent = sum(map(len, export.stream_tar(hub, who, number, export.FORMATS)))
    high = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    there.send((sent, int(high.split()[1]) / 1024))


PARTS = {"duplicates": duplicates, "labels": labels, "verify": verify, "dask": dask, "rows": rows, "crowd": crowded,
         "stream": stream}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--home", help="where the hubs of the benchmark live; else a folder that is removed")
    parser.add_argument("--count", type=int, help="another size than the part's own (pictures, rows, megabytes)")
    arguments = parser.parse_args()
    where = config.home() / "outputs" / "benchmarks" / "hub.json"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COREBOX_HOME"] = arguments.home or folder
        for part in arguments.parts or PARTS:
            found = PARTS[part](**({"limit" if part == "duplicates" else "megabytes" if part == "stream" else
                                    "seconds" if part == "crowd" else "repeats" if part == "labels" else "count":
                                    arguments.count} if arguments.count else {}))
            print(part, json.dumps(found, indent=1), flush=True)
            before = files.read_json(where) if where.is_file() else {}
            files.write_json(where, before | {part: found})


if __name__ == "__main__":
    main()
