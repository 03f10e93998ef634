"""Weights, activations and outputs that are NaN, infinite or huge: the finite part is drawn and the rest counted."""

import warnings
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import product

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_pictures import DATA, KINDS, OPTIONS, make_run

from cnnviz.errors import InputError
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.bars import code, probabilities
from cnnviz.figures.filmstrip import filmstrip
from cnnviz.figures.finite import finite, in_words, masked, moments
from cnnviz.figures.grids import grids
from cnnviz.figures.histogram import histograms
from cnnviz.figures.scales import Scale, scale_of
from cnnviz.figures.statistics import scatter
from cnnviz.models.cnn import CNN
from cnnviz.pictures import PICTURES, files
from cnnviz.pictures.units import Units
from cnnviz.registry import resolve

NAMED = ("embed", "probe-accuracy", "ablation")  # kinds that name a layer with such values instead
BAD = {"not finite": (np.nan, np.inf, -np.inf), "huge": (1e30, -3e38, 3e38)}


@pytest.fixture(scope="module")
def run():
    return make_run(CNN())


def with_weights(net, layer, change):
    variables = jax.tree.map(np.array, net.variables)
    change(variables["params"][layer]["kernel"])
    return replace(net, members=[variables])


def limits(figure):
    for ax in figure.axes:
        yield from (*ax.get_xlim(), *ax.get_ylim())
        for image in ax.images:
            yield from image.get_clim()


@pytest.mark.parametrize("layer", ["conv1", "logits"])
def test_a_unit_has_no_page_without_finite_answers(run, layer):
    def change(kernel):
        kernel.reshape(-1)[:3] = BAD["not finite"]

    with pytest.raises(InputError, match=r"in channel \d+ for image \d+"):
        Units(unit=1)([with_weights(run, layer, change)], DATA)


@pytest.mark.parametrize("kind", NAMED)
def test_a_layer_without_finite_values_is_named(run, kind):
    def change(kernel):
        kernel.reshape(-1)[:3] = BAD["not finite"]

    with pytest.raises(InputError, match="NaN or infinite"):
        resolve(PICTURES, kind, "picture")(**OPTIONS.get(kind, {}))([with_weights(run, "conv1", change)], DATA)


@pytest.mark.parametrize(("kind", "value"), [pair for pair in product(KINDS, BAD) if pair != ("units", "not finite")])
@pytest.mark.parametrize("layer", ["conv1", "logits"])
def test_every_kind_is_drawn_without_a_warning(run, kind, value, layer, tmp_path):
    def change(kernel):
        kernel.reshape(-1)[:3] = BAD[value]

    named = suppress(InputError) if kind in NAMED else nullcontext()
    with warnings.catch_warnings(), named:
        warnings.simplefilter("error")
        for picture in resolve(PICTURES, kind, "picture")(**OPTIONS.get(kind, {}))(
            [with_weights(run, layer, change)], DATA
        ):
            assert np.isfinite(list(limits(picture.draw()))).all(), picture.name
            assert "nan" not in (picture.title + picture.caption).replace("NaN", ""), picture.caption
            files.write(picture, tmp_path, data=True)


def test_weights_that_are_not_finite_are_counted(run):
    def change(kernel):
        kernel.reshape(-1)[:3] = np.nan, np.inf, -np.inf

    net = with_weights(run, "conv1", change)
    for kind in ("kernels", "histograms"):
        for picture in resolve(PICTURES, kind, "picture")()([net], DATA):
            assert " 3 of 288 weights" in picture.caption
            assert picture.caption.endswith("are NaN or infinite.")
    statistics = resolve(PICTURES, "kernels", "picture")()([net], DATA)[0].numbers
    finite_part = np.asarray(net.variables["params"]["conv1"]["kernel"]).ravel()[3:]
    assert statistics[0]["trained_mean"] == pytest.approx(finite_part.mean())


def test_predictions_from_nan_are_counted_and_are_no_class(run):
    net = with_weights(run, "logits", lambda kernel: kernel.fill(np.nan))
    one, confusion = resolve(PICTURES, "predictions", "picture")()([net], DATA)  # and no mistakes with a probability
    assert one.title.endswith("no prediction")
    assert "test accuracy 0.0000" in confusion.title
    assert "The outputs for 30 are NaN or infinite; they are wrong, and not in the matrix." in confusion.caption
    assert np.sum(confusion.numbers["counts"]) == 0


@pytest.mark.parametrize("layer", ["conv1", "logits"])
@pytest.mark.parametrize("kind", ["predictions", "activations", "attribute", "predict"])
def test_a_nan_in_a_bias_is_said(run, layer, kind):
    variables = jax.tree.map(np.array, run.variables)
    variables["params"][layer]["bias"][0] = np.nan
    options = {"images": "0", "methods": "gradient"} if kind == "attribute" else {}
    for picture in resolve(PICTURES, kind, "picture")(**options)([replace(run, members=[variables])], DATA):
        assert f" 1 of the parameters is NaN or infinite (1 of {layer}/bias)" in picture.caption, picture.name


class Half(nn.Module):
    """An output that is NaN for images whose first pixel is bright."""

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(10, name="logits")(x.reshape(len(x), -1))
        return jnp.where(x[:, 0, 0, :1] > 0.5, jnp.nan, y)


def test_the_other_predictions_are_drawn(run):
    net = make_run(Half())
    _, confusion, mistakes = resolve(PICTURES, "predictions", "picture")()([net], DATA)
    bright = (DATA.dataset.test.images[:, 0, 0, 0] / 255 > 0.5).sum()
    assert f"The outputs for {bright} are NaN" in confusion.caption
    assert np.sum(confusion.numbers["counts"]) == 30 - bright
    assert len(mistakes.numbers) <= 30 - bright
    assert all(np.isfinite(record["probability"]) for record in mistakes.numbers)


def test_a_map_that_is_all_nan_says_so_in_its_cell():
    maps = np.ones((3, 4, 4), np.float32)
    maps[1], maps[2, 0, 0] = np.nan, np.inf
    drawn = grids({"": maps}, Scale(0.0, 1.0)).axes[0]
    assert [text.get_text() for text in drawn.texts].count("NaN") == 1
    images = np.zeros((3, 4, 4, 1), np.uint8)
    figure = attributions(images, ["a", "b", "c"], {"m": Column(maps, [scale_of(maps)])})
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["NaN", "1 NaN"]


@pytest.mark.parametrize(("count", "word"), [(4, "all zero"), (512, "0")])
def test_a_map_of_zeros_alone_says_so_in_its_cell(count, word):
    maps = np.ones((count, 4, 4), np.float32)
    maps[1], maps[2, 0] = 0, 0
    drawn = grids({"": maps}, Scale(0.0, 1.0)).axes[0]
    assert [text.get_text() for text in drawn.texts if text.get_color() == "white"] == [word]
    frames = filmstrip({"1": maps[:4], "2": maps[:4]}, Scale(-1.0, 1.0)).axes[:2]
    assert [(text.get_text(), text.get_color()) for ax in frames for text in ax.texts] == [("all zero", "black")] * 2


@pytest.mark.parametrize("values", [np.full(5, np.nan), np.full(5, np.inf), np.array([1.0, np.nan, -np.inf, 2.0, 0.0])])
def test_no_figure_has_limits_that_are_not_finite(values):
    figures = [
        code(values),
        probabilities(np.zeros((4, 4, 1), np.uint8), values, list("abcde"), true=1),
        histograms({"trained": values, "untrained": values}),
        scatter({"a": {"trained": (values, values), "untrained": (values, values)}}),
        grids({"": values[:, None, None]}, scale_of(values)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures:
            figure.draw_without_rendering()
            assert np.isfinite(list(limits(figure))).all()


def test_finite_values_are_the_array_itself():
    values = np.array([[1.0, 2.0]])
    assert finite(values) is values
    assert masked(values) is values
    assert moments(np.array([1.0, np.nan, 3.0])) == (2.0, 1.0)
    assert moments(np.array([3e38, 3e38], np.float32)) == pytest.approx((3e38, 0), rel=1e-6)
    assert in_words(*moments(np.array([np.nan]))) == "no finite value"


def test_infinite_values_are_not_counted_as_clipped():
    assert Scale(0.0, 1.0).outside(np.array([0.5, 2.0, np.inf, np.nan])) == 1
