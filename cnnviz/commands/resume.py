"""Going on with a run: only with what it was started with, and on the same data."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe


def resumed(options: Any) -> tuple[Path, dict[str, Any], Any] | None:
    """The directory of an earlier run, what it was asked for, and the same data again; None if it is finished."""
    from cnnviz import runs

    path = options.runs / options.name if options.name else runs.latest(options.runs)
    config = runs.load_config(path)
    if others := _others(options, config):
        raise InputError(f"The run {path} goes on only with what it was started with, not with {', '.join(others)}.")
    if is_finished(path):
        return None
    dataset = data_of(path, config, options.data_dir)
    print(f"Going on with {path}.")
    return path, config, dataset


def is_finished(path: Path) -> bool:
    """Whether a run has come to its end, which is then said; raises InputError if it was changed since."""
    from cnnviz import runs

    if not (path / "summary.json").is_file():
        return False
    if faults := runs.damages(path):
        raise InputError(" ".join(faults))
    print(f"The run {path} is finished; all its files are as they were written.")
    return True


def data_of(path: Path, config: dict[str, Any], data_dir: Path | None) -> Any:
    """The data that a run was trained on; other data of that name are an InputError."""
    from cnnviz import data

    dataset = data.load(config["data"]["name"], data_dir or config["data"]["dir"])
    if dataset.fingerprint != config["data"]["fingerprint"]:
        raise InputError(f"The run {path} was trained on other data than {dataset.source}; give its own by --data-dir.")
    return dataset


def _others(options: Any, config: dict[str, Any]) -> list[str]:
    """Options given that differ from those that a run was started with, each with both values."""
    from cnnviz.configs import keep_of, networks_of

    keep, recipe = keep_of(config), asdict(Recipe(**config["recipe"]))  # an older run's lacks what came later
    started = {**recipe, "model": config["model"], "limit": config["data"]["limit"]}
    started |= {"track": ",".join(config.get("track", [])) or None}
    started |= {"keep": keep.last, "keep_every": keep.every, "snapshots": len(keep.snapshots) or None}
    started["seeds"] = len(networks_of(config))
    asked = options.numbers | {name: getattr(options, name) for name in started if name not in recipe}
    differ = [name for name, value in sorted(asked.items()) if value not in (None, started[name])]
    others = [f"--{name.replace('_', '-')} {asked[name]} (it has {started[name]})" for name in differ]
    name = config["data"]["name"]
    same = options.dataset is None or name in map(_address, options.dataset.split(","))
    return others if same else [*others, f"--dataset {options.dataset} (it has {name})"]


def _address(name: str) -> str:
    """A data set's name as a run keeps it: of a path, the absolute one."""
    return str(Path(name).resolve()) if Path(name).exists() else name.strip()
