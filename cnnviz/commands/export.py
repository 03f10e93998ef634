"""`train.py --export RUN --to FORMAT`: writes a trained network for other libraries."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnviz.commands.choices import CHOICES
from cnnviz.errors import InputError
from cnnviz.interop.place import is_run


@dataclass(frozen=True)
class ExportOptions:
    """The options of `--export`."""

    export: str | None = None
    """Do not train: write the network of a run (runs/x; runs/x@3; runs/x:step_400) or of a Keras file for others."""
    to: str | None = None
    """The format of --export: keras, onnx, safetensors, stablehlo or msgpack, or several with commas."""
    out: Path | None = None
    """The folder of --export; by default RUN/exports, or exports/NAME for a Keras file."""


def export(options: Any) -> int:
    """Writes one file per format, each with a JSON file that says how it is used; prints their paths.

    Raises InputError if a format is unknown or not asked for, or the network cannot be written in it.
    """
    if options.to is None:
        raise InputError(f"--export needs a format: --to {', '.join(CHOICES['to'].names)}.")
    from cnnviz import networks
    from cnnviz.networks import export as writers

    formats = [name.strip() for name in options.to.split(",")]
    _use_own_class(options)
    net = networks.open(options.export)
    if note := getattr(net, "note", ""):
        print(f"note: {note}")
    folder = options.out or (net.path / "exports" if net.path else Path("exports") / net.name)
    for name in formats:
        for path in writers.export(net, name, folder / f"{_stem(options.export, net)}.{name}"):
            print(f"{name}: {path}", flush=True)
    return 0


def _use_own_class(options: Any) -> None:
    """Makes the class of `--model` known, for a run of a class of the user's own."""
    from cnnviz import networks, runs
    from cnnviz.commands.own_model import use_for

    place = networks.Where.read(options.export)
    if is_run(place.path):
        use_for(place.path, runs.load_config(place.path), options.model)


def _stem(where: str, net: Any) -> str:
    """The file's name: the run's or the file's, and which step and seed were asked for."""
    from cnnviz import networks

    place = networks.Where.read(where)
    parts = [net.path.name if net.path else place.path.stem]
    parts += [f"step_{place.step}"] if place.step is not None else []
    return "-".join([*parts, *([f"seed{place.seed}"] if place.seed is not None else [])])
