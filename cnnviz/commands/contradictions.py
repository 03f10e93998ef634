"""Options of `train.py` that contradict each other: the error names both."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from cnnviz.commands.begin import check_name
from cnnviz.commands.extras import check_extras
from cnnviz.commands.flags import typed
from cnnviz.commands.places import check_folder, is_there, missing
from cnnviz.commands.sweep import NOT_SWEPT
from cnnviz.errors import InputError, OptionError, no_run, run_exists
from cnnviz.interop import READERS
from cnnviz.interop.foreign import check_network, check_not_foreign, check_weights
from cnnviz.interop.picture_files import holds_pictures
from cnnviz.interop.place import Where, check_place, is_run, latest
from cnnviz.training.recipe import Recipe

MODES = ("list", "verify", "prepare_data", "export", "sweep", "resume")  # each is done in place of one new training
READ = {  # what a mode that trains nothing reads of the other options
    "list": "runs sort",
    "verify": "runs model dataset data_dir",
    "prepare_data": "dataset data_dir",
    "export": "to out model runs",
}
DAY = 24 * 60 * 60  # seconds
ONLY_WITH = {"sort": "list", "to": "export", "out": "export", "timeout": "distributed"}
NOT_RESUMED = {
    "config": "a run goes on with its own config",
    "init_from": "a run goes on with its own weights",
}
OPTIMIZERS = {"momentum": ("sgd",), "epsilon": ("adam", "adamw", "rmsprop", "muon")}  # that have such a number


def check_options(options: Any) -> None:
    """Raises InputError, which names two options, if they cannot be obeyed both, or one without a missing package."""
    given = [name for name in MODES if getattr(options, name)]
    if len(given) > 1:
        raise _apart(given[0], given[1], "each is done in place of one new training")
    for name, why in NOT_RESUMED.items():
        if options.resume and getattr(options, name) is not None:
            raise _apart("resume", name, why)
    _check_read(options, given[0] if given else "")
    _check_runs(options)
    for spec in options.sweep:
        name = spec.partition("=")[0].strip().lstrip("-").replace("-", "_")
        if name == "seed" and options.seeds not in (None, 1):
            raise _apart(
                "sweep", "seeds", f"{spec} makes a run of each seed, and --seeds {options.seeds} one run of all"
            )
        if name in {field.name for field in fields(options)} - NOT_SWEPT and getattr(options, name) is not None:
            raise _apart("sweep", name, f"it was {getattr(options, name)!r}, and --sweep {spec} sets it too")
    if options.timeout > DAY:
        raise OptionError(f"timeout must be at most {DAY:,} seconds, a day; it was {options.timeout:,}.")
    check_extras(options)
    if not given or given[0] in ("sweep", "resume"):
        check_folder("runs", options.runs)


def _check_read(options: Any, mode: str) -> None:
    """Raises InputError for an option that has no effect: `mode` does not read it, or what it belongs to is not given.

    An option is given if it has not its default value; `mode` is empty for a new training.
    """
    usual = {field.name: field.default for field in fields(options)}
    given = [name for name in usual if getattr(options, name) != usual[name]]
    for name, other in ONLY_WITH.items():
        if name in given and other not in given:
            value = getattr(options, name)
            raise InputError(f"{typed(name, value)} has no effect without {typed(other)}; add it, or leave this out.")
    if mode not in READ:
        return
    read = {mode, "debug", *READ[mode].split()} - ({"model"} if Path(options.export or "").suffix in READERS else set())
    if unread := [name for name in given if name not in read]:
        named = ", ".join(typed(name, getattr(options, name)) for name in unread)
        have, them = ("has", "it") if len(unread) == 1 else ("have", "them")
        with_mode = typed(mode, getattr(options, mode))
        raise InputError(f"{named} {have} no effect with {with_mode}, which trains nothing; leave {them} out.")


def _check_runs(options: Any) -> None:
    """Raises InputError for a run that is asked for and is not there, and for a new one in the place of another."""
    _check_places(options)
    if options.verify is not None:
        if not options.verify.exists():
            raise missing(str(options.verify), options.runs, right="a run's directory")
        if not holds_pictures(options.verify):
            check_not_foreign(options.verify)
        if not is_run(options.verify):
            raise no_run(options.verify)
    if options.distributed != "off":  # the first process alone looks for runs, once the others are connected
        return
    if options.resume:
        path = options.runs / options.name if options.name else latest(options.runs)
        if not is_run(path):
            raise no_run(path)
    elif options.name and not any(getattr(options, mode) for mode in MODES):
        check_name(options)
        if (options.runs / options.name).exists():
            raise InputError(run_exists(options.runs / options.name))


def _check_places(options: Any) -> None:
    """Raises InputError if no weights are at the place that a training starts from, or no network at an export's."""
    start, exported = options.init_from, options.export if options.to is not None else None
    for where in filter(None, (start, exported)):
        check_place(where)
    if start is not None:
        if not is_there(start):
            raise missing(start, options.runs, "--init-from", "a run or a file of weights")
        if not is_run(path := Where.read(start).path):
            check_weights(path)
    if exported is not None:
        if not is_there(exported):
            raise missing(exported, options.runs)
        check_network(Where.read(exported).path)
        check_folder("out", options.out)


def check_recipe(options: Any, recipe: Recipe) -> None:
    """Raises InputError if a number was typed that the recipe's optimizer does not have."""
    for name, optimizers in OPTIMIZERS.items():
        if name in options.single_numbers and recipe.optimizer not in optimizers:
            raise InputError(
                f"--{name} is for --optimizer {' or '.join(optimizers)}; the optimizer is {recipe.optimizer}."
            )


def _apart(one: str, other: str, why: str) -> InputError:
    return InputError(f"{typed(one)} and {typed(other)} do not go together: {why}.")
