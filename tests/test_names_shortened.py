"""Names in little room: they can be told apart, and numbers of classes are those of the classes."""

import numpy as np
import pytest

from cnnviz.figures.bars import probabilities
from cnnviz.figures.confusion import confusion
from cnnviz.figures.intervals import Row, intervals
from cnnviz.figures.names import distinct
from cnnviz.figures.style import default_style, drawn_in
from cnnviz.figures.table import table
from cnnviz.figures.text import width_of, wrapped
from cnnviz.figures.texts import cut_off, overlapping
from cnnviz.figures.unit_sheet import Card, unit_sheet
from cnnviz.pictures.page import Page

ANIMALS = ("beaver", "trout", "orchid", "bottle")
LONG = [f"aquatic mammal {a} from the {b}ern coast" for a in ANIMALS for b in ("north", "south", "east", "west")]
LAYERS = [f"encoder/stage{i}_of_the_network/block{j}/conv1" for i in range(3) for j in range(4)]


@pytest.mark.parametrize("names", [LONG, LAYERS, ["x" * 80 + f"{i}" + "y" * 80 for i in range(12)]])
@pytest.mark.parametrize("width", [0.6, 1.0, 2.0])
def test_names_that_are_shortened_differ_and_fit(names, width):
    found = distinct(names, width, 7)
    assert len(set(found)) == len(names)
    assert max(width_of(name, 7, "DejaVu Sans") for name in found) <= width + 1e-9
    assert distinct(["a", "b", "a"], width, 7) == ["a", "b", "a"]


def test_what_differs_is_left_of_names_that_look_alike():
    assert distinct(LONG, 1.1, 7)[:2] == ["…beaver northern", "…beaver southern"]
    pairs = [f"seeds (seed 0, one of 3), seeds (seed {i}, one of 3)" for i in (1, 2)]
    assert distinct(pairs, 1.3, 7.5) == ["…seed 1", "…seed 2"]


def test_classes_of_long_names_differ_in_tables_and_bars():
    with drawn_in(Page("column").drawn):
        drawn = table(["class", *"abcde"], [[name, *["0.1234"] * 5] for name in LONG], numeric=range(1, 6))
        shown = [text.get_text() for text in drawn.axes[0].texts if "…" in text.get_text()]
        assert len(shown) == len(set(shown)) == len(LONG)
        bars = probabilities(np.zeros((4, 4, 1), np.uint8), np.full(len(LONG), 0.1), LONG, true=3).axes[1]
    assert len({label.get_text() for label in bars.get_yticklabels()}) == len(LONG)


def test_a_part_of_the_classes_has_the_numbers_of_the_classes_themselves():
    numbers = [*range(7, 107, 2)]
    with drawn_in(Page("column").drawn):
        figure = confusion(np.eye(50, dtype=int), [f"{i}: {'a class' * 9}" for i in numbers], numbers=numbers)
    ax = figure.axes[0]
    assert ax.get_xlabel() == "number of the predicted class"
    assert [int(label.get_text()) for label in ax.get_xticklabels()] == [numbers[int(at)] for at in ax.get_xticks()]


@pytest.mark.parametrize("count", [6, 12])
def test_a_title_has_no_single_number_on_its_last_line(count):
    for width in np.linspace(1.5, 4.0, 40):
        lines = wrapped(
            f"shapes: units of stage3_block1, page 5 of {count}", float(width), 11, 5, "DejaVu Sans", "bold"
        )
        assert len(lines[-1]) > 4
        assert max(width_of(line, 11, "DejaVu Sans", "bold") for line in lines) <= width


@pytest.mark.parametrize("width", ["column", "slide", None])
def test_labels_of_panels_and_headings_of_long_names_are_folded_and_fit(width):
    names, row = [f"seeds (seed {i}, one of 3)" for i in range(3)], Row(0.5, (0.45, 0.55))
    panels = {f"accuracy of {name}": [row] * 2 for name in names} | {f"{names[0]} − {names[1]}": [row] * 2}
    with drawn_in(Page(width).drawn):
        figures = [intervals(ANIMALS[:2], panels), table(["setting", *names], [["seeds", *"012"]], total=False)]
        with default_style():
            assert [overlapping(figure) + cut_off(figure) for figure in figures] == [[], []]
        assert max(text.get_text().count("\n") for text in figures[1].axes[0].texts) < 3


def test_rows_of_pairs_differ_and_keep_their_minus_signs():
    names = [f"seeds (seed 0, one of 3) − seeds (seed {i}, one of 3)" for i in (1, 2)]
    with drawn_in(Page("column").drawn):
        ax = intervals(names, {"accuracy": [Row(0.5)] * 2}).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["…seed 0\n− …seed 1", "…seed 0\n− …seed 2"]


def test_names_of_units_are_below_the_edge_of_a_page_without_title():
    with drawn_in(Page("column", "paper").drawn):
        figure = unit_sheet([Card(0, [np.zeros((4, 4, 1), np.uint8)], ["a"])], 1, title="T")
    assert figure.axes[0].get_position().y1 < 1 - 0.03 / figure.get_size_inches()[1]
