"""`top_k`: the images to which a channel responds most."""

from collections.abc import Mapping
from typing import Any

from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.probe import NOTHING, Call
from cnnviz.probe.inputs import Prepare, image_count
from cnnviz.probe.outputs import OutputName
from cnnviz.types import LayerNames, PyTree, VariablesLike
from cnnviz.units.accumulators import Extremes, Highest
from cnnviz.units.places import places_of
from cnnviz.units.shapes import shapes_of
from cnnviz.units.stream import streamed
from cnnviz.units.summary import Top


def top_k(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layers: LayerNames = None,
    *,
    k: int = 9,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    output: OutputName = None,
    report: Report | None = None,
) -> dict[str, Top]:
    """The k images `[n, ...]` with the largest values of each channel of the named layers, in one pass.

    An image counts once, by the largest value of the channel's map. The larger come first, and of equal values the
    image with the smaller number; `Top.images`, `Top.values` are `[k, c]`, and `Top.places` `[k, c, sides]`. `prepare`,
    `call` and `output` as in `probe.fold`. Raises InputError if k is less than 1 or more than there are images.
    """
    check_k(k, image_count(images, call), least=1)
    named: Any = {"prepare": prepare, "call": call, "output": output}
    shapes = shapes_of(model, variables, images, layers, **named)
    parts = lambda shape: (("extremes", Extremes(shape[-1])), ("top", Highest(shape[-1], k)))
    named |= {"batch_size": batch_size, "report": report}
    states = streamed(model, variables, images, shapes, parts, **named)
    return located(model, variables, images, states, shapes, **{**named, "report": None})


def located(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    states: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    **named: Any,
) -> dict[str, Top]:
    """The top images in the states of accumulators, with the places of their largest values."""
    tops = {name: state["top"] for name, state in states.items()}
    places = places_of(model, variables, images, {name: top.images for name, top in tops.items()}, shapes, **named)
    return {name: Top(top.images, top.values, places[name]) for name, top in tops.items()}


def check_k(k: int, count: int, least: int = 0) -> None:
    """Raises InputError unless k is a whole number of at least `least` and there are as many images."""
    if isinstance(k, bool) or not isinstance(k, int) or k < least:
        raise InputError(f"How many top images there are is a whole number, {least} or more; k was {k!r}.")
    if k > count:
        raise InputError(f"The top {counted(k, 'image')} cannot be had of {count:,}; take a k of at most {count:,}.")
