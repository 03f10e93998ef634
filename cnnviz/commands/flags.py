"""`--no-flip`: options that are yes, no or unset, so that no can override the yes of a recipe or a file."""

from collections.abc import Sequence
from dataclasses import fields

from cnnviz.errors import InputError


def negated(options: type, arguments: Sequence[str]) -> tuple[list[str], dict[str, bool]]:
    """The arguments without those like `--no-flip`, and the fields, of type bool | None, that they set to False.

    Raises InputError if an option is given as yes and as no.
    """
    names = {f"--no-{f.name.replace('_', '-')}": f.name for f in fields(options) if f.type == bool | None}
    spelled = [argument.replace("_", "-") if argument.startswith("--no") else argument for argument in arguments]
    given = {argument: names[argument] for argument in spelled if argument in names}
    for no in given:
        if (yes := no.replace("--no-", "--")) in arguments:
            raise InputError(f"{yes} and {no} do not go together: leave one of them out.")
    return [argument for argument in spelled if argument not in names], dict.fromkeys(given.values(), False)
