"""Ticks of every chart are at round numbers."""

from pathlib import Path

import numpy as np
import pytest

import cnnviz.figures
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


@pytest.mark.parametrize("side", [0.02, 0.04, 0.06, 0.07, 0.13])
def test_ticks_of_panels_in_a_column_do_not_touch(side):
    sets = {name: (np.array([-0.8 * side, side]), np.array([0.0, 0.1])) for name in ("trained", "untrained")}
    with drawn_in(Page("column").drawn):
        figure = statistics({"conv1": sets, "conv2": sets})
    with default_style():
        assert overlapping(figure) == []
