"""How similar every layer of one network is to every layer of another, with what the numbers would be by chance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from cnnviz import networks
from cnnviz.batching import Report, evenly_spaced, part
from cnnviz.comparison.features import Layers, features
from cnnviz.comparison.measures import MEASURES, Measure
from cnnviz.comparison.measures.canonical import Span
from cnnviz.comparison.measures.measure import LEAST, checked, is_constant
from cnnviz.comparison.minibatches import ESTIMATES, Alignments, alignments
from cnnviz.comparison.same import is_same
from cnnviz.errors import InputError
from cnnviz.errors.wording import size
from cnnviz.networks import Net
from cnnviz.probe import Reader
from cnnviz.registry import resolve
from cnnviz.types import Key, LayerNames

Matrix = Float[np.ndarray, "a b"]
A, B, SEED = "a", "b", "seed"
PASSING = ("flatten", "reshape", "Dropout")  # kinds of layers whose values are those of the one before


@dataclass(frozen=True)
class Similarity:
    """Similarities `[a, b]` of all layers of one network, `rows`, with all of another, `columns`.

    `null` are those of the same layers where the second network's images are shuffled. `ceiling` `[a, a]` are those of
    the first network with itself from another seed; None without one. `left_out` are layers that are the same for all
    images, as (network, layer). `images` is how many images were read, and `how` a sentence on how.
    """

    measure: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Matrix
    null: Matrix
    ceiling: Matrix | None
    left_out: tuple[tuple[str, str], ...]
    images: int
    how: str
    same: bool = False


def similarities(
    a: Any,
    b: Any,
    images: Shaped[np.ndarray, "n ..."],
    measures: Sequence[str] = ("debiased_cka",),
    *,
    layers: LayerNames = None,
    values: str | None = None,
    seed: Any = None,
    key: Key | None = None,
    batch_size: int | None = None,
    report: Report | None = None,
) -> dict[str, Similarity]:
    """The similarity of all layers by each measure; `images` are uint8 `[n, ...]`, which each network prepares itself.

    A network is a `Net` or what `networks.open` takes, of several members the first; `seed` is the network of the
    ceiling, by default the second member of `a`. By default CKA takes all `values` of a layer ("flat"), over
    minibatches of all images, and other measures each channel's "mean" over places, of all images at once, or, where
    they keep a number for each pair of images, of at most `Measure.most` of them, evenly spaced. Raises InputError for
    images that a network does not take, for fewer than four, and for too few for a measure.
    """
    asked = {name: resolve(MEASURES, name, "measure of similarity") for name in measures}
    a, b = networks.open(a), networks.open(b)
    seed = _another_seed(a) if seed is None else networks.open(seed)
    nets = {A: a.first, B: b.first} | ({} if seed is None else {SEED: seed.first})
    check_images(nets.values(), images)
    readers = {name: reader(net, layers) for name, net in nets.items()}
    same = is_same(nets[A], nets[B])
    streamed = [name for name in asked if name in ESTIMATES and values in (None, "flat")]
    others = {name: measure for name, measure in asked.items() if name not in streamed}
    parts, found = bool(streamed) + bool(others), {}
    if streamed:
        got = alignments(readers, images, key=key, batch_size=batch_size, report=part(report, 0, parts, "CKA"))
        found |= {name: _of_minibatches(name, got, readers, images, same) for name in streamed}
    if others:
        own = part(report, parts - 1, parts)
        found |= _of_arrays(others, readers, images, values or "mean", same, key=key, report=own)
    return {name: found[name] for name in asked}


def similarity(
    a: Any, b: Any, images: Shaped[np.ndarray, "n ..."], measure: str = "debiased_cka", **options: Any
) -> Similarity:
    """The similarity of all layers by one measure, with the options of `similarities`."""
    return similarities(a, b, images, (measure,), **options)[measure]


def check_images(nets: Iterable[Net], images: Shaped[np.ndarray, "n ..."]) -> None:
    """Raises InputError if there are fewer than four images, or if a network does not take them."""
    if len(images) < LEAST:
        raise InputError(f"A similarity needs at least {LEAST} images; there are {len(images)}.")
    for net in nets:
        if tuple(net.image_shape) != tuple(images.shape[1:]):
            sides = [size(shape) for shape in (net.image_shape, images.shape[1:])]
            raise InputError(f"{net.name} takes images of {sides[0]}; these are {sides[1]}.")


def reader(net: Net, layers: LayerNames = None) -> Reader:
    """What reads these layers of a network's first member, by default each value once, for images as data has them."""
    found = [layer for layer in net.layers if not layer.repeats and layer.kind not in PASSING]
    names = [layer.name for layer in (found if layers is None else net.find(layers))]
    return Reader(net.model, net.variables, names, prepare=net.prepare)


def _another_seed(net: Net) -> Net | None:
    return net.only(1) if len(net.members) > 1 else None


def _of_minibatches(name: str, got: Alignments, readers: Mapping[str, Reader], images: Any, same: bool) -> Similarity:
    keep = lambda network: [layer for own, layer in got.names if own == network]
    rows, columns = keep(A), keep(B)
    constant = tuple(each for each in got.constant if each[0] in (A, B))
    kept_rows = [i for i, layer in enumerate(rows) if (A, layer) not in constant]
    kept_columns = [i for i, layer in enumerate(columns) if (B, layer) not in constant]
    cut = lambda matrix, along=kept_columns: matrix[np.ix_(kept_rows, along)]
    ceiling = cut(got.of(name, A, SEED), kept_rows) if SEED in readers and keep(SEED) == rows else None
    values = cut(got.of(name, A, B))
    if same:
        np.fill_diagonal(values, 1.0)  # else 1 but for rounding
    whole = got.minibatch == len(images)
    how = "at once" if whole else f"in minibatches of {got.minibatch}"
    return Similarity(
        name,
        tuple(rows[i] for i in kept_rows),
        tuple(columns[i] for i in kept_columns),
        values,
        cut(got.of(name, A, B, null=True)),
        ceiling,
        constant,
        len(images),
        f"All values of a layer, {how}.",
        same,
    )


def _of_arrays(
    measures: Mapping[str, Measure],
    readers: Mapping[str, Reader],
    images: Any,
    values: str,
    same: bool,
    *,
    key: Key | None,
    report: Report | None,
) -> dict[str, Similarity]:
    parts = 1 + len(measures)
    arrays = features(readers, images, values, report=part(report, 0, parts, "reading layers"))
    constant = tuple((name, layer) for name in (A, B) for layer, x in arrays[name].items() if is_constant(x))
    kept = {name: {layer: x for layer, x in own.items() if not is_constant(x)} for name, own in arrays.items()}
    for own in kept.values():
        for layer, x in own.items():
            checked(x, f"The layer {layer}")  # raises InputError for values that are NaN or infinite
    draw = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.key(0) if key is None else key)))
    found = {}
    for i, (name, measure) in enumerate(measures.items(), 1):
        found[name] = _all_pairs(name, measure, kept, constant, values, same, draw, part(report, i, parts, name))
    return found


def _all_pairs(
    name: str,
    measure: Measure,
    arrays: Mapping[str, Layers],
    constant: tuple[tuple[str, str], ...],
    values: str,
    same: bool,
    draw: np.random.Generator,
    report: Report | None,
) -> Similarity:
    count = len(next(iter(arrays[A].values())))
    taken = evenly_spaced(count, measure.most)
    own = {network: layers for network, layers in arrays.items() if not (same and network == B)}
    prepared = _prepared(measure, own, taken, report)
    prepared = {**prepared, B: prepared[A]} if same else prepared
    wide = [(network, layer) for network, its in prepared.items() for layer in its if _says_nothing(its[layer])]
    for network, layer in wide:
        prepared[network].pop(layer, None)
    _check_left(name, prepared, len(taken))
    order = draw.permutation(len(taken))
    rows, columns = ([*prepared[network].values()] for network in (A, B))
    pairs = lambda columns: measure.compare_all(rows, columns)
    has_ceiling = SEED in prepared and prepared[SEED].keys() == prepared[A].keys()
    return Similarity(
        name,
        tuple(prepared[A]),
        tuple(prepared[B]),
        pairs(columns),
        pairs([measure.shuffled(each, order) for each in columns]),
        pairs([*prepared[SEED].values()]) if has_ceiling else None,
        constant,
        len(taken),
        _how(values, len(taken), count) + _said_of_wide(wide, len(taken)),
        same,
    )


def _prepared(
    measure: Measure, arrays: Mapping[str, Layers], taken: np.ndarray, report: Report | None
) -> dict[str, dict[str, Any]]:
    total, done, found = sum(map(len, arrays.values())), 0, {}
    for network, layers in arrays.items():
        found[network] = {}
        for layer, x in layers.items():
            found[network][layer] = measure.prepare(x[taken] if len(taken) < len(x) else x)
            done += 1
            if report is not None:
                report(done, total)
    return found


def _how(values: str, taken: int, count: int) -> str:
    what = "All values of a layer" if values == "flat" else "Each channel's mean over places"
    return f"{what}, of all images at once." if taken == count else f"{what}, of {taken:,} of {count:,} images."


def _says_nothing(prepared: Any) -> bool:
    """Whether canonical correlations are 1 whatever the images are, as with more features than images."""
    return isinstance(prepared, Span) and prepared.is_everything


def _said_of_wide(wide: Sequence[tuple[str, str]], count: int) -> str:
    names = ", ".join(dict.fromkeys(layer for _, layer in wide))
    return f" Left out: {names}, which {count:,} images are too few for (as many directions)." if wide else ""


def _check_left(name: str, prepared: Mapping[str, Any], count: int) -> None:
    if not (prepared[A] and prepared[B]):
        raise InputError(
            f"{name} needs more images than a layer has features; there are {count:,}, with which every canonical "
            'correlation is 1. Give more images, or values="mean".'
        )
