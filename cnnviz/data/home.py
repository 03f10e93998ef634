"""Paths in the home directory, which users in a container may not have."""

from pathlib import Path


def expanded(path: str | Path) -> Path | None:
    """The path with its `~` replaced by the home directory; None if there is no home directory."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # HOME is not set, and the system does not know the user's number
        return None
