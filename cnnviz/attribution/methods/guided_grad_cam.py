"""Guided backpropagation times Grad-CAM."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from cnnviz.attribution.layers import Layers, Place
from cnnviz.attribution.methods.grad_cam import GradCAM
from cnnviz.attribution.methods.guided_backprop import GuidedBackprop
from cnnviz.attribution.present import fused, upsampled
from cnnviz.attribution.shapes import Direct, Raw, method
from cnnviz.types import Image, Score


@method
class GuidedGradCAM(Direct):
    """Guided backpropagation times Grad-CAM of `layers`, upsampled bilinearly to the image's size.

    Where Grad-CAM is zero, so is this. Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks,
    section 3.2 (arXiv:1610.02391).
    """

    layers: Layers = None

    rewritten = False

    def fitted_to(self, places: Sequence[Place], image_shape: tuple[int, ...]) -> Any:
        return replace(self, layers=GradCAM(layers=self.layers).fitted_to(places, image_shape).layers)

    def __call__(self, score: Score, image: Image) -> Raw:
        maps = GradCAM(layers=self.layers)(score, image)
        cam = fused([upsampled(found, image.shape[:-1], "bilinear") for found in jax.tree.leaves(maps)])
        return jnp.asarray(GuidedBackprop()(score, image)) * jnp.expand_dims(cam, -1)
