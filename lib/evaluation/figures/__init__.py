"""One function a figure: it takes data, returns the figure closed, and draws nothing else. Truth is white, an answer red.

    canvas       axes, grids, a picture with what is drawn on it
    datasets     of notebook 01: which labels are there, and where?
    training     of notebook 02: what do the networks see, and do they learn?
    outputs      the raw outputs of networks: of a batch, and of every step from a picture to its answer
    evaluations  of notebook 03: scores, errors, and answers beside their labels
"""

from lib.evaluation.figures.canvas import overlay, show, small
from lib.evaluation.figures.datasets import distribution, dropped, labels, seen, sizes
from lib.evaluation.figures.evaluations import answers, charts, comparison, shares, suspects
from lib.evaluation.figures.outputs import batch, steps
from lib.evaluation.figures.training import examples, learning

__all__ = ["answers", "batch", "charts", "comparison", "distribution", "dropped", "examples", "labels", "learning", "overlay",
           "seen", "shares", "show", "sizes", "small", "steps", "suspects"]
