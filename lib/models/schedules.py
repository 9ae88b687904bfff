"""Learning rates by the step of training."""

import keras
from keras import ops

from lib.models.layers import saved_as


@saved_as("Cyclic")
class CyclicLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Triangular cyclic learning rate (arXiv 1506.01186): from `rate` down to `rate * least` and back in `period` steps.
    """

    def __init__(self, rate, period, least=0.1):
        self.rate, self.period, self.least = rate, period, least

    def __call__(self, step):
        turn = ops.cast(step, "float32") / self.period
        return self.rate * (self.least + (1 - self.least) * ops.abs(1 - 2 * (turn - ops.floor(turn))))

    def get_config(self):
        return {"rate": self.rate, "period": self.period, "least": self.least}
