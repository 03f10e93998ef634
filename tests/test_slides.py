"""Slides: pages of 16:9 that pictures fill, or that they are divided into."""

from functools import partial

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.filmstrip import filmstrip
from cnnviz.figures.grids import grids
from cnnviz.figures.image import broken, gallery
from cnnviz.figures.layer_pairs import layer_pairs
from cnnviz.figures.matched import matched
from cnnviz.figures.scales import Scale, scales_of, symmetric
from cnnviz.figures.statistics import strips
from cnnviz.figures.style import default_style, drawn_in, folded
from cnnviz.figures.table import table
from cnnviz.figures.texts import cut_off, overlapping, smallest
from cnnviz.pictures import files
from cnnviz.pictures.attribution_slides import by_cells
from cnnviz.pictures.layer_slides import by_layers
from cnnviz.pictures.page import SLIDE, Page
from cnnviz.pictures.picture import Picture
from cnnviz.pictures.table_slides import tabular

HEADER, SIGNED = ("layer", "parameters"), symmetric(1.0)


def one_picture(draw, numbers=None):
    return Picture("x", "T", "A caption of one line.", numbers or {"x": np.zeros(1)}, draw)


def on_slide(draw):
    figure = one_picture(draw).figure(Page("slide"))
    assert figure.get_size_inches()[1] <= SLIDE
    ends = [ax.get_position() for ax in figure.axes]
    return figure, max(end.x1 for end in ends) - min(end.x0 for end in ends)


def maps_of(count, names, together=1):
    images, maps = np.zeros((count, 28, 28, 1), np.uint8), np.ones((count, 28, 28))
    columns = {name: Column(maps, scales_of(maps), ["gap +0.0061"] * count) for name in names}
    return partial(attributions, images, [f"boot {i}\nis boot" for i in range(count)], columns, together=together)


@pytest.mark.parametrize("count", [2, 4])
def test_maps_of_any_number_of_images_fill_a_slide(count):
    figure, filled = on_slide(partial(maps_of(count, "abc"), title="T"))
    assert filled > 0.65
    assert "gap +0.0061" in {text.get_text() for ax in figure.axes for text in ax.texts}  # and not gap +0…61


def test_short_titles_of_rows_leave_their_room_to_maps():
    """With 1.75 inches for titles, titles are above the rows and maps 0.72 inches wide."""
    figure, _ = on_slide(partial(maps_of(8, "abc"), title="T"))
    assert figure.axes[0].get_position().width > 0.08


def test_rows_that_belong_together_stay_in_one_group():
    figure, _ = on_slide(partial(maps_of(8, "abc", together=2), title="T"))
    left = {text.get_text()[:6]: text.get_position()[0] for text in figure.texts}
    assert all(left[f"boot {i}"] == left[f"boot {i + 1}"] for i in range(0, 8, 2))


def test_a_method_is_named_with_its_options():
    assert folded("smooth_grad:samples=20,noise=0.1", 0.75, 7) == ["smooth_grad:", "samples=20,", "noise=0.1"]


def test_a_long_table_is_divided_on_a_slide_and_whole_elsewhere(tmp_path):
    rows = [(f"layer{i}", "320") for i in range(33)] + [("total", "1,000")]
    picture = tabular("x", "T", "C.", [], {}, HEADER, rows, numeric=(1,), table=[{"layer": "a"}])
    assert picture.table == [{"layer": "a"}]
    names = [path.name for path in files.write(picture, tmp_path, page=Page("slide"))]
    assert names == ["x_1_slide.png", "x_2_slide.png", "x_3_slide.png"]
    assert [path.name for path in files.write(picture, tmp_path)] == ["x.png"]
    shown = [[text.get_text() for text in slide.figure(Page("slide")).axes[0].texts] for slide in picture.slides]
    assert [text for texts in shown for text in texts if text not in (*HEADER, "320")] == [row[0] for row in rows] + [
        "1,000"
    ]
    assert all(slide.figure(Page("slide")).get_size_inches()[1] <= SLIDE for slide in picture.slides)
    assert picture.slides[1].title == "T, page 2 of 3"


def test_many_maps_are_divided_on_a_slide():
    draw = maps_of(10, list("abcdefghij"))
    picture = by_cells(one_picture(draw), *draw.args)
    assert len(picture.slides) == 4  # two of columns by two of rows
    assert picture.slides[0].figure(Page("slide")).get_size_inches()[1] <= SLIDE
    few = maps_of(8, "abc")
    assert by_cells(one_picture(few), *few.args).slides == ()


def test_columns_of_a_wide_table_are_in_blocks_and_none_is_cut_off():
    rows = [[f"method_{i}", *["0.879 (0.862 to 0.895)"] * 6] for i in range(3)]
    with drawn_in(Page("column", "paper").drawn):
        figure = table(["method", *[f"metric {k}" for k in range(6)]], rows, numeric=range(1, 7), total=False)
    assert cut_off(figure) == []
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("method_0") > 1
    assert words.count("0.879 (0.862 to 0.895)") == 18


def test_a_table_of_any_number_of_columns_is_as_wide_as_a_screen_where_no_width_is_asked_for():
    header = ["method", *[f"metric_{k} ↑" for k in range(19)]]
    rows = [[f"smooth_grad:samples=2{i}", *["0.123 (0.100 to 0.145) †"] * 19] for i in range(3)]
    figure = table(header, rows, numeric=range(1, 20), total=False)
    assert 8 < figure.get_figwidth() <= 12
    assert cut_off(figure) == overlapping(figure) == []
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("0.123 (0.100 to 0.145) †") == 57
    assert words.count("smooth_grad:samples=20") == 3  # blocks
    few = table(header[:5], [row[:5] for row in rows], numeric=range(1, 5), total=False)
    assert smallest(few) > smallest(figure)


@pytest.mark.parametrize("count", [2, 6, 20])
@pytest.mark.parametrize("width", ["column", "slide", None])
def test_no_text_of_a_table_is_below_five_points_or_on_another(count, width):
    rows = [["stage1_block1/a_convolution_with_a_very_long_name/relu" * 3, *["0.879 (0.862 to 0.895)"] * count]] * 2
    with drawn_in(Page(width).drawn):
        figure = table(["layer", *[f"a measure {k}" for k in range(count)]], rows, numeric=range(1, count + 1))
    with default_style():  # text as it is measured and written to files
        assert smallest(figure) >= 5
        assert cut_off(figure) == overlapping(figure) == []


def test_gaps_of_a_table_in_blocks_leave_room_for_the_widest_of_them():
    header = ["method", "insertion ↑", "deletion ↓", "faithfulness_correlation ↑", "max_sensitivity ↓"]
    rows = [[f"method_{i}", *["0.87 (0.86 to 0.89)"] * 4] for i in range(3)]
    with drawn_in(Page("column", "paper").drawn):
        figure = table(header, rows, numeric=range(1, 5), total=False)
    assert cut_off(figure) == []


def test_heat_maps_strips_and_few_images_fill_a_slide():
    values = np.zeros((64, 6))
    units = partial(layer_pairs, values, list(map(str, range(64))), list("abcdef"), {}, Scale(0.0, 1.0), title="T")
    assert on_slide(units)[1] > 0.7
    few = partial(layer_pairs, np.zeros((11, 3)), [f"layer{i}" for i in range(11)], list("abc"), {}, Scale(0.0, 1.0))
    assert on_slide(few)[1] > 0.7
    frames = {f"{i}": np.zeros((32, 3, 6)) for i in range(6)}
    figure, filled = on_slide(partial(filmstrip, frames, Scale(0.0, 1.0), columns=8, title="T"))
    assert filled > 0.7
    assert len({round(ax.get_position().y0, 3) for ax in figure.axes[:6]}) > 1  # rows
    assert on_slide(partial(gallery, np.zeros((3, 32, 32, 3), np.uint8), ["a", "b", "c"], title="T"))[1] > 0.6


@pytest.mark.parametrize(
    "draw",
    [
        partial(grids, dict.fromkeys(("trained", "untrained"), np.zeros((100, 28, 28))), SIGNED, columns=16, title="T"),
        partial(matched, *[np.zeros((64, 28, 28))] * 2, ["0.97"] * 64, SIGNED, ("a", "b"), title="T"),
    ],
    ids=["grids", "matched"],
)
def test_many_kernels_are_not_higher_than_a_slide(draw):
    figure, filled = on_slide(draw)
    assert filled > 0.65
    assert cut_off(figure) == overlapping(figure) == []


def test_numbers_of_many_layers_are_divided_on_slides_and_whole_elsewhere():
    layers, values = [f"stage{i}_block1/conv1" for i in range(24)], np.arange(3.0)
    panels = {what: {name: dict.fromkeys(layers, values) for name in "ab"} for what in ("size", "rank")}
    picture = by_layers("weights", "T", "A caption.", [], {}, layers, panels)
    assert [slide.title for slide in picture.slides] == ["T, page 1 of 2", "T, page 2 of 2"]
    for slide in picture.slides:
        assert slide.figure(Page("slide")).get_size_inches()[1] <= SLIDE
    assert by_layers("weights", "T", "A caption.", [], {}, layers[:12], panels).slides == ()
    assert len(picture.figure(Page("column")).axes[0].get_yticks()) == 24


def test_kernels_of_many_layers_are_divided_on_slides_whose_axes_are_alike():
    points = {f"conv{i}": {"trained": (np.array([0.1 * i]), np.array([0.1 + i]))} for i in range(20)}
    halves = [dict(list(points.items())[part]) for part in (slice(10), slice(10, 20))]
    first, second = (strips(half, among=points) for half in halves)
    for one, other in zip(first.axes[:2], second.axes[:2], strict=True):
        assert one.get_xlim() == pytest.approx(other.get_xlim())
    assert first.axes[0].get_xlim()[1] > 1.9 > strips(halves[0]).axes[0].get_xlim()[1]


def test_maps_of_a_narrow_page_are_as_large_as_its_height_allows():
    with drawn_in(Page("column").drawn):
        figure = grids({"": np.zeros((256, 7, 7))}, SIGNED)
        place = figure.axes[0].get_position()
    assert place.width > 0.5  # 16 maps in a row would be too small, and with four the page would be too high for them


def test_the_scale_of_maps_of_colors_is_gray_wherever_they_are_drawn():
    maps = {"0": np.zeros((4, 3, 3, 3)), "1": np.full((4, 3, 3, 3), 2.0)}
    films = filmstrip(maps, SIGNED, columns=2, label="weight")
    pairs = matched(maps["0"], maps["1"], ["1"] * 4, SIGNED, ("a", "b"))
    for figure in (films, pairs, grids(maps, SIGNED, label="weight")):
        bar = figure.axes[-1]
        assert bar.get_ylabel() == "weight (RGB)"
        drawn = next(part for part in bar.collections if isinstance(part, QuadMesh))
        assert drawn.get_cmap().name == "gray"
    assert filmstrip({"0": np.zeros((4, 3, 3))}, SIGNED, label="weight").axes[-1].get_ylabel() == "weight"


def test_names_of_rows_take_the_room_that_few_columns_leave():
    names = [f"stage{i}_block1/conv1" for i in range(4)]
    with drawn_in(Page("column").drawn):
        wide = layer_pairs(np.zeros((4, 7)), names, list("abcdefg"), {}, Scale(0.0, 1.0))
        narrow = layer_pairs(np.zeros((4, 14)), names, list("abcdefghijklmn"), {}, Scale(0.0, 1.0))
    shown = [text.get_text() for text in wide.axes[0].get_yticklabels()]
    assert min(map(len, shown)) > max(len(text.get_text()) for text in narrow.axes[0].get_yticklabels())


def test_a_label_is_broken_at_the_last_space_that_leaves_room_for_both_lines_and_no_orphan():
    assert broken("8% best at step 0", 0.8, 7) == "8% best at\nstep 0"
    assert broken("as Ankle boot", 0.65, 7) == "as Ankle\nboot"
    assert "…" not in broken("8% best at step 0", 0.7, 7)


def test_rows_of_one_file_have_its_name_once():
    assert files.shown("attribute", {"image": {"index": [0, 1], "file": ["both.npz", "both.npz"]}}) == "_0-1+both"
