"""`visualize.py`: draws what a trained network has learned, from a run or from a Keras file."""

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro

from cnnviz.atomic import clear_unfinished
from cnnviz.commands import console, glyphs, terminal
from cnnviz.commands.recorded import recorded_data
from cnnviz.errors import InputError, unknown
from cnnviz.pictures import PICTURES
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.registry import resolve


@dataclass(frozen=True)
class Common:
    """Options of all kinds of picture: the network, the data and the output."""

    run: Annotated[str | None, tyro.conf.Positional] = None
    """A run (runs/x; runs/x@3, its seed 3; runs/x:step_400, a step), .h5 or .keras file; by default the latest run."""
    member: int | None = None
    """The seed of the network to draw, of a run that has several; by default the first one's."""
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
    """The seed of methods that draw at random, and of the untrained network that a Keras file is compared with."""
    runs: Path = Path("runs")
    """The folder of all runs."""
    debug: bool = False
    """Show where an error comes from."""


@dataclass(frozen=True)
class Every(Common, OfImage, OfLayer):
    """Draw a network, in every kind of picture; put a kind first to draw that one alone, with options of its own."""


def main(arguments: Sequence[str] | None = None, program: str = "visualize.py") -> int:
    """Runs the command and returns its exit code: 0, or 2 for an invalid input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    kinds = [arguments.pop(0)] if _is_kind(arguments[:2]) else list(PICTURES)
    options = options_of(kinds[0]) if len(kinds) == 1 and kinds[0] in PICTURES else Every
    description = _kinds_listed() if options is Every and "--help" in arguments else None
    return console.run(lambda asked: visualize(asked, kinds), options, arguments, program, description)


def _is_kind(first: Sequence[str]) -> bool:
    """Whether the first argument is a kind of picture, or is in the place of one, before a run."""
    alone = len(first) < 2 or any(argument.startswith("-") for argument in first)
    return first[:1] != [] and (first[0] in PICTURES or not alone and not Path(first[0]).exists())


def options_of(kind: str) -> type:
    """The options of one kind of picture together with those of all kinds."""
    own = resolve(PICTURES, kind, "kind of picture")
    return dataclass(frozen=True)(type(own.__name__, (Common, own), {"__doc__": own.__doc__}))


def _kinds_listed() -> str:
    """The description for `--help`, with one line per kind of picture: the first of its module's docstring.

    The modules are read and not imported, so that help does not wait for JAX and matplotlib.
    """
    lines = [Every.__doc__ or "", ""]
    for kind, path in PICTURES.items():
        spec = find_spec(path.partition(":")[0])
        module = ast.parse(Path(spec.origin).read_text(encoding="utf-8")) if spec and spec.origin else ast.parse("''")
        lines.append(f"  {kind:12s} {(ast.get_docstring(module) or '').partition(chr(10))[0]}")
    return "\n".join(lines)


def visualize(options: Any, kinds: Sequence[str]) -> int:
    """Draws the kinds of picture and returns the exit code; raises InputError for an option that is not valid."""
    from cnnviz.pictures import files
    from cnnviz.pictures.picture import SPLITS, Data

    made = {kind: _made(resolve(PICTURES, kind, "kind of picture"), options) for kind in kinds}
    known = {"format": files.FORMATS, "split": SPLITS}
    for name, names in known.items():
        if (given := getattr(options, name, None)) not in (None, *names):
            raise unknown(name, given, names)
    console.use_compilation_cache()
    net = _net(options, made.values())
    if getattr(options, "layer", None) is not None:
        net.layer(options.layer)
    data = Data(lambda: _dataset(options, net))
    folder = options.out or _folder(net)
    needed = len(kinds) == 1 or options.dataset is not None
    # All are drawn before the first is written, so that an error leaves no incomplete set.
    with terminal.progress() as report:
        every = {name: _pictures(name, kind, net, data, report, needed) for name, kind in made.items()}
    clear_unfinished(folder)
    with glyphs.one_note():
        for name, picture in ((name, picture) for name, pictures in every.items() for picture in pictures):
            for path in files.write(picture, folder, options.format, options.data):
                print(f"{name}: {path}")
    return 0


def _folder(net: Any) -> Path:
    """The default folder for the pictures; raises InputError if the run's is a link, which may lead anywhere."""
    from cnnviz.runs import inside

    if net.path is not None:
        inside.check(net.folder)
    return net.folder


def _made(kind: type, options: Any) -> Any:
    """The kind of picture with those of its options that `options` has."""
    return kind(**{f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)})


def _pictures(name: str, kind: Any, net: Any, data: Any, report: Any, needed: bool) -> list[Any]:
    """The pictures of a kind; if there are none, prints why. Raises InputError if `needed` data is missing."""
    from cnnviz.data import Unavailable
    from cnnviz.pictures.picture import Skipped

    try:
        return kind([net], data, report)
    except (Skipped, Unavailable) as reason:
        if needed and (isinstance(reason, Unavailable) or getattr(kind, "layer", None) is not None):
            raise InputError(str(reason)) from reason
        print(f"{name}: skipped. {reason}")
        return []


def _net(options: Any, kinds: Iterable[Any]) -> Any:
    """The network that the options name, by default that of the latest run."""
    from cnnviz import networks, runs
    from cnnviz.training.recipe import check_seed

    check_seed(options.seed)
    where = options.run or str(runs.latest(options.runs))
    asked = networks.Where.read(where)
    if not asked.path.exists() and asked.path.parent == Path(".") and not asked.path.suffix:
        raise unknown("kind of picture or run", str(asked.path), PICTURES)
    net = networks.open(where if options.member is None else f"{where}@{options.member}", seed=options.seed)
    if note := getattr(net, "note", ""):
        print(f"note: {note}")
    if options.seed and net.path and not any(hasattr(kind, "seed") for kind in kinds):
        print("note: --seed is the key of random draws, of which there are none here; --member shows another network")
    if net.path is None:
        print(f"untrained: a fresh Glorot draw from jax.random.key({options.seed})")
    return net


def _dataset(options: Any, net: Any) -> Any:
    """The data set that was asked for, or the network's own, or the first that fits the model.

    Raises InputError if the data set that was asked for does not fit.
    """
    from cnnviz import data

    if options.dataset is not None:
        dataset, line = data.first_available(options.dataset, options.data_dir)
        print(line)
        if not _fits(dataset, net):
            shape = dataset.train.images.shape[1:]
            raise InputError(
                f"{dataset.name} has images {shape}, {len(dataset.classes)} classes; the model does not fit."
            )
        return dataset
    if net.path is None:
        return _first_fitting(options, net)
    dataset, is_same = recorded_data(net.path, {"data": net.data}, options.data_dir)
    if not is_same:
        print(f"note: {dataset.source} differs from the data that the run was trained on")
    return dataset


def _first_fitting(options: Any, net: Any) -> Any:
    from cnnviz import data

    for name in data.DATASETS:
        try:
            dataset = data.load(name, options.data_dir)
        except data.Unavailable:
            continue
        if _fits(dataset, net):
            print(f"data set: {name}, from {dataset.source}: the first whose shape and class count fit")
            return dataset
    print("data set: none fits the model's images and classes; give one by --dataset")
    return None


def _fits(dataset: Any, net: Any) -> bool:
    return dataset.train.images.shape[1:] == tuple(net.image_shape) and len(dataset.classes) == net.class_count


if __name__ == "__main__":
    raise SystemExit(main())
