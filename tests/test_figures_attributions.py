"""The matrix of images and methods: where maps lie, which scale they are on, what is written beside them."""

from functools import partial

import numpy as np
import pytest

from cnnviz.figures.attribution_plan import Words, plan_of
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.scales import Scale, scale_of
from cnnviz.figures.style import drawn_in
from cnnviz.pictures.page import SLIDE, Page
from cnnviz.pictures.picture import Picture

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 8, 6, 1), np.uint8)
SIGNED, POSITIVE = RNG.normal(size=(3, 8, 6)), RNG.uniform(size=(3, 8, 6))
ROWS = ["boot, 98%\nis boot", "bag, 60%\nis coat", "bag, 99%\nis bag"]


@pytest.fixture(scope="module")
def figure():
    columns = {
        "integrated_gradients": Column(SIGNED, [scale_of(SIGNED)], ["gap +0.1", "gap −2", "gap 0"]),
        "grad_cam\nat relu2": Column(POSITIVE, [scale_of(POSITIVE)]),
    }
    return attributions(IMAGES, ROWS, columns, title="a run")


def test_each_map_is_drawn_under_the_last_on_its_column_s_scale(figure):
    _, signed, _, positive, _ = figure.axes
    for ax, maps in ((signed, SIGNED), (positive, POSITIVE)):
        assert len(ax.images) == 3
        tops = [shown.get_extent()[3] for shown in ax.images]
        assert tops == sorted(tops)
        for shown, values in zip(ax.images, maps, strict=True):
            np.testing.assert_array_equal(shown.get_array(), values)
            assert shown.norm.vmin == (-shown.norm.vmax if maps is SIGNED else 0)
            assert shown.get_cmap().name == ("RdBu_r" if maps is SIGNED else "viridis")


def test_names_notes_and_rows_are_written(figure):
    image, signed, _, positive, _ = figure.axes
    titles = [ax.get_title(loc="left") for ax in (image, signed, positive)]
    assert titles == ["image", "integrated_\ngradients", "grad_cam\nat relu2"]
    assert [text.get_text() for text in signed.texts] == ["gap +0.1", "gap −2", "gap 0"]
    assert {*ROWS, "a run"} <= {text.get_text() for text in figure.texts}


def test_a_long_name_is_folded_after_underscores_so_that_it_differs_from_its_like():
    names = [
        "lrp_epsilon_alpha2_beta1",
        "lrp_epsilon_alpha2_beta1_flat",
        "layer_gradient_x_activation\nat relu2",
        "a" * 30,
    ]
    figure = attributions(IMAGES, ROWS, {name: Column(SIGNED, [scale_of(SIGNED)]) for name in names})
    titles = [ax.get_title(loc="left") for ax in figure.axes[1::2]]
    assert titles[:2] == ["lrp_epsilon_\nalpha2_beta1", "lrp_epsilon_\nalpha2_beta1_\nflat"]
    assert titles[2:] == ["layer_gradient_x_\nactivation\nat relu2", "a" * 8 + "…" + "a" * 4]


def test_the_ends_of_each_scale_are_printed(figure):
    low, high = (label.get_text() for label in figure.axes[2].get_xticklabels())
    assert low.startswith("−")
    assert low[1:] == high


def test_the_images_are_beside_their_maps(figure):
    image, signed = figure.axes[:2]
    for pixels, shown, other in zip(IMAGES, image.images, signed.images, strict=True):
        np.testing.assert_array_equal(shown.get_array(), pixels[..., 0])
        assert shown.get_extent() == other.get_extent()


def test_one_image_and_one_method_are_a_matrix_too():
    figure = attributions(IMAGES[:1], ["boot"], {"gradient": Column(SIGNED[:1], [Scale(-1.0, 1.0)])})
    assert len(figure.axes) == 3


def test_four_columns_fit_next_to_each_other_in_a_column_and_six_rows_on_a_slide():
    images = np.zeros((6, 8, 8, 1), np.uint8)
    columns = {f"net\n{name}": Column(np.ones((6, 8, 8), np.float32), [Scale(0.0, 1.0)]) for name in "abcd"}
    with drawn_in(Page("column", "paper").drawn):
        plan = plan_of(images, Words(["test"] * 6, list(columns), [["0 to 1"]]))
    assert plan.columns == 4
    rows = [f"test {i}" for i in range(6)]
    picture = Picture("x", "A title", "A caption.", {"x": images}, partial(attributions, images, rows, columns), {})
    _, height = picture.figure(Page("slide")).get_size_inches()
    assert height <= SLIDE
