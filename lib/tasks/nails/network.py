"""The nail network: what it measures, what it has learned, and the memory of good nails beside it."""

from lib.tasks.contract import Network

OUTLINE = 13              # numbers of layers.CentreLineFeatures
PATCHES, LOGIT = "patches", "logit"  # layers that `calibrate` reads


class NailsNetwork(Network):
    """With head "outline" it measures the nail's outline and remembers good nails; "original" is four convolutions."""

    @property
    def backbone(self):
        return super().backbone if self.task.measures else ""

    def head(self, features):
        return original(features[0])

    def build_outputs(self, pixels, features):
        return judge(pixels, features, self.task.params.nails) if self.task.measures else self.head(features)

    def calibrate(self, network, prepared):
        """Remember the good nails of training, and calibrate the probability on validation."""
        if self.task.measures:
            from lib.tasks.nails.network_calibration import settle

            settle(network, prepared.stored["network"], prepared.rows, self.task.params.training.seed,
                   frozen=not self.task.params.model.trainable)


def judge(pixels, features, settings):
    """Probabilities and the anomaly map: the outline's measures and the features, weighed; and the memory of good ones.

    Patches are the backbone's features at strides 8 and 16, smoothed (PatchCore, arXiv 2106.08265).
    """
    from keras import layers as each

    from lib.tasks.nails import layers

    outline = layers.CentreLineFeatures(name="measured")(pixels) if settings.crop == "upright" else None
    logit = weigh(each.GlobalAveragePooling2D(name="pooled")(features[-1]), outline)
    at8, at16 = (min(features, key=lambda each, stride=stride: abs(each.shape[2] * stride - pixels.shape[2]))
                 for stride in (8, 16))  # a network of keras.applications also has padded maps in between
    fine = each.AveragePooling2D(3, 2, "same", name="fine_patches")(at8)
    coarse = each.AveragePooling2D(3, 1, "same", name="coarse_patches")(at16)
    patches = each.Concatenate(name=PATCHES)([fine, coarse])
    return {"label": layers.Platt(name="label")(logit),
            "anomaly": layers.MemoryBank(settings.memory, name="anomaly")(patches)}


def weigh(pooled, outline):
    """The logit of bad, (n, 1): pooled features (n, d) and an outline's measures (n, OUTLINE), each weighed; or one."""
    import keras
    from keras import layers as each

    weighed = []
    if pooled is not None:
        weighed.append(each.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-2), name="seen")(
            each.Dropout(0.3)(pooled)))
    if outline is not None:
        weighed.append(each.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-3), name="straight")(
            each.BatchNormalization(momentum=0.9, name="measured_norm")(outline)))
    return each.Add(name=LOGIT)(weighed) if len(weighed) > 1 else each.Identity(name=LOGIT)(weighed[0])


def original(x):
    """The network this task began with: four convolutions with instance norm and max pooling, two dense of 512.

    Instance norm is a group norm of one channel a group (arXiv 1607.08022).
    """
    from keras import layers as each

    for at, (filters, kernel) in enumerate(((16, 5), (16, 5), (32, 5), (64, 3))):
        x = each.Conv2D(filters, kernel, padding="same", activation="relu", name=f"conv{at}")(x)
        x = each.GroupNormalization(groups=-1, name=f"norm{at}")(x)
        x = each.MaxPooling2D(name=f"pool{at}")(x)
    x = each.Flatten()(x)
    for at in range(2):
        x = each.Dropout(0.5)(each.Dense(512, activation="relu", name=f"dense{at}")(x))
    return each.Dense(2, activation="softmax", name="network")(x)
