"""`visualize.py`: draws what a trained network has learned, from a run or from a Keras file."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from cnnviz.atomic import clear_unfinished
from cnnviz.commands import console, faults, glyphs, kinds, several, terminal
from cnnviz.commands.early import check_early
from cnnviz.commands.opened import Asked, tell_drawn
from cnnviz.commands.own_pictures import gathered
from cnnviz.commands.tables import show, tables
from cnnviz.commands.together import check_together
from cnnviz.errors import InputError
from cnnviz.pictures import ON_REQUEST, PICTURES
from cnnviz.pictures.options import OfImage, OfLayer
from cnnviz.pictures.page import Page
from cnnviz.registry import resolve

REPORT = {"report": "One HTML file with every picture, in which the network runs; report --help has its options."}
SMALLER = "the choice of --images or --methods, or the network"  # when memory runs out


@dataclass(frozen=True)
class Common(Page):
    """Options of all kinds of picture: the network, the data and the output."""

    HEADINGS: ClassVar[Mapping[str, str]] = {
        "The network": "run runs member seed model model_options weights names image_shape classes prepare output",
        "The data set": "dataset data_dir resize",
        "The pictures": "format data out width style font dpi debug",
    }
    EXTRA: ClassVar[str] = "one network is drawn at a time, by RUN"

    run: Annotated[str | None, tyro.conf.Positional] = None
    """A run (runs/x, or x in --runs; x@3, its seed 3; x:step_400, a step), .h5 or .keras file; by default the latest
    run."""
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
    """With --weights: the shape of the images, such as 28,28,1, or 128,9 of signals; by default that of --dataset or
    published weights. Of several inputs as JSON: '{"left": [28, 28, 1], "right": [10]}'."""
    classes: str | None = None
    """With --weights: the names of the classes, "cat,dog", or how many there are; by default those of --dataset."""
    prepare: str | None = None
    """With --weights or a Keras file: (pixel * scale - mean) / deviation, as JSON: '{"scale": 1, "mean": [0.5]}'."""
    output: str | None = None
    """Of a network with several outputs: the one that is explained, by its name."""
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
    resize: str | None = None
    """Resize the images of --dataset: 32, or HEIGHTxWIDTH, scaled to cover that size and cropped around the center."""
    seed: int = 0
    """The seed of what is drawn at random: methods, and the untrained network that a Keras file is compared with."""
    runs: Path = Path("runs")
    """The folder of all runs."""
    debug: bool = False
    """Show where an error comes from."""


@dataclass(frozen=True)
class Every(Common, OfImage, OfLayer):
    """Draw a network in every kind of picture, or in one kind, which has options of its own: KIND --help lists them."""

    USAGE: ClassVar[str] = "[KIND] [RUN] [options]"
    EXAMPLE: ClassVar[str] = "kernels runs/garments-cnn-1 --layer conv1"
    DEFAULTS: ClassVar[Mapping[str, str]] = {"image": "0; of attribute 0:8"}


FLAGS = kinds.flags_of(Common)


def main(arguments: Sequence[str] | None = None, program: str = "visualize.py") -> int:
    """Runs the command and returns its exit code: 0, or 2 for an invalid input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return console.answered(partial(_run, arguments, program), arguments, program, SMALLER)


def _run(arguments: Sequence[str], program: str) -> int:
    """Draws the kind of picture among the arguments, or every kind."""
    kind, others = kinds.separated(arguments, FLAGS)
    options = Every if kind is None else options_of(kind)
    listed = {"Kinds of picture": kinds.described(), "All in one page": REPORT} if kind is None else None
    others = gathered(several.gathered(others, options), options, every=kind == "predict")
    asked = several.with_places(console.parse(options, others, f"{program} {kind}" if kind else program, listed))
    check_together(asked, kind)
    check_early(asked, kind)
    faults.check_machine()
    usual = [name for name in PICTURES if name not in ON_REQUEST]
    typed = [*console.command_line("visualize").split(), *arguments]
    return visualize(asked, usual if kind is None else [kind], typed)


def options_of(kind: str) -> type:
    """The options of one kind of picture together with those of all kinds; raises InputError if it is unknown."""
    return kinds.options_with(kind, Common)


def visualize(options: Any, names: Sequence[str], typed: Sequence[str]) -> int:
    """Draws the kinds of picture of these names and returns the exit code; `typed` is the command, for their metadata.

    Raises InputError for an option that is not valid.
    """
    with glyphs.one_note(), terminal.progress() as report:
        report(0, 1, "starting JAX")
        made = {name: kind_with(resolve(PICTURES, name, "kind of picture"), options) for name in names}
        console.use_compilation_cache()
        console.multiply_in_float32()
        _draw(options, made, typed, report)
    return 0


def _draw(options: Any, made: Mapping[str, Any], typed: Sequence[str], report: terminal.Report) -> None:
    """Draws kinds of picture, each of which is written before the next is computed, so that an error keeps it."""
    from cnnviz.batching import part
    from cnnviz.data import Unavailable
    from cnnviz.pictures import files
    from cnnviz.pictures.picture import Data, NoData, Skipped

    page = kind_with(Page, options)
    _ = page.drawn  # raises InputError before anything is computed
    report(0, 1, f"opening {options.run or options.weights or 'the latest run'}")
    asked = Asked(options)
    net, *others = several.networks_of(options, made.values(), asked)
    _check_networks(options, [net, *others])
    report(0, 1, "reading the data set")
    find = lambda: several.dataset_of(options, [net, *others], asked)
    data = Data(find, print, is_asked=options.dataset is not None)
    folder = options.out or (several.folder_of([net, *others]) if others else _folder(net))
    needed = (Skipped, Unavailable) if len(made) == 1 else (NoData, Unavailable) if options.dataset is not None else ()
    _check_images(made.values(), net, data)
    is_compared = hasattr(options, "others")
    origin = several.origin_of(options, [net, *others], data, typed)
    clear_unfinished(folder)
    told: set[str] = set()
    for place, (name, kind) in enumerate(made.items()):
        pictures = pictures_of(name, kind, [net, *others], data, part(report, place, len(made), name), needed)
        tell_drawn([net, *others], told)
        for rows in tables(pictures):
            show(rows)
        written = []
        for picture in pictures:
            variant = "".join(picture.subject.get("variants", kind.variants)) + several.common_variant(options)
            about = {**origin.about(), files.OF: origin.of(picture, folder)}
            own = {"page": page, "variant": f"{origin.variant(picture)}{variant}", "about": about}
            for path in files.write(picture, folder, options.format, options.data, tables=is_compared, **own):
                print(f"{name}: {path}", flush=True)
                written.append(path)
        if is_compared and written:
            for path in several.finished(options, pictures, [net, *others], origin, written, page.suffix):
                print(f"{name}: {path}", flush=True)


def _check_networks(options: Any, nets: Sequence[Any]) -> None:
    """Raises InputError if the first network has no such layer, and prints which weights are no finite numbers."""
    from cnnviz.pictures.finite import missing_parameters

    if getattr(options, "layer", None) is not None:
        nets[0].find(options.layer)
    for net in nets:
        if said := missing_parameters(net):
            print(f"note: {net.name}: {said}")


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


def kind_with(kind: type, options: Any) -> Any:
    """The kind of picture with those of its options that `options` has; one of parts with those of its parts."""
    made = kind(**{f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)})
    return made.with_options(vars(options)) if hasattr(made, "with_options") else made


def pictures_of(
    name: str, kind: Any, nets: Sequence[Any], data: Any, report: Any, needed: tuple[Any, ...]
) -> list[Any]:
    """The pictures of a kind; if there are none, prints why, or raises InputError if that is a reason in `needed`."""
    from cnnviz.data import Unavailable
    from cnnviz.pictures.picture import Skipped

    try:
        return kind(nets, data, report)
    except (Skipped, Unavailable) as reason:
        if isinstance(reason, needed):
            raise InputError(str(reason)) from reason
        print(f"{name}: skipped. {reason}")
        return []


if __name__ == "__main__":
    raise SystemExit(main())
