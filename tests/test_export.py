"""Networks out again: what is written, loaded in the library that it is for, gives the same numbers."""

import hashlib
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
from flax import nnx, serialization
from jax import lax

from cnnviz import networks, probe, runs
from cnnviz.commands import train
from cnnviz.errors import InputError
from cnnviz.interop.weights import read_weights
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.networks.export import EXPORTS, export
from cnnviz.networks.prepare import Prepare
from cnnviz.probe.capture import arguments_of


class Counted(nn.Module):
    """Asks for the length of its batch, which has no symbol, and ends in a softmax."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.avg_pool(nn.relu(nn.Conv(3, (3, 3), strides=2)(x)), (2, 2), strides=(2, 2))
        return nn.softmax(nn.Dense(4)(x.reshape(len(x), -1)))


class Signals(nn.Module):
    """Of signals `[n, t, c]`, with silu, dilation, padding by pixels and a maximum over time."""

    @nn.compact
    def __call__(self, x):
        x = nn.silu(nn.Conv(6, (5,), kernel_dilation=2, padding=((3, 1),))(x))
        return nn.Dense(3)(nn.max_pool(x, (3,), strides=(2,), padding="SAME").max(1))


class Mixed(nn.Module):
    """Grouped and depthwise convolutions, LayerNorm, a gate, concatenation, and functions spelled out."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(8, (3, 3), name="first")(x)
        y = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        y = nn.Conv(8, (3, 3), feature_group_count=8, padding="VALID", name="depthwise")(y)
        y = nn.BatchNorm(use_running_average=not train, name="norm")(y)
        y = y * nn.sigmoid(nn.Dense(8)(y.mean((1, 2), keepdims=True)))
        x = nn.gelu(nn.LayerNorm()(jnp.concatenate([nn.relu6(x), nn.elu(y)], -1)))
        x = nn.leaky_relu(nn.Conv(8, (3, 3), feature_group_count=2, strides=(2, 2), padding=2, name="grouped")(x))
        return nn.Dense(5)(x[:, 1:-1, 1:-1].mean((1, 2)) / 2 - 1)


class Own(nnx.Module):
    """An NNX network."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dense = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.dense(nnx.relu(self.norm(self.conv(x))).mean((1, 2)))


def opened(model, shape):
    """The network of a model with variables that are not those of a beginning, such as BatchNorm's."""
    draw = jax.jit(lambda key: model.init(key, jnp.zeros((1, *shape)), **arguments_of(model.__call__, None, {})[1]))
    noise = lambda leaf: leaf + 0.1 * jax.random.uniform(jax.random.key(leaf.size), leaf.shape)
    kept = {name: tree for name, tree in draw(jax.random.key(0)).items() if name != "intermediates"}
    return networks.open(model, jax.tree.map(noise, kept), image_shape=shape, name="net")


NETWORKS = {
    "cnn": lambda: opened(CNN(width=4, hidden=8), (28, 28, 1)),
    "dense": lambda: opened(DenseNetwork(width=8), (9, 7, 2)),
    "resnet": lambda: opened(ResNet(channels=4), (16, 16, 3)),
    "counted": lambda: opened(Counted(), (11, 9, 1)),
    "signals": lambda: opened(Signals(), (20, 2)),
    "mixed": lambda: opened(Mixed(), (12, 10, 3)),
    "nnx": lambda: networks.open(Own(nnx.Rngs(0)), image_shape=(8, 8, 1), name="net"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def net(request):
    return NETWORKS[request.param]()


def images_of(net, count=3):
    return np.random.default_rng(0).random((count, *net.image_shape), dtype=np.float32)


def expected(net, images):
    return np.asarray(jax.jit(lambda images: probe.evaluated(net.model, net.variables, images))(images))


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


def test_stablehlo_is_loaded_by_jax_alone_for_any_number_of_images(net, tmp_path):
    pytest.importorskip("flatbuffers")
    path, beside = export(net, "stablehlo", tmp_path / "net.stablehlo")
    loaded = jax.export.deserialize(path.read_bytes())
    for count in (1, 3, 5):
        images = images_of(net, count)
        close(loaded.call(images), expected(net, images))
    described = json.loads(beside.read_text())
    assert described["input"]["shape"] == ["n", *net.image_shape]
    assert described["output"]["meaning"].startswith("logits" if net.ending == "none" else "probabilities")
    assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.platforms == tuple(described["platforms"])


@pytest.mark.filterwarnings("ignore")
def test_onnx_is_loaded_by_onnxruntime(net, tmp_path):
    pytest.importorskip("jax2onnx")
    onnx, onnxruntime = (pytest.importorskip(name) for name in ("onnx", "onnxruntime"))
    path, beside = export(net, "onnx", tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(path)
    size = json.loads(beside.read_text())["input"]["shape"][0]
    for count in (1, 3) if size == "n" else (1,):
        images = images_of(net, count)
        close(session.run(None, {"images": images})[0], expected(net, images))
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert facts["weights_sha256"] == json.loads(beside.read_text())["weights_sha256"]


@pytest.fixture
def keras(monkeypatch):
    """Keras on JAX, which adds biases without their other axes."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with jax.numpy_rank_promotion("allow"):
        yield pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore")
def test_keras_loads_what_is_written_and_cnnviz_reads_it_again(net, tmp_path, keras):
    path, _ = export(net, "keras", tmp_path / "net.keras")
    loaded = keras.models.load_model(path)
    for count in (1, 3):
        images = images_of(net, count)
        close(np.asarray(loaded(images)), expected(net, images))
    if type(net.model) in (CNN, DenseNetwork, ResNet):  # made of layers alone
        again, images = networks.open(path), images_of(net)
        close(np.asarray(probe.logits(again.model, again.variables, images)), expected(net, images))
        assert not [layer.name for layer in loaded.layers if layer.name.endswith("_1")]  # each is called what it is
        weighted = {name for name in probe.layers(net.model, net.variables, net.image_shape) if name.parameters}
        assert {layer.name.replace("/", "_") for layer in weighted} <= {layer.name for layer in loaded.layers}


def test_a_batch_norm_is_one_with_its_own_statistics(tmp_path, keras):
    net = NETWORKS["resnet"]()
    path, _ = export(net, "keras", tmp_path / "net.keras")
    layer = keras.models.load_model(path).get_layer("norm1")
    gamma, beta, mean, variance = layer.get_weights()
    params, statistics = net.variables["params"]["norm1"], net.variables["batch_stats"]["norm1"]
    for found, wanted in zip(
        (gamma, beta, mean, variance),
        (params["scale"], params["bias"], statistics["mean"], statistics["var"]),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert layer.epsilon == pytest.approx(1e-5)


class Sorted(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="end")(jnp.sort(x.reshape(x.shape[0], -1), -1))


class Smallest(nn.Module):
    """The smallest value of each window, for which JAX's primitive is reduce_window_min."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="end")(
            lax.reduce_window(x, jnp.inf, lax.min, *2 * [(1, 2, 2, 1)], "VALID").mean((1, 2))
        )


@pytest.mark.parametrize(("network", "said"), [(Sorted, "sort"), (Smallest, "min_pool")])
def test_what_keras_has_no_layer_for_is_said_with_its_place(network, said, tmp_path, keras):
    with pytest.raises(
        InputError, match=rf"net cannot be exported to Keras: it computes {said}, .*; stablehlo has ever"
    ):
        export(opened(network(), (4, 4, 1)), "keras", tmp_path / "net.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["safetensors", "msgpack"])
def test_variables_are_read_by_flax_and_by_cnnviz(to, net, tmp_path):
    path, beside = export(net, to, tmp_path / f"net.{to}")
    read = serialization.msgpack_restore(path.read_bytes()) if to == "msgpack" else read_weights(path)
    found = (
        networks.fit(read_weights(path), net.model, net.image_shape, source="x", name="x") if net.beginnings else read
    )
    wanted, _ = jax.tree.flatten(dict(net.variables))
    for one, other in zip(jax.tree.leaves(found), wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    if to == "msgpack":
        jax.tree.map(
            np.testing.assert_array_equal, serialization.from_bytes(net.variables, path.read_bytes()), net.variables
        )
    else:
        with safetensors.safe_open(path, "numpy") as file:
            assert file.metadata()["network"] == "net"
    assert json.loads(beside.read_text())["input"]["prepare"]["scale"] == pytest.approx(1 / 255)


def test_an_export_of_a_run_has_the_digest_of_its_checkpoint_and_replaces_an_older_one(data, tmp_path, capsys):
    options = ["--dataset", str(data), "--runs", str(tmp_path), "--name", "toy", "--epochs", "1"]
    assert train.main(options) == 0
    run = tmp_path / "toy"
    capsys.readouterr()
    for _ in range(2):
        assert train.main(["--export", str(run), "--to", "msgpack,safetensors"]) == 0
    names = ["toy.msgpack", "toy.msgpack.json", "toy.safetensors", "toy.safetensors.json"]
    assert sorted(path.name for path in (run / "exports").iterdir()) == names
    assert capsys.readouterr().out.splitlines()[:2] == [f"msgpack: {run / 'exports' / name}" for name in names[:2]]
    described = json.loads((run / "exports" / names[1]).read_text())
    manifest = runs.checkpoints.manifest(runs.checkpoints.folder_of(run, runs.checkpoints.steps(run)[-1]))
    assert described["weights_sha256"] == manifest["files"]["model.safetensors"]
    assert (described["model"], described["classes"]) == ("cnn", ["0", "1"])
    assert runs.damages(run) == []
    assert train.main(["--export", f"{run}:step_0", "--to", "safetensors", "--out", str(tmp_path / "there")]) == 0
    assert (tmp_path / "there" / "toy-step_0.safetensors").exists()
    begun = runs.load_run(run, step=0)
    read = read_weights(tmp_path / "there" / "toy-step_0.safetensors")
    np.testing.assert_array_equal(read["params"]["conv1"]["kernel"], begun.variables["params"]["conv1"]["kernel"])


def test_what_cannot_be_exported_is_said(tmp_path, capsys):
    two = opened(DenseNetwork(width=3), (4, 4, 1))
    several = networks.Net("runs/x", two.model, [two.variables] * 2, [], (4, 4, 1), seeds=(3, 4))
    with pytest.raises(InputError, match=r"has 2 networks, a file holds one; name one of .*@3, .*@4\."):
        export(several, "msgpack", tmp_path / "x")
    for options, text in (
        (["--export", "runs/nowhere", "--to", "onx"], "'onx' is not a format; did you mean 'onnx'?"),
        (["--export", "runs/nowhere"], "--export needs a format: --to keras, onnx, safetensors, stablehlo, msgpack."),
        (["--export", "runs/nowhere", "--to", "onnx"], "runs/nowhere does not exist"),
        (["--to", "onnx"], "--to onnx has no effect without --export; add it, or leave this out."),
    ):
        assert train.main(options) == 2
        assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("to", "package"), [("onnx", "jax2onnx"), ("keras", "keras")])
def test_without_its_package_the_line_that_installs_it_is_said(to, package, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(InputError) as error:
        export(NETWORKS["dense"](), to, tmp_path / f"x.{to}")
    assert f'install it by: pip install "cnnviz[{to}]".' in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_older_export_as_it_was(tmp_path, monkeypatch):
    net = NETWORKS["dense"]()
    path, _ = export(net, "msgpack", tmp_path / "net.msgpack")
    before = path.read_bytes()

    def fail(net, path, facts):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(EXPORTS, "msgpack", fail)
    with pytest.raises(OSError, match="No space"):
        export(net, "msgpack", path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_the_preparation_of_pixels_is_written_down(tmp_path):
    prepare = Prepare(scale=1.0, mean=(3.0,), deviation=(2.0,))
    net = networks.Net(
        "net", NETWORKS["dense"]().model, [NETWORKS["dense"]().variables], [], (9, 7, 2), prepare=prepare
    )
    _, beside = export(net, "msgpack", tmp_path / "net.msgpack")
    found = json.loads(beside.read_text())["input"]["prepare"]
    assert Prepare.read({name: found[name] for name in ("scale", "mean", "deviation")}) == prepare
