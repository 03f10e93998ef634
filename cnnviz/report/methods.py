"""What a page says of the methods that it computes: how far seeds agree, and what metrics have measured before."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from cnnviz import probe
from cnnviz.comparison.agreement import agreement, on_other_images
from cnnviz.comparison.member_maps import Maps, Spread, member_maps, spread
from cnnviz.errors import InputError
from cnnviz.metrics.controls import EDGES
from cnnviz.metrics.evidence import Evidence
from cnnviz.metrics.measuring import build
from cnnviz.metrics.metrics import METRICS
from cnnviz.networks import Net
from cnnviz.pictures.attribute import Attributions
from cnnviz.pictures.evidence import Asked, Subject, described
from cnnviz.pictures.kept import read
from cnnviz.pictures.picture import Data, Skipped
from cnnviz.report.payload import encoded, rounded

METHODS = ("gradient", "input_x_gradient", "grad_cam", "integrated_gradients")  # those of views/explained.js
EXPLAINED = 64  # images whose maps by several seeds are compared
SPREADS = 800_000  # bytes of a page that the maps over seeds take


def methods(
    net: Net, images: UInt8[np.ndarray, "n ..."], data: Data, shown: Sequence[int] = ()
) -> dict[str, dict[str, Any]]:
    """By method what is known of its maps: their "agreement" over the network's seeds, its "metrics", and "spread".

    The spread is the mean and the deviation over seeds of the maps of the images that are `shown`, as many as SPREADS
    bytes are enough for.
    """
    agreed, known = _agreements(net, images[:EXPLAINED]), _metrics(net, data)
    spreads = _spreads(net, images, list(dict.fromkeys(shown)))
    found = {
        name: {"agreement": agreed.get(name), "metrics": known.get(name), "spread": spreads.get(name)}
        for name in METHODS
    }
    own = {name: {key: value for key, value in each.items() if value} for name, each in found.items()}
    return {name: each for name, each in own.items() if each}


def _agreements(net: Net, images: UInt8[np.ndarray, "n ..."]) -> dict[str, dict[str, Any]]:
    """The mean rank correlation of maps of two seeds, and that of maps of different images of one seed."""
    if len(net.members) < 2 or len(images) < 2:
        return {}
    found = {}
    for name, maps in _maps(net, images, _targets(net, images)):
        ranks = [agreement(one, other).rank for one, other in combinations(maps, 2)]
        means = rounded([_mean(ranks), _mean(on_other_images(maps[0]).rank)])
        found[name] = {"rank": means[0], "baseline": means[1], "seeds": len(maps), "images": len(images)}
    return found


def _targets(net: Net, images: UInt8[np.ndarray, "n ..."]) -> np.ndarray:
    """The classes that the network of the first seed says."""
    first = net.first
    logits = probe.logits(first.model, first.variables, images, prepare=net.prepare)
    return np.asarray(logits).argmax(-1).astype(np.int32)


def _maps(net: Net, images: UInt8[np.ndarray, "n ..."], targets: np.ndarray) -> Iterator[tuple[str, Maps]]:
    """The maps of all seeds by each method that applies to the network."""
    for name in METHODS:
        try:
            maps = member_maps(name, net, images, targets, key=jax.random.key(0))
        except InputError:
            continue
        yield name, maps


def _spreads(net: Net, images: UInt8[np.ndarray, "n ..."], shown: Sequence[int]) -> dict[str, dict[str, Any]]:
    places = int(np.prod(net.image_shape[:-1] or net.image_shape))
    shown = shown[: SPREADS // (len(METHODS) * 2 * 4 * places // 3 + 1)]
    if len(net.members) < 2 or not shown:
        return {}
    own = images[list(shown)]
    targets = _targets(net, own)
    return {name: _spread(spread(maps), shown, targets, len(maps)) for name, maps in _maps(net, own, targets)}


def _spread(found: Spread, shown: Sequence[int], targets: np.ndarray, seeds: int) -> dict[str, Any]:
    """Maps with 8 bits a value, by the numbers of their images; each has the size that 127 stands for."""
    rows = zip(shown, targets.tolist(), found.mean, found.deviation, strict=True)
    images = {str(i): {"target": c, "mean": _small(mean), "deviation": _small(own)} for i, c, mean, own in rows}
    return {"seeds": seeds, "shape": list(found.mean.shape[1:]), "images": images}


def _small(values: np.ndarray) -> dict[str, Any]:
    size = float(np.abs(values).max())
    bits = np.rint(values * (127 / size if size > 0 else 0)).astype(np.int8)
    return {"size": float(f"{size:.6g}"), "bytes": encoded(bits.tobytes())}


def _mean(values: Any) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def _metrics(net: Net, data: Data) -> dict[str, list[dict[str, Any]]]:
    """Each method's metrics over the usual images, where `visualize.py evaluate` has left them in the run's folder."""
    folder = None if net.path is None else net.path / "evidence"
    if folder is None or not folder.is_dir():
        return {}
    try:
        evidence = _kept(net, data)
    except (InputError, Skipped):
        return {}
    if evidence is None:
        return {}
    beats = dict(zip(evidence.methods, evidence.beats(EDGES), strict=True))
    return {name: _rows(evidence, name, beats[name]) for name in evidence.methods if name != EDGES}


def _kept(net: Net, data: Data) -> Evidence | None:
    """The numbers of the methods by those metrics that a map of edges was measured by too; None if there are none."""
    subject = Subject.of(Asked(None, None, None, "test", None, 0), net, data)
    kept, members = subject.kept(), range(len(net.members))
    asked: dict[str, Any] = {EDGES: EDGES, **Attributions(methods=",".join(METHODS)).built(net, data)}

    def values(name: str, label: str, metric: Any) -> np.ndarray | None:
        paths = [kept.path(described(subject, name, asked[name], label, metric, member)) for member in members]
        found = [None if path is None else read(path) for path in paths]
        return None if any(each is None for each in found) else np.stack([each["values"] for each in found if each])

    metrics = {label: build(label) for label in METRICS}
    known = {name: {label: values(name, label, metric) for label, metric in metrics.items()} for name in asked}
    labels = [label for label in metrics if known[EDGES][label] is not None]
    names = [name for name in asked if labels and all(known[name][label] is not None for label in labels)]
    if not names:
        return None
    numbers = np.stack([np.stack([np.asarray(known[name][label]) for label in labels]) for name in names])
    return Evidence(names, labels, numbers, [metrics[label].better for label in labels], (EDGES,))


def _rows(evidence: Evidence, name: str, beats: np.ndarray) -> list[dict[str, Any]]:
    return [
        _row(evidence, name, metric, evidence.better[j], bool(beats[j]))
        for j, metric in enumerate(evidence.metrics)
        if np.isfinite(evidence.cells[name, metric][:3]).all()
    ]


def _row(evidence: Evidence, name: str, metric: str, better: str, is_better: bool) -> dict[str, Any]:
    cell: Mapping[str, Any] = evidence.cells[name, metric]._asdict()
    numbers = dict(zip(("mean", "low", "high"), rounded([cell[key] for key in ("mean", "low", "high")]), strict=True))
    return {"name": metric, "better": better, "isBetter": is_better, "images": int(cell["images"]), **numbers}
