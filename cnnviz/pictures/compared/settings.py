"""What differs in how networks were made: the fields of their configs that are not the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnviz.batching import Report
from cnnviz.figures.printable import signed
from cnnviz.figures.style import shortened
from cnnviz.kernels import parameter_count
from cnnviz.networks import Net
from cnnviz.pictures.picture import Data, Kind, Picture, size
from cnnviz.pictures.table_slides import tabular

LONGEST = 40  # characters of a value
WORDS = {  # what settings are called that are not named like an option
    "data.name": "data set",
    "data.fingerprint": "fingerprint of the data",
    "data.image_shape": "image shape",
    "data.limit": "limit of images",
    "data.resize": "images resized to",
    "data.skip_unreadable": "unreadable images left out",
    "prepare.scale": "scale of pixels",
    "prepare.mean": "mean of pixels",
    "prepare.deviation": "deviation of pixels",
    "model_source": "source of the model",
    "init_from.source": "weights started from",
    "init_from.redrawn": "arrays drawn anew",
}
LEFT_OUT = ("format", "keep", "track", "data.dir", "data.title", "data.classes", "recipe.seed", "seeds")


@dataclass(frozen=True)
class Settings(Kind):
    """What differs in the configs of the networks, in a table."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """One table with one row per setting that is not the same everywhere it is known, one column per network."""
        found = {net.name: settings(net) for net in networks}
        names = list(dict.fromkeys(name for own in found.values() for name in own))
        differing = [name for name in names if len({own[name] for own in found.values() if name in own}) > 1]
        known = [name for name in names if all(name in own for own in found.values())]
        bare = [net.name for net in networks if not getattr(net, "config", {})]
        header = ("setting", *found)
        rows = [(name, *(own.get(name, "–") for own in found.values())) for name in differing or names]
        title = f"{_list([net.title for net in networks])}: what differs"
        caption = _said(len(names), len(set(known) | set(differing)), len(differing))
        caption += f" How {_list(bare)} {'was' if len(bare) == 1 else 'were'} trained is not recorded." if bare else ""
        records = [dict(zip(header, row, strict=True)) for row in rows]
        words = [tuple(signed(shortened(cell, LONGEST)) for cell in row) for row in rows]
        about = "settings", title, caption, records, {"networks": list(found)}
        return [tabular(*about, header, words, total=False, table=records)]


def _said(every: int, known: int, differing: int) -> str:
    """How many settings are the same; `known` of `every` setting are those that differ or that all networks have."""
    same = f"{known - differing} other settings are the same." if differing else "All settings are the same."
    left = every - known
    were = "is not known of every network, and is" if left == 1 else "are not known of every network, and are"
    return f"{same} {left} {were} left out." if left else same


def settings(net: Net) -> dict[str, str]:
    """What is known of how a network was made, as texts: of a run its config, of others what can be seen."""
    found = {"model": type(net.model).__name__, "parameters": f"{parameter_count(net.variables):,}"}
    found |= {"images": size(net.image_shape), "classes": f"{net.class_count}"}
    config: Mapping[str, Any] = getattr(net, "config", {})
    for name, value in _flat(config):
        if name not in LEFT_OUT and name.partition(".")[0] not in LEFT_OUT:
            found[named(name)] = worded(value)
    return found | ({"seed": ", ".join(map(str, net.seeds))} if net.seeds else {})


def named(name: str) -> str:
    """What a field of a config, by its path, is called: a recipe's by its option, others in words."""
    return WORDS.get(name) or name.removeprefix("recipe.").replace("model_options.", "model's ")


def worded(value: Any) -> str:
    """A setting as text: yes or no, a number in six digits, and "none" where nothing is set."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, list | tuple):
        return ", ".join(map(worded, value or [])) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
