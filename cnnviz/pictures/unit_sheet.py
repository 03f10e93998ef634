"""The contact sheet of a layer's units: what each responds to, and what is lost without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cnnviz import units
from cnnviz.batching import Report, part
from cnnviz.errors import check_known
from cnnviz.figures.scales import Scale, in_digits, scale_of, symmetric
from cnnviz.figures.unit_sheet import Card, unit_sheet
from cnnviz.networks import Net
from cnnviz.pictures.patch_tiles import as_pixels, as_tile, seen_in_words
from cnnviz.pictures.picture import Data, Picture
from cnnviz.pictures.unit_numbers import Numbers
from cnnviz.units.links import IMAGE, links_of
from cnnviz.units.seen import RELEVANCE, patches_in
from cnnviz.units.summary import LayerStatistics

PAGE, PAGES, PATCHES = 24, 8, 3  # units of a page, pages, and patches of a unit

# what units can be sorted by: the largest first, but for their numbers
SORTS: dict[str, Callable[["Sheet"], Any]] = {
    "unit": lambda sheet: -np.arange(sheet.numbers.count),
    "mean": lambda sheet: sheet.statistics.mean,
    "deviation": lambda sheet: sheet.statistics.deviation,
    "largest": lambda sheet: sheet.patches.values[0],
    "positive": lambda sheet: sheet.statistics.positive,
    "zero": lambda sheet: sheet.statistics.zero,
    "selectivity": lambda sheet: sheet.statistics.selectivity,
    "accuracy": lambda sheet: sheet.ablation.accuracy_lost,
    "loss": lambda sheet: sheet.ablation.loss_gained,
}

NAMES = {
    "largest": "the largest value",
    "positive": "the share of values above zero",
    "zero": "the share of zeros",
    "accuracy": "the accuracy that is lost",
    "loss": "the loss that is gained",
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """All that is known of a layer's units."""

    numbers: Numbers
    statistics: LayerStatistics
    ablation: units.Ablation
    patches: units.Patches
    sort: str

    @property
    def dead(self) -> np.ndarray:
        """Which units are never above zero."""
        return self.statistics.high <= 0

    @cached_property
    def order(self) -> Int[np.ndarray, " c"]:
        """The units in their order; those without the number come last."""
        by = np.asarray(SORTS[self.sort](self), np.float64)
        return np.argsort(np.where(np.isnan(by), np.inf, -by), kind="stable")

    @cached_property
    def kernels(self) -> Float[np.ndarray, "h w i c"] | None:
        """The kernels of a first convolution `[h w i c]`; None for any other layer, and for signals and volumes."""
        links = links_of(self.numbers.reader, self.numbers.images[:2]).before
        found = [link.kernels for link in links if link.source == IMAGE and link.convolution is not None]
        return found[0] if found and found[0].ndim == 4 and found[0].shape[2] in (1, 3) else None

    @cached_property
    def scale(self) -> Scale | None:
        """The scale of all kernels."""
        return None if self.kernels is None else symmetric(scale_of(self.kernels).high)


def sheets_of(asked: Any, net: Net, data: Data, report: Report | None) -> list[Picture]:
    """The contact sheet of the layer, a picture per page.

    Raises Skipped if there is no data set, InputError for an unknown layer or order, or a layer without channels.
    """
    check_known("order of units", asked.sort, SORTS)
    sheet = _sheet(asked, Numbers.of(asked, net, data), report)
    count = min(PAGES, -(-sheet.numbers.count // PAGE))
    return [_picture(sheet, place, count) for place in range(count)]


def _sheet(asked: Any, numbers: Numbers, report: Report | None) -> Sheet:
    statistics = numbers.statistics(part(report, 0, 3, "statistics"))
    ablation = numbers.ablation(part(report, 1, 3, "ablation"))
    top = numbers.relevant(part(report, 2, 3, "relevance")) if asked.by == RELEVANCE else statistics.top
    patches = patches_in(numbers.reader, numbers.images, numbers.layer, numbers.count, top, asked.by)
    return Sheet(numbers, statistics, ablation, patches, asked.sort)


def _picture(sheet: Sheet, place: int, pages: int) -> Picture:
    numbers = sheet.numbers
    own = sheet.order[PAGE * place : PAGE * (place + 1)]
    cards = [_card(sheet, int(unit)) for unit in own]
    tiles = max(len(card.tiles) for card in cards)
    title = f"{numbers.net.title}: units of {numbers.layer}" + (f", page {place + 1} of {pages}" if pages > 1 else "")
    draw = partial(unit_sheet, cards, tiles, sheet.scale, title=title)
    name = f"units_{numbers.layer}" + (f"_by_{sheet.sort}" if sheet.sort != "unit" else "")
    name += "_relevance" if sheet.patches.by == RELEVANCE else ""
    name += f"_{place + 1}" if pages > 1 else ""
    subject = {"network": numbers.net.name, "layer": numbers.layer, "units": own.tolist()}
    subject |= {"dataset": numbers.dataset, "split": numbers.split}
    return Picture(name, title, _caption(sheet, own), _arrays(sheet), draw, subject)


def _card(sheet: Sheet, unit: int) -> Card:
    stats, ablation, dead = sheet.statistics, sheet.ablation, bool(sheet.dead[unit])
    selectivity = float(stats.selectivity[unit])
    lost = f"{100 * ablation.accuracy_lost[unit]:.2f}%".replace("-", "−")
    lines = [
        f"mean {in_digits(float(stats.mean[unit]))}, selectivity {_digits(selectivity)}",
        f"accuracy lost without it {lost}",
    ]
    first, weights = _first(sheet, unit)
    seen = [] if dead else [as_tile(patch) for patch in sheet.patches.of(unit)[:PATCHES]]
    tiles = [*first, *seen] if sheet.numbers.images.ndim > 2 else []
    name = sheet.numbers.named(sheet.numbers.layer, unit)
    return Card(unit, [tile for tile in tiles if tile is not None], lines, weights, "dead" if dead else "", name)


def _first(sheet: Sheet, unit: int) -> tuple[Sequence[Any], bool]:
    """The kernel of a first convolution, on the scale of all if it has one channel; else the mean of the patches."""
    if sheet.kernels is not None and sheet.scale is not None:
        kernel = sheet.kernels[..., unit]
        if kernel.shape[-1] == 1:
            return [kernel[..., 0]], True
        return [np.uint8(255 * np.clip((kernel - sheet.scale.low) / (2 * sheet.scale.high), 0, 1))], False
    dead = bool(sheet.dead[unit])
    return ([] if dead else [as_tile(as_pixels(sheet.patches.mean(unit)))]), False


def _digits(number: float) -> str:
    return "none" if np.isnan(number) else f"{number:.2f}"


def _arrays(sheet: Sheet) -> dict[str, np.ndarray]:
    """The numbers of all units in the order of the sheet, those of pages that are not drawn too."""
    stats, order, patches = sheet.statistics, sheet.order, sheet.patches
    names = ("mean", "deviation", "low", "high", "zero", "positive", "selectivity")
    found = {"unit": order, **{name: np.asarray(getattr(stats, name))[order] for name in names}}
    found |= {"dead": sheet.dead[order], "class_means": stats.class_means.T[order]}
    found |= {name: getattr(sheet.ablation, name)[order] for name in ("accuracy_lost", "loss_gained")}
    found |= {f"top_{name}": getattr(patches, name)[:, order] for name in ("images", "values", "places")}
    return found | {"top_windows": patches.windows[:, order]}


def _caption(sheet: Sheet, own: Int[np.ndarray, " u"]) -> str:
    numbers, count, ends = sheet.numbers, sheet.numbers.count, sheet.scale
    first = f"the mean of its {numbers.shown} top patches weighted by {sheet.patches.by}"
    if ends is not None:
        first = f"its kernel (weights from {in_digits(ends.low)} to {in_digits(ends.high)})"
    most = "are the most relevant for the predicted class" if sheet.patches.by == RELEVANCE else "are the largest"
    words = [f"Of each unit {first}, and what it saw in the {PATCHES} images where its values {most}."]
    words.append(seen_in_words(sheet.patches))
    words.append(
        f"Below: its mean, its class selectivity (0 to 1), and the accuracy that is lost when it is set to zero, of "
        f"{100 * sheet.ablation.accuracy:.2f}% over {len(numbers.images):,} {numbers.split} images."
    )
    if sheet.sort != "unit":
        words.append(f"Sorted by {NAMES.get(sheet.sort, sheet.sort)}, the largest first.")
    if count > PAGE * PAGES:
        words.append(f"Drawn are the first {PAGE * PAGES} of {count:,} units; --data writes the numbers of all.")
    if dead := int(sheet.dead.sum()):
        words.append(
            f"{dead} of {count:,} units {'is' if dead == 1 else 'are'} dead: never above zero on these images."
        )
    return " ".join(words)
