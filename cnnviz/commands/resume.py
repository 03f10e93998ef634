"""Resuming a run, with the options it was started with and on the same data; one that is finished, with more epochs."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cnnviz.commands import terminal
from cnnviz.commands.begin import check_fits, steps_of, training_count
from cnnviz.commands.flags import typed, worded
from cnnviz.commands.own_model import is_for, options_of, use_for
from cnnviz.commands.recorded import address, reading_of, recorded_data
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted


def resumed(options: Any) -> tuple[Path, Any, Any] | None:
    """The directory, the config and the data set of an earlier run; None if it is finished and need not go on.

    Raises InputError if an option differs from the run's, the data differ, or the run's files were changed.
    """
    from cnnviz import runs

    path = options.runs / options.name if options.name else runs.latest(options.runs)
    config, asks_for_more = runs.load_config(path), False
    if (path / "summary.json").is_file():
        asks_for_more = _asks_for_more(config, options)
    allowed = replace(options, epochs=None) if asks_for_more else options
    if others := _others(allowed, config):
        longer = "" if asks_for_more else _how_to_go_on(config, options)
        raise InputError(
            f"The run {path} can be resumed only with the options it was started with, not with {', '.join(others)}."
            f"{longer}"
        )
    if is_finished(path, is_said=not asks_for_more) and not asks_for_more:
        return None
    use_for(path, config, options.model)
    dataset = data_of(path, config, options)
    check_fits(config, len(dataset.train.labels[: config["data"]["limit"]]))
    print(f"Going on with {path}.")
    return path, config, dataset


def _asks_for_more(config: Any, options: Any) -> bool:
    return options.epochs is not None and options.epochs > config.recipe.epochs


def _how_to_go_on(config: Any, options: Any) -> str:
    if not _asks_for_more(config, options):
        return ""
    return " It goes on with more epochs once it is finished: --resume finishes it, then --resume --epochs goes on."


def longer(path: Path, config: Any, options: Any, dataset: Any) -> Any:
    """The config of a finished run that goes on with more epochs, which is written and said; else the config as it is.

    The schedule is that of a training of all epochs, from the step that the run has reached. Raises InputError if its
    networks ended at different epochs.
    """
    if not (options.resume and (path / "summary.json").is_file() and _asks_for_more(config, options)):
        return config
    from cnnviz import runs
    from cnnviz.runs import continued
    from cnnviz.training.fit import steps_per_epoch
    from cnnviz.training.members import by_seed

    _, history = runs.load_states(path)
    ends = sorted({int(own[-1]["epoch"]) for own in by_seed(history)})
    if len(ends) > 1:
        raise InputError(
            f"The networks of {path} ended at different epochs, {', '.join(map(str, ends))}, so they cannot go on "
            "together; train them anew with a larger --patience."
        )
    steps = steps_per_epoch(training_count(dataset, config["data"]["limit"], config.recipe), config.recipe)
    steps_of(options.epochs, steps)
    continued.write(path, ends[0], options.epochs)
    (path / "summary.json").unlink()
    config = runs.load_config(path)
    print(_continuation(config.recipe, ends[0], steps))
    return config


def _continuation(recipe: Any, after: int, steps: int) -> str:
    """What a training that goes on does: its epochs, and how its learning rate continues."""
    from cnnviz.training.optimizer import learning_rate_at

    what = f"It goes on with epoch{f's {after + 1} to' if recipe.epochs > after + 1 else ''} {recipe.epochs}."
    first, last = (
        learning_rate_at(recipe, recipe.epochs * steps, step) for step in (after * steps, recipe.epochs * steps - 1)
    )
    if recipe.schedule == "constant":
        return f"{what} The learning rate stays {last:.3g}."
    return (
        f"{what} The schedule {recipe.schedule} is continued as that of a training of "
        f"{counted(recipe.epochs, 'epoch')}, from its step {after * steps:,}: the learning rate is "
        f"{first:.3g} there and {last:.3g} at the end."
    )


def is_finished(path: Path, is_said: bool = True) -> bool:
    """Whether a run is finished, which is printed; raises InputError if its files were changed since."""
    from cnnviz import runs

    if not (path / "summary.json").is_file():
        return False
    if faults := runs.damages(path):
        raise InputError(" ".join(faults))
    if is_said:
        print(f"The run {path} is finished; all its files are as they were written. --resume --epochs N goes on.")
    return True


def data_of(path: Path, config: Any, options: Any) -> Any:
    """The data set that a run was trained on; raises InputError if the data of that name are different now."""
    with terminal.at_work(f"reading the data set {config['data']['title']}"):
        dataset, is_same = recorded_data(path, config, options.data_dir, options.dataset)
    if not is_same:
        raise InputError(
            f"The run {path} was trained on data other than {dataset.source}; name its data with --data-dir."
        )
    return dataset


def _others(options: Any, config: Any) -> list[str]:
    """The options that differ from those that the run was started with, each with both values."""
    from cnnviz.data import Reading
    from cnnviz.data.arrays import shape_of

    keep, recipe = config.keep, asdict(config.recipe)  # an older run's file lacks what came later
    model = options.model if is_for(config, options.model) else config["model"]
    started = {
        **recipe,
        "model": model,
        "model_options": config.get("model_options", {}),
        "limit": config["data"]["limit"],
    }
    started |= {"track": ",".join(config.get("track", [])) or None}
    started |= {"keep": keep.last, "keep_every": keep.every, "snapshots": len(keep.snapshots) or None}
    started["seeds"] = len(config.seeds)
    started |= {"resize": None, "skip_unreadable": False} | reading_of(config["data"])
    started["normalize"] = bool(config.prepare.mean)
    asked = options.numbers | {name: getattr(options, name) for name in started if name not in recipe}
    asked["model_options"] = options_of(options.model_options) if options.model_options is not None else None
    asked["resize"] = Reading.of(options.resize).given.get("resize")
    started["image_shape"], asked["image_shape"] = config.image_shape, shape_of(options.image_shape)
    differ = [name for name, value in sorted(asked.items()) if value not in (None, started[name])]
    others = [f"{typed(name, asked[name])} (it has {worded(started[name])})" for name in differ]
    name, named = config["data"]["name"], options.dataset.split(",") if options.dataset else []
    # a path may be where the data are now, which their fingerprint tells
    is_same = not named or any(address(each) == name or Path(each).exists() for each in (*named, options.dataset))
    return others if is_same else [*others, f"--dataset {options.dataset} (it has {name})"]
