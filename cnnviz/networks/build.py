"""A model from its name in MODELS, its options, and the data's classes and image shape."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import flax.linen as nn
import jax
from flax import nnx

from cnnviz import probe
from cnnviz.errors import InputError, unknown
from cnnviz.models import MODELS
from cnnviz.models.own import blamed
from cnnviz.probe.capture import EVALUATION
from cnnviz.probe.inputs import named_leaves, one_image
from cnnviz.registry import resolve

CLASSES = (
    "classes num_classes n_classes nb_classes class_count number_of_classes nclasses n_class num_class num_labels "
    "n_labels num_outputs n_outputs output_features out_features output_size output_dim out_dim dim_out dout outputs "
    "features"
).split()
CHANNELS = "in_channels input_channels in_features input_features in_dim input_dim din".split()
NNX_CHANNELS = [*CHANNELS, "num_channels", "n_channels", "channels"]  # of a Linen module they are its width
SHAPES = "image_shape input_shape in_shape".split()
SIDES = "image_size img_size input_size".split()
CLEAR = ("class", "label", "in_channels", "input_channels", "image_", "img_", "input_shape")  # whatever their default
SIZES, SHARES = ("classes", "width", "hidden", "channels"), ("dropout", "drop")  # options of our models
PLAIN = {"int": int, "float": float, "str": str, "bool": bool}
Parameters = Mapping[str, inspect.Parameter]


def build(
    name: str, options: Mapping[str, Any] | None = None, classes: int | None = None, image_shape: Sequence[int] = ()
) -> Any:
    """The model called `name` in MODELS with these options; NNX classes become an adapter that draws their variables.

    The number of classes, the channels and the shape of the images are passed under the names that the class has for
    them, unless an option gives them. Raises InputError for an option that the class does not take, for an argument
    that it needs and nobody gave, and if it raises.
    """
    make = resolve(MODELS, name, "model")
    given = arguments(make, name, options or {}, classes, image_shape)
    call = f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"
    draw = partial(make, **given)
    with blamed(call):
        if _takes_rngs(make):
            return probe.nnx_model(lambda key: draw(rngs=nnx.Rngs(key)))
        model = draw()
    if isinstance(model, nnx.Module):
        return probe.nnx_model(lambda key: draw())
    if not isinstance(model, nn.Module):
        raise InputError(f"{call} gives an object of type {type(model).__name__}, not a Flax module.")
    return model


def check_outputs(model: Any, name: str, classes: int, image_shape: Any) -> None:
    """Raises InputError unless the model takes images of this shape, or these inputs, and gives one logit per class."""
    images = one_image(image_shape)
    shapes = {place: tuple(row.shape[1:]) for place, row in named_leaves(images).items()}
    of_shape = ", ".join(f"{place} {shape}".strip() for place, shape in shapes.items())
    with blamed(f"{name}, called with images of shape {of_shape},"), _too_small():
        variables = jax.eval_shape(partial(probe.initial_variables, model), jax.random.key(0), images)
        shape = probe.output_shape(model, variables, image_shape)
        layers = probe.layers(model, variables, image_shape)
    if empty := next((layer for layer in layers if 0 in layer.shape), None):
        raise InputError(f"{name} is for larger images: {empty.name} leaves {empty.shape} of the shape {of_shape}.")
    if shape != (classes,):
        raise InputError(
            f"{name} gives an output of shape {shape} per image; the data's {classes} classes need ({classes},). If "
            f"an argument says how many there are, pass it by --model-options '{{\"NAME\": {classes}}}'."
        )


@contextmanager
def _too_small() -> Iterator[None]:
    """Adds a hint to a division by zero: an initializer divides by the number of a layer's inputs."""
    try:
        yield
    except ZeroDivisionError as error:
        error.args = (f"{error}; if a layer leaves no pixels, the images are too small for it",)
        raise


def arguments(
    make: Any, name: str, options: Mapping[str, Any], classes: int | None, image_shape: Sequence[int]
) -> dict[str, Any]:
    """What the class or function is called with: the options, and what the data say under the names that it has."""
    known, takes_any = parameters(make)
    for option, value in options.items():
        if option not in known and not takes_any:
            raise unknown(f"option of {name}", option, known)
        if option in known:
            _check_type(name, option, value, known[option])
            _check_size(make, name, option, value)
    given = dict(options)
    sizes = [(CLASSES, classes)]
    if image_shape:
        *sides, channels = image_shape
        sizes += [(NNX_CHANNELS if _takes_rngs(make) else CHANNELS, channels), (SHAPES, tuple(image_shape))]
        sizes += [(SIDES, sides[0] if len({*sides}) == 1 else tuple(sides))]
    for names, value in sizes:
        found = next((key for key in names if key in known and _wants(known[key], value)), None)
        if found and value is not None and not set(names) & set(options):
            given[found] = value
    modes = [key for key, p in known.items() if key in EVALUATION and (is_linen(make) or p.default is p.empty)]
    given |= {key: EVALUATION[key] for key in modes if key not in options}
    if missing := [key for key, p in known.items() if p.default is p.empty and key not in given]:
        is_count = missing[0] in CLASSES and classes is None and _wants(known[missing[0]], 1)
        why = "the number of classes: give it by --classes, or " if is_count else ""
        raise InputError(f"{name} needs {missing[0]!r}, {why}pass it by --model-options '{{\"{missing[0]}\": ...}}'.")
    return given


def parameters(make: Any) -> tuple[Parameters, bool]:
    """The parameters that options can give, by name, and whether it takes any other too."""
    own = ("parent", "name") if is_linen(make) else ()
    found = [p for p in _signature(make) if p.name not in (*own, "rngs")]
    named = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {p.name: p for p in named}, any(p.kind is p.VAR_KEYWORD for p in found)


def _signature(make: Any) -> list[inspect.Parameter]:
    """The parameters of a call. Those of an NNX class are its __init__'s, which its metaclass hides."""
    bound = make.keywords if isinstance(make, partial) else {}
    called = _called(make)
    if isinstance(called, type) and issubclass(called, nnx.Module):
        _, *found = inspect.signature(called.__init__).parameters.values()
        return [p.replace(default=bound[p.name]) if p.name in bound else p for p in found]
    return list(inspect.signature(make).parameters.values())


def as_options(value: Any) -> Any:
    """JSON values as a model takes them: lists become tuples, so that a module can be hashed."""
    if isinstance(value, list):
        return tuple(map(as_options, value))
    return {key: as_options(one) for key, one in value.items()} if isinstance(value, dict) else value


def is_linen(make: Any) -> bool:
    """Whether it is the class of a Linen module, or a partial of one."""
    called = _called(make)
    return isinstance(called, type) and issubclass(called, nn.Module)


def _called(make: Any) -> Any:
    """The class or function itself, of a partial of it too."""
    return make.func if isinstance(make, partial) else make


def _takes_rngs(make: Any) -> bool:
    return any(parameter.name == "rngs" for parameter in _signature(make))


def _wants(parameter: inspect.Parameter, value: Any) -> bool:
    """Whether a parameter may mean this: it has no default, or a name that is clear; and no other type."""
    is_required = parameter.default is parameter.empty
    if not is_required and not any(word in parameter.name for word in CLEAR):
        return False
    text = str(parameter.annotation).lower()
    is_several = any(word in text for word in ("sequence", "tuple", "list", "iterable"))
    return not (is_several and isinstance(value, int))


def _check_size(make: Any, name: str, option: str, value: Any) -> None:
    """Raises InputError for a number of units below 1, and for a share of dropped ones that is none, of our models."""
    if not str(getattr(_called(make), "__module__", "")).startswith("cnnviz.models."):
        return
    if option in SIZES and value < 1:
        raise InputError(f"The option {option} of {name} must be at least 1; it was {value}.")
    if option in SHARES and not 0 <= value < 1:
        raise InputError(f"The option {option} of {name} must be from 0 to below 1; it was {value}.")


def _check_type(name: str, option: str, value: Any, parameter: inspect.Parameter) -> None:
    """Raises InputError for a value of another type than a parameter that is annotated int, float, str or bool."""
    expected = parameter.annotation if isinstance(parameter.annotation, type) else PLAIN.get(str(parameter.annotation))
    if expected is None or expected not in PLAIN.values():
        return
    fits = isinstance(value, (int, float) if expected is float else expected)
    if not fits or isinstance(value, bool) != (expected is bool):
        raise InputError(f"The option {option} of {name} is of type {expected.__name__}; it was {value!r}.")
