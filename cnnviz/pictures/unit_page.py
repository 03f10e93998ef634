"""The page of one unit: what `units` and `kernels` say of it, as panels and strips."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cnnviz import probe, units
from cnnviz.batching import Report, part
from cnnviz.errors.wording import counted
from cnnviz.figures.scales import in_digits, scale_of, symmetric
from cnnviz.figures.unit_page import Bars, Histogram, Map, Panel, Strip, UnitPage, unit_page
from cnnviz.networks import Net
from cnnviz.pictures.patch_tiles import as_pixels, in_color, seen_in_words
from cnnviz.pictures.picture import Data, Picture, Sample
from cnnviz.pictures.samples import each, samples
from cnnviz.pictures.unit_numbers import Numbers
from cnnviz.units.layer import check_unit
from cnnviz.units.profile import Profile
from cnnviz.units.seen import RELEVANCE, patches_in

NEAREST, EDGES, SAMPLED, FEW = 6, 8, 256, 1000  # units, edges, images of activations, and those of connections
STRIPS = 2  # of edges on a slide
EDGES_SAID = (
    "Under a kernel: the other unit, and weight times mean activation over {images}, what the edge adds on average."
)
FEW_EDGES = 4  # to or from each layer, in the terminal


@dataclass(frozen=True)
class Found:
    """All that is known of a unit; `patches` are where its values, or its relevance, are the largest."""

    numbers: Numbers
    unit: int
    profile: Profile
    ablation: units.Ablation
    connections: units.Connections
    values: np.ndarray
    patches: units.Patches
    partners: units.Pairs | None

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.numbers.layer

    @property
    def is_dead(self) -> bool:
        """Whether the unit is never above zero."""
        return not (self.profile.highest[:, self.unit] > 0).any()


def page_of(asked: Any, net: Net, data: Data, report: Report | None) -> list[Picture]:
    """The page of the unit that was asked for, one per image.

    Raises Skipped if there is no data set, InputError if the layer or the unit does not exist.
    """
    numbers = Numbers.of(asked, net, data)
    check_unit(numbers.layer, asked.unit, numbers.count)
    shown = samples(asked, net, data)
    found = _found(asked, numbers, report)
    return each(shown, lambda one: [_picture(found, one)])


def _found(asked: Any, numbers: Numbers, report: Report | None) -> Found:
    net, layer, unit, images = numbers.net, numbers.layer, asked.unit, numbers.images
    profiled = numbers.profile(part(report, 0, 4, "activations"))
    ablated = numbers.ablation(part(report, 1, 4, "ablation"))
    top = numbers.relevant(part(report, 2, 4, "relevance")) if asked.by == RELEVANCE else profiled.ranked(numbers.shown)
    patches = patches_in(numbers.reader, images, layer, numbers.count, top, asked.by, [unit])
    link: Any = partial(units.connections, net.model, net.variables, images[:FEW], layer, unit, prepare=net.prepare)
    linked = link(report=part(report, 2, 4, "connections"))
    values = probe.activations(net.model, net.variables, images[:SAMPLED], layer, prepare=net.prepare)[layer]
    partners = _partners(numbers, part(report, 3, 4, "pairs")) if asked.pairs else None
    own = np.asarray(values[..., unit], np.float32)
    return Found(numbers, unit, profiled, ablated, linked, own, patches, partners)


def _partners(numbers: Numbers, report: Report | None) -> units.Pairs:
    net, own = numbers.net, (numbers.images[:FEW], numbers.labels[:FEW])
    return units.pairs(net.model, net.variables, *own, numbers.layer, prepare=net.prepare, report=report)


def _picture(found: Found, shown: Sample) -> Picture:
    net, unit, layer = found.numbers.net, found.unit, found.layer
    responses = UnitPage([*_responses(found, shown)], [*_seen(found)])
    worth = UnitPage([*_worth(found)], [*_linked(found)])
    page = UnitPage([*responses.panels, *worth.panels], [*responses.strips, *worth.strips])
    title = f"{net.title}: unit {found.numbers.named(layer, unit)} of {layer}"
    numbers = {
        "highest": found.profile.highest[:, unit],
        "mean": found.profile.mean[:, unit],
        "class_accuracy_lost": found.ablation.class_accuracy_lost[unit],
        "class_loss_gained": found.ablation.class_loss_gained[unit],
        "correlations": found.profile.correlations(unit),
        "top_images": found.patches.images[:, 0],
        "top_values": found.patches.values[:, 0],
        "windows": found.patches.windows[:, 0],
        "apart": found.patches.apart(unit),
    }
    numbers |= dict(_edges(found.connections))
    draw = partial(unit_page, page, title=title)
    said = [_said_of_responses(found), _said_of_worth(found), _said_of_edges(found) * bool(worth.strips)]
    caption = " ".join(filter(None, said))
    subject = {"network": net.name, "layer": layer, "unit": unit, "image": shown.subject}
    name = f"unit_{layer}_{unit}" + ("_relevance" if found.patches.by == RELEVANCE else "")
    table = [
        row | {"unit": found.numbers.named(str(row["layer"]), int(str(row["unit"])))}
        for row in found.connections.table(FEW_EDGES)
    ]
    picture = Picture(name, title, caption, numbers, draw, subject, table=table)
    return picture.divided(_slides(found, picture, responses, worth))


def _edges(connections: units.Connections) -> Iterator[tuple[str, np.ndarray]]:
    """The edges to each layer before and after, as arrays with the layer's name in theirs."""
    for side, all_edges in (("fed by", connections.feeding), ("feeds", connections.fed)):
        for edges in all_edges:
            other = edges.target if side == "feeds" else edges.source
            for name in ("units", "weights", "flows", "kernels"):
                yield f"{side} {other}: {name}", np.asarray(getattr(edges, name))


def _short(shown: Sample) -> str:
    """What the image is, in a few words."""
    return shown.title if shown.original is not None else f"image {shown.subject['index']}"


def _responses(found: Found, shown: Sample) -> Iterator[Panel]:
    """What it responds to: its map, its activations, and their mean for each class."""
    unit, numbers = found.unit, found.numbers
    if found.profile.sides and len(found.profile.sides) == 2 and shown.pixels.ndim == 3:
        net = numbers.net
        value = probe.activations(net.model, net.variables, net.prepare(shown.pixels[None]), found.layer)[found.layer]
        own = np.asarray(value[0, ..., unit], np.float32)
        yield Map(f"its map over {_short(shown)}", shown.pixels, own, scale_of(own))
    yield Histogram(f"activations on {counted(min(SAMPLED, len(numbers.images)), 'image')}", found.values)
    means = found.profile.class_means(unit, numbers.labels, len(numbers.names))
    yield Bars("mean activation by class", numbers.names, means)


def _worth(found: Found) -> Iterator[Panel]:
    """Its weights, what goes wrong without it, and which units respond alike."""
    unit = found.unit
    if found.connections.feeding:
        edges = found.connections.feeding[0]
        yield Histogram(f"its weights of {edges.target}", edges.kernels)
    yield Bars("% accuracy lost without it", found.numbers.names, 100 * found.ablation.class_accuracy_lost[unit])
    r = found.profile.correlations(unit)
    order = [i for i in np.argsort(-np.nan_to_num(np.abs(r)), kind="stable") if i != unit and np.isfinite(r[i])]
    if order:
        near = order[:NEAREST]
        names = [f"unit {found.numbers.named(found.layer, int(i))}" for i in near]
        yield Bars("most correlated units", names, r[near])


def _seen(found: Found) -> Iterator[Strip]:
    """What it saw in the images with its largest values or relevance, unless it is dead."""
    unit, patches, numbers = found.unit, found.patches, found.numbers
    if found.is_dead or numbers.images.ndim != 4:
        return
    of_class = [numbers.names[numbers.labels[i]] for i in patches.images[:, 0]]
    pairs = zip(patches.values[:, 0], of_class, patches.images[:, 0], strict=True)
    labels = [f"{in_digits(float(value))}\n{name}\nimage {i}" for value, name, i in pairs]
    where = "mattered most" if patches.by == RELEVANCE else "was most active"
    apart, most = in_color(patches.apart(unit))
    tiles = [*patches.of(unit), as_pixels(patches.mean(unit)), apart]
    labels += ["their mean,\nweighted", f"minus the mean\nimage: ±{in_digits(most)}"]
    yield Strip(f"what it saw where it {where}, of {len(numbers.images):,} images", tiles, labels)


def _linked(found: Found) -> Iterator[Strip]:
    """The kernels from and to the units that it is connected with, those that add the most first."""
    feeding, fed = found.connections.feeding, found.connections.fed
    for edges, feeds in [(one, False) for one in feeding] + [(one, True) for one in fed]:
        order = edges.by_flow[:EDGES]
        kernels = [np.atleast_2d(_flat(np.asarray(edges.kernels[i]))) for i in order]
        scale = symmetric(scale_of(*kernels).high)
        other = edges.target if feeds else edges.source
        title = f"units of {other} that it feeds" if feeds else f"units of {other} that feed it"
        named = [found.numbers.named(other, int(edges.units[i])).replace(" ", "\n", 1) for i in order]
        flows = [in_digits(float(edges.flows[i])) for i in order]
        labels = [f"{'→' if feeds else '←'} {name}\n{flow}" for name, flow in zip(named, flows, strict=True)]
        yield Strip(title, kernels, labels, scale)


def _slides(found: Found, picture: Picture, responses: UnitPage, worth: UnitPage) -> list[Picture]:
    """What it responds to, what goes wrong without it, and what it is connected with, each by itself."""
    links = [UnitPage((), worth.strips[i : i + STRIPS]) for i in range(0, len(worth.strips), STRIPS)]
    shown = [(responses, _said_of_responses(found)), (UnitPage(worth.panels), _said_of_worth(found))]
    shown += [(page, _said_of_edges(found)) for page in links]
    return [replace(picture, draw=partial(unit_page, page), caption=said) for page, said in shown]


def _flat(kernel: np.ndarray) -> np.ndarray:
    """A kernel as a small picture: one of a volume by its middle, one number as one pixel."""
    while kernel.ndim > 2:
        kernel = kernel[len(kernel) // 2]
    return np.asarray(kernel, np.float32)


def _loss(gained: float) -> str:
    """What becomes of the loss, which logits near the largest float make infinite."""
    change = "falls" if gained < 0 else "rises"
    return f"the loss {change} by {in_digits(abs(gained))}" if np.isfinite(gained) else "the loss is not finite"


def _said_of_responses(found: Found) -> str:
    numbers = found.numbers
    if found.is_dead:
        return f"This unit is dead: it is zero or less on all {len(numbers.images):,} {numbers.split} images."
    has_patches = numbers.images.ndim == 4
    return f"{seen_in_words(found.patches)} With it: the value, the class and the image." if has_patches else ""


def _said_of_worth(found: Found) -> str:
    unit, ablated, numbers = found.unit, found.ablation, found.numbers
    rank = int(np.flatnonzero(ablated.ranked == unit)[0]) + 1
    words = (
        f"Without it (set to zero) accuracy goes from {ablated.accuracy:.4f} to "
        f"{ablated.accuracy - ablated.accuracy_lost[unit]:.4f} and {_loss(float(ablated.loss_gained[unit]))}, rank "
        f"{rank} of {len(ablated.units)}, over {len(numbers.images):,} {numbers.split} images."
    )
    if found.partners is None:
        return words
    best = [i for i in found.partners.ranked if unit in found.partners.units[i]][:3]
    others = [int(found.partners.units[i].sum()) - unit for i in best]
    excess = [in_digits(float(found.partners.excess[i])) for i in best]
    called = [numbers.named(found.layer, other) for other in others]
    named = ", ".join(f"{name} ({gained})" for name, gained in zip(called, excess, strict=True))
    return (
        f"{words} Units that stand in for it, by the loss gained without both beyond that gained without each, over "
        f"{_few(numbers)}: {named}."
    )


def _said_of_edges(found: Found) -> str:
    return EDGES_SAID.format(images=_few(found.numbers))


def _few(numbers: Numbers) -> str:
    """The images that connections and pairs are measured on, in words."""
    count = min(FEW, len(numbers.images))
    return f"the first {count:,} images" if count < len(numbers.images) else counted(count, "image")
