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

from cnnviz.types import Array, Arrays, PyTree, Variables

Kernel = Float[Array | np.ndarray, "*window i o"]
Weights = Float[Array | np.ndarray, "..."]
ATTENTION = {"query", "key", "value", "out"}  # Flax's names of dense layers whose kernels have as many axes
DENSE = ("dense", "linear", "einsum", "attention")  # in the kinds of layers that are no convolutions


def kernels(variables: Variables, layers: Sequence[Any] | None = None) -> dict[str, Kernel]:
    """Each convolution's kernel by the name of its layer: `[h, w, in, out]`, for signals `[t, in, out]`, for volumes
    `[d, h, w, in, out]`.

    They are in the order of `variables`; with `layers` (from `probe.layers`) in order of execution, which `jax.jit`
    does not keep in a tree that it returns. The kernel of a grouped convolution has the inputs of one group. Dense
    layers over several axes have such kernels too: they are told by a bias of several axes, by the names of Flax's
    attention and, with `layers`, by their kind.
    """
    modules = _modules(variables)
    found = {name or "kernel": leaves["kernel"] for name, leaves in modules.items() if _is_convolution(name, modules)}
    if layers is None:
        return Arrays(found)
    called = {layer.name.split("@")[0]: layer.kind.lower() for layer in layers}
    names = [*called, *(found.keys() - called.keys())]
    is_dense = lambda name: any(kind in called.get(name, "") for kind in DENSE)
    return Arrays({name: found[name] for name in names if name in found and not is_dense(name)})


def _is_convolution(name: str, modules: Mapping[str, Mapping[str, PyTree]]) -> bool:
    """Whether this module of `_modules` has a kernel with a window."""
    leaves, (parent, _, last) = modules[name], name.rpartition("/")
    if np.ndim(leaves.get("kernel", 0)) < 3 or np.ndim(leaves.get("bias", ())) > 1:
        return False
    beside = {other.rpartition("/")[2] for other in modules if other.rpartition("/")[0] == parent}
    return not (last in ATTENTION and beside >= ATTENTION)


def weights(variables: Variables) -> dict[str, Weights]:
    """Every parameter called `kernel` `[..., in, out]`, of convolutions and dense layers, by the name of its layer."""
    modules = _modules(variables)
    return Arrays({name or "kernel": leaves["kernel"] for name, leaves in modules.items() if "kernel" in leaves})


def statistics(kernel: Weights | Mapping[str, Any]) -> dict[str, Any]:
    """Mean, standard deviation (of the population), minimum and maximum of a kernel's weights, of any shape.

    Of variables, or of kernels by name, they are those of every layer, by its name. They are computed in the weights'
    type, or in float64 if that overflows.
    """
    if isinstance(kernel, Mapping):
        return {name: statistics(each) for name, each in (weights(kernel) if "params" in kernel else kernel).items()}
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
