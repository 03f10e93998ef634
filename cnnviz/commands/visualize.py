"""`visualize.py`: draws what a trained network has learned, from a run or from a Keras file."""

import ast
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro

from cnnviz.atomic import clear_unfinished
from cnnviz.commands import console, glyphs, terminal
from cnnviz.commands.opened import Asked, opened
from cnnviz.commands.own_pictures import gathered
from cnnviz.commands.shown import dataset_for
from cnnviz.commands.tables import show
from cnnviz.errors import InputError, unknown
from cnnviz.pictures import ON_REQUEST, PICTURES
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.page import Page
from cnnviz.registry import resolve


@dataclass(frozen=True)
class Common(Page):
    """Options of all kinds of picture: the network, the data and the output."""

    run: Annotated[str | None, tyro.conf.Positional] = None
    """A run (runs/x; runs/x@3, its seed 3; runs/x:step_400, a step), .h5 or .keras file; by default the latest run."""
    model: str | None = None
    """The Flax class of --weights or of a run of a class of yours, path/to/net.py:Net; or a Keras model's file."""
    model_options: str | None = None
    """With --weights: the network's options as JSON, such as '{"width": 64}'."""
    weights: Path | None = None
    """Draw --model with these weights instead of a run: .msgpack, .safetensors, .npz, an Orbax directory, or PyTorch's
    .pth and .pt."""
    names: Path | None = None
    """With weights of PyTorch's: a JSON file that maps names of modules or arrays to those of --model."""
    image_shape: str | None = None
    """With --weights: the shape of the images, such as 28,28,1; by default that of --dataset or published weights."""
    classes: str | None = None
    """With --weights: the names of the classes, "cat,dog", or how many there are; by default those of --dataset."""
    prepare: str | None = None
    """With --weights or a Keras file: (pixel * scale - mean) / deviation, as JSON: '{"scale": 1, "mean": [0.5]}'."""
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
    typed = [*console.command_line("visualize").split(), *arguments]
    usual = [kind for kind in PICTURES if kind not in ON_REQUEST]
    kinds = [arguments.pop(0)] if _is_kind(arguments[:2]) else usual
    options = options_of(kinds[0]) if len(kinds) == 1 and kinds[0] in PICTURES else Every
    arguments = gathered(arguments, options, every=kinds == ["predict"])
    description = _kinds_listed() if options is Every and "--help" in arguments else None
    draw, smaller = lambda asked: visualize(asked, kinds, typed), "the choice of --images or --methods, or the network"
    return console.run(draw, options, arguments, program, description, smaller=smaller)


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


def visualize(options: Any, kinds: Sequence[str], typed: Sequence[str]) -> int:
    """Draws the kinds of picture and returns the exit code; raises InputError for an option that is not valid.

    `typed` is the command, for the pictures' metadata.
    """
    from cnnviz.commands.origin import Origin
    from cnnviz.pictures import files
    from cnnviz.pictures.picture import SPLITS, Data

    made = {kind: _made(resolve(PICTURES, kind, "kind of picture"), options) for kind in kinds}
    known = {"format": files.FORMATS, "split": SPLITS}
    for name, names in known.items():
        if (given := getattr(options, name, None)) not in (None, *names):
            raise unknown(name, given, names)
    page = _made(Page, options)
    _ = page.drawn  # raises InputError before anything is computed
    console.use_compilation_cache()
    asked = Asked(options)
    net = opened(options, made.values(), asked)
    if getattr(options, "layer", None) is not None:
        net.find(options.layer)
    data = Data(lambda: dataset_for(options, net, asked), print)
    folder = options.out or _folder(net)
    needed = len(kinds) == 1 or options.dataset is not None
    _check_images(made.values(), net, data)
    origin = Origin(net, options.run, options.member, data, typed)
    clear_unfinished(folder)
    # Each kind is written before the next is computed, so that an error or Ctrl-C keeps those that are done.
    with glyphs.one_note(), terminal.progress() as report:
        for name, kind in made.items():
            pictures = _pictures(name, kind, net, data, report, needed)
            show([row for picture in pictures for row in picture.table])
            for picture in pictures:
                own = {"page": page, "variant": origin.variant(picture), "about": origin.about()}
                for path in files.write(picture, folder, options.format, options.data, **own):
                    print(f"{name}: {path}", flush=True)
    return 0


def _check_images(kinds: Iterable[Any], net: Any, data: Any) -> None:
    """Raises InputError, before anything is written, if an image that a kind of picture shows cannot be had."""
    from cnnviz.data import Unavailable
    from cnnviz.pictures.picture import Skipped
    from cnnviz.pictures.samples import samples

    for kind in kinds:
        if isinstance(kind, OfImage):
            with suppress(Unavailable, Skipped):  # which is said of each kind that needs the data set
                samples(kind, net.first, data)


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


if __name__ == "__main__":
    raise SystemExit(main())
