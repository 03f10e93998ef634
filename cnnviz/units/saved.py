"""What was found of a layer's units as named arrays, as files keep them, and back."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_origin

import numpy as np

from cnnviz.units.summary import Top

NESTED = {"top": Top}  # fields that are dataclasses themselves


def arrays_of(found: Any) -> dict[str, np.ndarray]:
    """The fields of a dataclass as arrays by their names; those that are None are left out."""
    arrays: dict[str, np.ndarray] = {}
    for field in fields(found):
        value = getattr(found, field.name)
        if is_dataclass(value):
            arrays |= {f"{field.name}.{name}": array for name, array in arrays_of(value).items()}
        elif value is not None:
            arrays[field.name] = np.asarray(value)
    return arrays


def from_arrays(kind: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The dataclass whose fields these are."""
    made: dict[str, Any] = {}
    for field in fields(kind):
        inside = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{field.name}.")}
        if inside:
            made[field.name] = from_arrays(NESTED[field.name], inside)
        elif field.name in arrays:
            array = arrays[field.name]
            own = array.item() if array.ndim == 0 else array
            made[field.name] = tuple(array.tolist()) if get_origin(field.type) is tuple else own
    return kind(**made)
