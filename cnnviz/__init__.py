"""See what a convolutional network has learned: kernels, activations and what decisions rest on, for any Flax model."""

__version__ = "0.1.0"
