"""A run over its training: steps, films and strips, and when layers, units and classes were settled."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pictures import make_run

from cnnviz import networks
from cnnviz.commands import train, visualize
from cnnviz.comparison import MEASURES, layers_over_steps, settled, units_over_steps
from cnnviz.comparison.similarity import reader
from cnnviz.data import load
from cnnviz.errors import InputError
from cnnviz.figures.filmstrip import histogram_strip
from cnnviz.figures.fonts import FONT
from cnnviz.figures.style import drawn_in
from cnnviz.figures.texts import cut_off, make_drawable, overlapping
from cnnviz.models.dense import DenseNetwork
from cnnviz.pictures import animated
from cnnviz.pictures.film import Film
from cnnviz.pictures.filmed import FILMS
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.pictures.steps import steps_of
from cnnviz.probe import activations

ALL = ",".join(FILMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, toy):
    """A run of two seeds with four snapshots, and one without any."""
    images, labels = map(np.asarray, toy)
    folder = tmp_path_factory.mktemp("film")
    np.savez(folder / "toy.npz", x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        own = ["--dataset", "toy.npz", "--model", "cnn", "--epochs", "2", "--batch-size", "30"]
        assert train.main([*own, "--name", "kept", "--snapshots", "4", "--seeds", "2"]) == 0
        assert train.main([*own, "--name", "bare"]) == 0
    return folder


@pytest.fixture(scope="module")
def data(folder):
    dataset = load(str(folder / "toy.npz"))
    return Data(lambda: dataset)


@pytest.fixture(scope="module")
def net(folder):
    return networks.open(folder / "runs/kept")


@pytest.fixture(scope="module")
def films(net, data):
    return {each.name: each for each in Film(of=ALL, among=20, columns=3, method="gradient")([net], data)}


def test_a_run_is_opened_at_the_steps_that_it_keeps(folder, net):
    found = steps_of(net)
    assert found.steps[0] == 0
    assert len(found.steps) >= 5
    assert found.steps == tuple(sorted(found.steps))
    direct = networks.open(f"{folder}/runs/kept:step_{found.steps[1]}@0")
    np.testing.assert_array_equal(
        found.nets[1].variables["params"]["conv1"]["kernel"], direct.variables["params"]["conv1"]["kernel"]
    )
    assert [net.seeds for net in found.nets] == [(0,)] * len(found.steps)
    assert found.chosen(2) == [0, len(found.steps) - 1]
    assert found.chosen(1) == [0, len(found.steps) - 1]
    assert found.chosen(99) == list(range(len(found.steps)))


def test_steps_that_are_not_there_are_said_with_those_that_are(folder, net):
    kept = ", ".join(f"{step:,}" for step in steps_of(net).steps)
    with pytest.raises(InputError, match=f"keeps no step 77; it keeps {kept}"):
        steps_of(net, "0,77")
    with pytest.raises(InputError, match="numbers with commas"):
        steps_of(net, "first")
    with pytest.raises(InputError, match=r"at least two steps; kept keeps 0, .* \(train with --snapshots 8 for more\)"):
        steps_of(net, "0")
    with pytest.raises(Skipped, match="is not a run of cnnviz"):
        steps_of(make_run(DenseNetwork()))


def test_a_run_without_snapshots_has_a_film_of_the_steps_there_are(folder, data):
    bare = networks.open(folder / "runs/bare")
    (picture,) = Film(of="histograms")([bare], data)
    steps = steps_of(bare).steps
    assert len(steps) in (2, 3)
    assert f"Steps: {', '.join(map(str, steps))}. The run keeps no others; train with --snapshots 8" in picture.caption


@pytest.mark.parametrize("name", FILMS)
def test_every_film_has_frames_of_one_size_with_their_step_and_a_strip(films, net, name):
    picture = next(each for key, each in films.items() if key.startswith(f"film_{name}"))
    steps = steps_of(net).steps
    assert list(picture.film.frames) == [f"step_{step:08}" for step in steps]
    images = picture.film.images(Page("column", dpi=60))
    assert len({image.size for image in images.values()}) == 1
    first, last = (np.asarray(images[f"step_{step:08}"]) for step in (steps[0], steps[-1]))
    assert (first != last).any()
    for page in (Page("column", "paper"), Page("text"), Page("slide")):
        figure = picture.figure(page)
        make_drawable(figure, FONT)
        assert cut_off(figure) == []
        assert overlapping(figure) == []
    last_frame = [*picture.film.frames.values()][-1]()
    words = [text.get_text() for text in last_frame.findobj(lambda each: hasattr(each, "get_text"))]
    assert any(f"step {steps[-1]:,}" in word for word in words)


def test_kernels_at_each_step_are_those_of_its_checkpoint_on_one_scale(films, net):
    found = steps_of(net)
    numbers = films["film_kernels_conv1"].numbers
    for i, own in enumerate(found.nets):
        np.testing.assert_array_equal(numbers["weights"][i], own.variables["params"]["conv1"]["kernel"])
    limits = set()
    for frame in films["film_kernels_conv1"].film.frames.values():
        limits |= {image.get_clim() for ax in frame().axes for image in ax.get_images()}
    ((low, high),) = limits
    assert -low == high <= 1.1 * np.abs(numbers["weights"]).max()


@pytest.mark.parametrize("edges", [np.linspace(-0.19, 0.19, 5), np.linspace(0.5, 1.4, 5), np.linspace(-3.1, 9.2, 5)])
def test_a_strip_of_histograms_has_two_labels_for_the_bins_of_all(edges):
    with drawn_in(Page("column", "paper").drawn):
        figure = histogram_strip({f"{i}": np.ones(4) for i in range(5)}, edges, 1.0)
    labelled = [ax for ax in figure.axes if any(tick.label1.get_visible() for tick in ax.xaxis.get_major_ticks())]
    assert len(labelled) == 1
    low, high = labelled[0].get_xticks()
    assert edges[0] <= low < high <= edges[-1]


def test_films_are_written_as_gif_and_as_frames(films, tmp_path, monkeypatch):
    film = films["film_loss"].film
    (path,) = film.write(tmp_path, "loss", Page("column", dpi=60), "title")
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == len(film.frames)
        assert image.info["loop"] == 0
        assert image.info["duration"] == 700
    before = path.read_bytes()
    assert film.write(tmp_path, "loss", Page("column", dpi=60), "title")[0].read_bytes() == before
    frames = replace(film, format="frames").write(tmp_path, "loss", Page("column", dpi=60))
    assert [path.name for path in frames] == [f"loss_{name}.png" for name in film.frames]
    assert replace(film, format="none").write(tmp_path, "x", Page()) == []
    monkeypatch.setattr(animated.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="MP4 film needs ffmpeg"):
        Film(film="mp4")([], Data())


def test_a_layers_similarity_to_the_end_is_that_of_the_arrays(net, data):
    found = steps_of(net)
    images = data.dataset.test.images[:30]
    layers, values = layers_over_steps(found.nets, images, batch_size=30)
    read = lambda own: activations(own.model, own.variables, own.prepare(images), reader(own).layers)
    first, last = read(found.nets[1]), read(found.nets[-1])
    for i, layer in enumerate(layers):
        x, y = (np.asarray(each[layer]).reshape(30, -1) for each in (first, last))
        assert values[i, 1] == pytest.approx(MEASURES["debiased_cka"](x, y), abs=2e-4), layer
    assert (values[:, -1] == 1).all()


def test_a_units_similarity_is_its_correlation_and_dead_units_have_none(net, data):
    found = steps_of(net)
    images = data.dataset.test.images[:25]
    values = units_over_steps(found.nets, "relu2", images, batch_size=8)
    read = lambda own: np.asarray(
        activations(own.model, own.variables, own.prepare(images), ["relu2"])["relu2"], np.float64
    )
    first, last = read(found.nets[1]), read(found.nets[-1])
    for unit in range(4):
        x, y = first[..., unit].ravel(), last[..., unit].ravel()
        if y.std() == 0:
            assert np.isnan(values[unit]).all()
        else:
            assert values[unit, 1] == pytest.approx(np.corrcoef(x, y)[0, 1] if x.std() else 0, abs=1e-4)
    with pytest.raises(InputError, match="at least two steps"):
        units_over_steps(found.nets[:1], "relu2", images)


def test_a_row_is_settled_from_where_it_stays_at_the_level():
    nan = np.nan
    values = np.array(
        [[0.95, 0.5, 0.92, 1], [0.91, 0.9, 0.95, 1], [0, 0.1, 0.2, 1], [nan, nan, nan, nan], [1, 1, 1, 0.5]]
    )
    found = settled(values)
    assert found.argmax(1).tolist() == [2, 0, 3, 0, 0]
    assert found.any(1).tolist() == [True, True, True, False, False]
    assert found.sum() == 3


def test_units_are_listed_by_the_step_at_which_they_were_settled(films):
    table = next(each for name, each in films.items() if name.startswith("film_units")).table
    steps = [row["settled at step"] for row in table if row["settled at step"] != "–"]
    assert steps == sorted(steps)
    assert [row["class"] for row in films["film_classes"].table] in (["0", "1"], ["1", "0"])


def test_the_command_writes_strip_film_and_numbers(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    command = "film runs/kept@1 --of kernels --columns 2 --width column --data --out drawn --dpi 60"
    assert visualize.main(shlex.split(command)) == 0
    names = {path.name for path in Path("drawn").iterdir()}
    assert names == {f"film_kernels_conv1_seed1_columns-2_column_60dpi.{ending}" for ending in ("png", "gif", "npz")}
    assert "film: drawn/film_kernels_conv1_seed1_columns-2_column_60dpi.gif" in capsys.readouterr().out


def test_a_film_is_of_one_image(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert visualize.main(shlex.split("film runs/kept@1 --of activations --image 0:2 --out drawn")) == 2
    assert "A film is of one image, and --image 0:2 means 2; name one." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("--of kernel", "did you mean 'kernels'"),
        ("--film avi", "'avi' is not a format of films"),
        ("--columns 0", "--columns must be at least 1; it was 0."),
        ("--steps 0,9999", "keeps no step 9999; it keeps 0"),
        ("--of similarity --measure rsa", "'rsa' is not a measure over steps"),
    ],
)
def test_what_cannot_be_filmed_is_refused_in_one_line(folder, monkeypatch, capsys, typed, text):
    monkeypatch.chdir(folder)
    assert visualize.main(shlex.split(f"film runs/kept {typed}")) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error


@pytest.fixture(scope="module")
def dense(folder):
    """A run of a network without convolutions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        own = ["--dataset", "toy.npz", "--model", "dense", "--epochs", "1", "--batch-size", "30", "--name", "dense"]
        assert train.main([*own, "--snapshots", "2"]) == 0
    return networks.open(folder / "runs/dense")


@pytest.mark.parametrize("of", ["kernels", "histograms", "activations", "units"])
def test_a_film_is_of_one_layer(of, net, data):
    with pytest.raises(InputError, match=r"One layer is needed here; 'conv1,conv2' means .*conv1, conv2\."):
        Film(of=of, film="none", layer="conv1,conv2")([net], data)


def test_a_film_takes_the_next_method_if_the_usual_one_does_not_apply(dense, data):
    (film,) = Film(of="attributions", film="none")([dense], data)
    assert film.subject["method"] == ["integrated_gradients"]
    assert "Left out: grad_cam. " in film.caption
    with pytest.raises(InputError, match="No layer of this model has a spatial extent"):
        Film(of="attributions", film="none", method="grad_cam")([dense], data)
    with pytest.raises(InputError, match="maps of one method; the method was 'gradient,lrp'"):
        Film(of="attributions", film="none", method="gradient,lrp")([dense], data)
