"""The options that a class declares, read from its source, so that help and refusals do not wait for JAX."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

# The types of options by their names in the source; a class with other ones is imported.
TYPES: dict[str, Any] = {kind.__name__: kind for kind in (bool, int, float, str, Path)}


PACKAGE = Path(__file__).parents[1]


class NotStatic(Exception):
    """A class whose options cannot be told from its source alone."""


@dataclass(frozen=True)
class Declared:
    """One option as it stands in the source: its name, type, default value and docstring."""

    name: str
    type: ast.expr
    default: ast.expr | None
    text: str
    module: str

    @property
    def is_filled_in(self) -> bool:
        """Whether the field is no option (`attribution.shapes.filled_in`)."""
        return isinstance(self.default, ast.Call) and ast.unparse(self.default.func) == "filled_in"

    @property
    def is_flag(self) -> bool:
        """Whether the option takes no value."""
        return ast.unparse(self.type) == "bool"


def fields_of(path: str) -> dict[str, Declared]:
    """The options of the class `module:Class` by name, those of its bases first."""
    found: dict[str, Declared] = {}
    for module, definition in reversed(list(_lineage(*path.split(":")))):
        for statement, after in zip(definition.body, [*definition.body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign) and _is_field(statement) and isinstance(statement.target, ast.Name):
                name, text = statement.target.id, _string(after)
                found[name] = Declared(name, statement.annotation, statement.value, text, module)
    return found


def constant(path: str, name: str) -> Any:
    """What the class `module:Class`, or the nearest of its bases that has it, says a ClassVar is; None without one."""
    for module, definition in _lineage(*path.split(":")):
        for statement in definition.body:
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name and statement.value:
                return _literal(statement.value, module)
    return None


def texts_of(options: type) -> dict[str, str]:
    """The docstring of every option of a dataclass, whichever of its bases declares it."""
    texts: dict[str, str] = {}
    for kind in reversed(options.__mro__):
        if "TEXTS" in vars(kind):
            texts |= vars(kind)["TEXTS"]
        elif _definition(kind.__module__, kind.__name__):
            texts |= {name: option.text for name, option in fields_of(f"{kind.__module__}:{kind.__name__}").items()}
    return texts


def static(path: str, base: type, declared: Mapping[str, Declared] | None = None) -> type:
    """A dataclass with the options of the class `module:Class` and of `base`, made without importing the module.

    `declared` are the options if they are more than those of the class. The docstring is that of the class. Raises
    NotStatic if a type or a default value is more than a literal.
    """
    module, name = path.split(":")
    declared = fields_of(path) if declared is None else declared
    made = [(one.name, _type_of(one.type), field(default=_value_of(one))) for one in declared.values()]
    definition = _definition(module, name)
    texts = {name: one.text for name, one in declared.items()}
    doc = ast.get_docstring(definition) if definition else ""
    return make_dataclass(name, made, bases=(base,), namespace={"__doc__": doc, "TEXTS": texts}, frozen=True)


def kind_of(hint: Any) -> type:
    """The type of an option's values, where None only says that it is not set: int of `int | None`.

    A tuple, as of an option that may be typed several times, is `tuple`.
    """
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = next(kind for kind in kinds if kind is not NoneType)
    return kind_of(get_args(kind)[0]) if hasattr(kind, "__metadata__") else get_origin(kind) or kind


def first_line(path: str) -> str:
    """The first line of the docstring of a module."""
    return (ast.get_docstring(_parsed(path.partition(":")[0])) or "").partition("\n")[0]


def listed(module: str, name: str) -> tuple[str, ...]:
    """The texts in a tuple, or those that are keys of a dict, which a module assigns to a name; else an empty tuple."""
    value = _assignments(module).get(name)
    entries = value.keys if isinstance(value, ast.Dict) else value.elts if isinstance(value, ast.Tuple) else ()
    found = (_literal(entry, module) for entry in entries if isinstance(entry, ast.Constant | ast.Name))
    return tuple(entry for entry in found if isinstance(entry, str))


def paths_in(module: str, name: str) -> dict[str, str]:
    """The entries of a registry that are paths `module:Class`, as its source has them."""
    value = _assignments(module).get(name)
    pairs = zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ()
    found = ((key, path) for key, path in pairs if isinstance(key, ast.Constant) and isinstance(path, ast.Constant))
    return {str(key.value): str(path.value) for key, path in found}


def _is_field(statement: ast.AnnAssign) -> bool:
    return not ast.unparse(statement.annotation).startswith("ClassVar")


def _lineage(module: str, name: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """The definition of a class and of its bases, as far as they are written in this package, in their order."""
    if (definition := _definition(module, name)) is None:
        return
    yield module, definition
    for base in definition.bases:
        if isinstance(base, ast.Name):
            yield from _lineage(*_origin(module, base.id))


def _origin(module: str, name: str) -> tuple[str, str]:
    """The module that a name is imported from, and its name there; or else the module itself and the name."""
    imports = (node for node in _parsed(module).body if isinstance(node, ast.ImportFrom) and node.module)
    pairs = ((str(node.module), alias) for node in imports for alias in node.names)
    found = ((origin, alias.name) for origin, alias in pairs if name == (alias.asname or alias.name))
    return next(found, (module, name))


def _definition(module: str, name: str) -> ast.ClassDef | None:
    if not module.startswith("cnnviz."):
        return None
    classes = (node for node in _parsed(module).body if isinstance(node, ast.ClassDef))
    return next((node for node in classes if node.name == name), None)


@cache
def _parsed(module: str) -> ast.Module:
    place = _place(module)
    return ast.parse(place.read_text(encoding="utf-8") if place else "")


def _place(module: str) -> Path | None:
    """The file of a module; of one of ours it is found without importing the packages that it is in."""
    package, *names = module.split(".")
    if package != PACKAGE.name:
        spec = find_spec(module)
        return Path(spec.origin) if spec and spec.origin else None
    path = PACKAGE.joinpath(*names)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _string(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return cleandoc(str(statement.value.value))
    return ""


def _type_of(annotation: ast.expr) -> Any:
    match annotation:
        case ast.Name(id=name) if name in TYPES:
            return TYPES[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type_of(left) | _type_of(right)
    raise NotStatic(ast.unparse(annotation))


def _value_of(option: Declared) -> Any:
    if option.default is None:
        raise NotStatic(option.name)
    return _literal(option.default, option.module)


def _literal(value: ast.expr, module: str) -> Any:
    """The value of a literal, or of a name for one in the module or where it is imported from."""
    if isinstance(value, ast.Name):
        origin, name = _origin(module, value.id)
        if assigned := _assignments(origin).get(name):
            return _literal(assigned, origin)
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError) as error:
        raise NotStatic(ast.unparse(value)) from error


@cache
def _assignments(module: str) -> dict[str, ast.expr]:
    """What a module assigns to each name; `A, B = 1, 2` assigns to two."""
    found: dict[str, ast.expr] = {}
    for statement in _parsed(module).body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                found |= {
                    name.id: value for name, value in zip(names, values, strict=False) if isinstance(name, ast.Name)
                }
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found
