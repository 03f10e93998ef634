"""Options of `visualize.py` that contradict each other, refused by an error that names both."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from cnnviz.commands.declared import fields_of, listed, paths_in
from cnnviz.commands.flags import typed
from cnnviz.commands.kinds import shows_data
from cnnviz.commands.opened import FOR_WEIGHTS
from cnnviz.commands.several import places
from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.registry import spelled

SAYS = {"film": "of", "embed": "by", "compare": "parts"}  # of a kind the option that says what is made
READ_FOR = {  # of other options the values of that one for which they are read; parts of a comparison declare theirs
    "film": {
        "layer": "kernels histograms activations attributions units",
        "method": "attributions",
        "target": "attributions",
        "measure": "similarity",
        "image": "activations attributions",
        "images": "activations attributions",
        "invert": "activations attributions",
        "split": "activations attributions similarity units classes loss",
        "among": "similarity units classes loss",
    },
    "embed": {"neighbors": "umap", "perplexity": "tsne"},
}
OF_DATA_SET = {  # options that kinds read for images of a data set alone
    "split": ("activations", "attribute", "predict", "responses"),
    "resize": ("predict",),
}
PYTORCH = (".pt", ".pth", ".tar", ".bin")


def check_together(options: Any, kind: str | None) -> None:
    """Raises InputError for two options of which one leaves no room for the other.

    `kind` is None for all kinds.
    """
    for fault in (*_of_network(options), *_of_output(options), *_of_data(options, kind), *_of_kind(options, kind)):
        raise InputError(fault)


def _of_network(options: Any) -> Iterator[str]:
    run, weights, member = options.run, options.weights, options.member
    if hasattr(options, "others"):
        yield from _of_several(options)
    if weights is not None:
        if run is not None:
            yield f"--weights {weights} takes no run, and {run} was given; leave one of them out."
        if member is not None:
            yield f"--member {member} is a seed of a run, and --weights {weights} is one network; leave one out."
        if options.names is not None and weights.suffix not in PYTORCH:
            yield f"--names {options.names} is for weights of PyTorch's, and --weights {weights} is not such a file."
        return
    where = run or "the latest run"
    wheres = [where, *places(getattr(options, "others", None))]
    allowed = ("prepare",) if any(Path(one).suffix in READERS for one in wheres) else ()  # which few files say
    if given := [name for name in FOR_WEIGHTS if name not in allowed and getattr(options, name) is not None]:
        named = f"--{given[0].replace('_', '-')} {getattr(options, given[0])}"
        yield f"{named} is for --weights; {where} says this itself."
    if run is None or member is None:
        return
    if Path(run).suffix in READERS:
        yield f"--member {member} is a seed of a run, and {run} is a file with one network; leave --member out."
    _, at, seed = run.rpartition("@")
    if at and not Path(run).exists() and seed != str(member):
        yield f"{run} and --member {member} name two members; leave one of them out."


def _of_several(options: Any) -> Iterator[str]:
    if options.member is not None:
        yield f"--member {options.member} is of one network; of several, name RUN@{options.member}."
    if options.run is None and options.weights is None:
        yield "compare takes two networks or more, and there is none; name them: compare runs/a runs/b."


def _of_output(options: Any) -> Iterator[str]:
    options.checked()
    out = options.out
    formats = listed("cnnviz.figures.files", "DATES")
    if out is not None and out.suffix[1:] in formats and not out.is_dir():
        yield f"--out is a folder; for {out.name} use --out {out.parent} --format {out.suffix[1:]}."


def _of_data(options: Any, kind: str | None) -> Iterator[str]:
    if getattr(options, "invert", False) and not any(_are_pictures(options)):
        yield "--invert is for pictures of your own, and none was given; leave it out."
    usual = {field.name: field.default for field in fields(options)}
    for name, kinds in OF_DATA_SET.items():
        given = kind in kinds and options.weights is None and getattr(options, name) != usual[name]
        if given and (own := _are_pictures(options)) and all(own):
            yield (
                f"{typed(name, getattr(options, name))} is for images of a data set, and only pictures of your own "
                "were given; leave it out."
            )
    if kind is None or options.weights is not None or shows_data(kind):
        return
    for name in ("dataset", "data_dir", "resize"):
        if (value := getattr(options, name)) is not None:
            yield f"{kind} shows no images, so --{name.replace('_', '-')} {value} has no effect; leave it out."


def _of_kind(options: Any, kind: str | None) -> Iterator[str]:
    """Options of a kind that nothing of what is asked of it reads."""
    if kind == "attribute" and options.layer is not None and not _reads_layers(options.methods):
        yield f"{typed('layer', options.layer)} has no effect on --methods {options.methods}; leave it out."
    if kind == "layers" and not options.statistics and options.split != type(options).split:
        yield f"{typed('split', options.split)} has no effect without --statistics; add it, or leave --split out."
    if kind == "units" and options.unit is None:
        for name in ("image", "images"):
            if (given := getattr(options, name)) is not None:
                yield f"{typed(name, given)} is for the page of one unit; name it by --unit, or leave --{name} out."
    says = SAYS.get(kind or "")
    if says is None or getattr(options, says) is None:
        return
    usual = {f.name: f.default for f in fields(options)}
    asked = {made.strip() for made in getattr(options, says).split(",")}
    for name, values in _readers(str(kind)).items():
        if getattr(options, name) != usual[name] and not asked & {*values}:
            given, chosen = typed(name, getattr(options, name)), typed(says, getattr(options, says))
            yield f"{given} has no effect on {chosen}; it is for {', '.join(values)}: leave it out."


def _readers(kind: str) -> dict[str, list[str]]:
    """Which of what a kind makes reads each option that not all of it reads."""
    if kind in READ_FOR:
        return {name: values.split() for name, values in READ_FOR[kind].items()}
    read = {part: fields_of(path) for part, path in paths_in("cnnviz.pictures.compared", "PARTS").items()}
    names = dict.fromkeys(name for options in read.values() for name in options)
    return {name: [part for part in read if name in read[part]] for name in names}


def _reads_layers(methods: str) -> bool:
    """Whether one of these methods is of a layer's values, by its source."""
    paths = paths_in("cnnviz.attribution.methods", "METHODS")
    names = {entry.name for entry in spelled(methods)}
    return not names <= paths.keys() or any("layers" in fields_of(paths[name]) for name in names)


def _are_pictures(options: Any) -> list[bool]:
    """Of each part of what was typed for images, whether it is a picture of one's own and no numbers of a data set."""
    from cnnviz.pictures.choices import numbered

    chosen = [text for text in (options.image, options.images) if text is not None]
    parts = [part for text in chosen for part in re.split(r"[,\n]", str(text))]
    return [numbered(part.strip()) is None for part in parts]
