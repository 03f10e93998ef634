"""The images that several networks see together, which networks can take them, and what they answer."""

from collections.abc import Sequence

from cnnviz.batching import Report
from cnnviz.comparison.compare import Compared, compared
from cnnviz.data import Dataset
from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.pictures.effort import affordable
from cnnviz.pictures.picture import Data, Skipped, size, split_of


def shared(networks: Sequence[Net], data: Data) -> tuple[list[Net], Dataset, str]:
    """The networks that take the images of the data set, the data set, and a sentence on those that do not.

    The sentence begins with a space, for the end of a caption; it is empty if all do. Raises Skipped if there is no
    data set, or if no network takes its images.
    """
    if (dataset := data.dataset) is None:
        raise Skipped("The networks come with no data set to show them; name one with --dataset.")
    shape = size(dataset.train.images.shape[1:])
    able = [net for net in networks if size(net.image_shape) == shape]
    others = [f"{net.name} ({size(net.image_shape)})" for net in networks if size(net.image_shape) != shape]
    if not able:
        raise Skipped(f"No network takes the images of {dataset.title}, {shape}: {', '.join(others)}.")
    said = f" Left out, since images of {dataset.title} are {shape}: {', '.join(others)}." if others else ""
    return able, dataset, said + _trained_on(able, dataset)


def _trained_on(able: Sequence[Net], dataset: Dataset) -> str:
    """A sentence, after a space, on networks that were trained on another data set."""
    others = [net.name for net in able if net.data.get("name", dataset.name) != dataset.name]
    if others and len(others) == len(able):
        return f" None of the networks was trained on {dataset.title}."
    return f" Trained on another data set: {', '.join(others)}." if others else ""


def answered(
    networks: Sequence[Net], data: Data, split: str, report: Report | None = None
) -> tuple[Compared, Dataset, str]:
    """What the networks answer to a split, computed once for all parts; the data set; and sentences for a caption.

    Raises Skipped as `shared` does, and where no network tells classes apart or knows those of the data set.
    """
    able, dataset, said = shared(networks, data)
    part = split_of(dataset, split)
    key = ("answered", split, *map(id, networks))
    if key not in data.kept:
        if not any(net.class_count > 1 for net in able):
            raise Skipped("The networks have one output, so there are no classes to tell apart.")
        count = min(affordable(net, len(part.images), len(net.members)) for net in able)
        try:
            found = compared(able, part.images[:count], part.labels[:count], dataset.classes, report=report)
        except InputError as error:  # too few images of classes that all know: other parts can still be drawn
            raise Skipped(f"{error}{said}") from error
        data.kept[key] = found, list(networks)  # which keeps their ids theirs
    found: Compared = data.kept[key][0]
    return found, dataset, said + _notes(found, able, dataset, split, len(part.images))


def _notes(found: Compared, able: Sequence[Net], dataset: Dataset, split: str, count: int) -> str:
    """What is to be said of the images and classes, each sentence after a space."""
    notes = list(found.notes)
    if len(found.answers) < len(able) and not found.notes:
        notes.append(f"Left out, with other classes: {', '.join(net.name for net in found.left_out)}.")
    if unknown := [each.name for each in found.answers if not each.known.all()]:
        notes.append(f"Some outputs are NaN or infinite, which count as wrong: {', '.join(unknown)}.")
    shown = int(found.images.max()) + 1
    if shown < 0.9 * count and len(found.images) == shown:
        notes.append(f"Only the first {shown:,} of {count:,} {split} images were shown to networks this large.")
    if same := _alike(found):
        notes.append(same)
    return "".join(f" {note}" for note in notes)


def _alike(found: Compared) -> str:
    """A sentence on networks that give exactly the same answers; empty if there are none."""
    first, *others = found.answers
    alike = [each.name for each in others if each.p.shape == first.p.shape and (each.p == first.p).all()]
    return f"The probabilities of {' and '.join([first.name, *alike])} are exactly the same." if alike else ""
