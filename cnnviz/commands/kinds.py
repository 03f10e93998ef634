"""The kinds of picture as `visualize.py` sees them before one is imported: their options, names and places."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from pkgutil import resolve_name

from cnnviz.commands.choices import OF_KINDS
from cnnviz.commands.declared import Declared, NotStatic, constant, fields_of, first_line, static
from cnnviz.commands.option_names import is_value
from cnnviz.commands.places import is_there, missing, placed, runs_in
from cnnviz.errors import InputError, unknown
from cnnviz.interop.picture_files import is_named_picture
from cnnviz.pictures import GROUPS, PICTURES
from cnnviz.registry import resolve

KIND = "kind of picture"
RUN = "runs/garments-cnn-1"
EXAMPLES = {"methods": "grad_cam,lrp", "image": "0:8", "layer": "conv1", "split": "test"}
CALLS = {  # of kinds whose typical call is another one
    "layers": f"{RUN} --statistics",
    "film": f"{RUN} --of kernels,activations --image 3",
    "predictions": f"{RUN} --image 3",
    "predict": f"{RUN} photo.png",
    "evaluate": f"{RUN} --dataset photos",
    "compare": f"{RUN} runs/garments-resnet-1",
    "units": f"{RUN} --layer relu2 --unit 31",
}
# common options that a kind refuses, and what those of the data set are for where no image is shown
HIDDEN = {
    "compare": ("member",),
    "curves": tuple("model_options weights names image_shape classes prepare dataset data_dir resize".split()),
}
WITH_WEIGHTS = {
    "dataset": "With --weights: the data set whose image shape and classes the network has.",
    "data_dir": "With --weights: where to look for the data set first.",
    "resize": "With --weights: the size of the data set's images, 32 or HEIGHTxWIDTH.",
}
USAGES = {"predict": "RUN [PICTURE ...] [options]", "compare": "RUN RUN [RUN ...] [options]"}


def options_with(kind: str, base: type) -> type:
    """The options of a kind together with those of `base`, without importing the kind where its source says enough."""
    if kind not in PICTURES:
        raise unknown(KIND, kind, PICTURES)
    try:
        options = static(PICTURES[kind], base, declared_of(kind))
    except NotStatic:
        own, *parts = [resolve(PICTURES, kind, KIND), *map(resolve_name, _parts(kind))]
        checked_later = {"__post_init__": lambda self: None}  # when the kind is made: tyro would wrap the message
        bases = (base, own, *parts)
        options = dataclass(frozen=True)(type(own.__name__, bases, {"__doc__": own.__doc__, **checked_later}))
    options.EXAMPLE, options.USAGE = example(kind), USAGES.get(kind, "[RUN] [options]")
    if first := constant(PICTURES[kind], "FIRST"):
        options.DEFAULTS = {"image": first}
    options.CHOICES, options.HIDDEN = OF_KINDS.get(kind, {}), HIDDEN.get(kind, ())
    if not shows_data(kind):
        options.TEXTS = {**getattr(options, "TEXTS", {}), **WITH_WEIGHTS}
    return options


def example(kind: str) -> str:
    """The arguments of a typical call, after the kind."""
    named = [f"--{option} {value}" for option, value in EXAMPLES.items() if option in option_names(kind)]
    return CALLS.get(kind) or " ".join([RUN, *named[:2]])


def flags_of(base: type) -> list[str]:
    """The names of all options without a value, of `base` and of every kind, as fields are named."""
    kinds = [option for kind in PICTURES for option in declared_of(kind).values()]
    return [one.name for one in fields(base) if one.default is False] + [one.name for one in kinds if one.is_flag]


def owners(option: str) -> str:
    """The command with the kinds that have an option of this name, as they are typed; empty if there are none."""
    found = [kind for kind in PICTURES if option in option_names(kind)]
    return f"visualize.py {'|'.join(found)}" if found else ""


def shows_data(kind: str) -> bool:
    """Whether a kind shows images to the network: it has an option that chooses some."""
    return not {"image", "images", "split"}.isdisjoint(option_names(kind))


def described() -> dict[str, str]:
    """Every kind with the first line of its module's docstring."""
    return {kind: first_line(path) for kind, path in PICTURES.items()}


def option_names(kind: str) -> list[str]:
    """The names of the options of a kind, without dashes."""
    return [name.replace("_", "-") for name in declared_of(kind)]


def declared_of(kind: str) -> dict[str, Declared]:
    """The options of a kind by name, with those of its parts if it has some; the kind's own come first."""
    found = fields_of(PICTURES[kind])
    for path in _parts(kind):
        found |= {name: option for name, option in fields_of(path).items() if name not in found}
    return found


def _parts(kind: str) -> list[str]:
    """The paths of the parts of a kind, `module:Class`."""
    return list(resolve_name(GROUPS[kind]).values()) if kind in GROUPS else []


def separated(arguments: Sequence[str], flags: Collection[str]) -> tuple[str | None, list[str]]:
    """The kind of picture among the arguments, None for all kinds, and the other arguments.

    The kind may stand anywhere but as the value of an option; `flags` are the options without one. Raises InputError
    for two kinds, and for a text that is neither a kind, a place where a network can be, nor named like a picture.
    """
    places = [
        place for place, text in enumerate(arguments) if text[:1] != "-" and not is_value(arguments, place, flags)
    ]
    found = [place for place in places if arguments[place] in PICTURES]
    names = list(dict.fromkeys(arguments[place] for place in found))
    if len(names) > 1:
        listed = " and ".join(map(repr, names))
        raise InputError(f"{listed} are {len(names)} kinds of picture; name one, or none to draw all.")
    if found:
        return names[0], [text for place, text in enumerate(arguments) if place != found[0]]
    runs = runs_in(arguments)
    for place in places:
        if not is_named_picture(arguments[place]) and not is_there(placed(arguments[place], runs)):
            raise _neither(arguments[place], runs, alone=len(places) == 1)
    return None, list(arguments)


def _neither(text: str, runs: Path, alone: bool) -> InputError:
    """The error for a text in the place of a kind or of a network that is neither; `alone` if it is the only one."""
    is_name = Path(text).name == text and not Path(text).suffix and not set("@:").intersection(text)
    if is_name and not (runs / text).is_dir():
        return unknown(KIND if not alone else f"{KIND} or run", text, PICTURES)
    return missing(text, runs)
