"""The options that any attribution method has besides its own: a layer to be at, and the channels of its maps."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from cnnviz.commands.declared import listed
from cnnviz.errors import InputError, check_known
from cnnviz.pictures.choices import ONE_MAP


def options_of_any(name: str, own: Container[str], given: Mapping[str, Any], shared: Sequence[str]) -> list[str]:
    """Those of the options `at` and `channels` that the method of this name has, whose `own` options these are.

    `shared` are those that the command takes. Raises InputError if another one is given, or an unknown way of channels.
    """
    if "at" in given and "layers" in own:
        raise InputError(f"{name} looks at layers by itself: name them as layers=..., not as at=....")
    if "channels" in given and "channels" not in shared:
        raise InputError(f"{name}: {ONE_MAP}")
    if "channels" in given:
        check_known("way to reduce channels", given["channels"], listed("cnnviz.attribution.present", "CHANNELS"))
    return [option for option in shared if option != "at" or "layers" not in own]
