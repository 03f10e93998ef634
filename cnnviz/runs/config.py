"""A run's config.json: everything that decides its result, checked before anything is made of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.registry import resolve
from cnnviz.runs.keep import Keep
from cnnviz.training.recipe import Recipe, seeds_of


def read(path: Path) -> dict[str, Any]:
    """The config of the run at `path`; one that is missing or damaged is an InputError that names the fault."""
    file = path / "config.json"
    if not file.is_file():
        raise InputError(f"{path} is no run: it has no config.json; give a directory that train.py has made.")
    try:
        config = json.loads(file.read_text())
        _check(config["data"])
        build_model(config)
        networks_of(config)
        keep_of(config)
        if not isinstance(config.get("track", []), list):
            raise ValueError(f"track is {config['track']!r}")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}).") from error
    return config


def build_model(config: Mapping[str, Any]) -> Any:
    """The network that a config names, with an output for each class."""
    return resolve(MODELS, config["model"], "model")(classes=len(config["data"]["classes"]))


def networks_of(config: Mapping[str, Any]) -> list[int]:
    """The seeds of the networks that a config has trained, in order."""
    return list(seeds_of(Recipe(**config["recipe"]), config.get("seeds", 1)))


def keep_of(config: Mapping[str, Any]) -> Keep:
    """Which checkpoints a config wants kept."""
    return Keep(**config.get("keep", {}))


def _check(data: Mapping[str, Any]) -> None:
    """A ValueError or KeyError unless a config says of its data what every command needs."""
    whole = lambda number, least: isinstance(number, int) and number >= least
    fits = {
        "name title fingerprint": lambda value: isinstance(value, str),
        "classes": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
        "image_shape": lambda value: isinstance(value, list) and len(value) == 3 and all(whole(n, 1) for n in value),
        "limit": lambda value: value is None or whole(value, 1),
        "dir": lambda value: value is None or isinstance(value, str),
    }
    for names, is_right in fits.items():
        for name in names.split():
            if not is_right(data[name]):
                raise ValueError(f"data.{name} is {data[name]!r}")
