"""The command lines: options as frozen dataclasses, and the only place that prints."""
