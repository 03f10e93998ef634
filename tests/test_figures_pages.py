"""Pictures for a column, a text and a slide: no text is cut off or overlaps another."""

import json
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image
from test_pictures import RECORD, make_dataset, make_run

from cnnviz.errors import InputError
from cnnviz.figures.attributions import Column, attributions
from cnnviz.figures.bars import probabilities
from cnnviz.figures.confusion import confusion
from cnnviz.figures.fonts import FONT
from cnnviz.figures.grids import grids
from cnnviz.figures.histogram import histograms
from cnnviz.figures.image import gallery
from cnnviz.figures.predicted import predicted
from cnnviz.figures.responses import Column as Side
from cnnviz.figures.responses import responses
from cnnviz.figures.scales import Scale, scale_of, scales_of
from cnnviz.figures.statistics import statistics
from cnnviz.figures.style import Style, drawn_in, page
from cnnviz.figures.table import table
from cnnviz.figures.texts import covered, cut_off, make_drawable, overlapping, smallest
from cnnviz.models.cnn import CNN
from cnnviz.models.dense import DenseNetwork
from cnnviz.models.resnet import ResNet
from cnnviz.pictures import PICTURES, files, latex
from cnnviz.pictures.page import SLIDE, WIDTHS, Page
from cnnviz.pictures.picture import Data, Picture, Skipped
from cnnviz.registry import resolve

HISTORY = [RECORD | {"epoch": i, "step": 2 * i, "val_loss": 0.4 + 0.01 * i} for i in range(1, 13)]
BOOT = np.zeros((8, 8, 1), np.uint8)


def seeds(net):
    own = [net.variables, net.untrained, net.variables]
    history = [record | {"seed": seed} for seed in (0, 1, 2) for record in net.history]
    return replace(net, members=own, beginnings=[net.untrained] * 3, seeds=(0, 1, 2), history=history)


NETWORKS = {
    "default": lambda: (make_run(CNN(), history=HISTORY), (28, 28, 1)),
    "colour": lambda: (make_run(ResNet(channels=8), (32, 32, 3), history=HISTORY), (32, 32, 3)),
    "dense": lambda: (make_run(DenseNetwork(), history=HISTORY), (28, 28, 1)),
    "three seeds": lambda: (seeds(make_run(CNN(), history=HISTORY)), (28, 28, 1)),
}
FEW = {"images": "0:4", "steps": 2, "epsilons": "0.1", "methods": "gradient"}
OPTIONS = {"attribute": {"images": "0:2"}, "units": {"unit": 1}, "robustness": FEW}  # rows are alike
PAGES = [Page("column", "paper"), Page("column"), Page("text", "paper"), Page("slide")]
DRAWN = [*[(name, PAGES[0]) for name in NETWORKS], *[("default", page) for page in PAGES[1:]]]


@cache
def everything(name):
    """All pictures of a network, whose classes have names of usual lengths."""
    net, shape = NETWORKS[name]()
    dataset = make_dataset(shape)
    names = ("T-shirt/top", "Ankle boot", "Sneaker", *dataset.classes[3:])
    dataset, net = replace(dataset, classes=names), replace(net, classes=names)
    kinds = [resolve(PICTURES, kind, "picture")(**OPTIONS.get(kind, {})) for kind in PICTURES]
    return [picture for kind in kinds for picture in drawn_of(kind, net, Data(lambda: dataset))]


def drawn_of(kind, net, data):
    """The pictures of a kind; none of one that does not apply to the network."""
    try:
        return kind([net], data)
    except Skipped:
        return []


@pytest.mark.parametrize(("name", "asked"), DRAWN)
def test_no_text_of_any_picture_is_cut_off_too_small_or_overlaps_another_or_an_image(name, asked):
    for picture in everything(name):
        figure = picture.figure(asked)
        make_drawable(figure, FONT)
        assert figure.get_figwidth() == pytest.approx(WIDTHS[asked.width])
        assert cut_off(figure) == [], picture.name
        assert overlapping(figure) == [], picture.name
        assert covered(figure) == [], picture.name
        assert smallest(figure) > 4.99, picture.name


def test_what_is_cut_off_or_overlaps_is_found():
    figure = page(6.0, 2.0, arranged=False)
    for x, text in ((0.5, "one"), (0.51, "two"), (0.99, "too far right")):
        figure.text(x, 0.5, text)
    assert cut_off(figure) == ["too far right"]
    assert overlapping(figure) == [("one", "two")]
    assert covered(figure) == []
    figure.add_axes((0.4, 0.2, 0.3, 0.6)).imshow(BOOT[..., 0])
    assert "one" in covered(figure)
    figure.text(0.1, 0.1, "tiny", fontsize=3)
    assert smallest(figure) == 3


def one_picture(draw=lambda: probabilities(BOOT, np.array([0.25, 0.75]), ["a_b", "b"], title="T & t"), **named):
    return Picture("name", "T & t", "100 % of {x}_1.", [{"a": 1}], draw, **named)


@pytest.mark.parametrize(
    ("width", "inches"), [("column", 3.3), ("text", 6.9), ("slide", 10.0), ("4.5", 4.5), (None, 8.4)]
)
def test_a_picture_has_the_width_that_was_asked_for(width, inches, tmp_path):
    png, *_ = files.write(one_picture(), tmp_path, page=Page(width, dpi=100))
    image = Image.open(png)
    assert image.width == pytest.approx(100 * inches, abs=1)
    assert image.info["dpi"][0] == pytest.approx(100, rel=0.01)
    pdf, *_ = files.write(one_picture(), tmp_path, "pdf", page=Page(width))
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", pdf.read_bytes())
    assert float(box[1]) == pytest.approx(72 * inches, abs=0.01)


def test_a_wider_page_has_larger_text():
    size = lambda width: one_picture().figure(Page(width)).axes[1].get_yticklabels()[0].get_fontsize()
    assert 6 <= size("column") <= 9 < 14 <= size("slide") <= 20


def test_for_a_paper_the_caption_is_in_a_file_of_its_own(tmp_path):
    png, tex = files.write(one_picture(), tmp_path, page=Page(style="paper"))
    assert (png.name, tex.name) == ("name_paper.png", "name_paper.tex")
    assert tex.read_text() == (
        "% name_paper.png\n\\caption{T \\& t. 100 \\% of \\{x\\}\\_1.}\n\\label{fig:name-paper}\n"
    )
    assert [text.get_text() for text in one_picture().figure(Page(style="paper")).texts] == []
    assert Image.open(png).height < Image.open(files.write(one_picture(), tmp_path)[0]).height


def test_a_question_as_a_title_ends_with_its_mark_and_all_characters_of_captions_are_latex():
    text = latex.caption_file(
        "a.pdf", "Do the metrics agree?", "ρ is positive; ↑ more, ↓ less is better; 3 µs, †, L∞, → ← ∗."
    )
    assert "\\caption{Do the metrics agree? $\\rho$ is positive; $\\uparrow$ more" in text
    assert text.isascii()


def test_captions_are_escaped_for_latex():
    assert latex.escaped("a_b\\c^2 ~ −1±2 … <x>\n#1$") == (
        r"a\_b\textbackslash{}c\textasciicircum{}2 \textasciitilde{} $-$1$\pm$2 \ldots{} "
        r"\textless{}x\textgreater{} \#1\$"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"width": "colum"}, "'colum' is not a width; did you mean 'column'"),
        ({"width": "0.5"}, "from 1 to 60 inches"),
        ({"width": "nan"}, "from 1 to 60 inches"),
        ({"style": "papr"}, "'papr' is not a style; did you mean 'paper'"),
        ({"font": "DejaVu Sanz"}, "'DejaVu Sanz' is not a font; did you mean 'DejaVu Sans'"),
        ({"dpi": 0}, "dpi must be from 20 to 2400 pixels per inch; it was 0"),
        ({"width": "40", "dpi": 2400}, "too large for 2400 pixels per inch"),
    ],
)
def test_a_page_that_cannot_be_is_refused(options, text):
    with pytest.raises(InputError, match=text):
        one_picture().encoded(page=Page(**options))


def test_a_width_too_small_for_the_labels_is_refused():
    picture = one_picture(lambda: confusion(np.eye(12, dtype=int), [f"a class {i}" for i in range(12)]))
    with pytest.raises(InputError, match=r"A width of 1\.2 inches is too small for the labels"):
        picture.encoded(page=Page("1.2"))
    assert picture.encoded(page=Page("3.3"))
    with pytest.raises(InputError, match="A width of 1 inch is too small for the labels"):
        one_picture(lambda: page(1.0, -0.2)).encoded(page=Page("1"))
    pixels = np.zeros((300, 250, 3), np.uint8)  # whose place on the page collapses, of which matplotlib would warn
    with pytest.raises(InputError, match="A width of 1 inch is too small for the labels"):
        one_picture(lambda: predicted(pixels, pixels, np.ones(5) / 5, [*"abcde"])).encoded(page=Page("1"))


def test_a_font_is_used_in_all_texts():
    figure = one_picture().figure(Page(font="DejaVu Serif"))
    assert {text.get_fontfamily()[0] for text in (*figure.texts, *figure.axes[1].get_yticklabels())} == {"DejaVu Serif"}


ABOUT = {"run": "runs/x", "step": [400], "seed": [3], "command": "visualize.py 'ä b'", "revision": "1234abc"}


@pytest.mark.parametrize("format", ["png", "pdf", "svg"])
def test_files_say_what_they_are_of_and_have_the_same_bytes_each_time(format, tmp_path):
    found = [files.write(one_picture(), tmp_path, format, about=ABOUT)[0].read_bytes() for _ in range(2)]
    assert found[0] == found[1]
    if format == "png":
        info = Image.open(tmp_path / "name.png").info
        assert json.loads(info["Description"]) == ABOUT
        assert info["Title"] == "T & t"
    text = found[0].decode("latin-1").replace("&quot;", '"')
    assert '"run": "runs/x"' in text
    assert '"revision": "1234abc"' in text
    assert "Date" not in text.replace("CreationDate", "Date") or format == "svg"


IMAGE = {"dataset": "things", "split": "test", "index": [0, 1, 2, 5]}


@pytest.mark.parametrize(
    ("subject", "file"),
    [
        ({}, "name.png"),
        ({"image": IMAGE | {"index": 3}}, "name_test3.png"),
        ({"image": IMAGE, "target": "Ankle boot", "method": ["a", "b"]}, "name_test0-2+5_Ankle-boot_a+b.png"),
        (
            {"image": IMAGE, "target": "label", "method": ["a"], "drawn": ["overlay"]},
            "name_test0-2+5_label_a_overlay.png",
        ),
        ({"image": {"file": "photo.jpg"}}, "name_photo.png"),
        ({"image": {"file": "both.npz", "index": [0, 1, 4]}}, "name_both0-1+4.png"),
    ],
)
def test_a_file_name_says_image_target_and_method(subject, file, tmp_path):
    (path,) = files.write(one_picture(subject=subject), tmp_path)
    assert path.name == file


def test_pictures_of_other_methods_or_pages_are_other_files(tmp_path):
    many = [f"method{i}" for i in range(8)]
    write = lambda methods, **named: files.write(one_picture(subject={"method": methods}), tmp_path, **named)[0].name
    names = [write(many), write([*many[:-1], "other"]), write(many, page=Page("column")), write(many, variant="_seed3")]
    assert len(set(names)) == 4
    assert names[2].endswith("_column.png")


def test_maps_in_a_pdf_have_sharp_pixels():
    """A viewer may smooth what it enlarges, so each value has many pixels of its own."""
    picture = one_picture(lambda: confusion(np.eye(3, dtype=int), ["a", "b", "c"]))
    widths = [int(width) for width in re.findall(rb"/Width (\d+)", picture.encoded("pdf", page=Page("column")))]
    assert max(widths) > 600


def test_positions_do_not_depend_on_addresses_in_memory():
    """The solver of constrained layout differs in a last digit from run to run; names in SVG files hash all digits."""
    histogram = next(picture for picture in everything("default") if picture.name.startswith("histogram"))
    figure = histogram.figure()
    figure.draw_without_rendering()
    corners = np.array([ax.get_position().get_points() for ax in figure.axes])
    np.testing.assert_array_equal(corners, corners.round(9))


def baselines(figure):
    """The height in pixels of each cell's baseline."""
    figure.draw_without_rendering()
    return {text.get_text(): text.get_transform().transform(text.get_position())[1] for text in figure.axes[0].texts}


def test_cells_of_a_row_stand_on_one_line_whatever_their_letters():
    found = baselines(table(["kind", "shape"], [["ace", "py_gq"], ["1,010", "10"]], title="t"))
    assert found["ace"] == pytest.approx(found["py_gq"])
    assert found["kind"] == pytest.approx(found["shape"])
    cell = table(["ace", "b"], [["ace", "b"]]).axes[0].texts[0]
    assert cell.get_verticalalignment() == "baseline"  # and not the top, which letters move


def test_a_slide_is_no_higher_than_a_slide_and_its_text_no_smaller_than_needed():
    images = np.zeros((8, 28, 28, 1), np.uint8)
    maps = Column(np.ones((8, 28, 28)), scales_of(np.ones((8, 28, 28))))
    draw = lambda: attributions(images, ["a\nb\nc"] * 8, {"one": maps, "two": maps}, title="T")
    heights = {}
    for width in ("slide", "10"):
        figure = one_picture(draw).figure(Page(width))
        heights[width] = figure.get_size_inches()[1]
    assert heights["slide"] <= SLIDE < heights["10"]
    small = one_picture(lambda: probabilities(BOOT, np.array([0.25, 0.75]), ["a", "b"], title="T"))
    assert small.figure(Page("slide")).axes[1].get_yticklabels()[0].get_fontsize() >= 12


def test_rows_of_maps_stand_in_two_groups_where_the_page_is_wide():
    images, maps = np.zeros((7, 4, 4, 1), np.uint8), np.ones((7, 4, 4))
    with drawn_in(Style(14.0)):
        figure = attributions(images, list("abcdefg"), {"one": Column(maps, scales_of(maps))})
    places = {text.get_text(): text.get_position() for text in figure.texts}
    assert places["a"][1] == pytest.approx(places["e"][1])
    assert places["a"][0] < places["e"][0]
    assert places["d"][1] < places["a"][1]
    assert sum(len(ax.images) for ax in figure.axes) >= 14


def filled(figure):
    """The share of the page's width from the left end of what is drawn to its right end."""
    ends = [ax.get_position() for ax in figure.axes]
    return max(end.x1 for end in ends) - min(end.x0 for end in ends)


def test_a_slide_is_filled_by_rows_next_to_each_other_and_by_longer_rows_of_maps():
    maps = np.arange(6 * 16, dtype=float).reshape(6, 4, 4)
    columns = [Side("image", maps, scale_of(maps)), *[Side("map", maps, scale_of(maps), "→")] * 3]
    rows = one_picture(lambda: responses(list("abcdef"), columns, title="T")).figure(Page("slide"))
    assert sum(len(ax.images) for ax in rows.axes) >= 24
    assert filled(rows) > 0.75
    many = one_picture(lambda: grids({"": np.ones((64, 14, 14))}, Scale(0.0, 1.0), title="T")).figure(Page("slide"))
    assert filled(many) > 0.75


def test_a_confusion_matrix_on_a_slide_has_the_recall_of_each_row_next_to_it():
    counts = np.array([[8, 2, 0], [1, 9, 0], [5, 0, 5]])
    drawn = one_picture(lambda: confusion(counts, ["shirt", "a_long name of it", "boot"], title="T"))
    figure = drawn.figure(Page("slide"))
    figure.draw_without_rendering()
    matrix, bars, _ = figure.axes
    assert [bar.get_width() for bar in bars.patches] == [0.8, 0.9, 0.5]
    its, own = matrix.get_position(), bars.get_position()
    assert (own.y0, own.y1) == pytest.approx((its.y0, its.y1))
    assert filled(figure) > 0.75
    assert cut_off(figure) == []
    assert overlapping(figure) == []
    assert len(drawn.figure(Page("column")).axes) == 2  # no room for them


@pytest.mark.parametrize("width", ["column", "slide"])
def test_counts_of_many_weights_do_not_reach_the_title_of_their_panel(width):
    sets = {name: np.linspace(-1, 1, 104_000) for name in ("trained", "untrained")}
    figure = one_picture(lambda: histograms(sets, title="T")).figure(Page(width))
    figure.draw_without_rendering()
    assert overlapping(figure) == []
    panel = figure.axes[0]
    assert max(text.get_window_extent().y1 for text in panel.texts) < panel.bbox.y1


def test_a_label_too_wide_for_its_image_has_its_last_word_below():
    with drawn_in(Style(3.3, 0.8)):
        figure = gallery(np.stack([BOOT] * 4), ["Ankle boot 96.5%\ntest 1", "Bag 9%", "a_very_long_name_of_it", "b"])
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown[:2] == ["Ankle boot\n96.5%\ntest 1", "Bag 9%"]
    assert "…" in shown[2]
    assert cut_off(figure) == []


def test_no_point_of_the_statistics_lies_under_the_legend():
    sets = {"trained": (np.array([-1.0, 1.0]), np.array([1.0, 1.0])), "untrained": (np.zeros(2), np.ones(2))}
    for width in ("column", None):
        figure = one_picture(lambda: statistics({"conv1": sets, "conv2": sets})).figure(Page(width))
        figure.draw_without_rendering()
        box = figure.axes[0].get_legend().get_window_extent()
        assert figure.axes[0].transData.transform((0, 1.0))[1] < box.y0


def test_in_a_column_both_axes_of_many_layers_have_room_and_a_scale():
    """A legend wider than its axes takes its room from between the two."""
    sets = {name: (np.array([-0.4, 0.3]), np.array([0.04, 0.6])) for name in ("trained", "untrained")}
    figure = one_picture(lambda: statistics({f"stage{i}_block1/conv1": sets for i in range(8)})).figure(Page("column"))
    figure.draw_without_rendering()
    left, right = (ax.get_position() for ax in figure.axes)
    assert right.x0 - left.x1 < 0.1
    low, high = figure.axes[1].get_xlim()
    assert sum(low <= tick <= high for tick in figure.axes[1].get_xticks()) >= 2
