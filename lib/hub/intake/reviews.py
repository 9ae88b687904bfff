"""Reviews: what waits for a reviewer, what a check refused, and the verdict of a reviewer on it."""

from lib.hub.datasets import label_hierarchy

REFUSED_BY_CHECK = """status = 'refused' AND NOT EXISTS (SELECT FROM hub.review WHERE review.picture = picture.id)
    AND NOT EXISTS (SELECT FROM hub.finding WHERE finding.picture = picture.id AND name = 'decodes' AND verdict = 'refuse')"""


def queue(hub, account, limit=100, refused=False):
    """What waits for a reviewer, oldest first: dicts of picture, sha256, width, height, labels, annotations, findings.

    With `refused`, instead the pictures that a check refused and no reviewer has looked at, but those that do not decode.
    """
    with hub.transaction(account, "review") as cursor:
        cursor.execute("""
            SELECT picture.id, sha256, width, height,
                ARRAY(SELECT label.name FROM hub.tag JOIN hub.label ON label.id = tag.label
                      WHERE tag.picture = picture.id ORDER BY 1),
                (SELECT coalesce(json_object_agg(task, label), '{}') FROM (SELECT DISTINCT ON (task) task, label
                 FROM hub.annotation WHERE annotation.picture = picture.id ORDER BY task, id DESC) AS newest),
                (SELECT coalesce(json_agg(json_build_object('check', name, 'figure', figure, 'limit', allowed,
                                                            'reason', reason, 'other', other) ORDER BY name), '[]')
                 FROM hub.finding WHERE finding.picture = picture.id AND verdict <> 'accept')
            FROM hub.picture WHERE """ + (REFUSED_BY_CHECK if refused else "status = 'review'") + """
            ORDER BY picture.id LIMIT %s""", (limit,))
        names = ("picture", "sha256", "width", "height", "labels", "annotations", "findings")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def waiting(hub, account):
    """How many pictures there are by what they wait for: submitted, review, refused, and refused_by_check (see `queue`)."""
    with hub.transaction(account, "review") as cursor:
        cursor.execute("SELECT status, count(*) FROM hub.picture WHERE status <> 'accepted' GROUP BY 1")
        counts = dict.fromkeys(("submitted", "review", "refused"), 0) | dict(cursor.fetchall())
        cursor.execute("SELECT count(*) FROM hub.picture WHERE " + REFUSED_BY_CHECK)
        return counts | {"refused_by_check": cursor.fetchone()[0]}


def decide(hub, account, picture, verdict, labels=None, note=""):
    """Write a reviewer's verdict on a picture (accept or refuse), and its labels where some are given; ValueError.

    Every picture that was verified may be reviewed, also again, and also one that a check refused.
    """
    if verdict not in ("accept", "refuse"):
        raise ValueError(f"verdict is {verdict!r}; it must be accept or refuse")
    with hub.transaction(account, "review") as cursor:
        cursor.execute("SELECT status FROM hub.picture WHERE id = %s FOR UPDATE", (picture,))
        found = cursor.fetchone()
        if not found or found[0] == "submitted":
            raise ValueError(f"picture {picture} is not there or not verified yet; run: python -m lib hub verify")
        if labels is not None:
            wanted = label_hierarchy.find_or_add(cursor, [label_hierarchy.checked_name(name) for name in labels])
            cursor.execute("DELETE FROM hub.tag WHERE picture = %s AND label <> ALL(%s)", (picture, list(wanted.values())))
            cursor.execute("INSERT INTO hub.tag SELECT %s, unnest(%s) ON CONFLICT DO NOTHING",
                           (picture, list(wanted.values())))
        cursor.execute("INSERT INTO hub.review (picture, person, verdict, was, labels, note) VALUES (%s, %s, %s, %s, %s, %s)",
                       (picture, account.id, verdict, found[0], labels, note[:1000]))
        cursor.execute("UPDATE hub.picture SET status = %s, verified = clock_timestamp() WHERE id = %s",
                       ({"accept": "accepted", "refuse": "refused"}[verdict], picture))
