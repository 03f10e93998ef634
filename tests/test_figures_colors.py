"""Colors with color blindness and in gray: what is told apart by color is told apart by all readers."""

from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cnnviz.figures.bands import bands
from cnnviz.figures.looks import COLORS, look_of
from cnnviz.figures.scales import Scale

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009),
# the matrices of severity 1.0, for linear RGB
SEEN = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.11919, 0.95030]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colors, how):
    """sRGB colors from 0 to 1 as CIE L*a*b*, L from 0 to 100, as they are seen; a distance of 2.3 is just visible."""
    rgb = np.asarray(colors, float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    part = np.clip(linear @ np.array(SEEN[how]).T, 0, 1) @ XYZ.T / WHITE
    f = np.where(part > 216 / 24389, np.cbrt(part), (24389 / 27 * part + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def apart(one, other):
    return float(np.linalg.norm(one - other))


@pytest.mark.parametrize("how", SEEN)
def test_every_two_colors_of_lines_differ_and_the_first_three_differ_much(how):
    found = lab([to_rgb(color) for color in COLORS], how)
    assert min(apart(one, other) for one, other in combinations(found, 2)) > 15
    assert min(apart(one, other) for one, other in combinations(found[:2], 2)) > 60
    if how != "tritanopia":  # one in ten thousand people; blue and green are alike then
        assert min(apart(one, other) for one, other in combinations(found[:3], 2)) > 35


def test_lines_are_never_told_apart_by_color_alone():
    looks = [look_of(i) for i in range(28)]
    for what in ("linestyle", "marker"):
        assert len({(look["color"], look[what]) for look in looks}) == 28
        assert all(a[what] != b[what] for a, b in zip(looks, looks[1:], strict=False))
    alike = lambda a, b, how: apart(*lab([to_rgb(a["color"]), to_rgb(b["color"])], how)) < 25
    for a, b in combinations(looks[: len(COLORS)], 2):
        if any(alike(a, b, how) for how in SEEN):
            assert a["marker"] != b["marker"]


def test_curves_of_methods_have_dashes_of_their_own():
    band = {name: np.array([0.1, 0.2]) for name in ("mean", "low", "high")}
    figure = bands({"deletion": dict.fromkeys("abcd", band)}, {"deletion": np.array([0.0, 1.0])}, {"deletion": "share"})
    assert len({line.get_linestyle() for line in figure.axes[0].get_lines()}) == 4


@pytest.mark.parametrize("how", SEEN)
def test_maps_have_one_lightness_per_value_and_two_colors_for_two_signs(how):
    colors = lambda scale, values: lab(scale.colormap(scale.norm(values))[:, :3], how)
    light = colors(Scale(0.0, 1.0), np.linspace(0, 1, 64))[:, 0]
    assert (np.diff(light) > 0).all()  # as in gray
    sizes = np.linspace(0.2, 1, 9)
    minus, plus = (colors(Scale(-1.0, 1.0), sign * sizes) for sign in (-1, 1))
    assert min(map(apart, minus, plus)) > 15
    assert (np.diff(minus[:, 0]) < 0).all()
    assert (np.diff(plus[:, 0]) < 0).all()  # the size of a value is its darkness


def test_the_blues_of_confusion_matrices_darken_with_the_share():
    assert (np.diff(lab(matplotlib.colormaps["Blues"](np.linspace(0, 1, 64))[:, :3], "deuteranopia")[:, 0]) < 0).all()
