"""Trainings on demand: a queue in PostgreSQL, from which workers on any machine claim them under a lease."""

import datetime
import json
from dataclasses import dataclass

from psycopg2 import errors

from lib import tasks
from lib.common import config
from lib.hub import accounts

FIELDS = ("id", "version", "requested_by", "request", "state", "attempts", "worker", "cancel", "progress", "result", "error",
          "created", "started", "finished")
COLUMNS = ", ".join(FIELDS)
MISSED_HEARTBEATS = 6          # missed heartbeats after which a worker loses its lease
LOCK = 7_236_114    # of the advisory lock of a person's requests; any number
# What the account that asks may choose; the operator sets all else (paths, servers, tracking).
ADJUSTABLE = ("model.backbone", "model.weights", "model.scale", "model.trainable", "model.width", "model.height",
        "training.epochs", "training.batch_size", "training.optimizer", "training.learning_rate", "training.schedule",
        "training.patience", "training.augment", "training.seed", "split.train", "split.validation", "split.test")
KIND = "trainings"   # what their files are called in the store
WEIGHTS = ("none", "shipped", "imagenet")   # names, and no paths of the worker's machine


class LeaseLost(RuntimeError):
    """A training is no longer this worker's: it missed too many heartbeats, and another worker claimed it."""


@dataclass(frozen=True)
class Training:
    """A row of hub.training."""

    id: int
    version: int
    requested_by: int
    request: dict          # task, profile, overrides (dotted keys)
    state: str             # queued, running, done, failed or cancelled
    attempts: int
    worker: str
    cancel: bool
    progress: dict | None  # phase (number of a notebook), history (lines of losses)
    result: dict | None    # scores, history, pictures, and `files`: name to SHA-256 in the store
    error: str
    created: datetime.datetime
    started: datetime.datetime | None
    finished: datetime.datetime | None

    def plain(self):
        """As JSON has it, for the page and over HTTP."""
        values = {name: getattr(self, name) for name in FIELDS}
        return {name: value.isoformat() if isinstance(value, datetime.datetime) else value for name, value in values.items()}


# --- for those who ask


def enqueue(hub, account, version, overrides=None, task="", profile=""):
    """Put a training on a version of a data set into the queue and return it.

    `overrides` are settings by dotted key (ADJUSTABLE). Errors: accounts.Forbidden, ValueError (a setting that cannot be used, no
    such version, too many trainings of this person at once).
    """
    accounts.database_role(account, "train")
    request = {"task": task or hub.settings.training_task, "profile": profile or hub.settings.training_profile,
               "overrides": _allowed(overrides or {})}
    tasks.job(request["task"], request["profile"], overrides=request["overrides"])
    most = hub.settings.training_most
    with hub.transaction(account, "train") as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK, account.id))
        cursor.execute("SELECT count(*) FROM hub.training WHERE requested_by = %s AND state IN ('queued', 'running')",
                       (account.id,))
        if cursor.fetchone()[0] >= most:
            raise ValueError(f"{account.name} has {most} trainings waiting or running, which is the most there may be "
                             "(hub.training_most); wait for one or cancel it")
        try:
            cursor.execute(f"INSERT INTO hub.training (version, requested_by, request) VALUES (%s, %s, %s) RETURNING {COLUMNS}",
                           (_whole(version), account.id, json.dumps(request)))
        except errors.ForeignKeyViolation as error:
            raise ValueError(f"there is no version {version} of a data set; make one first") from error
        return Training(*cursor.fetchone())


def _allowed(overrides):
    """The overrides by dotted key, where the one who asks may choose them all."""
    try:
        flat = config.flat(config.nest(overrides))
    except RecursionError as error:
        raise ValueError("the settings of a training are nested too deeply; write them by dotted key") from error
    for key, value in flat.items():
        if key not in ADJUSTABLE:
            raise ValueError(f"{key[:80]} cannot be chosen for a training{config.suggestion(key, ADJUSTABLE)}; what can is "
                             f"{', '.join(ADJUSTABLE)}")
        if isinstance(value, str) and len(value) > 200:
            raise ValueError(f"{key} is {value[:40]!r}…, which is longer than any of its values")
        if key == "model.weights" and value not in WEIGHTS:
            raise ValueError(f"model.weights is {str(value)[:80]!r}; for a training it must be one of {', '.join(WEIGHTS)}")
    return flat


def _whole(number):
    """A number as PostgreSQL takes it for an id; ValueError for anything else."""
    if isinstance(number, bool) or not str(number).isdecimal() or int(number) > 2**63 - 1:
        raise ValueError(f"{str(number)[:40]!r} is no number of a version or training")
    return int(number)


def list_own(hub, account, most=100):
    """The person's own Trainings, newest first."""
    with hub.transaction(account, "train") as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM hub.training WHERE requested_by = %s ORDER BY id DESC LIMIT %s",
                       (account.id, most))
        return [Training(*row) for row in cursor.fetchall()]


def find(hub, account, number):
    """A Training of this person's own; LookupError where there is none of this number."""
    with hub.transaction(account, "train") as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM hub.training WHERE requested_by = %s AND id = %s", (account.id, _whole(number)))
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"{account.name} has no training {number}")
    return Training(*row)


def cancel(hub, account, number):
    """End a training: at once where it waits, at its worker's next sign of life where it runs. What has ended stays."""
    with hub.transaction(account, "train") as cursor:
        cursor.execute("""UPDATE hub.training SET cancel = true,
                            finished = CASE state WHEN 'queued' THEN clock_timestamp() END,
                            state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END
                          WHERE requested_by = %s AND id = %s AND state IN ('queued', 'running')""",
                       (account.id, _whole(number)))
    return find(hub, account, number)


def retry(hub, account, number):
    """A new training with the same wishes as one that has ended."""
    old = find(hub, account, number)
    if old.state in ("queued", "running"):
        raise ValueError(f"training {old.id} is {old.state}; it can be asked for again when it has ended")
    return enqueue(hub, account, old.version, **old.request)


# --- for workers


def claim(hub, worker):
    """The oldest Training that waits, or whose worker has died, now this worker's; None where there is none.

    One whose workers have died `hub.training_attempts` times is a poisoned one: it has failed, and blocks nobody.
    """
    limit = hub.settings.heartbeat * MISSED_HEARTBEATS
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""UPDATE hub.training SET finished = clock_timestamp(),
                            state = CASE WHEN cancel THEN 'cancelled' ELSE 'failed' END,
                            error = CASE WHEN cancel THEN '' ELSE format('its worker died %%s times, the last was %%s',
                                                                         attempts, worker) END
                          WHERE id IN (SELECT id FROM hub.training WHERE state = 'running' AND (attempts >= %s OR cancel)
                                       AND heartbeat < clock_timestamp() - %s * interval '1 second'
                                       FOR UPDATE SKIP LOCKED)""",
                       (hub.settings.training_attempts, limit))
        cursor.execute(f"""UPDATE hub.training SET state = 'running', worker = %s, attempts = attempts + 1, error = '',
                             heartbeat = clock_timestamp(), started = coalesce(started, clock_timestamp())
                           WHERE id = (SELECT id FROM hub.training WHERE not_before <= clock_timestamp() AND (
                                         state = 'queued' OR state = 'running'
                                         AND heartbeat < clock_timestamp() - %s * interval '1 second')
                                       ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
                           RETURNING {COLUMNS}""", (worker, limit))
        row = cursor.fetchone()
    return Training(*row) if row else None


def heartbeat(hub, training, progress=None):
    """A sign of life of a training's worker; whether it is to be cancelled. Lost where it is no longer the worker's."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""UPDATE hub.training SET heartbeat = clock_timestamp(), progress = coalesce(%s, progress)
                          WHERE id = %s AND state = 'running' AND worker = %s AND attempts = %s RETURNING cancel""",
                       (json.dumps(progress, allow_nan=False) if progress else None, training.id, training.worker,
                        training.attempts))
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost(f"training {training.id} is no longer that of {training.worker}")
    return row[0]


def finish(hub, training, state, result=None, error="", pause=0.0):
    """Write down how an attempt ended: done, failed, cancelled, or queued for another one after `pause` seconds. Lost."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""UPDATE hub.training SET state = %s, result = %s, error = %s,
                            not_before = clock_timestamp() + %s * interval '1 second',
                            finished = CASE WHEN %s <> 'queued' THEN clock_timestamp() END
                          WHERE id = %s AND state = 'running' AND worker = %s AND attempts = %s""",
                       (state, json.dumps(result, allow_nan=False) if result else None, error[:2000].replace("\0", ""), pause,
                        state, training.id, training.worker, training.attempts))
        if not cursor.rowcount:
            raise LeaseLost(f"training {training.id} is no longer that of {training.worker}")


def label_paths(hub, version):
    """The tree of labels that a version needs, as paths "parent > child": its labels and all that stand above them."""
    with hub.transaction(accounts.OPERATOR, "work") as cursor:
        cursor.execute("""WITH wanted AS (
                            SELECT hub.above(ARRAY(SELECT id FROM hub.label WHERE name IN (
                              SELECT jsonb_object_keys(counts) FROM hub.version WHERE id = %s))) AS id)
                          SELECT above.name, label.name FROM wanted JOIN hub.label USING (id)
                          LEFT JOIN (hub.edge JOIN hub.label AS above ON above.id = edge.parent) ON edge.child = label.id
                          ORDER BY label.id, above.id""", (version,))
        return [f"{above} > {name}" if above else name for above, name in cursor.fetchall()]
