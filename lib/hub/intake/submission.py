"""How do submitted pictures come in? They are read, stored by hash and entered in batches; sent twice, nothing changes."""

import hashlib
import io
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from lib.hub import store
from lib.hub.datasets import label_hierarchy
from lib.hub.intake import annotations, geocoding, metadata, sources
from lib.imaging import images

FIELDS = ("name", "stamp", "reason", "sha256", "bytes", "clean_sha256", "clean_bytes", "format", "width", "height", "taken",
          "author", "place", "licence", "labels", "latitude", "longitude", "task", "label")


INCOMING = """CREATE TEMP TABLE incoming (name text, stamp text, reason text, sha256 text, bytes integer,
    clean_sha256 text, clean_bytes integer, format text, width integer, height integer, taken timestamp, author text,
    place integer, licence text, labels integer[], latitude double precision, longitude double precision, task text,
    label jsonb) ON COMMIT DROP"""


@dataclass(frozen=True)
class Receipt:
    """How many files of a batch are new, known already, or refused, and how many were refused for each reason."""

    batch: int
    new: int
    known: int
    refused: int
    reasons: dict

    def plain(self):
        """A dict for JSON."""
        return asdict(self)


def submit(hub, account, source, labels=(), place="", licence="", author="", task="", key="", progress=None):
    """Submit a folder, ZIP archive, CSV with pictures, or URL of one, and return the Receipt.

    `labels`, `place`, `licence` and `author` hold for every picture that brings none of its own (labels are added).
    A submission that was stopped goes on where it was; sent again, it changes nothing. `key` names it; where it is empty,
    source and values do. Raises ValueError (the source as a whole), accounts.Forbidden and postgres.Unreachable.
    """
    values = {"labels": list(labels), "place": place, "licence": licence, "author": author, "task": task}
    key = key or hashlib.sha256(json.dumps([str(source), values], sort_keys=True).encode()).hexdigest()
    return receive(hub, account, key, sources.items(hub, str(source), task), str(source), values=values,
                   progress=progress)


def receive(hub, account, key, items, source="", done=True, values=None, progress=None):
    """Take Items into the batch that `key` names, which is made if need be, and return its Receipt so far.

    May be called several times with one key. A file that the batch has already with the same stamp is not read again.
    """
    batch, taken = _open(hub, account, key, source)
    found = {}
    with ThreadPoolExecutor(hub.params.compute.workers) as pool:
        for chunk in _chunks((item for item in items if not item.stamp or taken.get(item.name) != item.stamp),
                             hub.settings.chunk):
            rows = list(pool.map(lambda item: _row(hub, item, values or {}), chunk))
            _insert(hub, account, batch, rows, found)
            if progress:
                progress(len(rows))
    return _close(hub, account, batch, done)


def _chunks(items, size):
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _open(hub, account, key, source):
    """The id of the batch, and by name the stamps of the files it has."""
    with hub.transaction(account, "submit") as cursor:
        cursor.execute("INSERT INTO hub.batch (person, key, source) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                       (account.id, key, source[:1000]))
        cursor.execute("SELECT id FROM hub.batch WHERE person = %s AND key = %s", (account.id, key))
        batch, = cursor.fetchone()
        cursor.execute("SELECT name, stamp FROM hub.submission WHERE batch = %s", (batch,))
        return batch, dict(cursor.fetchall())


def _close(hub, account, batch, done):
    with hub.transaction(account, "submit") as cursor:
        if done:
            cursor.execute("UPDATE hub.batch SET done = true WHERE id = %s AND NOT done", (batch,))
        cursor.execute("SELECT outcome, reason, count(*) FROM hub.submission WHERE batch = %s GROUP BY 1, 2", (batch,))
        found, reasons = Counter(), {}
        for outcome, reason, count in cursor.fetchall():
            found[outcome] += count
            if reason:
                reasons[reason] = count
    return Receipt(batch, found["new"], found["known"], found["refused"], reasons)


# --- one file


def _row(hub, item, common):
    """The row of an Item; a file that cannot be taken has a `reason`."""
    row = {"name": _storable(item.name)[:1000], "stamp": item.stamp, "reason": ""}
    values = {**common, **{key: value for key, value in item.values.items() if value}}
    values["labels"] = [*common.get("labels", ()), *item.values.get("labels", ())]
    try:
        data = item.read()
        row |= _facts(hub, item.name, data)
        if values.get("task") and values.get("label"):
            row |= {"task": values["task"], "label": annotations.checked(values["task"], values["label"])}
        exif = metadata.read_exif(data)
        row |= {"taken": exif.taken, "author": _storable(str(values.get("author") or exif.author))[:200],
                "position": exif.position, "labels": values["labels"], "licence": values.get("licence", ""),
                "where": geocoding.locate(hub, values.get("place", ""), exif.position)}
        store.put(hub, data)
    except images.Refused as error:
        row["reason"] = f"{error.code}: {error}"
    except ValueError as error:
        row["reason"] = _storable(str(error))[:500]
    return row


def _storable(text):
    """A text as PostgreSQL takes it: bytes of a name that is not UTF-8 are written as \\udc80 … and NUL is left out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")


def _facts(hub, name, data):
    """Hashes, sizes and format of a picture file; images.Refused or ValueError where it is none."""
    api = hub.params.api
    if len(data) > api.max_bytes:
        raise images.Refused("too_large", f"larger than {api.max_bytes / 2**20:.0f} MiB")
    kind = images.sniff(data, images.FORMATS, api.max_bytes)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix and images.SUFFIXES.get(suffix) != kind:
        raise images.Refused("not_a_picture", f"the name ends in {suffix[:20]} and the file is a {kind}; name it rightly")
    width, height = images.size(data)
    if width * height > api.max_pixels or max(width, height) > images.SIDES[1]:
        raise images.Refused("too_large", f"{width}x{height} px is more than {api.max_pixels / 1e6:.0f} megapixels "
                             f"or {images.SIDES[1]} px a side")
    clean = metadata.strip(data, images.orientation(data))
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "format": kind, "width": width,
            "clean_sha256": hashlib.sha256(clean).hexdigest(), "clean_bytes": len(clean), "height": height}


# --- into the database


def _insert(hub, account, batch, rows, found):
    """Insert rows of files in one transaction; a file with a value that the hub cannot take is refused with a reason."""
    with hub.transaction(account, "submit") as cursor:
        _resolve_names(cursor, account, [row for row in rows if not row["reason"]])
        cursor.execute(INCOMING)
        lines = "".join("\t".join(_copied(_text(row.get(name))) for name in FIELDS) + "\n" for row in rows)
        cursor.copy_expert("COPY incoming FROM STDIN", io.StringIO(lines))
        insert_rows(cursor, account, batch)


def _copied(value):
    """A value in the text format of PostgreSQL's COPY."""
    if value is None:
        return "\\N"
    text = str(value)
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text


def _text(value):
    if isinstance(value, dict):
        return json.dumps(value, allow_nan=False)
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else value


def _resolve_names(cursor, account, rows):
    """Replace names of labels and places by ids; a row with an unknown licence or an impossible label gets a reason."""
    cursor.execute("SELECT id FROM hub.licence")
    licences = {one for one, in cursor.fetchall()}
    known = {}
    for row in rows:
        for name in sorted(set(map(str, row["labels"])) - known.keys()):
            try:
                known[name] = label_hierarchy.checked_name(name)
            except ValueError as error:
                known[name] = error
        wrong = next((known[str(name)] for name in row["labels"] if isinstance(known[str(name)], ValueError)), None)
        if row["licence"] not in licences:
            row["reason"] = f"licence is {row['licence'][:60]!r}; it must be one of {', '.join(sorted(licences))}"
        elif wrong:
            row["reason"] = str(wrong)
    good = [row for row in rows if not row["reason"]]
    labels = label_hierarchy.find_or_add(cursor, {known[str(name)] for row in good for name in row["labels"]})
    ids = geocoding.find_or_add(cursor, sorted({row["where"] for row in good}, key=str))
    for row in rows:
        row["labels"] = sorted({labels[known[str(name)]] for name in row["labels"]}) if not row["reason"] else []
        row["place"] = ids.get(row["where"])
        if row["position"] and account.keep_position:
            row["latitude"], row["longitude"] = row["position"]


def insert_rows(cursor, account, batch):
    """Insert the rows of the temporary table `incoming` into a batch: pictures, labels, and the outcome of each file."""
    _keep_receipts(cursor, batch)
    cursor.execute("CREATE TEMP TABLE fresh (id bigint, sha256 text, name text) ON COMMIT DROP")
    cursor.execute("""
        WITH sets AS MATERIALIZED (SELECT labels, hub.filed(labels) AS filed
                                   FROM (SELECT DISTINCT labels FROM incoming WHERE reason = '') AS each),
        new AS (
            INSERT INTO hub.picture (sha256, bytes, clean_sha256, clean_bytes, format, width, height, taken, author, name,
                                     place, licence, filed, person, batch)
            SELECT DISTINCT ON (sha256) sha256, bytes, clean_sha256, clean_bytes, format, width, height, taken, author,
                   name, place, licence, sets.filed, %s, %s
            FROM incoming JOIN sets USING (labels) WHERE reason = '' ORDER BY sha256, name
            ON CONFLICT (sha256) DO NOTHING RETURNING id, sha256, name)
        INSERT INTO fresh SELECT * FROM new""", (account.id, batch))
    cursor.execute("ANALYZE fresh")
    cursor.execute("INSERT INTO hub.tag SELECT fresh.id, unnest(labels) FROM incoming JOIN fresh USING (sha256, name)")
    cursor.execute("""INSERT INTO hub.annotation (picture, task, label, origin, person)
                      SELECT fresh.id, task, label, 'supplier', %s FROM incoming JOIN fresh USING (sha256, name)
                      WHERE label IS NOT NULL""", (account.id,))
    cursor.execute("""INSERT INTO hub.position SELECT fresh.id, latitude, longitude
                      FROM incoming JOIN fresh USING (sha256, name) WHERE latitude IS NOT NULL""")
    cursor.execute("""
        INSERT INTO hub.submission AS old (batch, name, outcome, reason, stamp, picture)
        SELECT %s, incoming.name, CASE WHEN reason <> '' THEN 'refused' WHEN fresh.id IS NULL THEN 'known' ELSE 'new' END,
               reason, stamp, CASE WHEN reason = '' THEN known.id END
        FROM (SELECT DISTINCT ON (name) * FROM incoming ORDER BY name, reason <> '') AS incoming
        LEFT JOIN fresh USING (sha256, name)
        LEFT JOIN (SELECT sha256, id FROM fresh UNION ALL SELECT * FROM hub.known(ARRAY(
            SELECT sha256 FROM incoming WHERE reason = '' EXCEPT SELECT sha256 FROM fresh))) AS known USING (sha256)
        ON CONFLICT (batch, name) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
            stamp = excluded.stamp, picture = excluded.picture, at = clock_timestamp()
        WHERE (old.outcome, old.reason) IS DISTINCT FROM (excluded.outcome, excluded.reason)
            AND old.picture IS DISTINCT FROM excluded.picture""", (batch,))


def _keep_receipts(cursor, batch):
    """Give files of `incoming` another name where theirs is that of another picture, so that each keeps its receipt.

    This happens where a file changed between two submissions of one folder.
    """
    cursor.execute("""UPDATE incoming SET name = name || ' (' || left(sha256, 12) || ')' WHERE reason = '' AND EXISTS (
                      SELECT FROM incoming AS other WHERE other.name = incoming.name AND other.reason = ''
                        AND other.sha256 < incoming.sha256)""")
    cursor.execute("""UPDATE incoming SET name = incoming.name || ' (' || coalesce(left(sha256, 12), 'refused') || ')'
                      FROM hub.submission AS old
                      WHERE old.batch = %s AND old.name = incoming.name AND old.picture IS NOT NULL
                        AND (incoming.reason <> '' OR NOT EXISTS (SELECT FROM hub.known(ARRAY[incoming.sha256]) AS known
                                                         WHERE known.id = old.picture))""", (batch,))


# --- what became of it


def status(hub, account, batch):
    """What became of each file of one's own batch: name, outcome, reason, the picture's status and findings; and counts."""
    with hub.transaction(account, "own") as cursor:
        cursor.execute("SELECT source, done FROM hub.batch WHERE id = %s", (batch,))
        if not (head := cursor.fetchone()):
            raise ValueError(f"{account.name} has no batch {batch}")
        cursor.execute("""
            SELECT submission.name, outcome, reason, picture.sha256, picture.status, coalesce((
                SELECT json_agg(json_build_object('check', finding.name, 'verdict', verdict, 'figure', figure,
                                                  'limit', allowed, 'reason', finding.reason) ORDER BY finding.name)
                FROM hub.finding WHERE finding.picture = submission.picture AND verdict <> 'accept'), '[]')
            FROM hub.submission LEFT JOIN hub.picture ON picture.id = submission.picture
            WHERE submission.batch = %s ORDER BY submission.name""", (batch,))
        files = [dict(zip(("name", "outcome", "reason", "sha256", "status", "findings"), row, strict=True))
                 for row in cursor.fetchall()]
    return {"batch": batch, "source": head[0], "done": head[1], "files": files,
            "counts": dict(Counter(each["status"] or each["outcome"] for each in files))}


def batches(hub, account):
    """One's own batches, newest first: dicts of id, source, done, created (ISO 8601), counts by outcome, and statuses.

    `statuses` counts the pictures that the account itself submitted.
    """
    with hub.transaction(account, "own") as cursor:
        cursor.execute("""
            SELECT id, source, done, to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                   (SELECT coalesce(json_object_agg(outcome, n), '{}') FROM (SELECT outcome, count(*) AS n
                    FROM hub.submission WHERE batch = batch.id GROUP BY 1) AS each),
                   (SELECT coalesce(json_object_agg(status, n), '{}') FROM (SELECT status, count(*) AS n
                    FROM hub.picture WHERE picture.batch = batch.id GROUP BY 1) AS each)
            FROM hub.batch ORDER BY id DESC LIMIT 1000""")
        return [dict(zip(("batch", "source", "done", "created", "counts", "statuses"), row, strict=True))
                for row in cursor.fetchall()]


def annotate(hub, account, sha256, task, label, origin="viewer"):
    """Keep a label of a task for a picture of one's own (any picture, for reviewers), and send it back for review.

    `origin` is viewer or api; ValueError where the label is not one of the task, or the picture is not there.
    """
    label = annotations.checked(task, label)
    action = "review" if "reviewer" in account.roles else "submit"
    with hub.transaction(account, action) as cursor:
        cursor.execute("INSERT INTO hub.annotation (picture, task, label, origin, person) "
                       "SELECT id, %s, %s, %s, %s FROM hub.picture WHERE sha256 = %s RETURNING picture",
                       (task, json.dumps(label), "reviewer" if action == "review" else origin, account.id, sha256))
        if not (found := cursor.fetchone()):
            raise ValueError(f"there is no picture {sha256[:12]}… of {account.name}; submit it first")
    return found[0]
