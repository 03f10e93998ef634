"""Convolution kernels and their statistics, from variables alone.

The module is called like its main function, so it can be called too: `cnnviz.kernels(variables)`.
"""

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from cnnviz.types import Array, PyTree, Variables

Kernel = Float[Array | np.ndarray, "h w i o"]


def kernels(variables: Variables, layers: Sequence[Any] | None = None) -> dict[str, Kernel]:
    """The kernel `[h, w, in, out]` of each two-dimensional convolution, by the name of its layer.

    They are in the order of `variables`; with `layers` (from `probe.layers`) in order of execution, which `jax.jit`
    does not keep in a tree that it returns. The kernel of a grouped convolution has the inputs of one group.
    """
    found = {name: kernel for name, kernel in weights(variables).items() if np.ndim(kernel) == 4}
    if layers is None:
        return found
    called = dict.fromkeys(layer.name.split("@")[0] for layer in layers)
    return {name: found[name] for name in [*called, *(found.keys() - called.keys())] if name in found}


def weights(variables: Variables) -> dict[str, Float[Array | np.ndarray, "..."]]:
    """Every parameter called `kernel` `[..., in, out]`, of convolutions and dense layers, by the name of its layer."""
    modules = _modules(variables)
    return {name or "kernel": leaves["kernel"] for name, leaves in modules.items() if "kernel" in leaves}


def statistics(kernel: Float[Array | np.ndarray, "..."]) -> dict[str, float]:
    """Mean, standard deviation (of the population), minimum and maximum of a kernel's weights, of any shape.

    They are computed in the weights' type, or in float64 if that overflows.
    """
    kernel = np.asarray(kernel)
    measures = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}
    with np.errstate(over="ignore", invalid="ignore"):
        found = {name: float(measure(kernel)) for name, measure in measures.items()}
    is_too_large = np.isfinite([found["min"], found["max"]]).all() and not np.isfinite(list(found.values())).all()
    return statistics(kernel.astype(np.float64)) if is_too_large and kernel.dtype != np.float64 else found


def parameter_counts(variables: Variables) -> dict[str, int]:
    """The number of parameters of each module itself, by its path; the model's number is their sum."""
    return {name: sum(int(np.size(leaf)) for leaf in leaves.values()) for name, leaves in _modules(variables).items()}


def _modules(variables: Variables) -> Mapping[str, dict[str, PyTree]]:
    """The parameters of each module itself: module path -> {"kernel": ..., "bias": ...}."""
    modules: dict[str, dict[str, PyTree]] = {}

    def visit(tree: PyTree, path: tuple[str, ...]) -> None:
        for key, leaf in tree.items():
            if isinstance(leaf, Mapping):
                visit(leaf, (*path, str(key)))
            else:
                modules.setdefault("/".join(path), {})[str(key)] = leaf

    visit(variables.get("params", {}), ())
    return modules


def parameter_count(variables: Variables) -> int:
    """The number of the model's parameters, without running statistics."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(variables.get("params", {})))


class _Callable(ModuleType):
    """A module that stands for its main function, since both have one name in `cnnviz`."""

    def __call__(self, variables: Variables, layers: Sequence[Any] | None = None) -> dict[str, Kernel]:
        return kernels(variables, layers)


sys.modules[__name__].__class__ = _Callable
