"""The same explanation has the same bits in every process, and the same values on one thread."""

import os
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.attribution import build, suite

METHODS = {
    "gradient": {},
    "lrp_zero": {},
    "lrp_epsilon": {},
    "deep_lift": {"rule": "reveal_cancel"},
    "excitation_backprop": {},
    "occlusion": {"window": 4, "stride": 4},
    "smooth_grad": {"samples": 4},
}


class Network(nn.Module):
    """A residual branch, a grouped convolution, a pool of stride 1, a global maximum and two dense layers."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        y = nn.relu(nn.Conv(4, (3, 2), feature_group_count=2)(x))
        x = nn.max_pool(x + y, (2, 2), strides=(1, 1))
        return nn.Dense(3)(nn.relu(nn.Dense(6)(x.max((1, 2)))))


def write(path):
    """Saves the maps of all methods in float64."""
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.uniform(size=(4, 12, 12, 2)))
    shapes = jax.eval_shape(Network().init, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.5, leaf.shape)), shapes)
    methods = {name: build(name, **options) for name, options in METHODS.items()}
    found = suite(methods, Network(), variables, images, np.arange(4) % 3, key=jax.random.key(1))
    np.savez(path, **{name: np.asarray(maps) for name, maps in found.items()})


def in_a_process(path, **environment):
    root = str(Path(__file__).parent.parent)
    compiled_anew = {"JAX_ENABLE_COMPILATION_CACHE": "false", "JAX_ENABLE_X64": "1", "PYTHONPATH": root}
    environment = {**os.environ, **compiled_anew, **environment}
    subprocess.run([sys.executable, __file__, path], env=environment, cwd=root, check=True)
    return np.load(path)


def test_maps_have_the_same_bits_in_every_process_and_the_same_values_on_one_thread(tmp_path):
    first, again = (in_a_process(tmp_path / f"{name}.npz") for name in ("first", "again"))
    alone = in_a_process(tmp_path / "alone.npz", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    for name in METHODS:
        assert first[name].dtype == np.float64
        assert np.isfinite(first[name]).all()
        assert first[name].tobytes() == again[name].tobytes(), name
        np.testing.assert_allclose(alone[name], first[name], atol=1e-12 * np.abs(first[name]).max(), err_msg=name)


if __name__ == "__main__":
    write(sys.argv[1])
