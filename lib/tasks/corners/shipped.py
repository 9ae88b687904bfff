"""Weights that ship, set in a new network."""

import numpy as np


def load_shipped(task, name, network):
    """Set the shipped weights of a network where `model.weights` is "shipped"; returns whether they were set.

    ValueError where they were made for another network. Batch normalisation is frozen: a handful of pictures would
    ruin its statistics.
    """
    if task.params.model.weights != "shipped":
        return False
    path, weights = task.weights_file(name), []
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            weights = [arrays[f"w{at}"].astype(np.float32) for at in range(len(arrays.files))]
    if [each.shape for each in weights] != [tuple(each.shape) for each in network.weights]:
        sizes = ", ".join(sorted(each.stem.partition("-")[2] for each in task.weights_folder.glob("coarse-*.npz")))
        raise ValueError(f"the shipped weights of {name} are of another network than model.backbone="
                         f"{task.params.model.backbone!r} at {task.input_size[0]}x{task.input_size[1]} px; there are some "
                         f"for {sizes}: set the backbone and size of one, or model.weights=none to train from scratch")
    network.set_weights(weights)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.trainable = False
    return True
