"""Charts: what they draw is asserted on the artists, not on pixels; and what importing them loads."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cnnviz.figures.bars import code, probabilities
from cnnviz.figures.confusion import confusion, shares
from cnnviz.figures.curves import curves
from cnnviz.figures.files import encoded
from cnnviz.figures.histogram import histograms, own_histogram, shared_histograms
from cnnviz.figures.image import gallery, image
from cnnviz.figures.intervals import Row, intervals
from cnnviz.figures.small_panels import Panel, small_panels
from cnnviz.figures.statistics import scatter, statistics, strips
from cnnviz.figures.style import add_caption, drawn_in, page, place, shortened
from cnnviz.figures.table import table
from cnnviz.pictures.page import Page

BOOT = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28, 1)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_figures_load_no_jax_and_no_pyplot():
    modules = "bars confusion curves grids histogram image montage scales statistics style table".split()
    imports = "\n".join(f"import cnnviz.figures.{module}" for module in modules)
    check = "assert not {'jax', 'flax', 'matplotlib.pyplot'} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", f"import sys\n{imports}\n{check}"], check=True)


def test_a_set_has_ten_bins_of_its_own_as_matplotlib_draws_it():
    values = np.random.default_rng(0).normal(0, 0.3, 288).astype(np.float32)
    counts, edges = own_histogram(values)
    np.testing.assert_array_equal(counts, np.histogram(values, 10)[0])
    assert (edges[0], edges[-1]) == (values.min(), values.max())


@pytest.mark.parametrize(("count", "bins"), [(288, 10), (50_000, 30)])
@pytest.mark.parametrize("wide", [0.3, 1.0, 2.5])
def test_uniform_values_look_uniform_beside_wider_ones(count, bins, wide):
    rng = np.random.default_rng(0)
    sets = {"wide": rng.normal(0, wide, count), "uniform": rng.uniform(-0.14, 0.14, count)}
    found = shared_histograms(sets)
    assert all(histogram.counts.sum() == count for histogram in found.values())
    filled = np.flatnonzero(found["uniform"].counts)
    assert len(filled) == filled[-1] - filled[0] + 1
    assert 10 <= len(filled) <= bins
    kept, expected = found["uniform"].counts[filled], count / len(filled)
    assert np.square(kept - expected).sum() / expected < 60  # chi squared of 30 bins: once in 1000 draws
    assert max(len(histogram.counts) for histogram in found.values()) <= 1002
    densities = [histogram.density @ np.diff(histogram.edges) for histogram in found.values()]
    np.testing.assert_allclose(densities, 1)


SETS = {
    "equal": (np.zeros(3), np.ones(4)),
    "nothing finite": (np.array([np.nan]), np.ones(4)),
    "empty": (np.zeros(0), np.zeros(0)),
    "ranges of 1e-9 and 1e30": (np.linspace(0, 1e-9, 100), np.linspace(-1e30, 1e30, 90)),
    "neighbors": (np.array([1, 1 + 1.2e-7], np.float32), np.linspace(-1, 1, 9)),
    "all of float32": (np.array([-3.4e38, 3.4e38], np.float32), np.linspace(-1, 1, 9)),
}


@pytest.mark.parametrize("sets", SETS.values(), ids=SETS)
def test_every_finite_value_is_in_a_bin(sets):
    named = dict(zip(("a", "b"), sets, strict=True))
    known = [np.isfinite(values).sum() for values in sets]
    found = shared_histograms(named).values()
    assert [histogram.counts.sum() for histogram in found] == known
    assert [own_histogram(values).counts.sum() for values in sets] == known
    assert all(len(histogram.counts) <= 1002 for histogram in found)
    histograms(named).draw_without_rendering()


def test_histograms_have_a_panel_a_set_with_mean_and_deviation_and_one_of_densities():
    figure = histograms({"trained": np.array([-1.0, 1.0]), "untrained": np.array([0.5, 0.5])})
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "trained, in ten bins of its own\nmean 0.0000, standard deviation 1.0000",
        "untrained, in ten bins of its own\nmean 0.5000, standard deviation 0.0000",
        "as densities, on the same 10 bins",
    ]
    assert texts(figure.axes[0]) == ["1", *"00000000", "1"]
    assert [text.get_text() for text in figure.axes[2].get_legend().get_texts()] == ["trained", "untrained"]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_there_may_be_any_number_of_sets(count):
    sets = {f"seed {i}": np.linspace(-i - 1, i + 1, 50) for i in range(count)}
    figure = histograms(sets)
    assert len(figure.axes) == (1 if count == 1 else count + 1)
    assert count == 1 or len(figure.axes[-1].get_legend().get_texts()) == count


def test_one_set_may_be_an_array():
    (ax,) = histograms(np.linspace(-1, 1, 30)).axes
    assert texts(ax) == ["3"] * 10


@pytest.mark.parametrize("spread", [1.1, 2, 5, 30, 1000, 1e9])
def test_a_logarithmic_axis_has_a_few_labels(spread):
    figure = strips({"conv1": {"trained": (np.zeros(9), np.geomspace(1, spread, 9))}})
    low, high = figure.axes[1].get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in figure.axes[1].get_xticks()) <= 8


def test_statistics_have_a_point_a_kernel_on_axes_that_hold_all():
    points = lambda n, at: (np.linspace(-at, at, n), np.full(n, at))
    figure = scatter({str(n): {"trained": points(n, n / 10), "untrained": points(n, 0.01)} for n in (2, 3, 4, 5, 6)})
    assert [len(ax.collections[0].get_offsets()) for ax in figure.axes] == [2, 3, 4, 5, 6]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[1] > 0.6


def test_many_layers_have_a_row_each_with_a_tick_a_kernel():
    means, deviations = np.array([0.1, np.nan, 0.3]), np.array([0.2, 0.0, 2.0])
    names = [f"stage{i}/conv" for i in range(20)]
    figure = statistics(
        {name: {"trained": (means, deviations), "untrained": (means / 9, deviations)} for name in names}
    )
    left, right = figure.axes
    assert [len(line.get_xdata()) for ax in (left, right) for line in ax.lines[:2]] == [40] * 4
    assert [label.get_text() for label in left.get_yticklabels()] == names
    assert np.ptp(left.get_ylim()) == 20
    assert figure.get_figheight() / 20 > 0.25  # inches for each layer
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["trained", "untrained"]
    assert len(statistics({name: {"trained": (means, deviations)} for name in names[:6]}).axes) == 6


def test_curves_of_several_networks_are_their_mean_in_a_band_of_those_there_are():
    values = np.array([[3.0, 2.0, np.nan], [1.0, 1.0, 0.5], [2.0, np.nan, np.nan]])
    ax = curves({"loss": {"train": values}}, np.array([1, 2, 3])).axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [2.0, 1.5, 0.5])
    (band,) = ax.collections
    path = band.get_paths()[0].vertices
    assert path[path[:, 0] == 1, 1].min() == pytest.approx(1.0)
    assert path[path[:, 0] == 2, 1].max() == pytest.approx(1.5 + 0.5**0.5)
    assert path[:, 0].max() == 2  # of one network there is no deviation


def test_curves_mark_the_best_epoch():
    lines = {"train": np.array([[3.0, 2.0, 1.0]]), "validation": np.array([[3.0, 2.5, 2.7]])}
    ax = curves({"loss": lines}, np.array([1, 2, 3]), best=2).axes[0]
    assert [line.get_label() for line in ax.lines] == ["best epoch: 2", "train", "validation"]
    assert list(ax.lines[0].get_xdata()) == [2, 2]
    assert ax.get_ylabel() == "loss"


def test_one_epoch_is_a_visible_point_at_a_whole_number():
    figure = curves({"loss": {"train": np.array([[0.5]])}}, np.array([1]), best=1)
    ax = figure.axes[0]
    figure.draw_without_rendering()
    assert ax.lines[1].get_markersize() > 0
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]


def test_the_true_class_is_named_and_hatched():
    ax = probabilities(BOOT, np.array([0.2, 0.8]), ["Bag", "Ankle boot"], true=0).axes[1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Bag (true)", "Ankle boot"]
    assert [bar.get_hatch() for bar in ax.patches] == ["//", None]
    assert texts(ax) == ["0.200", "0.800"]


def test_a_code_has_a_bar_a_unit_and_another_color_below_zero():
    bars = code(np.array([1.0, -1.0, 0.0])).axes[0].patches
    assert [bar.get_height() for bar in bars] == [1.0, -1.0, 0.0]
    assert bars[0].get_facecolor() != bars[1].get_facecolor()


def test_shares_are_of_the_true_class_and_zero_without_examples():
    np.testing.assert_allclose(shares(np.array([[3, 1], [0, 0]])), [[0.75, 0.25], [0, 0]])


def test_a_small_confusion_matrix_prints_names_and_counts():
    ax = confusion(np.array([[3, 1], [0, 7]]), ["Bag", "$x_$"]).axes[0]
    assert texts(ax) == ["3", "1", "0", "7"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Bag", "$x_$"]


@pytest.mark.parametrize(("k", "ticks"), [(30, 30), (50, 50), (100, 10), (1000, 10)])
def test_a_large_confusion_matrix_has_no_more_labels_than_can_be_read(k, ticks):
    ax = confusion(np.eye(k, dtype=int), [f"class {i}" for i in range(k)]).axes[0]
    assert texts(ax) == []
    assert len(ax.get_xticks()) == ticks


def test_a_gray_image_is_dark_on_white_and_a_color_image_as_it_is():
    gray, color = image(BOOT).axes[0].images[0], image(BOOT.repeat(3, axis=2)).axes[0].images[0]
    assert (gray.get_cmap().name, gray.get_clim()) == ("gray_r", (0, 255))
    np.testing.assert_array_equal(color.get_array(), BOOT.repeat(3, axis=2))


@pytest.mark.parametrize("count", [1, 5, 7, 24])
def test_a_gallery_has_a_label_an_image(count):
    ax = gallery(
        np.stack([BOOT] * count),
        [f"Bag {i}\ntrue: a name far too long for its cell, and for two lines below it" for i in range(count)],
    )
    assert len(ax.axes[0].images) == count
    assert texts(ax.axes[0])[-1] == f"Bag {count - 1}\ntrue: a name far…elow it"


def test_a_table_ends_in_a_bold_total():
    ax = table(("layer", "parameters"), [("conv1", "320"), ("total", "320")], numeric=(1,)).axes[0]
    assert texts(ax) == ["layer", "parameters", "conv1", "320", "total", "320"]
    assert [text.get_fontweight() for text in ax.texts[::2]] == ["bold", "normal", "bold"]


@pytest.mark.parametrize("arranged", [True, False])
def test_a_caption_makes_the_page_longer_and_moves_nothing_else(arranged):
    figure = page(6.0, 3.0, "A title", arranged=arranged)
    ax = figure.subplots() if arranged else place(figure, 0.5, 0.5, 5.0, 2.0)
    inches = lambda: np.array(ax.get_position().bounds) * np.tile(figure.get_size_inches(), 2)
    figure.draw_without_rendering()
    before, height = inches(), figure.get_figheight()
    add_caption(figure, "What is drawn, " * 20)
    figure.draw_without_rendering()
    longer = figure.get_figheight() - height
    assert longer > 0.5
    np.testing.assert_allclose(inches(), before + [0, longer, 0, 0], atol=0.02)


@pytest.mark.parametrize("dpi", [70, 100, 150, 200])
def test_a_caption_keeps_within_the_page_at_every_resolution(dpi):
    """Hinted letters are up to 3% wider on a coarse grid of pixels, such as a notebook's."""
    caption = "Trained mean -0.0210, standard deviation 0.2347; untrained mean 0.0025, standard deviation 0.0828. Ten"
    figure = page(7.0, 1.0, "A histogram of the first convolution's weights, trained and untrained, " + caption)
    with Image.open(io.BytesIO(encoded(figure, "png", "", 4 * caption, dpi))) as drawn:
        pixels = np.asarray(drawn.convert("L"))
    right = pixels.shape[1] - 1 - np.flatnonzero((pixels < 128).any(0)).max()
    assert right >= 0.06 * dpi  # inches: most of the margin


def test_a_few_thousand_counts_do_not_overlap():
    figure = histograms({"trained": np.linspace(-1, 1, 78_400), "untrained": np.linspace(-1, 1, 78_400)})
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert all(one.x1 < other.x0 for one, other in zip(boxes, boxes[1:], strict=False))


def test_a_title_keeps_within_the_page():
    figure = page(6.0, 3.0, "every kernel of the network " * 6)
    width = figure.texts[0].get_window_extent().width
    assert width < 6 * figure.dpi


def test_shortened_keeps_the_beginning_and_the_end():
    assert shortened("Ankle boot", 10) == "Ankle boot"
    assert shortened("best-…-model", 10) == "best-…del"  # which was shortened before
    assert shortened("Ankle boots", 10) == "Ankle…ots"
    assert shortened("encoder/block_1/convolution_2", 12) == "encoder/…n_2"
    assert all(len(shortened("x" * 99, length)) <= length for length in range(1, 99))


def test_titles_captions_and_names_of_any_length_leave_the_page_its_size():
    long = "name_of_a_class " * 5000
    figures = [
        page(6.0, 1.0, long),
        confusion(np.eye(50, dtype=int), [long] * 50, title=long),
        probabilities(BOOT, np.array([0.2, 0.8]), [long, long], true=0, title=long),
        gallery(np.stack([BOOT] * 24), [f"{long}\ntrue: {long}\ntest"] * 24, title=long),
    ]
    for figure in figures:
        add_caption(figure, long)
        assert max(figure.get_size_inches()) < 16
        assert figure.texts[-1].get_text().endswith("…")


def test_shares_of_a_part_of_the_classes_are_of_all_examples():
    np.testing.assert_allclose(shares(np.array([[3, 1], [0, 2]]), np.array([8, 4])), [[3 / 8, 1 / 8], [0, 1 / 2]])


def test_a_long_name_of_a_row_is_in_two_lines_and_not_shortened():
    rows = [Row(0.5, (0.4, 0.6))] * 2
    names = ["classic8, other images", "a long name of one − a long name of another"]
    with drawn_in(Page("column", "paper").drawn):
        figure = intervals(names, {name: rows for name in "abcd"})
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "classic8,\nother images"
    assert labels[1].split("\n")[1].startswith("− ")
    assert not any("…" in label for label in labels[:1])


@pytest.mark.parametrize(("page", "across"), [(Page("column"), 2), (Page(), 2), (Page("slide"), 4)])
def test_four_panels_leave_no_row_with_one(page, across):
    panels = {name: Panel({"a": (np.arange(3.0), np.ones((1, 3)))}) for name in "wxyz"}
    with drawn_in(page.drawn):
        figure = small_panels(panels)
    assert figure.axes[0].get_subplotspec().get_gridspec().ncols == across
