"""EMBEDDINGS: a layer's code of many images in two dimensions, by principal components, UMAP or t-SNE."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import svds

from cnnviz import probe
from cnnviz.batching import Report
from cnnviz.errors import InputError, needs_extra, unknown
from cnnviz.probe import NOTHING, Call, Reader
from cnnviz.probe.inputs import Prepare
from cnnviz.types import Activations, Array, PyTree, VariablesLike
from cnnviz.units.features import features
from cnnviz.units.layer import traced_layer

MOST_FEATURES, FIRST = 4096, 50  # numbers of an image's code, and components that UMAP and t-SNE start from
Codes = Float[np.ndarray, "n f"]
Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Embedding:
    """The places `points` `[n 2]` of n images in the plane, by a layer's code of `features` numbers per image.

    `explained` are the shares of the code's variance along the two axes, for principal components; else None.
    """

    layer: str
    shape: tuple[int, ...]
    features: int
    by: str
    points: Points
    explained: tuple[float, float] | None


class Options(NamedTuple):
    """What the embeddings that draw at random, and look at neighbors, take."""

    seed: int = 0
    neighbors: int = 15
    perplexity: float | int = 30.0


def embedding(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    layer: Any,
    *,
    by: str = "pca",
    seed: int = 0,
    neighbors: int = 15,
    perplexity: float | int = 30.0,
    prepare: Prepare = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
) -> Embedding:
    """The images `[n ...]` in two dimensions, by one layer's values.

    `by` is a key of EMBEDDINGS. "pca" are the first two principal components: the plane with the largest variance
    (Pearson 1901, "On lines and planes of closest fit"). "umap" (McInnes et al. 2018, arXiv:1802.03426; option
    `neighbors`) and "tsne" (van der Maaten and Hinton 2008; option `perplexity`) keep neighbors together and not
    distances; they start from the first 50 components and from `seed`. Maps of more than 4096 values are averaged over
    a coarser grid. Raises InputError for fewer than three images, for values that are not finite, and where the package
    that computes it is not installed.
    """
    if by not in EMBEDDINGS:
        raise unknown("embedding", by, EMBEDDINGS)
    codes, name, shape = _codes(model, variables, images, layer, prepare, batch_size, call, report)
    if len(codes) < 3:
        raise InputError(f"An embedding needs at least three images; there were {len(codes)}.")
    if not np.isfinite(codes).all():
        bad = int(np.argmin(np.isfinite(codes).all(1)))
        raise InputError(f"The layer {name!r} is not finite (NaN or infinite) for image {bad}; it has no embedding.")
    points, explained = EMBEDDINGS[by](codes, Options(seed, neighbors, perplexity))
    return Embedding(name, shape, codes.shape[1], by, points, explained)


def _codes(
    model: Any, variables: Any, images: PyTree, layer: Any, prepare: Prepare, size: Any, call: Call, report: Any
) -> tuple[Codes, str, tuple[int, ...]]:
    reader = Reader(model, variables, layer, prepare=prepare, call=call)
    request, *_ = reader.request(images)
    if len(request.names) != 1:
        raise InputError(f"One layer is needed; {layer!r} means {len(request.names)}: {', '.join(request.names)}.")
    (name,) = request.names
    shape = tuple(traced_layer(reader, images).sides(name).values())
    codes = probe.map_readers([reader], images, _flat, batch_size=size, report=report)
    return np.asarray(codes, np.float32), name, shape


def _flat(activations: list[Activations]) -> Array:
    (value,) = activations[0].values()
    return features(value, MOST_FEATURES)


def components(codes: Codes, count: int) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, " k"]]:
    """The first principal components `[n k]` and the share of the variance of each; fewer if there are fewer.

    Of a component and its opposite, that whose largest value is positive.
    """
    centered = codes - codes.mean(0, dtype=np.float64)
    total = float(np.square(centered).sum())
    count = min(count, *centered.shape)
    if count < min(centered.shape) and total > 0:
        start = np.random.default_rng(0).standard_normal(min(centered.shape))  # the same each time
        left, sizes, _ = cast(Any, svds(centered, k=count, v0=start))
    else:
        left, sizes, _ = np.linalg.svd(centered, full_matrices=False)
    order = np.argsort(-sizes, kind="stable")[:count]
    found = left[:, order] * sizes[order]
    sides = np.sign(found[np.abs(found).argmax(0), np.arange(count)])
    return found * np.where(sides == 0, 1, sides), np.square(sizes[order]) / (total or 1.0)


def pca(codes: Codes, options: Options) -> tuple[Points, tuple[float, float]]:
    """The first two principal components, and the share of the variance of each."""
    found, shares = components(codes, 2)
    if found.shape[1] < 2:  # a code of one number
        found, shares = np.pad(found, ((0, 0), (0, 1))), np.pad(shares, (0, 1))
    return found.astype(np.float32), (float(shares[0]), float(shares[1]))


def umap(codes: Codes, options: Options) -> tuple[Points, None]:
    """UMAP's plane, from the first components; one thread, so that it is the same each time."""
    if not 2 <= options.neighbors < len(codes):
        most = len(codes) - 1
        raise InputError(f"UMAP's neighbors are from 2 to {most}, fewer than images; they were {options.neighbors}.")
    with needs_extra("embed", "UMAP cannot be computed without umap-learn"):
        from umap import UMAP  # pyright: ignore[reportMissingImports]
    return _reduced(codes, UMAP(n_neighbors=options.neighbors, random_state=options.seed, n_jobs=1)), None


def tsne(codes: Codes, options: Options) -> tuple[Points, None]:
    """t-SNE's plane, from the first components."""
    if not 1 <= options.perplexity < len(codes):
        most = len(codes) - 1
        raise InputError(f"t-SNE's perplexity is from 1 to {most}, below the images; it was {options.perplexity:g}.")
    with needs_extra("embed", "t-SNE cannot be computed without scikit-learn"):
        from sklearn.manifold import TSNE  # pyright: ignore[reportMissingImports]
    return _reduced(codes, TSNE(perplexity=options.perplexity, random_state=options.seed, init="pca")), None


def _reduced(codes: Codes, reducer: Any) -> Points:
    """What an object with `fit_transform`, as scikit-learn has them, makes of the first components."""
    start, _ = components(codes, FIRST)
    return np.asarray(reducer.fit_transform(start), np.float32)


EMBEDDINGS: Mapping[str, Callable[[Codes, Options], tuple[Points, tuple[float, float] | None]]] = {
    "pca": pca,
    "umap": umap,
    "tsne": tsne,
}
