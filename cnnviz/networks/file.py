"""Networks from files of other frameworks, each with freshly drawn variables as its untrained twin."""

from pathlib import Path

from cnnviz.interop import READERS, load_keras
from cnnviz.networks.model import of_model
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.registry import resolve


def read(path: Path, seed: int = 0, weights: Path | None = None) -> Net:
    """The network in a file, read by the reader for its suffix; `seed` is the seed of the untrained twin.

    `weights` is a file of weights alone, for a model of Keras in `path`, which may then be JSON. Raises InputError if
    there is no reader for the suffix or a file cannot be read.
    """
    if weights is None:
        model, variables = resolve(READERS, path.suffix, "reader")(path)
    else:
        model, variables = load_keras(path, weights)
    prepare = Prepare(scale=getattr(model, "pixel_scale", Prepare.scale))
    return of_model(model, variables, image_shape=model.input_shapes, prepare=prepare, name=path.stem, seed=seed)
