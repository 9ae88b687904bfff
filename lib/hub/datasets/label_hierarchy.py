"""The label hierarchy: a tree (a label may have several parents) in PostgreSQL, asked by recursive queries."""

import csv
import io
import json

import fsspec
import psycopg2.errors

from lib.storage import postgres


def load(hub, hierarchy, names=""):
    """Load a hierarchy in Open Images' form and return (labels, edges) that it holds.

    `hierarchy` is the JSON file (LabelName, Subcategory, Part), `names` the CSV of key and name; both may lie at any
    URL. Loaded twice, nothing changes. Parts of a thing (the wheel of a car) do not stand under it. ValueError.
    """
    called = dict(row[:2] for row in csv.reader(io.StringIO(_text(names))) if len(row) >= 2) if names else {}
    try:
        tree = json.loads(_text(hierarchy))
        keys, edges = set(), set()
        _walk(tree, keys, edges)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{hierarchy} is no hierarchy in Open Images' form (LabelName, Subcategory): {error}") from error
    called.setdefault("/m/0bl9f", "Entity")   # Open Images' root has no name in its own list
    labels = sorted((key, called.get(key, key).strip()) for key in keys | set(called))
    with hub.owner_transaction() as cursor:
        try:
            _insert(cursor, labels, sorted(edges))
        except psycopg2.errors.CheckViolation as error:
            raise ValueError(f"{hierarchy} puts a label above and below another one ({postgres.error_text(error)}); take one of "
                             "the two out") from error
    return len(labels), len(edges)


def _text(path):
    try:
        with fsspec.open(path, "rt", encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; name the file of Open Images") from error


def _walk(node, keys, edges):
    keys.add(node["LabelName"])
    for child in node.get("Subcategory", []):
        edges.add((node["LabelName"], child["LabelName"]))
        _walk(child, keys, edges)
    for part in node.get("Part", []):
        _walk(part, keys, edges)


def _insert(cursor, labels, edges):
    """Insert labels and edges; a name that another label has already gets its key in brackets."""
    taken = {}
    rows = []
    for key, name in labels:
        low = name.lower()
        rows.append((key, name if taken.setdefault(low, key) == key else f"{name} ({key})"))
    cursor.execute("SELECT lower(name), key FROM hub.label")
    there = dict(cursor.fetchall())
    rows = [(key, name if there.get(name.lower(), key) == key else f"{name} ({key})") for key, name in rows]
    cursor.execute("INSERT INTO hub.label (key, name) SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                   ([key for key, _ in rows], [name for _, name in rows]))
    cursor.execute("INSERT INTO hub.edge SELECT parent.id, child.id FROM unnest(%s::text[], %s::text[]) AS pair(above, below) "
                   "JOIN hub.label parent ON parent.key = above JOIN hub.label child ON child.key = below "
                   "ON CONFLICT DO NOTHING", ([parent for parent, _ in edges], [child for _, child in edges]))


def find_ids(cursor, names):
    """The ids of labels by name (in any case) or key, in their order; ValueError names one that is not there."""
    cursor.execute("SELECT wanted, (SELECT id FROM hub.label WHERE key = wanted OR lower(name) = lower(wanted) "
                   "ORDER BY key = wanted DESC LIMIT 1) FROM unnest(%s::text[]) WITH ORDINALITY AS each(wanted, at) "
                   "ORDER BY at", (list(names),))
    found = cursor.fetchall()
    for name, number in found:
        if number is None:
            raise ValueError(f"there is no label {name[:100]!r}; python -m lib hub labels lists them")
    return [number for _, number in found]


def checked_name(name):
    """A label's name with single blanks; ValueError where it cannot be one."""
    clean = " ".join(str(name).split())
    if not clean or ";" in clean or len(clean) > 200 or not clean.isprintable():
        raise ValueError(f"{str(name)[:100]!r} cannot be a label: up to 200 printable characters without a semicolon")
    return clean


def find_or_add(cursor, names):
    """By checked name, the id of a label; those that are new are added, under none."""
    wanted = sorted(set(names))
    cursor.execute("INSERT INTO hub.label (key, name) SELECT DISTINCT ON (lower(one)) lower(one), one "
                   "FROM unnest(%s::text[]) AS one WHERE NOT EXISTS (SELECT FROM hub.label WHERE key = one OR "
                   "lower(name) = lower(one)) ORDER BY lower(one) ON CONFLICT DO NOTHING", (wanted,))
    return dict(zip(wanted, find_ids(cursor, wanted), strict=True))


def tree(cursor):
    """All labels as dicts: id, key, name, parents (ids), in the order of their names."""
    cursor.execute("SELECT id, key, name, ARRAY(SELECT parent FROM hub.edge WHERE child = id ORDER BY parent) "
                   "FROM hub.label ORDER BY lower(name)")
    return [dict(zip(("id", "key", "name", "parents"), row, strict=True)) for row in cursor.fetchall()]
