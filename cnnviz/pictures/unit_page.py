"""The page of one unit: what `units` and `kernels` say of it, as panels and strips."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cnnviz import probe, units
from cnnviz.batching import Report, part
from cnnviz.figures.scales import in_digits, scale_of, symmetric
from cnnviz.figures.unit_page import Bars, Histogram, Map, Panel, Strip, UnitPage, unit_page
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Picture, Sample, Skipped
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.samples import each, samples
from cnnviz.probe import Reader
from cnnviz.units.layer import check_unit
from cnnviz.units.profile import Profile, profile, windows

TOP, NEAREST, EDGES, SAMPLED = 9, 6, 8, 256  # images, units, edges, and images whose activations are counted
MOST, FEW = 10_000, 1000  # images of the split; those of connections and pairs


@dataclass(frozen=True)
class Found:
    """All that is known of a unit, over `count` images of a split."""

    net: Net
    unit: int
    split: str
    images: np.ndarray
    labels: np.ndarray
    names: list[str]
    reader: Reader
    profile: Profile
    ablation: units.Ablation
    connections: units.Connections
    values: np.ndarray
    partners: units.Pairs | None

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.profile.layer

    @property
    def is_dead(self) -> bool:
        """Whether the unit is never above zero."""
        return not (self.profile.highest[:, self.unit] > 0).any()


def page_of(asked: Any, net: Net, data: Data, report: Report | None) -> list[Picture]:
    """The page of the unit that was asked for, one per image.

    Raises Skipped if there is no data set, InputError if the layer or the unit does not exist.
    """
    layer = last_with_maps(net) if asked.layer is None else net.layer(asked.layer).name
    shape = net.layer(layer).shape
    check_unit(layer, asked.unit, shape[-1] if shape else 0)
    shown, dataset = samples(asked, net, data), data.of(net)
    split = dataset.train if asked.split == "train" else dataset.test
    count = min(MOST, affordable(net, len(split.images), 2 + shape[-1]))
    images, labels = split.images[:count], np.asarray(split.labels[:count], np.int32)
    found = _found(asked, net, layer, images, labels, class_names(net, dataset, net.class_count), report)
    return each(shown, lambda one: [_picture(found, one)])


def last_with_maps(net: Net) -> str:
    """The last layer that is a non-linearity over maps, else the last with maps. Raises Skipped if there is none."""
    maps = [layer for layer in net.layers if len(layer.shape) == len(net.image_shape)]
    bent = [layer.name for layer in maps if layer.bends] or [layer.name for layer in maps]
    if not bent:
        raise Skipped(f"{net.name} has no layer with maps; name another one by --layer.")
    return bent[-1]


def _found(
    asked: Any, net: Net, layer: str, images: np.ndarray, labels: np.ndarray, names: list[str], report: Report | None
) -> Found:
    reader, unit = Reader(net.model, net.variables, layer, prepare=net.prepare), asked.unit
    both, named = (net.model, net.variables), {"prepare": net.prepare}
    ask: Any = partial(units.ablation, *both, images, labels, layer, **named)
    profiled = profile(reader, images, report=part(report, 0, 4, "activations"))
    ablated = ask(report=part(report, 1, 4, "ablation"))
    link: Any = partial(units.connections, *both, images[:FEW], layer, unit, **named)
    linked = link(report=part(report, 2, 4, "connections"))
    values = probe.activations(net.model, net.variables, images[:SAMPLED], layer, prepare=net.prepare)[layer]
    partners = _partners(net, images, labels, layer, part(report, 3, 4, "pairs")) if asked.pairs else None
    own = np.asarray(values[..., unit], np.float32)
    return Found(net, unit, asked.split, images, labels, names, reader, profiled, ablated, linked, own, partners)


def _partners(net: Net, images: Any, labels: Any, layer: str, report: Report | None) -> units.Pairs:
    own = images[:FEW], labels[:FEW]
    return units.pairs(net.model, net.variables, *own, layer, prepare=net.prepare, report=report)


def _picture(found: Found, shown: Sample) -> Picture:
    net, unit, layer = found.net, found.unit, found.layer
    panels, strips = list(_panels(found, shown)), list(_strips(found))
    title = f"{net.title}: unit {unit} of {layer}"
    numbers = {
        "highest": found.profile.highest[:, unit],
        "mean": found.profile.mean[:, unit],
        "class_accuracy_lost": found.ablation.class_accuracy_lost[unit],
        "class_loss_gained": found.ablation.class_loss_gained[unit],
        "correlations": found.profile.correlations(unit),
    }
    draw = partial(unit_page, UnitPage(panels, strips), title=title)
    subject = {"network": net.name, "layer": layer, "unit": unit, "image": shown.subject}
    return Picture(f"unit_{layer}_{unit}", title, _caption(found), numbers, draw, subject)


def _short(shown: Sample) -> str:
    """What the image is, in a few words."""
    return shown.title if shown.original is not None else f"image {shown.subject['index']}"


def _panels(found: Found, shown: Sample) -> Iterator[Panel]:
    unit, names, ablated = found.unit, found.names, found.ablation
    if found.profile.sides and len(found.profile.sides) == 2 and shown.pixels.ndim == 3:
        net = found.net
        value = probe.activations(net.model, net.variables, net.prepare(shown.pixels[None]), found.layer)[found.layer]
        own = np.asarray(value[0, ..., unit], np.float32)
        yield Map(f"its map over {_short(shown)}", shown.pixels, own, scale_of(own))
    if found.connections.feeding:
        edges = found.connections.feeding[0]
        yield Histogram(f"its weights of {edges.target}", edges.kernels)
    yield Histogram(f"activations on {min(SAMPLED, len(found.images))} images", found.values)
    yield Bars("mean activation by class", names, found.profile.class_means(unit, found.labels, len(names)))
    lost = 100 * ablated.class_accuracy_lost[unit]
    yield Bars("% accuracy lost without it", names, lost)
    r = found.profile.correlations(unit)
    order = [i for i in np.argsort(-np.nan_to_num(np.abs(r)), kind="stable") if i != unit and np.isfinite(r[i])]
    if order:
        near = order[:NEAREST]
        yield Bars("most correlated units", [f"unit {i}" for i in near], r[near])


def _strips(found: Found) -> Iterator[Strip]:
    unit, prof = found.unit, found.profile
    if not found.is_dead and found.images.ndim == 4:
        top = prof.top(unit, TOP)
        cut = lambda i: windows(found.reader, found.images, found.layer, prof.sides, int(prof.place[i, unit]))
        patches = [found.images[i][tuple(cut(i))] for i in top]
        value = lambda i: in_digits(float(prof.highest[i, unit]))
        labels = [f"{value(i)}\n{found.names[found.labels[i]]}\nimage {i}" for i in top]
        yield Strip(f"what it saw where it was most active, of {len(found.images):,} images", patches, labels)
    for edges, fed in [(one, False) for one in found.connections.feeding] + [
        (one, True) for one in found.connections.fed
    ]:
        order = edges.by_flow[:EDGES]
        kernels = [np.atleast_2d(_flat(np.asarray(edges.kernels[i]))) for i in order]
        scale = symmetric(scale_of(*kernels).high)
        other = edges.target if fed else edges.source
        title = f"units of {other} that it feeds" if fed else f"units of {other} that feed it"
        labels = [f"{'→' if fed else '←'} {edges.units[i]}\n{in_digits(float(edges.flows[i]))}" for i in order]
        yield Strip(title, kernels, labels, scale)


def _flat(kernel: np.ndarray) -> np.ndarray:
    """A kernel as a small picture: one of a volume by its middle, one number as one pixel."""
    while kernel.ndim > 2:
        kernel = kernel[len(kernel) // 2]
    return np.asarray(kernel, np.float32)


def _caption(found: Found) -> str:
    unit, ablated = found.unit, found.ablation
    words = []
    if found.is_dead:
        words.append(f"This unit is dead: it is zero or less on all {len(found.images):,} {found.split} images.")
    rank = int(np.flatnonzero(ablated.ranked == unit)[0]) + 1
    words.append(
        f"Without it (set to zero) accuracy goes from {ablated.accuracy:.4f} to "
        f"{ablated.accuracy - ablated.accuracy_lost[unit]:.4f} and the loss rises by "
        f"{in_digits(float(ablated.loss_gained[unit]))}, rank {rank} of {len(ablated.units)}, over "
        f"{len(found.images):,} {found.split} images."
    )
    words.append("A patch is the receptive field of the unit's largest value, with the value, the class and the image.")
    words.append("Under a kernel: the other unit, and weight times mean activation, what the edge adds on average.")
    if found.partners is not None:
        best = [i for i in found.partners.ranked if unit in found.partners.units[i]][:3]
        named = ", ".join(
            f"{int(found.partners.units[i].sum()) - unit} ({in_digits(float(found.partners.excess[i]))})" for i in best
        )
        words.append(f"Units that stand in for it, by the loss that goes with both beyond that of each alone: {named}.")
    return " ".join(words)
