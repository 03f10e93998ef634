"""What is wrong of a picture's options and can be told before JAX is imported: texts, files, and what a run has."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cnnviz.commands.choices import named
from cnnviz.commands.extras import check_extras
from cnnviz.commands.own_inputs import are_several, shapes_of
from cnnviz.commands.own_model import options_of
from cnnviz.commands.places import check_folder, check_writable, is_there, missing
from cnnviz.commands.several import only_one, places
from cnnviz.data.home import data_folder
from cnnviz.errors import InputError, OptionError
from cnnviz.errors.ranges import check_range
from cnnviz.interop.foreign import check_network, check_weights
from cnnviz.interop.place import Facts, Where, check_place, latest
from cnnviz.pictures import choices
from cnnviz.pictures.options import ONE_UNIT, check_input, check_spelled_once
from cnnviz.training.recipe import check_seed

FILES = ("weights", "names", "inputs")
LOOKED_INTO = 100  # pictures, of those in a folder, whose first bytes are read early
ONLY_NUMBERS = ("embed", "robustness", "evaluate")  # kinds whose images are those of the data set


def check_early(options: Any, kind: str | None) -> None:
    """Raises InputError for a wrong value that can be told without the network: the option is named as it is typed."""
    check_seed(options.seed)
    data_folder(options.data_dir)
    typed = [where for where in (options.run, *places(getattr(options, "others", None))) if where is not None]
    for where in typed:
        if not is_there(where):
            raise missing(where, options.runs)
    for where in typed:
        check_network(Where.read(where).path)
    _check_files(options, kind)
    _check_texts(options, kind)
    if options.weights is None:
        wheres = [options.run or str(latest(options.runs)), *places(getattr(options, "others", None))]
        first, *_ = [check_place(where) for where in wheres]
        if first is not None:
            _check_facts(options, wheres, first, kind)
    check_extras(options)
    if options.font is not None:
        with named("font"):
            _ = options.drawn


def _check_files(options: Any, kind: str | None) -> None:
    for name in FILES:
        if (path := getattr(options, name, None)) is not None and not path.exists():
            raise InputError(f"--{name} {path} does not exist; give a file.")
    if options.weights is not None:
        check_weights(options.weights)
    if options.out is not None and kind == "report":
        check_writable(options.out)
    else:
        check_folder("out", options.out)


def _check_texts(options: Any, kind: str | None) -> None:
    """Raises InputError for a text of an option that stands for something else, if it cannot."""
    from cnnviz.data import Reading
    from cnnviz.data.photograph import check_formats as check_pictures
    from cnnviz.pictures.animated import check_format

    several = are_several(options.image_shape) and shapes_of(options.image_shape)
    Reading.of(options.resize, image_shape=None if several else options.image_shape)
    options_of(options.model_options)
    options_of(options.prepare, "--prepare")
    if getattr(options, "channels", None) is not None:
        choices.numbers_in(options.channels, "channels")
    if hasattr(options, "epsilons"):
        choices.levels_of(options.epsilons, options.epsilon)
    check_input(getattr(options, "inputs", None), getattr(options, "input", None))
    if getattr(options, "pairs", False) and getattr(options, "unit", 0) is None:
        raise InputError(ONE_UNIT)
    if getattr(options, "film", None) == "mp4":
        check_format("mp4")
    layer = getattr(options, "layer", None)
    if layer is not None and not all(part.strip() for part in layer.split(",")):
        raise OptionError(f"layer must be a name, a pattern, a kind or a number; it was {layer!r}.")
    if kind == "compare":
        check_range("among", options.among)
    for text in _images(options):
        chosen = choices.numbers_in(text, "images") if kind in ONLY_NUMBERS else choices.choices(text)
        check_pictures([one for one in chosen if isinstance(one, Path)][:LOOKED_INTO])
    _check_classes(options.classes)


def _images(options: Any) -> Iterator[str]:
    given = [getattr(options, name, None) for name in ("image", "images")]
    check_spelled_once(*given)
    yield from (str(text) for text in given if text is not None)


def _check_classes(text: str | None) -> None:
    if text is None or text.strip().isdecimal() and int(text) > 0:
        return
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names) or names[0].isdecimal() and len(names) == 1:
        raise OptionError(f"classes must be how many there are, or their names, each once; it was {text!r}.")


def _check_facts(options: Any, wheres: Sequence[str], facts: Facts, kind: str | None) -> None:
    """Raises InputError for a member, a step or a class that the first run does not have."""
    place = Where.read(wheres[0])
    if kind == "compare" and len(wheres) == 1 and (place.seed is not None or len(facts.seeds) == 1):
        raise only_one(place.path.name)
    if options.member is not None and options.member not in facts.seeds:
        seeds = ", ".join(map(str, facts.seeds))
        raise OptionError(f"member must be a seed of {place.path}, which has {seeds}; it was {options.member}.")
    if getattr(options, "steps", None) is not None and isinstance(options.steps, str):
        choices.steps_in(options.steps, facts.steps)
    if (target := getattr(options, "target", None)) is not None:
        with named("target"):
            _check_target(choices.target_of(target, facts.classes), target, facts)


def _check_target(found: Any, typed: str, facts: Facts) -> None:
    count = len(facts.classes)
    for each in found if isinstance(found, tuple) else (found,):
        if isinstance(each, int) and not 0 <= each < count:
            raise OptionError(
                f"target must be a class, by name or by its number from 0 to {count - 1}; it was {typed}."
            )
