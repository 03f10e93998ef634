"""Spans are the pixels that change a value: counted by hand, and the hull of the gradient's support."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.graph import Graph
from cnnviz.graph.spans import spans_of

SHAPE = (1, 13, 11, 2)
QUICK = {"xla_backend_optimization_level": 0}  # each function is compiled for one call


def conv(x, size=3, stride=1, padding: Any = "SAME", dilation=1, holes=1, groups=1, channels=2, key=0):
    kernel = np.random.default_rng(key).normal(size=(size, size, x.shape[-1] // groups, channels * groups))
    padding = padding if isinstance(padding, str) else [padding, padding]
    options = {"rhs_dilation": (dilation, dilation), "lhs_dilation": (holes, holes), "feature_group_count": groups}
    numbers = ("NHWC", "HWIO", "NHWC")
    kernel = jnp.asarray(kernel, jnp.float32)
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=numbers, **options)


def found(function, shape=SHAPE):
    """The spans of the function's value, `(low, high)` of each side, and whether they are exact."""
    graph, _ = Graph.of(function, jnp.zeros(shape))
    value = graph.outputs[0]
    spans = spans_of(graph, graph.inputs[0], range(1, len(shape) - 1), [value])[value]
    return spans.ends(value.shape), spans.exact


def line(function, length):
    """The pixels that each place of a map of one channel depends on, along one side, as pairs of first and last."""
    ((low, high),), exact = found(function, (1, length, 1))
    assert exact
    return [(int(a), int(b) - 1) for a, b in zip(low.ravel(), high.ravel(), strict=True)]


def conv1(x, size, stride=1, padding=(0, 0), dilation=1):
    numbers = ("NHC", "HIO", "NHC")
    kernel = jnp.ones((size, 1, 1))
    return jax.lax.conv_general_dilated(
        x, kernel, (stride,), [padding], rhs_dilation=(dilation,), dimension_numbers=numbers
    )


def test_windows_are_those_counted_by_hand():
    assert line(lambda x: conv1(x, 3, padding=(1, 1)), 4) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert line(lambda x: conv1(x, 3, stride=2), 7) == [(0, 2), (2, 4), (4, 6)]
    assert line(lambda x: conv1(x, 3, dilation=2), 7) == [(0, 4), (1, 5), (2, 6)]
    assert line(lambda x: conv1(conv1(x, 3), 3), 7) == [(0, 4), (1, 5), (2, 6)]
    assert line(lambda x: nn.max_pool(conv1(x, 3), (2,), (2,)), 8) == [(0, 3), (2, 5), (4, 7)]
    assert line(lambda x: nn.avg_pool(x, (3,), (2,), "SAME"), 5) == [(0, 1), (1, 3), (3, 4)]
    # a branch of one pixel and one of five, and branches of which the other reaches further at each end
    assert line(lambda x: x + conv1(x, 5, padding=(2, 2)), 5) == [(0, 2), (0, 3), (0, 4), (1, 4), (2, 4)]
    left, right = (lambda x: conv1(x, 2, padding=(1, 0))), (lambda x: conv1(x, 2, padding=(0, 1)))
    assert line(lambda x: left(x) + right(x), 4) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    # the third place reads one value of the layer before, the other one would be beyond its end
    assert line(lambda x: conv1(conv1(x, 1, 4), 3, padding=(1, 1)), 10) == [(0, 4), (0, 8), (4, 8)]
    assert line(lambda x: x.mean(1, keepdims=True), 4) == [(0, 3)]
    assert line(lambda x: conv1(x, 3).reshape(len(x), -1), 4) == [(0, 2), (1, 3)]
    assert line(lambda x: x[:, ::-1][:, 1:], 4) == [(2, 2), (1, 1), (0, 0)]


def test_a_place_that_sees_only_padding_depends_on_no_pixel():
    ((low, high),), _ = found(lambda x: conv1(x, 1, padding=(2, 0)), (1, 3, 1))
    assert (high - low).ravel().tolist() == [0, 0, 1, 1, 1]


def space_to_depth(x):
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def attention(x):
    y = x.reshape(len(x), -1, x.shape[-1])
    return (jax.nn.softmax(y @ y.swapaxes(1, 2)) @ y).reshape(x.shape)


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1)


FUNCTIONS = {
    "residual": lambda x: jax.nn.gelu(conv(x) + x),
    "concatenated": lambda x: conv(jnp.concatenate([conv(x, 5), x], -1)),
    "unlike channels": lambda x: jnp.concatenate([conv(x, 5), x], -1),
    "grouped": lambda x: conv(jnp.concatenate([conv(x, 5), x], -1), groups=2),
    "depthwise": lambda x: conv(x, groups=2, channels=1),
    "transposed": lambda x: conv(x, 3, padding=(2, 1), holes=2),
    "holes": lambda x: conv(conv(x, 1, padding=(0, 0), holes=2)),
    "resized": lambda x: jax.image.resize(conv(x), (len(x), 20, 20, 2), "bilinear"),
    "nearest": lambda x: conv(jax.image.resize(conv(x, stride=2), (len(x), 14, 12, 2), "nearest")),
    "skipping": lambda x: x + jax.image.resize(conv(x, stride=2), x.shape, "bilinear"),
    "split": lambda x: conv(jnp.split(conv(x, channels=4), 2, -1)[1]),
    "stacked": lambda x: conv(jnp.stack([conv(x), x]).sum(0)),
    "padded": lambda x: conv(jnp.pad(x, ((0, 0), (3, 1), (2, 0), (0, 0))), padding="VALID"),
    "wrapped": lambda x: conv(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap"), padding="VALID"),
    "rolled": lambda x: jnp.roll(conv(x), 2, 1),
    "to depth": lambda x: conv(space_to_depth(conv(x))),
    "depth alone": lambda x: space_to_depth(conv(x)),
    "attention": attention,
    "normalized": lambda x: normalized(conv(x)),
    "softmax": lambda x: jax.nn.softmax(conv(x)),
    "flattened": lambda x: conv(x, stride=3).reshape(len(x), -1),
    "dense": lambda x: conv(x, stride=3).reshape(len(x), -1) @ np.arange(1.0, 121).reshape(40, 3),
    "taken": lambda x: conv(x)[:, jnp.array([3, 1, 7])],
    "tiled": lambda x: jnp.tile(conv(x), (1, 2, 1, 1)),
    "squeezed": lambda x: conv(x).mean((1, 2)),
    "wide": lambda x: jnp.concatenate([x, conv(x)], 1),
    "cumulative": lambda x: jnp.cumsum(conv(x), 1),
    "sliced": lambda x: conv(jax.vmap(lambda image: jax.lax.dynamic_slice(image, (2, 0, 0), (5, 11, 2)))(x)),
    "frequencies": lambda x: jnp.abs(jnp.fft.fft(conv(x), axis=2)),
}  # fmt: skip


def check(function, exact=None, shape=SHAPE, images=32, places=12, seed=0):
    """Raises AssertionError unless spans contain the gradient's support, and are its hull where they say so."""
    spans, said = found(function, shape)
    assert exact is None or said == exact
    draw = np.random.default_rng(seed)
    size = spans[0][0].size
    asked = np.unique(np.append(draw.integers(0, size, places), [0, size - 1]))
    gradient = jax.jit(jax.grad(lambda x, i: function(x).reshape(len(x), -1)[:, i].sum()), compiler_options=QUICK)
    rows = draw.normal(size=(images, *shape[1:])).astype(np.float32)
    for i in asked:
        support = (np.asarray(gradient(rows, i)) != 0).any((0, -1))
        for side, (low, high) in enumerate(spans):
            seen = np.flatnonzero(support.any(tuple(a for a in range(support.ndim) if a != side)))
            first, last = int(low.ravel()[i]), int(high.ravel()[i])
            if seen.size:
                assert first <= seen[0]
                assert seen[-1] < last
            if said:
                assert (first, last) == ((seen[0], seen[-1] + 1) if seen.size else (0, 0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exact_spans_are_the_hull_of_the_gradients_support(name):
    check(FUNCTIONS[name], exact=True)


class Drawn:
    """Layers drawn at random, the same each time they are applied: 2 to 5, of which some have branches."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, x):
        self.draw = np.random.default_rng(self.seed)
        for _ in range(self.draw.integers(2, 6)):
            kinds = [self.residual, self.branches, self.pool, self.flip, self.conv]
            kinds += (
                [self.conv, self.shrunk, self.padded, self.to_depth, self.transposed] if min(x.shape[1:3]) > 5 else []
            )
            x = self.draw.choice(np.array(kinds, object))(x)
        return x.mean((1, 2)) if self.draw.random() < 0.1 else x

    def number(self, *choices):
        return int(self.draw.choice(choices))

    def conv(self, x, stride=None, size=None, padding=None):
        size, dilation = size or self.number(1, 2, 3, 5), self.number(1, 1, 2)
        stride = stride or (self.number(1, 1, 2) if min(x.shape[1:3]) > 5 else 1)
        padding = padding or self.draw.choice(["SAME", "explicit"])
        padding = "SAME" if padding == "SAME" else tuple(map(int, self.draw.integers(0, 4, 2)))
        fits = padding != "SAME" and min(x.shape[1:3]) + sum(padding) > (size - 1) * dilation
        groups = x.shape[-1] if self.draw.random() < 0.2 else 1
        y = conv(x, size, stride, padding if fits else "SAME", dilation, groups=groups, key=self.number(*range(99)))
        return jax.nn.leaky_relu(y[..., :6], 0.3)

    def residual(self, x):
        y = self.conv(x, 1, 3, "SAME")
        return jnp.concatenate([y, jnp.zeros_like(x)], -1)[..., : x.shape[-1]] + x

    def branches(self, x):
        other = nn.max_pool(x, (3, 3), (1, 1), "SAME") if self.draw.random() < 0.5 else x
        return jnp.concatenate([self.conv(x, 1, self.number(1, 3, 5), "SAME"), other], -1)[..., :6]

    def pool(self, x):
        pool, size = (nn.max_pool, nn.avg_pool)[self.number(0, 1)], self.number(2, 3)
        stride = self.number(1, 2) if min(x.shape[1:3]) > 5 else 1
        return pool(x, (size, size), (stride, stride), str(self.draw.choice(["SAME", "VALID"])))

    def flip(self, x):
        return jnp.flip(x, self.number(1, 2))

    def shrunk(self, x):
        return x[:, self.number(0, 1) :: self.number(1, 2), : -self.number(1, 2)]

    def padded(self, x):
        a, b = map(int, self.draw.integers(0, 3, 2))
        return jnp.pad(x, ((0, 0), (a, b), (b, a), (0, 0)))

    def to_depth(self, x):
        return space_to_depth(x)[..., :6]

    def transposed(self, x):
        return conv(x, 3, padding=(2, self.number(1, 2)), holes=2)[:, :13, :13]


def check_drawn(seed):
    check(Drawn(seed), images=96, places=4, seed=seed)


@pytest.mark.parametrize("seed", range(8))
def test_the_spans_of_drawn_networks_contain_the_gradients_support(seed):
    check_drawn(seed)


@pytest.mark.slow
def test_the_spans_of_two_hundred_drawn_networks_contain_the_gradients_support():
    exact = 0
    for seed in range(200):
        check_drawn(seed)
        exact += found(Drawn(seed))[1]
    assert exact > 190
