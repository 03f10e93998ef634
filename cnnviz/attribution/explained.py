"""A question about a model: for each of its inputs, the score of a row and the rows that the runner takes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax

from cnnviz.attribution.inputs import Row, check_finite
from cnnviz.attribution.layers import places_in
from cnnviz.attribution.shapes import Method
from cnnviz.attribution.subject import Subject
from cnnviz.attribution.targets import Targets, resolve_targets, score_for
from cnnviz.errors import InputError, InputTypeError, check_known
from cnnviz.graph.precision import computes_in_low, in_float32, raised
from cnnviz.probe import Call, Unit, as_variables, find_one
from cnnviz.probe.inputs import Inputs, call_for, canonical, image_count, inputs_of, is_float, named_leaves, with_rows
from cnnviz.probe.outputs import OutputName
from cnnviz.probe.trace import Static, Trace, trace
from cnnviz.types import Activations, Image, PyTree, Scalar, Score, Variables, VariablesLike


@dataclass(frozen=True)
class Explained:
    """The score of a row, as a function of one of the model's inputs: that at `place` in the tree `form` of all.

    The input has the type `dtype` in the model. With `low`, the model computes in bfloat16 or float16, and the score is
    that of the same model in float32.
    """

    subject: Subject
    target: Static
    form: Any
    place: int
    dtype: Any
    low: bool

    def __call__(self, variables: Variables, row: Row) -> Score:
        def score(image: Image, offsets: Activations) -> tuple[Scalar, Activations]:
            inputs = self._inputs(row, image if image.dtype == self.dtype else image.astype(self.dtype))
            alone = Inputs(inputs.images, jax.tree.map(lambda leaf: leaf[None], inputs.rows))
            return score_for(self.target, row.target, self.subject, variables, alone)(inputs.images, offsets)

        return in_float32(score) if self.low else score

    def fitted(self, method: Method, traced: Trace, shape: tuple[int, ...]) -> Method:
        """The method with its options filled in from the model's graph; `shape` is that of one image."""
        unit = self.target.value.layer if isinstance(self.target.value, Unit) else None
        return method.fitted_to(places_in(traced, shape, self.place, unit), shape)

    def _inputs(self, row: Row, image: Any) -> Inputs:
        return jax.tree.unflatten(self.form, [*row.held[: self.place], image, *row.held[self.place :]])


class Question(NamedTuple):
    """What is asked of a model: whose score, for which inputs, and each image's target; `traced` is its graph."""

    subject: Subject
    traced: Trace
    variables: Variables
    inputs: Inputs
    target: Static
    numbers: PyTree
    low: bool

    def of_inputs(self, asked: str | int | None, data: PyTree, explain: Callable[[Explained, Row, Any], Any]) -> Any:
        """`explain` of the input that is asked for, or the only one; else of each float one, in the form of the images.

        `data` is one array for all inputs, or has the images' form.
        """
        inputs, form = jax.tree.flatten(self.inputs.images)
        names, sets = list(named_leaves(self.inputs.images)), named_leaves(data)
        if names == [""] and asked is None:
            return explain(*self._of(0, ""), data)
        one = lambda name: explain(*self._of(names.index(name), name), sets.get(name, sets.get("")))
        if asked is not None:
            return one(_checked(str(asked), names))
        return jax.tree.unflatten(form, [one(n) if is_float(x) else None for n, x in zip(names, inputs, strict=True)])

    def _of(self, place: int, name: str) -> tuple[Explained, Row]:
        leaves, form = jax.tree.flatten(self.inputs)
        image = leaves.pop(place)
        if not is_float(image):
            raise InputTypeError(
                f"The input {name!r} holds integers ({image.dtype}), so a score has no gradient there."
            )
        explained = Explained(self.subject, self.target, form, place, canonical(image.dtype), self.low)
        return explained, Row(raised(image), self.numbers, held=tuple(leaves))


def ask(
    model: Any,
    variables: VariablesLike,
    images: PyTree,
    targets: Targets,
    labels: Any,
    call: Call,
    output: OutputName,
) -> Question:
    """The question that `attribute` puts. Raises InputError for images or targets that the model does not have."""
    check_finite(images)
    image_count(images, call)
    variables, subject, inputs = as_variables(variables), Subject.of(model, call, output), inputs_of(images, call)
    traced = trace(model, variables, with_rows(images, 1), call_for(call, 1), output)
    kind, numbers = resolve_targets(targets, subject, traced, variables, inputs, labels)
    if isinstance(kind.value, Unit):
        kind = Static(replace(kind.value, layer=find_one(kind.value.layer, traced.addresses)))
    return Question(subject, traced, variables, inputs, kind, numbers, computes_in_low(traced.graph))


def _checked(name: str, names: list[str]) -> str:
    """The name of an input; raises InputError if there is none of that name."""
    if names == [""]:
        raise InputError(f"The images are one array, so there is no input {name!r} among them.")
    check_known("input", name, names)
    return name
