"""`--config FILE`: the options in a run's config.json, or in a TOML file of one's own, as the starting point."""

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from cnnviz.commands.begin import PICTURE
from cnnviz.commands.choices import check_names
from cnnviz.commands.contradictions import MODES, ONLY_WITH
from cnnviz.commands.declared import kind_of
from cnnviz.commands.numbers import check_numbers
from cnnviz.commands.option_names import unknown_field
from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe

NOT_IN_FILES = {*MODES, *ONLY_WITH, "config", "name", "debug"} - {"sweep", "timeout"}  # what to do is typed


def with_config(options: Any) -> Any:
    """The options, with those that were not typed as the file in `config` has them.

    A recipe that is named by an option replaces that of the file. Raises InputError if the file cannot be read or has
    something that is not an option; a class of one's own is imported only if `--model` names it.
    """
    if options.config is None:
        return options
    path = options.config / "config.json" if options.config.is_dir() else options.config
    found = _of_toml(path, options) if path.suffix == ".toml" else _of_run(path, options)
    if options.recipe is not None:
        found = {name: value for name, value in found.items() if name not in {"recipe", *asdict(Recipe())}}
    asked = replace(options, **{name: value for name, value in found.items() if _is_unset(options, name)})
    try:  # as those that are typed were
        check_names(asked)
        check_numbers(asked)
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix('--')}") from error
    return asked


def _is_unset(options: Any, name: str) -> bool:
    default = next(field.default for field in fields(options) if field.name == name)
    return getattr(options, name) == default


def _of_run(path: Path, options: Any) -> dict[str, Any]:
    """The options that a run's config.json stands for."""
    if path.suffix != ".json" or not path.is_file():
        fault = "does not exist" if not path.exists() else "is neither"
        raise InputError(f"--config takes a run's config.json, or a .toml with options by name; {path} {fault}.")
    from cnnviz.runs import json_files
    from cnnviz.runs.config import FORMATS, Config

    config = Config(json_files.read(path, FORMATS))
    _check_own(path, config["model"], config.is_own, options)
    try:
        found: dict[str, Any] = asdict(config.recipe) | {"seeds": len(config.seeds)}
    except InputError as error:
        raise json_files.damaged(path, error) from error
    data, keep = config["data"], config.keep
    found |= {"model": config["model"], "dataset": data["name"], "limit": data["limit"]}
    found |= {"data_dir": Path(data["dir"]) if data["dir"] else None}
    found |= {"resize": "x".join(map(str, data.get("resize") or [])) or None, "normalize": bool(config.prepare.mean)}
    found |= {"skip_unreadable": data.get("skip_unreadable", False)}
    sides = data["image_shape"] if len(data["image_shape"]) != PICTURE else []
    found |= {"image_shape": ",".join(map(str, sides)) or None}
    found |= {"keep": keep.last, "keep_every": keep.every, "snapshots": len(keep.snapshots) or None}
    found |= {"track": ",".join(config.get("track", [])) or None}
    found |= {"model_options": json.dumps(config["model_options"]) if config.get("model_options") else None}
    return found | {"init_from": config.get("init_from", {}).get("source")}


def _of_toml(path: Path, options: Any) -> dict[str, Any]:
    """The options in a TOML file: by name, with dashes or underscores, also within tables of any name."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # also of bytes that are not UTF-8
        raise InputError(f"{path} is not TOML: {error}.") from error
    known = {field.name: field.type for field in fields(options) if field.name not in NOT_IN_FILES}
    found: dict[str, Any] = {}
    given = list(_flat(content))
    if others := [typed for typed, _ in given if typed.replace("-", "_") not in known]:
        raise _not_of_files(path, others, known)
    for typed, value in given:
        name = typed.replace("-", "_")
        if name in found:
            raise InputError(f"{path} has the option {name} twice.")
        found[name] = _as(known[name], value, f"{path}: {name}")
    _check_own(path, found.get("model", ""), ":" in found.get("model", ""), options)
    return found


def _not_of_files(path: Path, names: Sequence[str], known: Collection[str]) -> InputError:
    """The error for options that a file cannot have, some of which the command line has."""
    typed = [name for name in names if name.replace("-", "_") in {*NOT_IN_FILES, "help"}]
    others = [name for name in names if name not in typed]
    ours, them = ("is an option", "it") if len(typed) == 1 else ("are options", "them")
    alone = [f"{' and '.join(typed)} {ours} of the command line alone; leave {them} out of the file."] if typed else []
    unknown = [str(unknown_field("option", others, known))] if others else []
    return InputError(f"{path}: {' '.join([*alone, *unknown])}")


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping) and name.replace("-", "_") != "model_options":
            yield from _flat(value)
        else:
            yield name, value


def _as(kind: Any, value: Any, what: str) -> Any:
    """A value of TOML as the option's type; raises InputError if it is of another one."""
    expected = kind_of(kind)
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value) if expected is tuple else ",".join(value)
    if expected is Path and isinstance(value, str):
        return Path(value)
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise InputError(f"{what} must be of type {expected.__name__}; it was {value!r}.")
    return value


def _check_own(path: Path, model: str, is_own: bool, options: Any) -> None:
    """Raises InputError if the file names a class of one's own: nothing that is loaded is run."""
    if is_own and options.model is None:
        raise InputError(
            f"{path} names {model}, a class that is not one of cnnviz's, and a file never imports one by itself: add "
            f"--model {model if ':' in model else 'path/to/net.py:Net'} if you trust it."
        )
