"""Files that are no run: what they are, and what to do with them, in one line (and weights drawn with their class)."""

import re
from pathlib import Path

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import LINEN
from flax import nnx
from test_own_class import NNX, PLANTED, trained
from test_pictures import KINDS, OPTIONS
from test_weights import SHAPE, Deep, Net

from cnnviz import networks, probe
from cnnviz.commands import train, visualize
from cnnviz.errors import InputError
from cnnviz.interop.weights import read_weights
from cnnviz.models.own import import_own
from cnnviz.networks import Prepare
from cnnviz.pictures import PICTURES
from cnnviz.pictures.picture import Data
from cnnviz.registry import resolve

pytestmark = pytest.mark.usefixtures("our_models")
WITHOUT = "holds weights without their network; name its class too: --weights {} --model path/to/net.py:Net"


def made(name):
    """An empty file, or a folder with what tells it apart, of that name; of a part of a run also the run's config."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.startswith("run/"):
        Path("run/config.json").write_text("{}")
    inner = {"saved_model/": "saved_model.pb", "orbax/": "_METADATA", "pictures/": "cat/1.png"}.get(name)
    if inner:
        (path / inner).parent.mkdir(parents=True)
        (path / inner).touch()
    elif name.endswith("/"):
        path.mkdir()
    else:
        path.touch()
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.pt", "x.pt "),
        ("x.pth", "x.pth "),
        ("x.onnx", "x.onnx is an ONNX graph, which is not read; convert its weights"),
        ("x.ckpt", "x.ckpt is a checkpoint of TensorFlow or Lightning"),
        ("x.pkl", "x.pkl is a pickle, which could run any code and is never read"),
        ("x.safetensors", WITHOUT.format("x.safetensors")),
        ("x.msgpack", WITHOUT.format("x.msgpack")),
        ("x.npz", WITHOUT.format("x.npz")),
        ("saved_model/", "saved_model is a TensorFlow SavedModel, which is not read; load it in Keras"),
        ("orbax/", WITHOUT.format("orbax")),
        (
            "pictures/",
            "pictures is a folder of pictures and holds no network; give a run or a file, .h5 or .hdf5 or .keras (--",
        ),
        ("run/checkpoints/", "run/checkpoints is a part of the run run; give run."),
        ("run/checkpoints/step_00000020/", "is a part of the run run; give run:step_20."),
        ("run/checkpoints/step_00000020/model.safetensors", "is a part of the run run; give run:step_20."),
        ("empty/", "empty is not a run: it has no config.json"),
    ],
)
def test_a_file_of_another_program_says_what_it_is_and_what_to_do(name, message, alone, capsys):
    path = made(name)
    assert visualize.main([str(path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    with pytest.raises(InputError):
        networks.open(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pictures/", "pictures is a folder of pictures and holds no weights; give a run or a file of weights (--"),
        ("x.png", "x.png is a picture and holds no weights; give a run or a file of weights (--image"),
        ("run/checkpoints/", "run/checkpoints is a part of the run run; give run."),
        ("x.txt", "x.txt is not of a known kind of weights; known are "),
        ("empty/", "empty is not a checkpoint of Orbax; it has no arrays: give one, or a file of weights."),
    ],
)
def test_what_holds_no_weights_is_said_before_anything_is_loaded(name, message, alone, capsys, monkeypatch):
    path = made(name)
    with pytest.raises(InputError, match=re.escape(message)):
        read_weights(path)
    if name != "empty/":  # which could hold arrays without Orbax's own files
        monkeypatch.setattr(visualize, "visualize", lambda *_: pytest.fail("something was opened"))
        monkeypatch.setattr(train, "_trained", lambda *_: pytest.fail("it was trained"))
    for main, given in ((train.main, ["--init-from"]), (visualize.main, ["--model", "cnn", "--weights"])):
        assert main([*given, str(path)]) == 2
        assert message in capsys.readouterr().err


@pytest.fixture
def weights(here, data):
    """Weights of `net.py:Net` with eight channels for the toy images, and the pictures that need images."""
    model = import_own("net.py:Net")(num_classes=2, width=8)
    drawn = jax.jit(lambda key, x: model.init(key, x, train=False))(jax.random.key(5), jnp.zeros((1, 12, 12, 1)))
    Path("w.msgpack").write_bytes(flax.serialization.to_bytes(drawn))
    return ["--model", "net.py:Net", "--model-options", '{"width": 8}', "--weights", "w.msgpack"]


def test_weights_are_drawn_with_their_class_and_a_data_set(weights, data, capsys):
    assert visualize.main([*weights, "--dataset", str(data)]) == 0
    said = capsys.readouterr().out
    assert (
        said.count("note: w keeps no untrained weights; those next to it are a fresh draw of the same layers from ")
        == 1
    )
    names = {path.name for path in Path("figures/w").glob("*.png")}
    assert {"layers.png", "kernels_Conv_0.png", "histogram_Conv_0.png", "confusion_toy.png"} <= names


def test_without_a_data_set_the_kinds_that_need_none_are_drawn(weights, alone, capsys, unchecked):
    Path("net.py").write_text(LINEN)
    model = import_own("net.py:Net")(num_classes=2, width=8)
    drawn = jax.jit(lambda key, x: model.init(key, x, train=False))(jax.random.key(5), jnp.zeros((1, 9, 9, 1)))
    Path("w.msgpack").write_bytes(flax.serialization.to_bytes(drawn))
    assert visualize.main(["layers", *weights, "--image-shape", "9,9,1", "--classes", "a,b"]) == 0
    assert "fresh draw" not in capsys.readouterr().out  # of which nothing is shown
    assert visualize.main(["kernels", *weights, "--image-shape", "9x9x1", "--classes", "2", "--out", "there"]) == 0
    assert Path("there/kernels_Conv_0.png").exists()
    assert "fresh draw" in capsys.readouterr().out


def test_a_built_in_network_takes_weights_too(here, data):
    assert trained(data, model="dense") == 0
    file = next(Path("runs/own").glob("checkpoints/*/model.safetensors"))
    assert visualize.main(["layers", "--model", "dense", "--weights", str(file), "--dataset", str(data)]) == 0


def test_nnx_weights_are_drawn_with_their_class(here, data):
    Path("net.py").write_text(NNX)
    module = import_own("net.py:Net")(1, 2, rngs=nnx.Rngs(2))
    state = nnx.to_pure_dict(nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat)))
    Path("w.msgpack").write_bytes(flax.serialization.msgpack_serialize(jax.tree.map(np.asarray, state)))
    given = ["--model", "net.py:Net", "--weights", "w.msgpack", "--dataset", str(data)]
    assert visualize.main(["kernels", *given]) == 0
    assert Path("figures/w/kernels_conv.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "nothing.msgpack"], "nothing.msgpack does not exist"),
        (["--weights", "x.bin.txt"], "x.bin.txt is not of a known kind of weights; known are "),
        (["--image-shape", "12"], "of a signal or 28,28,28,1 of a volume; it was '12'."),
        (["--image-shape", "12,12,0"], "--image-shape must be an image's sides and then its channels"),
        (["--image-shape", "12,12,3"], "w.msgpack does not fit net.py:Net: 7 of 8 arrays fit; those that do not: "),
        (["--classes", "a,b,c"], "w.msgpack does not fit net.py:Net: 6 of 8 arrays fit"),
        (["--prepare", '{"std": 1}'], "prepare is a mapping of scale, mean, deviation"),
        (["--prepare", '{"mean": [1, 2]}'], "prepare.mean has 2 numbers; images of 1 channel need 1."),
        (["--prepare", "x"], "--prepare is a JSON object"),
        (["--model-options", '{"wide": 8}'], "'wide' is not an option of net.py:Net; did you mean 'width'?"),
        (["--model", "cnn", "--model-options", "{}"], "w.msgpack does not fit cnn: 0 of 8 arrays fit"),
    ],
)
def test_options_that_do_not_fit_the_weights_are_one_line(options, message, weights, capsys):
    Path("x.bin.txt").write_bytes(b"")
    given = [*weights, "--image-shape", "12,12,1", "--classes", "2", *options]
    values = dict(zip(given[::2], given[1::2], strict=True))  # one of each option, the last
    assert visualize.main(["layers", *(text for pair in values.items() for text in pair)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_what_the_weights_do_not_say_is_asked_for(weights, alone, capsys):
    assert visualize.main(["layers", *weights]) == 2
    assert "does not say the shape of the images; add --image-shape 28,28,1" in capsys.readouterr().err
    assert visualize.main(["layers", *weights, "--image-shape", "12,12,1"]) == 2
    assert "net.py:Net needs 'num_classes', the number of classes: give it by --classes" in capsys.readouterr().err
    assert visualize.main(["layers", "--weights", "w.msgpack"]) == 2
    assert "w.msgpack holds weights without their network; name its class by --model" in capsys.readouterr().err
    assert visualize.main(["layers", "some", *weights]) == 2
    assert "takes no run" in capsys.readouterr().err


def test_a_weights_file_imports_nothing(here, capsys):
    Path("evil.py").write_text(LINEN + PLANTED)
    tree = {"params": {"model": "evil.py:Net", "__class__": "evil:Net"}, "model": "evil.py:Net"}
    Path("w.msgpack").write_bytes(flax.serialization.msgpack_serialize(tree))
    Path("w.safetensors").write_bytes(b"")
    for file in ("w.msgpack", "w.safetensors"):
        assert visualize.main([file]) == 2
        assert visualize.main(["--weights", file]) == 2
        assert visualize.main(["--weights", file, "--model", "cnn", "--image-shape", "28,28,1"]) == 2
    assert not Path("imported.txt").exists()


# In the library


@pytest.fixture(scope="module")
def photographs():
    from cnnviz.data.dataset import Dataset, Split

    draw = np.random.default_rng(0)
    part = lambda n: Split(draw.integers(0, 255, (n, *SHAPE), np.uint8), np.arange(n, dtype=np.int32) % 3)
    return Dataset("x", part(12), part(9), ("a", "b", "c"), "", "here")


def test_an_nnx_model_brought_in_has_no_twin_and_says_so():
    net = networks.open(*probe.from_nnx(Deep(rngs=nnx.Rngs(1))), image_shape=SHAPE)
    assert len(net.beginnings) == 0
    assert [picture.draw() for picture in resolve(PICTURES, "kernels", "kind of picture")()([net], Data())]
    with pytest.raises(InputError, match="has no untrained variables: its module cannot be drawn again"):
        _ = net.untrained


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "curves"])
@pytest.mark.parametrize("which", ["linen", "nnx"])
def test_every_picture_takes_a_network_in_memory(kind, which, photographs):
    model = Net() if which == "linen" else Deep(rngs=nnx.Rngs(1))
    drawn = jax.jit(Net().init)(jax.random.key(0), jnp.zeros((1, *SHAPE))) if which == "linen" else None
    prepare = Prepare(scale=1 / 127.5, mean=(1.0,))
    net = networks.open(model, drawn, image_shape=SHAPE, classes=("a", "b", "c"), prepare=prepare)
    assert (net.name, net.classes) == (type(model).__name__, ("a", "b", "c"))
    kind_of = resolve(PICTURES, kind, "kind of picture")(**OPTIONS.get(kind, {}))
    pictures = kind_of([net], Data(lambda: photographs))
    assert [picture.draw() for picture in pictures]
    titles = " ".join(picture.title for picture in pictures)
    assert ("trained and untrained" in titles) == (which == "linen" and kind in ("kernels", "histograms"))


def test_the_twin_is_drawn_when_it_is_asked_for(unchecked):
    drawn = jax.jit(Net().init)(jax.random.key(0), jnp.zeros((1, *SHAPE)))
    net = networks.open(Net(), drawn, image_shape=SHAPE, seed=4)
    assert "only" not in vars(net.beginnings)
    expected = Net().init(jax.random.key(4), jnp.zeros((1, *SHAPE)))
    np.testing.assert_allclose(
        net.untrained["params"]["Conv_0"]["kernel"], expected["params"]["Conv_0"]["kernel"], atol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs the shape of its images"),
        ({"image_shape": SHAPE}, "A network needs the variables of its model; Net was given none."),
        ({"image_shape": SHAPE, "variables": 3}, "Variables are a mapping"),
        (
            {"image_shape": SHAPE, "variables": True, "classes": ("a",)},
            "Net gives an output of shape .3,. per image; 1",
        ),
        ({"image_shape": SHAPE, "variables": True, "prepare": Prepare(mean=(1.0, 2.0))}, "prepare.mean has 2 numbers"),
    ],
)
def test_what_a_model_in_memory_lacks_is_one_sentence(given, message):
    if given.get("variables") is True:
        given = given | {"variables": Net().init(jax.random.key(0), jnp.zeros((1, *SHAPE)))}
    with pytest.raises(InputError, match=message):
        networks.open(Net(), **given)
    with pytest.raises(InputError, match="which has its own variables"):
        networks.open("runs/x", image_shape=SHAPE)
