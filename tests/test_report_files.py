"""The numbers behind what a report's page shows of units and of several images, as files."""

import base64
import csv
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import networks, units
from cnnviz.report.html import Content
from cnnviz.report.payload import Shown, shelf, statistics
from cnnviz.report.write import write

pytestmark = pytest.mark.slow
SIDES = (10, 10, 1)

BITS = {"mean": np.arange(-50, 50), "deviation": np.arange(100, 0, -1)}  # of 127 for a size of 2
SMALL = {name: {"size": 2, "bytes": base64.b64encode(np.int8(bits).tobytes()).decode()} for name, bits in BITS.items()}
SPREAD = {"seeds": 3, "shape": [10, 10], "images": {"5": {"target": 1, **SMALL}}}


class Net(nn.Module):
    """A unit of the second convolution reads more units than are listed."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(9, (3, 3), name="conv1")(x))
        x = nn.relu(nn.Conv(8, (3, 3), name="conv2")(x))
        return nn.Dense(3, name="logits")(x.mean((1, 2)))


@pytest.fixture(scope="module")
def net():
    variables = Net().init(jax.random.key(0), jnp.zeros((1, *SIDES)))
    return networks.open(Net(), variables, image_shape=SIDES, classes=("a", "b", "c"), name="one")


@pytest.fixture(scope="module")
def found(net):
    images = np.random.default_rng(1).integers(0, 256, (12, *SIDES), np.uint8)
    return images, units.statistics(net.model, net.variables, images, k=9, prepare=net.prepare)


@pytest.fixture(scope="module")
def page(net, found, tmp_path_factory):
    images, of_units = found
    own, pool = statistics(of_units, images)
    payload = {"shelf": shelf(images[:3], ["x", "y", "z"], [0, 1, 2]), "pool": pool}
    path = tmp_path_factory.mktemp("files") / "page.html"
    rows = [(net.title, [{"layer": layer.name} for layer in net.layers])]
    payload["shelf"][0]["number"] = 5
    shown = Shown(net, statistics=own, methods={"gradient": {"spread": SPREAD}})
    write(path, Content("a page", [], {}, rows, {}, payload), [shown], {})
    return path


def rows_of(view, place, path):
    with view.expect_download() as file:
        place.get_by_label("Numbers as CSV").click()
    file.value.save_as(path)
    return list(csv.DictReader(path.open()))


def test_all_units_that_feed_a_unit_and_that_it_feeds_are_in_files(opened, page, net, tmp_path):
    kernel = np.asarray(net.variables["params"]["conv2"]["kernel"], np.float16).astype(np.float64)
    for place, words, own in (
        ("conv2/3", "Fed most by", kernel[..., 3]),
        ("conv1/4", "Feeds most", np.swapaxes(kernel, 2, 3)[..., 4]),
    ):
        view, faults = opened(page, f"#one/{place}")
        figure = view.locator("#detail figure").filter(has_text=words)
        rows = rows_of(view, figure, tmp_path / "links.csv")
        sizes = np.abs(own).sum((0, 1))
        order = np.argsort(-sizes)
        assert [int(row["name"].rpartition("/")[2]) for row in rows] == order.tolist()
        np.testing.assert_allclose([float(row["sum of their sizes"]) for row in rows], sizes[order], rtol=1e-5)
        np.testing.assert_allclose([float(row["sum of weights"]) for row in rows], own.sum((0, 1))[order], atol=1e-5)
        assert figure.locator(".row").count() == 6
        assert faults == []


def test_the_largest_values_of_a_unit_are_in_a_file_with_their_places(opened, page, found, tmp_path):
    view, faults = opened(page, "#one/conv2/5")
    figure = view.locator("#detail figure").filter(has_text="Images with its largest values")
    rows = rows_of(view, figure, tmp_path / "top.csv")
    top = found[1]["conv2"].top
    assert [int(row["name"]) for row in rows] == top.images[:, 5].tolist()
    np.testing.assert_allclose([float(row["value"]) for row in rows], top.values[:, 5], rtol=1e-4)
    places = [(int(row["row"]), int(row["column"])) for row in rows]
    assert places == [tuple(place) for place in top.places[:, 5].tolist()]
    assert faults == []


def test_the_maps_of_several_images_are_in_a_file_for_each_method(opened, page, net, found, tmp_path):
    view, faults = opened(page, "#one")
    view.get_by_text("The first 3 images by all methods").click()
    cells = view.locator(".several tfoot td")
    cells.first.wait_for()
    assert cells.count() == 4
    with view.expect_download() as file:
        cells.first.get_by_label("Numbers as JSON").click()
    file.value.save_as(tmp_path / "maps.json")
    given = json.loads((tmp_path / "maps.json").read_text())
    assert (given["shape"], given["names"]) == ([3, 10, 10], ["x", "y", "z"])
    pixels = net.prepare(found[0][:3])
    own = jax.tree.map(lambda leaf: leaf.astype(jnp.float16).astype(jnp.float32), net.variables)  # as in the page
    score = lambda image: net.model.apply(own, image[None])[0].max()
    expected = np.stack([jax.grad(score)(image)[..., 0] for image in jnp.asarray(pixels)])
    values = np.reshape(given["values"], given["shape"])
    np.testing.assert_allclose(values, expected, atol=1e-3 * np.abs(expected).max())
    (first, *_) = rows_of(view, cells.first, tmp_path / "maps.csv")
    assert list(first) == ["image", "row", "column", "value"]
    assert faults == []


def test_maps_over_seeds_are_shown_for_the_image_and_the_class_that_they_are_of(opened, page, tmp_path):
    view, faults = opened(page, "#one?class=1")
    maps = view.locator(".spread > div")
    assert view.locator(".spread").count() == 1
    for i, (name, bits) in enumerate(BITS.items()):
        rows = rows_of(view, maps.nth(i), tmp_path / "map.csv")
        np.testing.assert_allclose([float(row["value"]) for row in rows], bits * 2 / 127, rtol=1e-6)
        assert maps.nth(i).inner_text().startswith(name)
    assert "over 3 seeds of maps divided by their largest size" in view.locator("#section-attribution").inner_text()
    for address in ("#one?class=2", "#one?class=1&image=1"):
        view, more = opened(page, address)
        assert view.locator(".spread").count() == 0
        assert "Maps over 3 seeds are here for 1 images" in view.locator("#section-attribution").inner_text()
        assert faults + more == []
