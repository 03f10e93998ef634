"""The data set whose images `visualize.py` shows to a network."""

import json
from typing import Any

from cnnviz.commands.opened import Asked
from cnnviz.commands.recorded import recorded_data
from cnnviz.errors import InputError
from cnnviz.errors.wording import size


def dataset_for(options: Any, net: Any, asked: Asked, *, by_classes: bool = True) -> Any:
    """The data set that was asked for, or the network's own, or the first that fits the model.

    A data set fits by the shape of its images and, with `by_classes`, by the number of its classes. Raises InputError
    if the data set that was asked for does not fit.
    """
    if (dataset := asked.dataset) is not None:
        if not _fits(dataset, net, by_classes):
            raise InputError(
                f"{dataset.name} does not fit: its images have the shape {dataset.train.images.shape[1:]} and "
                f"{len(dataset.classes)} classes, and {net.name} takes {tuple(net.image_shape)} and {net.class_count}."
            )
        if by_classes:
            _note_range(options, net, dataset)
        return dataset
    if net.path is None:
        return _first_fitting(options, net)
    dataset, is_same = recorded_data(net.path, {"data": net.data}, options.data_dir)
    if not is_same:
        print(f"note: {dataset.source} differs from the data that the run was trained on")
    return dataset


def _first_fitting(options: Any, net: Any) -> Any:
    from cnnviz import data

    for name in data.fitting(net.image_shape, net.class_count):
        try:
            dataset = data.load(name, options.data_dir)
        except data.Unavailable:
            continue
        if _fits(dataset, net):
            print(f"data set: {name}, from {dataset.source}: the first whose shape and class count fit")
            _note_range(options, net, dataset)
            return dataset
    sides = size(net.image_shape)
    print(f"data set: none that is known here has images of {sides} and {net.class_count} classes")
    return None


def _note_range(options: Any, net: Any, dataset: Any) -> None:
    """Prints a line if a network of unknown preparation does far better with pixels in another usual range."""
    from cnnviz.networks.ranges import better_range

    if net.path is not None or options.prepare is not None or getattr(net.model, "pixel_scale", None) == 1:
        return
    if (better := better_range(net, dataset.test.images, dataset.test.labels)) is not None:
        described = json.dumps({name: value for name, value in better.prepare.described().items() if value})
        print(
            f"note: with pixels from {better.name}, {better.right} of {better.count} test images are right, with those "
            f"from 0 to 1 that it gets {better.own}; give it the others by --prepare '{described}'"
        )


def _fits(dataset: Any, net: Any, by_classes: bool = True) -> bool:
    has_classes = not by_classes or len(dataset.classes) == net.class_count
    return has_classes and dataset.train.images.shape[1:] == tuple(net.image_shape)
