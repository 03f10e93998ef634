"""The commands: their options as frozen dataclasses, and everything that prints."""
