"""Resuming a run, with the options it was started with and on the same data."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnnviz.commands.begin import check_fits
from cnnviz.commands.own_model import is_for, options_of, use_for
from cnnviz.commands.recorded import address, reading_of, recorded_data
from cnnviz.errors import InputError


def resumed(options: Any) -> tuple[Path, Any, Any] | None:
    """The directory, the config and the data set of an earlier run; None if it is finished.

    Raises InputError if an option differs from the run's, the data differ, or the run's files were changed.
    """
    from cnnviz import runs

    path = options.runs / options.name if options.name else runs.latest(options.runs)
    config = runs.load_config(path)
    if others := _others(options, config):
        raise InputError(
            f"The run {path} can be resumed only with the options it was started with, not with {', '.join(others)}."
        )
    if is_finished(path):
        return None
    use_for(path, config, options.model)
    dataset = data_of(path, config, options)
    check_fits(config, len(dataset.train.labels[: config["data"]["limit"]]))
    print(f"Going on with {path}.")
    return path, config, dataset


def is_finished(path: Path) -> bool:
    """Whether a run is finished, which is printed; raises InputError if its files were changed since."""
    from cnnviz import runs

    if not (path / "summary.json").is_file():
        return False
    if faults := runs.damages(path):
        raise InputError(" ".join(faults))
    print(f"The run {path} is finished; all its files are as they were written.")
    return True


def data_of(path: Path, config: Any, options: Any) -> Any:
    """The data set that a run was trained on; raises InputError if the data of that name are different now."""
    dataset, is_same = recorded_data(path, config, options.data_dir, options.dataset)
    if not is_same:
        raise InputError(
            f"The run {path} was trained on data other than {dataset.source}; name its data with --data-dir."
        )
    return dataset


def _others(options: Any, config: Any) -> list[str]:
    """The options that differ from those that the run was started with, each with both values."""
    from cnnviz.data import Reading

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
    asked |= {name: getattr(options, name) or None for name in ("normalize", "skip_unreadable")}
    asked["resize"] = Reading.of(options.resize).given.get("resize")
    differ = [name for name, value in sorted(asked.items()) if value not in (None, started[name])]
    others = [f"--{name.replace('_', '-')} {asked[name]} (it has {started[name]})" for name in differ]
    name, named = config["data"]["name"], options.dataset.split(",") if options.dataset else []
    # a path may be where the data are now, which their fingerprint tells
    is_same = not named or any(address(each) == name or Path(each).exists() for each in (*named, options.dataset))
    return others if is_same else [*others, f"--dataset {options.dataset} (it has {name})"]
