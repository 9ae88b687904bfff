"""Learning rates by the step of training."""

import keras
from keras import ops

from lib.models.layers import register


@register
class Cyclic(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls from `rate` to `rate * least` and rises again in every `period` steps.

    Triangular, arXiv 1506.01186.
    """

    def __init__(self, rate, period, least=0.1):
        self.rate, self.period, self.least = rate, period, least

    def __call__(self, step):
        turn = ops.cast(step, "float32") / self.period
        return self.rate * (self.least + (1 - self.least) * ops.abs(1 - 2 * (turn - ops.floor(turn))))

    def get_config(self):
        return {"rate": self.rate, "period": self.period, "least": self.least}
