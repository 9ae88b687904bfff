"""Fit the networks of a job on its labelled pictures, as a run: trained, saved and exported."""

import contextlib
import shutil
import time

from lib.data import dataset
from lib.models import saving
from lib.storage import files, runs
from lib.training import export, networks
from lib.training.loop import fit_network


def fit(job, prepared, network=None, progress=True):
    """The finished Run of this job: trained, saved and exported, or an earlier one of the same settings and data.

    `network` takes the place of what the settings build: a Keras network, or, where the job has several, a dict of
    them by name. Its input is (height, width, 3), RGB 0 … 255; its outputs are those that the task's loss and decoding
    expect. A network that is compiled keeps its own optimizer and loss.
    ValueError: a split is empty, a network does not fit the job, the loss diverged, or memory is short.
    """
    starts = networks.starts(job, network)
    own = [[name, start.digest] for name, start in sorted(starts.items()) if start.digest]
    run, finished = runs.start(job, runs.fingerprint(job, prepared.rows, *([own] if own else [])))
    if finished:
        return run
    for split in ("train", "validation"):
        if not len(prepared.of(split)):
            raise ValueError(f"the {split} split is empty; see split.* in params.yaml and the groups of notebook 01")
    with files.lock(run.folder):
        began = time.monotonic()
        trained, losses = fit_networks(job, prepared, run.folder, progress, starts)
        _keep(job, run, prepared, trained, losses, began)
    return run


def fit_networks(job, prepared, folder, progress=True, starts=None):
    """The trained networks of a job by name, calibrated, and their losses, a dict an epoch; checkpoints in `folder`."""
    trained, losses = {}, []
    for name in job.networks:
        with _explained_memory(job):
            trained[name], lines = fit_network(job, name, prepared, folder, progress, start=(starts or {}).get(name))
        job.networks[name].calibrate(trained[name], prepared)
        losses += lines
    return trained, losses


def _keep(job, run, prepared, trained, losses, began):
    """Write what a run consists of; done.json comes last, as the sign that all of it is there."""
    import pandas as pd

    run.keep_table(pd.DataFrame(losses), "history")
    split = {name: [prepared.rows[at]["image"] for at in prepared.of(name)] for name in dataset.SPLITS}
    run.write("split", split)
    left_out = saving.save(job, trained, run.path("model"))
    export.export(job, trained, run.path("export"), run.name)
    export.add_golden(job, run.path("export"), [prepared.rows[at] for at in prepared.of("validation")[:16]])
    metrics = {f"{line['part']}_val_loss": line["val_loss"] for line in best_epochs(losses).values()}
    run.write("done", {"seconds": round(time.monotonic() - began, 1), "metrics": metrics, "h5_left_out": left_out,
                       "pictures": {name: len(names) for name, names in split.items()}})
    shutil.rmtree(run.path("resume"))
    runs.track(run, {f"{line['part']} least validation loss": line["val_loss"] for line in best_epochs(losses).values()}, losses)


@contextlib.contextmanager
def _explained_memory(job):
    """ValueError with the remedy where the block needs more memory than there is."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):  # TensorFlow's, which may not be loaded
            raise
        raise ValueError(f"training does not fit in memory with training.batch_size {job.params.training.batch_size}; "
                         "reduce it, or model.width and model.height; the run goes on from its last epoch") from error


def outcome(run):
    """What became of a training, in words: a pandas row for each network."""
    import pandas as pd

    done, best = run.read("done"), best_epochs(history(run).to_dict("records"))
    pictures = ", ".join(f"{count} {name}" for name, count in done["pictures"].items())
    return pd.DataFrame([{"network": name, "best epoch": line["epoch"], "validation loss": line["val_loss"],
                          ".h5": done["h5_left_out"].get(name, "written"), "pictures": pictures,
                          "seconds, all networks": done["seconds"]} for name, line in best.items()])


def history(run):
    """The losses of a run: a pandas row for each network (column `part`) and epoch."""
    import pandas as pd

    return pd.read_csv(run.path("history.csv"))


def best_epochs(losses):
    """By network, the line with the least validation loss, the earliest of equal ones."""
    best = {}
    for line in losses:
        if line["part"] not in best or line["val_loss"] < best[line["part"]]["val_loss"]:
            best[line["part"]] = line
    return best


def improved(run):
    """Whether training has changed a network's weights: its best epoch is not epoch 0, that of the weights it was given."""
    return any(line["epoch"] > 0 for line in best_epochs(history(run).to_dict("records")).values())
