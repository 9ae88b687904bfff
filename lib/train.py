"""Fit the parts of a job: resumable after every epoch, reproducible from a seed, never worse than it began."""

import io
import json
import os
import shutil
import time

import numpy as np
from tqdm.auto import tqdm

from lib import data, files, model, runs


def train(job, prepared, progress=True):
    """The finished Record of this job: trained, saved and exported, or an earlier one of the same settings and data."""
    record, finished = runs.start(job, runs.fingerprint(job, prepared.rows))
    if finished:
        return record
    for split in ("train", "validation"):
        if not len(prepared.of(split)):
            raise ValueError(f"the {split} split is empty; see split.* in params.yaml and the groups of notebook 01")
    with files.lock(record.folder):
        began = time.time()
        networks, history = {}, []
        for part in job.parts():
            networks[part], lines = fit(job, part, prepared, record, progress)
            history += lines
        import pandas as pd

        record.keep_table(pd.DataFrame(history), "history")
        split = {name: [prepared.rows[at]["image"] for at in prepared.of(name)] for name in data.SPLITS}
        record.write("split", split)
        left_out = model.save(job, networks, record.path("model"))
        model.export(job, networks, record.path("export"), record.name)
        model.keep_golden(job, record.path("export"), [prepared.rows[at] for at in prepared.of("validation")[:16]])
        metrics = {f"{line['part']}_val_loss": line["val_loss"] for line in _best(history)}
        record.write("done", {"seconds": round(time.time() - began, 1), "metrics": metrics, "h5_left_out": left_out,
                              "pictures": {name: len(names) for name, names in split.items()}})
        shutil.rmtree(record.path("resume"))
        runs.track(record, metrics, history)
    return record


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


def fit(job, part, prepared, record, progress=True):
    """A part's network with its best weights by validation loss, and one line of losses an epoch.

    Where it starts from weights that are there already, epoch 0 is their validation loss: weights that training
    does not better are kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow tells of its every step otherwise
    import keras

    settings = job.params.training
    keras.utils.set_random_seed(settings.seed)
    network = model.build(job, part)
    given = job.start(part, network)
    steps = data.stream(job, part, prepared, "train")[1]
    compile_for(job, part, network, steps)
    validation = data.fixed(job, part, prepared, "validation")
    state = State(network, record.path("resume", f"{part}.npz"))
    if not state.resume() and given:
        state.keep(-1, {"val_loss": network.evaluate(validation, verbose=0, return_dict=True)["loss"]}, part)
    if not state.over(settings):
        batches, _ = data.stream(job, part, prepared, "train", state.epoch + 1)
        network.fit(batches, validation_data=validation, steps_per_epoch=steps, epochs=settings.epochs,
                    initial_epoch=state.epoch + 1, verbose=0,
                    callbacks=[_callback(state, part, settings, progress)])
    state.restore_best()
    return network, state.history


def compile_for(job, part, network, steps):
    """Compile with the optimizer, schedule and loss of the settings."""
    import keras

    settings = job.params.training
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, max(1, steps * settings.epochs), alpha=0.01)
    if settings.loss == "task":
        loss = job.loss(part)
    elif settings.loss == "wing":
        from lib import layers

        loss = layers.Wing()
    else:
        loss = keras.losses.get(settings.loss)
    optimizer = keras.optimizers.get({"class_name": settings.optimizer, "config": {"learning_rate": rate}})
    network.compile(optimizer=optimizer, loss=loss, jit_compile=False)  # XLA is many times slower on CPUs


class State:
    """Everything a training needs to go on, in one file that is replaced whole after each epoch."""

    def __init__(self, network, path):
        self.network, self.path = network, path
        self.epoch, self.history, self.best, self.best_weights = -1, [], np.inf, None
        network.optimizer.build(network.trainable_variables)

    def variables(self):
        return [*self.network.variables, *self.network.optimizer.variables]

    def keep(self, epoch, logs, part):
        """Take note of an ended epoch (-1: before the first) and write the state down."""
        line = {"part": part, "epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        if not np.isfinite(line["val_loss"]):
            raise ValueError(f"the loss of {part} is {line['val_loss']} in epoch {epoch + 1}; "
                             "lower training.learning_rate")
        self.epoch, self.history = epoch, [*self.history, line]
        if line["val_loss"] < self.best:
            self.best, self.best_weights = line["val_loss"], self.network.get_weights()
        arrays = {f"v{n}": np.asarray(variable) for n, variable in enumerate(self.variables())}
        arrays |= {f"b{n}": weight for n, weight in enumerate(self.best_weights)}
        buffer = io.BytesIO()
        np.savez(buffer, note=json.dumps([self.epoch, self.history, self.best]), **arrays)
        files.write(self.path, buffer.getvalue())

    def resume(self):
        """Go on from the file, if there is one."""
        if not self.path.is_file():
            return False
        with np.load(self.path, allow_pickle=False) as arrays:
            self.epoch, self.history, self.best = json.loads(str(arrays["note"]))
            for n, variable in enumerate(self.variables()):
                variable.assign(arrays[f"v{n}"])
            self.best_weights = [arrays[f"b{n}"] for n in range(len(self.network.get_weights()))]
        return True

    def over(self, settings):
        """Whether all epochs are done, or patience has run out."""
        after = [line["val_loss"] for line in self.history]
        stale = settings.patience and len(after) and len(after) - 1 - int(np.argmin(after)) >= settings.patience
        return bool(stale) or self.epoch + 1 >= settings.epochs

    def restore_best(self):
        self.network.set_weights(self.best_weights)


def _callback(state, part, settings, progress):
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

        def on_train_end(self, logs=None):
            self.bar.close()

    return Epochs()
