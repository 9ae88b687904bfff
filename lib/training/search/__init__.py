"""Which settings train best? A study on PostgreSQL (Optuna) that any number of processes and machines share.

    space      which values may the searched settings take?
    studies    the study: its tables, its name, the trials that wait in it
    workers    processes that train them, and the supervisor that restarts these
    plots      how did it go?
"""

import datetime
import shutil
from dataclasses import dataclass

from lib.common import config
from lib.data import dataset
from lib.storage import runs
from lib.training.search import studies, workers
from lib.training.search.studies import open_study
from lib.training.search.workers import run_worker

__all__ = ["SearchResult", "open_study", "search_settings", "trials", "run_worker"]


@dataclass(frozen=True)
class SearchResult:
    """`job` with the best settings; these as `best` (dotted keys); `trials`, a pandas row each; and the `study`."""

    job: object
    best: dict
    trials: object
    study: object = None

    @property
    def record(self):
        """Where the figures of a search are kept, beside best.json: outputs/<task>/<profile>/search."""
        return runs.Run(self.job, "search")

    def __repr__(self):
        if self.study is None:
            return "no search was asked for (search.trials is 0); the settings stay as they are"
        return f"best of {len(self.trials)} trainings: " + ", ".join(f"{key}={value}" for key, value in self.best.items())

    def figures(self):
        """Optuna's plots of the study: pairs of a name and a closed figure; none where nothing was searched."""
        from lib.training.search import plots

        return plots.plot_study(self.study)


def search_settings(job, table, progress=True):
    """The SearchResult of `search.trials` trainings, shared by `search.workers` processes; an empty one where trials is 0.

    A trial is a training with settings out of `search.space`, judged by the least validation loss of the job's first
    part. A study goes on where it ended, on any machine that reaches its database and has gathered the same labels;
    the trial of a worker that died is tried again. The best settings are written to best.json, which training takes
    where `search.use` is true. RuntimeError: the workers ended before the trials were done.
    """
    import pandas as pd

    if not job.params.search.trials:
        return SearchResult(job, {}, pd.DataFrame())
    dataset.prepare(job, table, progress)
    study = open_study(job, table)
    if any(trial.state.name in ("WAITING", "RUNNING") for trial in study.get_trials(deepcopy=False)):
        workers.supervise(job, table, study, progress)
    return _keep(job, study)


def _keep(job, study):
    """The SearchResult of a study whose trials are done; best.json is written and the tracker told."""
    done = studies.ended_trials(study)
    if not any(trial.state.name == "COMPLETE" for trial in done):
        raise RuntimeError(f"none of the {len(done)} trials came to its end; lower the learning rates of search.space")
    found = SearchResult(type(job)(config.with_overrides(job.params, study.best_params, job.setting_checks), job.profile, job.run),
                  study.best_params, trials(study), study)
    found.record.write("best", {
        "settings": study.best_params, "val_loss": study.best_value, "trial": study.best_trial.number,
        "trials": len(done), "study": study.study_name,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")})
    found.record.keep_table(found.trials, "trials")
    shutil.rmtree(found.record.path("cache"), ignore_errors=True)   # pictures prepared in other ways than the job's
    _track(found)
    return found


def trials(study):
    """A pandas row for each trial: its state, least validation loss, epochs, seconds and settings."""
    import pandas as pd

    return pd.DataFrame([{
        "trial": trial.number, "state": trial.state.name.lower(), "val_loss": trial.value,
        "epochs": len(trial.intermediate_values),
        "seconds": round(trial.duration.total_seconds(), 1) if trial.duration else None, **trial.params,
    } for trial in study.get_trials(deepcopy=False)])


def _track(found):
    """Log the best settings to MLflow, under the name of the study."""
    job = found.job
    if not job.params.tracking.enabled:
        return
    mlflow = runs.experiment(job)
    with mlflow.start_run(run_name=f"search-{found.study.study_name.rpartition('/')[2]}"):
        mlflow.log_params(found.best)
        mlflow.log_metrics({"val_loss": found.study.best_value, "trials": len(found.trials),
                            "epochs": int(found.trials["epochs"].sum())})
