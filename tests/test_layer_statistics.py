"""The layer table with statistics: FLOPs and bytes as counted by hand, measured times, statistics of units."""

from dataclasses import replace

import flax.linen as nn
import jax
import numpy as np
import pytest
from test_pictures import make_dataset, make_run

from cnnviz import probe, units
from cnnviz.models.cnn import CNN
from cnnviz.pictures.layers import Layers
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.probe.costs import costs

DATA = Data(lambda: make_dataset((12, 12, 1)))


class Counted(nn.Module):
    """A convolution with stride and groups, a ReLU, two poolings and a dense layer."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), strides=(2, 2), feature_group_count=2, name="conv")(x))
        x = nn.avg_pool(nn.max_pool(x, (2, 2), (2, 2)), (2, 2), (2, 2))
        return nn.Dense(3, name="dense")(x.reshape(len(x), -1))


class Block(nn.Module):
    """A module whose output is that of its ReLU."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        self.sow("intermediates", "relu", x)
        return x


class Nested(nn.Module):
    """A block and a dense layer."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10, name="last")(Block(name="block")(x).mean((1, 2)))


@pytest.fixture(scope="module")
def small():
    return make_run(CNN(width=4, hidden=9), (12, 12, 1))


def test_flops_and_bytes_are_those_counted_by_hand():
    images = np.zeros((3, 8, 8, 2), np.float32)
    variables = Counted().init(jax.random.key(0), images)
    found = costs(Counted(), variables, images)
    assert list(found) == [layer.name for layer in probe.layers(Counted(), variables, (8, 8, 2))]
    at = {name.rpartition("/")[2]: cost for name, cost in found.items()}
    assert (at["conv"].flops, at["conv"].bytes) == (2 * 4 * 4 * 4 * 3 * 3 * 1 + 4 * 4 * 4, 4 * 4 * 4 * 4)
    assert (at["relu"].flops, at["max_pool"].flops) == (4 * 4 * 4, 2 * 2 * 4 * 4)
    assert (at["dense"].flops, at["dense"].bytes) == (2 * 4 * 3 + 3, 4 * 3)
    assert all(cost.seconds > 0 for cost in found.values() if cost.flops)


def test_a_second_name_of_a_value_costs_nothing():
    images = np.zeros((2, 8, 8, 1), np.float32)
    variables = Nested().init(jax.random.key(0), images)
    found = costs(Nested(), variables, images)
    rows = {row.name: row for row in probe.layers(Nested(), variables, (8, 8, 1))}
    assert [name for name in found if rows[name].repeats] == ["block"]
    assert found["block"].flops == found["block"].seconds == 0 < found["block/relu"].flops
    products = probe.products(Nested(), variables, (8, 8, 1))
    assert 2 * products < sum(cost.flops for cost in found.values()) < 2.5 * products


def test_the_table_has_the_statistics_of_units(small):
    (picture,) = Layers(statistics=True)([small], DATA)
    known = units.statistics(small.model, small.variables, DATA.dataset.test.images, prepare=small.prepare)
    rows = {row["layer"]: row for row in picture.numbers}
    pixels = small.prepare(DATA.dataset.test.images)
    values = np.asarray(probe.activations(small.model, small.variables, pixels, "relu1")["relu1"])
    assert rows["relu1"]["zero_fraction"] == pytest.approx((values == 0).mean(), abs=1e-6)
    assert rows["relu1"]["deviation"] == pytest.approx(values.std(), rel=1e-4)
    assert rows["relu3"]["dead_units"] == known["relu3"].dead.sum()
    assert rows["total"]["parameters"] == picture.numbers[-1]["parameters"]
    printed = {row["layer"]: row for row in picture.table}
    assert printed["relu3"]["dead units"] == str(known["relu3"].dead.sum())
    assert [*printed] == [*(layer.name for layer in small.layers), "total"]


def test_folded_rows_have_the_costs_of_what_is_inside():
    net = make_run(Nested(), (12, 12, 1))
    (picture,) = Layers(statistics=True, depth=1)([net], DATA)
    rows = {row["layer"]: row for row in picture.numbers}
    inside = sum(row["flops"] for name, row in rows.items() if name.startswith("block/"))
    drawn = {row["layer"]: row for row in picture.table}
    assert rows["block"]["flops"] == 0  # in the numbers each row is one layer
    assert list(drawn) == ["block", "mean", "last", "total"]
    assert drawn["block"]["FLOPs"] == f"{inside / 1000:.3g} k"


def test_without_a_data_set_there_are_none(small):
    with pytest.raises(Skipped):
        Layers(statistics=True)([replace(small, dataset="")], Data(lambda: None))
