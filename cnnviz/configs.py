"""A run's config.json: everything that decides its result, checked before anything is made of it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax

from cnnviz import json_files
from cnnviz.errors import InputError
from cnnviz.json_files import anything, flag, integer, list_of, maybe, must_be, number, record, text, whole_number
from cnnviz.models import MODELS
from cnnviz.registry import resolve
from cnnviz.training.keep import Keep
from cnnviz.training.recipe import Recipe, seeds_of
from cnnviz.training.state import State, initial_state

FORMAT, PREPARE = 1, "float32(pixel) / 255"
DATA = {
    "name": text,
    "title": text,
    "fingerprint": text,
    "classes": list_of(text, least=1),
    "image_shape": list_of(whole_number(1), least=3, most=3),
    "limit": maybe(whole_number(1)),
    "dir": maybe(text),
}
KEEP = {"last": whole_number(1), "every": maybe(whole_number(1)), "snapshots": list_of(whole_number(1))}
KINDS = {int: integer, float: number, str: text, bool: flag}
RECIPE = {field.name: KINDS[type(field.default)] for field in fields(Recipe)}  # bounds are checked by the class
FORMATS = {
    1: record(
        {"model": text, "recipe": record({}, RECIPE), "data": record(DATA)},
        {
            "format": anything,
            "seeds": whole_number(1),
            "prepare": must_be(repr(PREPARE), lambda value: value == PREPARE),
            "keep": record({}, KEEP),
            "track": list_of(text),
        },
    )
}


def file_of(path: Path) -> Path:
    """The config.json of the run at `path`; raises InputError if there is none."""
    file = path / "config.json"
    if not file.is_file():
        raise InputError(f"{path} is no run: it has no config.json; give a directory that train.py has made.")
    return file


def read(path: Path) -> dict[str, Any]:
    """The config of the run at `path`; raises InputError that names the fault if it is missing or damaged."""
    file = file_of(path)
    config = json_files.read(file, FORMATS)
    try:
        build_model(config)
        seeds_of(Recipe(**config["recipe"]), config.get("seeds", 1))
    except ValueError as error:
        raise json_files.damaged(file, error) from error
    return config


def build_model(config: Mapping[str, Any]) -> Any:
    """The network that a config names, with an output for each class."""
    return resolve(MODELS, config["model"], "model")(classes=len(config["data"]["classes"]))


def networks_of(config: Mapping[str, Any]) -> list[int]:
    """The seeds of the networks that a config has trained, in order."""
    return list(seeds_of(Recipe(**config["recipe"]), config.get("seeds", 1)))


def suffixes_of(config: Mapping[str, Any]) -> list[str]:
    """What the names of each network's files end in: nothing where there is one."""
    seeds = networks_of(config)
    return [f"-seed{seed}" for seed in seeds] if len(seeds) > 1 else [""]


def keep_of(config: Mapping[str, Any]) -> Keep:
    """Which checkpoints a config wants kept."""
    return Keep(**config.get("keep", {}))


def fresh(config: Mapping[str, Any]) -> list[State]:
    """The states of a run's networks before the first step."""
    model, recipe, shape = build_model(config), Recipe(**config["recipe"]), tuple(config["data"]["image_shape"])
    return [initial_state(model, recipe, shape, jax.random.key(seed)) for seed in networks_of(config)]


def shapes_of(config: Mapping[str, Any]) -> State:
    """The shapes and dtypes of each network's state."""
    return jax.eval_shape(lambda: fresh({**config, "seeds": 1})[0])
