"""`visualize.py`: draw what a trained network has learned, from a run or from a Keras file."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from cnnviz.commands import console, terminal
from cnnviz.errors import InputError, unknown
from cnnviz.pictures import PICTURES
from cnnviz.registry import resolve

KERAS = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Options:
    """Draw a network. Put a kind of picture first to draw that one alone: layers, kernels, histograms, activations,
    attribute, curves or predictions."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """A run's directory or a Keras .h5 or .keras file; by default the latest run."""
    layer: str | None = None
    """Draw this layer; by default those that the kind of picture is about."""
    image: int = 0
    """Which image of the split to show to the network."""
    split: str = "train"
    """Which split the image is from: train or test."""
    format: str = "png"
    """The pictures' file format: png, svg or pdf."""
    data: bool = False
    """Write the numbers behind each picture too (CSV, JSON or npz)."""
    out: Path | None = None
    """Where the pictures go; by default the run's figures/, or figures/NAME for a Keras file."""
    dataset: str | None = None
    """Data sets in order of preference; by default the run's own, or for a Keras file the first that fits."""
    data_dir: Path | None = None
    """Where to look for the data set first."""
    seed: int = 0
    """The key of the untrained draw that a Keras file is compared with."""
    runs: Path = Path("runs")
    """The folder of all runs."""
    debug: bool = False
    """Show where an error comes from."""


@dataclass(frozen=True)
class AttributeOptions(Options):
    """Draw what in each image the network's answer rests on: a row an image, a column a method."""

    methods: str = "grad_cam,integrated_gradients,smooth_grad"
    """Methods with commas between, or all."""
    images: str = "0:8"
    """Which images of the split: a range 0:8, one, or several with commas."""
    target: str = "predicted"
    """What is explained: predicted, label, a class by name or number, or two with a comma (why this and not that)."""


OPTIONS = {"attribute": AttributeOptions}  # kinds of picture with options of their own


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and gives its exit code: 0, or 2 for an input that cannot be used."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    kinds = [arguments.pop(0)] if _is_kind(arguments[:2]) else list(PICTURES)
    options = OPTIONS.get(kinds[0], Options) if len(kinds) == 1 else Options
    return console.run(lambda options: visualize(options, kinds), options, arguments, "visualize.py")


def _is_kind(first: Sequence[str]) -> bool:
    """Whether the first argument is a kind of picture, or stands where one must stand: before a run."""
    alone = len(first) < 2 or any(argument.startswith("-") for argument in first)
    return first[:1] != [] and (first[0] in PICTURES or not alone and not Path(first[0]).exists())


def visualize(options: Options, kinds: Sequence[str]) -> int:
    from cnnviz.pictures import files
    from cnnviz.pictures.picture import SPLITS, View

    modules = {kind: resolve(PICTURES, kind, "kind of picture") for kind in kinds}
    for kind, given, known in (("format", options.format, files.FORMATS), ("split", options.split, SPLITS)):
        if given not in known:
            raise unknown(kind, given, known)
    console.use_compilation_cache()
    run = _run(options)
    view = View(lambda: _dataset(options, run), options.layer, options.image, options.split, seed=options.seed)
    if isinstance(options, AttributeOptions):
        view = replace(view, methods=options.methods, images=options.images, target=options.target)
    folder = options.out or (run.path / "figures" if run.path else Path("figures") / run.name)
    needed = len(kinds) == 1 or options.dataset is not None
    # All are made before the first is written, so that an error leaves no half of them.
    with terminal.progress() as report:
        view = replace(view, report=report)
        found = [(kind, picture) for kind in kinds for picture in _pictures(kind, modules[kind], run, view, needed)]
    for kind, picture in found:
        for path in files.write(picture, folder, options.format, options.data):
            print(f"{kind}: {path}")
    return 0


def _pictures(kind: str, module: Any, run: Any, view: Any, needed: bool) -> list[Any]:
    """The pictures of a kind; a line says why there are none, but data that is `needed` and missing is an error."""
    from cnnviz.data import Unavailable
    from cnnviz.pictures.picture import Skipped

    try:
        return module.pictures(run, view)
    except (Skipped, Unavailable) as reason:
        if needed and (isinstance(reason, Unavailable) or view.layer is not None):
            raise InputError(str(reason)) from reason
        print(f"{kind}: skipped. {reason}")
        return []


def _run(options: Options) -> Any:
    from cnnviz import runs

    path = options.run or runs.latest(options.runs)
    if not path.exists():
        near = unknown("kind of picture or run", str(path), PICTURES)
        raise near if path.parent == Path(".") and not path.suffix else InputError(f"There is no run or file {path}.")
    return _keras_run(path, options.seed) if path.suffix in KERAS else runs.load_run(path)


def _keras_run(path: Path, seed: int) -> Any:
    """A Keras model as a run without a history, its untrained twin drawn from a key."""
    import jax

    from cnnviz.interop import load_keras
    from cnnviz.runs import Run
    from cnnviz.training.recipe import check_seed

    check_seed(seed)
    model, variables = load_keras(path)
    print(f"untrained: a fresh Glorot draw from jax.random.key({seed})")
    image = jax.ShapeDtypeStruct((1, *model.image_shape), jax.numpy.float32)
    untrained = model.lazy_init(jax.random.key(seed), image)  # without computing anything of an image
    return Run(None, path.stem, model, [variables], untrained, {}, [], (), "", tuple(model.image_shape))


def _dataset(options: Options, run: Any) -> Any:
    """The data set that was asked for, or the run's own, or the first that fits a Keras file; it must fit the model."""
    from cnnviz import data

    if options.dataset is not None:
        dataset, line = data.first_available(options.dataset, options.data_dir)
        print(line)
        if not _fits(dataset, run):
            shape = dataset.train.images.shape[1:]
            raise InputError(
                f"{dataset.name} has images {shape}, {len(dataset.classes)} classes; the model does not fit."
            )
        return dataset
    if run.path is None:
        return _first_fitting(options, run)
    saved = run.config["data"]
    dataset = data.load(saved["name"], options.data_dir or saved["dir"])
    if dataset.fingerprint != saved["fingerprint"]:
        print(f"note: {dataset.source} differs from the data that the run was trained on")
    return dataset


def _first_fitting(options: Options, run: Any) -> Any:
    from cnnviz import data

    for name in data.DATASETS:
        try:
            dataset = data.load(name, options.data_dir)
        except data.Unavailable:
            continue
        if _fits(dataset, run):
            print(f"data set: {name}, from {dataset.source}: the first whose shape and class count fit")
            return dataset
    print("data set: none fits the model's images and classes; give one by --dataset")
    return None


def _fits(dataset: Any, run: Any) -> bool:
    outputs = run.layers[-1].shape[-1]
    return dataset.train.images.shape[1:] == tuple(run.image_shape) and len(dataset.classes) == outputs
