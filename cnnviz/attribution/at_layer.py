"""Any method at a layer: the layer's values are explained in place of the image's."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, cast

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place, choose
from cnnviz.attribution.replaced import from_layer
from cnnviz.attribution.segments import count_of, is_by_image, segments_of
from cnnviz.attribution.shapes import Direct, Method, Raw, Sampled, Stepwise, arrays, method
from cnnviz.errors import InputError
from cnnviz.types import Array, Image, Key, PyTree, Scalar, Score


@method
class AtLayer(Method):
    """What a method gives for the values of one layer, as if the layer's value were its image.

    A `baseline` or `infill` that is an image, or an infill by name, stands for the layer's values at that image; an
    infill that is a number is put into the layer itself, as in Captum's LayerFeatureAblation. A mask and a window are
    those of the layer's shape.
    """

    base: Any = arrays(default=None)
    layer: Any = None
    number: float | None = None
    mask_here: Any = arrays(default=None)

    @property
    def channels(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.base.channels

    @property
    def random(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.base.random

    @property
    def rewritten(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.base.rewritten

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        names = choose(self.layer, places, spatial=False)
        if len(names) != 1:
            raise InputError(f"A method explains one layer at a time; {self.layer!r} means {', '.join(names)}.")
        shape = next(place.shape for place in places if place.name == names[0])
        base = self.base.fitted_to(places, shape)
        fitted = replace(self, layer=names[0], base=base)
        if isinstance(getattr(base, "infill", None), int | float):
            fitted = replace(fitted, number=float(base.infill))
        if (mask := getattr(base, "mask", None)) is None:
            return fitted
        if is_by_image(mask):
            raise InputError(f'The mask "{mask}" is found in images, not in the values of a layer.')
        here = segments_of(mask, shape)
        if here.ndim > len(shape):
            raise InputError(f"At a layer there is one mask for all images, of the shape {shape}; it has {here.shape}.")
        return replace(fitted, mask_here=here, base=replace(base, mask=None, segments=count_of(here)))

    def at(self, score: Score, image: Image) -> tuple[Any, Score, Array]:
        """The method with what it compares with in the layer, the score of the layer's value, and that value."""
        here, of_layer = from_layer(score, image, self.layer)
        value_at = lambda other: score(other, {})[1][self.layer]
        changed: dict[str, Any] = {} if self.mask_here is None else {"mask": self.mask_here}
        for field in fields(self.base):
            compared = getattr(self.base, field.name)
            if field.name == "infill" and self.number is not None:
                changed["infill"] = jnp.full(here.shape, self.number, here.dtype)
            elif "per_image" in field.metadata:
                changed[field.name] = value_at(jnp.broadcast_to(jnp.asarray(compared, image.dtype), image.shape))
            elif "image_set" in field.metadata and getattr(compared, "ndim", 0) > image.ndim:
                changed[field.name] = jax.vmap(value_at)(compared)
        return replace(self.base, **changed), of_layer, here

    def completeness_target(self, score: Score, image: Image) -> Scalar | None:
        base, of_layer, here = self.at(score, image)
        return base.completeness_target(of_layer, here)


@method
class DirectAtLayer(AtLayer, Direct):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A direct method at a layer."""

    def __call__(self, score: Score, image: Image) -> Raw:
        base, of_layer, here = self.at(score, image)
        return {self.layer: base(of_layer, here)}


@method
class SampledAtLayer(AtLayer, Sampled):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A sampled method at a layer."""

    @property
    def count(self) -> int:
        return self.base.count if self.base is not None else self.samples

    @property
    def cost(self) -> int:
        return self.base.cost

    @property
    def keep(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.base.keep

    def draw(self, key: Key, i: Array, image: Image) -> PyTree:
        return key, i

    def contribute(self, score: Score, image: Image, sample: PyTree) -> PyTree:
        base, of_layer, here = self.at(score, image)
        return base.contribute(of_layer, here, base.draw(*sample, here))

    def finish(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw:
        base, of_layer, here = self.at(score, image)
        return {self.layer: base.finish(of_layer, here, total, key)}

    def standard_error(self, score: Score, image: Image, total: PyTree, key: Key) -> Raw | None:
        base, of_layer, here = self.at(score, image)
        error = base.standard_error(of_layer, here, total, key)
        return None if error is None else {self.layer: error}


@method
class StepwiseAtLayer(AtLayer, Stepwise):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A stepwise method at a layer."""

    def init(self, score: Score, image: Image, key: Key) -> PyTree:
        base, of_layer, here = self.at(score, image)
        return base.init(of_layer, here, key)

    def step(self, score: Score, image: Image, state: PyTree, i: Array) -> PyTree:
        base, of_layer, here = self.at(score, image)
        return base.step(of_layer, here, state, i)

    def finish(self, score: Score, image: Image, state: PyTree, key: Key) -> Raw:
        base, of_layer, here = self.at(score, image)
        return {self.layer: base.finish(of_layer, here, state, key)}


def at_layer(base: Method, layer: Layers) -> Method:
    """The method at this layer. Raises InputError for a method that looks at layers by itself."""
    if any(field.name == "layers" for field in fields(base)):
        raise InputError(f"{type(base).__name__} looks at layers by itself: name them as layers=..., not as at=....")
    shapes: Mapping[type, type] = {Direct: DirectAtLayer, Sampled: SampledAtLayer, Stepwise: StepwiseAtLayer}
    made = next(made for shape, made in shapes.items() if isinstance(base, shape))
    counts = {name: getattr(base, name) for name in ("samples", "steps") if hasattr(base, name) and hasattr(made, name)}
    return cast(Method, made(base=base, layer=layer, **counts))
