"""`--model` and `--model-options`: the class that was typed is imported and put in MODELS; nothing else is imported."""

import json
from collections.abc import Mapping
from typing import Any

from cnnviz.commands.declared import fields_of
from cnnviz.errors import InputError, check_known
from cnnviz.interop.objects import each_once
from cnnviz.models import MODELS
from cnnviz.models.own import import_own, is_own

EXAMPLES = {"--model-options": '{"width": 64}', "--prepare": '{"scale": 1, "mean": [0.5]}'}


def use(text: str) -> None:
    """Makes the typed model known: a key of MODELS is there already, a class of your own is imported.

    Raises InputError if there is neither.
    """
    if is_own(text):
        MODELS[text] = import_own(text)
    check_known("model", text, MODELS)


def check_model_options(model: str, options: Mapping[str, Any]) -> None:
    """Raises InputError for an option that one of our models does not have, as far as its source says which it has."""
    known = fields_of(path) if isinstance(path := MODELS.get(model), str) else {}
    for option in options if known else ():
        check_known(f"option of {model}", option, known)


def use_for(run: Any, config: Any, text: str | None) -> None:
    """Makes the class known under the name that a run has for it; `text` is what was typed, None for nothing.

    Prints a line if the class was changed since. Raises InputError if the run has a class of another name.
    """
    if not is_for(config, text):
        raise InputError(f"The run {run} has the model {config['model']}, not {text}.")
    if text is not None and is_own(text):
        use(text)
        MODELS[config["model"]] = MODELS[text]
    if note := config.changed_source:
        print(f"note: {note}")


def is_for(config: Any, text: str | None) -> bool:
    """Whether the typed model can be a run's: the same text, or a class of the same name in another place."""
    name = config["model"]
    class_of = lambda place: place.rpartition(":")[2]
    return text in (None, name) or (config.is_own and text is not None and class_of(text) == class_of(name))


def typed_again(config: Any) -> str:
    """What a command for a run of a class of your own says besides the run, since no run imports one; else nothing."""
    return f" --model {config['model']}" if config.is_own and is_own(config["model"]) else ""


def options_of(text: str | None, option: str = "--model-options") -> dict[str, Any]:
    """The options in a JSON object; none for None. Raises InputError for anything else."""
    if text is None:
        return {}
    what = f"{option} is a JSON object such as '{EXAMPLES[option]}'; it was {text!r}"
    try:
        found = json.loads(text or "{}", object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f"{what}.")
    return found
