"""The study of a search: its tables in PostgreSQL, its name, and the trials that wait in it to be trained."""

import os
import urllib.parse
import warnings

import numpy as np
import psycopg2
from psycopg2 import errors

from lib.common import config
from lib.data import dataset
from lib.storage import postgres, runs
from lib.training.search import space

SCHEMA = "corebox_search"
LOCK = 7_236_114_002    # any number, the same in all processes that begin a study
ENDED = ("COMPLETE", "PRUNED")


def open_study(job, table):
    """The Optuna study of this job's settings, space and labels, with trials waiting to be taken; or what there is of it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    title, settings = study_name(job, table), job.params.search
    with postgres.connect(job) as connection:
        _lock_schema(connection)
        study = optuna.create_study(study_name=title, storage=_storage(job, connection), load_if_exists=True,
                                    direction="minimize", pruner=_pruner(settings))
        trials = study.get_trials(deepcopy=False)
        for _ in range(settings.trials - sum(trial.state.name != "FAIL" for trial in trials)):
            study.enqueue_trial({})
    return study


def _lock_schema(connection):
    """Be the only one who begins a study, until the connection is closed; and have a schema for it."""
    try:
        with connection.cursor() as cursor:  # two that begin at once would both make the tables
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,))
            if not cursor.fetchone():
                cursor.execute(f"CREATE SCHEMA {SCHEMA}")
            connection.commit()
    except errors.InsufficientPrivilege as error:
        raise config.ConfigError(f"{postgres.error_text(error)}; the search keeps its study in the schema {SCHEMA}: let the user "
                                 "of the token file make it, or make it for that user") from error
    except psycopg2.Error as error:
        raise postgres.Unreachable(f"PostgreSQL did not let the study begin: {postgres.error_text(error)}; run again") from error


def _storage(job, connection):
    """Optuna's tables, in a schema of our own; the password goes by way of the environment, never into a text."""
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    there, settings = connection.info, job.params.search
    token = postgres.credentials(job)
    if there.password:
        os.environ["PGPASSWORD"] = there.password
    host = urllib.parse.quote(there.host, safe="")
    place = f"{there.host}:{there.port}" if token else ""
    url = (f"postgresql+psycopg2://{urllib.parse.quote(there.user, safe='')}@{place}/"
           f"{urllib.parse.quote(there.dbname, safe='')}" + ("" if token else f"?host={host}&port={there.port}"))
    more = {"sslmode": token.sslmode, "sslrootcert": token.sslrootcert or None} if token else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # heartbeats are called experimental
        return RDBStorage(
            url, heartbeat_interval=settings.heartbeat, grace_period=2 * settings.heartbeat,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(settings.retries, True),
            engine_kwargs={"pool_pre_ping": True, "connect_args": {
                "options": f"-csearch_path={SCHEMA}", "connect_timeout": job.params.data.connect_timeout,
                **{key: value for key, value in more.items() if value}}})


def study_name(job, table):
    """Changes with the labels, the space and any setting that is not searched."""
    first = {line["key"]: line["choices"][0] if "choices" in line else space.in_type(job, line["key"], line["low"])
             for line in space.checked_lines(job)}
    neutral = type(job)(config.with_overrides(job.params, first, job.setting_checks), job.profile)
    return f"{job.name}/{job.profile}/{runs.fingerprint(neutral, dataset.as_records(table), space.checked_lines(job))}"


def _pruner(settings):
    import optuna

    if settings.pruner == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(settings.warmup, settings.reduction)


def sampler(job, study, index):
    """A sampler whose draws no other worker repeats, nor the same one when it is started again."""
    import optuna

    seed = int(np.random.SeedSequence((job.params.training.seed, len(study.get_trials(deepcopy=False)), index))
               .generate_state(1)[0])
    kind = optuna.samplers.TPESampler if job.params.search.sampler == "tpe" else optuna.samplers.RandomSampler
    return kind(seed=seed)


def ended_trials(study):
    """The trials that came to their end, or were ended early."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ENDED]
