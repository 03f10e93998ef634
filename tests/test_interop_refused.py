"""What is not imported, and what the user is told: one line that names the file, the layer or path, and what is due."""

import contextlib
import json
import os
import re
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.errors import InputError
from cnnviz.interop import load_keras
from cnnviz.interop.keras.fields import Described
from cnnviz.interop.keras.layers import layer_of
from cnnviz.interop.linen.activations import ACTIVATIONS

GOLDENS = Path(__file__).parent / "goldens" / "keras"
KERNEL, BIAS = "conv2d/conv2d/kernel:0", "conv2d/conv2d/bias:0"


@pytest.fixture
def h5(tmp_path):
    return Path(shutil.copy(GOLDENS / "keras2_chapter.h5", tmp_path / "model.h5"))


@pytest.fixture
def keras3(tmp_path):
    return Path(shutil.copy(GOLDENS / "keras3_chapter.keras", tmp_path / "model.keras"))


def refused(path, sentence):
    """Loading says exactly this, on one line after the file's name."""
    with pytest.raises(
        InputError, match=re.escape(f"{path} cannot be read as a Keras model: {sentence}") + "$"
    ) as raised:
        load_keras(path)
    assert "\n" not in str(raised.value)


def edit(path, change):
    """Has `change` edit the description of an `.h5`, or of a `.keras` file."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(changed(json.loads(file.attrs["model_config"]), change))
    else:
        rewrite(path, {"config.json": lambda text: json.dumps(changed(json.loads(text), change))})


def changed(config, change):
    change(config)
    return config


def rewrite(path, members, compression=zipfile.ZIP_STORED):
    """The archive with some members replaced by a function of what they were; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            new = members.get(name, lambda same: same)(content)
            if new is not None:
                archive.writestr(name, new)


def layer(config, name):
    return next(entry for entry in config["config"]["layers"] if entry["config"]["name"] == name)


def replace_weight(path, name, make):
    """Has `make(group, name)` put something else where the weight was."""
    with h5py.File(path, "r+") as file:
        weights = file["model_weights"]
        del weights[name]
        make(weights, name)


# files that are no models


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.h5"):
        load_keras(tmp_path / "absent.h5")


def test_a_folder(tmp_path):
    refused(tmp_path, "it is a folder; a model is saved to one file with model.save('model.keras').")


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "model.h5"
    os.mkfifo(path)
    refused(path, "it is a device or a pipe; a model is saved to one file with model.save('model.keras').")


def test_neither_hdf5_nor_zip(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x80\x04pickled")
    refused(path, r"it is neither HDF5 (.h5) nor a zip archive (.keras); it starts with b'\x80\x04pickle'.")
    path.write_bytes(b"")
    refused(path, "it is neither HDF5 (.h5) nor a zip archive (.keras); it starts with b''.")


def test_hdf5_of_something_else(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    refused(path, "it is an HDF5 file with no attribute model_config, so not a model that Keras saved.")


@pytest.mark.parametrize("version", ["2", "3"])
def test_weights_alone(tmp_path, version):
    path = tmp_path / "model.h5"
    if version == "2":
        with h5py.File(GOLDENS / "keras2_chapter.h5") as whole, h5py.File(path, "w") as file:
            file.attrs["layer_names"] = whole["model_weights"].attrs["layer_names"]
    else:
        with zipfile.ZipFile(GOLDENS / "keras3_chapter.keras") as archive:
            path.write_bytes(archive.read("model.weights.h5"))
    said = "it has weights and no description of the model, as model.save_weights writes; save it with model.save."
    refused(path, said)


def test_a_description_without_weights(h5):
    with h5py.File(h5, "r+") as file:
        del file["model_weights"]
    refused(h5, "it has a model's description and no group model_weights; a whole model has both.")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_a_file_that_is_cut_off(h5, keras3, share):
    for path in (h5, keras3):
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(InputError, match=r"model\.(h5|keras) cannot be read .* damaged or cut off \(.*\)\.$"):
            load_keras(path)


@pytest.mark.slow
def test_no_byte_of_the_description_or_of_the_structure_can_bring_it_down(h5):
    """A flipped byte gives a model or an InputError; a weight's own value may be anything."""
    original = bytearray(h5.read_bytes())
    for place in range(0, len(original), len(original) // 60):
        damaged = bytearray(original)
        damaged[place] ^= 0xFF
        h5.write_bytes(damaged)
        with contextlib.suppress(InputError):
            load_keras(h5)


def test_an_archive_with_a_flipped_byte(keras3):
    content = bytearray(keras3.read_bytes())
    content[len(content) // 2] ^= 0xFF
    keras3.write_bytes(content)
    refused(keras3, "the zip archive is damaged or cut off (Bad CRC-32 for file 'model.weights.h5').")


def test_an_archive_that_lacks_a_part(keras3):
    rewrite(keras3, {"model.weights.h5": lambda _: None})
    said = "there is no model.weights.h5 in it; a .keras file has config.json, metadata.json, model.weights.h5."
    refused(keras3, said)


def test_a_zip_bomb(keras3):
    rewrite(keras3, {"config.json": lambda _: b" " * 2**21}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"config.json claims 2097152 bytes out of \d{4}; too many for a model.$"):
        load_keras(keras3)


def test_a_zip_bomb_that_claims_to_be_small(keras3):
    """Nothing is unpacked beyond what it claims."""
    size = 64 * 2**20
    rewrite(keras3, {"config.json": lambda _: bytes(size)}, zipfile.ZIP_DEFLATED)
    keras3.write_bytes(keras3.read_bytes().replace(size.to_bytes(4, "little"), (10_000).to_bytes(4, "little")))
    tracemalloc.start()
    refused(keras3, "the zip archive is damaged or cut off (Bad CRC-32 for file 'config.json').")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_an_encrypted_archive(keras3, name):
    content = bytearray(keras3.read_bytes())
    for start, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = content.index(start, content.rindex(name.encode()) - 46 if start == b"PK\1\2" else 0)
        content[place + flags] |= 1
    keras3.write_bytes(content)
    refused(keras3, f"{name} is encrypted; the files of a model that Keras saved are not.")


@pytest.mark.parametrize("where", ["before the file", "near its end"])
def test_a_member_outside_of_the_archive(keras3, where):
    content = bytearray(keras3.read_bytes())
    if where == "before the file":  # members count from where the directory is said to begin
        places, value = [content.rindex(b"PK\5\6") + 16], len(content) + 10**6
    else:
        places, value = [found.start() + 42 for found in re.finditer(b"PK\1\2", content)], len(content) - 20
    for place in places:
        content[place : place + 4] = value.to_bytes(4, "little")
    keras3.write_bytes(content)
    refused(keras3, "config.json is said to lie outside the file; it is damaged or cut off.")


def test_an_archive_of_another_compression(keras3):
    rewrite(keras3, {}, zipfile.ZIP_LZMA)
    refused(keras3, "config.json is compressed by a method that Keras does not use; it must be stored or deflated.")


# descriptions


def test_a_description_that_is_not_json(h5, keras3):
    with h5py.File(h5, "r+") as file:
        file.attrs["model_config"] = "{'class_name'"
    said = "the model's description is not the JSON object that Keras writes ({})."
    refused(h5, said.format("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"))
    rewrite(keras3, {"config.json": lambda _: ""})
    refused(keras3, said.format("Expecting value: line 1 column 1 (char 0)"))
    rewrite(keras3, {"config.json": lambda _: "[1]"})
    refused(keras3, "the model's description has [1] where an object is expected.")


def test_a_description_that_is_nested_without_end(keras3):
    rewrite(keras3, {"config.json": lambda _: '{"a":' * 100_000 + "1" + "}" * 100_000})
    with pytest.raises(
        InputError, match="model.keras cannot be read as a Keras model: its description is nested too deep"
    ):
        load_keras(keras3)


def test_a_version_that_is_none(h5):
    with h5py.File(h5, "r+") as file:
        file.attrs["keras_version"] = "two"
    refused(h5, "it says that it was written by Keras two, which is not a version.")
    with h5py.File(h5, "r+") as file:
        file.attrs["keras_version"] = "9" * 5000  # more digits than int() takes
    refused(h5, f"it says that it was written by Keras {'9' * 57}..., which is not a version.")


def test_kernels_of_theano(h5):
    with h5py.File(h5, "r+") as file:
        file.attrs["backend"] = "theano"
    refused(h5, "its kernels are mirrored, as the backend Theano has them; save it with another backend.")


def test_a_model_of_the_authors_own_class(keras3):
    edit(keras3, lambda config: config.update(class_name="MyModel"))
    refused(keras3, "it is a MyModel; a Sequential or a Functional model can be read.")


def test_a_model_with_no_layers(h5):
    edit(h5, lambda config: config["config"].update(layers=[]))
    refused(h5, "the model's description lists no layers.")


BEFORE = (
    "which is not read; save a model that ends before it, keras.Model(model.inputs, layer.output), or one of layers in"
)
SUPPORTED = f"{BEFORE} cnnviz.interop.keras.layers.LAYERS."


@pytest.mark.parametrize("kind", ["ConvLSTM2D", "RandomCrop", "LSTM"])
def test_a_layer_that_is_not_supported_is_named(h5, kind):
    edit(h5, lambda config: layer(config, "dense").update(class_name=kind))
    refused(h5, f"layer 'dense' is a {kind}, {SUPPORTED}")


def test_a_class_that_cannot_be_printed_is_on_one_line(h5):
    edit(h5, lambda config: layer(config, "dense").update(class_name="a\nb\x1b[31m"))
    refused(h5, f"layer 'dense' is an a\\nb\\x1b[31m, {SUPPORTED}")


def test_a_lambda_is_not_run(h5, keras3):
    said = (
        "layer 'dropout' is a Lambda, which holds Python code, and none from a file is run; use a layer of Keras in "
        "its place, such as Rescaling, Activation or Reshape, and save the model again."
    )
    for path in (h5, keras3):
        edit(path, lambda config: layer(config, "dropout").update(class_name="Lambda"))
        refused(path, said)


@pytest.mark.parametrize(
    "fields",
    [
        {"module": "mine", "registered_name": "Mine>Dense"},
        {"module": None, "registered_name": "Mine>Dense"},
        {"module": "builtins", "registered_name": "Mine>Dense"},
    ],
)
def test_a_layer_of_the_authors_own_is_named_even_if_it_is_called_as_keras_does(keras3, fields):
    edit(keras3, lambda config: layer(config, "dense").update(fields))
    said = (
        "layer 'dense' is a Mine>Dense, a class of its author's own, whose code is not in the file; "
        "build the model of Keras's own layers, or write it in Flax for --model net.py:Net."
    )
    refused(keras3, said)


ONE = "a whole number from 1"
PAIR = "a pair of whole numbers from 1"
WRONG = [
    ("conv2d", "filters", -3, ONE),
    ("conv2d", "filters", None, "given"),
    ("conv2d", "filters", 2**31, ONE),
    ("conv2d", "groups", True, ONE),
    ("conv2d", "kernel_size", [3], PAIR),
    ("conv2d", "kernel_size", [3, "3"], PAIR),
    ("conv2d", "strides", [0, 1], PAIR),
    ("conv2d", "padding", "causal", "valid or same"),
    ("conv2d", "data_format", "channels_second", "channels_last or channels_first"),
    ("conv2d", "use_bias", "yes", "true or false"),
    ("max_pooling2d", "pool_size", {"a": 1}, PAIR),
    ("dropout", "rate", 1.0, "from 0 to less than 1"),
    ("dropout", "rate", float("nan"), "a number"),
    ("dense", "units", 2.5, ONE),
]


@pytest.mark.parametrize(("name", "key", "value", "right"), WRONG, ids=lambda value: str(value))
def test_a_field_that_is_not_as_it_should_be_is_named(h5, name, key, value, right):
    edit(h5, lambda config: layer(config, name)["config"].update({key: value}))
    kind = {"conv2d": "Conv2D", "max_pooling2d": "MaxPooling2D", "dropout": "Dropout", "dense": "Dense"}[name]
    shown = value if isinstance(value, str) else json.dumps(value)
    refused(h5, f"layer {name!r} ({kind}) has {key} = {shown}; it must be {right}.")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("my_own", "my_own"),
        (
            {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAA="}},
            '{"class_name": "__lambda__", "config": {"code": "4wEAAAAA...',
        ),
        (
            {"module": "mine", "class_name": "function", "config": "relu"},
            '{"module": "mine", "class_name": "function", "config": "r...',
        ),
        ({"class_name": ["ReLU"], "config": {}}, '{"class_name": ["ReLU"], "config": {}}'),
    ],
)
def test_an_activation_that_is_not_keras_s(h5, value, shown):
    edit(h5, lambda config: layer(config, "dense")["config"].update(activation=value))
    known = ", ".join(ACTIVATIONS)
    refused(h5, f"layer 'dense' (Dense) has activation = {shown}; it must be one of {known}.")


@pytest.mark.parametrize(
    ("kind", "key", "value", "right"),
    [
        ("ZeroPadding2D", "padding", [[1, 2], [3, -4]], "[[top, bottom], [left, right]]"),
        ("ZeroPadding2D", "padding", "same", "[[top, bottom], [left, right]]"),
        ("BatchNormalization", "axis", [1, 2], "one axis"),
        ("BatchNormalization", "mode", 1, "0"),
    ],
)
def test_a_field_of_another_layer(h5, kind, key, value, right):
    edit(h5, lambda config: layer(config, "dropout").update(class_name=kind, config={"name": "new", key: value}))
    shown = value if isinstance(value, str) else json.dumps(value)
    refused(h5, f"layer 'new' ({kind}) has {key} = {shown}; it must be {right}.")


def test_a_normalization_of_an_axis_that_is_not_there(h5):
    new = {"class_name": "BatchNormalization", "config": {"name": "new", "axis": 4}}
    edit(h5, lambda config: layer(config, "max_pooling2d").update(new))
    refused(h5, "layer 'new' (BatchNormalization) cannot take (8, 8, 3): there is no axis 4 among 4.")


def test_an_input_of_unknown_shape(h5):
    first = lambda config: config["config"]["layers"][0]["config"]
    right = (
        "it must be [batch, height, width, channels] with known sizes, as keras.Input((32, 32, 3)) gives: build the "
        "model on one, and save it again."
    )
    for shape in ([None, None, None, 1], [None, 784], [None], [None, 2, 2, 2, 2, 2]):
        edit(h5, lambda config, shape=shape: first(config).update(batch_input_shape=shape))
        refused(h5, f"the input shape is {json.dumps(shape)}; {right}")
    edit(h5, lambda config: first(config).pop("batch_input_shape"))
    refused(h5, f"the input shape is not in the file; {right}")


def test_two_layers_of_one_name(h5):
    edit(h5, lambda config: layer(config, "dropout")["config"].update(name="dense"))
    refused(h5, "two layers have the name 'dense'; each must have its own.")


def test_layers_that_do_not_fit(h5):
    edit(h5, lambda config: layer(config, "conv2d")["config"].update(groups=3))
    said = "3 groups do not divide 1 input and 3 filters."
    refused(h5, f"layer 'conv2d' (Conv2D) cannot take (8, 8, 1): {said}")
    edit(h5, lambda config: layer(config, "conv2d")["config"].update(groups=1, kernel_size=[9, 9], padding="valid"))
    refused(h5, "layer 'conv2d' leaves nothing of the (8, 8, 1) that it is given; the model cannot run.")


@pytest.fixture
def graph(tmp_path):
    """A Functional model whose layers a test may rewire."""
    return Path(shutil.copy(GOLDENS / "keras2_functional.h5", tmp_path / "model.h5"))


def test_a_layer_called_on_one_that_is_not_there(graph):
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=[[["absent", 0, 0, {}]]]))
    refused(graph, "layer 'dense' is called on 'absent', which is not in the description.")


@pytest.mark.parametrize("node", [[], [[]], None, [["flatten"]], [[["flatten", -1, 0, {}]]], [[[3, 0, 0, {}]]]])
def test_a_layer_called_on_nothing(graph, node):
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=node))
    said = "layer 'dense' is called on no output of another layer."
    refused(graph, "layer 'dense' is not called on anything." if not node else said)


def test_layers_in_a_circle(graph):
    edit(graph, lambda config: layer(config, "conv2d").update(inbound_nodes=[[["conv2d_1", 0, 0, {}]]]))
    refused(graph, "layer 'conv2d' is called on its own output.")


def test_an_output_that_a_layer_does_not_have(graph):
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=[[["flatten", 0, 7, {}]]]))
    refused(graph, "'dense' reads output 7 of a layer that has 1.")
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=[[["flatten", 3, 0, {}]]]))
    refused(graph, "layer 'dense' is called on 'flatten', which is not in the description.")


def test_a_model_whose_output_is_not_there(graph):
    edit(graph, lambda config: config["config"].update(output_layers=[["absent", 0, 0]]))
    refused(graph, "the model's output is a call of 'absent' that its description does not have.")
    edit(graph, lambda config: config["config"].update(output_layers="dense"))
    refused(graph, "the model's description has output_layers = dense; it must name layers.")


def test_a_layer_called_on_two_shapes(graph):
    nodes = [[["flatten", 0, 0, {}]], [["max_pooling2d", 0, 0, {}]]]
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=nodes))
    refused(graph, "layer 'dense' is called on values of two shapes that need different weights.")


def test_a_layer_of_one_value_called_on_two(graph):
    nodes = [[["flatten", 0, 0, {}], ["flatten", 0, 0, {}]]]
    edit(graph, lambda config: layer(config, "dense").update(inbound_nodes=nodes))
    refused(graph, "layer 'dense' (Dense) is called on 2 values; it takes 1.")


def test_models_within_models_that_multiply(graph):
    """Each of 30 models calls the one within it twice, so that the innermost layer is called 2**30 times."""

    def within(depth):
        if depth == 0:
            return layers[1]
        entry = {**within(depth - 1), "inbound_nodes": [[["input", 0, 0, {}]], [["m", 0 if depth == 1 else 1, 0, {}]]]}
        entry["config"] = {**entry["config"], "name": "m"}
        start = {"class_name": "InputLayer", "config": {"name": "input"}, "inbound_nodes": []}
        ends = {"input_layers": [["input", 0, 0]], "output_layers": [["m", 1 if depth == 1 else 2, 0]]}
        return {"class_name": "Functional", "config": {"name": f"m{depth}", "layers": [start, entry], **ends}}

    with h5py.File(graph) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
    edit(graph, lambda config: config.update(within(30)))
    refused(graph, f"the model calls {2**30} layers; at most 2000 can be read.")


def test_layers_of_both_orders_of_axes(h5):
    edit(h5, lambda config: layer(config, "conv2d")["config"].update(data_format="channels_first"))
    refused(h5, "some of its layers have channels_first and others channels_last; all must have one of them.")


def test_channels_first_in_keras_1(h5):
    """Its kernels have another order of axes, which their shapes do not always tell."""

    def to_keras1(config):
        for entry in config["config"]["layers"]:
            if entry["config"].pop("data_format", None) and entry["class_name"] != "Flatten":
                entry["config"]["dim_ordering"] = "th"

    edit(h5, to_keras1)
    with h5py.File(h5, "r+") as file:
        file.attrs["keras_version"] = "1.2.2"
    refused(h5, "layer 'conv2d' (Conv2D) has data_format = channels_first; it must be channels_last.")


def test_a_flattening_of_another_order_than_the_convolutions(h5):
    edit(h5, lambda config: layer(config, "flatten")["config"].update(data_format="channels_first"))
    refused(h5, "some of its layers have channels_first and others channels_last; all must have one of them.")


def test_an_operation_that_is_not_arithmetic(graph):
    new = {"class_name": "TFOpLambda", "config": {"name": "new", "function": "math.cumsum"}}
    new["inbound_nodes"] = [["flatten", 0, 0, {"axis": 1}]]
    edit(graph, lambda config: config["config"]["layers"].append(new))
    said = "use a layer of Keras in its place, or one of the operations in cnnviz.interop.keras.operations, and"
    refused(
        graph, f"layer 'new' is the operation cumsum of 2 operands, which is not read; {said} save the model again."
    )


def test_an_array_that_has_a_row_for_each_image(graph):
    new = {"class_name": "TFOpLambda", "config": {"name": "new", "function": "math.subtract"}}
    new["inbound_nodes"] = [["flatten", 0, 0, {"y": [[1.0], [2.0]]}]]
    edit(graph, lambda config: config["config"]["layers"].append(new))
    refused(graph, "layer 'new' (Arithmetic) cannot take (16,): an array of the shape [2, 1] fits no single image.")


def test_an_operation_of_keras_2_whose_options_are_unknown(graph):
    new = {"class_name": "TFOpLambda", "config": {"name": "new", "function": "nn.gelu"}}
    new["inbound_nodes"] = [["flatten", 0, 0, {"approximate": True}]]
    edit(graph, lambda config: config["config"]["layers"].append(new))
    with pytest.raises(InputError, match="'new' is the operation gelu of 1 operands, which is not read; use a layer"):
        load_keras(graph)


def test_a_quantized_layer_and_one_that_is_called_as_all_weights(h5, keras3):
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}
    edit(keras3, lambda config: layer(config, "dense")["config"].update(dtype=policy))
    refused(keras3, "layer 'dense' is quantized; save the model as it is before model.quantize.")
    edit(h5, lambda config: layer(config, "dense")["config"].update(name="params"))
    refused(h5, "a layer has the name 'params', which Flax has for all weights; give it another one.")


def test_a_layer_that_is_always_in_training(tmp_path):
    path = Path(shutil.copy(GOLDENS / "keras2_functional.h5", tmp_path / "model.h5"))
    edit(path, lambda config: layer(config, "dropout")["inbound_nodes"][0][0][3].update(training=True))
    refused(path, "layer 'dropout' is called with training=True; a model is read in evaluation mode.")


# weights


def test_a_weight_of_another_shape(h5):
    def transposed(weights, name):
        weights[name] = np.zeros((3, 1, 3, 3), np.float32)

    replace_weight(h5, KERNEL, transposed)
    refused(h5, f"{KERNEL} has the shape (3, 1, 3, 3); the layer's description asks for (3, 3, 1, 3).")


def test_a_weight_that_is_not_there(h5):
    replace_weight(h5, BIAS, lambda weights, name: None)
    refused(h5, f"there is no data set {BIAS} in the file; its shape would be (3,).")


def test_a_group_where_a_weight_is_due(h5):
    replace_weight(h5, BIAS, lambda weights, name: weights.create_group(name))
    refused(h5, f"there is no data set {BIAS} in the file; its shape would be (3,).")


def test_a_layer_with_too_few_weights_or_none(h5):
    with h5py.File(h5, "r+") as file:
        file["model_weights/conv2d"].attrs["weight_names"] = ["conv2d/kernel:0"]
    said = "layer 'conv2d' has {} in the file; its description asks for 2: kernel, bias."
    refused(h5, said.format("1 weight (conv2d/conv2d/kernel:0)"))
    with h5py.File(h5, "r+") as file:
        del file["model_weights/conv2d"]
    refused(h5, said.format("no weights"))


def test_several_weights_that_do_not_fit_are_counted(h5):
    edit(h5, lambda config: layer(config, "conv2d")["config"].update(filters=4))
    with h5py.File(h5, "r+") as file:
        del file["model_weights/dense_1"]
    with pytest.raises(InputError) as raised:
        load_keras(h5)
    first = "layer 'dense_1' has no weights in the file; its description asks for 2: kernel, bias"
    said = f"arrays fit; those that do not: {first}; conv2d/conv2d/kernel:0 has the shape (3, 3, 1, 3); the layer's"
    assert said in str(raised.value)
    assert " 3 of 8 arrays" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_layer_with_too_many_weights(keras3):
    edit(keras3, lambda config: layer(config, "dense")["config"].update(use_bias=False))
    said = "2 weights (layers/dense/vars/0, layers/dense/vars/1)"
    refused(keras3, f"layer 'dense' has {said} in the file; its description asks for 1: kernel.")


def test_weights_of_a_layer_that_is_not_described(h5, keras3):
    for path in (h5, keras3):
        edit(path, lambda config: config["config"]["layers"].pop())
        refused(path, "the file has weights of layers that its description does not have: dense_1.")


def test_the_first_five_of_many_layers_that_are_not_described_are_named(h5):
    with h5py.File(h5, "r+") as file:
        group = file["model_weights"]
        group.attrs["layer_names"] = [*group.attrs["layer_names"], *(f"more_{i}" for i in range(7))]
        for i in range(7):
            file["model_weights"].copy("dense_1", f"more_{i}")
    more = "more_0, more_1, more_2, more_3, more_4 and 2 more"
    refused(h5, f"the file has weights of layers that its description does not have: {more}.")


@pytest.mark.parametrize("dtype", ["int64", "S4", "complex64"])
def test_a_weight_that_is_not_of_floats(h5, dtype):
    replace_weight(h5, BIAS, lambda weights, name: weights.create_dataset(name, data=np.zeros(3, dtype)))
    refused(h5, f"{BIAS} holds {np.dtype(dtype)}; weights are floats.")


# out of the file, or more than is in it


@pytest.mark.parametrize("link", [h5py.SoftLink("/model_weights/dense"), h5py.ExternalLink("/etc/passwd", "/")])
@pytest.mark.parametrize("place", [KERNEL, "conv2d/conv2d", "conv2d"])
def test_a_link_is_not_followed(h5, link, place):
    def make(weights, name):
        weights[name] = link

    replace_weight(h5, place, make)
    said = "is a link, which may lead out of the file; weights must lie in the file itself"
    if place == "conv2d/conv2d":  # both of its weights
        refused(h5, f"6 of 8 arrays fit; those that do not: {KERNEL} {said}; {BIAS} {said}.")
    else:
        refused(h5, f"{KERNEL if place == KERNEL else place} {said}.")


def test_weights_behind_a_link(h5):
    with h5py.File(h5, "r+") as file:
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink("other.h5", "/model_weights")
    said = "model_weights is a link, which may lead out of the file; weights must lie in the file itself."
    refused(h5, said)


def test_values_in_another_file(h5, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(12))

    def external(weights, name):
        weights.create_dataset(name, (3,), "f4", external=[(str(tmp_path / "secret"), 0, 12)])

    def virtual(weights, name):
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (3,))
        weights.create_virtual_dataset(name, layout)

    for make in (external, virtual):
        replace_weight(h5, BIAS, make)
        refused(h5, f"{BIAS} keeps its values in another file; weights must lie in the file itself.")


def test_a_data_set_of_absurd_size(h5):
    """More than any memory: found by its shape, or where the description asks for as much, by what is stored."""
    units = 2**31 - 1
    make = lambda weights, name: weights.create_dataset(name, (units, units), "f4", chunks=(1024, 1024))
    replace_weight(h5, "dense/dense/kernel:0", make)
    refused(h5, f"dense/dense/kernel:0 has the shape ({units}, {units}); the layer's description asks for (16, 5).")
    edit(h5, lambda config: layer(config, "dense")["config"].update(units=units))
    make = lambda weights, name: weights.create_dataset(name, (16, units), "f4", chunks=(16, 1024))
    replace_weight(h5, "dense/dense/kernel:0", make)
    said = f"dense/dense/kernel:0 claims {16 * 4 * units} bytes and stores 0; a weight's values are all in the file;"
    with pytest.raises(InputError, match=f"5 of 8 arrays fit; those that do not: {said}"):
        load_keras(h5)


def test_a_data_set_that_unpacks(h5):
    make = lambda weights, name: weights.create_dataset(name, data=np.zeros(3, "f4"), compression="gzip")
    replace_weight(h5, BIAS, make)
    refused(h5, f"{BIAS} is compressed or filtered; Keras's weights are stored as they are (h5repack -f NONE).")


def test_a_resizing_that_keeps_the_aspect_ratio_and_a_crop_larger_than_the_image():
    size = {"height": 4, "width": 9}
    with pytest.raises(InputError, match=r"layer 'r' \(Resizing\) has pad_to_aspect_ratio = true; it must be false"):
        layer_of(Described("Resizing", "r", {**size, "pad_to_aspect_ratio": True}, 3))
    crop = layer_of(Described("CenterCrop", "c", size, 3))
    assert np.shape(crop.apply({}, jnp.zeros((1, 5, 9, 2)))) == (1, 4, 9, 2)
    with pytest.raises(InputError, match="images of 5 x 8 are smaller than what is cut out of them"):
        crop.apply({}, jnp.zeros((1, 5, 8, 2)))
