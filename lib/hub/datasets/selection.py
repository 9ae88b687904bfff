"""Which pictures does a query find, and how many, before anything is downloaded? And who watches for more of them?"""

import datetime
import json
from dataclasses import asdict, dataclass

from lib.common import config
from lib.hub import accounts
from lib.hub.datasets import label_hierarchy
from lib.hub.intake import annotations

QUERY_TYPES = {"labels": list, "subtree": bool, "places": list, "licences": list, "quality": float, "since": str,
         "until": str, "per_label": int, "task": str}
QUERY_DEFAULTS = {"labels": [], "subtree": True, "places": [], "licences": [], "quality": 0.0, "since": "", "until": "",
       "per_label": 0, "task": ""}

# NULL stands for "any", which the planner takes out. `filed` holds a picture's labels and all above them.
MATCHES = """(%(labels)s::integer[] IS NULL OR (%(subtree)s AND filed && %(labels)s::integer[] OR NOT %(subtree)s AND EXISTS (
        SELECT FROM hub.published_tag AS own WHERE own.picture = published.id AND own.label = ANY(%(labels)s::integer[]))))
    AND (%(places)s::integer[] IS NULL OR place = ANY(%(places)s::integer[]))
    AND (%(licences)s::text[] IS NULL OR licence = ANY(%(licences)s::text[]))
    AND (%(quality)s = 0 OR quality >= %(quality)s)
    AND (%(since)s::date IS NULL OR created >= %(since)s::date)
    AND (%(until)s::date IS NULL OR created < %(until)s::date + 1)
    AND (%(task)s = '' OR EXISTS (SELECT FROM hub.published_annotation AS labelled
                                  WHERE labelled.picture = published.id AND labelled.task = %(task)s))"""

# At most so many of each label that was asked for (of each label of its own, where none was), the best first.
SELECTED = """WITH fitting AS (SELECT * FROM hub.published WHERE """ + MATCHES + """),
chosen AS (SELECT * FROM fitting WHERE %(per_label)s = 0 OR id IN (
    SELECT id FROM (SELECT fitting.id, row_number() OVER (PARTITION BY one ORDER BY quality DESC NULLS LAST, sha256) AS at
                    FROM fitting CROSS JOIN LATERAL (
                        SELECT unnest(filed) AS one WHERE %(labels)s::integer[] IS NOT NULL AND %(subtree)s UNION
                        SELECT label FROM hub.published_tag AS own WHERE own.picture = fitting.id) AS each
                    WHERE %(labels)s::integer[] IS NULL OR one = ANY(%(labels)s::integer[])) AS ranked
    WHERE at <= %(per_label)s))
"""


@dataclass(frozen=True)
class Selection:
    """What a query finds: `total` pictures of `bytes`, how many by label, place and licence, and the first `ids`."""

    total: int
    bytes: int
    labels: dict
    places: dict
    licences: dict
    ids: list

    def plain(self):
        """A dict for JSON."""
        return asdict(self)


class TooFew(ValueError):
    """The hub has too few pictures for a request; it is on the watch-list under the number `watch`."""

    def __init__(self, sentence, watch):
        super().__init__(sentence)
        self.watch = watch


def checked_query(query):
    """The query with all its keys and sorted lists, so that equal queries compare equal; ValueError names what is wrong."""
    if not isinstance(query, dict):
        raise ValueError(f"a query is a dict with some of {', '.join(QUERY_TYPES)}; this is {type(query).__name__}")
    full = dict(QUERY_DEFAULTS)
    for key, value in query.items():
        if key not in QUERY_TYPES:
            raise ValueError(f"a query has no {key!r}{config.suggestion(key, QUERY_TYPES)}; it has {', '.join(QUERY_TYPES)}")
        kind = QUERY_TYPES[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind or kind is list and not all(isinstance(one, str) for one in value):
            raise ValueError(f"{key} of a query is {_shown(value)}; it must be "
                             f"{'a list of texts' if kind is list else kind.__name__}")
        if "\0" in str(value):
            raise ValueError(f"{key} of a query holds a NUL character; take it out")
        full[key] = sorted(set(value)) if kind is list else value
    for key in ("since", "until"):
        try:
            full[key] = datetime.date.fromisoformat(full[key]).isoformat() if full[key] else ""
        except ValueError as error:
            raise ValueError(f"{key} of a query is {full[key][:40]!r}; it must be a day such as 2026-11-20") from error
    if not 0 <= full["quality"] <= 1 or not 0 <= full["per_label"] < 2**31:
        raise ValueError("quality of a query must be from 0 to 1, per_label 0 or more")
    annotations.columns(full["task"])
    return full


def _shown(value):
    """A value of whatever kind as a short text for a message."""
    try:
        return repr(value)[:100]
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply"


def _values(cursor, query):
    """What the placeholders of FITS stand for; names become ids. ValueError where something is not there."""
    labels = label_hierarchy.find_ids(cursor, query["labels"]) if query["labels"] else None
    return {**query, "labels": labels, "places": _places(cursor, query["places"]),
            "licences": _licences(cursor, query["licences"]), "since": query["since"] or None,
            "until": query["until"] or None}


def _places(cursor, wanted):
    """The ids of places: "AU" is all of a country, "AU/Perth" a city; "" is where it is not known."""
    if not wanted:
        return None
    found = []
    for one in wanted:
        country, slash, city = one.partition("/")
        cursor.execute("SELECT id FROM hub.place WHERE country = %s AND (NOT %s OR lower(city) = lower(%s))",
                       (country.upper(), bool(slash), city))
        ids = [number for number, in cursor.fetchall()]
        if not ids:
            raise ValueError(f"no picture comes from {one[:100]!r}; places are written AU or AU/Perth")
        found += ids
    return sorted(set(found))


def _licences(cursor, wanted):
    if not wanted:
        return None
    cursor.execute("SELECT id FROM hub.licence")
    known = [one for one, in cursor.fetchall()]
    for one in wanted:
        if one not in known:
            raise ValueError(f"there is no licence {one[:60]!r}{config.suggestion(one, known)}; there are {', '.join(known)}")
    return wanted


def ids(hub, account, query, limit=1000):
    """The ids of the first pictures that fit, in the order of their ids."""
    query = checked_query(query)
    with hub.transaction(account, "select") as cursor:
        return _ids(cursor, _values(cursor, query), limit)


def _ids(cursor, values, limit):
    if values["per_label"]:
        cursor.execute(SELECTED + "SELECT id FROM chosen ORDER BY id LIMIT %(limit)s", {**values, "limit": limit})
    else:
        cursor.execute("SELECT id FROM hub.published WHERE " + MATCHES + " ORDER BY id LIMIT %(limit)s",
                       {**values, "limit": limit})
    return [number for number, in cursor.fetchall()]


def select(hub, account, query, limit=1000):
    """The Selection of a query, counted; ValueError where the query asks for what is not there."""
    query = checked_query(query)
    with hub.transaction(account, "select") as cursor:
        return _select(cursor, query, limit)


def _select(cursor, query, limit):
    values = _values(cursor, query)
    cursor.execute(SELECTED + """SELECT
        (SELECT count(*) FROM chosen), (SELECT coalesce(sum(clean_bytes), 0)::bigint FROM chosen),
        (SELECT coalesce(json_object_agg(name, n), '{}') FROM (
            SELECT label.name, count(*) AS n FROM chosen CROSS JOIN LATERAL unnest(filed) AS one
            JOIN hub.label ON label.id = one
            WHERE CASE WHEN %(labels)s::integer[] IS NULL THEN true ELSE one = ANY(%(labels)s::integer[]) END
            GROUP BY 1 ORDER BY 1) AS each),
        (SELECT coalesce(json_object_agg(name, n), '{}') FROM (
            SELECT country || CASE WHEN city = '' THEN '' ELSE '/' || city END AS name, count(*) AS n
            FROM chosen JOIN hub.place ON place.id = chosen.place GROUP BY 1 ORDER BY 1) AS each),
        (SELECT coalesce(json_object_agg(licence, n), '{}') FROM (
            SELECT licence, count(*) AS n FROM chosen GROUP BY 1 ORDER BY 1) AS each)""", values)
    total, size, labels, places, licences = cursor.fetchone()
    if query["labels"]:   # those that nothing is filed under are named too, as they were asked for
        cursor.execute("SELECT name FROM hub.label WHERE id = ANY(%s)", (values["labels"],))
        labels = {name: labels.get(name, 0) for name, in cursor.fetchall()}
    return Selection(total, size, labels, places, licences, _ids(cursor, values, limit))


def counts(hub, account, status="accepted"):
    """How many pictures there are by label (its subtree included), from the maintained counts: {name: number}."""
    with hub.transaction(account, "browse") as cursor:
        return _counts(cursor, status)


def _counts(cursor, status):
    cursor.execute("SELECT name, sum(change)::bigint FROM hub.tally JOIN hub.label ON label.id = tally.label "
                   "WHERE status = %s GROUP BY 1 HAVING sum(change) > 0 ORDER BY 1", (status,))
    return dict(cursor.fetchall())


def pictures(hub, account, numbers):
    """Accepted pictures by their ids, in that order: dicts of id, sha256, labels, place, licence, author, quality, size."""
    with hub.transaction(account, "browse") as cursor:
        cursor.execute("""
            SELECT published.id, sha256, ARRAY(SELECT label.name FROM hub.published_tag AS own
                JOIN hub.label ON label.id = own.label WHERE own.picture = published.id ORDER BY 1),
                country || CASE WHEN city = '' THEN '' ELSE '/' || city END, licence, author, quality, width, height
            FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted(id, at) JOIN hub.published USING (id)
            JOIN hub.place ON place.id = published.place ORDER BY at""", (list(numbers),))
        names = ("id", "sha256", "labels", "place", "licence", "author", "quality", "width", "height")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def places(hub, account):
    """Where accepted pictures come from: dicts of city, region, country, latitude, longitude (degrees), pictures."""
    with hub.transaction(account, "browse") as cursor:
        cursor.execute("SELECT city, region, country, latitude, longitude, count(*) FROM hub.published "
                       "JOIN hub.place ON place.id = published.place GROUP BY place.id ORDER BY 6 DESC, 3, 1")
        return [dict(zip(("city", "region", "country", "latitude", "longitude", "pictures"), row, strict=True))
                for row in cursor.fetchall()]


# --- the watch-list


def watch(hub, account, query, least):
    """Put a query on the watch-list and return its number; it fires when each of its labels (or all) has `least` pictures."""
    query = checked_query(query)
    if not 0 < least < 2**31:
        raise ValueError(f"least is {least}; it must be 1 or more")
    with hub.transaction(account, "watch") as cursor:
        _values(cursor, query)   # what is misspelt would never fire
        cursor.execute("INSERT INTO hub.watch (person, query, least) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                       (account.id, json.dumps(query), least))
        cursor.execute("SELECT id FROM hub.watch WHERE person = %s AND query = %s::jsonb AND least = %s "
                       "AND state = 'waiting'", (account.id, json.dumps(query), least))
        return cursor.fetchone()[0]


def select_at_least(hub, account, query, least):
    """The Selection of a query that has `least` pictures of each label; TooFew, and it is on the watch-list."""
    found = select(hub, account, query)
    if _enough(found, checked_query(query), least):
        return found
    number = watch(hub, account, query, least)
    few = ", ".join(f"{name} {count}" for name, count in found.labels.items() if count < least)
    raise TooFew(f"{least} pictures of each label are wanted and there are {few or found.total}; the wish is on the "
                 f"watch-list under {number}", number)


def _enough(found, query, least):
    return min(found.labels.values(), default=0) >= least if query["labels"] else found.total >= least


def watches(hub, account):
    """One's own wishes, newest first: dicts of id, query, least, state, found, fired (ISO 8601 or None)."""
    with hub.transaction(account, "watch") as cursor:
        cursor.execute("SELECT id, query, least, state, found, to_char(fired AT TIME ZONE 'UTC', "
                       "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM hub.watch ORDER BY id DESC LIMIT 1000")
        return [dict(zip(("id", "query", "least", "state", "found", "fired"), row, strict=True))
                for row in cursor.fetchall()]


def withdraw(hub, account, number):
    """Take one's own wish off the watch-list; ValueError where it does not wait there."""
    with hub.transaction(account, "watch") as cursor:
        cursor.execute("UPDATE hub.watch SET state = 'withdrawn' WHERE id = %s AND state = 'waiting' RETURNING id", (number,))
        if not cursor.fetchone():
            raise ValueError(f"{account.name} has no wish {number} that waits")


def fire_watches(hub):
    """Mark the watches that have enough pictures now as fired, and return their numbers; called after each verification."""
    fired = []
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("SELECT id, query, least FROM hub.watch WHERE state = 'waiting' ORDER BY id FOR UPDATE SKIP LOCKED")
        for number, query, least in cursor.fetchall():
            found = _select(cursor, checked_query(query), 0)
            if _enough(found, query, least):
                cursor.execute("UPDATE hub.watch SET state = 'fired', fired = clock_timestamp(), found = %s WHERE id = %s",
                               (json.dumps(found.labels), number))
                fired.append(number)
    return fired
