"""Writes tests/goldens/keras: small models saved by real Keras, and what each of their layers gives for three images.

Run it once with Keras 3 and once with Keras 2, each in an environment of its own, from the root of the repository:

    pip install keras==3.15.1 jax && KERAS_BACKEND=jax python tests/goldens/make_keras.py
    pip install tensorflow-cpu==2.15.1 && python tests/goldens/make_keras.py

Names of architectures as arguments write only those. TensorFlow cannot run `first` on a CPU. The tests read what it
wrote and need no Keras.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras_graphs
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
        for weight, value in zip(layer.weights, layer.get_weights(), strict=True):
            low, high = (0.3, 1.5) if "variance" in weight.name else (-0.7, 0.7)
            drawn = draw.uniform(low, high, weight.shape).astype(np.float32)
            values.append(drawn if value.dtype.kind == "f" else value)
        layer.set_weights(values)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def nodes_of(model):
    """The model's calls of layers, those of one in order: the layer, what it is called on, and what it gives."""
    model = getattr(model, "_functional", None) or model
    layer_of = lambda node: node.operation if KERAS == "3" else node.layer
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    for node in sorted(nodes, key=lambda node: layer_of(node)._inbound_nodes.index(node)):
        layer = layer_of(node)
        if type(layer).__name__ != "InputLayer":
            yield layer, listed(node.input_tensors), listed(node.output_tensors if KERAS == "3" else node.outputs)


def listed(tensors):
    """The tensors in a list, without numbers."""
    tensors = tensors if isinstance(tensors, list | tuple) else [tensors]
    return [tensor for tensor in tensors if hasattr(tensor, "_keras_history")]


def values_of(model, inputs, prefix=""):
    """What each call of each layer gives, in the order of the calls, by the layer's name; also within models."""
    places = {layer.name: i for i, layer in enumerate(model.layers)}  # which lack the operations
    nodes = sorted(nodes_of(model), key=lambda node: places.get(node[0].name, len(places)))
    tensors = [tensor for _, given, results in nodes for tensor in (*given, *results)]
    values = iter(keras.Model(model.inputs, tensors)(inputs, training=False))
    found = {}
    for layer, given, results in nodes:
        arguments, arrays = [next(values) for _ in given], [next(values) for _ in results]
        if len(arrays) == 1:
            found.setdefault(prefix + layer.name, []).append(np.asarray(arrays[0]))
        if hasattr(layer, "layers"):
            inner = values_of(layer, arguments if len(arguments) > 1 else arguments[0], f"{prefix}{layer.name}/")
            for name, calls in inner.items():
                found.setdefault(name, []).extend(calls)
    return found


def save(name, model, endings):
    draw = np.random.default_rng(7)
    randomize(model, draw)
    shapes = {given.name.split(":")[0]: given.shape[1:] for given in model.inputs}
    images = {given: draw.normal(size=(3, *shape)).astype(np.float32) for given, shape in shapes.items()}
    images = next(iter(images.values())) if len(images) == 1 else images
    calls = values_of(model, list(images.values()) if isinstance(images, dict) else images)
    named = {f"{key}@{i}" if len(of) > 1 else key: value for key, of in calls.items() for i, value in enumerate(of)}
    path = FOLDER / f"keras{KERAS}_{name}"
    for ending in endings:
        model.save(f"{path}{ending}")
    inputs = (
        {f"images/{key}": value for key, value in images.items()} if isinstance(images, dict) else {"images": images}
    )
    arrays: dict[str, Any] = {**inputs, "names": list(named), **named}
    np.savez_compressed(f"{path}.npz", **arrays)


CHAINS = (chapter, convolutions, pooling, activations, flat)
KERAS_3 = (keras_graphs.first, keras_graphs.along, keras_graphs.functions, keras_graphs.called)
KERAS_3 += (keras_graphs.computed, keras_graphs.computed_first)
GRAPHS = {
    keras_graphs.branches: [".h5", ".keras"],
    keras_graphs.nested: [".h5", ".keras"],
    keras_graphs.several: [".keras"],
    keras_graphs.reshaping: [".keras"],
    keras_graphs.normalizing: [".h5", ".keras"],
    keras_graphs.signal: [".keras"],
    keras_graphs.volume: [".h5"],
    keras_graphs.first: [".keras"],
    keras_graphs.along: [".keras"],
    keras_graphs.functions: [".keras"],
    keras_graphs.called: [".h5", ".keras"],
    keras_graphs.computed: [".h5", ".keras"],
    keras_graphs.computed_first: [".keras"],
    keras_graphs.operations: [".h5", ".keras"],
    keras_graphs.shared: [".keras"],
    keras_graphs.preprocessing: [".keras"],
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:]
    for architecture in CHAINS:
        if not wanted or architecture.__name__ in wanted:
            keras.backend.clear_session()
            endings = [".h5"] if architecture is activations else [".h5", ".keras"]  # it has the largest files
            save(architecture.__name__, sequential(architecture()), endings)
    if not wanted or "functional" in wanted:
        keras.backend.clear_session()
        save("functional", chained(chapter()), [".h5", ".keras"])
    for architecture, endings in GRAPHS.items():
        if (not wanted or architecture.__name__ in wanted) and not (KERAS == "2" and architecture in KERAS_3):
            keras.backend.clear_session()
            save(architecture.__name__, architecture(keras, layers), endings)
