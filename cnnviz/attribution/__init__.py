"""METHODS: ways to say what in an image a network's answer rests on, and `attribute`, which runs them.

Each is one file, written for one image over a `Score`; what they are called with is loaded when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz.attribution.explain import Attribution as Attribution
    from cnnviz.attribution.explain import attribute as attribute
    from cnnviz.attribution.explain import build as build
    from cnnviz.attribution.explain import suite as suite
    from cnnviz.attribution.targets import Unit as Unit

METHODS = {
    "gradient": "cnnviz.attribution.gradient:Gradient",
    "smooth_grad": "cnnviz.attribution.smooth_grad:SmoothGrad",
    "integrated_gradients": "cnnviz.attribution.integrated_gradients:IntegratedGradients",
    "guided_ig": "cnnviz.attribution.guided_ig:GuidedIG",
    "grad_cam": "cnnviz.attribution.grad_cam:GradCAM",
}

_HOMES = {"Attribution": "explain", "attribute": "explain", "build": "explain", "suite": "explain", "Unit": "targets"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.attribution.{_HOMES[name]}"), name)
