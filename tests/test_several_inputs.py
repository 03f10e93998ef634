"""Networks of several inputs in pictures: what needs no images, and what is made of an array for each."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization
from PIL import Image

from cnnviz import interop, networks, probe
from cnnviz.attribution import attribute
from cnnviz.commands.visualize import main
from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.pictures.activations import Activations
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.picture import SIDES, Data

FILE = Path(__file__).parent / "goldens" / "keras" / "keras3_several.keras"  # left and right, 6x6x2
WITHOUT_IMAGES = {"layers", "kernel_statistics_shared", "kernels_shared", "histogram_shared"}


class Both(nn.Module):
    """A picture and a vector, by the names of the call's arguments."""

    @nn.compact
    def __call__(self, picture, facts):
        maps = nn.relu(nn.Conv(4, (3, 3))(picture))
        return nn.Dense(3)(jnp.concatenate([maps.mean((1, 2)), nn.relu(nn.Dense(5)(facts))], -1))


SHAPES = {"picture": (8, 8, 3), "facts": (6,)}


@pytest.fixture(scope="module")
def net():
    variables = Both().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 6)))
    return networks.open(Both(), variables, image_shape=SHAPES, name="both")


@pytest.fixture
def arrays(tmp_path):
    draw = np.random.default_rng(0)
    found = {"picture": draw.integers(0, 256, (5, 8, 8, 3), np.uint8), "facts": draw.normal(size=(5, 6))}
    np.savez(tmp_path / "both.npz", **found, labels=np.arange(5))
    return tmp_path / "both.npz", found


@pytest.mark.slow
def test_a_keras_file_of_several_inputs_is_drawn_without_images(tmp_path, capsys):
    assert main([str(FILE), "--out", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.glob("*.png")} == WITHOUT_IMAGES
    said = capsys.readouterr().out
    assert "activations: skipped. keras3_several takes 2 inputs (left 6x6x2, right 6x6x2)" in said
    Image.new("RGB", (6, 6)).save(photo := tmp_path / "photo.png")
    assert main(["activations", str(FILE), "--image", str(photo), "--out", str(tmp_path)]) == 2
    assert "`--inputs FILE.npz` of `activations` and `attribute` takes an array for each." in capsys.readouterr().err


def arrays_of(picture) -> Any:
    return picture.numbers


def test_activations_are_those_of_one_row_of_every_input(net, arrays):
    path, given = arrays
    pictures = {p.name: p for p in Activations(image="3", layer="kind:relu", inputs=path).of(net, Data())}
    picture = given["picture"][3:4].astype(np.float32) / 255
    expected = probe.activations(
        net.model, net.variables, {"picture": picture, "facts": np.float32(given["facts"][3:4])}
    )
    assert {"input_picture", "input_facts"} < set(pictures)
    drawn = {name.removeprefix("activations_"): p for name, p in pictures.items() if name.startswith("activations_")}
    assert len(drawn) == 2
    for name, each in drawn.items():
        np.testing.assert_allclose(arrays_of(each)[name], expected[name][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(arrays_of(pictures["input_picture"])["image"], given["picture"][3])


def test_the_untrained_twin_and_the_layers_of_several_inputs(net):
    assert jax.tree.map(jnp.shape, net.untrained) == jax.tree.map(jnp.shape, net.variables)
    assert net.image_shape == (8, 8, 3)
    assert net.class_count == 3
    assert [layer.shape for layer in net.layers if layer.kind == "Conv"] == [(8, 8, 4)]


@pytest.mark.parametrize(
    ("change", "image", "said"),
    [
        ({"facts": None}, "0", "has no array 'facts', only picture, labels"),
        ({"facts": np.zeros((5, 7))}, "0", "'facts' in .* is float64 \\(5, 7\\)"),
        ({"facts": np.full((5, 6), "a")}, "0", "'facts' in .* is <U1 \\(5, 6\\)"),
        ({"facts": np.zeros((4, 6))}, "0", "has 4, 5 rows of its inputs"),
        ({}, "5", "has no row 5; they go from 0 to 4"),
        ({}, "-1", "has no row -1"),
        ({}, "9:", "means none of the 5 images"),
    ],
)
def test_inputs_that_do_not_fit_are_one_sentence(net, arrays, change, image, said):
    path, given = arrays
    changed = {**given, "labels": np.arange(5), **change}
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})
    with pytest.raises(InputError, match=said):
        Activations(image=image, inputs=path).of(net, Data())


def test_a_network_of_one_input_takes_no_file_of_inputs(arrays):
    model = nn.Dense(2)
    one = networks.open(model, model.init(jax.random.key(0), jnp.zeros((1, 4))), image_shape=(4,), name="one")
    with pytest.raises(InputError, match="one takes one input, images of 4; --inputs is for several"):
        Activations(inputs=arrays[0]).of(one, Data())


def test_attribution_explains_each_input_or_the_one_that_is_named(net, arrays):
    path, given = arrays
    images = {"picture": given["picture"][1:3].astype(np.float32) / 255, "facts": np.float32(given["facts"][1:3])}
    expected = attribute("input_x_gradient", net.model, net.variables, images, "predicted")
    kind = Attributions(image="1:3", methods="input_x_gradient", inputs=path)
    of_facts, of_picture = kind([net], Data())
    for picture, name in ((of_picture, "picture"), (of_facts, "facts")):
        np.testing.assert_allclose(arrays_of(picture)["input_x_gradient"][0], expected[name], rtol=1e-4, atol=1e-6)
        assert picture.title.startswith("both on row 1 of both.npz and row 2 of both.npz: what the logit of the ")
        assert picture.title.endswith(f" rests on in {name}")
        assert picture.subject["drawn"] == [f"of-{name}"]
        assert picture.subject["image"] == {"file": "both.npz", "index": [1, 2]}
        assert picture.axes["input_x_gradient"] == (
            "member",
            "image",
            *{"facts": ("value",), "picture": SIDES[2]}[name],
        )
        picture.draw()
    (named,) = replace(kind, input="facts")([net], Data())
    np.testing.assert_array_equal(arrays_of(named)["input_x_gradient"], arrays_of(of_facts)["input_x_gradient"])


def test_a_method_that_one_input_cannot_have_is_left_out_there_and_float_pictures_are_seen(net, arrays, tmp_path):
    given = {"picture": np.float32(arrays[1]["picture"] / 255), "facts": arrays[1]["facts"]}
    np.savez(tmp_path / "floats.npz", **given)
    kind = Attributions(image="0", methods="gradient,grad_cam", inputs=tmp_path / "floats.npz")
    said = []
    of_facts, of_picture = kind([net], Data(note=said.append))
    assert len(said) == 1
    assert said[0].startswith("input 'facts', left out: grad_cam. No layer")
    assert "grad_cam" in arrays_of(of_picture)
    assert "grad_cam" not in arrays_of(of_facts)
    assert "Left out: grad_cam. No layer" in of_facts.caption
    drawn = of_picture.draw().axes[0].images[0].get_array()
    assert np.ptp(drawn) > 0.5 * max(1, drawn.max())
    with pytest.raises(InputError, match="spatial extent"):
        replace(kind, input="facts")([net], Data())


def test_methods_with_images_as_their_baseline_take_the_rows_of_the_file(net, arrays):
    path, given = arrays
    images = {"picture": given["picture"][:1].astype(np.float32) / 255, "facts": np.float32(given["facts"][:1])}
    expected = attribute(
        "deep_lift_shap",
        net.model,
        net.variables,
        images,
        "predicted",
        input="facts",
        baseline=np.float32(given["facts"]),
    )
    kind = Attributions(image=0, methods="deep_lift_shap,gradient", inputs=path, input="facts")
    np.testing.assert_allclose(arrays_of(kind([net], Data())[0])["deep_lift_shap"][0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input": "picture"}, "--input picture is one of several inputs, which are given by --inputs FILE.npz"),
        ({"inputs": True, "input": "pictures"}, "pictures.*did you mean 'picture'"),
        ({"inputs": True, "target": "label"}, "row 0 of both.npz has no label to explain"),
    ],
)
def test_inputs_that_cannot_be_explained_are_one_sentence(net, arrays, options, said):
    given = {**options, "inputs": arrays[0]} if "inputs" in options else options
    with pytest.raises(InputError, match=said):
        Attributions(methods="gradient", **given)([net], Data())


def test_one_of_several_outputs_is_explained(arrays, tmp_path, capsys):
    np.savez(tmp_path / "rows.npz", left=np.zeros((2, 6, 6, 2), np.uint8), right=np.ones((2, 6, 6, 2), np.float32))
    asked = ["attribute", str(FILE), "--inputs", str(tmp_path / "rows.npz"), "--input", "left", "--methods", "gradient"]
    asked += ["--out", str(tmp_path), "--data"]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "gives kind (1, 3), size (1, 1). Name one: output='kind', or --output kind of visualize.py; one" in said
    assert main([*asked, "--output", "kin"]) == 2
    assert "has no single output 'kin'; the model gives kind (1, 3), size (1, 1)" in capsys.readouterr().err
    assert main([*asked, "--output", "kind"]) == 0
    (written,) = tmp_path.glob("attribute*.npz")
    model, variables = interop.load_keras(FILE)
    images = {"left": np.zeros((2, 6, 6, 2), np.float32), "right": np.ones((2, 6, 6, 2), np.float32)}
    expected = attribute("gradient", model, variables, images, "predicted", input="left", output="kind")
    np.testing.assert_allclose(np.load(written)["gradient"][0], expected, rtol=1e-4, atol=1e-7)


OWN = """
import flax.linen as nn
import jax.numpy as jnp


class Both(nn.Module):
    classes: int = 3

    @nn.compact
    def __call__(self, picture, words):
        maps = nn.relu(nn.Conv(4, (3, 3))(picture))
        return nn.Dense(self.classes)(jnp.concatenate([maps.mean((1, 2)), nn.Embed(20, 4)(words).mean(1)], -1))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The command line of a class of one's own with a picture and tokens, and of its weights."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OWN)
    space: dict[str, Any] = {}
    exec(OWN, space)
    rows = {"picture": np.full((2, 8, 8, 3), 200, np.uint8), "words": np.arange(10).reshape(2, 5)}
    variables = space["Both"]().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), jnp.asarray(rows["words"][:1]))
    np.savez("both.npz", **rows, labels=np.arange(2))
    Path("w.msgpack").write_bytes(serialization.to_bytes(variables))
    yield ["--model", "net.py:Both", "--weights", "w.msgpack", "--out", "figures"]
    MODELS.pop("net.py:Both", None)


def test_a_class_of_ones_own_takes_the_shapes_of_the_file(own, capsys):
    assert main(["attribute", *own, "--inputs", "both.npz", "--methods", "gradient", "--image", "0:2"]) == 0
    said = capsys.readouterr().out
    assert "left out: Input 'words': The input 'words' holds integers" in said
    assert [path.name for path in Path("figures").iterdir()] == ["attribute_both0-1_predicted_gradient_of-picture.png"]


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("{}", "--image-shape of several inputs is a JSON object such as"),
        ('{"picture": [8, 0, 3]}', "--image-shape of several inputs is a JSON object such as"),
        ("8,8,3", "The call of net.py:Both needs 'words' too, not images alone; of several inputs --image-shape '{"),
        ('{"picture": [8, 8, 3]}', "The call of net.py:Both needs 'words' too"),
    ],
)
def test_shapes_that_a_class_cannot_take_are_one_sentence(own, shape, said, capsys):
    assert main(["layers", *own, "--image-shape", shape]) == 2
    assert said in capsys.readouterr().err


def test_a_class_of_ones_own_takes_shapes_that_are_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OWN.replace("nn.Embed(20, 4)(words).mean(1)", "nn.Dense(4)(words)"))
    shapes = {"params": {"Conv_0": (3, 3, 3, 4), "Dense_0": (8, 3), "Dense_1": (5, 4)}}
    named: dict[str, Any] = {
        f"params/{name}/kernel": np.ones(shape, np.float32) for name, shape in shapes["params"].items()
    }
    named |= {f"params/{name}/bias": np.ones(shape[-1:], np.float32) for name, shape in shapes["params"].items()}
    np.savez("w.npz", **named)
    asked = ["layers", "--model", "net.py:Both", "--weights", "w.npz", "--out", "figures", "--image-shape"]
    assert main([*asked, '{"picture": [8, 8, 3], "words": [5]}']) == 0
    MODELS.pop("net.py:Both")
    assert "Dense_1" in capsys.readouterr().out
