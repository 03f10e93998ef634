"""What a network loses without its units: equal to a loop over networks whose units are zeroed by hand."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import Foreign, Small
from flax import nnx

from cnnviz import networks, probe, units
from cnnviz.errors import InputError, InputTypeError
from cnnviz.models.cnn import CNN
from cnnviz.probe import Reader, from_nnx
from cnnviz.units.layer import units_of
from cnnviz.units.tally import Sums, _add

N = 37
KERAS = Path(__file__).parent / "goldens/keras/keras2_chapter.h5"
KEY = jax.random.key(0)


class TwoHeads(nn.Module):
    """A strided, dilated and grouped convolution, a global mean, and two outputs."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(6, (3, 3), strides=(2, 2), name="first")(x))
        x = nn.Conv(4, (3, 3), kernel_dilation=(2, 2), padding="VALID", name="dilated")(nn.avg_pool(x, (2, 2)))
        x = nn.Conv(4, (1, 1), feature_group_count=2, name="grouped")(nn.gelu(x)).mean((1, 2))
        return {"logits": nn.Dense(5, name="five")(x), "other": nn.Dense(2, name="two")(x)}


class OneLogit(nn.Module):
    """A network that tells two classes apart by one logit."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(7, name="hidden")(x.reshape(len(x), -1)))
        return nn.sigmoid(nn.Dense(1, name="last")(x))


def drawn(shape, classes):
    rng = np.random.default_rng(1)
    return rng.uniform(size=(N, *shape)).astype(np.float32), rng.integers(0, classes, N).astype(np.int32)


def linen(model, shape):
    return model, model.init(KEY, jnp.zeros((2, *shape)), **({"train": False} if isinstance(model, Foreign) else {}))


# by name: the network, the shape of its images, the number of classes, the layers
NETWORKS = {
    "default": (lambda: linen(CNN(width=4, hidden=9), (12, 12, 1)), (12, 12, 1), 10, ("relu1", "relu3")),
    "color": (lambda: linen(CNN(width=3, hidden=5), (8, 8, 3)), (8, 8, 3), 10, ("pool2",)),
    "foreign": (lambda: linen(Foreign(), (8, 8, 3)), (8, 8, 3), 3, ("shared@0",)),
    "nnx": (lambda: from_nnx(Small(nnx.Rngs(0))), (8, 8, 3), 3, ("relu",)),
    "two heads": (lambda: linen(TwoHeads(), (16, 16, 1)), (16, 16, 1), 5, ("first", "dilated")),
    "one logit": (lambda: linen(OneLogit(), (4, 4, 1)), (4, 4, 1), 2, ("hidden",)),
}
CASES = [(name, layer) for name, (*_, layers) in NETWORKS.items() for layer in layers]


def by_hand(model, variables, images, labels, layer, channels, number):
    """Right answers and losses by image, with channels of the layer set to numbers by an offset of one image."""
    network = probe.network_of(model, variables)

    @jax.jit
    @jax.vmap
    def logits(image):
        value = network(image, {}).activations[layer]
        gone = jnp.isin(jnp.arange(value.shape[-1]), channels)
        gone = gone.reshape(*[1] * (value.ndim - 1), -1)
        there = jnp.asarray(number, value.dtype).reshape(*[1] * (value.ndim - 1), -1)
        return network(image, {layer: jnp.where(gone, there - value, 0)}).logits

    found = np.asarray(logits(images), np.float64)
    found = np.concatenate([np.zeros_like(found), found], 1) if found.shape[1] == 1 else found
    right = found.argmax(1) == labels
    loss = np.log(np.exp(found).sum(1)) - found[np.arange(len(found)), labels]
    return right, loss


def by_class(values, labels, k):
    return np.array([values[labels == c].sum() for c in range(k)])


@pytest.mark.parametrize(("name", "layer"), CASES)
def test_each_unit_is_worth_what_a_loop_over_hand_zeroed_networks_says(name, layer):
    make, shape, classes, _ = NETWORKS[name]
    to = "mean" if layer in ("relu1", "dilated", "shared@0") else "zero"
    (model, variables), (images, labels) = make(), drawn(shape, classes)
    found = units.ablation(model, variables, images, labels, layer, to=to)
    value = np.asarray(probe.activations(model, variables, images, layer)[layer])
    means = value.reshape(-1, value.shape[-1]).mean(0) if to == "mean" else np.zeros(value.shape[-1])
    assert found.units.tolist() == list(range(value.shape[-1]))
    count = np.maximum(found.images, 1)
    for unit in [-1, *found.units]:
        right, loss = by_hand(model, variables, images, labels, layer, np.array([unit]), means)
        own = (found.right, found.loss) if unit < 0 else (found.right_without[unit], found.loss_without[unit])
        np.testing.assert_array_equal(own[0], by_class(right, labels, classes))
        np.testing.assert_allclose(np.nan_to_num(own[1]), by_class(loss, labels, classes) / count, atol=2e-5)
        if unit >= 0:
            assert found.loss_gained[unit] == pytest.approx(loss.mean() - found.mean_loss, abs=2e-5)
            assert found.accuracy_lost[unit] == pytest.approx(found.accuracy - right.mean(), abs=1e-9)


def test_a_keras_file_in_chunks_of_any_size():
    net = networks.open(KERAS)
    images = np.random.default_rng(0).integers(0, 256, (9, *net.image_shape), np.uint8)
    labels = np.arange(9) % net.class_count
    ask = partial(units.ablation, net.model, net.variables, images, labels, net.layers[0].name, prepare=net.prepare)
    one, other = ask(batch_size=2), ask(batch_size=9)
    np.testing.assert_array_equal(one.right_without, other.right_without)
    np.testing.assert_allclose(one.loss_gained, other.loss_gained, atol=1e-4)


@pytest.mark.parametrize(("layer", "convolutions"), [("relu1", 2), ("relu2", 2)])
def test_what_comes_before_the_layer_is_computed_once(layer, convolutions):
    """The default network has two convolutions; of relu1 the second is a sum over units, never one per unit."""
    images, labels = drawn((12, 12, 1), 10)
    asked = units_of(Reader(*linen(CNN(width=8), (12, 12, 1)), layer), images, labels)
    request, variables, inputs = asked.request
    texts = []
    for count in (2, 8):
        zero = Sums(jnp.zeros(10, int), jnp.zeros((count, 10), int), jnp.zeros((count, 10)))
        held = variables, jnp.zeros(asked.count), jnp.arange(count)[:, None]
        rows, mask = (inputs, labels), np.ones(N, bool)
        texts.append(_add.plain.lower(request, layer, 10, held, zero, rows, mask).as_text())
    assert [len(re.findall(r"stablehlo\.convolution", text)) for text in texts] == [convolutions] * 2


def test_the_rewrite_changes_no_result(monkeypatch):
    (model, variables), (images, labels) = linen(CNN(width=4), (12, 12, 1)), drawn((12, 12, 1), 10)
    fast = units.ablation(model, variables, images, labels, "relu1")
    monkeypatch.setenv("CNNVIZ_PLAIN", "1")
    jax.clear_caches()
    plain = units.ablation(model, variables, images, labels, "relu1")
    np.testing.assert_array_equal(fast.right_without, plain.right_without)
    np.testing.assert_allclose(fast.loss_without, plain.loss_without, rtol=1e-5)
    jax.clear_caches()


def test_without_labels_the_answers_of_the_intact_network_count():
    (model, variables), (images, _) = linen(CNN(width=4), (12, 12, 1)), drawn((12, 12, 1), 10)
    found = units.ablation(model, variables, images, None, "relu2")
    assert found.against == "predictions"
    assert found.accuracy == 1.0
    assert (found.accuracy_lost >= 0).all()


def test_pairs_and_curves_equal_networks_zeroed_by_hand():
    (model, variables), (images, labels) = linen(CNN(width=3, hidden=5), (8, 8, 1)), drawn((8, 8, 1), 10)
    hand = lambda channels: by_hand(model, variables, images, labels, "relu2", np.array(channels), np.zeros(6))
    found = units.pairs(model, variables, images, labels, "relu2", units=[0, 2, 5])
    assert found.units.tolist() == [[0, 2], [0, 5], [2, 5]]
    base = hand([-1])[1].mean()
    for (one, other), gained, excess in zip(found.units, found.loss_gained, found.excess, strict=True):
        both = hand([one, other])[1].mean() - base
        assert gained == pytest.approx(both, abs=1e-5)
        singly = hand([one])[1].mean() + hand([other])[1].mean() - 2 * base
        assert excess == pytest.approx(both - singly, abs=2e-5)
    ranked = units.ablation(model, variables, images, labels, "relu2").ranked
    curve = units.ablation_curve(model, variables, images, labels, "relu2", steps=3, draws=2, key=KEY)
    assert curve.removed.tolist() == [0, 2, 4, 6]
    assert curve.random.shape == (2, 4)
    for i, count in enumerate(curve.removed):
        assert curve.most_important_first[i] == hand([-1, *ranked[:count]])[0].mean()
        assert curve.least_important_first[i] == hand([-1, *ranked[::-1][:count]])[0].mean()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"layer": "relu9"}, InputError, "'relu9' is not a layer; did you mean 'relu3'"),
        ({"units": [4]}, InputError, "relu1 has no unit 4; its 4 units go from 0 to 3, nearest is 3"),
        ({"units": []}, InputTypeError, r"Units are numbers such as \[0, 3\]"),
        ({"labels": np.full(N, 10)}, InputError, "10 classes apart, 0 to 9; a label was 10"),
        ({"labels": np.zeros(3, int)}, InputError, "class"),
        ({"to": "men"}, InputError, "'men' is not a replacement; did you mean 'mean'"),
        ({"to": np.zeros(3)}, InputError, "one number for each of the 4 units"),
        ({"images": np.zeros((N, 12, 12, 3), np.float32)}, InputError, "do not fit"),
        ({"layer": "conv*,relu1"}, InputError, "One layer is needed"),
    ],
)
def test_what_cannot_be_is_said(change, error, text):
    (model, variables), (images, labels) = linen(CNN(width=4), (12, 12, 1)), drawn((12, 12, 1), 10)
    given = {"images": images, "labels": labels, "layer": "relu1"} | change
    with pytest.raises(error, match=text):
        units.ablation(model, variables, **given)


def test_a_nan_is_named_by_layer_channel_and_image():
    (model, variables), (images, labels) = linen(CNN(width=4), (12, 12, 1)), drawn((12, 12, 1), 10)
    bad = jax.tree.map(jnp.array, variables)
    bad["params"]["conv1"]["bias"] = bad["params"]["conv1"]["bias"].at[2].set(jnp.nan)
    with pytest.raises(InputError, match="layer relu1 has a value that is NaN or infinite in channel 2 for image 0"):
        units.ablation(model, bad, images, labels, "relu1")


def test_a_unit_s_page_shows_what_it_is_worth_and_says_that_a_dead_one_is():
    from test_figures_pages import make_dataset, make_run

    from cnnviz.pictures.picture import Data
    from cnnviz.pictures.units import Units

    net, data = make_run(CNN(width=4, hidden=9)), Data(lambda: make_dataset((28, 28, 1)))
    params = jax.tree.map(jnp.array, net.variables)
    params["params"]["conv1"]["bias"] = params["params"]["conv1"]["bias"].at[2].set(-100.0)
    dead = networks.open(net.model, params, image_shape=(28, 28, 1), classes=net.classes)
    (page,) = Units(layer="relu1", unit=2)([dead], data)
    assert page.caption.startswith("This unit is dead")
    assert "patch" not in page.caption
    numbers: Any = page.numbers
    assert numbers["class_accuracy_lost"].shape == (10,)
    edges = units.connections(net.model, params, make_dataset((28, 28, 1)).test.images, "relu1", 2, prepare=net.prepare)
    for way, (edge,) in (("fed by image", edges.feeding), ("feeds conv2", edges.fed)):
        np.testing.assert_array_equal(numbers[f"{way}: weights"], edge.weights)
        np.testing.assert_allclose(numbers[f"{way}: flows"], edge.flows, rtol=1e-5, atol=1e-6)
    assert [row["edge"] for row in page.table] == ["feeds it"] + ["fed by it"] * 4
    assert page.draw().axes
    (alive,) = Units(layer="relu1", unit=1)([net], data)
    assert "dead" not in alive.caption
    assert alive.subject["unit"] == 1
    with pytest.raises(InputError, match="relu1 has no unit 99; its 4 units go from 0 to 3, nearest is 3"):
        Units(layer="relu1", unit=99)([net], data)
