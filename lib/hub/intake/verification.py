"""Which submitted pictures can be used? Each is measured, compared and judged; each decision keeps its figure."""

import contextlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from psycopg2.extras import execute_values

from lib.common import parallel
from lib.hub import accounts, store
from lib.hub.intake import checks, features, label_errors, near_duplicates
from lib.hub.intake.checks import Finding
from lib.imaging import images

LOCK = 7_236_114_003   # of the advisory lock under which near duplicates are looked for; any number
CONCURRENT_CHUNKS = 2            # while one chunk waits for the database, the other is measured
CHUNK_TIMEOUT = 3600        # s that a chunk may take, on however slow a machine
MAX_CANDIDATES = 8            # candidates of which the pixels are compared
FIELDS = ("name", "verdict", "figure", "allowed", "reason", "other")


def verify(hub, progress=None):
    """Verify all waiting pictures and return how many came to which status.

    Any number of processes may do this at once, each with pictures of its own. A killed one leaves its chunk submitted.
    """
    counts, extract = Counter(), features.extractor(hub)
    with parallel.executor(hub.params.compute) as workers, ThreadPoolExecutor(CONCURRENT_CHUNKS) as pool, _stop_event() as until:
        while _fingerprint_overturned(hub, workers, extract):
            pass
        for chunks in [pool.submit(_chunks, hub, workers, extract, until, progress) for _ in range(CONCURRENT_CHUNKS)]:
            counts.update(chunks.result())
    _requeue_relabelled(hub)
    counts.update({"doubted": check_labels(hub)})
    rate_suppliers(hub)
    return dict(counts)


@contextlib.contextmanager
def _stop_event():
    """An Event that is set when the block ends, whichever way."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def _chunks(hub, workers, extract, until, progress):
    """Verify chunk after chunk, until none waits or the Event says so; how many pictures came to which status."""
    counts = Counter()
    while not until.is_set() and (found := _chunk(hub, workers, extract)):
        counts.update(found)
        if progress:
            progress(sum(found.values()))
    return counts


def _chunk(hub, workers, extract):
    """Verify up to `hub.chunk` pictures in one transaction; how many came to which status."""
    with hub.transaction(accounts.OPERATOR, "work", CHUNK_TIMEOUT) as cursor:
        cursor.execute("SELECT id, sha256, width, height FROM hub.picture WHERE status = 'submitted' ORDER BY id "
                       "LIMIT %s FOR UPDATE SKIP LOCKED", (hub.settings.chunk,))
        rows = cursor.fetchall()
        if not rows:
            return {}
        classic = features.kind(hub) == "classic"
        jobs = [(hub, sha256, classic) for _, sha256, _, _ in rows]
        measured = dict(zip((row[0] for row in rows), workers.map(_measure, jobs), strict=True))
        findings = {number: checks.judge(figures, hub.settings) for number, figures in measured.items()}
        _check_task_labels(cursor, rows, findings)
        good = [number for number in measured if checks.verdict(findings[number]) != "refuse"]
        if good:
            _add_features({number: measured[number] for number in good}, extract, classic)
            _write_fingerprints(cursor, hub, {number: measured[number] for number in good})
            pairs = _candidates(cursor, hub, {number: measured[number] for number in good})
            for number, finding in _duplicate_findings(hub, workers, pairs).items():
                findings[number].append(finding)
        return _decide(cursor, hub, findings, measured)


def _measure(job):
    """The figures of one picture of the store."""
    hub, sha256, classic = job
    cv2.setNumThreads(1)   # the pictures are what is worked on at once
    try:
        return checks.measure(store.read(hub, sha256), hub.params.api, classic)
    except ValueError as error:
        return {"refused": str(error)}


def _fingerprint_overturned(hub, workers, extract):
    """Fingerprint up to `hub.chunk` accepted pictures that have none, since a check had refused them; how many these were."""
    with hub.transaction(accounts.OPERATOR, "work", CHUNK_TIMEOUT) as cursor:
        cursor.execute("SELECT id, sha256 FROM hub.picture WHERE status = 'accepted' AND EXISTS (SELECT FROM hub.review WHERE "
                       "review.picture = picture.id) AND NOT EXISTS (SELECT FROM hub.fingerprint WHERE fingerprint.picture = "
                       "picture.id) ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", (hub.settings.chunk,))
        rows, classic = cursor.fetchall(), features.kind(hub) == "classic"
        figures = zip((number for number, _ in rows), workers.map(_measure, [(hub, sha256, classic) for _, sha256 in rows]),
                      strict=True)
        measured = {number: each for number, each in figures if "refused" not in each}
        if not measured:
            return 0
        _add_features(measured, extract, classic)
        _write_fingerprints(cursor, hub, measured)
        return len(measured)


def _add_features(measured, extract, classic):
    """Add what a network sees to measured pictures; classic features are measured already."""
    if not classic:
        for each, vector in zip(measured.values(), extract([each["small"] for each in measured.values()]), strict=True):
            each["features"] = vector


def _check_task_labels(cursor, rows, findings):
    sizes = {number: (width, height) for number, _, width, height in rows}
    cursor.execute("SELECT DISTINCT ON (picture, task) picture, task, label FROM hub.annotation "
                   "WHERE picture = ANY(%s) ORDER BY picture, task, id DESC", (list(sizes),))
    for number, task, values in cursor.fetchall():
        findings[number].append(checks.label_finding(task, values, sizes[number]))


# --- near duplicates


def _write_fingerprints(cursor, hub, measured):
    """Write what near duplicates are found by; the lock lasts to the end of the transaction, so that two never miss each other."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    kind = features.kind(hub)
    execute_values(cursor, "INSERT INTO hub.fingerprint (picture, hashes, kind, features) VALUES %s "
                   "ON CONFLICT (picture) DO UPDATE SET hashes = excluded.hashes, kind = excluded.kind, "
                   "features = excluded.features",
                   [(number, each["hashes"], kind, features.pack(each["features"])) for number, each in measured.items()],
                   page_size=1000)
    cursor.execute("INSERT INTO hub.fingerprint_key SELECT * FROM unnest(%s::integer[], %s::bigint[]) ON CONFLICT DO NOTHING",
                   _columns((key, number) for number, each in measured.items() for key in near_duplicates.index_keys(each["hashes"])))


def _columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def _candidates(cursor, hub, measured):
    """By picture, what is compared of it and the pictures (id, sha256) that may be its duplicates, the likeliest first.

    Candidates are older pictures of the same chunk and all pictures of finished chunks.
    """
    cursor.execute("SELECT DISTINCT mine, picture FROM unnest(%s::integer[], %s::bigint[]) AS probe(key, mine) "
                   "JOIN hub.fingerprint_key USING (key) WHERE picture < mine OR picture <> ALL(%s)",
                   (*_columns((key, number) for number, each in measured.items() for key in near_duplicates.query_keys(each["hashes"])),
                    list(measured)))
    pairs = cursor.fetchall()
    cursor.execute("SELECT picture, hashes, features, fingerprint.kind, sha256 FROM hub.fingerprint "
                   "JOIN hub.picture ON picture.id = fingerprint.picture WHERE picture.id = ANY(%s) AND status <> 'refused'",
                   (list({other for _, other in pairs}),))
    known, found = {row[0]: row[1:] for row in cursor.fetchall()}, {}
    for number, other in pairs:
        hashes, blob, kind, sha256 = known.get(other, ((), b"", "", ""))
        mine = measured[number]
        if hashes and (away := near_duplicates.distance(mine["hashes"], hashes)) <= hub.settings.hash_distance:
            same = float(features.unpack([blob])[0] @ mine["features"]) if kind == features.kind(hub) else 0.0
            found.setdefault(number, []).append((-same, away, other, sha256))
    return {number: (measured[number]["small"], [each[2:] for each in sorted(near)[:MAX_CANDIDATES]])
            for number, near in found.items()}


def _duplicate_findings(hub, workers, pairs):
    """By picture, the Finding whether it is a near duplicate of one of its candidates."""
    jobs, found = [(hub, small, near) for small, near in pairs.values()], {}
    for number, (other, similarity) in zip(pairs, workers.map(_compare, jobs), strict=True):
        same = similarity >= hub.settings.twin
        found[number] = Finding("duplicate", "refuse" if same else "accept", round(similarity, 4), hub.settings.twin,
                                f"it is picture {other} once more" if same else "", other if same else None)
    return found


def _compare(job):
    """The id of the most similar candidate, and its similarity."""
    hub, small, candidates = job
    cv2.setNumThreads(1)
    best = (None, -1.0)
    mine = near_duplicates.to_grey(small)
    for other, sha256 in candidates:
        try:
            theirs = images.read(store.read(hub, sha256), at_least=(near_duplicates.SIDE, near_duplicates.SIDE)).pixels
        except (images.Refused, ValueError):   # the store has lost it, so there is nothing to compare with
            continue
        best = max(best, (other, near_duplicates.similarity(mine, near_duplicates.to_grey(theirs), hub.settings.twin)), key=lambda each: each[1])
        if best[1] >= hub.settings.twin:
            break
    return best


# --- decisions


def _decide(cursor, hub, findings, measured):
    """Write the findings and what follows from them; how many pictures came to which status."""
    rows = [(number, *(getattr(finding, name) for name in FIELDS)) for number, found in findings.items()
            for finding in found]
    cursor.execute("DELETE FROM hub.finding WHERE picture = ANY(%s)", (list(findings),))
    cursor.execute("INSERT INTO hub.finding (picture, name, verdict, figure, allowed, reason, other) SELECT * FROM "
                   "unnest(%s::bigint[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::text[], %s::bigint[])",
                   _columns(rows))
    status = {"accept": "accepted", "review": "review", "refuse": "refused"}
    decided = {number: status[checks.verdict(found)] for number, found in findings.items()}
    cursor.execute("UPDATE hub.picture SET status = each.status, quality = each.quality, verified = clock_timestamp() "
                   "FROM unnest(%s::bigint[], %s::text[], %s::real[]) AS each(id, status, quality) "
                   "WHERE picture.id = each.id AND picture.status = 'submitted'",
                   _columns((number, one, _quality(measured[number], hub.settings)) for number, one in decided.items()))
    return Counter(decided.values())


def _quality(figures, settings):
    """From 0 to 1: how far sharpness, light and information are from where they become a fault."""
    if "refused" in figures:
        return 0.0
    sharp = min(1.0, figures["sharpness"] / (4 * settings.blur_review))
    light = min(1.0, figures["brightness"] / (3 * settings.dark), (255 - figures["brightness"]) / (3 * (255 - settings.bright)))
    return round(float(np.clip(min(sharp, light, figures["information"] / 6), 0, 1)), 3)


def _requeue_relabelled(hub):
    """Send pictures to review whose label was corrected in the viewer or answered by the API since they were verified."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'review' WHERE status = 'accepted' AND EXISTS (SELECT "
                       "FROM hub.annotation WHERE annotation.picture = picture.id AND origin IN ('viewer', 'api') "
                       "AND annotation.at > picture.verified)")


def check_labels(hub):
    """Look for label errors among accepted pictures, send these pictures to review, and return how many there are.

    A picture counts under its one label; a label with fewer than `hub.min_examples` pictures is not judged, nor is one
    that a reviewer has looked at.
    """
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""
            SELECT picture.id, label.name, features, EXISTS (SELECT FROM hub.review WHERE review.picture = picture.id)
            FROM hub.picture JOIN hub.fingerprint ON fingerprint.picture = picture.id
            JOIN hub.tag ON tag.picture = picture.id JOIN hub.label ON label.id = tag.label
            WHERE status = 'accepted' AND kind = %s
              AND (SELECT count(*) FROM hub.tag AS other WHERE other.picture = picture.id) = 1 ORDER BY picture.id""",
                       (features.kind(hub),))
        rows = cursor.fetchall()
    many = Counter(label for _, label, _, _ in rows)
    rows = [row for row in rows if many[row[1]] >= max(2, hub.settings.min_examples)]
    return _write_label_findings(hub, rows) if len({row[1] for row in rows}) > 1 else 0


def _write_label_findings(hub, rows):
    numbers, labels, blobs, seen = (list(column) for column in zip(*rows, strict=True))
    labels = np.array(labels)
    suspicion, better, sure = label_errors.find(features.unpack(blobs), labels)
    wrong = (suspicion > 1) & (better != labels) & (sure >= hub.settings.suspicion) & ~np.array(seen)
    findings = [(number, "label", "review" if bad else "accept", round(float(chance), 4), hub.settings.suspicion,
                 f"it is labelled {label} and looks like {other}" if bad else "", None)
                for number, label, other, chance, bad in zip(numbers, labels, better, sure, wrong, strict=True)]
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        execute_values(cursor, "INSERT INTO hub.finding (picture, name, verdict, figure, allowed, reason, other) VALUES %s "
                       "ON CONFLICT (picture, name) DO UPDATE SET verdict = excluded.verdict, figure = excluded.figure, "
                       "allowed = excluded.allowed, reason = excluded.reason, at = clock_timestamp()", findings,
                       page_size=1000)
        cursor.execute("UPDATE hub.picture SET status = 'review' WHERE id = ANY(%s) AND status = 'accepted'",
                       ([finding[0] for finding in findings if finding[2] == "review"],))
        return cursor.rowcount


def rate_suppliers(hub):
    """Write each supplier's quality: the share of their files that was accepted; one under review counts half."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))   # two at once could wait for each other
        cursor.execute("""
            UPDATE hub.person SET quality = each.quality FROM (
                SELECT batch.person AS id, avg(CASE picture.status WHEN 'accepted' THEN 1.0 WHEN 'review' THEN 0.5
                                               ELSE 0.0 END)::real AS quality
                FROM hub.submission JOIN hub.batch ON batch.id = submission.batch
                LEFT JOIN hub.picture ON picture.id = submission.picture
                WHERE outcome <> 'known' AND picture.status IS DISTINCT FROM 'submitted' GROUP BY 1) AS each
            WHERE person.id = each.id AND person.quality IS DISTINCT FROM each.quality""")
        cursor.execute("SELECT hub.sum_up()")   # the maintained counts, one row each again


def supplier_quality(hub):
    """By supplier: dicts of name, quality (0 to 1, or None) and the number of files by status."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""
            SELECT person.name, person.quality, (SELECT coalesce(json_object_agg(what, n), '{}') FROM (
                SELECT coalesce(picture.status, outcome) AS what, count(*) AS n FROM hub.submission
                JOIN hub.batch ON batch.id = submission.batch LEFT JOIN hub.picture ON picture.id = submission.picture
                WHERE batch.person = person.id GROUP BY 1) AS each)
            FROM hub.person WHERE EXISTS (SELECT FROM hub.batch WHERE batch.person = person.id) ORDER BY 1""")
        return [dict(zip(("name", "quality", "files"), row, strict=True)) for row in cursor.fetchall()]
