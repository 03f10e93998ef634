"""The page of a report in Chromium: what a person does with it, and what it says of what it cannot do."""

import csv
import json
import re
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import networks, probe
from cnnviz.networks import build
from cnnviz.report.html import Content
from cnnviz.report.payload import Shown, Step, shelf
from cnnviz.report.write import write

pytestmark = pytest.mark.slow
SIDES = (10, 10, 1)
NAMES = ["sehr " * 30 + "lang", "שלום", "猫", "<b>&amp;</b>"]


class Block(nn.Module):
    """Adds something to what it is given, by a branch of its own."""

    @nn.compact
    def __call__(self, x):
        y = nn.relu(nn.Conv(3, (1, 1), name="conv")(x))
        return nn.relu(x + nn.Conv(3, (1, 1), name="out")(y))


class Deep(nn.Module):
    """More layers than a strip can show, a layer of more maps than a page of them, more classes than a list."""

    classes: int

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (3, 3), name="first")(x)
        for i in range(14):
            x = Block(name=f"block{i}")(x)
        x = nn.relu(nn.Conv(300, (1, 1), name="wide")(x))
        return nn.Dense(self.classes, name="logits")(x.mean((1, 2)))


def drawn(model, classes, name):
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *SIDES)))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), jnp.float32), shapes)
    return networks.open(model, variables, image_shape=SIDES, classes=tuple(classes), name=name)


def written(path, shown, payload):
    nets = [each.net for each in shown]
    rows = [(net.title, [{"layer": layer.name} for layer in net.layers]) for net in nets]
    write(path, Content("a page", [], {}, rows, {}, payload), shown, {})
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two networks that differ in their weights, with what a comparison of them says."""
    model = build("cnn", {}, 3, SIDES)
    one = drawn(model, NAMES[:3], "one")
    other = replace(one, name="other", members=[jax.tree.map(lambda leaf: -leaf, one.variables)])
    near = {"relu1": [[{"network": 1, "layer": "relu1", "unit": 5, "correlation": 0.9}]] * 32}
    numbers = {"mean": 0.21, "low": 0.1, "high": 0.3, "images": 100}
    evidence = {"gradient": {"agreement": {"rank": 0.81, "baseline": 0.12, "seeds": 3, "images": 64}}}
    evidence["gradient"]["metrics"] = [{"name": "pixel_flipping", "better": "lower", "isBetter": True, **numbers}]
    shown = [Shown(one, [Step("step 0", other.variables)], nearest=near, methods=evidence), Shown(other)]
    images = np.random.default_rng(1).integers(0, 256, (2, *SIDES), np.uint8)
    matrix = {"title": "CKA", "networks": [0, 1], "rows": ["relu1", "pool1"], "columns": ["relu1", "relu2"]}
    payload = {"shelf": shelf(images, ["a", "b"], [0, 1]), "pool": {}}
    payload["matrices"] = [matrix | {"values": [[1, 0.5], [0.2, 0.3]]}]
    return written(tmp_path_factory.mktemp("two") / "two.html", shown, payload)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A deep network of 120 classes, without images and without steps."""
    net = drawn(Deep(120), [*NAMES, *(f"class {i}" for i in range(116))], "deep")
    assert len(net.layers) > 60
    return written(tmp_path_factory.mktemp("deep") / "deep.html", [Shown(net)], {"shelf": [], "pool": {}})


def test_a_deep_network_is_folded_by_block_and_a_block_opens(opened, deep):
    view, faults = opened(deep)
    names = lambda: [each.replace("\n", "") for each in view.locator(".strip h4").all_inner_texts()]
    folded = names()
    assert [name for name in folded if name.startswith("block3")] == ["block3"]
    assert len(folded) < 25
    assert view.get_by_role("button", name="more").count() == 14
    view.get_by_role("button", name="more").nth(3).click()
    view.locator("body[data-done*='open=block3']").wait_for()
    assert len(names()) > len(folded)
    assert "block3/conv" in names()
    assert view.locator("path.branch").count() > 0
    assert faults == []


def test_many_maps_are_paged_and_many_classes_are_listed_in_part(opened, deep):
    view, faults = opened(deep, "#deep/wide")
    assert "maps 0–255 of 300" in view.locator("#detail").inner_text()
    view.locator("#detail .paged button").last.click()
    assert "maps 256–299 of 300" in view.locator("#detail").inner_text()
    assert view.locator(".classes .row").count() == 12
    assert "the first 12 of 120" in view.locator(".classes").inner_text()
    assert view.evaluate("() => document.documentElement.scrollWidth") <= 1280
    assert view.get_by_text("Weights of").count() == 0  # no steps, no slider
    assert view.locator(".shelf button").count() == 0
    assert faults == []


def test_the_network_runs_in_the_page_where_there_are_no_workers(opened, two):
    view, faults = opened(two, "#one/relu1/3?class=1", script="delete window.Worker;")
    assert view.locator("#section-attribution canvas.map").count() == 4
    assert faults == []
    failing = "window.Worker = class { constructor() { throw new Error('none'); } };"
    assert opened(two, script=failing)[1] == []


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [("a.txt", b"no picture", "not a picture"), ("b.png", bytes(41_000_000), "too large"), ("c.png", b"", "not a")],
)
def test_a_file_that_is_no_picture_or_too_large_is_said(opened, two, tmp_path, name, data, said):
    view, faults = opened(two)
    (tmp_path / name).write_bytes(data)
    view.locator("input[type=file]").set_input_files(tmp_path / name)
    view.locator(".status").get_by_text(said).wait_for(timeout=5000)
    assert faults == []


def test_numbers_and_expressions_are_taken_from_the_page(opened, two, tmp_path):
    view, faults = opened(two, "#one/relu1/3?image=1")
    for kind in ("JSON", "CSV", "npz"):
        with view.expect_download() as found:
            view.locator("#detail > .acts").get_by_role("button", name=f"Numbers as {kind}").click()
        found.value.save_as(tmp_path / f"a.{kind.lower()}")
    values = json.loads((tmp_path / "a.json").read_text())
    assert values["shape"] == [10, 10, 1]
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [float(row["value"]) for row in rows] == values["values"]
    assert (rows[13]["row"], rows[13]["column"]) == ("1", "3")
    array = np.load(tmp_path / "a.npz")["values"]
    assert (array.shape, array.dtype) == ((10, 10, 1), np.float32)
    assert array.ravel().tolist() == values["values"]
    view.locator("#detail").get_by_role("button", name="Copy the Python expression").click()
    view.locator("dialog textarea, .status:has-text('Copied')").first.wait_for()
    assert "[..., 3]" in view.locator("body").inner_html()
    assert faults == []


def taken(view, button, path):
    """The file that a button gives, as NumPy reads it."""
    with view.expect_download() as found:
        button.click()
    found.value.save_as(path)
    return np.load(path, allow_pickle=False)


def strokes(view, tool, places, fill=None):
    """Moves the pressed pointer over the picture, as shares of its sides."""
    view.get_by_label("What the pointer does on the picture").select_option(tool)
    if fill:
        view.get_by_label("What erased pixels become").select_option(fill)
    box = view.locator("canvas.pen").bounding_box()
    for i, (x, y) in enumerate(places):
        view.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if i == 0:
            view.mouse.down()
    view.mouse.up()
    view.wait_for_timeout(1500)


def test_all_numbers_of_a_drawn_picture_are_those_of_jax(opened, two, tmp_path):
    view, faults = opened(two, "#one")
    strokes(view, "draw", [(0.2, 0.2), (0.8, 0.7)])
    found = taken(view, view.get_by_role("button", name="all numbers").first, tmp_path / "all.npz")
    net = drawn(build("cnn", {}, 3, SIDES), NAMES[:3], "one")
    pixels = found["pixels"]
    assert (pixels.shape, pixels.dtype, pixels.max()) == (SIDES, np.uint8, 255)
    prepared = net.prepare(pixels[None])
    logits = np.asarray(probe.logits(net.model, net.variables, prepared))[0]
    size = np.abs(logits).max()
    np.testing.assert_allclose(found["logits"], logits, atol=2e-3 * size)  # weights of 16 bits
    np.testing.assert_allclose(found["probabilities"], jax.nn.softmax(found["logits"]), rtol=1e-5, atol=1e-7)
    layers = probe.activations(net.model, net.variables, prepared)
    for name in ("conv1", "pool2", "logits"):
        values = np.asarray(layers[name])[0]
        np.testing.assert_allclose(found[f"layers/{name}"], values, atol=3e-3 * np.abs(values).max())
    maps = view.locator("#section-attribution figure").first
    maps.get_by_text("Numbers", exact=True).first.click()
    own = taken(view, maps.get_by_role("button", name="Numbers as npz"), tmp_path / "map.npz")["values"]
    score = lambda image: probe.logits(net.model, net.variables, image[None])[0, int(logits.argmax())]
    gradient = np.asarray(jax.grad(score)(jnp.asarray(prepared[0])))
    np.testing.assert_allclose(own, gradient, atol=5e-3 * np.abs(gradient).max())
    assert faults == []


@pytest.mark.parametrize("fill", ["black", "mean"])
def test_an_erased_box_shows_the_probabilities_before_and_after(opened, two, tmp_path, fill):
    view, faults = opened(two, "#one?image=1")
    button = view.get_by_role("button", name="all numbers").first
    before = taken(view, button, tmp_path / "before.npz")
    strokes(view, "erase a box", [(0.15, 0.35), (0.7, 0.5), (0.55, 0.75)], fill)
    after = taken(view, button, tmp_path / "after.npz")
    expected = before["pixels"].copy()
    expected[3:8, 1:6] = 0 if fill == "black" else round(float(expected.mean()))
    np.testing.assert_array_equal(after["pixels"], expected)
    assert "before → now" in view.locator(".classes").first.inner_text()
    for row in view.locator(".classes").first.locator(".row").all_inner_texts():
        name, said = row.split("\n")[0], row.split("\n")[-1]
        place = NAMES.index(name)
        was, now = (float(each.rstrip(" %")) / 100 for each in said.split(" → "))
        assert abs(was - before["probabilities"][place]) < 0.006
        assert abs(now - after["probabilities"][place]) < 0.006
    view.get_by_role("button", name="Put it back").click()
    view.locator("body[data-done*='image=1']").wait_for()
    assert "before" not in view.locator(".classes").first.inner_text()
    np.testing.assert_array_equal(taken(view, button, tmp_path / "back.npz")["pixels"], before["pixels"])
    assert faults == []


def test_softmax_is_shown_with_its_numbers(opened, two, tmp_path):
    view, faults = opened(two, "#one?class=2")
    view.get_by_role("button", name="step by step").first.click()
    view.locator("body[data-done^='#one/logits/2']").wait_for()
    softmax = view.locator(".softmax")
    found = taken(view, softmax.get_by_role("button", name="Numbers as npz"), tmp_path / "softmax.npz")
    assert (found["names"].tolist(), found["columns"].tolist()) == (
        NAMES[:3],
        ["logits", "exponentials", "probabilities"],
    )
    logits, exponentials, probabilities = found["values"].T
    np.testing.assert_allclose(exponentials, np.exp(logits - logits.max()))
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum())
    formula = softmax.locator(".formula").inner_text()
    assert formula.startswith(f"p({NAMES[2]}) = exp({logits[2]:.4g}")
    assert float(formula.rpartition("= ")[2]) == pytest.approx(probabilities[2], rel=1e-3)
    assert faults == []


def test_values_beyond_a_clipped_scale_are_marked_and_counted(opened, two, tmp_path):
    view, faults = opened(two, "#one/conv1?clip=1&image=1")
    legend = view.locator("#detail .paged .legend").inner_text()
    above, below = (int(re.findall(rf"(\d+) {word}", legend)[0]) for word in ("above", "below"))
    values = taken(view, view.locator("#detail > .acts").get_by_label("Numbers as npz"), tmp_path / "a.npz")["values"]
    end = float(re.findall(r"[\d.]+", legend)[1])
    assert (above, below) == ((values > end * 1.001).sum(), (values < -end * 1.001).sum())
    assert 0 < above + below <= 0.01 * values.size
    count = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let [above, below] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        if (data[i] === 255 && data[i + 1] === 45 && data[i + 2] === 200) above++;
        if (data[i] === 0 && data[i + 1] === 229 && data[i + 2] === 255) below++;
      }
      return [above, below];
    }"""
    assert view.locator("#detail canvas.large").evaluate(count) == [above, below]
    view.keyboard.press("c")
    view.locator("body[data-done='#one/conv1?image=1']").wait_for()
    assert view.locator("#detail canvas.large").evaluate(count) == [0, 0]
    assert faults == []


def test_a_cell_of_a_matrix_opens_both_layers(opened, two):
    view, faults = opened(two)
    view.get_by_role("button", name="pool1 and relu2: 0.3").click()
    view.locator("body[data-done*='with=']").wait_for()
    assert view.locator("#detail h2").all_inner_texts() == ["one: pool1", "other: relu2"]
    view.reload()
    view.locator("body[data-done*='with=']").wait_for()
    assert view.locator("#detail h2").count() == 2
    assert faults == []


def test_the_nearest_unit_of_the_other_network_is_marked_and_linked(opened, two):
    view, faults = opened(two, "#one/relu1/3")
    view.locator(".strip canvas[aria-label='Maps of relu1']").first.hover(position={"x": 5, "y": 5})
    mark = view.locator(".network .twin")
    assert mark.count() == 1
    view.get_by_role("button", name="other: relu1/5").click()
    view.locator("body[data-done^='#other/relu1/5']").wait_for()
    assert faults == []


def test_several_images_are_explained_by_all_methods_and_lead_to_the_image(opened, two):
    view, faults = opened(two)
    view.get_by_text("The first 2 images by all methods").click()
    view.locator(".several tbody tr:nth-child(2) td:nth-child(5) canvas").wait_for()
    rows = view.locator(".several tbody tr")
    assert rows.count() == 2
    assert rows.first.locator("canvas").count() == 5  # the image, and four methods
    first = view.locator("#section-attribution canvas.map")
    same = "([a, b]) => a.toDataURL() === b.toDataURL()"
    pairs = zip(first.element_handles(), rows.first.locator("td canvas").element_handles(), strict=True)
    assert all(view.evaluate(same, list(pair)) for pair in pairs)
    rows.last.get_by_role("button", name="b").click()
    view.locator("body[data-done*='image=1']").wait_for()
    assert rows.count() == 2  # the table does not depend on the image that is shown
    assert faults == []


def test_what_is_known_of_a_method_stands_below_its_map(opened, two):
    view, faults = opened(two, "#one")
    said = view.locator("#section-attribution figure").first.inner_text()
    assert "Maps of 3 seeds: rank correlation 0.81, and 0.12 with those of other images" in said
    assert [cell.strip() for cell in view.locator(".evidence tr").inner_text().split("\t")] == [
        "pixel flipping ↓",
        "0.21 (0.1 to 0.3)",
        "✓",
    ]
    assert view.locator(".evidence").count() == 1
    assert faults == []


def test_a_unit_that_is_switched_off_changes_what_comes_after_it(opened, two):
    view, faults = opened(two, "#one/conv1/3")
    read = "c => c.toDataURL()"
    maps = lambda: view.locator(".strip canvas[aria-label='Maps of relu2']").first.evaluate(read)
    before = maps()
    view.get_by_role("button", name="1 more").click()
    view.wait_for_timeout(1500)
    assert maps() != before
    view.get_by_role("button", name="as it is").click()
    view.wait_for_timeout(1500)
    assert maps() == before
    assert faults == []


def test_a_pooled_value_is_the_largest_of_its_window(opened, two):
    view, faults = opened(two, "#one/pool1/2")
    steps = view.locator(".stepped .formula").all_inner_texts()
    assert [step.partition("[")[0] for step in steps] == ["pool1", "relu1", "conv1"]
    values = [float(step.rpartition("= ")[2]) for step in steps]
    assert values[0] == values[1] == max(values[2], 0) > 0
    said = steps[0]
    cells = [float(text) for text in view.locator(".stepped .pool td").all_inner_texts()]
    assert "largest of 2×2 values" in said
    assert max(cells) == pytest.approx(float(said.rpartition("= ")[2]), rel=1e-3)
    assert faults == []


def test_what_a_screen_reader_finds(opened, two):
    view, faults = opened(two, "#one/relu1/3")
    found = view.locator("body").aria_snapshot()
    for line in ('heading "a page"', 'group "Layers of one"', 'img "Maps of conv1"', 'button "a"', 'region "Unit 3'):
        assert line in found
    nameless = "() => [...document.querySelectorAll('#app button, #app canvas:not([aria-hidden])')]"
    nameless += ".filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim())).length"
    assert view.evaluate(nameless) == 0
    assert len(view.pdf()) > 10_000
    assert faults == []
