"""The layer table: every named value of a model, with its kind, shape, parameters and receptive field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from cnnviz.errors import OptionError
from cnnviz.graph import Value
from cnnviz.graph.receptive_field import receptive_fields
from cnnviz.kernels import parameter_counts
from cnnviz.probe.inputs import call_for, one_image, with_rows
from cnnviz.probe.owners import owned
from cnnviz.probe.reader import NOTHING, Call
from cnnviz.probe.trace import Trace, trace
from cnnviz.probe.variables import as_variables
from cnnviz.types import Variables, VariablesLike

COLUMNS = ("name", "kind", "shape", "parameters", "receptive_field")


@dataclass(frozen=True)
class Layer:
    """One row of a model's layer table; `shape` is that of the value for one image.

    `kind` is a module's class or an operation's name. `parameters` counts those of the module itself, so that the
    column sums to the model's. `receptive_field` is the size (h, w) of the region of pixels that one value can depend
    on: the complete image after a mean or a dense layer, None if the value does not depend on the image; of several
    inputs it is that in the first one, in their order, that the value depends on. `function` is
    the operation that made the value, "relu" for a block that ends in one, and `bends` whether it is a non-linearity.
    `aliases` are other names that the layer is found by, and `repeats` is the first row of the same value, such as the
    last layer of a block. `folded` is how many layers inside it have no row of their own.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, ...] | None
    function: str = field(default="", repr=False)
    bends: bool = field(default=False, repr=False)
    aliases: tuple[str, ...] = field(default=(), repr=False)
    repeats: str = field(default="", repr=False)
    folded: int = field(default=0, repr=False)

    @property
    def depth(self) -> int:
        """How many modules it is inside of."""
        return self.name.count("/")

    @property
    def hands_on(self) -> bool:
        """Whether its value is that of an earlier layer which is not inside of it, as of dropout in evaluation."""
        return bool(self.repeats) and not self.repeats.startswith(f"{self.name}/")


class Layers(list[Layer]):
    """Layers as a list that a notebook shows as a table, indented by depth."""

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{column.replace('_', ' ')}</th>" for column in COLUMNS)
        body = "".join(f"<tr>{''.join(_cells(layer))}</tr>" for layer in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(layer: Layer) -> Iterator[str]:
    for column in COLUMNS:
        indent = "&emsp;" * layer.depth if column == "name" else ""
        yield f"<td>{indent}{escape(_text(getattr(layer, column)))}</td>"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else "unknown" if value is None else value


def layers(
    model: Any,
    variables: VariablesLike,
    image_shape: Any,
    depth: int | None = None,
    *,
    call: Call = NOTHING,
) -> Layers:
    """Every layer of the model in order of execution, for images of a shape such as (h, w, c); nothing is computed.

    Of several inputs, `image_shape` is the same dict, tuple or list with a shape for each, or an array of one row, if
    it is not float32.

    A layer is a module's output, named by the module's path, a value that the model sows, or an operation, named by
    its module and what it is (`block1/relu`, see `probe.naming`). With `depth` what is inside more modules than that is
    folded into the outermost row, which has all its parameters. All other functions return layers in this order.
    """
    variables, images = as_variables(variables), with_rows(one_image(image_shape), 2)
    rows = _counted(trace(model, variables, images, call_for(call, 2)), variables)
    return Layers(rows if depth is None else folded(rows, depth))


def _rows(traced: Trace) -> dict[Layer, str]:
    """The rows without parameters, and the module that each is the output of."""
    fields, rows, first = _fields(traced), {}, {}
    for address in traced.addresses:
        named = traced.layers[address.name]
        shape = tuple(n for axis, n in enumerate(named.value.shape) if axis != traced.axes[address.name])
        row = Layer(address.name, named.kind, shape, 0, fields.get(named.value))
        repeats = first.setdefault(named.value, address.name)
        row = replace(row, function=named.function, bends=named.bends, aliases=address.aliases)
        row = row if repeats == address.name else replace(row, repeats=repeats)
        rows[row] = named.module or address.name.split("@")[0]
    return rows


def _fields(traced: Trace) -> dict[Value, tuple[int, ...]]:
    """The receptive field of each value, in the first of the inputs that it depends on."""
    fields: dict[Value, tuple[int, ...]] = {}
    for image in reversed(list(traced.images.values())):
        sides = range(1, len(image.shape) - 1) or range(1, len(image.shape))  # a vector's features are its one side
        fields.update(receptive_fields(traced.graph, image, tuple(sides)))
    return fields


def _counted(traced: Trace, variables: Variables) -> list[Layer]:
    """The rows with their modules' parameters; a second call, and a second iteration, adds none.

    Those of modules that have no row are in the first row that depends on them.
    """
    rows, counts = _rows(traced), parameter_counts(variables)
    own = {row.name: counts.pop(module, 0) for row, module in rows.items()}
    for array in owned(traced, variables, counts) if own else ():
        own[array.layer or _nearest(array.module, list(own))] += array.size
    return [replace(row, parameters=own[row.name]) for row in rows]


def _nearest(module: str, names: Sequence[str]) -> str:
    """The last row inside the module, or else inside the smallest module around it that has a row."""
    inside = [name for name in names if not module or f"{name.split('@')[0]}/".startswith(f"{module}/")]
    return inside[-1] if inside else _nearest(module.rpartition("/")[0], names)


def folded(rows: Sequence[Layer], depth: int) -> list[Layer]:
    """The rows inside at most `depth - 1` modules, each with the parameters of everything inside it.

    A module whose output is no array, and that has no row for it, has one like its last layer's. Raises InputError if
    `depth` is not a positive integer.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise OptionError(f"depth must be a positive integer; it was {depth!r}.")
    inside: dict[str, list[tuple[int, Layer]]] = {}
    for place in enumerate(rows):
        inside.setdefault(_outermost(place[1].name, depth), []).append(place)
    found = [place for name, group in inside.items() for place in _one_row(name, group)]
    return [row for _, row in sorted(found, key=lambda place: place[0])]


def _outermost(name: str, depth: int) -> str:
    return "/".join(name.split("@")[0].split("/")[:depth])


def _one_row(name: str, group: Sequence[tuple[int, Layer]]) -> list[tuple[int, Layer]]:
    """The rows of the calls of a module with their places, the first with the parameters of everything inside."""
    calls = [(i, row) for i, row in group if row.name.split("@")[0] == name]
    last, module = group[-1], {"name": name, "kind": "module", "function": "", "aliases": (), "repeats": ""}
    (i, first), *others = calls or [(last[0], replace(last[1], **module))]
    total = sum(row.parameters for _, row in group)
    first = replace(first, parameters=total, folded=len(group) - len(calls))
    return [(i, first), *((i, replace(row, parameters=0)) for i, row in others)]
