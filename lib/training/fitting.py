"""Fit the parts of a job: resumable after every epoch, reproducible from a seed, never worse than it began."""

import contextlib
import io
import json
import os
import shutil
import time

import numpy as np
from tqdm.auto import tqdm

from lib.data import dataset
from lib.models import building, saving
from lib.storage import files, runs
from lib.training import export

CYCLE = 8  # epochs from the highest learning rate to the next, with schedule cyclic

def train(job, prepared, progress=True):
    """The finished Record of this job: trained, saved and exported, or an earlier one of the same settings and data."""
    record, finished = runs.start(job, runs.fingerprint(job, prepared.rows))
    if finished:
        return record
    for split in ("train", "validation"):
        if not len(prepared.of(split)):
            raise ValueError(f"the {split} split is empty; see split.* in params.yaml and the groups of notebook 01")
    with files.lock(record.folder):
        began = time.monotonic()
        networks, history = {}, []
        for part in job.parts():
            with _in_memory(job):
                networks[part], lines = fit(job, part, prepared, record, progress)
            job.finish(part, networks[part], prepared)
            history += lines
        import pandas as pd

        record.keep_table(pd.DataFrame(history), "history")
        split = {name: [prepared.rows[at]["image"] for at in prepared.of(name)] for name in dataset.SPLITS}
        record.write("split", split)
        left_out = saving.save(job, networks, record.path("model"))
        export.export(job, networks, record.path("export"), record.name)
        export.keep_golden(job, record.path("export"), [prepared.rows[at] for at in prepared.of("validation")[:16]])
        metrics = {f"{line['part']}_val_loss": line["val_loss"] for line in _best(history)}
        record.write("done", {"seconds": round(time.monotonic() - began, 1), "metrics": metrics, "h5_left_out": left_out,
                              "pictures": {name: len(names) for name, names in split.items()}})
        shutil.rmtree(record.path("resume"))
        runs.track(record, metrics, history)
    return record


@contextlib.contextmanager
def _in_memory(job):
    """ValueError with the remedy where the block needs more memory than there is."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):  # TensorFlow's, which may not be loaded
            raise
        raise ValueError(f"training does not fit in memory with training.batch_size {job.params.training.batch_size}; "
                         "reduce it, or model.width and model.height; the run goes on from its last epoch") from error


def history(record):
    """The losses of a run: a pandas row for each part and epoch."""
    import pandas as pd

    return pd.read_csv(record.path("history.csv"))


def _best(history):
    """The line with the least validation loss of each part."""
    best = {}
    for line in history:
        if line["part"] not in best or line["val_loss"] < best[line["part"]]["val_loss"]:
            best[line["part"]] = line
    return best.values()


class Diverged(ValueError):
    """A training whose loss is no number any more."""


def fit(job, part, prepared, record, progress=True, told=None):
    """A part's network with its best weights by validation loss, and one line of losses an epoch.

    Where it starts from weights that are there already, epoch 0 is their validation loss: weights that training
    does not better are kept. `told` is called with the line of every epoch, and may end the training by an error.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow tells of its every step otherwise
    import keras

    settings = job.params.training
    keras.utils.set_random_seed(settings.seed)
    network = building.build(job, part)
    given = job.start(part, network)
    steps = dataset.training_batches(job, part, prepared, "train")[1]
    compile_for(job, part, network, steps)
    validation = dataset.validation_batches(job, part, prepared, "validation")
    state = State(network, record.path("resume", f"{part}.npz"))
    if not state.resume() and given:
        state.keep(-1, {"val_loss": network.evaluate(validation, verbose=0, return_dict=True)["loss"]}, part)
    while not state.over(settings):  # once, and once more after an epoch that was broken off
        batches, _ = dataset.training_batches(job, part, prepared, "train", state.epoch + 1, state.step)
        network.fit(batches, validation_data=validation, steps_per_epoch=steps - state.step, verbose=0,
                    epochs=state.epoch + 2 if state.step else settings.epochs, initial_epoch=state.epoch + 1,
                    callbacks=[_callback(state, part, settings, progress, told), *_backup(state, part, record, steps, settings)])
    state.restore_best()
    return network, state.history


def compile_for(job, part, network, steps):
    """Compile with the optimizer, schedule and loss of the settings."""
    import keras

    settings = job.params.training
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, max(1, steps * settings.epochs), alpha=0.01)
    elif settings.schedule == "cyclic":
        from lib.models import schedules

        rate = schedules.Cyclic(rate, CYCLE * steps)
    if settings.loss == "task":
        loss = job.loss(part)
    elif settings.loss == "wing":
        from lib.models import losses

        loss = losses.Wing()
    else:
        loss = keras.losses.get(settings.loss)
    optimizer = keras.optimizers.get({"class_name": settings.optimizer, "config": {"learning_rate": rate}})
    network.compile(optimizer=optimizer, loss=loss, jit_compile=False)  # XLA is many times slower on CPUs


class State:
    """Everything a training needs to go on, in one file that is replaced whole after each epoch, or more often.

    `epoch` is the last that ended, `step` the number of batches that the one after it has had.
    """

    def __init__(self, network, path):
        self.network, self.path = network, path
        self.epoch, self.history, self.best, self.best_weights, self.step = -1, [], np.inf, None, 0
        network.optimizer.build(network.trainable_variables)

    def variables(self):
        return [*self.network.variables, *self.network.optimizer.variables]

    def keep(self, epoch, logs, part):
        """Take note of an ended epoch (-1: before the first) and write the state down."""
        line = {"part": part, "epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        if not np.isfinite(line["val_loss"]):
            raise Diverged(f"the loss of {part} is {line['val_loss']} in epoch {epoch + 1}; "
                           "lower training.learning_rate")
        self.epoch, self.history, self.step = epoch, [*self.history, line], 0
        if line["val_loss"] < self.best:
            self.best, self.best_weights = line["val_loss"], self.network.get_weights()
        self.write()

    def write(self):
        """Write the state down."""
        arrays = {f"v{n}": np.asarray(variable) for n, variable in enumerate(self.variables())}
        arrays |= {f"b{n}": weight for n, weight in enumerate(self.best_weights or [])}
        buffer = io.BytesIO()
        np.savez(buffer, note=json.dumps([self.epoch, self.history, self.best, self.step]), **arrays)
        files.write(self.path, buffer.getvalue())

    def resume(self):
        """Go on from the file, if there is one."""
        if not self.path.is_file():
            return False
        with np.load(self.path, allow_pickle=False) as arrays:
            self.epoch, self.history, self.best, *step = json.loads(str(arrays["note"]))
            self.step = sum(step)  # files of older versions have none
            for n, variable in enumerate(self.variables()):
                variable.assign(arrays[f"v{n}"])
            if "b0" in arrays:
                self.best_weights = [arrays[f"b{n}"] for n in range(len(self.network.get_weights()))]
        return True

    def over(self, settings):
        """Whether all epochs are done, or patience has run out."""
        after = [line["val_loss"] for line in self.history]
        stale = settings.patience and len(after) and len(after) - 1 - int(np.argmin(after)) >= settings.patience
        return bool(stale) or self.epoch + 1 >= settings.epochs

    def restore_best(self):
        self.network.set_weights(self.best_weights)


def _callback(state, part, settings, progress, told):
    import keras

    class Epochs(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.bar = tqdm(total=settings.epochs, initial=state.epoch + 1, desc=f"train {part}", unit="epoch",
                            disable=not progress)

        def on_epoch_end(self, epoch, logs=None):
            state.keep(epoch, logs, part)
            self.bar.set_postfix(val_loss=f"{logs['val_loss']:.4g}")
            self.bar.update()
            if state.over(settings):
                self.model.stop_training = True
            if told:
                told(state.history[-1])

        def on_train_end(self, logs=None):
            self.bar.close()

    return Epochs()


def _backup(state, part, record, steps, settings):
    """A callback that keeps the weights every `training.keep_every` batches, and the state to go on from; none at 0."""
    import keras

    if not settings.keep_every:
        return []

    class Batches(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.first = state.step

        def on_train_batch_end(self, batch, logs=None):
            step = self.first + batch + 1
            number = (state.epoch + 1) * steps + step
            if number % settings.keep_every == 0:
                with files.writing(record.path("backup", f"{part}-{number:07d}.weights.h5")) as temporary:
                    named = temporary.with_suffix(".weights.h5")  # Keras takes no other name
                    self.model.save_weights(named)
                    named.replace(temporary)
                if step < steps:  # at its end the epoch is kept as a whole, with its losses
                    state.step = step
                    state.write()

    return [Batches()]
