"""Against Captum and pytorch-grad-cam, where they are installed: the same network and images, the same numbers."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("captum")
pytest.importorskip("pytorch_grad_cam")

from benchmarks.peers import PEERS  # noqa: E402
from benchmarks.twin import twin  # noqa: E402
from cnnviz.models.cnn import CNN  # noqa: E402

APART = 1e-4  # of the reference's largest value


@pytest.fixture(scope="module")
def networks():
    """A network whose weights and biases are all drawn, and its twin."""
    rng, model = np.random.default_rng(0), CNN()
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 28, 28, 1), np.float32))["params"]
    draw = lambda leaf: rng.normal(0, 1 / np.sqrt(max(leaf.size / leaf.shape[-1], 4)), leaf.shape).astype(np.float32)
    variables = {"params": jax.tree.map(draw, shapes)}
    return model, variables, twin(model, variables)


def name(peer):
    return " ".join([peer.library, peer.name, *map(str, peer.options.values())])


@pytest.mark.parametrize("peer", PEERS, ids=name)
def test_a_method_gives_what_the_reference_gives(peer, networks):
    model, variables, network = networks
    images = np.random.default_rng(1).uniform(size=(8, 28, 28, 1)).astype(np.float32)
    apart = peer.difference(network, model, variables, images, np.arange(8, dtype=np.int32))
    if peer.options.get("quadrature") == "trapezoid":
        assert apart == pytest.approx(1 / 49, rel=1e-3)  # theirs is 49/50 of the integral
    else:
        assert apart < (5e-2 if peer.name == "grad_cam_pp" else APART)  # an epsilon of theirs, which the paper has not
