"""Names with characters that XML forbids: an SVG file stays well-formed, in every place where a figure has text."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cnnviz.figures.bars import probabilities
from cnnviz.figures.confusion import confusion
from cnnviz.figures.files import FORMATS, encoded
from cnnviz.figures.histogram import histograms
from cnnviz.figures.image import gallery, image
from cnnviz.figures.printable import signed
from cnnviz.figures.table import table
from cnnviz.pictures.files import write
from cnnviz.pictures.picture import Picture

NAME = "\x1b[31mred\x00\x7f\x9b\u202e\ufffe\udcff"  # as a folder may be called
BOOT = np.zeros((8, 8, 1), np.uint8)
SETS = {NAME: np.linspace(-1, 1, 50), "b": np.linspace(-1, 1, 50)}
FIGURES = {
    "bars": lambda: probabilities(BOOT, np.array([0.25, 0.75]), [NAME, "b"], true=0, title=NAME),
    "confusion": lambda: confusion(np.eye(2, dtype=int), [NAME, "b"], title=NAME),
    "histogram": lambda: histograms(SETS, label=NAME),
    "gallery": lambda: gallery(BOOT[None], [NAME]),
    "table": lambda: table([NAME, "n"], [[NAME, "1"]]),
    "image": lambda: image(BOOT, title=NAME),
}


@pytest.mark.parametrize("kind", FIGURES)
def test_an_svg_file_is_well_formed(kind):
    drawn = encoded(FIGURES[kind](), "svg", NAME, f"The class {NAME}.")
    text = drawn.decode()
    ElementTree.fromstring(text)  # raises ParseError
    assert "\ufffd[31mred" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ufffe]", text)


@pytest.mark.parametrize("format", FORMATS)
def test_names_are_replaced_and_not_refused_in_every_format(format):
    assert encoded(FIGURES["confusion"](), format, NAME, NAME)


@pytest.mark.parametrize("kind", FIGURES)
def test_every_text_is_drawn_without_characters_that_have_no_glyph(kind, recwarn):
    encoded(FIGURES[kind](), "png", NAME, NAME)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("numbers", [[{"class": NAME}], [{"class": [NAME]}]], ids=["csv", "json"])
def test_numbers_of_a_name_that_is_not_unicode_are_written(tmp_path, numbers):
    picture = Picture("name", "", "", numbers, lambda: image(BOOT))
    _, path = write(picture, tmp_path, "png", data=True)
    assert r"\udcff" in path.read_text()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("from -0.5 to 0.5.", "from −0.5 to 0.5."),
        ("a scale (-3, -1e-05); -2%", "a scale (−3, −1e−05); −2%"),
        ("gains 1e-05, loses -.5", "gains 1e−05, loses −.5"),
        ("run-3, lr1e-05, test 0-7", "run-3, lr1e-05, test 0-7"),
        ("a -1.png, 2026-11-28, --top -3x3", "a -1.png, 2026-11-28, --top -3x3"),
    ],
)
def test_numbers_have_minus_signs_and_names_keep_their_hyphens(text, drawn):
    assert signed(text) == drawn
    picture = Picture("p", text, text, [], lambda: image(BOOT, title=text))
    (title,) = [one.get_text() for one in picture.figure().texts]
    assert picture.title == picture.caption == title == drawn
