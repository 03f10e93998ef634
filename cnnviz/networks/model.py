"""A network from a model in memory and its variables."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from cnnviz import probe
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.probe.inputs import one_image
from cnnviz.types import Variables, VariablesLike

PICTURE = 3  # axes of (h, w, c)
MOST_COMPILED = 1000  # arrays drawn in one compilation, which takes minutes for 3,000; more are drawn one by one


def of_model(
    model: Any,
    variables: VariablesLike = None,
    *,
    image_shape: Any,
    classes: Sequence[str] = (),
    prepare: Prepare | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Net:
    """The network of a Flax module with these variables; an NNX module has its own, and may be given others.

    `image_shape` is (h, w, c), or for several inputs a dict, tuple or list of such shapes. Raises InputError
    if the variables are not those of the model.
    """
    if image_shape is None:
        raise InputError("A network from a model needs the shape of its images, image_shape=(h, w, c).")
    name = name or type(model).__name__
    if isinstance(model, nnx.Module):
        model, own = probe.from_nnx(model)
        variables = own if variables is None else variables
    if variables is None:
        raise InputError(f"A network needs the variables of its model; {name} was given none.")
    shape, inputs = _shapes(image_shape)
    prepare = prepare or Prepare()
    prepare.check(shape[-1])
    given = probe.as_variables(variables)
    can_draw = not isinstance(model, probe.Adapter) or model.is_drawable
    begun: Sequence[Variables] = Drawn(model, inputs or shape, seed) if can_draw else ()
    net = Net(name, model, [given], begun, shape, classes=tuple(map(str, classes)), prepare=prepare, inputs=inputs)
    if classes and (outputs := probe.output_shape(model, given, net.takes)) != (len(classes),):
        named = f"{counted(len(classes), 'class')} {'was' if len(classes) == 1 else 'were'} named"
        raise InputError(f"{name} gives an output of shape {outputs} per image; {named}.")
    return net


def _shapes(given: Any) -> tuple[tuple[int, ...], Any]:
    """The shape of one image, and for several inputs those of all, of which the first picture is the image."""
    given = given if isinstance(given, Mapping) else tuple(given)
    rows = one_image(given)
    shapes = [tuple(row.shape[1:]) for row in jax.tree.leaves(rows)]
    picture = next((shape for shape in shapes if len(shape) == PICTURE), shapes[0])
    return picture, None if isinstance(rows, jax.ShapeDtypeStruct) else given


class Drawn(Sequence[Variables]):
    """The variables of an untrained twin as a sequence of one, drawn when they are first used."""

    def __init__(self, model: Any, image_shape: Any, seed: int):
        self.model, self.image_shape, self.seed = model, image_shape, seed

    @cached_property
    def only(self) -> list[Variables]:
        """The list of one."""
        draw = partial(probe.initial_variables, self.model)
        compiled = jax.jit(draw)
        images = jax.tree.map(lambda row: jnp.zeros(row.shape, row.dtype), one_image(self.image_shape))
        inputs = jax.random.key(self.seed), images
        few = len(jax.tree.leaves(compiled.eval_shape(*inputs))) <= MOST_COMPILED  # traced once for both
        return [(compiled if few else draw)(*inputs)]

    @property
    def is_drawn(self) -> bool:
        """Whether they have been used."""
        return "only" in vars(self)

    def __getitem__(self, place: Any) -> Any:
        return self.only[place]

    def __len__(self) -> int:
        return 1
