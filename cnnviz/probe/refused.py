"""The model's code on abstract images: what Flax and JAX refuse there, in one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import flax.errors
import jax

from cnnviz.errors import InputError
from cnnviz.probe.inputs import named_leaves
from cnnviz.types import PyTree

Read = TypeVar("Read")
MISSING = (
    flax.errors.ScopeCollectionNotFound,
    flax.errors.ScopeParamNotFoundError,
    flax.errors.ScopeVariableNotFoundError,
)


def with_numbers_known(read: Callable[[], Read]) -> Read:
    """What `read` gives, where the model's code may make Python numbers of JAX's that depend on no input.

    Such as `jnp.linspace(0, 1, n)[i].item()`; these are then computed while the code runs.
    """
    try:
        return read()
    except jax.errors.ConcretizationTypeError:
        with jax.ensure_compile_time_eval():
            return read()


@contextmanager
def in_one_sentence(images: PyTree) -> Iterator[None]:
    """Turns what Flax raises for variables and images that do not fit into an InputError."""
    try:
        yield
    except jax.dtypes.TypePromotionError as error:
        reason = str(error).partition(". ")[0]
        raise InputError(
            f"The model mixes types of numbers that JAX does not convert by itself ({reason}); convert the variables "
            "or images, as by x.astype('float32')."
        ) from error
    except flax.errors.ScopeParamShapeError as error:
        shapes = ", ".join(f"[n, {', '.join(map(str, leaf.shape[1:]))}]" for leaf in jax.tree.leaves(images))
        said = str(error).partition(" (http")[0]
        raise InputError(f"Images of the shape {shapes} do not fit this model's weights: {said}") from error
    except MISSING as error:
        raise InputError(f"The variables are not those of this model: {error}") from error
    except flax.errors.ModifyScopeVariableError as error:
        reason = str(error).partition(" (https")[0]
        raise InputError(
            "The model changes its variables when it is called, so it is in training mode: give the argument of its "
            f"call that selects evaluation, as call={{'train': False}}, or build it for evaluation. {reason}"
        ) from error
    except jax.errors.ConcretizationTypeError as error:
        reason = str(error).partition(chr(10))[0]
        raise InputError(
            "The model's code branches on, or makes a Python number of, values that depend on the images or variables, "
            f"so it cannot be compiled; write it with jnp.where or jax.lax.cond. JAX says: {reason}"
        ) from error
    except flax.errors.InvalidRngError as error:
        raise InputError(f"The model needs a random key in evaluation mode, and gets none: {error}") from error
    except (AttributeError, TypeError) as error:
        if "reshape" in str(error) and isinstance(error, TypeError):
            raise InputError(
                "The model does not take any number of images: where it says how many there are, as in "
                f"x.reshape(8, -1), write x.reshape(len(x), -1). {str(error).partition(chr(10))[0]}"
            ) from error
        if hasattr(images, "shape") or isinstance(error, InputError):
            raise
        given = f"a {type(images).__name__} of {', '.join(named_leaves(images))}"
        raise InputError(f"The model's call does not take {given}, as its images are here: {error}") from error
