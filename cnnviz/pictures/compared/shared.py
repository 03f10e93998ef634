"""The images that several networks see together, and which networks can take them."""

from collections.abc import Sequence

from cnnviz.data import Dataset
from cnnviz.networks import Net
from cnnviz.pictures.picture import Data, Skipped, size


def shared(networks: Sequence[Net], data: Data) -> tuple[list[Net], Dataset, str]:
    """The networks that take the images of the data set, the data set, and a sentence on those that do not.

    The sentence begins with a space, for the end of a caption; it is empty if all do. Raises Skipped if there is no
    data set, or if no network takes its images.
    """
    if (dataset := data.dataset) is None:
        raise Skipped("The networks come with no data set to show them; name one with --dataset.")
    shape = size(dataset.train.images.shape[1:])
    able = [net for net in networks if size(net.image_shape) == shape]
    others = [f"{net.name} ({size(net.image_shape)})" for net in networks if net not in able]
    if not able:
        raise Skipped(f"No network takes the images of {dataset.name}, {shape}: {', '.join(others)}.")
    said = f" Left out, since images of {dataset.name} are {shape}: {', '.join(others)}." if others else ""
    return able, dataset, said
