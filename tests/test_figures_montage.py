"""Grids: where each map lies, how many columns there are, what a color stands for."""

import numpy as np
import pytest

from cnnviz.figures.grids import grids, layout
from cnnviz.figures.montage import enlargement, kernel_columns, map_columns, montage, wider_columns
from cnnviz.figures.scales import Scale, scale_of, symmetric


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (16, 4), (32, 8), (64, 8), (100, 16), (256, 16)])
def test_feature_maps_are_about_as_high_as_wide(count, columns):
    assert map_columns(count) == columns


@pytest.mark.parametrize(("count", "columns"), [(6, 6), (32, 16), (64, 16), (256, 32)])
def test_kernels_are_wide_and_low(count, columns):
    assert kernel_columns(count) == columns


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (32, 8), (64, 16), (128, 16), (256, 32)])
def test_a_wide_area_has_the_columns_with_which_maps_are_largest(count, columns):
    assert wider_columns(count, (14, 14), (8.5, 3.5)) == columns


def test_every_map_lies_at_its_place_with_gutters_between():
    maps = np.arange(5 * 20 * 24, dtype=np.float32).reshape(5, 20, 24)
    tiles = montage(maps, 3)
    assert tiles.shape == (2 * 21 + 1, 3 * 25 + 1)
    for i, one in enumerate(maps):
        top, left = i // 3 * 21 + 1, i % 3 * 25 + 1
        np.testing.assert_array_equal(tiles[top : top + 20, left : left + 24], one)
    assert np.isnan(tiles[::21]).all()
    assert np.isnan(tiles[:, ::25]).all()
    assert np.isnan(tiles[22:, 51:]).all()  # there is no sixth map


def test_small_maps_are_enlarged_by_whole_factors():
    kernels = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    factor = enlargement(kernels)
    tiles = montage(kernels, 2)
    assert factor == 6
    np.testing.assert_array_equal(tiles[1:19:factor, 1:19:factor], kernels[0])
    np.testing.assert_array_equal(tiles[6:19:factor, 25:38:factor], kernels[1])


def test_color_stays_the_last_axis():
    kernels = np.random.default_rng(0).random((2, 20, 20, 3), np.float32)
    tiles = montage(kernels, 2, fill=1.0)
    assert tiles.shape == (22, 43, 3)
    np.testing.assert_array_equal(tiles[1:21, 22:42], kernels[1])


def test_values_without_a_negative_have_a_sequential_scale_from_zero():
    scale = scale_of(np.array([0.0, 0.3, 0.8]))
    assert (scale.low, scale.high) == (0.0, 0.8)
    assert scale.colormap.name == "viridis"


def test_signed_values_have_a_diverging_scale_centered_on_zero():
    scale = scale_of(np.array([0.2, 0.1]), np.array([-0.7, 0.0]))
    assert (scale.low, scale.high) == (-0.7, 0.7)
    assert scale.colormap.name == "RdBu_r"


def test_a_few_great_values_do_not_set_the_scale_and_are_counted():
    values = np.append(np.linspace(0, 1, 1000), 50.0)
    scale = scale_of(values)
    assert scale.high == 1.0
    assert scale.outside(values) == 1


@pytest.mark.parametrize("values", [np.zeros(4), np.full(4, np.nan), np.zeros(0)])
def test_nothing_to_scale_still_has_a_scale(values):
    assert scale_of(values) == Scale(0.0, 1.0)


@pytest.mark.parametrize("value", [0.594, 1e-7, 12345.0, 0.1, 1.0])
def test_a_scale_ends_at_or_just_beyond_the_greatest_value(value):
    high = scale_of(np.array([value])).high
    assert value <= high <= 1.1 * value


def test_64_maps_are_one_image_and_a_printed_scale():
    maps = np.random.default_rng(0).random((64, 14, 14), np.float32)
    figure = grids({"": maps}, Scale(0.0, 1.0), label="activation")
    grid, bar = figure.axes
    assert len(grid.images) == 1
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "0.25", "0.5", "0.75", "1"]
    assert bar.get_ylabel() == "activation"


def test_two_panels_have_the_same_scale():
    kernels = np.random.default_rng(0).normal(size=(32, 3, 3)).astype(np.float32)
    figure = grids({"trained": kernels, "untrained": kernels / 9}, symmetric(0.5), columns=16)
    images = [ax.images[0] for ax in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(-0.5, 0.5)] * 2
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["trained", "untrained"]
    bar = [label.get_text() for label in figure.axes[2].get_yticklabels()]
    assert (bar[0], bar[2], bar[-1]) == ("−0.5", "0", "0.5")


def test_rgb_kernels_have_gray_for_zero_and_are_clipped():
    kernels = np.zeros((1, 3, 3, 3), np.float32)
    kernels[0, 0, 0] = [9.0, 0.0, -9.0]
    figure = grids({"": kernels}, symmetric(0.5))
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(pixels[1, 1], [1.0, 0.5, 0.0])
    np.testing.assert_allclose(pixels[10, 10], [0.5, 0.5, 0.5])


def test_wide_grids_lie_over_each_other_and_square_ones_side_by_side():
    assert layout(2, 32, 16, (3, 3))[:2] == (1, 2)
    assert layout(2, 256, 16, (3, 3))[:2] == (2, 1)


def test_rows_are_numbered_by_their_first_map():
    figure = grids({"": np.ones((32, 5, 5), np.float32)}, Scale(0.0, 1.0))
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == [*map(str, range(8)), "0", "8", "16", "24"]


def test_a_matrix_has_its_axes_named_and_numbered():
    maps = np.ones((6, 5, 5), np.float32)
    figure = grids({"": maps}, Scale(0.0, 1.0), columns=3, axes=("output", "input"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2", "0", "1", "output", "input"]
