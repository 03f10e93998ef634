"""Several networks on the command line: `compare runs/a runs/b runs/c@3` shows them together."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cnnviz.commands.flags import without_value
from cnnviz.commands.opened import Asked, opened
from cnnviz.commands.option_names import is_value
from cnnviz.commands.origin import Origin
from cnnviz.commands.own_model import is_for
from cnnviz.commands.places import placed
from cnnviz.commands.shown import dataset_for
from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.interop.place import Where, config_in

MOST_NAMES = 3  # that a folder's name lists


def gathered(arguments: Sequence[str], options: type) -> list[str]:
    """The arguments with all networks after the first as one value of `--others`, one a line.

    With `--weights`, which name the first network, all are others. The arguments of options for one network stay as
    they are.
    """
    if not any(field.name == "others" for field in fields(options)):
        return list(arguments)
    flags = without_value(options)
    is_network = lambda place: arguments[place][:1] != "-" and not is_value(arguments, place, flags)
    places = [place for place in range(len(arguments)) if is_network(place)]
    has_weights = any(argument.partition("=")[0] == "--weights" for argument in arguments)
    others = places if has_weights else places[1:]
    if not others:
        return list(arguments)
    kept = [argument for place, argument in enumerate(arguments) if place not in others]
    return [*kept, "--others", "\n".join(arguments[place] for place in others)]


def with_places(options: Any) -> Any:
    """The options with the place of each network that was named by a run's name in `--runs`."""
    others = [placed(where, options.runs) for where in places(getattr(options, "others", None))]
    found = {"run": None if options.run is None else placed(options.run, options.runs)}
    return replace(options, **found, **({"others": "\n".join(others)} if others else {}))


def networks_of(options: Any, kinds: Iterable[Any], asked: Asked) -> list[Any]:
    """The network that the options name, followed by those in `--others`.

    Raises InputError as `opened` does, and for one network alone unless it has several members.
    """
    kinds = list(kinds)
    if not hasattr(options, "others"):
        return [opened(options, kinds, asked)]
    wheres = places(options.others)
    each = [options if options.run is None else _for(options, options.run), *(_for(options, it) for it in wheres)]
    if options.model is not None and options.weights is None and all(one.model is None for one in each):
        each[0] = options  # `opened` says which model its run has
    nets = [opened(one, kinds, asked) for one in each]
    if len(nets) == 1 and len(nets[0].members) == 1:
        raise only_one(nets[0].name)
    return nets


def only_one(name: str) -> InputError:
    """The error for a comparison of one network alone."""
    return InputError(f"A comparison takes two networks or more, or a run of several seeds; only {name} was given.")


def dataset_of(options: Any, nets: Sequence[Any], asked: Asked) -> Any:
    """The data set to show: that which is asked for, or that of the first run, or the first that fits.

    Of several networks one has to take its images; whether they know its classes, each part of a comparison says.
    """
    if asked.dataset is None:
        return dataset_for(options, next((net for net in nets if net.path is not None), nets[0]), asked)
    shape = asked.dataset.train.images.shape[1:]
    taking = next((net for net in nets if tuple(net.image_shape) == shape), None)
    return dataset_for(options, taking or nets[0], asked, by_classes=len(nets) == 1)


def finished(
    options: Any, pictures: Sequence[Any], nets: Sequence[Any], origin: Any, written: Sequence[Path], suffix: str = ""
) -> list[Path]:
    """Writes the table of all numbers and the provenance next to the files that were written; returns the paths.

    Both are named, as pictures are, by the parts, the data and the options that are not the default.
    """
    from cnnviz.pictures.compared.whole_table import NAME, whole_table
    from cnnviz.pictures.files import file_name
    from cnnviz.pictures.provenance import provenance
    from cnnviz.pictures.written import write_tables
    from cnnviz.runs import json_files

    folder = written[0].parent
    caption = f"The numbers of the comparison of {', '.join(net.name for net in nets)}"
    options_told = (each for picture in pictures for each in picture.subject.get("variants", ()))
    told = dict.fromkeys([*map(origin.variant, pictures), *options_told])  # each once, whichever parts have it
    parts = f"_parts-{'+'.join(part.strip() for part in options.parts.split(','))}" if options.parts else ""
    said = f"{parts}{''.join(told)}{common_variant(options)}{suffix}"
    made = write_tables(whole_table(pictures), folder, file_name(f"{NAME}{said}"), caption)
    path = folder / f"{file_name(f'provenance{said}')}.json"
    first = options.run or (str(options.weights) if options.weights else None)
    json_files.write(path, provenance(nets, [first, *places(options.others)], origin.about(), [*written, *made]))
    return [*made, path]


def common_variant(options: Any) -> str:
    """What names of files say of the options that change what a network is shown, or which of its outputs."""
    told = {name: getattr(options, name, None) for name in ("output", "resize", "prepare")}
    return "".join(f"_{name}-{value}" for name, value in told.items() if value is not None)


def places(others: str | None) -> list[str]:
    """The places in the value of `--others`: one a line, or with commas between them."""
    if not others:
        return []
    if "\n" in others or Path(others).exists():
        return others.split("\n")
    return [part.strip() for part in others.split(",")]


def _for(options: Any, where: str) -> Any:
    """The options that are for this network: those of the first one's weights are not."""
    own = dict.fromkeys(("weights", "names", "model_options", "image_shape", "classes"))
    is_file = Path(where).suffix in READERS
    prepare = options.prepare if is_file else None
    model = None if is_file else _model_for(options.model, where)
    return replace(options, run=where, model=model, prepare=prepare, **own)


def _model_for(model: str | None, where: str) -> str | None:
    """What was typed as `--model`, for a run of a class of that name."""
    config = config_in(Where.read(where).path)
    if not isinstance(config, dict):
        return None  # which `opened` explains
    known = _Known(config.get("model", ""), config.get("model_source") is not None)
    return model if model is not None and is_for(known, model) and known.is_own else None


@dataclass(frozen=True)
class _Known:
    """As much of a config as `is_for` asks for."""

    model: str
    is_own: bool

    def __getitem__(self, name: str) -> str:
        return getattr(self, name)


def folder_of(nets: Sequence[Any]) -> Path:
    """The default folder of the pictures of several networks: figures/A_vs_B."""
    names = ["".join(c if c.isalnum() or c in "-.@+" else "-" for c in net.name) for net in nets]
    more = len(names) - MOST_NAMES
    return Path("figures") / ("_vs_".join(names[:MOST_NAMES]) + (f"+{more}" if more > 0 else ""))


def origin_of(options: Any, nets: Sequence[Any], data: Any, typed: Sequence[str]) -> Any:
    """Where the pictures of these networks come from, the first of which the options name."""
    where = options.run or (None if options.weights is None else str(options.weights))
    first = Origin(nets[0], where, options.member, data, typed)
    wheres = places(getattr(options, "others", None))
    others = [Origin(net, where, None, data, typed) for net, where in zip(nets[1:], wheres, strict=True)]
    return Origins([first, *others]) if others else first


@dataclass(frozen=True)
class Origins:
    """Where the pictures of several networks come from, each with its own origin."""

    each: Sequence[Origin]

    def about(self) -> dict[str, Any]:
        """The run, step, seeds and data of each network, what was shown, and the command."""
        found = [one.about() for one in self.each]
        common = {name: found[0][name] for name in ("shown", "command") if name in found[0]}
        own = [{name: value for name, value in one.items() if name not in common} for one in found]
        return {"networks": own, **common}

    def of(self, picture: Any, folder: Path) -> str:
        """A digest of where the networks and the picture's own files are."""
        return hashlib.sha256("".join(one.of(picture, folder) for one in self.each).encode()).hexdigest()[:16]

    def variant(self, picture: Any) -> str:
        """What a file name says of data other than the first network's own; the folder's name says the networks."""
        return replace(self.each[0], where=None, member=None).variant(picture)
