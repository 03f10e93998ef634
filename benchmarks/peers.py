"""What Captum and pytorch-grad-cam give for the same network and images, method by method, in cnnviz's layout.

A reference is `(network, images, classes) -> array`, with what cnnviz must be asked for to give the same; where a
method draws at random, the reference's draws are handed to ours.
"""

# pyright: reportMissingImports=false

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from cnnviz.attribution import METHODS, attribute
from cnnviz.attribution.methods.expected_gradients import ExpectedGradients
from cnnviz.attribution.methods.smooth_grad import SmoothGrad
from cnnviz.attribution.methods.square_grad import SquareGrad
from cnnviz.attribution.methods.var_grad import VarGrad
from cnnviz.attribution.present import scaled, upsampled
from cnnviz.attribution.shapes import arrays, method

SAMPLES, NOISE = 10, 0.15
RAW = {"channels": "keep", "upsampling": None}
CAMS = [name for name in METHODS if name.endswith(("cam", "cam_pp"))]  # "keep" is one map per channel of the layer


@dataclass(frozen=True)
class Peer:
    """A reference for the method `name`; `note` says why a difference is none, where there is one."""

    name: str
    library: str
    theirs: Callable[[Any, Any, Any], np.ndarray]
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    scaled: bool = False  # theirs is scaled from 0 to 1 and brought to the image's size
    ours: Callable[..., Any] | None = None  # with the reference's draws, which it made before

    def timed(self, network: Any, x: Any, y: Any) -> np.ndarray:
        """The reference as it is timed: a random one with 50 samples, as many as integrated gradients has steps."""
        return (
            self.theirs(network, x, y)
            if self.ours is None or self.name not in FIFTY
            else FIFTY[self.name](network, x, y)
        )

    def difference(self, network: Any, model: Any, variables: Any, images: np.ndarray, classes: np.ndarray) -> float:
        """The largest difference over the largest value of the reference, of the image where that is greatest."""
        theirs = self.theirs(network, *as_torch(images, classes))
        given = (self.name, model, variables, images, classes)
        raw = RAW if self.name not in CAMS else {**RAW, "channels": None}
        ours = np.asarray(self.ours(*given) if self.ours else attribute(*given, **raw, **self.options))
        if self.scaled:
            ours = jax.vmap(lambda maps: scaled(upsampled(scaled(maps), images.shape[1:3], "bilinear")))(ours)
        axes = tuple(range(1, ours.ndim))
        largest = np.maximum(np.abs(theirs).max(axes), 1e-30)
        return float((np.abs(ours - theirs).max(axes) / largest).max())


def as_torch(images: np.ndarray, classes: np.ndarray) -> tuple[Any, Any]:
    import torch

    x = np.ascontiguousarray(np.asarray(images).transpose(0, 3, 1, 2))
    return torch.from_numpy(x), torch.from_numpy(np.array(classes, np.int64))


def captum(name: str, kind: str, *, options: Mapping[str, Any] | None = None, note: str = "", **arguments: Any) -> Peer:
    """A method of Captum that is given the network and the images."""

    def theirs(network, x, y):
        import captum.attr

        return pixels(getattr(captum.attr, kind)(network).attribute(x, target=y, **arguments))

    return Peer(name, "captum", theirs, options or {}, note)


def captum_layer(name: str, kind: str, *, options: Mapping[str, Any] | None = None, **arguments: Any) -> Peer:
    """A method of Captum that is given a layer too: relu2."""

    def theirs(network, x, y):
        import captum.attr

        return pixels(getattr(captum.attr, kind)(network, network.relu2).attribute(x, target=y, **arguments))

    return Peer(name, "captum", theirs, options or {})


def grad_cam_library(name: str, kind: str, *, options: Mapping[str, Any] | None = None, note: str = "") -> Peer:
    """A method of pytorch-grad-cam at relu2: a map scaled from 0 to 1 at the image's size."""

    def theirs(network, x, y):
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        copy = deepcopy(network)  # AblationCAM leaves a layer of its own in it
        with getattr(pytorch_grad_cam, kind)(copy, [copy.relu2]) as method:
            return method(x, [ClassifierOutputTarget(int(target)) for target in y])

    return Peer(name, "pytorch-grad-cam", theirs, options or {}, note, scaled=True)


def pixels(values: Any) -> np.ndarray:
    """[n c h w] of PyTorch as [n h w c]."""
    return values.detach().cpu().numpy().transpose(0, 2, 3, 1)


def neuron_gradient() -> Peer:
    """Of the unit of relu2 that is most active in all images together."""
    units: list[tuple[int, ...]] = []

    def theirs(network, x, y):
        from captum.attr import NeuronGradient

        activity = network[:5](x).detach().cpu().numpy().sum(0)
        units[:] = [tuple(int(i) for i in np.unravel_index(activity.argmax(), activity.shape))]
        return pixels(NeuronGradient(network, network.relu2).attribute(x, units[0]))

    def ours(name, model, variables, images, classes):
        c, row, column = units[0]
        return attribute(name, model, variables, images, classes, unit=(row, column, c), **RAW)

    return Peer("neuron_gradient", "captum", theirs, ours=ours)


def saliency(network, x, y):
    from captum.attr import Saliency

    return pixels(Saliency(network).attribute(x, y, abs=False))


def grad_cam_layer(network, x, y):
    from captum.attr import LayerGradCam

    return pixels(LayerGradCam(network, network.relu2).attribute(x, y, relu_attributions=True))[..., 0]


def principal_component(network, x, y, weigh: Callable[[Any, Any], Any]) -> np.ndarray:
    """Their projection of relu2 on its first component, with the greatest magnitude positive: theirs has any sign."""
    import torch
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection

    activation = network[:5](x)
    scores = network[5:](activation).gather(1, y[:, None]).sum()
    (slope,) = torch.autograd.grad(scores, activation)
    maps = get_2d_projection(weigh(activation, slope).detach().cpu().numpy())
    flip = np.abs(maps.min((1, 2))) > np.abs(maps.max((1, 2)))
    return np.maximum(np.where(flip[:, None, None], -maps, maps), 0)


def noise_tunnel(name: str, kind: str, ours: type) -> Peer:
    """Captum's NoiseTunnel around the gradient, and ours with its noise."""

    @method
    class WithTheirs(ours):
        noises: Any = arrays(default=None)

        def draw(self, key, i, image):
            return image + self.noises[i], key

    drawn = []

    def theirs(network, x, y):
        import torch
        from captum.attr import NoiseTunnel, Saliency

        torch.manual_seed(0)
        drawn[:] = [np.asarray(torch.normal(0.0, torch.full((len(x) * SAMPLES, *x.shape[1:]), NOISE)))]
        torch.manual_seed(0)
        smooth = NoiseTunnel(Saliency(network)).attribute
        return pixels(smooth(x, target=y, nt_type=kind, nt_samples=SAMPLES, stdevs=NOISE, abs=False))

    def with_theirs(name, model, variables, images, classes):
        noises = drawn[0].transpose(0, 2, 3, 1).reshape(len(images), SAMPLES, *images.shape[1:])
        methods = [WithTheirs(samples=SAMPLES, noises=own) for own in noises]
        return _one_by_one(methods, model, variables, images, classes)

    return Peer(name, "captum", theirs, ours=with_theirs)


def gradient_shap() -> Peer:
    """Captum's GradientShap, the images themselves as its baselines, and ours with its draws."""

    @method
    class WithTheirs(ExpectedGradients):
        draws: Any = arrays(default=None)

        def draw(self, key, i, image):
            reference, share = self.draws
            return image, reference[i], share[i]

    drawn = {}

    def theirs(network, x, y):
        from captum.attr import GradientShap

        choice, uniform = np.random.choice, np.random.uniform
        recorded = lambda name, draw: lambda *given: drawn.setdefault(name, draw(*given))
        drawn.clear()
        np.random.choice, np.random.uniform = recorded("choice", choice), recorded("uniform", uniform)
        try:
            return pixels(GradientShap(network).attribute(x, x, n_samples=SAMPLES, target=y))
        finally:
            np.random.choice, np.random.uniform = choice, uniform

    def with_theirs(name, model, variables, images, classes):
        references = np.asarray(images)[drawn["choice"]].reshape(len(images), SAMPLES, *images.shape[1:])
        shares = drawn["uniform"].astype(np.float32).reshape(len(images), SAMPLES)
        methods = [WithTheirs(samples=SAMPLES, draws=(r, a)) for r, a in zip(references, shares, strict=True)]
        return _one_by_one(methods, model, variables, images, classes)

    return Peer("expected_gradients", "captum", theirs, ours=with_theirs)


def _one_by_one(methods, model, variables, images, classes) -> np.ndarray:
    key, found = jax.random.key(0), []
    for i, own in enumerate(methods):
        found.append(attribute(own, model, variables, images[i : i + 1], classes[i : i + 1], key=key, channels="keep"))
    return np.concatenate(found)


def fifty_noises(kind: str) -> Callable[[Any, Any, Any], np.ndarray]:
    def run(network, x, y):
        from captum.attr import NoiseTunnel, Saliency

        smooth = NoiseTunnel(Saliency(network)).attribute
        return pixels(smooth(x, target=y, nt_type=kind, nt_samples=50, stdevs=NOISE, abs=False))

    return run


def fifty_references(network, x, y):
    from captum.attr import GradientShap

    return pixels(GradientShap(network).attribute(x, x, n_samples=50, target=y))


FIFTY = {
    "smooth_grad": fifty_noises("smoothgrad"),
    "square_grad": fifty_noises("smoothgrad_sq"),
    "var_grad": fifty_noises("vargrad"),
    "expected_gradients": fifty_references,
}
NO_EPSILON = "they add 1e-6 to a denominator of squared gradients"
STEPS = {"riemann_left": "left", "riemann_right": "right", "riemann_middle": "midpoint"}
PEERS = [
    Peer("gradient", "captum", saliency),
    captum("input_x_gradient", "InputXGradient"),
    captum("integrated_gradients", "IntegratedGradients"),
    *[
        captum("integrated_gradients", "IntegratedGradients", options={"quadrature": ours}, method=theirs)
        for theirs, ours in STEPS.items()
    ],
    captum(
        "integrated_gradients",
        "IntegratedGradients",
        options={"quadrature": "trapezoid"},
        note="their weights sum to 49/50",
        method="riemann_trapezoid",
    ),
    Peer("grad_cam", "captum", grad_cam_layer),
    captum_layer("layer_gradient_x_activation", "LayerGradientXActivation"),
    captum_layer("layer_integrated_gradients", "LayerIntegratedGradients"),
    captum_layer("layer_conductance", "LayerConductance"),
    captum_layer("internal_influence", "InternalInfluence"),
    neuron_gradient(),
    grad_cam_library("grad_cam", "GradCAM"),
    grad_cam_library("grad_cam_pp", "GradCAMPlusPlus", note=NO_EPSILON),
    grad_cam_library("hires_cam", "HiResCAM"),
    grad_cam_library("xgrad_cam", "XGradCAM"),
    grad_cam_library("layer_cam", "LayerCAM"),
    grad_cam_library("elementwise_cam", "GradCAMElementWise"),
    grad_cam_library("score_cam", "ScoreCAM", options={"mask_upsampling": "bilinear_corners"}),
    grad_cam_library("ablation_cam", "AblationCAM"),
    Peer("eigen_cam", "pytorch-grad-cam", partial(principal_component, weigh=lambda a, g: a)),
    Peer("eigen_grad_cam", "pytorch-grad-cam", partial(principal_component, weigh=lambda a, g: a * g)),
    noise_tunnel("smooth_grad", "smoothgrad", SmoothGrad),
    noise_tunnel("square_grad", "smoothgrad_sq", SquareGrad),
    noise_tunnel("var_grad", "vargrad", VarGrad),
    gradient_shap(),
]
