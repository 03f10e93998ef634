"""What an attribution method is: a formula for one image over a `Score`, in one of three shapes.

A method is a frozen dataclass whose fields are its options. `method` makes it a pytree: plain fields are static, and
fields made by `per_image`, `image_set` or `arrays` are traced, so that other values do not recompile.

An image is `[h w c]`, or `[t c]`, `[d h w c]` or `[f]`: below, `[... c]`. What a method gives for it is raw: an array
in the image's shape, or for methods that look at layers a dict from a layer's name to an array in the layer's shape,
or, for those that say so by `maps`, to a map of it without channels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Place
from cnnviz.batching import SAMPLED_ROWS
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score

Raw = Array | Mapping[str, Array]


def per_image(*, default: Any) -> Any:
    """A field that is a number, an image `[... c]`, one per image `[n ... c]`, or the name of an infill.

    A method sees it as one image `[... c]`.
    """
    return field(default=default, metadata={"per_image": True, "array": True})


def image_set(*, default: Any) -> Any:
    """A field that holds images of a data set `[m ... c]`; also a number, an image `[... c]`, or the name of an infill.

    A method sees it as images `[m ... c]`, of which there is one unless a set was given. `image_sets` finds it.
    """
    return field(default=default, metadata={"image_set": True, "array": True})


def segmented(*, default: Any = None) -> Any:
    """A field that holds a mask (`segments`): integers in the image's shape, one per image, or the name of a rule.

    A method sees it as integers `[... c]`, and their number in its plain field `segments`.
    """
    return field(default=default, metadata={"segments": True, "array": True})


def arrays(*, default: Any = None) -> Any:
    """A field that holds arrays, or another method, the same for all images."""
    return field(default=default, metadata={"array": True})


def filled_in(*, default: Any) -> Any:
    """A plain field that is no option: `fitted_to` or the runner fills it in, or the method does not use it."""
    return field(default=default, metadata={"filled_in": True})


def per_row(*, default: Any = None) -> Any:
    """A field that holds one array per image `[n ...]` of any shape; a method sees its image's."""
    return field(default=default, metadata={"per_row": True, "array": True})


@dataclass_transform(
    frozen_default=True, field_specifiers=(field, per_image, image_set, segmented, arrays, filled_in, per_row)
)
def method(cls: type) -> type:
    """Makes the class a frozen dataclass and a pytree, whose leaves are its fields of arrays.

    JAX's `register_dataclass` does not suffice: the trees of two classes with the same fields are equal to it, so that
    one method could run what was compiled for another. Here the class is part of the tree.
    """
    made = dataclass(frozen=True, eq=False)(cls)
    data = [f.name for f in fields(made) if "array" in f.metadata]
    plain = [f.name for f in fields(made) if f.name not in data]

    def flatten(one: Any) -> tuple[list[Any], tuple[Any, ...]]:
        leaves = [(jax.tree_util.GetAttrKey(name), getattr(one, name)) for name in data]
        return leaves, (made, *(getattr(one, name) for name in plain))

    def unflatten(static: tuple[Any, ...], leaves: Iterable[Any]) -> Any:
        return made(**dict(zip(plain, static[1:], strict=True)), **dict(zip(data, leaves, strict=True)))

    jax.tree_util.register_pytree_with_keys(made, flatten, unflatten)
    return made


@method
class Method:
    """What all methods have.

    `channels` is how a pixel's channels are reduced to one value (see `present.CHANNELS`), `random` whether a key is
    needed, `rewritten` whether the score may come in the form that is fast on CPU: a method that reads the score's
    graph needs it as the model wrote it, and `differentiates` whether it takes derivatives of the score, whose values
    need as much memory again. `maps` says that what it gives for a layer has no channels any more, and `whole` that it
    gives one map which is no sum of parts by channel.
    """

    channels: ClassVar[str] = "sum"
    random: ClassVar[bool] = False
    rewritten: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True
    maps: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        """The method with the options that depend on the model filled in: layers, and sizes that follow the image's."""
        return self

    def completeness_target(self, score: Score, image: Image) -> Scalar | None:
        """What the raw values should sum to, by the method's law of completeness; None if it has no such law."""
        return None


@method
class Direct(Method):
    """A method that is one expression of the score: a gradient, a CAM, a propagation rule."""

    def __call__(self, score: Score, image: Image) -> Raw:
        raise NotImplementedError


@method
class Summed(Method):
    """What is summed over `count` samples, whatever the samples are.

    `draw` makes the i-th sample and `contribute` what it adds, a pytree that is summed over all samples or, with
    `keep`, stacked with the samples as its first axis; `finish` makes the raw values from that. `draw` and `finish`
    get the image's key, so that random numbers do not depend on the batch size: `draw` folds in `i`, and `finish` can
    make the same samples again. `at_once` is how many pairs of an image and a sample are in a chunk, on CPU and
    elsewhere, if nothing is asked for.
    """

    keep: ClassVar[bool] = False
    at_once: ClassVar[tuple[int, int]] = SAMPLED_ROWS

    @property
    def count(self) -> int:
        """The number of samples."""
        raise NotImplementedError

    @property
    def cost(self) -> int:
        """The number of forward passes of one sample, by which a batch has fewer samples."""
        return 1

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return i

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        raise NotImplementedError

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        return total

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw | None:
        """The standard deviation of each raw value over keys, estimated from these samples; NaN if they are too few.

        None for a method whose samples are not drawn at random, or that has no estimate.
        """
        return None


@method
class Sampled(Summed):
    """A method that sums over samples: path integrals, smoothing, masks, permutations."""

    samples: int = 50

    def __post_init__(self):
        if self.count < 1:
            raise InputError(f"A method needs at least one sample; samples was {self.count}.")

    @property
    def count(self) -> int:
        """The number of samples."""
        return self.samples


@method
class Stepwise(Method):
    """A method whose next step depends on the last: `init`, then `step` for each i below `steps`, then `finish`.

    `init` and `finish` get the image's key. A step keeps the shapes and types of the state's arrays.
    """

    steps: int = 50

    def __post_init__(self):
        if self.steps < 1:
            raise InputError(f"A method needs at least one step; steps was {self.steps}.")

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        raise NotImplementedError

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        raise NotImplementedError

    def finish(self, score: Score, image: Image, state: PyTree, key: Key) -> Raw:
        return state


def in_channels(method: Method) -> Method:
    """The method with one map per channel of a layer in place of their sum, if it is one that sums over them."""
    sums = _sums_channels(method) and keeps_channels(method)
    return replace(method, by_channel=True) if sums else method  # pyright: ignore[reportCallIssue]


def keeps_channels(method: Method) -> bool:
    """Whether the method has one map per channel, of the image or of a layer, that `channels="keep"` leaves apart."""
    return not method.whole and (not method.maps or _sums_channels(method))


def _sums_channels(method: Method) -> bool:
    return any(field.name == "by_channel" for field in fields(method))


def options_in(method: Method | type[Method]) -> dict[str, Any]:
    """The options of a method or its class, and the type of each."""
    return {field.name: field.type for field in fields(method) if "filled_in" not in field.metadata}


def check_noise(noise: Any) -> None:
    """Raises InputError for noise, a fraction of the image's range, that is negative or NaN."""
    if isinstance(noise, float | int) and not noise >= 0:
        raise InputError(f"noise is a fraction of the image's range, so not negative; it was {noise}.")


def image_sets(method: Method) -> list[str]:
    """The names of the method's fields that hold images of a data set."""
    return [field.name for field in fields(method) if "image_set" in field.metadata]


def set_size(baseline: Any) -> int:
    """How many images there are in a field made by `image_set`, as the runner hands it to a method."""
    return len(baseline) if getattr(baseline, "ndim", 0) > 0 else 1


def as_images(baseline: Any, image: Image) -> Array:
    """A field made by `image_set` as images `[m ... c]`: a number or an image alone is a set of one."""
    size = len(baseline) if getattr(baseline, "ndim", 0) > image.ndim else 1
    return jnp.broadcast_to(jnp.asarray(baseline, image.dtype), (size, *image.shape))


def value(score: Score, image: Image) -> Scalar:
    """The score of the image, with no offsets."""
    return score(image, {})[0]


def gradient(score: Score, image: Image) -> Image:
    """The score's gradient with respect to the pixels."""
    return jax.grad(lambda x: value(score, x))(image)


def at_layers(score: Score, image: Image, layers: Sequence[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The activations of the layers, and the score's gradients with respect to them, each in its layer's shape."""
    shapes = jax.eval_shape(score, image, {})[1]
    offsets = {name: jnp.zeros(shapes[name].shape, shapes[name].dtype) for name in layers}
    gradients, activations = jax.grad(score, argnums=1, has_aux=True)(image, offsets)
    return {name: activations[name] for name in layers}, gradients


def evaluate(method: Method, score: Score, image: Image, key: Key) -> Raw:
    """A method's raw values for one image, for methods made of others; all samples are computed at once."""
    if isinstance(method, Direct):
        return method(score, image)
    if not isinstance(method, Summed):
        raise InputError(f"{type(method).__name__} is a stepwise method, on which no other method can be built.")
    one = lambda i: method.contribute(score, image, method.draw(key, i, image))
    found = jax.vmap(one)(jnp.arange(method.count))
    total = found if method.keep else jax.tree.map(lambda leaf: leaf.sum(0), found)
    return method.finish(score, image, total, key)
