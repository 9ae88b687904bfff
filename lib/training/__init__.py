"""Phase 2: build the networks of a job, fit them, export them, search for better settings.

    networks     the networks that a training starts from: those of the settings, or a reader's own
    loop         one network, epoch by epoch
    checkpoint   what a stopped training goes on from
    fitting      all networks of a job, as a run
    export       trained networks as the folder that prediction loads
    search       which settings train best?
    pretraining  the weights that a task ships
"""

from lib.training.export import saved_files
from lib.training.fitting import fit, history, outcome
from lib.training.networks import build
from lib.training.search import search_settings

__all__ = ["build", "fit", "history", "outcome", "saved_files", "search_settings"]
