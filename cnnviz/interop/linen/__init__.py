"""Imported layers as Flax Linen modules, in the terms of Keras."""
