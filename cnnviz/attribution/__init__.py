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
    "gradient": "cnnviz.attribution.methods.gradient:Gradient",
    "input_x_gradient": "cnnviz.attribution.methods.input_x_gradient:InputXGradient",
    "smooth_grad": "cnnviz.attribution.methods.smooth_grad:SmoothGrad",
    "square_grad": "cnnviz.attribution.methods.square_grad:SquareGrad",
    "var_grad": "cnnviz.attribution.methods.var_grad:VarGrad",
    "integrated_gradients": "cnnviz.attribution.methods.integrated_gradients:IntegratedGradients",
    "expected_gradients": "cnnviz.attribution.methods.expected_gradients:ExpectedGradients",
    "blur_ig": "cnnviz.attribution.methods.blur_ig:BlurIG",
    "guided_ig": "cnnviz.attribution.methods.guided_ig:GuidedIG",
    "cam": "cnnviz.attribution.methods.cam:CAM",
    "grad_cam": "cnnviz.attribution.methods.grad_cam:GradCAM",
    "grad_cam_pp": "cnnviz.attribution.methods.grad_cam_pp:GradCAMPP",
    "hires_cam": "cnnviz.attribution.methods.hires_cam:HiResCAM",
    "xgrad_cam": "cnnviz.attribution.methods.xgrad_cam:XGradCAM",
    "layer_cam": "cnnviz.attribution.methods.layer_cam:LayerCAM",
    "elementwise_cam": "cnnviz.attribution.methods.elementwise_cam:ElementwiseCAM",
    "score_cam": "cnnviz.attribution.methods.score_cam:ScoreCAM",
    "ablation_cam": "cnnviz.attribution.methods.ablation_cam:AblationCAM",
    "eigen_cam": "cnnviz.attribution.methods.eigen_cam:EigenCAM",
    "eigen_grad_cam": "cnnviz.attribution.methods.eigen_grad_cam:EigenGradCAM",
    "guided_backprop": "cnnviz.attribution.methods.guided_backprop:GuidedBackprop",
    "deconvnet": "cnnviz.attribution.methods.deconvnet:Deconvnet",
    "guided_grad_cam": "cnnviz.attribution.methods.guided_grad_cam:GuidedGradCAM",
    "lrp": "cnnviz.attribution.methods.lrp:LRP",
    "lrp_zero": "cnnviz.attribution.methods.lrp:Zero",
    "lrp_epsilon": "cnnviz.attribution.methods.lrp:Epsilon",
    "lrp_epsilon_plus": "cnnviz.attribution.methods.lrp:EpsilonPlus",
    "lrp_epsilon_plus_flat": "cnnviz.attribution.methods.lrp:EpsilonPlusFlat",
    "lrp_epsilon_alpha2_beta1": "cnnviz.attribution.methods.lrp:EpsilonAlpha2Beta1",
    "lrp_epsilon_alpha2_beta1_flat": "cnnviz.attribution.methods.lrp:EpsilonAlpha2Beta1Flat",
    "lrp_epsilon_gamma_box": "cnnviz.attribution.methods.lrp:EpsilonGammaBox",
    "deep_lift": "cnnviz.attribution.methods.deep_lift:DeepLIFT",
    "deep_lift_shap": "cnnviz.attribution.methods.deep_lift_shap:DeepLIFTSHAP",
    "excitation_backprop": "cnnviz.attribution.methods.excitation_backprop:ExcitationBackprop",
    "full_grad": "cnnviz.attribution.methods.full_grad:FullGrad",
    "layer_gradient_x_activation": "cnnviz.attribution.methods.layer_gradient_x_activation:LayerGradientXActivation",
    "layer_integrated_gradients": "cnnviz.attribution.methods.layer_integrated_gradients:LayerIntegratedGradients",
    "layer_conductance": "cnnviz.attribution.methods.layer_conductance:LayerConductance",
    "internal_influence": "cnnviz.attribution.methods.internal_influence:InternalInfluence",
    "neuron_gradient": "cnnviz.attribution.methods.neuron_gradient:NeuronGradient",
}

_HOMES = {"Attribution": "explain", "attribute": "explain", "build": "explain", "suite": "explain", "Unit": "targets"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.attribution.{_HOMES[name]}"), name)
