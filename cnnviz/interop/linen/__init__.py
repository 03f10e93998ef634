"""Imported layers as Flax Linen modules, with Keras's names and conventions."""
