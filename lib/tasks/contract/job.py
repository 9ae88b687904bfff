"""A task with its settings: what is the same for every task."""

from lib.common import config
from lib.storage import files


class Job:
    """A task with its params, profile and run. The settings of the task itself are `params.<name of the task>`."""

    def __init__(self, params, profile="smoke", run=""):
        self.params, self.profile, self.run = params, profile, run

    @property
    def name(self):
        """Name of the task: that of its file or folder."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def folder(self):
        """Folder of labels.csv and images/, which notebook 01 fills."""
        return config.data_folder(self.name, self.profile)

    @property
    def outputs(self):
        """Folder of the runs of this task and profile."""
        return config.outputs_folder(self.name, self.profile)

    @property
    def input_size(self):
        """(width, height) of the network's input in pixels, from the settings."""
        return self.params.model.width, self.params.model.height

    @property
    def task(self):
        """The task itself: optional parts read it by this name."""
        return self

    def keep(self, figure, name):
        """Save a figure of the data as figures/NAME.png in the job's folder, and return it."""
        return files.write_figure(self.folder / "figures" / f"{name}.png", figure)
