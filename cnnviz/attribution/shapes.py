"""What an attribution method is: a formula for one image over a `Score`, in one of three shapes.

A method is a frozen dataclass whose fields are its options. `method` makes it a pytree: plain fields decide a
compilation, and fields made by `per_image` or `arrays` are its arguments, so that other values do not recompile.

What a method gives for an image is raw: an array `[h w c]` in the image's shape, or for methods that look at layers a
dict from a layer's name to an array in the layer's shape, or to a map `[h w]` of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.errors import InputError
from cnnviz.types import Array, Float, Image, Key, PyTree, Scalar, Score

Raw = Array | Mapping[str, Array]


def per_image(*, default: Any) -> Any:
    """A field that is one number, an array in an image's shape, or a row an image; a method sees an image's shape."""
    return field(default=default, metadata={"per_image": True, "array": True})


def arrays(*, default: Any = None) -> Any:
    """A field that holds arrays, or another method, the same for all images."""
    return field(default=default, metadata={"array": True})


@dataclass_transform(frozen_default=True, field_specifiers=(field, per_image, arrays))
def method(cls: type) -> type:
    """Makes the class a frozen dataclass and a pytree, whose leaves are its fields of arrays.

    JAX's `register_dataclass` would not do: it takes the trees of two classes with the same fields for equal, so that
    one method could be given what was compiled for another. Here the class is part of the tree.
    """
    made = dataclass(frozen=True, eq=False)(cls)
    data = [f.name for f in fields(made) if "array" in f.metadata]
    plain = [f.name for f in fields(made) if f.name not in data]

    def flatten(one: Any) -> tuple[list[Any], tuple[Any, ...]]:
        leaves = [(jax.tree_util.GetAttrKey(name), getattr(one, name)) for name in data]
        return leaves, (made, *(getattr(one, name) for name in plain))

    def unflatten(said: tuple[Any, ...], leaves: Iterable[Any]) -> Any:
        return made(**dict(zip(plain, said[1:], strict=True)), **dict(zip(data, leaves, strict=True)))

    jax.tree_util.register_pytree_with_keys(made, flatten, unflatten)
    return made


@method
class Method:
    """What all methods have.

    `channels` is how a pixel's channels are made one value (see `present.CHANNELS`), `random` whether a key is needed,
    `rewritten` whether the score comes in its form that is fast on CPU: a method that reads the score's graph wants it
    as the model wrote it.
    """

    channels: ClassVar[str] = "sum"
    random: ClassVar[bool] = False
    rewritten: ClassVar[bool] = True

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        """The method with what its options leave to the model filled in: layers, and sizes that follow the image."""
        return self

    def completeness_target(self, score: Score, image: Image) -> Scalar | None:
        """What the raw values should sum to, by the method's law of completeness; None where it has none."""
        return None


@method
class Direct(Method):
    """A method that is one expression of the score: a gradient, a CAM, a propagation rule."""

    def __call__(self, score: Score, image: Image) -> Raw:
        raise NotImplementedError


@method
class Sampled(Method):
    """A method that sums over samples: path integrals, smoothing, masks, permutations.

    `draw` is the i-th sample, `contribute` what it adds, a pytree that is summed over all samples or, where `keep`,
    kept with the samples as its first axis; `finish` makes the raw values of it. Randomness comes from
    `jax.random.fold_in(key, i)`, where `key` is the image's own, so that it is the same for any batch size.
    """

    samples: int = 50
    keep: ClassVar[bool] = False

    def __post_init__(self):
        if self.count < 1:
            raise InputError(f"A method has at least one sample; samples was {self.count}.")

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self.samples

    @property
    def cost(self) -> int:
        """How many images one sample shows to the network."""
        return 1

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return i

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        raise NotImplementedError

    def finish(self, score: Score, image: Image, total: PyTree) -> Raw:
        return total


@method
class Stepwise(Method):
    """A method whose next step depends on the last: `init`, then `step` for i from 0 to `steps`, then `finish`."""

    steps: int = 50

    def __post_init__(self):
        if self.steps < 1:
            raise InputError(f"A method has at least one step; steps was {self.steps}.")

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        raise NotImplementedError

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        raise NotImplementedError

    def finish(self, score: Score, image: Image, state: PyTree) -> Raw:
        return state


def value(score: Score, image: Image) -> Scalar:
    """The score of the image, nothing shifted."""
    return score(image, {})[0]


def gradient(score: Score, image: Image) -> Float[Array, "h w c"]:
    """The score's gradient with respect to the pixels."""
    return jax.grad(lambda x: value(score, x))(image)


def at_layers(score: Score, image: Image, layers: Sequence[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The activations of the layers, and the score's gradients with respect to them."""
    shapes = jax.eval_shape(score, image, {})[1]
    offsets = {name: jnp.zeros(shapes[name].shape, shapes[name].dtype) for name in layers}
    gradients, activations = jax.grad(score, argnums=1, has_aux=True)(image, offsets)
    return {name: activations[name] for name in layers}, gradients


def evaluate(method: Method, score: Score, image: Image, key: Key) -> Raw:
    """A method's raw values at once, for methods made of others: all samples of a sampled one side by side."""
    if isinstance(method, Direct):
        return method(score, image)
    if not isinstance(method, Sampled):
        raise InputError(f"{type(method).__name__} goes step by step, so no other method can be made of it.")
    one = lambda i: method.contribute(score, image, method.draw(key, i, image))
    found = jax.vmap(one)(jnp.arange(method.count))
    total = found if method.keep else jax.tree.map(lambda leaf: leaf.sum(0), found)
    return method.finish(score, image, total)
