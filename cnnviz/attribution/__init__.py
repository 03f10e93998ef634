"""What in an image a network's answer rests on: `attribute`, `suite` and `build`, and the methods they run (METHODS).

`augmented` is the mean of a method's maps over copies of the images, and `regions` turns any maps into XRAI's regions.

Each method is also here as a class, imported when it is first used, so that its options complete in an editor:
`attribute(GradCAM(layers="relu1"), ...)` is `attribute("grad_cam", ..., layers="relu1")`.

Classes of METHODS, in its order: Gradient, InputXGradient, SmoothGrad, SquareGrad, VarGrad, IntegratedGradients,
ExpectedGradients, BlurIG, GuidedIG, CAM, GradCAM, GradCAMPP, HiResCAM, XGradCAM, LayerCAM, ElementwiseCAM, ScoreCAM,
AblationCAM, EigenCAM, EigenGradCAM, FEM, KPCACAM, RefineCAM, GuidedBackprop, Deconvnet, GuidedGradCAM, LRP, LRPZero,
LRPEpsilon, LRPEpsilonPlus, LRPEpsilonPlusFlat, LRPEpsilonAlpha2Beta1, LRPEpsilonAlpha2Beta1Flat, LRPEpsilonGammaBox,
AttnLRP, DeepLIFT, DeepLIFTSHAP, ExcitationBackprop, FullGrad, AttentionRollout, AttentionRelevance,
LayerGradientXActivation, LayerIntegratedGradients, LayerConductance, InternalInfluence, NeuronGradient, Occlusion,
FeatureAblation, FeaturePermutation, RISE, LIME, KernelSHAP, ShapleySampling, Sobol, HSIC.
"""

from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from cnnviz.attribution.methods import METHODS

if TYPE_CHECKING:
    from cnnviz.attribution.augmentation import augmented as augmented
    from cnnviz.attribution.explain import attribute as attribute
    from cnnviz.attribution.explain import build as build
    from cnnviz.attribution.explain import suite as suite
    from cnnviz.attribution.methods.ablation_cam import AblationCAM as AblationCAM
    from cnnviz.attribution.methods.attention_relevance import AttentionRelevance as AttentionRelevance
    from cnnviz.attribution.methods.attention_rollout import AttentionRollout as AttentionRollout
    from cnnviz.attribution.methods.blur_ig import BlurIG as BlurIG
    from cnnviz.attribution.methods.cam import CAM as CAM
    from cnnviz.attribution.methods.deconvnet import Deconvnet as Deconvnet
    from cnnviz.attribution.methods.deep_lift import DeepLIFT as DeepLIFT
    from cnnviz.attribution.methods.deep_lift_shap import DeepLIFTSHAP as DeepLIFTSHAP
    from cnnviz.attribution.methods.eigen_cam import EigenCAM as EigenCAM
    from cnnviz.attribution.methods.eigen_grad_cam import EigenGradCAM as EigenGradCAM
    from cnnviz.attribution.methods.elementwise_cam import ElementwiseCAM as ElementwiseCAM
    from cnnviz.attribution.methods.excitation_backprop import ExcitationBackprop as ExcitationBackprop
    from cnnviz.attribution.methods.expected_gradients import ExpectedGradients as ExpectedGradients
    from cnnviz.attribution.methods.feature_ablation import FeatureAblation as FeatureAblation
    from cnnviz.attribution.methods.feature_permutation import FeaturePermutation as FeaturePermutation
    from cnnviz.attribution.methods.fem import FEM as FEM
    from cnnviz.attribution.methods.full_grad import FullGrad as FullGrad
    from cnnviz.attribution.methods.grad_cam import GradCAM as GradCAM
    from cnnviz.attribution.methods.grad_cam_pp import GradCAMPP as GradCAMPP
    from cnnviz.attribution.methods.gradient import Gradient as Gradient
    from cnnviz.attribution.methods.guided_backprop import GuidedBackprop as GuidedBackprop
    from cnnviz.attribution.methods.guided_grad_cam import GuidedGradCAM as GuidedGradCAM
    from cnnviz.attribution.methods.guided_ig import GuidedIG as GuidedIG
    from cnnviz.attribution.methods.hires_cam import HiResCAM as HiResCAM
    from cnnviz.attribution.methods.hsic import HSIC as HSIC
    from cnnviz.attribution.methods.input_x_gradient import InputXGradient as InputXGradient
    from cnnviz.attribution.methods.integrated_gradients import IntegratedGradients as IntegratedGradients
    from cnnviz.attribution.methods.internal_influence import InternalInfluence as InternalInfluence
    from cnnviz.attribution.methods.kernel_shap import KernelSHAP as KernelSHAP
    from cnnviz.attribution.methods.kpca_cam import KPCACAM as KPCACAM
    from cnnviz.attribution.methods.layer_cam import LayerCAM as LayerCAM
    from cnnviz.attribution.methods.layer_conductance import LayerConductance as LayerConductance
    from cnnviz.attribution.methods.layer_gradient_x_activation import (
        LayerGradientXActivation as LayerGradientXActivation,
    )
    from cnnviz.attribution.methods.layer_integrated_gradients import (
        LayerIntegratedGradients as LayerIntegratedGradients,
    )
    from cnnviz.attribution.methods.lime import LIME as LIME
    from cnnviz.attribution.methods.lrp import LRP as LRP
    from cnnviz.attribution.methods.lrp import AttnLRP as AttnLRP
    from cnnviz.attribution.methods.lrp import LRPEpsilon as LRPEpsilon
    from cnnviz.attribution.methods.lrp import LRPEpsilonAlpha2Beta1 as LRPEpsilonAlpha2Beta1
    from cnnviz.attribution.methods.lrp import LRPEpsilonAlpha2Beta1Flat as LRPEpsilonAlpha2Beta1Flat
    from cnnviz.attribution.methods.lrp import LRPEpsilonGammaBox as LRPEpsilonGammaBox
    from cnnviz.attribution.methods.lrp import LRPEpsilonPlus as LRPEpsilonPlus
    from cnnviz.attribution.methods.lrp import LRPEpsilonPlusFlat as LRPEpsilonPlusFlat
    from cnnviz.attribution.methods.lrp import LRPZero as LRPZero
    from cnnviz.attribution.methods.neuron_gradient import NeuronGradient as NeuronGradient
    from cnnviz.attribution.methods.occlusion import Occlusion as Occlusion
    from cnnviz.attribution.methods.refine_cam import RefineCAM as RefineCAM
    from cnnviz.attribution.methods.rise import RISE as RISE
    from cnnviz.attribution.methods.score_cam import ScoreCAM as ScoreCAM
    from cnnviz.attribution.methods.shapley_sampling import ShapleySampling as ShapleySampling
    from cnnviz.attribution.methods.smooth_grad import SmoothGrad as SmoothGrad
    from cnnviz.attribution.methods.sobol import Sobol as Sobol
    from cnnviz.attribution.methods.square_grad import SquareGrad as SquareGrad
    from cnnviz.attribution.methods.var_grad import VarGrad as VarGrad
    from cnnviz.attribution.methods.xgrad_cam import XGradCAM as XGradCAM
    from cnnviz.attribution.present import Attribution as Attribution
    from cnnviz.attribution.region_maps import regions as regions
    from cnnviz.attribution.targets import Unit as Unit

_HOMES = {"attribute": "explain", "build": "explain", "suite": "explain", "Attribution": "present", "Unit": "targets"}
_HOMES |= {"augmented": "augmentation", "regions": "region_maps"}
_CLASSES = {path.partition(":")[2]: path for path in METHODS.values()}


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return resolve_name(_CLASSES[name])
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cnnviz.attribution.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_CLASSES})
