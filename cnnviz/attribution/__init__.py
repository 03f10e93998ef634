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
    "guided_backprop": "cnnviz.attribution.guided_backprop:GuidedBackprop",
    "deconvnet": "cnnviz.attribution.deconvnet:Deconvnet",
    "guided_grad_cam": "cnnviz.attribution.guided_grad_cam:GuidedGradCAM",
    "lrp": "cnnviz.attribution.lrp:LRP",
    "lrp_zero": "cnnviz.attribution.lrp:Zero",
    "lrp_epsilon": "cnnviz.attribution.lrp:Epsilon",
    "lrp_epsilon_plus": "cnnviz.attribution.lrp:EpsilonPlus",
    "lrp_epsilon_plus_flat": "cnnviz.attribution.lrp:EpsilonPlusFlat",
    "lrp_epsilon_alpha2_beta1": "cnnviz.attribution.lrp:EpsilonAlpha2Beta1",
    "lrp_epsilon_alpha2_beta1_flat": "cnnviz.attribution.lrp:EpsilonAlpha2Beta1Flat",
    "lrp_epsilon_gamma_box": "cnnviz.attribution.lrp:EpsilonGammaBox",
    "deep_lift": "cnnviz.attribution.deep_lift:DeepLIFT",
    "deep_lift_shap": "cnnviz.attribution.deep_lift_shap:DeepLIFTSHAP",
    "excitation_backprop": "cnnviz.attribution.excitation_backprop:ExcitationBackprop",
    "full_grad": "cnnviz.attribution.full_grad:FullGrad",
}

_HOMES = {"Attribution": "explain", "attribute": "explain", "build": "explain", "suite": "explain", "Unit": "targets"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.attribution.{_HOMES[name]}"), name)
