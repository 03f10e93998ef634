"""The table of primitives says what they compute: each claim is compared with numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import Primitive, primitives

from cnnviz.graph import Graph
from cnnviz.graph.linearity import is_affine, is_linear, is_piecewise_linear
from cnnviz.graph.primitives import CALLS, ELEMENTWISE, KEEPS_SIGN, MOVES, NONNEGATIVE, ODD, PRIMITIVES, RESHAPES, ROWS

A, B = np.random.default_rng(0).normal(size=(2, 4, 6))
MASK = A > 0
AT = jnp.array([[0], [2]])
DIMS = {"dimension_numbers": ("NHC", "HIO", "NHC"), "window_strides": (1,), "padding": "SAME"}
SCATTER = jax.lax.ScatterDimensionNumbers((1,), (0,), (0,))
GATHER = jax.lax.GatherDimensionNumbers((1,), (0,), (0,))
WINDOW = {"window_dimensions": (1, 2), "window_strides": (1, 2), "padding": "VALID"}


def pooled(x, of=jax.lax.max, start=-jnp.inf):
    return jax.lax.reduce_window(x, np.asarray(start, x.dtype), of, **WINDOW)


def scattered(scatter, x, y):
    return scatter(x, AT, y[:2], SCATTER)


def gradient_of_pooling(x, at):
    return jax.vjp(pooled, at)[1](x[:, :3])[0]


def derivative_of_pooling(x, at):
    return jax.jvp(pooled, (at,), (x,))[1]


UNARY = {
    **{name: getattr(jnp, name) for name in "abs cbrt ceil cos cosh exp exp2 expm1 floor sign sin sinh".split()},
    **{name: getattr(jnp, name) for name in "square tan tanh arcsinh arctan round".split()},
    **{name: getattr(jax.lax, name) for name in "erf erfc logistic lgamma digamma bessel_i0e bessel_i1e".split()},
    "neg": lambda x: -x,
    "sqrt": lambda x: jnp.sqrt(jnp.abs(x)),
    "rsqrt": lambda x: jax.lax.rsqrt(jnp.abs(x)),
    "log": lambda x: jnp.log(jnp.abs(x)),
    "log1p": lambda x: jnp.log1p(jnp.abs(x)),
    "integer_pow": lambda x: x**3,
    "pow": lambda x: jnp.abs(x) ** 1.3,
    "atan2": lambda x: jnp.arctan2(x, A),
    "rem": lambda x: jax.lax.rem(x, jnp.abs(A)),
    "nextafter": lambda x: jnp.nextafter(x, A),
    "clamp": lambda x: jax.lax.clamp(-0.5, x, 0.5),
    "max": lambda x: jnp.maximum(x, A),
    "min": lambda x: jnp.minimum(x, x[::-1]),
    "select_n, constant case": lambda x: jnp.where(MASK, x, A),
    "select_n, both cases": lambda x: jnp.where(MASK, x, 2 * x),
    "select_n, predicate": lambda x: jnp.where(x > 0, x, 2 * x),
    "add": lambda x: x + x[::-1],
    "add, constant": lambda x: x + A,
    "sub": lambda x: x - x[::-1],
    "sub, constant": lambda x: 3 - x,
    "mul": lambda x: 2 * x,
    "mul, by itself": lambda x: x * x[::-1],
    "div": lambda x: x / A,
    "div, denominator": lambda x: A / x,
    "copy": lambda x: jnp.array(x, copy=True),
    "name": lambda x: checkpoint_name(x, "a name"),
    "convert_element_type": lambda x: x.astype(jnp.int32).astype(x.dtype),
    "reduce_precision": lambda x: jax.lax.reduce_precision(x, 11, 52),
    "real": lambda x: (x * 2j).real,
    "imag": lambda x: (x * 2j).imag,
    "conj": lambda x: jnp.conj(x * 2j).imag,
    "complex": lambda x: jnp.abs(jax.lax.complex(x, x)),
    "gt": lambda x: (x > 0).astype(x.dtype),
    "stop_gradient": jax.lax.stop_gradient,
}
CASES = {
    **{{"arcsinh": "asinh", "arctan": "atan"}.get(name, name): function for name, function in UNARY.items()},
    "conv_general_dilated": lambda x: jax.lax.conv_general_dilated(x[None], B.reshape(2, 6, 2), **DIMS),
    "conv_general_dilated, of itself": lambda x: jax.lax.conv_general_dilated(x[None], x.reshape(2, 6, 2), **DIMS),
    "dot_general": lambda x: x @ B.T,
    "dot_general, by itself": lambda x: x @ x.T,
    "fft": lambda x: jnp.fft.rfft(x).real,
    "reduce_sum": lambda x: x.sum(1),
    "reduce_max": lambda x: x.max(1),
    "reduce_min": lambda x: x.min(1),
    "reduce_prod": lambda x: x.prod(1),
    "argmax": lambda x: x.argmax(1).astype(x.dtype),
    "reduce_window_max": pooled,
    "reduce_window_min": lambda x: pooled(x, jax.lax.min, jnp.inf),
    "reduce_window_sum": lambda x: pooled(x, jax.lax.add, 0),
    "select_and_scatter_add": lambda x: gradient_of_pooling(x, A),
    "select_and_scatter_add, both": lambda x: gradient_of_pooling(x, x),
    "select_and_gather_add": lambda x: derivative_of_pooling(x, A),
    "cumsum": lambda x: jnp.cumsum(x, 1),
    "cumprod": lambda x: jnp.cumprod(x, 1),
    "cummax": lambda x: jax.lax.cummax(x, 1),
    "cummin": lambda x: jax.lax.cummin(x, 1),
    "cumlogsumexp": lambda x: jax.lax.cumlogsumexp(x, 1),
    "broadcast_in_dim": lambda x: jnp.broadcast_to(x, (2, 4, 6)),
    "reshape": lambda x: x.reshape(6, 4),
    "squeeze": lambda x: x[:1].squeeze(0),
    "concatenate": lambda x: jnp.concatenate([x, 2 * x]),
    "concatenate, constant": lambda x: jnp.concatenate([x, A]),
    "optimization_barrier": lambda x: jax.lax.optimization_barrier(x),
    "rev": lambda x: x[::-1],
    "slice": lambda x: x[1:, ::2],
    "split": lambda x: jnp.split(x, 3, 1)[1],
    "stack": lambda x: jnp.stack([x, 2 * x]),
    "tile": lambda x: jnp.tile(x, (2, 1)),
    "transpose": lambda x: x.T,
    "unstack": lambda x: jnp.unstack(x)[1],
    "dynamic_slice": lambda x: jax.lax.dynamic_slice(x, (1, 2), (2, 2)),
    "gather": lambda x: jax.lax.gather(x, AT, GATHER, (1, 6)),
    "dynamic_update_slice": lambda x: jax.lax.dynamic_update_slice(x, 2 * x[:2], (1, 0)),
    "dynamic_update_slice, constant": lambda x: jax.lax.dynamic_update_slice(x, A[:2], (1, 0)),
    "pad, zeros": lambda x: jnp.pad(x, 1),
    "pad, constant": lambda x: jnp.pad(x, 1, constant_values=2.0),
    "pad, both": lambda x: jax.lax.pad(x, x[0, 0], [(1, 0, 1), (0, 0, 0)]),
    "scatter": lambda x: scattered(jax.lax.scatter, x, 2 * x),
    "scatter, constant": lambda x: scattered(jax.lax.scatter, A, x),
    "scatter-add": lambda x: scattered(jax.lax.scatter_add, x, 2 * x),
    "scatter-add, constant": lambda x: scattered(jax.lax.scatter_add, A, x),
    "scatter-mul": lambda x: scattered(jax.lax.scatter_mul, x, 2 * x),
    "scatter-min": lambda x: scattered(jax.lax.scatter_min, x, 2 * x),
    "scatter-max": lambda x: scattered(jax.lax.scatter_max, x, 2 * x),
    "sort": lambda x: jnp.sort(x, 1),
    "top_k": lambda x: jax.lax.top_k(x, 2)[0],
}
# Names without a case: calls, integers and logic, and what has the traits of another name that has one.
UNTRIED = set(
    "jit pjit closed_call core_call remat remat2 checkpoint custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr "
    "acos acosh asin atanh erf_inv igamma igammac polygamma regularized_incomplete_beta zeta add_any scatter-sub "
    "clz not population_count shift_left shift_right_arithmetic shift_right_logical xor and or sharding_constraint "
    "eq eq_to ge is_finite le le_to lt lt_to ne argmin reduce_and reduce_or reduce_xor reduce_window".split()
)
RENAMED = {"pjit", "core_call", "remat", "checkpoint", "custom_vjp_call_jaxpr"}  # in other versions of JAX


def name_of(case):
    return case.split(",")[0]


@pytest.fixture(scope="module", autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def nodes(case, x):
    """The nodes of the case's function that depend on `x`, with the inputs that do."""
    graph, _ = Graph.of(CASES[case], x)
    dependent = graph.depending()
    found = [(node, [value in dependent for value in node.inputs]) for node in graph.needed(graph.outputs)]
    return [(node, depends) for node, depends in found if any(depends)]


def claimed(holds, case):
    found = nodes(case, A)
    assert name_of(case) in {node.name for node, _ in found}
    return all(holds(node, depends) for node, depends in found)


def combines(case, a, b):
    """Whether f(a x + b y) is a f(x) + b f(y)."""
    f = jax.jit(CASES[case])
    return np.allclose(f(a * A + b * B), a * f(A) + b * f(B), equal_nan=True)


@pytest.mark.parametrize("case", CASES)
def test_linear_affine_and_piecewise_linear_are_what_the_numbers_are(case):
    truly_linear, truly_affine = combines(case, 2, -3), combines(case, 2, -1)
    assert claimed(is_linear, case) <= truly_linear
    assert claimed(is_affine, case) <= truly_affine
    if case not in ("stop_gradient", "complex", "nextafter"):
        assert claimed(is_affine, case) == truly_affine
    f, step = jax.jit(CASES[case]), 1e-5 * A
    bend = f(B + step) - 2 * f(B) + f(B - step)
    assert claimed(is_piecewise_linear, case) <= np.allclose(bend, 0, atol=1e-13)


@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) in ELEMENTWISE])
def test_an_elementwise_primitive_reads_the_value_at_its_position(case):
    (node, depends), *_ = [one for one in nodes(case, A) if one[0].name == name_of(case)]
    arrays = [jnp.where(MASK, A, B) if does else v.constant for v, does in zip(node.inputs, depends, strict=True)]
    if any(array is None for array in arrays) or not all(jnp.issubdtype(v.dtype, jnp.floating) for v in node.inputs):
        pytest.skip("its inputs are not all of the case's numbers")
    before = node.apply(*arrays)[0]
    after = node.apply(*[a.at[1, 2].add(0.1) if does else a for a, does in zip(arrays, depends, strict=True)])[0]
    changed = np.argwhere(~np.isclose(before, after, rtol=1e-12, equal_nan=True)).tolist()
    assert changed in ([], [[1, 2]])


@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) in ODD])
def test_an_odd_primitive_changes_its_sign_with_its_input(case):
    assert np.allclose(CASES[case](-A), -np.asarray(CASES[case](A)), atol=1e-12)


READ_SIGNED_CONSTANTS = {"clamp", "div", "div, denominator"}


@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) in NONNEGATIVE | KEEPS_SIGN])
def test_signs_are_kept(case):
    if name_of(case) in KEEPS_SIGN and "constant" not in case and case not in READ_SIGNED_CONSTANTS:
        assert np.all(np.asarray(CASES[case](jnp.abs(A))) >= 0)
    if name_of(case) in NONNEGATIVE:
        assert np.all(np.asarray(CASES[case](A)) >= 0)


@pytest.mark.parametrize("case", [case for case in CASES if name_of(case) in MOVES])
def test_a_move_returns_values_of_its_inputs_in_order_where_it_is_a_reshape(case):
    found = np.asarray(CASES[case](jnp.asarray(A)))
    assert np.isin(found, np.concatenate([A.ravel(), 2 * A.ravel(), [0.0, 2.0]])).all()
    if name_of(case) in RESHAPES:
        np.testing.assert_array_equal(found.ravel()[:6], A.ravel()[:6])


def test_every_primitive_has_one_row_and_a_case_or_a_reason():
    names = [name for row in ROWS for name in row[0].split()]
    assert len(names) == len(set(names)) == len(PRIMITIVES)
    assert set(names) - UNTRIED == set(map(name_of, CASES))


def test_untried_names_are_those_of_jax():
    known = {each.name for each in vars(primitives).values() if isinstance(each, Primitive)}
    assert UNTRIED - RENAMED - CALLS <= known | {"scatter-sub"}  # calls stand in the table under all their names
