"""Packages of extras that the value of an option needs: looked for before JAX is imported, without importing them."""

import sys
from importlib.util import find_spec
from typing import Any

from cnnviz.commands.flags import typed
from cnnviz.errors import InputError

NEEDS = {  # by option and value, the extra and its packages
    "to": {"keras": ("keras", "keras"), "onnx": ("onnx", "jax2onnx onnx")},
    "track": {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb", "wandb")},
    "by": {"tsne": ("embed", "sklearn"), "umap": ("embed", "umap")},
}


def check_extras(options: Any) -> None:
    """Raises InputError, with the line that installs the extra, if what an option asks for needs a missing package."""
    for option, values in NEEDS.items():
        for value in (getattr(options, option, None) or "").split(","):
            extra, packages = values.get(value.strip(), ("", ""))
            if missing := [package for package in packages.split() if not _is_installed(package)]:
                what = f"{typed(option, value.strip())} needs {' and '.join(missing)}"
                are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
                line = f'pip install "cnnviz[{extra}]"'
                raise InputError(f"{what}, which {are} not installed; install {them} by: {line}.")


def _is_installed(package: str) -> bool:
    return sys.modules[package] is not None if package in sys.modules else find_spec(package) is not None
