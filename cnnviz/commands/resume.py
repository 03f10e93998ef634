"""Going on with a run: only with what it was started with, and on the same data."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnnviz.commands.recorded import address, recorded_data
from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe


def resumed(options: Any) -> tuple[Path, dict[str, Any], Any]:
    """The directory of an earlier run, what it was asked for, and the same data again."""
    from cnnviz import runs

    path = options.runs / options.name if options.name else runs.latest(options.runs)
    config = runs.load_config(path)
    if others := _others(options, config):
        raise InputError(f"The run {path} goes on only with what it was started with, not with {', '.join(others)}.")
    dataset = data_of(path, config, options)
    print(f"Going on with {path}.")
    return path, config, dataset


def data_of(path: Path, config: dict[str, Any], options: Any) -> Any:
    """The data that a run was trained on; other data of that name are an InputError."""
    dataset, is_same = recorded_data(path, config, options.data_dir, options.dataset)
    if not is_same:
        raise InputError(f"The run {path} was trained on other data than {dataset.source}; give its own by --data-dir.")
    return dataset


def _others(options: Any, config: dict[str, Any]) -> list[str]:
    """Options given that differ from those that a run was started with, each with both values."""
    from cnnviz.runs.config import keep_of, networks_of

    keep, recipe = keep_of(config), asdict(Recipe(**config["recipe"]))  # an older run's lacks what came later
    started = {**recipe, "model": config["model"], "limit": config["data"]["limit"]}
    started |= {"track": ",".join(config.get("track", [])) or None}
    started |= {"keep": keep.last, "keep_every": keep.every, "snapshots": len(keep.snapshots) or None}
    started["seeds"] = len(networks_of(config))
    asked = options.numbers | {name: getattr(options, name) for name in started if name not in recipe}
    differ = [name for name, value in sorted(asked.items()) if value not in (None, started[name])]
    others = [f"--{name.replace('_', '-')} {asked[name]} (it has {started[name]})" for name in differ]
    name = config["data"]["name"]
    same = options.dataset is None or name in map(address, options.dataset.split(","))
    return others if same else [*others, f"--dataset {options.dataset} (it has {name})"]
