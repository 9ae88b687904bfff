"""The counting network: peaks where items are, whose item each cell is, and the count."""


SURE, HIGH = 20.0, 0.35   # how fast a peak becomes an item with its height at first, and the height at which it is even odds
STEEP = 4.0    # of the score of the ordinal head at first, an item


def head(features, grid, classes, settings):
    """A map of peaks where items are, whose item each cell is, and the count from the highest peaks and the features."""
    import keras

    from lib.models.blocks import conv_norm_relu, feature_pyramid
    from lib.tasks.bins.layers import TopKPeaks

    maps = [each for each in features if each.shape[1] <= grid[0]] or features[-1:]
    x = conv_norm_relu(feature_pyramid(maps, 64) if len(maps) > 1 else maps[0], 64, name="read")
    if tuple(x.shape[1:3]) != grid:
        x = keras.layers.Resizing(*grid)(x)
    places = keras.layers.Conv2D(1, 1, activation="sigmoid", name="places",
                                 bias_initializer=keras.initializers.Constant(-2.2))(x)
    parts = keras.layers.Conv2D(3, 1, name="parts")(x)
    peaks = TopKPeaks(len(classes) + 2, name="peaks")(places)
    whole = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(each) for each in (maps[-1], x)])
    return {"count": _count(peaks, whole, classes, settings), "places": places, "parts": parts}


def _count(peaks, whole, classes, settings):
    """The output `count`, from the heights of the highest peaks (n, k) and what the features hold in all (n, d)."""
    import keras

    from lib.tasks.bins.layers import CoralRanks

    start = {"kernel_initializer": keras.initializers.Constant(SURE), "bias_initializer": keras.initializers.Constant(-SURE * HIGH)}
    there = keras.layers.Conv1D(1, 1, activation="sigmoid", name="there", **start)(keras.layers.Reshape((-1, 1))(peaks))
    number = keras.layers.GlobalAveragePooling1D(name="share_there")(there)
    number = keras.layers.Rescaling(float(peaks.shape[1]), name="number")(number)
    whole = keras.layers.Dense(16, activation="relu", name="whole")(keras.layers.Dropout(0.5, name="left_out")(whole))
    rest = keras.layers.Concatenate()([keras.layers.Flatten()(there), whole])
    if settings.head == "ordinal":
        known = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(STEEP), name="score_of_number")
        score = [known(number), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="score_of_rest")(rest)]
        return CoralRanks(len(classes) - 1, STEEP, settings.least + 0.5, name="count")(
            keras.layers.Add(name="score")(score))
    counted = keras.layers.Concatenate()([number, rest])
    return keras.layers.Dense(len(classes), activation="softmax", name="count")(counted)
