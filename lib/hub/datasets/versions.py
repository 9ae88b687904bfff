"""Data set versions: manifests with hashes that never change; the same pictures and labels are the same version."""

import io
import json
from dataclasses import asdict, dataclass

from lib.hub import store
from lib.hub.datasets import selection

SUFFIX = {"JPEG": ".jpg", "PNG": ".png"}
ENTRY = """SELECT published.sha256, clean_sha256, clean_bytes, format, width, height,
    ARRAY(SELECT label.name FROM hub.published_tag AS own JOIN hub.label ON label.id = own.label
          WHERE own.picture = published.id ORDER BY label.name COLLATE "C"),
    ARRAY(SELECT label.key FROM hub.published_tag AS own JOIN hub.label ON label.id = own.label
          WHERE own.picture = published.id ORDER BY label.name COLLATE "C"),
    city, country, licence, author, to_char(taken, 'YYYY-MM-DD"T"HH24:MI:SS'), 'batch ' || batch,
    (SELECT coalesce(jsonb_object_agg(task, label), '{}') FROM (SELECT DISTINCT ON (task) task, label
     FROM hub.published_annotation AS labelled WHERE labelled.picture = published.id ORDER BY task, labelled.id DESC) AS each)
    FROM chosen AS published JOIN hub.place ON place.id = published.place ORDER BY published.sha256"""
KEYS = ("picture", "sha256", "bytes", "format", "width", "height", "labels", "keys", "city", "country", "licence",
        "author", "taken", "group", "annotations")


@dataclass(frozen=True)
class Version:
    """A data set that never changes: its number, the hash of its manifest, what is in it, and who asked for what."""

    id: int
    manifest: str
    query: dict
    pictures: int
    bytes: int
    counts: dict
    created: str

    def plain(self):
        """A dict for JSON."""
        return asdict(self)


def create(hub, account, query, least=0):
    """The Version of what a query finds now; the same pictures with the same labels are the same version.

    selection.TooFew where a label has fewer than `least` pictures (the wish is then on the watch-list); ValueError
    where nothing is found.
    """
    query = selection.checked_query(query)
    if least:
        selection.select_at_least(hub, account, query, least)
    with hub.transaction(account, "version") as cursor:
        text, counts, size, number = _manifest(cursor, query)
        if not number:
            raise ValueError("no accepted picture fits the query; look at the counts, or watch for it")
        manifest = store.put(hub, text, "manifests")
        cursor.execute("INSERT INTO hub.version (manifest, person, query, pictures, bytes, counts) "
                       "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (manifest) DO NOTHING",
                       (manifest, account.id, json.dumps(query), number, size, json.dumps(counts)))
        return _select(cursor, "SELECT id FROM hub.version WHERE manifest = %s", manifest)[0]


def _manifest(cursor, query):
    """The manifest's bytes (JSON lines, sorted by hash), pictures by label, bytes of all, and how many there are."""
    cursor.execute(selection.SELECTED + ENTRY, selection._values(cursor, query))
    text, counts, size, number = io.StringIO(), {}, 0, 0
    for row in cursor:
        entry = dict(zip(KEYS, row, strict=True))
        entry["file"] = entry["sha256"] + SUFFIX[entry.pop("format")]
        text.write(json.dumps(entry, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
        for label in entry["labels"]:
            counts[label] = counts.get(label, 0) + 1
        size, number = size + entry["bytes"], number + 1
    return text.getvalue().encode(), dict(sorted(counts.items())), size, number


def list_all(hub, account):
    """All Versions, newest first."""
    with hub.transaction(account, "version") as cursor:
        return _select(cursor, "SELECT id FROM hub.version WHERE true OR %s ORDER BY id DESC LIMIT 1000", True)


def find(hub, number):
    """The Version of this number; ValueError where there is none."""
    if not str(number).isdecimal() or int(number) >= 2**63:
        raise ValueError(f"a data set version is a whole number, not {str(number)[:40]!r}")
    with hub.owner_transaction() as cursor:
        found = _select(cursor, "SELECT id FROM hub.version WHERE id = %s", int(number))
    if not found:
        raise ValueError(f"the hub has no data set version {number}; python -m lib hub versions lists them")
    return found[0]


def _select(cursor, query, value):
    cursor.execute(query, (value,))
    cursor.execute("SELECT id, manifest, query, pictures, bytes, counts, to_char(created AT TIME ZONE 'UTC', "
                   "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM hub.version WHERE id = ANY(%s) ORDER BY id DESC",
                   ([number for number, in cursor.fetchall()],))
    return [Version(*row) for row in cursor.fetchall()]


def entries(hub, version):
    """The manifest's entries one by one, in constant memory: dicts of KEYS without `format`, and `file`."""
    for line in store.lines(hub, version.manifest, "manifests"):
        yield json.loads(line)
