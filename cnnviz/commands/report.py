"""`visualize.py report RUN [OTHER] --out FILE`: one HTML file with all pictures, in which the network runs."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from cnnviz.commands import console, faults, glyphs, several, terminal
from cnnviz.commands.early import check_early
from cnnviz.commands.opened import Asked, opened, tell_drawn
from cnnviz.commands.visualize import SMALLER, Common, kind_with, pictures_of
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.pictures import ON_REQUEST, PICTURES
from cnnviz.registry import resolve

NAME = "report"
LOOKED_AT = 1000  # images of the test split that statistics are over
STATISTICS_K = 9  # images that a unit's largest values are shown in


@dataclass(frozen=True)
class Report(Common):
    """One HTML file with every picture, in which the network runs: draw on it, and all layers and maps follow."""

    USAGE: ClassVar[str] = "[RUN] [OTHER ...] [options]"
    EXAMPLE: ClassVar[str] = "runs/garments-cnn-1 --out report.html"
    HEADINGS: ClassVar[Mapping[str, str]] = {
        "The network": "run others runs member seed model model_options weights names image_shape classes prepare",
        "The data set": "dataset data_dir resize",
        "The page": "out debug",
    }

    others: str | None = None
    """Other networks, to be shown next to the first: their runs or files."""
    out: Path | None = None
    """The HTML file; by default report.html in the run's folder, or NAME.html for a file. A file there is
    replaced."""


def main(arguments: Sequence[str] | None = None, program: str = "visualize.py report") -> int:
    """Runs the command and returns its exit code: 0, or 2 for an invalid input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return console.answered(partial(_run, arguments, program), arguments, program, SMALLER)


def _run(arguments: Sequence[str], program: str) -> int:
    """Writes the report that the arguments ask for, and prints its path."""
    options = several.with_places(console.parse(Report, several.gathered(arguments, Report), program))
    _check(options)
    check_early(options, NAME)
    faults.check_machine()
    typed = [*console.command_line("visualize").split(), NAME, *arguments]
    with glyphs.one_note(), terminal.progress() as report:
        report(0, 1, "starting JAX")
        console.use_compilation_cache()
        console.multiply_in_float32()
        path, size, choice = _written(options, typed, report)
    print(f"report: {path} ({size / 1e6:.1f} MB, weights as {choice.weights})")
    return 0


def _check(options: Any) -> None:
    """Raises InputError for options that a report has no use for."""
    usual = {field.name: field.default for field in fields(Common)}
    for name in ("format", "data", "width", "style", "font", "dpi"):
        if getattr(options, name) != usual[name]:
            raise InputError(f"--{name} is for pictures that are files; a report is one HTML file, so leave it out.")
    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out is the HTML file that is written, such as {options.out}.html; it was {options.out}.")


def _written(options: Any, typed: Sequence[str], report: Any) -> tuple[Path, int, Any]:
    from cnnviz.batching import part
    from cnnviz.pictures.compare import named_apart
    from cnnviz.pictures.picture import Data
    from cnnviz.pictures.provenance import provenance
    from cnnviz.report.again import again
    from cnnviz.report.html import Content
    from cnnviz.report.matched import matched
    from cnnviz.report.matrices import matrices
    from cnnviz.report.payload import Shown
    from cnnviz.report.trained import trained
    from cnnviz.report.write import write

    asked = Asked(options)
    report(0, 1, f"opening {options.run or options.weights or 'the latest run'}")
    nets = several.networks_of(options, [], asked) if options.others else [opened(options, [], asked)]
    path = options.out or _default(options, nets[0])
    data = Data(lambda: several.dataset_of(options, nets, asked), print)
    nets = named_apart(nets)  # an address of the page names a network
    firsts = [net.first for net in nets]
    if any(net.image_shape != firsts[0].image_shape for net in firsts):
        raise InputError("The networks of a report take images of one shape; draw these one by one.")
    sections = _sections(options, nets, data, part(report, 0, 2, "pictures"))
    tell_drawn(nets, set())
    report(1, 2, "statistics")
    images, payload, found = _data(nets, firsts, data)
    steps = [_steps(net, path) for net, path in zip(firsts, [net.path for net in nets], strict=True)]
    networks = [Shown(net, kept, **own) for net, kept, own in zip(firsts, steps, found, strict=True)]
    names = [net.name for net in nets]
    payload["matrices"] = matrices([each for own in sections.values() for each in own], names)
    payload["matched"] = matched(nets, data)
    origin = several.origin_of(options, nets, data, typed)
    where = [options.run, *several.places(options.others)]
    places = [str(net.path or place or net.name) for net, place in zip(nets, where, strict=False)]
    facts = provenance(nets, where, origin.about(), []) | trained(nets)
    rows = [(net.title, [_row(layer) for layer in net.layers]) for net in firsts]
    kinds = {name: PICTURES[name] for name in sections}
    made = again(kinds, firsts, places, console.command_line("visualize"))
    content = Content(_title(firsts), _facts(firsts), sections, rows, facts, payload, _notes(nets, images), made)
    return path, *write(path, content, networks, origin.about())


def _sections(options: Any, nets: Sequence[Any], data: Any, report: Any) -> dict[str, list[Any]]:
    """The pictures of each kind that is always drawn, and of kinds that compare if there is something to compare."""
    names = [name for name in PICTURES if name not in (*ON_REQUEST, "layers")]  # the page has a table of them
    names += ["compare"] * (len(nets) > 1)
    found = {}
    for i, name in enumerate(names):
        report(i, len(names), name)
        kind = kind_with(resolve(PICTURES, name, "kind of picture"), options)
        if pictures := pictures_of(name, kind, nets, data, lambda *progress: None, needed=()):
            found[name] = pictures
    return found


def _data(every: Sequence[Any], nets: Sequence[Any], data: Any) -> tuple[Any, dict[str, Any], list[dict[str, Any]]]:
    """The images of statistics, the page's images, and what is known over them of each network's units and methods.

    `nets` are the first members of `every` network.
    """
    from cnnviz.report.images import shelves
    from cnnviz.report.methods import methods
    from cnnviz.report.payload import statistics
    from cnnviz.report.units import ablations, nearest
    from cnnviz.units import statistics as over

    dataset = data.dataset
    if dataset is None or tuple(dataset.test.images.shape[1:]) != tuple(nets[0].image_shape):
        return None, {"shelf": [], "pool": {}}, [{} for _ in nets]
    images, labels = dataset.test.images[:LOOKED_AT], dataset.test.labels[:LOOKED_AT]
    found, pool, shelf = [], {}, shelves(nets, images, labels, dataset.classes)
    numbers = [each["number"] for each in shelf]
    for whole, net, alike in zip(every, nets, nearest(nets, images), strict=True):
        k = min(STATISTICS_K, len(images))
        own, shown = statistics(over(net.model, net.variables, images, labels=labels, k=k, prepare=net.prepare), images)
        of_units = {"statistics": own, "ablation": ablations(net, data), "nearest": alike}
        found.append({**of_units, "methods": methods(whole, images, data, numbers)})
        pool |= shown
    return images, {"shelf": shelf, "pool": pool}, found


def _steps(net: Any, path: Path | None) -> list[Any]:
    """The checkpoints of the network's run, at most MOST_STEPS of them, evenly spread."""
    from cnnviz import networks
    from cnnviz.pictures.steps import evenly
    from cnnviz.report.budget import MOST_STEPS
    from cnnviz.report.payload import Step
    from cnnviz.runs import checkpoints

    if path is None:
        return []
    kept = checkpoints.steps(path)
    numbers = [kept[i] for i in evenly(len(kept), MOST_STEPS)]
    seed = f"@{net.seeds[0]}" if net.seeds else ""
    return [Step(f"step {number}", networks.open(f"{path}:step_{number}{seed}").first.variables) for number in numbers]


def _row(layer: Any) -> dict[str, Any]:
    sides = layer.receptive_field
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "shape": layer.shape,
        "parameters": layer.parameters,
        "receptive field": "" if sides is None else sides,
    }


def _title(nets: Sequence[Any]) -> str:
    return " beside ".join(net.title for net in nets)


def _facts(nets: Sequence[Any]) -> list[str]:
    """What a person would ask first of the networks."""
    from cnnviz.kernels import parameter_count

    counts = " and ".join(f"{parameter_count(net.variables):,}" for net in nets)
    sides = "×".join(map(str, nets[0].image_shape))
    return [f"{counts} parameters", f"images {sides}", counted(nets[0].class_count, "class")]


def _notes(nets: Sequence[Any], images: Any) -> list[str]:
    found = [
        f"{net.name} has {len(net.members)} members; the network of seed {net.seeds[0]} runs here."
        for net in nets
        if len(net.members) > 1
    ]
    return found if images is not None else [*found, "There is no data set to show, so there are no images to choose."]


def _default(options: Any, net: Any) -> Path:
    return net.path / "report.html" if net.path else Path(f"{net.name}.html")
