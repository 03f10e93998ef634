"""Names in any script: an installed font that has their characters, else their letters spelled, with one line."""

import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from cnnviz.commands import glyphs
from cnnviz.figures.confusion import confusion
from cnnviz.figures.files import encoded
from cnnviz.figures.fonts import FONT, drawable, families
from cnnviz.figures.text import width_of
from cnnviz.figures.texts import make_drawable

PET = "\uf8e0\uf8e1"  # of a private area, which no other font has


@pytest.fixture
def installed(tmp_path):
    """A font of two squares, as if it were installed."""
    pen = TTGlyphPen(None)
    for at in ((0, 0), (0, 700), (700, 700), (700, 0)):
        (pen.lineTo if at[0] or at[1] else pen.moveTo)(at)
    pen.closePath()
    names = [".notdef", "a", "b"]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(PET[0]): "a", ord(PET[1]): "b"})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Two Squares", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "squares.ttf")
    before = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(tmp_path / "squares.ttf")
    yield
    font_manager.fontManager.ttflist[:] = before


def test_a_font_that_has_the_characters_is_used(installed):
    assert families(f"a {PET}", FONT) == (FONT, "Two Squares")
    figure = confusion(np.eye(2, dtype=int), [PET, "b"], title=f"{PET} and b")
    make_drawable(figure, FONT)
    assert figure.texts[0].get_fontfamily() == [FONT, "Two Squares"]
    assert figure.axes[0].get_yticklabels()[0].get_fontfamily() == [FONT, "Two Squares"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoded(figure, "png", "", PET)


@pytest.mark.parametrize(("name", "spelled"), [("강", "gang"), ("ね", "ne"), ("猫 3", "732b 3"), (PET, "?-?")])
def test_other_letters_are_spelled(name, spelled, monkeypatch):
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    with pytest.warns(UserWarning, match="No font has"):
        assert drawable(name, FONT) == spelled


def test_letters_that_no_font_has_are_measured_without_a_warning(recwarn):
    assert width_of("\U000e0100\U0001e900 b", 10, FONT) > 0
    assert [str(one.message) for one in recwarn] == []


def test_of_many_names_there_is_one_note_and_no_other_warning(capsys, recwarn, monkeypatch):
    plain = [entry for entry in font_manager.fontManager.ttflist if entry.name == FONT]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", plain)
    names = ["강아지", "고양이", "ねこ", "猫", "Grüße"]
    with glyphs.one_note():
        encoded(confusion(np.eye(5, dtype=int), names, title=names[0]), "png", names[1], names[2])
    assert capsys.readouterr().out.count("\n") == 1
    assert [str(warning.message) for warning in recwarn] == []
