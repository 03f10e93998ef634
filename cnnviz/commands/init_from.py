"""`--init-from`: the weights of a run or of a file as those that a training begins with."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from cnnviz import networks, runs
from cnnviz.errors import InputError
from cnnviz.interop import READERS
from cnnviz.interop.place import is_run
from cnnviz.interop.torch.read import StateDict
from cnnviz.interop.weights import read_weights
from cnnviz.networks import transfer
from cnnviz.networks.by_order import paired
from cnnviz.types import Variables


class Source(NamedTuple):
    """Weights as a tree, the classes that they tell apart as far as they are known, which network of several, and the
    network of another framework that they are of."""

    tree: Any
    classes: tuple[str, ...] = ()
    which: str = ""
    net: networks.Net | None = None


def weights_from(where: str, config: runs.Config) -> tuple[Callable[[Variables], Variables], list[str], str]:
    """What makes a training's first variables of drawn ones, the paths that stay as drawn, and a line that says it.

    The classifier stays as drawn if the weights are those of other classes. Raises InputError, which names arrays that
    fit and that do not, if they are those of another network.
    """
    source, classes, shape = _source(where), tuple(config["data"]["classes"]), config.image_shape
    make = lambda count: networks.build(config["model"], config.model_options, count, shape)
    axes = transfer.classifier(make, len(classes), shape)
    count = _count(source, make(len(classes)), axes) or len(classes)
    how: dict[str, Any] = {"source": where, "name": f"the model {config['model']}"}
    renamed = None if source.net is None else paired(source.net, make(count), shape)
    try:
        given = networks.fit(source.tree if renamed is None else renamed, make(count), shape, **how)
    except InputError as error:
        right = f"start from weights of {config['model']} for images of {'x'.join(map(str, shape))}"
        raise InputError(f"{str(error).removesuffix('.')}: {right}, or leave --init-from out.") from error
    differ = count != len(classes) or source.classes not in ((), classes)
    redrawn = {path: count for path in axes} if differ else {}
    paths = ["/".join(path[1:]) for path in redrawn]
    arrays = len(jax.tree.leaves(given)) - len(redrawn)
    paired_by = "" if renamed is None else ", paired in the order of the layers"
    line = f"The weights start from {where}{source.which}: {arrays} arrays{paired_by}."
    if paths:
        line += (
            f" The classifier, {' and '.join(paths)}, is drawn anew: {count} classes there, {len(classes)} others here."
        )
    return partial(transfer.merged, given=given, redrawn=set(redrawn)), paths, line


def _source(where: str) -> Source:
    place = networks.Where.read(where)
    if is_run(place.path):
        run = runs.load_run(place.path, step=place.step, seed=place.seed)
        which = f" (its first network, that of seed {run.seeds[0]})" if len(run.members) > 1 else ""
        return Source(jax.tree.map(np.asarray, run.variables), run.classes, which)
    if not place.path.exists():
        raise InputError(f"--init-from {where} does not exist; give a run or a file of weights.")
    if place.path.suffix in READERS:
        net = networks.open(place.path)
        return Source(jax.tree.map(np.asarray, net.variables), net.classes, net=net)
    return Source(read_weights(place.path))


def _count(source: Source, model: Any, axes: dict[tuple[str, ...], int]) -> int | None:
    """How many classes the weights tell apart; None if that is not known."""
    if source.classes:
        return len(source.classes)
    if source.net is not None:
        return source.net.class_count
    if isinstance(source.tree, StateDict):
        return networks.count_classes(source.tree, model)
    return transfer.count_in(source.tree, axes)
