"""One trained network of a task: its input, its layers, its training examples."""


class Network:
    """A network of a task. As it stands, everything is as the task says; a subclass says what differs.

    A task with several networks, or with one that needs more, overrides `Task.networks`:

        @property
        def networks(self):
            return {"coarse": Coarse(self), "sides": Sides(self)}
    """

    examples_per_image = 1  # drawn from each picture in an epoch; with more than 1, validation examples are varied too

    def __init__(self, task):
        self.task = task

    @property
    def input_size(self):
        """(width, height) of the input in pixels."""
        return self.task.input_size

    @property
    def backbone(self):
        """Name of the backbone below the head; "" gives the head the pixels, scaled to -1 … 1."""
        return self.task.params.model.backbone

    def head(self, features):
        """Output tensor, or a dict of them by name, from the backbone's feature maps (a list, finest first)."""
        return self.task.head(features)

    def build_outputs(self, pixels, features):
        """The outputs as of `head`, from the pixels 0 … 255 too, for a network that measures them itself."""
        return self.head(features)

    def loss(self):
        """The Keras loss, or a dict of them by output name."""
        return self.task.loss()

    def cached_image(self, picture, row):
        """What the cache keeps of a picture for training: uint8 (h, w, 3), of one shape for all pictures."""
        return self.task.prepare(picture)

    def example(self, cached, row, rng=None):
        """A training example from a cached image: (uint8 (h, w, 3), target); without `rng` it is not augmented."""
        return self.task.example(cached, row, rng)

    def load_pretrained(self, network):
        """Set the initial weights of a new Keras network; returns whether it did."""
        return False

    def calibrate(self, network, prepared):
        """Fit in place what training leaves open (thresholds, calibration), mostly on the validation pictures.

        `prepared` is the data set of training (lib.data.dataset.Prepared).
        """
