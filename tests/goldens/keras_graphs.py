"""Architectures for make_keras.py beyond chains: branches, models as layers, shared layers, several inputs and outputs.

Each function takes Keras and its layers and gives a model.
"""

import numpy as np


def branches(keras, layers):
    """Every merging layer, a residual sum and a squeeze-and-excitation gate."""
    x = keras.Input((8, 6, 4), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
    b = layers.Conv2D(4, 1, name="right")(x)
    summed = layers.Add(name="sum")([a, b, x])
    apart = layers.Subtract(name="difference")([a, b])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(summed)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)
    gated = layers.Multiply(name="gated")([summed, gate])
    most = layers.Maximum(name="most")([gated, apart])
    least = layers.Minimum(name="least")([gated, apart])
    mean = layers.Average(name="mean")([most, least, x])
    joined = layers.Concatenate(name="joined")([mean, most])
    stacked = layers.Concatenate(axis=1, name="stacked")([joined, joined])
    vector = layers.GlobalMaxPooling2D(name="peak")(stacked)
    broad = layers.Add(name="broad")([stacked, vector])
    flat = layers.Flatten()(broad)
    one, two = layers.Dense(3, name="one")(flat), layers.Dense(3, name="two")(flat)
    cosine = layers.Dot(axes=1, normalize=True, name="cosine")([one, two])
    table = layers.Reshape((3, 1), name="column")(one)
    product = layers.Dot(axes=(2, 2), name="product")([table, layers.Reshape((3, 1), name="other")(two)])
    flats = [cosine, layers.Flatten(name="flat")(product)]
    return keras.Model(x, layers.Dense(3, activation="softmax", name="end")(layers.Concatenate(name="all")(flats)))


def nested(keras, layers):
    """Models as layers, one of them called twice, with BatchNorm in it and a frozen part; Rescaling first."""
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)], name="augment")
    inner = keras.Input((8, 8, 3))
    y = layers.Conv2D(3, 3, padding="same", name="conv")(inner)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.Add(name="residual")([y, inner])
    block = keras.Model(inner, layers.ReLU(name="relu")(y), name="block")
    head = keras.Sequential(
        [layers.Conv2D(4, 2, strides=2, name="conv"), layers.BatchNormalization(name="norm"), layers.Flatten()],
        name="head",
    )
    image = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(augment(image))
    x = head(block(block(x)))
    block.get_layer("conv").trainable = False
    return keras.Model(image, layers.Dense(1, activation="sigmoid", name="end")(x))


def several(keras, layers):
    """Two inputs, one layer called on both, and two outputs."""
    left, right = keras.Input((6, 6, 2), name="left"), keras.Input((6, 6, 2), name="right")
    shared = layers.Conv2D(3, 3, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    joined = layers.Concatenate(name="joined")([a, b])
    pooled = layers.GlobalAveragePooling2D(name="pooled")(joined)
    kind = layers.Dense(3, activation="softmax", name="kind")(pooled)
    apart = layers.Subtract(name="apart")([layers.Flatten(name="flat")(a), layers.Flatten()(b)])
    size = layers.Dense(1, name="size")(apart)
    return keras.Model([left, right], [kind, size])


def reshaping(keras, layers):
    """Layers that pad, cut, permute, repeat, resize and transpose a convolution."""
    return keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Cropping2D(((1, 0), (0, 1)), name="cut"),
            layers.UpSampling2D((2, 3), name="nearest"),
            layers.AveragePooling2D(2, name="smaller"),
            layers.UpSampling2D(2, interpolation="bilinear", name="bilinear"),
            layers.SeparableConv2D(4, 3, strides=2, depth_multiplier=2, activation="relu", name="separable"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="up_same"),
            layers.Conv2DTranspose(3, (2, 4), strides=(3, 2), name="up_valid"),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1, use_bias=False, name="up_more"),
            layers.MaxPooling2D(4, name="pool"),
            layers.Permute((3, 1, 2), name="permute"),
            layers.Reshape((-1, 6), name="reshape"),
            layers.GlobalMaxPooling1D(name="peak"),
            layers.RepeatVector(3, name="repeat"),
            layers.Dense(2, name="per_place"),
            layers.Flatten(name="flat"),
        ]
    )


def normalizing(keras, layers):
    """Layers that normalize, and activations with parameters."""
    extra = [layers.RMSNormalization(name="rms")] if hasattr(layers, "RMSNormalization") else []
    return keras.Sequential(
        [
            keras.Input((5, 4, 6)),
            layers.Normalization(name="by_data"),
            layers.Normalization(mean=[0.1] * 6, variance=[0.5] * 6, name="by_numbers"),
            layers.LayerNormalization(name="layer"),
            layers.LayerNormalization(axis=[1, 2], scale=False, epsilon=0.1, name="places"),
            layers.GroupNormalization(3, name="groups"),
            layers.GroupNormalization(-1, center=False, name="instances"),
            layers.PReLU(name="p_relu"),
            layers.PReLU(shared_axes=[1, 2], name="shared"),
            layers.ELU(alpha=0.7, name="elu"),
            layers.BatchNormalization(axis=1, name="rows"),
            layers.UnitNormalization(name="unit"),
            layers.UnitNormalization(axis=[1, 2], name="unit_places"),
            *extra,
            layers.GaussianNoise(0.1, name="noise"),
            layers.GaussianDropout(0.1, name="dropped"),
            layers.AlphaDropout(0.1, name="alpha"),
            layers.SpatialDropout2D(0.1, name="channels"),
            layers.ActivityRegularization(0.1, name="regular"),
            layers.RandomZoom(0.1, name="zoom"),
            layers.RandomContrast(0.1, name="contrast"),
            layers.GlobalMaxPooling2D(keepdims=True, name="peak"),
            layers.Flatten(name="flat"),
            layers.Dense(3, activation="sigmoid", name="end"),
        ]
    )


def signal(keras, layers):
    """Layers of one axis."""
    return keras.Sequential(
        [
            keras.Input((20, 3)),
            layers.ZeroPadding1D((1, 2), name="padded"),
            layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu", name="causal"),
            layers.MaxPooling1D(2, padding="same", name="most"),
            layers.SeparableConv1D(5, 3, padding="same", name="separable"),
            layers.DepthwiseConv1D(3, depth_multiplier=2, name="each"),
            layers.AveragePooling1D(3, strides=2, name="mean"),
            layers.UpSampling1D(3, name="longer"),
            layers.Cropping1D((2, 1), name="cut"),
            layers.Conv1DTranspose(3, 4, strides=2, name="up"),
            layers.SpatialDropout1D(0.2, name="dropped"),
            layers.GlobalAveragePooling1D(name="pooled"),
            layers.Dense(2, name="end"),
        ]
    )


def volume(keras, layers):
    """Layers of three axes."""
    return keras.Sequential(
        [
            keras.Input((6, 5, 7, 2)),
            layers.ZeroPadding3D((1, 0, 2), name="padded"),
            layers.Conv3D(3, (2, 3, 2), strides=(1, 1, 2), activation="relu", name="conv"),
            layers.MaxPooling3D((2, 1, 2), name="most"),
            layers.Conv3DTranspose(2, 2, strides=(1, 2, 2), padding="same", name="up"),
            layers.AveragePooling3D(2, strides=1, padding="same", name="mean"),
            layers.UpSampling3D((1, 2, 1), name="larger"),
            layers.Cropping3D(((0, 1), (1, 1), (0, 0)), name="cut"),
            layers.GlobalMaxPooling3D(name="peak"),
            layers.Dense(2, name="end"),
        ]
    )


def first(keras, layers):
    """A model of images whose channels come first."""
    form = {"data_format": "channels_first"}
    x = keras.Input((3, 8, 6), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv", **form)(x)
    a = layers.BatchNormalization(axis=1, name="batch")(a)
    b = layers.SeparableConv2D(4, 3, padding="same", name="separable", **form)(x)
    y = layers.Concatenate(axis=1, name="joined")([a, b])
    y = layers.MaxPooling2D(2, name="pool", **form)(y)
    y = layers.LayerNormalization(axis=[1, 3], name="layer")(y)
    y = layers.GroupNormalization(2, axis=1, name="groups")(y)
    y = layers.PReLU(shared_axes=[3], name="p_relu")(y)
    y = layers.ZeroPadding2D(((1, 0), (0, 2)), name="padded", **form)(y)
    y = layers.Cropping2D(((0, 0), (1, 0)), name="cut", **form)(y)
    y = layers.Conv2DTranspose(3, 3, strides=2, name="up", **form)(y)
    y = layers.UpSampling2D(2, name="larger", **form)(y)
    y = layers.AveragePooling2D(3, name="mean", **form)(y)
    y = layers.Dense(5, name="along_width")(y)
    y = layers.Softmax(axis=1, name="softmax")(y)
    permuted = layers.Permute((2, 1, 3), name="permute")(y)
    ends = [
        layers.GlobalMaxPooling2D(name="peak", **form)(y),
        layers.Flatten(name="moved", **form)(y),
        layers.Flatten(name="as_it_lies", data_format="channels_last")(permuted),
        layers.Flatten(name="row")(layers.Reshape((5, -1), name="table")(y)),
    ]
    return keras.Model(x, layers.Concatenate(name="all")(ends))


def along(keras, layers):
    """Activations along an axis in a model whose channels come first."""
    form = {"data_format": "channels_first"}
    x = keras.Input((4, 5, 3))
    found = [layers.Activation(name, name=f"a_{name}")(x * 2) for name in ("softmax", "log_softmax", "sparsemax")]
    by_channel = layers.Conv2D(4, 1, activation=layers.Softmax(axis=1), name="by_channel", **form)(x)
    found += [by_channel, layers.Conv2D(4, 1, activation="softmax", name="by_column", **form)(x)]
    joined = layers.Concatenate(axis=1, name="joined")(found)
    return keras.Model(
        x, layers.Dense(2, activation="softmax", name="end")(layers.Flatten(name="flat", **form)(joined))
    )


def functions(keras, layers):
    """Activations that only Keras 3 has, in a branch each."""
    x = keras.Input((3, 3, 4))
    names = ["celu", "log_sigmoid", "sparse_sigmoid", "hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink"]
    names += ["squareplus", "sparse_plus", "sparsemax", "glu"]
    branches = [layers.Activation(name, name=f"a_{name}")(x * 3 - 1) for name in names]
    return keras.Model(x, layers.Concatenate(name="all")(branches))


def called(keras, layers):
    """Operations of Keras 3 that are called as functions, some of them by a layer's name; a norm of its own."""
    ops, x = keras.ops, keras.Input((3, 4, 2))
    y = layers.LayerNormalization(rms_scaling=True, name="by_deviation")(layers.Conv2D(2, 2, name="conv")(x))
    values = [ops.relu(y), ops.gelu(y), ops.leaky_relu(y, 0.3), ops.elu(y, 0.5), ops.exp(y), ops.sigmoid(y)]
    joined = ops.concatenate([ops.softmax(y, axis=1), *values, y * ops.silu(y)], axis=2)
    return keras.Model(x, layers.Dense(2, name="end")(layers.Flatten(name="flat")(joined)))


def computed(keras, layers, **form):
    """Operations of Keras 3 on an image's values and axes, and with an array that all images share."""
    ops, x = keras.ops, keras.Input((3, 4, 2))
    y = ops.clip(ops.power(ops.absolute(-(x - np.array([[0.5, 0.2]] * 4)) / 2), 1.5), 0.1, 3.0)
    z = ops.max(ops.transpose(ops.sqrt(ops.square(y) + 1), (0, 2, 3, 1)), axis=-1, keepdims=True)
    around = ops.expand_dims(ops.pad(ops.squeeze(z, -1), ((0, 0), (1, 0), (0, 2))), 2)
    ends = [ops.mean(y, axis=(1, 2)), ops.var(y, axis=[2, 3]), ops.min(ops.std(y, axis=-1), axis=1)]
    ends += [ops.reshape(ops.log(ops.sum(around, axis=1)), (-1, 4)), layers.Flatten(name="flat", **form)(around)]
    return keras.Model(x, layers.Dense(2, name="end")(layers.Concatenate(name="all")(ends)))


def computed_first(keras, layers):
    """The same in a model whose channels come first."""
    return computed(keras, layers, data_format="channels_first")


def operations(keras, layers):
    """Arithmetic written with operators, with numbers on either side."""
    x = keras.Input((3, 3, 2))
    y = layers.Conv2D(2, 2, name="conv")(x / 127.5 - 1.0)
    z = layers.ReLU(6.0, name="relu")(y + 3.0) * (1.0 / 6.0)
    return keras.Model(x, layers.Flatten(name="flat")(1.0 - (y * z + 2 * (z - y)) / (z + 1.0)))


def shared(keras, layers):
    """Models that are layers of another model and of the model around that one, called twice each."""
    image = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, padding="same", name="conv")(image))
    encoder = keras.Model(image, layers.GlobalMaxPooling2D(name="peak")(layers.ReLU(name="relu")(x)), name="encoder")
    vector = keras.Input((4,))
    head = keras.Model(
        vector, layers.LayerNormalization(name="norm")(layers.Dense(5, name="dense")(vector)), name="head"
    )
    image = keras.Input((8, 8, 3))
    tower = keras.Model(image, head(encoder(image)), name="tower")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    apart = layers.Subtract(name="apart")([tower(left), tower(right)])
    alike = layers.Dot(axes=1, name="alike")([tower(left), head(encoder(right))])
    return keras.Model([left, right], layers.Dense(1, name="same")(layers.Concatenate(name="all")([apart, alike])))


def preprocessing(keras, layers):
    """Layers before a network that tutorials have, in a graph, where Keras 3 notes `training=True` for some."""
    image = x = keras.Input((9, 8, 3))
    for layer in (layers.RandomFlip(name="flip"), layers.RandomRotation(0.1, name="turn")):
        x = layer(x)
    x = layers.Resizing(12, 7, name="bilinear")(x)
    x = layers.Resizing(8, 11, interpolation="nearest", name="nearest")(x)
    x = layers.CenterCrop(7, 6, name="middle")(x)
    x = layers.Rescaling(1 / 255, name="rescaling")(x)
    x = layers.Dropout(0.5, name="dropout")(layers.Conv2D(2, 3, name="conv")(x), training=keras.__version__ > "3")
    return keras.Model(image, layers.Dense(2, name="end")(layers.Flatten(name="flat")(x)))
