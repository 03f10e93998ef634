"""Methods run over images: the raw values of each, in chunks, each chunk by one compiled call.

Nothing here knows models, layers or maps. A caller says what the score of a row is (`score_of`), and may turn the raw
values of each image into something else in the same compiled call (`finish`): a map, a number, a difference.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from cnnviz.attribution.inputs import Row, check_key, joined, split
from cnnviz.attribution.shapes import Direct, Method, Stepwise, Summed
from cnnviz.batching import (
    IMAGE_ROWS,
    SAMPLED_ROWS,
    Report,
    batch_size_or_default,
    beside,
    map_rows,
    map_samples,
    map_steps,
    take_steps,
)
from cnnviz.errors import InputTypeError
from cnnviz.fast.jit import compiled
from cnnviz.fast.lanes import lanes
from cnnviz.fast.linear_samples import over_samples
from cnnviz.fast.rewrite import deduplicated, faster, with_fast_convolutions
from cnnviz.types import Array, Given, Image, Key, PyTree, Score

ScoreOf = Callable[[PyTree, Row], Score]
Finish = Callable[..., PyTree]  # (method, score, image, raw), and the raw standard error if it has `with_error`


def _wants_error(finish: Finish) -> bool:
    """Whether this `finish` is also given the raw values' standard errors, where a method has them."""
    return getattr(finish, "with_error", False)


def raw_values(method: Method, score: Score, image: Image, raw: PyTree) -> PyTree:
    """The raw values as they are."""
    return raw


def run(
    method: Method,
    score_of: ScoreOf,
    arguments: PyTree,
    rows: Row,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    data: Given | None = None,
    report: Report | None = None,
    finish: Finish = raw_values,
    row_bytes: int = 0,
) -> PyTree:
    """`finish(method, score, image, raw)` for each row, where `raw` are the method's raw values; one row per image.

    The score is `score_of(arguments, row)`. `score_of` and `finish` are static: they must be hashable, and equal ones
    share a compilation. `arguments` and `rows` are traced, so other variables, targets and images do not recompile.
    `data` are the images `[m h w c]` that the infill "data" draws from. `row_bytes` is what the values of one score
    take: without a `batch_size` it limits how many are computed at once.
    """
    if isinstance(method, Direct):
        options = {"key": key, "batch_size": batch_size, "data": data, "finish": finish, "row_bytes": row_bytes}
        return run_direct({"": method}, score_of, arguments, rows, report=report, **options)[""]
    if not isinstance(method, Summed | Stepwise):
        raise InputTypeError(f"A method is Direct, Sampled or Stepwise; {type(method).__name__} is none of these.")
    check_key(method, key)
    rows, arguments = _numbered(rows), beside(rows, arguments)
    shared, inputs = split(method, rows, key, data)
    rows = rows._replace(inputs={"": inputs})
    last = partial(_finish, score_of, finish, shared, arguments, key)
    size = batch_size_or_default(batch_size, getattr(shared, "at_once", SAMPLED_ROWS), row_bytes)
    if isinstance(shared, Summed):
        most = max(1, size // shared.cost)
        compute = _kept if shared.keep else _contribute
        contribute = lambda rows, first, size: compute(score_of, size, shared, arguments, key, rows, first)
        how = {"keep": shared.keep, "report": report, "send": lanes(size * row_bytes)}
        return map_samples(contribute, last, rows, shared.count, most, **how)
    init = partial(_init, score_of, shared, arguments, key)
    step = lambda rows, state, first, count: _step(score_of, count, shared, arguments, rows, state, first)
    return map_steps(init, step, last, rows, shared.steps, size, report=report)


def run_direct(
    methods: Mapping[str, Direct],
    score_of: ScoreOf,
    arguments: PyTree,
    rows: Row,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    data: Given | None = None,
    report: Report | None = None,
    finish: Finish = raw_values,
    row_bytes: int = 0,
) -> dict[str, PyTree]:
    """`run` of several direct methods in one compiled call per chunk, which computes what they share only once."""
    rows, arguments = _numbered(rows), beside(rows, arguments)
    parts = {name: split(method, rows, key, data) for name, method in methods.items()}
    shared = {name: method for name, (method, _) in parts.items()}
    rows = rows._replace(inputs={name: inputs for name, (_, inputs) in parts.items()})
    size = batch_size_or_default(batch_size, IMAGE_ROWS, row_bytes)
    send = lanes(size * row_bytes)
    return map_rows(partial(_direct, score_of, finish, shared, arguments), rows, size, report=report, send=send)


def _numbered(rows: Row) -> Row:
    return rows if rows.number is not None else rows._replace(number=np.arange(len(rows.image), dtype=np.int32))


def _prepared(score_of: ScoreOf, method: Method, name: str, arguments: PyTree, row: Row) -> tuple[Any, Score]:
    """The method with this row's inputs, and the row's score in the form that the method reads."""
    score = score_of(arguments, row)
    return joined(method, row.inputs[name], row.image.shape), faster(score) if method.rewritten else score


@partial(compiled, static_argnums=(0, 1))
def _direct(
    score_of: ScoreOf, finish: Finish, methods: dict[str, Direct], arguments: PyTree, rows: Row
) -> dict[str, PyTree]:
    def one(row: Row) -> dict[str, PyTree]:
        return {name: finished(name, method, row) for name, method in methods.items()}

    def finished(name: str, method: Direct, row: Row) -> PyTree:
        its, score = _prepared(score_of, method, name, arguments, row)
        return finish(its, score, row.image, its(score, row.image))

    every = jax.vmap(one)
    return with_fast_convolutions(deduplicated(every) if len(methods) > 1 else every)(rows)


def _contributions(
    score_of: ScoreOf, size: int, method: Summed, arguments: PyTree, key: Key | None, rows: Row, first: Array
) -> PyTree:
    def one(row: Row) -> PyTree:
        its, score = _prepared(score_of, method, "", arguments, row)
        image_key = row.key(key)
        sample = lambda i: its.contribute(score, row.image, its.draw(image_key, i, row.image))
        return over_samples(sample, first, size, its.count, keep=its.keep)

    return with_fast_convolutions(jax.vmap(one))(rows)


_contribute = compiled(_contributions, static_argnums=(0, 1), large_sums=True)  # sums over samples
_kept = compiled(_contributions, static_argnums=(0, 1))


@partial(compiled, static_argnums=(0, 1))
def _finish(
    score_of: ScoreOf, finish: Finish, method: Method, arguments: PyTree, key: Key | None, rows: Row, state: PyTree
) -> PyTree:
    def one(row: Row, state: PyTree) -> PyTree:
        its, score = _prepared(score_of, method, "", arguments, row)
        of_samples = score, row.image, state, row.key(key)
        error = its.standard_error(*of_samples) if _wants_error(finish) and isinstance(its, Summed) else None
        raw = its.finish(*of_samples)
        return finish(its, score, row.image, raw) if error is None else finish(its, score, row.image, raw, error)

    return with_fast_convolutions(jax.vmap(one))(rows, state)


@partial(compiled, static_argnums=0)
def _init(score_of: ScoreOf, method: Stepwise, arguments: PyTree, key: Key | None, rows: Row) -> PyTree:
    def one(row: Row) -> PyTree:
        its, score = _prepared(score_of, method, "", arguments, row)
        return its.init(score, row.image, row.key(key))

    return with_fast_convolutions(jax.vmap(one))(rows)


@partial(compiled, static_argnums=(0, 1))
def _step(
    score_of: ScoreOf, count: int, method: Stepwise, arguments: PyTree, rows: Row, state: PyTree, first: Array
) -> PyTree:
    def one(row: Row, state: PyTree) -> PyTree:
        its, score = _prepared(score_of, method, "", arguments, row)
        return take_steps(lambda state, i: its.step(score, row.image, state, i), state, first, count)

    return with_fast_convolutions(jax.vmap(one))(rows, state)
