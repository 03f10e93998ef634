"""Propagation rules against zennit and Captum, on the default network and a residual one with BatchNorm, in one run.

For each method: the largest difference of 64 maps, as a share of the peer's largest value; the time of cnnviz and of
the peer, compiling apart; and their ratio. It needs PyTorch, captum and zennit.

python benchmarks/propagation.py [KERAS_FILE]
"""

# pyright: reportMissingImports=false

import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import captum.attr
import jax
import jax.numpy as jnp
import numpy as np
import torch
import zennit.composites
import zennit.rules
from captum.attr._utils.lrp_rules import EpsilonRule
from residual import Residual
from turns import take_turns, timed
from twin import twin
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite, layer_map_base
from zennit.layer import Sum
from zennit.types import Linear

from cnnviz.attribution import attribute
from cnnviz.attribution.methods.lrp import LRP
from cnnviz.interop import load_keras
from cnnviz.models.cnn import CNN
from cnnviz.models.resnet import ResNet
from cnnviz.propagation import lrp
from cnnviz.propagation.composites import layer

IMAGES = 64
Peer = Callable[[Any, Any, Any], Any]  # (network, images, targets) -> values, in PyTorch


class Apart(torch.nn.Module):
    """The same values in another tensor."""

    def forward(self, x):
        return x.clone()


def apart(network: Any) -> Any:
    """The network with nothing between a ReLU and a max-pool but another tensor.

    Captum 0.9 hooks a ReLU's output and a pool's input; where they are one tensor, the ReLU's hook comes first and the
    pool's rule is lost: DeepLIFT's values then no longer sum to the difference of the scores.
    """
    parts = []
    for part in network:
        parts += [Apart(), part] if isinstance(part, torch.nn.MaxPool2d) else [part]
    return torch.nn.Sequential(*parts)


def flat(network: Any) -> Any:
    """The default network with PyTorch's own flattening, and the dense layer's weights in its order."""
    parts = dict(network.named_children())
    parts["rows"], dense = torch.nn.Flatten(), torch.nn.Linear(3136, 100)
    weight = parts["dense1"].weight.data.reshape(100, 7, 7, 64)
    dense.weight.data, dense.bias.data = weight.permute(0, 3, 1, 2).reshape(100, -1), parts["dense1"].bias.data
    return torch.nn.Sequential(*{**parts, "dense1": dense}.values()).eval()


def by_captum(name: str, network: Any, x: Any, targets: Any, **options: Any) -> Any:
    if "DeepLift" in name and isinstance(network, torch.nn.Sequential):
        network = apart(network)
    method = getattr(captum.attr, name)(network)
    return method.attribute(x.clone().requires_grad_(), target=targets, **options).detach()


def by_captum_lrp(network: Any, x: Any, targets: Any) -> Any:
    for part in network.modules():  # what Captum has no rule for
        if type(part) in (torch.nn.Flatten, torch.nn.ZeroPad2d, Sum):
            part.rule = EpsilonRule()
    return by_captum("LRP", network, x, targets)


class Merge(SequentialMergeBatchNorm):
    """zennit 0.5 leaves the merged BatchNorm its eps, so that it still divides by sqrt(1 + eps); this one does not."""

    def register(self, linears: Any, batch_norm: Any) -> None:
        super().register(linears, batch_norm)
        self.eps, batch_norm.eps = batch_norm.eps, 0.0

    def remove(self) -> None:
        super().remove()
        self.batch_norm.eps = self.eps


def by_zennit(make: Callable[..., Any], network: Any, x: Any, targets: Any, *, scored: bool = True) -> Any:
    composite = make(canonizers=[Merge()])
    chosen = torch.eye(10)[targets]
    with Gradient(model=network, composite=composite) as attributor:
        _, values = attributor(x, lambda out: out.detach() * chosen if scored else chosen)
    return values


def everywhere(rule: Any, canonizers: Any) -> Any:
    """One rule in all layers with weights."""
    return LayerMapComposite([*layer_map_base(), (Linear, rule)], canonizers=canonizers)


def in_all(rule: Any) -> Peer:
    return partial(by_zennit, partial(everywhere, rule))


composites = zennit.composites
box = partial(composites.EpsilonGammaBox, low=0.0, high=1.0)
EVERY_RULE = {
    "epsilon 0.25": (lrp.Epsilon(0.25), zennit.rules.Epsilon(0.25)),
    "gamma 0.25": (lrp.Gamma(0.25), zennit.rules.Gamma(0.25)),
    "alpha 2 beta 1": (lrp.AlphaBeta(2, 1), zennit.rules.AlphaBeta(2, 1)),
    "z+": (lrp.ZPlus(), zennit.rules.ZPlus()),
    "w^2": (lrp.WSquare(), zennit.rules.WSquare()),
    "flat": (lrp.Flat(), zennit.rules.Flat()),
}
METHODS: dict[str, tuple[Any, dict[str, Any], Peer]] = {
    "guided_backprop (Captum)": ("guided_backprop", {}, partial(by_captum, "GuidedBackprop")),
    "guided_backprop (zennit)": (
        "guided_backprop",
        {},
        partial(by_zennit, composites.GuidedBackprop, scored=False),
    ),
    "deconvnet (Captum)": ("deconvnet", {}, partial(by_captum, "Deconvolution")),
    "deconvnet (zennit)": ("deconvnet", {}, partial(by_zennit, composites.DeconvNet, scored=False)),
    "deep_lift (Captum)": ("deep_lift", {}, partial(by_captum, "DeepLift")),
    "deep_lift_shap (Captum)": ("deep_lift_shap", {}, partial(by_captum, "DeepLiftShap")),
    "lrp_epsilon (Captum's LRP)": ("lrp_zero", {}, by_captum_lrp),
    "lrp_epsilon_plus": ("lrp_epsilon_plus", {}, partial(by_zennit, composites.EpsilonPlus)),
    "lrp_epsilon_plus_flat": ("lrp_epsilon_plus_flat", {}, partial(by_zennit, composites.EpsilonPlusFlat)),
    "lrp_epsilon_alpha2_beta1": ("lrp_epsilon_alpha2_beta1", {}, partial(by_zennit, composites.EpsilonAlpha2Beta1)),
    "lrp_epsilon_alpha2_beta1_flat": (
        "lrp_epsilon_alpha2_beta1_flat",
        {},
        partial(by_zennit, composites.EpsilonAlpha2Beta1Flat),
    ),
    "lrp_epsilon_gamma_box": ("lrp_epsilon_gamma_box", {}, partial(by_zennit, box)),
    "excitation_backprop": (
        "excitation_backprop",
        {},
        partial(by_zennit, composites.ExcitationBackprop, scored=False),
    ),
    **{
        f"lrp, {name} in all layers": (LRP(composite=((layer, ours),)), {}, in_all(theirs))
        for name, (ours, theirs) in EVERY_RULE.items()
    },
}


def networks(file: str | None) -> dict[str, tuple[Any, ...]]:
    """By name: a model, its variables, the same in PyTorch, and images."""
    images = jax.random.uniform(jax.random.key(0), (IMAGES, 28, 28, 1))
    plain = load_keras(file) if file else _drawn(CNN(), images)
    residual = _drawn(ResNet(), images)
    return {
        "the Keras file" if file else "the default network": (*plain, flat(twin(*plain)), images),
        "a residual network": (*residual, Residual(residual[1], 28).eval(), images),
    }


def _drawn(model: Any, images: Any) -> tuple[Any, Any]:
    """The model with random weights, biases and statistics."""
    variables = jax.jit(model.init)(jax.random.key(0), images[:1])
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    moved = [leaf * (1 + 0.1 * jnp.abs(n)) + 0.02 * n for leaf, n in zip(leaves, noise, strict=True)]
    return model, jax.tree.unflatten(structure, moved)


def maps(name: str, network: tuple[Any, ...]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The method's maps of the network's images, by cnnviz and by the peer, each as a function to be timed."""
    method, options, peer = METHODS[name]
    model, variables, torch_network, images = network
    targets = jnp.arange(len(images)) % 10
    if method == "deep_lift_shap":
        options = {"baselines": images[-4:] / 2}
        peer = partial(cast(Any, peer), baselines=_in_torch(options["baselines"]))
    x, classes = _in_torch(images), torch.arange(len(images)) % 10

    def ours() -> Any:
        return attribute(method, model, variables, images, targets, **options).block_until_ready()

    def theirs() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peer(torch_network, x, classes).detach()

    return ours, theirs


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference, as a share of the peer's largest value."""
    theirs = theirs.numpy().sum(1)
    return float(np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max())


def _in_torch(images: Any) -> Any:
    return torch.from_numpy(np.array(images).transpose(0, 3, 1, 2).copy())


def main() -> None:
    for title, network in networks(sys.argv[1] if len(sys.argv) > 1 else None).items():
        print(f"{title}, {IMAGES} images\n{'':34s} difference   cnnviz     peer  ratio  compiling")
        for name in sys.argv[2:] or METHODS:
            ours, theirs = maps(name, network)
            compiled, gap = timed(ours) / 1e3, difference(ours(), theirs())
            one, other = take_turns(ours, theirs)
            print(
                f"{name:34s}  {gap:9.1e}  {one:6.1f} ms  {other:6.1f} ms  {other / one:5.1f}  {compiled:6.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
