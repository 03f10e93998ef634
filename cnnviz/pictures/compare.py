"""Networks side by side, in every part that applies: how right they are, what differs, and how sure that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cnnviz.batching import Report, part
from cnnviz.data import Unavailable
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.pictures.compared import PARTS
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped
from cnnviz.registry import resolve


@dataclass(frozen=True)
class Compare(Kind):
    """Networks side by side, compare RUN RUN [RUN ...], each a run, RUN@SEED, RUN:step_N or a file."""

    others: str | None = None
    """The networks after the first, as they may be typed without this option: runs/b,runs/c@3."""
    parts: str | None = None
    """What is compared, by name with commas between (settings,performance); by default all that applies."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The pictures of all parts with their default options; raises as `Comparison` does."""
        return self.with_options({})(networks, data, report)

    def with_options(self, options: Mapping[str, Any]) -> "Comparison":
        """The parts that are asked for, with those of their options that are among `options`.

        Raises InputError for an unknown part.
        """
        names = tuple(PARTS) if self.parts is None else tuple(name.strip() for name in self.parts.split(","))
        return Comparison({name: _made(resolve(PARTS, name, "part of a comparison"), options) for name in names})


@dataclass(frozen=True)
class Comparison(Kind):
    """Parts of a comparison by name."""

    parts: Mapping[str, Kind]

    @property
    def variants(self) -> tuple[str, ...]:
        """Nothing: pictures have those of their part."""
        return ()

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The pictures of all parts; those that do not apply are said in a line.

        Raises Skipped if none applies, and InputError for an invalid option of a part.
        """
        if not networks:
            raise InputError("A comparison takes networks, and there were none.")
        told = report or (lambda done, total, what="": None)
        drawn, skipped, networks = [], [], named_apart(networks)
        for place, (name, its) in enumerate(self.parts.items()):
            try:
                pictures = its(networks, data, part(told, place, len(self.parts), name))
                drawn += [_told(picture, its) for picture in pictures]
            except (Skipped, Unavailable) as reason:
                skipped.append((name, reason))
        if not drawn:
            raise skipped[0][1] if len(skipped) == 1 else Skipped(" ".join(str(reason) for _, reason in skipped))
        for name, reason in skipped:
            data.note(f"compare: {name} is left out. {reason}")
        return drawn


def named_apart(networks: Sequence[Net]) -> list[Net]:
    """The networks with names that differ: two of one name are numbered."""
    names = [net.name for net in networks]
    numbered: dict[str, Iterator[int]] = {name: iter(range(1, 1 + names.count(name))) for name in names}
    return [
        replace(net, name=f"{net.name} [{next(numbered[net.name])}]") if names.count(net.name) > 1 else net
        for net in networks
    ]


def _told(picture: Picture, its: Kind) -> Picture:
    """The picture of a part, whose subject has the split of the images that it shows, and the part's other options."""
    split, own = getattr(its, "split", None), {"variants": its.variants} if its.variants else {}
    if split is not None and "dataset" in picture.subject:
        own["split"] = split
    return replace(picture, subject={**picture.subject, **own})


def _made(kind: type, options: Mapping[str, Any]) -> Any:
    return kind(**{field.name: options[field.name] for field in fields(kind) if field.name in options})
