"""A user's matplotlibrc changes no picture."""

import matplotlib
import numpy as np
import pytest
from test_figures_printable import FIGURES

from cnnviz.figures.files import encoded

ODD = [
    {"image.origin": "lower"},
    {"figure.autolayout": True},
    {"axes.grid": True},
    {"text.usetex": True},
    {"font.size": 30, "axes.facecolor": "black", "image.cmap": "jet", "savefig.dpi": 20, "figure.dpi": 33},
    {"axes.prop_cycle": matplotlib.cycler(color=["red"]), "savefig.bbox": "tight", "xtick.bottom": False},
]


@pytest.mark.parametrize("kind", FIGURES)
def test_pictures_are_the_same_under_any_settings(kind):
    usual = encoded(FIGURES[kind](), "png", "t", "A caption.", 50)
    for settings in ODD:
        with matplotlib.rc_context(settings):
            before = dict(matplotlib.rcParams)
            assert encoded(FIGURES[kind](), "png", "t", "A caption.", 50) == usual, settings
            assert dict(matplotlib.rcParams) == before
    assert len(np.unique(np.frombuffer(usual, np.uint8))) > 1
