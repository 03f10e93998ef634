"""See what a convolutional network has learned: kernels, activations and what decisions rest on, for any Flax model.

Everything here is a pure function of `(variables, images)`. Names are loaded when they are first used, so that
`import cnnviz` costs next to nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_FACE = {
    "METHODS": "attribution:METHODS",
    "Run": "runs:Run",
    "Unit": "attribution:Unit",
    "activations": "probe:activations",
    "attribute": "attribution:attribute",
    "build": "attribution:build",
    "fold": "probe:fold",
    "from_nnx": "probe:from_nnx",
    "layers": "probe:layers",
    "load": "networks:open",
    "load_keras": "interop:load_keras",
    "load_run": "runs:load_run",
    "logits": "probe:logits",
    "score_of": "probe:score_of",
    "suite": "attribution:suite",
}
_ROOMS = (
    "atomic attribution batching commands comparison data errors fast figures graph interop kernels metrics "
    "models networks pictures probe propagation registry report runs training types units"
).split()

__all__ = [*_FACE, *_ROOMS, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _FACE:
        room, _, attribute = _FACE[name].partition(":")
        return getattr(import_module(f"cnnviz.{room}"), attribute)
    if name in _ROOMS:
        return import_module(f"cnnviz.{name}")
    raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
