"""KINDS: a class for each name that Keras has for a layer, so that lists of layers show the names that people know.

Keras names a layer by its number of spatial axes (`Conv1D`, `Conv2D`) and by what it does in training (`RandomFlip`,
`GaussianNoise`), which are one class here.
"""

import flax.linen as nn

from cnnviz.interop.linen import convolution, pooling, regularization, reshaping
from cnnviz.interop.linen.merging import Merge

RANKED = {
    "Conv{}D": (convolution.Conv, (1, 2, 3)),
    "DepthwiseConv{}D": (convolution.DepthwiseConv, (1, 2)),
    "SeparableConv{}D": (convolution.SeparableConv, (1, 2)),
    "Conv{}DTranspose": (convolution.ConvTranspose, (1, 2, 3)),
    "MaxPooling{}D": (pooling.MaxPooling, (1, 2, 3)),
    "AveragePooling{}D": (pooling.AveragePooling, (1, 2, 3)),
    "GlobalMaxPooling{}D": (pooling.GlobalMaxPooling, (1, 2, 3)),
    "GlobalAveragePooling{}D": (pooling.GlobalAveragePooling, (1, 2, 3)),
    "ZeroPadding{}D": (reshaping.ZeroPadding, (1, 2, 3)),
    "Cropping{}D": (reshaping.Cropping, (1, 2, 3)),
    "UpSampling{}D": (reshaping.UpSampling, (1, 2, 3)),
}
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
RANDOM = (
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
    *("RandomHue", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomColorJitter", "RandomErasing"),
    *("RandomColorDegeneration", "RandomGaussianBlur", "RandomGrayscale", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomElasticTransform", "RandomHeight", "RandomWidth", "MixUp", "CutMix"),
    *("RandAugment", "AugMix", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"),
    *("SpatialDropout2D", "SpatialDropout3D", "StochasticDepth"),
)
UNCHANGED = ("Identity", "ActivityRegularization")


def named(name: str, base: type[nn.Module]) -> type[nn.Module]:
    """A class that differs from its base in its name only."""
    return type(name, (base,), {"__doc__": base.__doc__, "__module__": __name__})


KINDS = {
    **{form.format(n): named(form.format(n), base) for form, (base, ranks) in RANKED.items() for n in ranks},
    **{name: named(name, Merge) for name in MERGES},
    **{name: named(name, regularization.Identity) for name in (*RANDOM, *UNCHANGED)},
}
