"""Options whose values are names: an unknown name is refused before JAX is imported and anything is loaded."""

import ast
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from cnnviz.commands.declared import fields_of, listed, paths_in
from cnnviz.commands.method_options import options_of_any
from cnnviz.errors import InputError, OptionError, check_known, unknown
from cnnviz.registry import check_number, spelled


@dataclass(frozen=True)
class Choice:
    """What the names are, where they are listed, and whether an option takes several, with commas between them.

    With `spelled` each name may have options after a colon (`registry.spelled`): its own, and those in `shared`.
    """

    kind: str
    place: str
    several: bool = False
    also: tuple[str, ...] = ()
    spelled: bool = False
    shared: tuple[str, ...] = ()

    @property
    def names(self) -> Collection[str]:
        """The known names, from the source of a module that is not imported yet; none if it does not list them."""
        module, _, name = self.place.partition(":")
        if module in sys.modules:  # where names may have been added
            return tuple(getattr(sys.modules[module], name))
        return listed(module, name)

    def check(self, value: str) -> None:
        """Raises InputError, with what was probably meant, if a name is unknown."""
        for name in self.asked(value):
            if self.names and name not in (*self.names, *self.also):
                raise unknown(self.kind, name, self.names)
        if self.spelled:
            self._check_options(value)

    def _check_options(self, value: str) -> None:
        """Raises InputError if a name has an option that its class, by its source, does not have."""
        paths = paths_in(*self.place.split(":"))
        for _, name, given in spelled(value):
            every = fields_of(paths[name]) if name in paths else {}
            known = {option: one for option, one in every.items() if not one.is_filled_in}
            shared = options_of_any(name, known, given, self.shared) if name in paths and self.shared else ()
            for option, text in given.items() if name in paths else ():
                if option not in shared:
                    check_known(f"option of {name}", option, [*known, *shared])
                    check_number(name, option, text, ast.unparse(known[option].type))

    def asked(self, value: str) -> list[str]:
        """The names in an option's value."""
        if self.spelled:
            return [entry.name for entry in spelled(value)]
        return [part.strip() for part in value.split(",")] if self.several else [value]


_METHODS = Choice(
    "method", "cnnviz.attribution.methods:METHODS", several=True, also=("all",), spelled=True, shared=("at",)
)
CHOICES = {
    "recipe": Choice("recipe", "cnnviz.training.recipe:RECIPES"),
    "optimizer": Choice("optimizer", "cnnviz.training.recipe:OPTIMIZERS"),
    "schedule": Choice("schedule", "cnnviz.training.recipe:SCHEDULES"),
    "precision": Choice("precision", "cnnviz.training.recipe:PRECISIONS"),
    "images_on": Choice("place for the images", "cnnviz.training.recipe:IMAGES_ON"),
    "track": Choice("tracker", "cnnviz.training.tracking:TRACKERS", several=True),
    "methods": _METHODS,
    "metrics": Choice("metric", "cnnviz.metrics.metrics:METRICS", several=True, also=("all",), spelled=True),
    "format": Choice("format", "cnnviz.figures.files:DATES"),
    "split": Choice("split", "cnnviz.pictures.picture:SPLITS"),
    "style": Choice("style", "cnnviz.pictures.page:STYLES"),
    "parts": Choice("part of a comparison", "cnnviz.pictures.compared:PARTS", several=True),
    "to": Choice("format", "cnnviz.networks.export:EXPORTS", several=True),
    "model": Choice("model", "cnnviz.models:MODELS"),
    "sort": Choice("column", "cnnviz.commands.listing:COLUMNS"),
}
OF_KINDS = {  # of one kind of picture
    "units": {
        "sort": Choice("order of units", "cnnviz.pictures.unit_sheet:SORTS"),
        "by": Choice("order of images", "cnnviz.units.seen:BY"),
    },
    "evaluate": {"split": Choice("split", "cnnviz.pictures.evaluate:SPLITS")},
    "embed": {"by": Choice("embedding", "cnnviz.units.codes:EMBEDDINGS")},
    "ablation": {"instead": Choice("replacement", "cnnviz.units.layer:REPLACEMENTS")},
    "attribute": {
        "methods": replace(_METHODS, shared=("at", "channels")),
        "scale": Choice("scale", "cnnviz.pictures.attribute:SCALES"),
    },
    "activations": {"scale": Choice("scale", "cnnviz.pictures.activations:SCALES")},
    "film": {
        "of": Choice("film", "cnnviz.pictures.filmed:FILMS", several=True),
        "film": Choice("format of films", "cnnviz.pictures.animated:FORMATS"),
        "method": _METHODS,
        "measure": Choice("measure over steps", "cnnviz.comparison.development:STREAMED"),
    },
    "compare": {
        "method": _METHODS,
        "measure": Choice("measure of similarity", "cnnviz.comparison.measures:MEASURES"),
        "match_by": Choice("way to match units", "cnnviz.comparison.alignment:WAYS"),
    },
}


def check_names(options: Any) -> None:
    """Raises InputError if an option has a name that is unknown; a class of options may have CHOICES of its own."""
    choices = CHOICES | getattr(options, "CHOICES", {})
    for name in (field.name for field in fields(options)):
        value = getattr(options, name)
        if name in choices and isinstance(value, str) and not (name == "model" and is_place(value)):
            with named(name):
                choices[name].check(value)
    one_of_several = getattr(options, "distributed", "off") != "off"  # the others learn of it once they are connected
    if getattr(options, "dataset", None) is not None and not one_of_several:
        resolve_name("cnnviz.data:check_names")(options.dataset, options.data_dir)


@contextmanager
def named(option: str) -> Iterator[None]:
    """Puts the option, as it is typed, before the message of an InputError."""
    try:
        yield
    except OptionError:
        raise
    except InputError as error:
        raise InputError(f"--{option.replace('_', '-')}: {error}") from error


def is_place(model: str) -> bool:
    """Whether `--model` names a class of your own or a file, which are not listed anywhere."""
    return ":" in model or bool(Path(model).suffix) or "/" in model


def option_for(text: str, known: Collection[str]) -> str:
    """The option that a text without one was probably meant for, with the text; empty if it could be anything."""
    fitting = [name for name, choice in CHOICES.items() if name in known and text in choice.names]
    if fitting:
        return f"--{fitting[0].replace('_', '-')} {text}"
    datasets = resolve_name("cnnviz.data:DATASETS")
    return f"--dataset {text}" if "dataset" in known and (text in datasets or Path(text).exists()) else ""
