"""The report: one file, escaped, within its budget, and in a browser a network that runs."""

import json
import re
from html.parser import HTMLParser

import matplotlib.figure
import numpy as np
import pytest

from cnnviz import networks
from cnnviz.commands import report as command
from cnnviz.commands.main import run
from cnnviz.errors import InputError
from cnnviz.networks import build
from cnnviz.pictures.picture import Picture
from cnnviz.probe import activations
from cnnviz.report import budget, sources
from cnnviz.report.html import Content, Encoder, rendered
from cnnviz.report.payload import Shown, Step, shelf
from cnnviz.report.write import write

HOSTILE = "</script><img src=x onerror=alert(1)>"


def picture(name="maps"):
    return Picture(name, f"Title {HOSTILE}", "A caption.", [{"value": 1.5}], matplotlib.figure.Figure)


@pytest.fixture(scope="module")
def net():
    import jax
    import jax.numpy as jnp

    model = build("cnn", {}, 3, (12, 12, 1))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 12, 12, 1)))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.2, leaf.shape), jnp.float32), shapes)
    classes = (HOSTILE, "猫", "plain")
    return networks.open(model, variables, image_shape=(12, 12, 1), classes=classes, name=f"net {HOSTILE}")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, 12, 12, 1), np.uint8)


@pytest.fixture(scope="module")
def page(net, images, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text("an earlier one")
    payload = {"shelf": shelf(images, ["one", HOSTILE, "three"], [0, 1, 2]), "pool": {}}
    rows = [(net.title, [{"layer": layer.name, "shape": layer.shape} for layer in net.layers])]
    content = Content(net.title, ["a fact"], {"maps": [picture()]}, rows, {"command": HOSTILE}, payload)
    write(path, content, [Shown(net, [Step("step 0", net.variables)])], {})
    return path


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_no_text_becomes_an_element_and_nothing_is_requested(page):
    found = Elements(page.read_text()).found
    assert not [attributes for _, attributes in found if any(name.startswith("on") for name in attributes)]
    assert [attributes["src"][:22] for tag, attributes in found if tag == "img"] == ["data:image/webp;base64"]
    assert all(attributes.get("alt") for tag, attributes in found if tag == "img")
    assert {tag for tag, _ in found}.isdisjoint({"link", "iframe", "object", "base"})
    links = [attributes["href"] for tag, attributes in found if tag == "a"]
    assert links
    assert {link.partition(":")[0] for link in links if not link.startswith("#")} == {"data"}


def test_the_policy_allows_the_scripts_of_the_page_and_no_others(page):
    text = page.read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    assert "unsafe" not in policy
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    assert sources.digest(script) in policy.replace("&#39;", "'")
    assert policy.startswith("default-src &#39;none&#39;")


def test_the_payload_is_the_network(page, net):
    text = page.read_text().partition('id="payload">')[2].partition("</script>")[0]
    payload = json.loads(text)
    assert payload["networks"][0]["classes"] == list(net.classes)
    assert [step["name"] for step in payload["networks"][0]["steps"]] == ["best", "step 0"]
    assert list(payload["networks"][0]["graph"]["layers"]) == [layer.name for layer in net.layers]


def test_what_does_not_fit_is_left_out_and_said():
    sizes = {choice: 100 - 10 * i for i, choice in enumerate(budget.CHOICES)}
    page, choice = budget.fitted(lambda choice, notes: "x" * sizes[choice], 75)
    assert (len(page), choice) == (70, budget.CHOICES[3])
    assert "without the weights of more than 3 steps" in budget.notes(choice)[0]
    assert "without the files of numbers and the weights of earlier steps" in budget.notes(budget.CHOICES[5])[0]
    with pytest.raises(InputError, match="without pictures"):
        budget.fitted(lambda choice, notes: "x" * 100, 10)


def test_a_write_that_is_cut_off_leaves_the_earlier_file_as_it_was(net, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("an earlier one")

    def cut_off(self, text, **options):
        with self.open("w", encoding="utf-8") as file:
            file.write(text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", cut_off)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write(path, Content("a page", [], {}, [], {}, {}), [Shown(net)], {})
    assert path.read_text() == "an earlier one"
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_are_too_large_for_a_page_are_said_to_be():
    """A picture of a million values, and one of a few."""
    values = np.random.default_rng(0).normal(size=1_000_000)
    large = Picture("maps", "Maps", "", {"values": values}, matplotlib.figure.Figure)
    content = Content("a page", [], {"maps": [large, picture()]}, [], {}, {})
    page = rendered(content, Encoder({}), None, True)
    assert len(page) < 1_000_000
    assert re.findall(r"Its numbers \((.*?)\) are too large", page) == ["7.7 MB"]
    assert page.count('download="maps.csv"') == 1


@pytest.mark.parametrize("arguments", [["--format", "svg"], ["--out", "folder"], ["--dpi", "100"], ["nowhere"]])
def test_what_a_report_cannot_use_is_an_error(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("visualize", ["report", *arguments], "visualize.py") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_page_opens_without_a_fault_and_shows_a_hostile_name_as_it_is(opened, page):
    view, faults = opened(page)
    assert faults == []
    assert HOSTILE in view.locator(".classes").inner_text()
    assert view.locator("#app img").count() == 0
    assert view.locator(".strip .layer").count() > 8


@pytest.mark.slow
def test_a_drawn_stroke_changes_the_values_to_what_jax_computes(opened, page, net):
    view, faults = opened(page, "#x/relu1/3")
    box = view.locator("canvas.pen").bounding_box()
    view.get_by_role("button", name="Clear").click()
    view.mouse.move(box["x"] + 40, box["y"] + 40)
    view.mouse.down()
    view.mouse.move(box["x"] + 150, box["y"] + 160, steps=8)
    view.mouse.up()
    view.wait_for_timeout(1500)
    read = "c => Array.from(c.getContext('2d').getImageData(0, 0, 12, 12).data)"
    drawn = np.array(view.locator("canvas.pen").evaluate(read), np.uint8).reshape(12, 12, 4)[..., :1]
    assert drawn.max() == 255
    from cnnviz.probe import logits

    rows = view.locator(".classes .row").all_inner_texts()
    found = {row.split("\n")[0]: float(row.split("\n")[-1].split()[0]) / 100 for row in rows}
    values = np.exp(np.asarray(logits(net.model, net.variables, net.prepare(drawn[None])))[0])
    for name, share in zip(net.classes, values / values.sum(), strict=True):
        assert abs(found[name] - share) < 0.006
    assert activations(net.model, net.variables, net.prepare(drawn[None]))["relu1"].max() > 0
    assert faults == []


@pytest.mark.slow
def test_keys_lead_to_units_and_the_back_button_goes_back(opened, page):
    view, faults = opened(page)
    for key in ("]", "ArrowRight", "ArrowRight", "2", "e"):
        view.keyboard.press(key)
        view.wait_for_timeout(300)
    assert view.url.endswith("/conv1/1?image=2&step=1")
    view.go_back()
    view.wait_for_timeout(500)
    assert view.url.endswith("/conv1/1?image=2")
    view.keyboard.press("?")
    assert view.locator("dialog").is_visible()
    assert faults == []


@pytest.mark.slow
def test_a_phone_a_dark_screen_and_no_javascript_have_the_page_too(opened, page):
    view, faults = opened(page, viewport={"width": 390, "height": 800}, color_scheme="dark")
    assert view.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert view.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert faults == []
    view, faults = opened(page, java_script_enabled=False)
    assert view.locator("figure img").is_visible()
    assert not view.locator("#app").is_visible()
    assert view.locator("table").first.is_visible()


def test_the_command_has_its_own_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    assert "--out" in capsys.readouterr().out
