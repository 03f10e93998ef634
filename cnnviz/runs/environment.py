"""The environment of a run, recorded so that the run can be reproduced: versions, devices, command, revision."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax

PACKAGES = ("cnnviz", "jax", "jaxlib", "flax", "optax", "numpy")


def environment(fingerprint: str) -> dict[str, Any]:
    """Versions, devices, processor count, git revision, command line, and the data set's fingerprint."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": [device.device_kind for device in jax.devices()],
        "processors": os.cpu_count(),
        "revision": _revision(),
        "command": sys.argv,
        "dataset_fingerprint": fingerprint,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    """The git revision of the working directory, with "-dirty" if files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
