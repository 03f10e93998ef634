"""Ticks of every chart are at round numbers."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import cnnviz.figures
from cnnviz.figures.intervals import Row, intervals
from cnnviz.figures.statistics import statistics
from cnnviz.figures.style import default_style, drawn_in
from cnnviz.figures.texts import overlapping
from cnnviz.figures.ticks import round_locator
from cnnviz.pictures.page import Page


@pytest.mark.parametrize("most", [2, 3, 4, 5])
def test_ticks_are_one_two_two_and_a_half_or_five_times_a_power_of_ten_apart(most):
    for high in np.geomspace(0.003, 4000, 200):
        ticks = round_locator(most).tick_values(0.93 * high if most > 3 else 0.0, high)
        apart = np.diff(ticks)[0] / 10.0 ** np.floor(np.log10(np.diff(ticks)[0]) + 1e-9)
        assert np.isclose(apart, [1, 2, 2.5, 5, 10]).any(), (high, ticks)


def test_no_figure_takes_other_ticks():
    """matplotlib's MaxNLocator alone gives 0.285, 0.3 and 0.315, or 0.06, 0.12 and 0.18."""
    folder = Path(cnnviz.figures.__path__[0])
    assert [path.name for path in folder.glob("*.py") if "MaxNLocator" in path.read_text()] == ["ticks.py"]


@pytest.mark.parametrize("side", [0.02, 0.04, 0.05, 0.07, 0.13])
def test_ticks_of_panels_in_a_column_are_apart(side):
    """Labels of -0.025, 0 and 0.025 would have only half a letter's height between them."""
    sets = {name: (np.array([-0.8 * side, side]), np.array([0.0, 0.1])) for name in ("trained", "untrained")}
    with drawn_in(Page("column").drawn):
        figure = statistics({"conv1": sets, "conv2": sets})
    with default_style():
        assert overlapping(figure) == []
    assert min(gaps_of(figure.axes)) > 0.7


@pytest.mark.parametrize("width", ["column", "slide"])
def test_ticks_of_differences_are_apart(width):
    rows = [Row(-0.008, (-0.008, -0.007)), Row(0.008, (0.007, 0.008))]
    with drawn_in(Page(width).drawn):
        figure = intervals(["one network − other"] * 2, dict.fromkeys("abcd", rows), zero=True)
    with default_style():
        assert overlapping(figure) == []
    assert min(gaps_of(figure.axes[:4])) > 0.7


def gaps_of(axes):
    """The gaps between the labels of neighboring ticks along x, in sizes of their text."""
    for ax in axes:
        low, high = ax.get_xlim()
        labels = [tick.label1 for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [label.get_window_extent() for label in labels]
        size = float(labels[0].get_fontsize()) * ax.figure.dpi / 72
        yield from ((after.x0 - before.x1) / size for before, after in pairwise(boxes))
