"""Loading the data set that a run's config names, without trusting the config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.data.home import expanded
from cnnviz.errors import InputError


def recorded_data(
    run: Path, config: Mapping[str, Any], data_dir: Path | None = None, dataset: str | None = None
) -> tuple[Any, bool]:
    """The data set that a run was trained on, and whether its images, labels and classes are unchanged.

    The data may have moved: then `dataset` or `data_dir` is where they are now. The run may come from a stranger:
    raises InputError if its config names data inside the run, unless the user's options `data_dir` or `dataset` name it
    too.
    """
    from cnnviz import data

    saved = config["data"]
    reading = reading_of(saved)
    is_named = dataset is not None and address(saved["name"]) in map(address, (dataset, *dataset.split(",")))
    if not is_named and saved["name"] not in data.DATASETS:
        _check_outside(run, saved["name"], "--dataset")
    if data_dir is None and saved["dir"] is not None:
        _check_outside(run, saved["dir"], "--data-dir")
    if dataset is not None and not is_named:
        found, _ = data.first_available(dataset, data_dir, **reading)
        return found, found.fingerprint == saved["fingerprint"]
    name = saved["name"] if data_dir is None else _moved(saved["name"], data_dir)
    if Path(name).is_absolute() and not Path(name).exists():
        raise InputError(f"The data of the run {run} are no longer at {name}; say where they are now by --dataset.")
    recorded_dir = saved["dir"] if saved["dir"] and (expanded(saved["dir"]) or Path(saved["dir"])).is_dir() else None
    found = data.load(name, data_dir or recorded_dir, **reading)
    if not is_named and data_dir is None:
        _check_outside(run, found.source, "--data-dir")  # name and directory together may lead there
    return found, found.fingerprint == saved["fingerprint"]


def reading_of(saved: Mapping[str, Any]) -> dict[str, Any]:
    """How the images of a run's data are read, as arguments of `data.load`."""
    shape = "resize" if saved.get("resize") else "image_shape"  # images that are resized have their shape from that
    return {name: saved[name] for name in (shape, "skip_unreadable") if saved.get(name)}


def address(name: str) -> str:
    """A data set's name as a run stores it: the absolute path if it is a path."""
    return str(Path(name).resolve()) if Path(name).exists() else name.strip()


def _moved(name: str, folder: Path) -> str:
    """The path in or at a folder of data that are no longer at the path `name`; else the name as it is."""
    if not Path(name).is_absolute() or Path(name).exists():
        return name
    inside = folder / Path(name).name
    return str((inside if inside.exists() else folder).resolve())


def _check_outside(run: Path, place: str, option: str) -> None:
    path = expanded(place) or Path(place)
    if path.exists() and path.resolve().is_relative_to(run.resolve()):
        raise InputError(f"The run {run} names data inside itself, {place}, which is read only if {option} names it.")
