"""Train one network, epoch by epoch: resumable, reproducible from a seed, never worse than it began."""

from tqdm.auto import tqdm

from lib.data import dataset
from lib.storage import files
from lib.training.checkpoint import Checkpoint
from lib.training.networks import Start, check_outputs

CYCLE = 8  # epochs from the highest learning rate to the next, with schedule cyclic


def fit_network(job, name, prepared, folder, progress=True, on_epoch=None, start=None):
    """The network `name` of a job with its best weights by validation loss, and a list of its losses, a dict an epoch.

    `folder` keeps the checkpoint (resume/). Where training starts from weights that are there already, epoch 0 is their
    validation loss: weights that training does not better are kept. `on_epoch` is called with the losses of every epoch
    and may end the training by an error. `start` is a Start; without it, the network is built from the settings.
    """
    settings = job.params.training
    with tqdm(desc=f"{name}: start", unit="batch", disable=not progress) as bar:
        start = start or Start.of(job, name)
        network, steps = start.network, dataset.training_batches(job, name, prepared, "train")[1]
        compile_network(job, name, network, steps)
        validation = dataset.validation_batches(job, name, prepared, "validation")
        check_outputs(name, network, validation.element_spec[1])
        checkpoint = Checkpoint(network, folder / "resume" / f"{name}.npz")
        bar.reset(steps * settings.epochs)
        if not checkpoint.restore() and start.trained:
            bar.set_description(f"{name}: epoch 0, as it starts")
            checkpoint.end_epoch(-1, {"val_loss": network.evaluate(validation, verbose=0, return_dict=True)["loss"]})
        bar.update((checkpoint.epoch + 1) * steps + checkpoint.step)
        callbacks = [_epochs(checkpoint, settings, bar, on_epoch), *_backup(checkpoint, folder, steps, settings)]
        while not checkpoint.finished(settings):  # once, and once more after an epoch that was broken off
            batches, _ = dataset.training_batches(job, name, prepared, "train", checkpoint.epoch + 1, checkpoint.step)
            network.fit(batches, validation_data=validation, steps_per_epoch=steps - checkpoint.step, verbose=0,
                        epochs=checkpoint.epoch + 2 if checkpoint.step else settings.epochs,
                        initial_epoch=checkpoint.epoch + 1, callbacks=callbacks)
    checkpoint.restore_best()
    return network, checkpoint.history


def compile_network(job, name, network, steps):
    """Compile with the optimizer, schedule and loss of the settings; a network that is compiled keeps its own.

    `steps` are the batches of an epoch.
    """
    import keras

    if network.compiled:
        network.jit_compile = False
        return
    settings = job.params.training
    optimizer = keras.optimizers.get({"class_name": settings.optimizer,
                                      "config": {"learning_rate": _learning_rate(settings, steps)}})
    network.compile(optimizer=optimizer, loss=_loss(job, name), jit_compile=False)  # XLA is many times slower on CPUs


def _learning_rate(settings, steps):
    import keras

    from lib.models import schedules

    if settings.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(settings.learning_rate, max(1, steps * settings.epochs), alpha=0.01)
    return schedules.CyclicLearningRate(settings.learning_rate, CYCLE * steps) if settings.schedule == "cyclic" else settings.learning_rate


def _loss(job, name):
    import keras

    from lib.models import losses

    given = job.params.training.loss
    return job.networks[name].loss() if given == "task" else losses.WingLoss() if given == "wing" else keras.losses.get(given)


def _epochs(checkpoint, settings, bar, on_epoch):
    """A callback that writes the checkpoint after each epoch and moves the bar."""
    import keras

    class Epochs(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            bar.set_description(f"{self.model.name}: epoch {epoch + 1} of {settings.epochs}")

        def on_train_batch_end(self, batch, logs=None):
            bar.update()

        def on_epoch_end(self, epoch, logs=None):
            checkpoint.end_epoch(epoch, logs)
            bar.set_postfix(val_loss=f"{logs['val_loss']:.4g}")
            if checkpoint.finished(settings):
                self.model.stop_training = True
            if on_epoch:
                on_epoch(checkpoint.history[-1])

    return Epochs()


def _backup(checkpoint, folder, steps, settings):
    """A callback that keeps the weights every `training.keep_every` batches, and the state to go on from; none at 0."""
    import keras

    if not settings.keep_every:
        return []

    class Batches(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.first = checkpoint.step

        def on_train_batch_end(self, batch, logs=None):
            step = self.first + batch + 1
            number = (checkpoint.epoch + 1) * steps + step
            if number % settings.keep_every == 0:
                with files.writing(folder / "backup" / f"{self.model.name}-{number:07d}.weights.h5") as temporary:
                    named = temporary.with_suffix(".weights.h5")  # Keras takes no other name
                    self.model.save_weights(named)
                    named.replace(temporary)
                if step < steps:  # at its end the epoch is kept as a whole, with its losses
                    checkpoint.step = step
                    checkpoint.write()

    return [Batches()]
