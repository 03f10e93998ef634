"""How each picture of a page is made again: the command, and the expression in Python."""

import shlex
from collections.abc import Mapping, Sequence

from cnnviz.networks import Net


def again(
    kinds: Mapping[str, str], nets: Sequence[Net], places: Sequence[str], program: str
) -> dict[str, dict[str, str]]:
    """For each kind of picture, by its "module:Class", the "command" of `program` and the "python" that draw it.

    `places` are what the networks were opened from.
    """
    opened = ", ".join(f"networks.open({place!r})" for place in places)
    dataset = next((net.dataset for net in nets if net.dataset), "")
    shown = f"Data(lambda: data.load({dataset!r}))" if dataset else "Data()"
    found = {}
    for name, where in kinds.items():
        module, _, kind = where.partition(":")
        lines = ["from cnnviz import data, networks", "from cnnviz.pictures.picture import Data"]
        lines += [f"from {module} import {kind}", f"pictures = {kind}()([{opened}], {shown})"]
        found[name] = {"command": shlex.join([*program.split(), name, *places]), "python": "\n".join(lines)}
    return found
