"""Paths in the home directory, which users in a container may not have."""

from pathlib import Path

from cnnviz.errors import InputError


def expanded(path: str | Path) -> Path | None:
    """The path with its `~` replaced by the home directory; None if there is no home directory."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # HOME is not set, and the system does not know the user's number
        return None


def data_folder(data_dir: str | Path | None) -> Path | None:
    """The folder of --data-dir, in which data sets are looked for first, if one was named.

    Raises InputError if it is no folder.
    """
    if data_dir is None:
        return None
    if (path := expanded(data_dir)) and path.is_dir():
        return path
    if path and path.exists():
        raise InputError(f"{data_dir} is a file; --data-dir must be a folder.")
    raise InputError(f"The folder {data_dir} does not exist; --data-dir must be an existing one.")
