"""A trained network explained by NumPy in float64, from the formulas alone, and by `attribute` in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from cnnviz.attribution import attribute
from cnnviz.models.cnn import CNN

pytestmark = pytest.mark.slow

TARGET = 1


@pytest.fixture(scope="module")
def trained(toy):
    """The chapter's network, trained until it tells the halves apart, and six images."""
    model = CNN(classes=2)
    images, labels = toy[0].astype(jnp.float32) / 255, toy[1]
    optimizer = optax.adam(3e-3)

    def loss_of(params, key):
        logits = model.apply({"params": params}, images, train=True, rngs={"dropout": key})
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(params, state, key):
        updates, state = optimizer.update(jax.grad(loss_of)(params, key), state)
        return optax.apply_updates(params, updates), state

    params = jax.jit(model.init)(jax.random.key(0), images[:1])["params"]
    state = optimizer.init(params)
    for key in jax.random.split(jax.random.key(1), 12):
        params, state = step(params, state, key)
    accuracy = (model.apply({"params": params}, images).argmax(-1) == labels).mean()
    assert accuracy > 0.9, accuracy
    return model, {"params": params}, np.asarray(images[:6])


class Oracle:
    """The network's logit of `TARGET`, its layers, and the gradient with respect to each, for one image `[h w c]`."""

    def __init__(self, params, image):
        self.params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        self.values = {"image": np.asarray(image, np.float64)}
        x = self.block("1", self.values["image"])
        flat = self.block("2", x).ravel()
        hidden = flat @ self.kernel("dense1") + self.params["dense1"]["bias"]
        self.score = np.maximum(hidden, 0) @ self.kernel("logits")[:, TARGET] + self.params["logits"]["bias"][TARGET]
        slope = self.kernel("dense1") @ (self.kernel("logits")[:, TARGET] * (hidden > 0))
        self.slopes = {"pool2": slope.reshape(self.values["pool2"].shape)}
        self.slopes["pool1"] = self.back("2")
        self.slopes["image"] = self.back("1")

    def kernel(self, name):
        return self.params[name]["kernel"]

    def block(self, number, x):
        convolved = convolve(x, self.kernel(f"conv{number}")) + self.params[f"conv{number}"]["bias"]
        rectified = np.maximum(convolved, 0)
        self.values |= {f"conv{number}": convolved, f"relu{number}": rectified, f"pool{number}": pool(rectified)}
        return self.values[f"pool{number}"]

    def back(self, number):
        """From the gradient at the block's end to that at its start; what lies between is kept too."""
        self.slopes[f"relu{number}"] = unpool(self.values[f"relu{number}"], self.slopes[f"pool{number}"])
        at_conv = self.slopes[f"relu{number}"] * (self.values[f"conv{number}"] > 0)
        return convolve(at_conv, self.kernel(f"conv{number}")[::-1, ::-1].swapaxes(2, 3))


def convolve(x, kernel):
    """Same-padded correlation with a kernel of three by three."""
    windows = sliding_window_view(np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), (0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel)


def squares(x):
    """The four values of each square of two by two, row after row: `[h/2 w/2 c 4]`."""
    h, w, c = x.shape
    return x.reshape(h // 2, 2, w // 2, 2, c).transpose(0, 2, 4, 1, 3).reshape(h // 2, w // 2, c, 4)


def pool(x):
    return squares(x).max(-1)


def unpool(x, slope):
    """Each slope at the first of the square's largest values."""
    first = np.eye(4)[squares(x).argmax(-1)] * slope[..., None]
    h, w, c = slope.shape
    return first.reshape(h, w, c, 2, 2).transpose(0, 3, 1, 4, 2).reshape(2 * h, 2 * w, c)


def along(params, image, count):
    """The oracle between black and the image at Gauss-Legendre's nodes on 0 to 1, each after its node and weight."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    pairs = zip((nodes + 1) / 2, weights / 2, strict=True)
    return [(node, weight, Oracle(params, node * image)) for node, weight in pairs]


def gradient(params, image):
    return Oracle(params, image).slopes["image"].sum(-1)


def input_x_gradient(params, image):
    return (image * Oracle(params, image).slopes["image"]).sum(-1)


def integrated_gradients(params, image):
    return (image * sum(weight * one.slopes["image"] for _, weight, one in along(params, image, 20))).sum(-1)


def layer_integrated_gradients(params, image):
    full, black = (Oracle(params, x).values["relu2"] for x in (image, 0 * image))
    total = 0
    for node, weight, _ in along(params, image, 20):  # the line is in the layer, so the head alone is asked
        total += weight * head_slope(params, image, black + node * (full - black))
    return ((full - black) * total).sum(-1)


def head_slope(params, image, relu2):
    """The gradient at `relu2`, had the layer these values."""
    one = Oracle(params, image)
    hidden = pool(relu2).ravel() @ one.kernel("dense1") + one.params["dense1"]["bias"]
    slope = one.kernel("dense1") @ (one.kernel("logits")[:, TARGET] * (hidden > 0))
    return unpool(relu2, slope.reshape(one.values["pool2"].shape))


def grad_cam(params, image):
    one = Oracle(params, image)
    return np.maximum(one.values["relu2"] @ one.slopes["relu2"].mean((0, 1)), 0)


def hires_cam(params, image):
    one = Oracle(params, image)
    return np.maximum((one.values["relu2"] * one.slopes["relu2"]).sum(-1), 0)


def layer_cam(params, image):
    one = Oracle(params, image)
    return np.maximum((one.values["relu2"] * np.maximum(one.slopes["relu2"], 0)).sum(-1), 0)


def grad_cam_pp(params, image):
    """Eq. 19: with g the gradient, weights of ReLU(g) g^2 / (2 g^2 + sum(A) g^3)."""
    one = Oracle(params, image)
    a, g = one.values["relu2"], one.slopes["relu2"]
    below = 2 * g**2 + a.sum((0, 1)) * g**3
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    return np.maximum(a @ (alpha * np.maximum(g, 0)).sum((0, 1)), 0)


def eigen_cam(params, image):
    """The first principal component of the centered activations over places."""
    a = Oracle(params, image).values["relu2"]
    rows = a.reshape(-1, a.shape[-1])
    rows = rows - rows.mean(0)
    axis = np.linalg.svd(rows, full_matrices=False)[2][0]
    return (rows @ axis).reshape(a.shape[:2])


METHODS = {
    gradient: {},
    input_x_gradient: {},
    integrated_gradients: {"samples": 20},
    layer_integrated_gradients: {"samples": 20},
    grad_cam: {},
    hires_cam: {},
    layer_cam: {},
    grad_cam_pp: {},
    eigen_cam: {"relu": False},
}


@pytest.mark.parametrize(("formula", "options"), METHODS.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_trained_network_is_explained_as_by_the_formula(trained, formula, options):
    model, variables, images = trained
    maps = attribute(formula.__name__, model, variables, images, TARGET, upsampling=None, **options)
    expected = np.stack([formula(variables["params"], image) for image in images])
    if formula is eigen_cam:  # the sign of a component is free
        maps, expected = np.abs(maps), np.abs(expected)
    assert np.abs(maps - expected).max() <= 1e-4 * np.abs(expected).max()
    assert np.abs(expected).max() > 1e-3  # it says something


def test_the_oracle_s_gradient_is_its_score_s_slope(trained):
    _, variables, images = trained
    draw = np.random.default_rng(0)
    for image in images[:2]:
        way = draw.normal(size=image.shape) * 1e-6
        rise = Oracle(variables["params"], image + way).score - Oracle(variables["params"], image - way).score
        assert rise / 2 == pytest.approx((Oracle(variables["params"], image).slopes["image"] * way).sum(), rel=1e-6)
