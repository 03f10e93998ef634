"""Weights of PyTorch's on the command line: in published networks, and in a class of one's own."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from goldens import drawn

from cnnviz import networks
from cnnviz.commands import visualize
from cnnviz.commands.opened import Asked, opened
from cnnviz.errors import InputError
from cnnviz.interop.torch.layouts import residual
from cnnviz.interop.weights import read_weights
from cnnviz.models import imagenet

GOLDENS = Path(__file__).parent / "goldens" / "torch"
NET = """
import flax.linen as nn

class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        norm = lambda x: nn.BatchNorm(use_running_average=not train, epsilon=1e-5)(x)
        x = nn.max_pool(nn.relu(norm(nn.Conv(4, (3, 3))(x))), (2, 2), strides=(2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3), feature_group_count=2)(x)), (2, 2), strides=(2, 2))
        x = norm(x.reshape(len(x), -1))
        return nn.Dense(3)(nn.relu(nn.Dense(5)(x)))
"""
SMALL = {"blocks": [1, 1], "channels": 4}


def net_of(**options):
    options = visualize.Common(**options)
    return opened(options, [], Asked(options))


@pytest.fixture
def own(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:Net"


@pytest.fixture
def published(tmp_path):
    """Weights of a small residual network with seven classes, in torchvision's names."""
    table = residual(networks.build("resnet18", {"blocks": (1, 1), "channels": 4}))
    shapes = {"conv1.weight": (4, 3, 7, 7), "fc.weight": (7, 8), "fc.bias": (7,)}
    for name, path in table.items():
        width = 8 if name.startswith("layer2") else 4
        if name.endswith(("bn1", "bn2", "downsample.1")):
            shapes |= {f"{name}.{leaf}": (width,) for leaf in ("weight", "bias", "running_mean", "running_var")}
        elif "conv" in path and "layer" in name and not name.endswith("conv3"):
            shapes[f"{name}.weight"] = (width, 4 if name.endswith("conv1") else width, 3, 3)
    shapes["layer2.0.downsample.0.weight"] = (8, 4, 1, 1)
    for name in [name for name in shapes if "layer1" in name and "downsample" in name]:
        del shapes[name]
    path = tmp_path / "small.safetensors"
    safetensors.numpy.save_file({name: drawn.weight(name, shape) for name, shape in shapes.items()}, path)
    return path


@pytest.mark.usefixtures("alone")
def test_published_weights_say_the_shape_the_preparation_and_the_number_of_classes(published, capsys):
    net = net_of(model="resnet18", model_options=json.dumps(SMALL), weights=published)
    assert net.image_shape == (224, 224, 3)
    assert net.prepare.mean == (0.485, 0.456, 0.406)
    assert net.model.classes == 7
    kernel = net.variables["params"]["stage2_block1"]["shortcut"]["kernel"]
    golden = drawn.weight("layer2.0.downsample.0.weight", (8, 4, 1, 1))
    np.testing.assert_array_equal(kernel, golden.transpose(2, 3, 1, 0))
    assert "->" not in capsys.readouterr().out
    given = {"image_shape": "32,32,3", "prepare": '{"scale": 1.0}', "classes": "7"}
    net = net_of(model="resnet18", model_options=json.dumps(SMALL), weights=published, **given)
    assert (net.image_shape, net.prepare.scale, net.prepare.mean) == ((32, 32, 3), 1.0, ())


@pytest.mark.usefixtures("alone")
def test_a_model_within_a_checkpoint_is_found_by_its_names_and_the_rest_is_said(published, tmp_path, capsys):
    given, options = read_weights(published), {"model": "resnet18", "model_options": json.dumps(SMALL)}
    inner = {f"net.backbone.{name}": array for name, array in given.items()}
    path = tmp_path / "inner.safetensors"
    safetensors.numpy.save_file(inner | {"criterion.weight": np.ones(7, np.float32)}, path)
    found, expected = net_of(weights=path, **options), net_of(weights=published, **options)
    jax.tree.map(np.testing.assert_array_equal, found.variables, expected.variables)
    assert "also holds criterion.weight, which resnet18 does not have" in capsys.readouterr().out
    safetensors.numpy.save_file(inner | {f"teacher.{name}": array for name, array in given.items()}, path)
    with pytest.raises(InputError, match="does not fit resnet18: 0 of"):  # which one is meant is not clear
        net_of(weights=path, classes="7", **options)


@pytest.mark.usefixtures("alone")
def test_weights_that_do_not_fit_are_one_line(published):
    with pytest.raises(InputError, match=r"does not fit resnet18: \d+ of 102 arrays fit; the first five"):
        net_of(model="resnet18", weights=published)
    with pytest.raises(InputError, match=r"does not fit resnet18: \d+ of \d+ arrays fit; those that do not: fc.bias"):
        net_of(model="resnet18", model_options=json.dumps(SMALL), weights=published, classes="9")


@pytest.mark.usefixtures("alone")
def test_nothing_is_said_to_be_read_where_no_array_fits(capsys):
    with pytest.raises(InputError, match=r"does not fit dense: 0 of \d+ arrays fit"):
        net_of(model="dense", weights=GOLDENS / "tutorial.pth", image_shape="8,12,3", classes="7")
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match=r"none.json cannot be read as a JSON object of names: No such file or"):
        net_of(
            model="dense", weights=GOLDENS / "tutorial.pth", image_shape="8,12,3", classes="7", names=Path("none.json")
        )


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("file", ["tutorial.pth", "checkpoint.pth.tar", "tutorial.safetensors"])
def test_a_class_of_one_s_own_with_weights_of_pytorch(own, file, capsys, tmp_path):
    golden = np.load(GOLDENS / "tutorial.npz")
    given = {"model": own, "weights": GOLDENS / file, "image_shape": "8,12,3"}
    net = net_of(**given)
    found = jax.jit(net.model.apply)(net.variables, golden["images"])
    np.testing.assert_allclose(found, golden["logits"], atol=1e-5)
    printed = capsys.readouterr().out
    assert "  conv2.weight -> params/Conv_1/kernel\n" in printed
    assert "--names FILE" in printed
    pairs = [line.split(" -> ") for line in printed.splitlines() if " -> " in line]
    (tmp_path / "names.json").write_text(json.dumps({name.strip(): path for name, path in pairs}))
    again = net_of(**given, names=tmp_path / "names.json")
    jax.tree.map(np.testing.assert_array_equal, again.variables, net.variables)
    assert "->" not in capsys.readouterr().out


def test_a_file_of_pytorch_without_a_model_says_what_to_type():
    with pytest.raises(InputError, match=r"holds weights without their network; name its class too: --weights "):
        networks.open(GOLDENS / "tutorial.pth")


def test_a_safetensors_file_of_flax_is_not_taken_for_pytorch_s(tmp_path):
    path = tmp_path / "flax.safetensors"
    safetensors.numpy.save_file({"params.conv.weight": np.ones(2), "params.conv.bias": np.ones(2)}, path)
    assert set(read_weights(path)["params"]["conv"]) == {"weight", "bias"}


def test_names_are_for_weights_alone(capsys):
    assert visualize.main(["layers", "nowhere", "--names", "x.json"]) == 2
    assert "--names" in capsys.readouterr().err


def test_what_the_names_of_published_weights_leave_open_is_said(published, monkeypatch, capsys):
    monkeypatch.setitem(imagenet.NOTES, "resnet18", "there are two of them")
    with pytest.raises(InputError, match="does not fit resnet18"):
        net_of(model="resnet18", weights=published)
    assert "note: there are two of them" in capsys.readouterr().out
