"""Uploads: which pictures of a batch are still wanted, and taking them in, one by one, over HTTP or from the page."""

import re
from collections import Counter
from operator import itemgetter

from lib.hub import accounts
from lib.hub.intake import submission

MAX_FILES = 20_000   # files asked about at once


def checked_key(key):
    """The key of a batch; ValueError where it cannot be one."""
    if not re.fullmatch(r"[\w.-]{1,100}", key):
        raise ValueError(f"the key {key[:60]!r} names no batch; it must be 1 to 100 letters, digits, '.', '_' or '-'")
    return key


def wanted(hub, account, key, files):
    """Of files ({name: SHA-256}), the names that the person's batch of this key does not hold with that content."""
    if len(files) > MAX_FILES:
        raise ValueError(f"{len(files)} files are asked about; ask about at most {MAX_FILES} at once")
    with hub.transaction(account, "submit") as cursor:
        cursor.execute("""SELECT submission.name, stamp FROM hub.submission JOIN hub.batch ON batch.id = submission.batch
                          WHERE batch.person = %s AND key = %s AND outcome <> 'refused'""", (account.id, checked_key(key)))
        there = dict(cursor.fetchall())
    return [name for name, sha256 in files.items() if there.get(name) != str(sha256).lower()]


def receive(hub, account, key, items):
    """Take Items (with their SHA-256 as stamp) into a batch; a dict of its counts and of what became of these `files`.

    A batch has one receipt a name, so ValueError where two files share one, or where the batch has another picture of it.
    """
    accounts.database_role(account, "submit")
    _check_names(hub, account, checked_key(key), items)
    receipt = submission.receive(hub, account, checked_key(key), items, source="page or HTTP", done=False)
    with hub.transaction(account, "own") as cursor:
        cursor.execute("SELECT name, outcome, reason FROM hub.submission WHERE batch = %s AND name = ANY(%s)",
                       (receipt.batch, [item.name for item in items]))
        files = [dict(zip(("name", "outcome", "reason"), row, strict=True)) for row in cursor.fetchall()]
    return {**receipt.plain(), "files": files}


def _check_names(hub, account, key, items):
    name, count = max(Counter(item.name for item in items).items(), key=itemgetter(1), default=("", 0))
    if count > 1:
        raise ValueError(f"{count} of the files are named {name[:100]!r}; give each a name of its own. Nothing was taken")
    with hub.transaction(account, "submit") as cursor:
        cursor.execute("""SELECT submission.name FROM hub.submission JOIN hub.batch ON batch.id = submission.batch
                          JOIN unnest(%s::text[], %s::text[]) AS sent(name, stamp) ON sent.name = submission.name
                          WHERE person = %s AND key = %s AND outcome <> 'refused' AND sent.stamp <> submission.stamp
                          ORDER BY 1 LIMIT 1""",
                       ([item.name for item in items], [item.stamp for item in items], account.id, key))
        if there := cursor.fetchone():
            raise ValueError(f"the batch {key!r} has another picture named {there[0][:100]!r} already; send this one under "
                             "another name or in another batch. Nothing was taken")
