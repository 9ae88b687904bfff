"""What a training needs to go on after it was stopped: one file, replaced as a whole."""

import io
import json

import numpy as np

from lib.storage import files


class Diverged(ValueError):
    """A training whose loss is no longer a finite number."""


class Checkpoint:
    """The state of one network's training: variables, optimizer, losses so far and the best weights.

    `epoch` is the last that ended (-1: none), `step` the number of batches that the one after it has had, `history` one
    dict of losses an epoch, `best` the least validation loss.
    """

    def __init__(self, network, path):
        self.network, self.path = network, path
        self.epoch, self.history, self.best, self.best_weights, self.step = -1, [], np.inf, None, 0
        network.optimizer.build(network.trainable_variables)

    def variables(self):
        return [*self.network.variables, *self.network.optimizer.variables]

    def end_epoch(self, epoch, losses):
        """Take the losses of an ended epoch (-1: before the first) and write the file; Diverged where they are not finite."""
        name = self.network.name
        line = {"part": name, "epoch": epoch + 1, **{key: float(value) for key, value in losses.items()}}
        if not np.isfinite(line["val_loss"]):
            raise Diverged(f"the loss of {name} is {line['val_loss']} in epoch {epoch + 1}; lower training.learning_rate")
        self.epoch, self.history, self.step = epoch, [*self.history, line], 0
        if line["val_loss"] < self.best:
            self.best, self.best_weights = line["val_loss"], self.network.get_weights()
        self.write()

    def write(self):
        arrays = {f"v{n}": np.asarray(variable) for n, variable in enumerate(self.variables())}
        arrays |= {f"b{n}": weight for n, weight in enumerate(self.best_weights or [])}
        buffer = io.BytesIO()
        np.savez(buffer, note=json.dumps([self.epoch, self.history, self.best, self.step]), **arrays)
        files.write(self.path, buffer.getvalue())

    def restore(self):
        """Take the state from the file; False where there is none."""
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

    def finished(self, settings):
        """Whether all epochs are done, or patience has run out."""
        losses = [line["val_loss"] for line in self.history]
        stale = settings.patience and len(losses) and len(losses) - 1 - int(np.argmin(losses)) >= settings.patience
        return bool(stale) or self.epoch + 1 >= settings.epochs

    def restore_best(self):
        """Give the network the weights of the epoch with the least validation loss."""
        self.network.set_weights(self.best_weights)
