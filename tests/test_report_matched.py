"""Two networks in a report: the kernels of both in the order in which their units are matched."""

import csv
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import networks
from cnnviz.comparison.permute import permute, random_permutations
from cnnviz.comparison.ties import ties
from cnnviz.pictures.picture import Data
from cnnviz.report.html import Content
from cnnviz.report.matched import matched
from cnnviz.report.payload import Shown, shelf
from cnnviz.report.write import write

SIDES = (10, 10, 1)


class Odd(nn.Module):
    """Two convolutions, of which the first one's units may also change their sign."""

    width: int = 6

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.Conv(self.width, (3, 3), name="conv1")(x))
        x = nn.relu(nn.Conv(5, (3, 3), name="conv2")(x))
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


def opened_as(name, model, seed=0):
    variables = model.init(jax.random.key(seed), jnp.zeros((1, *SIDES)))
    return networks.open(model, variables, image_shape=SIDES, classes=("a", "b", "c"), name=name)


@pytest.fixture(scope="module")
def planted():
    """A network, the same with its units in another order and with other signs, and the permutations."""
    one = opened_as("one", Odd())
    tied = ties(one.model, one.variables, SIDES)
    rng = np.random.default_rng(3)
    order = random_permutations(tied, rng, signs=True)
    assert (order["conv1"].signs < 0).any()
    return one, replace(one, name="other", members=[permute(one.variables, tied, order)]), order


def test_units_in_another_order_and_with_other_signs_are_found(planted):
    one, other, order = planted
    (found,) = matched([one, other], Data(lambda: None))
    assert (found["networks"], found["why"]) == ([0, 1], "")
    groups = {"conv1": "conv1", "tanh": "conv1", "conv2": "conv2", "relu": "conv2", "mean": "conv2"}
    assert found["layers"].keys() == groups.keys()
    for layer, group in groups.items():
        own = found["layers"][layer]
        assert own["order"] == np.argsort(order[group].order).tolist()
        expected = order[group].signs[own["order"]] < 0
        assert own["flipped"] == np.flatnonzero(expected).tolist()
        assert own["alike"] == pytest.approx([1] * len(own["order"]), abs=1e-5)


def test_networks_with_other_layers_say_why_they_are_not_matched(planted):
    one, *_ = planted
    (found,) = matched([one, opened_as("wide", Odd(7))], Data(lambda: None))
    assert found["layers"] == {}
    assert "do not have the same layers" in found["why"]
    assert matched([one], Data(lambda: None)) == []


def page_of(path, nets):
    images = np.random.default_rng(1).integers(0, 256, (2, *SIDES), np.uint8)
    payload = {"shelf": shelf(images, ["a", "b"], [0, 1]), "pool": {}, "matched": matched(nets, Data(lambda: None))}
    rows = [(net.title, [{"layer": layer.name} for layer in net.layers]) for net in nets]
    write(path, Content("a page", [], {}, rows, {}, payload), [Shown(net) for net in nets], {})
    return path


@pytest.mark.slow
def test_kernels_are_drawn_below_those_that_they_were_matched_with(opened, planted, tmp_path):
    one, other, order = planted
    view, faults = opened(page_of(tmp_path / "page.html", [one, other]), "#one/conv1")
    back = np.argsort(order["conv1"].order)
    signs = order["conv1"].signs[back]
    pairs = view.locator(".pairs .pair")
    expected = [f"{a}\n{'−' if sign < 0 else ''}{b}\n1" for a, (b, sign) in enumerate(zip(back, signs, strict=True))]
    assert [each.replace("\n\n", "\n") for each in pairs.all_inner_texts()] == expected
    pixels = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
    drawn = [[np.array(each.evaluate(pixels)) for each in pair.locator("canvas").all()] for pair in pairs.all()]
    for above, below in drawn:
        np.testing.assert_allclose(above, below, atol=3)  # weights of 16 bits may round to the next color
    assert len({tuple(above.tolist()) for above, _ in drawn}) == len(drawn)
    with view.expect_download() as file:
        view.locator(".matched").get_by_label("Numbers as CSV").click()
    file.value.save_as(tmp_path / "pairs.csv")
    rows = list(csv.DictReader((tmp_path / "pairs.csv").open()))
    assert [int(row["unit of other"]) for row in rows] == back.tolist()
    assert [int(row["sign"]) for row in rows] == signs.tolist()
    view.get_by_label(f"other: conv1/{back[2]}").click()
    view.locator(f"body[data-done^='#other/conv1/{back[2]}']").wait_for()
    assert view.locator(".pairs").count() == 0
    assert faults == []


@pytest.mark.slow
def test_a_page_of_networks_that_are_not_matched_says_so(opened, planted, tmp_path):
    view, faults = opened(page_of(tmp_path / "page.html", [planted[0], opened_as("wide", Odd(7))]), "#one/conv1")
    assert "do not have the same layers, so their units are not matched" in view.locator(".unmatched").inner_text()
    assert view.locator(".pairs").count() == 0
    assert faults == []
