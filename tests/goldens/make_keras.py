"""Writes tests/goldens/keras: small models saved by real Keras, and what each of their layers gives for three images.

Run it once with Keras 3 and once with Keras 2, each in an environment of its own, from the root of the repository:

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 && python tests/goldens/make_keras.py
    pip install tensorflow-cpu==2.15.1 && python tests/goldens/make_keras.py

The tests read what it wrote and need no Keras.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

keras: Any = import_module("keras")  # "import keras" would be, to a type checker, the folder beside this file
FOLDER = Path(__file__).parent / "keras"
KERAS = keras.__version__.split(".")[0]
SLOPE = "negative_slope" if KERAS == "3" else "alpha"
NAMES = ["linear", "relu", "leaky_relu", "relu6", "softmax", "log_softmax", "sigmoid", "hard_sigmoid", "tanh", "elu"]
NAMES += ["selu", "gelu", "swish", "mish", "softplus", "softsign", "exponential"]
NAMES += ["silu", "hard_silu", "hard_swish"] if KERAS == "3" else []

layers = keras.layers


def chapter():
    """The chapter's network, with fewer of everything."""
    return [
        keras.Input((8, 8, 1)),
        layers.Conv2D(3, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, (3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(5, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(3, activation="softmax"),
    ]


def convolutions():
    """Every option of the convolutions, names that are not Keras's own, and padding."""
    return [
        keras.Input((11, 9, 4)),
        layers.ZeroPadding2D(((0, 2), (3, 1)), name="uneven"),
        layers.Conv2D(6, (3, 2), strides=2, padding="same", groups=2, name="zebra"),
        layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.2),
        layers.Conv2D(4, 2, dilation_rate=(2, 1), use_bias=False, activation=layers.LeakyReLU(**{SLOPE: 0.15})),
        layers.DepthwiseConv2D((2, 3), depth_multiplier=2, padding="same", activation="tanh", name="each"),
        layers.ZeroPadding2D(1),
        layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        layers.Activation("relu", name="apple"),
        layers.Conv2D(3, (1, 1), strides=(1, 2), activation="elu"),
        layers.GlobalAveragePooling2D(),
    ]


def pooling():
    """Every option of pooling and normalization; a softmax of its own at the end."""
    return [
        keras.Input((9, 7, 3)),
        layers.BatchNormalization(),
        layers.AveragePooling2D((3, 2), strides=(2, 1), padding="same"),
        layers.BatchNormalization(scale=False, epsilon=0.1),
        layers.MaxPooling2D((2, 3), strides=(1, 2), padding="same"),
        layers.BatchNormalization(center=False, momentum=0.9),
        layers.AveragePooling2D(2, strides=1),
        layers.BatchNormalization(center=False, scale=False),
        layers.MaxPooling2D((2, 1)),
        layers.LeakyReLU(),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Flatten(),
        layers.Dense(4, use_bias=False),
        layers.BatchNormalization(name="of_vectors"),
        layers.Dense(3),
        layers.Softmax(),
    ]


def activations():
    """Every activation by its name, each after a normalization that spreads its inputs again."""
    spread = {"center": False, "scale": False}
    pairs = [(layers.BatchNormalization(**spread), layers.Activation(name, name=f"a_{name}")) for name in NAMES]
    return [keras.Input((3, 3, 2)), *(layer for pair in pairs for layer in pair), layers.Softmax(axis=1)]


def flat():
    """A model that flattens gray images which have no axis for the channel."""
    return [keras.Input((5, 4)), layers.Flatten(), layers.Dense(4, activation="sigmoid"), layers.Dense(2)]


def chained(parts):
    """The same layers as a Functional model."""
    tensor = parts[0]
    for layer in parts[1:]:
        tensor = layer(tensor)
    return keras.Model(parts[0], tensor)


def sequential(parts):
    return keras.Sequential([layers.InputLayer(parts[0].shape[1:]), *parts[1:]])


def randomize(model, draw):
    """Weights as those of a trained model: biases that are not zero, variances that are not one."""
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            low, high = (0.3, 1.5) if "variance" in weight.name else (-0.7, 0.7)
            values.append(draw.uniform(low, high, weight.shape).astype(np.float32))
        layer.set_weights(values)


def save(name, model, endings):
    draw = np.random.default_rng(7)
    randomize(model, draw)
    images = draw.normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    kept = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    outputs = keras.Model(model.inputs, [layer.output for layer in kept])(images, training=False)
    named = {layer.name: np.asarray(output) for layer, output in zip(kept, outputs, strict=True)}
    path = FOLDER / f"keras{KERAS}_{name}"
    for ending in endings:
        model.save(f"{path}{ending}")
    arrays: dict[str, Any] = {"images": images, "names": list(named), **named}
    np.savez_compressed(f"{path}.npz", **arrays)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for architecture in (chapter, convolutions, pooling, activations, flat):
        keras.backend.clear_session()
        endings = [".h5"] if architecture is activations else [".h5", ".keras"]  # it has the largest files
        save(architecture.__name__, sequential(architecture()), endings)
    keras.backend.clear_session()
    save("functional", chained(chapter()), [".h5", ".keras"])
