"""Maps of all members of a network by one method, and what they have in common."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from cnnviz import networks
from cnnviz.attribution import attribute
from cnnviz.batching import Report, part
from cnnviz.batching.steps import is_in_turn
from cnnviz.comparison.agreement import SHARE, Agreement, agreement, on_other_images
from cnnviz.errors import InputError
from cnnviz.networks import Net

Maps = Float[np.ndarray, "members n *sides"]


class MapAgreement(NamedTuple):
    """How far maps of two networks agree, for each pair of members, and the baseline.

    The baseline is the agreement of each of the first network's members with its own maps of other images.
    """

    between: list[Agreement]
    baseline: list[Agreement]


class Spread(NamedTuple):
    """The mean and the standard deviation `[n *sides]` of maps over members; the deviation is NaN for one member."""

    mean: Float[np.ndarray, "n *sides"]
    deviation: Float[np.ndarray, "n *sides"]


def member_maps(
    method: Any,
    net: Net,
    images: Shaped[Any, "n ..."],
    targets: Any,
    *,
    together: bool | None = None,
    report: Report | None = None,
    **options: Any,
) -> Maps:
    """The maps `[members, n, *sides]` of uint8 images by every member of a network, with the options of `attribute`.

    All members are explained together, by one vmapped call over their stacked variables, or with `together=False` in
    turn, as is faster on CPU and the default there.
    """
    pixels = net.prepare(np.asarray(images))
    ask = lambda variables, told=None: attribute(method, net.model, variables, pixels, targets, report=told, **options)
    if not (not is_in_turn() if together is None else together):
        count = len(net.members)
        return np.stack([np.asarray(ask(own, part(report, i, count))) for i, own in enumerate(net.members)])
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *net.members)
    return np.asarray(jax.vmap(ask)(stacked))


def map_agreement(
    a: Any,
    b: Any,
    images: Shaped[Any, "n ..."],
    targets: Any,
    method: Any = "grad_cam",
    *,
    share: float = SHARE,
    report: Report | None = None,
    **options: Any,
) -> MapAgreement:
    """How far the maps of two networks agree, image by image; networks are `Net`s or what `networks.open` takes.

    `images` are uint8, `targets` and `options` those of `attribute`, the same for both networks: a class index means
    the same output of both. Raises InputError as `attribute` and `agreement` do.
    """
    nets = networks.open(a), networks.open(b)
    every = [
        member_maps(method, net, images, targets, report=part(report, i, 2, net.name), **options)
        for i, net in enumerate(nets)
    ]
    between = [agreement(one, other, share=share) for one in every[0] for other in every[1]]
    return MapAgreement(between, [on_other_images(maps, share=share) for maps in every[0]])


def spread(maps: Maps | Sequence[Any]) -> Spread:
    """The mean and standard deviation over members of maps, each first divided by its largest absolute value.

    So a member whose scores are larger does not count for more. Raises InputError for maps without members and images.
    """
    values = np.asarray(maps, np.float64)
    if values.ndim < 3:
        raise InputError(f"Maps of members have the shape [members, n, ...]; these have {values.shape}.")
    largest = np.abs(values).max(axis=tuple(range(2, values.ndim)), keepdims=True)
    scaled = values / np.where(largest > 0, largest, 1)
    one = len(scaled) == 1
    return Spread(scaled.mean(axis=0), np.full_like(scaled[0], np.nan) if one else scaled.std(axis=0, ddof=1))
