"""Reading a Keras file, `.h5` or `.keras`: no code from the file is run, and HDF5 is read in another process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnviz.errors import InputError
from cnnviz.interop.keras.build import build
from cnnviz.interop.keras.config import parse
from cnnviz.interop.keras.expected import expected_of
from cnnviz.interop.keras.files import Contents, contents, weights_of_file
from cnnviz.interop.keras.places import Layers, places_by_class, places_by_name
from cnnviz.interop.keras.weights import read_variables, with_constants
from cnnviz.interop.keras.wiring import Wired, puts_channels_first, read_wiring
from cnnviz.interop.linen.graph import Graph
from cnnviz.interop.linen.normalization import CONSTANTS
from cnnviz.interop.linen.pixels import takes_pixels
from cnnviz.types import Variables


def load_keras(path: str | Path, weights: str | Path | None = None) -> tuple[Graph, Variables]:
    """The model and the variables of a Keras file; layers keep their names and have the same outputs as in Keras.

    The model must be a Sequential or a Functional model of the layers in `keras.layers.LAYERS`; models may be layers,
    and layers may be shared. `weights` is a file of `save_weights`, read instead of the model's own weights; `path` may
    then be the JSON of `to_json`. Weights are read as float32. A final softmax or sigmoid is kept; `probe.score_of`
    explains its input. Images have their channels last even if the file has them first. Raises InputError if a file is
    damaged or its model is not supported.
    """
    with _named(Path(path), "a Keras model"):
        found = contents(Path(path))
        model = parse(found.config, "the model's description")
        wired = read_wiring(model, found.keras)
        graph = build(wired, puts_channels_first(model))
        layers = expected_of(graph)
        if weights is None:
            return _filled(graph, wired, layers, found)
    with _named(Path(weights), "weights of Keras"):
        return _filled(graph, wired, layers, weights_of_file(Path(weights)))


def _filled(graph: Graph, wired: Wired, layers: Layers, found: Contents) -> tuple[Graph, Variables]:
    """The model and its variables; statistics of the data are the model's own, and not among the variables."""
    if found.weights is None:
        raise InputError("it describes a model and has no weights; give them in a file of their own.")
    faults: list[str] = []
    places = (places_by_name if found.by_name else places_by_class)(wired, layers, found.weights, faults)
    variables = dict(read_variables(graph, layers, places, found.weights, faults))
    graph = with_constants(graph, variables.pop(CONSTANTS, {}))
    return graph.clone(pixel_scale=1.0) if takes_pixels(graph) else graph, variables


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """Says in an InputError which file cannot be read."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path} cannot be read as {what}: {error}") from error
    except RecursionError as error:
        raise InputError(f"{path} cannot be read as {what}: its description is nested too deeply.") from error
