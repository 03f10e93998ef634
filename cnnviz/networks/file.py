"""Networks from files of other frameworks, each with freshly drawn variables as its untrained twin."""

from pathlib import Path

from cnnviz.interop import READERS
from cnnviz.networks.model import of_model
from cnnviz.networks.net import Net
from cnnviz.registry import resolve


def read(path: Path, seed: int = 0) -> Net:
    """The network in a file, read by the reader for its suffix; `seed` is the seed of the untrained twin.

    Raises InputError if there is no reader for the suffix or the file cannot be read.
    """
    model, variables = resolve(READERS, path.suffix, "reader")(path)
    return of_model(model, variables, image_shape=model.image_shape, name=path.stem, seed=seed)
