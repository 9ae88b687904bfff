"""One folder a run: its params, networks, figures, numbers and notebooks; mirrored to the tracker (MLflow)."""

import datetime
import functools
import hashlib
import json
import logging
import urllib.parse
from pathlib import Path

import yaml

from lib.common import config
from lib.storage import files, postgres

LOSSES = {"loss": "loss", "val_loss": "validation loss"}
KIND = "mlflow.experimentKind", "custom_model_development"   # the tracker's page then calls it a training, no agent


class Run:
    """The folder of a run: outputs/<task>/<profile>/<run>/."""

    def __init__(self, job, name):
        self.job, self.name = job, name
        self.folder = job.outputs / name

    def __repr__(self):
        return f"run {self.name}"

    def path(self, *parts):
        return self.folder.joinpath(*parts)

    @property
    def done(self):
        """Whether training ended and the export is there."""
        return self.path("done.json").is_file() and self.path("export", "export.json").is_file()

    def write(self, name, values):
        """Keep plain values as NAME.json."""
        files.write_json(self.path(f"{name}.json"), values)

    def read(self, name):
        """What was kept as NAME.json; ValueError where it is missing."""
        return files.read_json(self.path(f"{name}.json"))

    def keep(self, figure, name):
        """Save a figure as figures/NAME.png and return it, so that the cell shows it."""
        return files.write_figure(self.path("figures", f"{name}.png"), figure)

    def keep_all(self, figures):
        """Save and show figures, pairs of a name and a figure, as they come; returns in words which they were."""
        from IPython.display import display

        names = []
        for name, figure in figures:
            display(self.keep(figure, name))
            names.append(name)
        return f"kept in figures/: {', '.join(names)}" if names else "No figure was asked for here."

    def keep_table(self, table, name):
        """Keep a pandas table as NAME.csv."""
        files.write(self.path(f"{name}.csv"), table.to_csv(index=False))
        return table


# Settings that were added later, with the values that train as was done before them: runs from before stay the same ones.
LATER = {"data.several": 0.0, "data.columns.cut": "cut", "{task}.boxes": "one"}


def fingerprint(job, *facts):
    """Sixteen letters that change when the settings which training depends on, or the facts, change."""
    aside = ("verify", "viewer", "api", "tracking", "hub", "compute", "search")
    settings = {key: value for key, value in job.params.plain().items() if key not in aside}
    for name in ("reuse", "keep_every"):
        settings["training"].pop(name, None)
    settings["data"].pop("workers")
    for dotted, value in LATER.items():
        *groups, name = dotted.format(task=job.name).split(".")
        group = functools.reduce(lambda at, key: at.get(key, {}), groups, settings)
        if group.get(name) == value:
            del group[name]
    text = json.dumps([job.name, settings, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def all_runs(job):
    """The Records of a job's profile, oldest first."""
    marks = job.outputs.glob("*/params.yaml") if job.outputs.is_dir() else []
    ordered = sorted(marks, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
    return [Run(job, path.parent.name) for path in ordered]


def new_name(job):
    """A name no run has: the UTC time, with a letter more where the clock repeats itself."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    taken = {record.name for record in all_runs(job)}
    return next(name for name in (stamp, *(f"{stamp}-{n}" for n in range(2, 1000))) if name not in taken)


def start(job, mark):
    """The Record to train in, and whether it is a finished one to be taken as it is.

    A named run is resumed (ValueError where it was made with other settings or data). Without a name the newest
    run of the same fingerprint is reused or resumed, else a new one begins.
    """
    if job.run:
        record = Run(job, job.run)
        if record.path("mark.json").is_file() and record.read("mark")["mark"] != mark:
            raise ValueError(f"run {job.run!r} was made with other settings or data; give the new one another name")
    else:
        same = [r for r in all_runs(job) if r.path("mark.json").is_file() and r.read("mark")["mark"] == mark]
        usable = [r for r in same if job.params.training.reuse or not r.done]
        record = usable[-1] if usable else Run(job, new_name(job))
    if record.done and job.params.training.reuse:
        record.path("params.yaml").touch()  # the run in use is the newest: that which the next notebooks mean
        return record, True
    record.folder.mkdir(parents=True, exist_ok=True)
    files.write(record.path("params.yaml"), settings_text(job))
    record.write("mark", {"mark": mark})
    return record, False


def newest(job):
    """The run named by the job, or the newest finished one; ValueError says what to run first."""
    if job.run:
        record = Run(job, job.run)
        if record.done:
            return record
        there = [r.name for r in all_runs(job) if r.done]
        raise ValueError(f"{job.name}/{job.profile} has no finished run {job.run!r}"
                         + (f"; there are {', '.join(there)}" if there else "; run notebook 02 first"))
    finished = [record for record in all_runs(job) if record.done]
    if not finished:
        raise ValueError(f"{job.name}/{job.profile} has no finished run yet; run notebook 02 first")
    return finished[-1]


def newest_profile(task, name=""):
    """The profile of the newest finished run of a task, in any profile; with a `name`, of the runs of that name. Or ""."""
    marks = config.outputs_folder(task, "x").parent.glob(f"*/{name or '*'}/params.yaml")
    finished = [mark for mark in marks if mark.with_name("done.json").is_file()
                and mark.with_name("export").joinpath("export.json").is_file()]
    newest = max(finished, key=lambda mark: (mark.stat().st_mtime_ns, mark.parent.name), default=None)
    return newest.parents[1].name if newest else ""


def settings_text(job):
    """What the run was made with, as YAML that reads like params.yaml."""
    return yaml.safe_dump({"task": job.name, "profile": job.profile, "settings": job.params.plain()},
                          sort_keys=False, allow_unicode=True)


def tracker_uri(job):
    """Where MLflow keeps its runs: outputs/mlflow.db, a server, or (postgresql) the database of data.token.

    The password never is a part of it, nor of the environment: libpq takes it from a file of this process alone.
    """
    uri = job.params.tracking.uri
    if uri != "postgresql":
        return uri or f"sqlite:///{config.home() / 'outputs' / 'mlflow.db'}"
    there = postgres.credentials(job)
    if there is None:
        raise config.ConfigError("tracking.uri is 'postgresql', which needs data.token to say where")
    user, host, name = (urllib.parse.quote(text, safe="") for text in (there.uid, there.server, there.database))
    query = {"sslmode": there.sslmode, "passfile": postgres.passfile(there)}
    query |= {"sslrootcert": there.sslrootcert} if there.sslrootcert else {}
    return f"postgresql+psycopg2://{user}@{host}:{there.port}/{name}?{urllib.parse.urlencode(query)}"


def experiment(job):
    """MLflow, with the experiment of a job's profile set, which is made if it is not there yet."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # a new database is nothing to tell of in a notebook
    Path(config.home() / "outputs").mkdir(exist_ok=True)
    mlflow.set_tracking_uri(tracker_uri(job))
    name = _experiment_name(job)
    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=(config.home() / "outputs" / "mlflow").as_uri())
    if mlflow.set_experiment(name).tags.get(KIND[0]) != KIND[1]:
        mlflow.set_experiment_tag(*KIND)
    return mlflow


def _experiment_name(job):
    return f"{job.name}/{job.profile}"


def tracker_page(job, address):
    """Where the tracker at an address shows the runs of a job's profile; its list of experiments where there are none.

    An experiment's own address opens on the traces of language models, which we have not.
    """
    import mlflow

    found = mlflow.MlflowClient(tracker_uri(job)).get_experiment_by_name(_experiment_name(job))
    where = f"experiments/{found.experiment_id}/runs" if found else "experiments"
    return f"{address.rstrip('/')}/#/{where}?workflowType=machine_learning"


def track(record, metrics, history=None):
    """Mirror a run to MLflow: params, metrics by epoch, figures and the export. Returns MLflow's run id, or None."""
    job = record.job
    if not job.params.tracking.enabled:
        return None
    mlflow = experiment(job)
    known = record.read("mlflow")["run"] if record.path("mlflow.json").is_file() else None
    with mlflow.start_run(run_id=known, run_name=record.name) as run:
        if known is None:
            mlflow.log_params({key: str(value)[:500] for key, value in config.flat(job.params.plain()).items()})
            record.write("mlflow", {"run": run.info.run_id})
        for row in history or []:
            mlflow.log_metrics({f"{row['part']} {LOSSES.get(k, k)}": v for k, v in row.items() if k not in ("part", "epoch")},
                               step=int(row["epoch"]))
        mlflow.log_metrics({key: value for key, value in metrics.items() if value is not None})
        for folder in ("figures", "export"):
            if record.path(folder).is_dir():
                mlflow.log_artifacts(record.path(folder), folder)
        if record.done:
            _register(record, run)
        return run.info.run_id


def registered(job):
    """The name of a job's models in MLflow's registry, which takes no slash."""
    return f"{job.name}-{job.profile}"


def _register(record, run):
    """Make a finished run's export the newest version of its model in the registry, with the alias `candidate`."""
    from mlflow import MlflowClient

    client, name = MlflowClient(), registered(record.job)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    versions = client.search_model_versions(f"name = '{name}'")
    if not any(one.run_id == run.info.run_id for one in versions):
        version = client.create_model_version(name, f"{run.info.artifact_uri}/export", run.info.run_id,
                                              tags={"run": record.name})
        client.set_registered_model_alias(name, "candidate", version.version)


def export(job, name=""):
    """The folder of an export: of the run `name`, of that to which the registry's alias `name` points, or the newest.

    `champion` is the alias that people give, `candidate` that of the newest finished run. What lies on a remote tracker
    alone is fetched. ValueError says what there is.
    """
    if name and not Run(job, name).done and job.params.tracking.enabled:
        import mlflow

        mlflow.set_tracking_uri(tracker_uri(job))
        try:
            found = mlflow.MlflowClient().get_model_version_by_alias(registered(job), name)
        except mlflow.exceptions.MlflowException as error:
            raise ValueError(f"{job.name}/{job.profile} has no finished run {name!r}, and MLflow's registry no alias "
                             f"of that name for {registered(job)}; name a run, or give a version that alias") from error
        record = Run(job, found.tags.get("run", ""))
        if record.done:
            return record.path("export")
        to = config.home() / "outputs" / "registry" / f"{registered(job)}-{found.version}"
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=found.source, dst_path=str(to)))
    return newest(job if not name else type(job)(job.params, job.profile, name)).path("export")
