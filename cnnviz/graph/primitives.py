"""What JAX's primitives are: the one table that everything that reads a graph takes its sets of names from.

A primitive that is not in the table has no trait, so whatever reads a graph treats it with the greatest caution.
`tests/test_primitives.py` compares the table with what the primitives compute.
"""

from enum import Flag, auto
from typing import NamedTuple


class Trait(Flag):
    """A property of a primitive."""

    NONE = 0
    CALL = auto()  # calls a jaxpr, which a graph inlines
    CUSTOM_CALL = auto()  # calls a jaxpr that comes with its own derivative
    ELEMENTWISE = auto()  # each value of the output depends only on the input values at its position
    IDENTITY = auto()  # returns its input, in another precision perhaps
    RESHAPE = auto()  # returns its input's values in the same order
    MOVE = auto()  # each value of the outputs is a value of the inputs
    SUM = auto()  # adds values
    PRODUCT = auto()  # linear in either factor
    LAYER = auto()  # a product that sums over features: a convolution or dense layer
    MAXIMUM = auto()  # selects a largest or smallest value
    REDUCTION = auto()  # over its parameter `axes`
    WINDOW = auto()  # over windows: `window_dimensions`, `window_strides`, `padding`
    CUMULATIVE = auto()  # along its parameter `axis`
    JOINT = auto()  # combines several inputs, or several values, in a way that is not linear
    PIECEWISE_LINEAR = auto()  # linear or constant between places where it bends or jumps
    NONNEGATIVE = auto()  # never negative
    KEEPS_SIGN = auto()  # not negative where no input is
    ODD = auto()  # changes its sign when its input does; of `integer_pow`, if the power is odd
    COMPLEX = auto()  # makes or takes apart complex numbers


NOT_LINEAR, ALL = slice(0, 0), slice(None)
FIRST, FIRST_TWO, FIRST_AND_THIRD, AFTER_FIRST = slice(0, 1), slice(0, 2), slice(0, 3, 2), slice(1, None)


class Primitive(NamedTuple):
    """The traits of a primitive, and the inputs in which it is linear: in these taken together, the others constant.

    A `PRODUCT` is instead linear in each factor alone.
    """

    traits: Trait = Trait.NONE
    linear_in: slice = NOT_LINEAR


_E, _P, _K, _J, _O = Trait.ELEMENTWISE, Trait.PIECEWISE_LINEAR, Trait.KEEPS_SIGN, Trait.JOINT, Trait.ODD
_MOVE, _SUM = Trait.MOVE | _K, Trait.SUM
ROWS: tuple[tuple[str, Trait, slice], ...] = (
    # calls, under all their names: JAX has renamed some
    ("jit pjit closed_call core_call remat remat2 checkpoint", Trait.CALL, NOT_LINEAR),
    ("custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr", Trait.CUSTOM_CALL | _J, NOT_LINEAR),
    # elementwise
    ("acos bessel_i1e cos digamma erf_inv lgamma log nextafter regularized_incomplete_beta", _E, NOT_LINEAR),
    ("igamma igammac polygamma rem zeta", _E, NOT_LINEAR),
    ("sin tan", _E | _O, NOT_LINEAR),
    ("clz not population_count shift_left shift_right_arithmetic shift_right_logical xor", _E, NOT_LINEAR),
    ("asin asinh atan atanh cbrt erf integer_pow sinh tanh", _E | _K | _O, NOT_LINEAR),
    ("expm1 log1p", _E | _K, NOT_LINEAR),
    ("acosh bessel_i0e cosh erfc exp exp2 logistic rsqrt sqrt square", _E | Trait.NONNEGATIVE, NOT_LINEAR),
    ("and eq eq_to ge gt is_finite le le_to lt lt_to ne or", _E | _P, NOT_LINEAR),
    ("ceil floor", _E | _P | _K, NOT_LINEAR),
    ("round sign", _E | _P | _K | _O, NOT_LINEAR),
    ("abs", _E | _P | Trait.NONNEGATIVE, NOT_LINEAR),
    ("atan2", _E | _J, NOT_LINEAR),
    ("pow", _E | _J | _K, NOT_LINEAR),
    ("clamp", _E | _J | _K | _P, NOT_LINEAR),
    ("max min", _E | _P | _K | Trait.MAXIMUM, NOT_LINEAR),
    ("select_n", _E | _J | _P, AFTER_FIRST),
    ("add add_any", _E | _SUM | _K, ALL),
    ("sub", _E | _SUM, ALL),
    ("neg", _E | _O, ALL),
    ("mul", _E | _K | Trait.PRODUCT, NOT_LINEAR),
    ("div", _E | _J | _K, FIRST),
    ("convert_element_type copy name reduce_precision sharding_constraint", _E | _K | Trait.IDENTITY, ALL),
    ("complex conj imag real", _E | Trait.COMPLEX, ALL),
    ("stop_gradient", _P | _K | Trait.IDENTITY, NOT_LINEAR),  # its derivative is not its input's
    # layers
    ("conv_general_dilated dot_general", Trait.PRODUCT | Trait.LAYER, NOT_LINEAR),
    ("fft", Trait.NONE, ALL),
    # reductions and windows
    ("reduce_sum", _SUM | _K | Trait.REDUCTION, ALL),
    ("reduce_max reduce_min", _P | _K | Trait.MAXIMUM | Trait.REDUCTION, NOT_LINEAR),
    ("reduce_prod", _J | _K | Trait.REDUCTION, NOT_LINEAR),
    ("argmax argmin reduce_and reduce_or reduce_xor", _P | Trait.REDUCTION, NOT_LINEAR),
    ("reduce_window_sum", _SUM | _K | Trait.WINDOW, ALL),
    ("reduce_window_max reduce_window_min", _P | _K | Trait.MAXIMUM | Trait.WINDOW, NOT_LINEAR),
    ("reduce_window", Trait.WINDOW, NOT_LINEAR),
    ("select_and_gather_add select_and_scatter_add", _P, FIRST),
    ("cumsum", _SUM | _K | Trait.CUMULATIVE, ALL),
    ("cummax cummin", _P | _K | Trait.MAXIMUM | Trait.CUMULATIVE, NOT_LINEAR),
    ("cumprod", _J | _K | Trait.CUMULATIVE, NOT_LINEAR),
    ("cumlogsumexp", _J | Trait.CUMULATIVE, NOT_LINEAR),
    # moves
    ("broadcast_in_dim reshape squeeze", _MOVE | Trait.RESHAPE, FIRST),
    ("concatenate optimization_barrier rev slice split stack tile transpose unstack", _MOVE, ALL),
    ("dynamic_slice gather", _MOVE, FIRST),
    ("dynamic_update_slice pad", _MOVE, FIRST_TWO),
    ("scatter", _MOVE, FIRST_AND_THIRD),
    ("sort top_k", _MOVE | _P, NOT_LINEAR),
    ("scatter-add", _SUM | _K, FIRST_AND_THIRD),
    ("scatter-sub", _SUM, FIRST_AND_THIRD),
    ("scatter-mul", _J | _K, NOT_LINEAR),
    ("scatter-max scatter-min", _P | _K, NOT_LINEAR),
)
PRIMITIVES = {name: Primitive(traits, linear_in) for names, traits, linear_in in ROWS for name in names.split()}
UNKNOWN = Primitive()


def primitive(name: str) -> Primitive:
    """The table's entry for this name; one without any trait if the name is unknown."""
    return PRIMITIVES.get(name, UNKNOWN)


def having(trait: Trait) -> frozenset[str]:
    """The names of the primitives that have all of these traits."""
    return frozenset(name for name, entry in PRIMITIVES.items() if trait in entry.traits)


CALLS = having(Trait.CALL)
CUSTOM_CALLS = having(Trait.CUSTOM_CALL)
ELEMENTWISE = having(Trait.ELEMENTWISE)
IDENTITIES = having(Trait.IDENTITY)
RESHAPES = having(Trait.RESHAPE)
MOVES = having(Trait.MOVE)
SUMS = having(Trait.SUM)
PRODUCTS = having(Trait.PRODUCT)
LAYERS = having(Trait.LAYER)
MAXIMA = having(Trait.MAXIMUM)
REDUCTIONS = having(Trait.REDUCTION)
WINDOWS = having(Trait.WINDOW)
CUMULATIVE = having(Trait.CUMULATIVE)
JOINT = having(Trait.JOINT)
COMPLEX = having(Trait.COMPLEX)
NONNEGATIVE = having(Trait.NONNEGATIVE)
KEEPS_SIGN = having(Trait.KEEPS_SIGN)
ODD = having(Trait.ODD)
PIECEWISE_LINEAR = having(Trait.PIECEWISE_LINEAR)
