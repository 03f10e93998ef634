"""A class of your own by the text of `--model`: `path/to/net.py:Net` or `package.module:Net`.

Importing a class runs its module. So these functions get only what a person has typed, and never a text from a file.
"""

import hashlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from cnnviz.errors import InputError
from cnnviz.models import MODELS

FORM = "path/to/net.py:Net or package.module:Net"


def is_own(name: str) -> bool:
    """Whether a model's name is a place in a file or a module, not a key of MODELS."""
    return ":" in name or name.endswith(".py")


def import_own(text: str) -> Any:
    """The class, or the function that makes a model, at the place that the text names; its module is run.

    Raises InputError if there is no such file, module or class, if the module raises, or if it is not a Flax module.
    """
    place, _, name = (text, "", "") if text.endswith(".py") else text.rpartition(":")
    with _searched(Path(place).parent if place.endswith(".py") else Path()):
        module = _from_file(Path(place)) if place.endswith(".py") else _imported(place)
    if not hasattr(module, name):
        known = ", ".join(_classes(module)) or "none"
        what = f"{place} has no {name!r}" if name else f"--model {text} lacks the class (--model {text}:Net)"
        raise InputError(f"{what}; the Flax modules there are: {known}.")
    return _checked(getattr(module, name), text)


def source_digest(make: Any) -> str | None:
    """The SHA-256 of the file in which a class or function is written; None for one that was typed in a session."""
    try:
        file = inspect.getsourcefile(make.func if isinstance(make, partial) else make)
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else None
    except (TypeError, OSError):
        return None


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turns whatever the user's code raises in the block into an InputError: `what`, the error and its line."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        lines = [frame for frame in extract_tb(error.__traceback__) if _is_the_users(frame.filename)]
        place = f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""
        said = str(error).partition("\nThe error occurred while tracing")[0]  # what JAX says of its own tracing
        why = " ".join(said.split())[:300].rstrip(".")
        raise InputError(f"{what} raises {type(error).__name__}{place}: {why}.") from error


def _is_the_users(file: str) -> bool:
    """Whether a file is neither ours nor of an installed package."""
    ours = Path(__file__).parent.parent
    return "site-packages" not in file and not file.startswith("<") and not Path(file).is_relative_to(ours)


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Looks for modules in `folder` first; afterwards last, so that later imports of ours find nothing there."""
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)


def _from_file(path: Path) -> ModuleType:
    """The module in a file, run from its source: no bytecode is read or left there."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; --model takes {FORM}, or one of {', '.join(MODELS)}.")
    name = f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    module = sys.modules[name] = ModuleType(name)  # dataclasses look their module up
    module.__file__ = str(path.resolve())
    try:
        with blamed(f"{path}, when it is imported,"):
            exec(compile(path.read_bytes(), module.__file__, "exec", dont_inherit=True), vars(module))
    except InputError:
        del sys.modules[name]
        raise
    return module


def _imported(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"{name!r} is neither a file that ends in .py nor a module; --model takes {FORM}.")
    try:
        with blamed(f"{name}, when it is imported,"):
            return import_module(name)
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            raise InputError(
                f"The module {cause.name!r} is neither in this folder nor an installed package; "
                f"--model takes {FORM}, or one of {', '.join(MODELS)}."
            ) from error
        raise


def _classes(module: ModuleType) -> list[str]:
    """The names of the Flax modules that are written in a module."""
    return [name for name, value in vars(module).items() if _is_flax(value) and value.__module__ == module.__name__]


def _checked(found: Any, text: str) -> Any:
    """`found` as it is; raises InputError unless it is a Flax module's class, or a function."""
    if _is_flax(found) or isinstance(found, partial) or inspect.isfunction(found):
        return found
    kind = "a class" if isinstance(found, type) else f"an object of type {type(found).__name__}"
    what = "the class of a Flax module (flax.linen.Module or flax.nnx.Module), or a function that makes one"
    raise InputError(f"{text} is {kind}, not {what}.")


def _is_flax(value: Any) -> bool:
    from flax import linen, nnx

    return isinstance(value, type) and issubclass(value, linen.Module | nnx.Module)
