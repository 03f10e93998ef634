"""Films of what a network makes of one image: feature maps, or attribution maps by a method."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from cnnviz import probe
from cnnviz.attribution import attribute
from cnnviz.batching import Report, part
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.filmstrip import filmstrip
from cnnviz.figures.scales import Scale, scale_of
from cnnviz.networks import Net
from cnnviz.pictures.activations import spatial_layers
from cnnviz.pictures.attribute import Attributions, probabilities
from cnnviz.pictures.attribution_page import left_out_words, named_fault
from cnnviz.pictures.choices import target_of
from cnnviz.pictures.filmed.reel import framed, reel
from cnnviz.pictures.finite import missing
from cnnviz.pictures.picture import Data, Picture, Sample, Skipped
from cnnviz.pictures.predictions import class_names
from cnnviz.pictures.samples import known, samples
from cnnviz.pictures.steps import Steps
from cnnviz.pictures.two_classes import per_class

MOST_MAPS = 64
USUAL = "grad_cam", "integrated_gradients"  # the first that applies


def _one_image(asked: Any, net: Net, data: Data) -> Sample:
    """The image that a film is of; raises InputError if the options mean several."""
    first, *more = samples(asked, net, data)
    if more:
        raise InputError(f"A film is of one image, and --image {asked.chosen} means {len(more) + 1}; name one.")
    return first


def activations(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """One image's feature maps at a layer, by default the last after a non-linearity, on the scale of all steps."""
    shown = _one_image(asked, net, data)
    layer = spatial_layers(net)[-1] if asked.layer is None else net.layer(asked.layer)
    if len(layer.shape) != 3:
        raise Skipped(f"The layer {layer.name} has values {layer.shape}; a film is of feature maps (h, w, c).")
    images, every = net.prepare(shown.pixels[None]), []
    for place, own in enumerate(steps.nets):
        found = probe.activations(own.model, own.variables, images, [layer.name])
        every.append(np.moveaxis(np.asarray(found[layer.name][0], np.float32), -1, 0))
        _tell(report, place + 1, len(steps.nets))
    values = np.stack(every)
    maps, scale = values[:, :MOST_MAPS], scale_of(values)
    first = "" if values.shape[1] <= MOST_MAPS else f"the first {MOST_MAPS} of "
    title = f"{net.name} on {shown.title}: {first}{counted(values.shape[1], 'map')} of {layer.name} over training"
    subject = {"layer": layer.name, "image": shown.subject}
    draw = partial(_strip, steps, maps, scale, title, "activation")
    numbers = {"steps": np.array(steps.steps), "activations": values}
    axes = {"steps": ("step",), "activations": ("step", "channel", "row", "column")}
    caption = f"Activations {_on_scale(scale, values)}"
    return reel(
        asked, net, steps, f"activations_{layer.name}", title, caption, numbers, draw, subject=subject, axes=axes
    )


def attributions(asked: Any, net: Net, steps: Steps, data: Data, report: Report | None) -> Picture:
    """One image's map by the method, of the class that the last step predicts, on one scale or each on its own."""
    shown = _one_image(asked, net, data)
    if len(net.image_shape) != 3:
        raise Skipped(f"{net.name} takes inputs of {net.image_shape}; a film is of maps of pictures.")
    last, pixels = steps.nets[-1], net.prepare(shown.pixels[None])
    p = probabilities(last, pixels)
    names = class_names(net, known(data), p.shape[-1])
    target = p.argmax(-1) if asked.target == "predicted" else target_of(asked.target, names)
    labels = None if shown.label is None else np.array([shown.label])
    question = {"images": pixels, "targets": target, "labels": labels}
    label, raw, left_out = _explained(asked, net, steps, data, question, report)
    largest = np.abs(raw).max(axis=(1, 2), keepdims=True)
    maps = raw / np.where(largest > 0, largest, 1)
    scale = Scale(-1.0 if (raw < 0).any() else 0.0, 1.0)
    of = names[int(p.argmax())] if asked.target == "predicted" else asked.target
    title = f"{net.name} on {shown.title}: maps by {label} of {of} over training"
    ends = ", ".join(f"{name}: {value:.2g}" for name, value in zip(steps.names, largest.ravel(), strict=True))
    caption = f"Each map divided by its largest absolute value, which is at step {ends}.{missing('values', raw)}"
    caption = " ".join([caption, *left_out_words(left_out)])
    draw = partial(_strip, steps, maps[:, None], scale, title, "share of the largest")
    numbers = {"steps": np.array(steps.steps), "maps": raw}
    subject = {"method": [label], "image": shown.subject, "target": asked.target.replace(",", "-vs")}
    axes = {"steps": ("step",), "maps": ("step", "row", "column")}
    return reel(asked, net, steps, "attributions", title, caption, numbers, draw, subject=subject, axes=axes)


def _explained(
    asked: Any, net: Net, steps: Steps, data: Data, question: Any, report: Report | None
) -> tuple[str, np.ndarray, dict[str, str]]:
    """The label of the method, its maps `[steps, h, w]`, and why a default method is left out."""
    left_out: dict[str, str] = {}
    for name in USUAL if asked.method is None else (asked.method,):
        built = Attributions(methods=name, layer=asked.layer, seed=asked.seed).built(net, data)
        if len(built) > 1:
            raise InputError(f"A film is of the maps of one method; the method was {name!r}.")
        (label, method), *_ = built.items()
        try:
            return label, _maps(method, steps, asked.seed, question, report), left_out
        except InputError as error:
            if asked.method is not None:
                raise named_fault(label, error) from error
            left_out[label] = str(error)
    raise Skipped(" ".join(dict.fromkeys(left_out.values())))


def _maps(method: Any, steps: Steps, seed: int, question: Any, report: Report | None) -> np.ndarray:
    every = []
    for place, own in enumerate(steps.nets):
        told = part(report, place, len(steps.nets), f"step {steps.names[place]}")
        ask = partial(attribute, method, own.model, key=jax.random.key(seed), details=True, report=told)
        every.append(np.asarray(per_class(ask, own, own.variables, **question).maps[0], np.float32))
    return np.stack(every)


def _strip(
    steps: Steps, maps: np.ndarray, scale: Scale, title: str, label: str, places: Sequence[int], begun: str
) -> Figure:
    return filmstrip(framed(steps, places, maps, begun), scale, title=title, label=label)


def _on_scale(scale: Scale, values: np.ndarray) -> str:
    text = f"on one scale for all steps, {scale.low:g} to {scale.high:g}; {scale.outside(values):,} of "
    return text + f"{values.size:,} are clipped.{missing('values', values)}"


def _tell(report: Report | None, done: int, total: int) -> None:
    if report is not None:
        report(done, total)
