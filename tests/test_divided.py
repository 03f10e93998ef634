"""Images that are divided among devices: maps, logits, folds and metrics are those of one device, divided as given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnviz.batching.divided import division_of

ROOT = Path(__file__).parent.parent
NETWORK = """
from dataclasses import fields

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P

from cnnviz import attribute, fold, logits, suite
from cnnviz.attribution import METHODS
from cnnviz.errors import InputError
from cnnviz.metrics import METRICS
from cnnviz.metrics.measuring import build, measure
from cnnviz.metrics.members import OfMembers
from cnnviz.metrics.shapes import OfMap
from cnnviz.registry import resolve


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        self.sow("intermediates", "relu1", x)
        return nn.Dense(3)(x.mean((1, 2)))


class Attending(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (2, 2), strides=2)(x).reshape(len(x), -1, 4)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2)(x, x)
        return nn.Dense(3)(x.mean(1))


assert jax.local_device_count() == 4
model, images = Net(), np.random.default_rng(0).uniform(size=(12, 8, 8, 1)).astype(np.float32)
variables, targets, key = model.init(jax.random.key(0), images[:1]), np.arange(12) % 3, jax.random.key(1)
given = {"key": key, "batch_size": 2, "data": images}


def divided(shape, names, spec):
    mesh = jax.make_mesh(shape, names)
    place = lambda tree, *axes: jax.device_put(tree, NamedSharding(mesh, P(*axes)))
    return place(variables), place(images, *spec)


def agree(one, several, sharding):
    assert several.sharding.is_equivalent_to(sharding, several.ndim), several.sharding
    np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-5 * float(np.abs(one).max()))
"""
QUICK = """
across, pictures = divided((4,), ("data",), ("data",))
agree(logits(model, variables, images), logits(model, across, pictures, batch_size=2), pictures.sharding)
for name, options in (("grad_cam", {}), ("smooth_grad", {"samples": 3}), ("guided_ig", {"steps": 2})):
    one = attribute(name, model, variables, images, targets, **given, **options)
    agree(one, attribute(name, model, across, pictures, targets, **given, **options), pictures.sharding)
same = suite(["gradient"], model, variables, pictures, "predicted")["gradient"]  # variables on one device
agree(suite(["gradient"], model, variables, images, "predicted")["gradient"], same, pictures.sharding)
numbers = measure("insertion", model, across, pictures, targets, same, steps=4)
np.testing.assert_allclose(measure("insertion", model, variables, images, targets, same, steps=4), numbers, rtol=1e-5)

repeated = divided((2, 2), ("data", "other"), ("data",))  # each half of the images on two devices
agree(logits(model, variables, images), logits(model, *repeated), repeated[1].sharding)
count = lambda state, found, mask: state + (found["relu1"].sum((1, 2)) * mask[:, None]).sum(0)
total = fold(model, variables, images, ["relu1"], np.zeros(4, np.float32), count)
for merge in (None, lambda one, other: one + other):
    for network, some in (divided((4,), ("data",), ("data",)), repeated):
        said = []
        ask = {"batch_size": 2, "report": lambda *now: said.append(now)}
        found = fold(model, variables, some, ["relu1"], np.zeros(4, np.float32), count, merge, **ask)
        np.testing.assert_allclose(found, total, rtol=1e-5)
        assert said[-1][0] == said[-1][1] == len(said)
try:
    logits(model, variables, divided((2,), ("data",), (None, "data"))[1])
except InputError as error:
    assert "along the first axis alone" in str(error)
else:
    raise AssertionError("images that are divided by height were taken")
"""
METHOD = """
across, pictures = divided((4,), ("data",), ("data",))
for name in sorted(METHODS, key=lambda name: name.startswith("attention")):
    known = {field.name for field in fields(resolve(METHODS, name, "method"))}
    options = {option: 3 for option in ("samples", "steps") if option in known}
    if name.startswith("attention"):
        model = Attending()
        variables = model.init(jax.random.key(0), images[:1])
        across = jax.device_put(variables, NamedSharding(pictures.sharding.mesh, P()))
    one = attribute(name, model, variables, images, targets, **given, **options)
    agree(one, attribute(name, model, across, pictures, targets, **given, **options), pictures.sharding)
"""
METRIC = """
across, pictures = divided((4,), ("data",), ("data",))
maps = {name: np.asarray(attribute(name, model, variables, images, targets)) for name in ("gradient", "grad_cam")}
there = {name: jax.device_put(each, pictures.sharding) for name, each in maps.items()}
few = {"samples": 3, "steps": 3}
numbers = lambda found: found if isinstance(found, dict) else {"": found}
for name in METRICS:
    metric = build(name)
    if isinstance(metric, OfMembers):
        continue
    options = {field.name: few[field.name] for field in fields(metric) if field.name in few}
    if isinstance(metric, OfMap):
        ask = (maps, there)
    else:
        ask, options["method"] = (maps["gradient"], there["gradient"]), "gradient"
    asked = {"key": key, "undefined": "nan", **options}
    one, several = (
        numbers(measure(name, model, *of, targets, each, **asked))
        for of, each in zip(((variables, images), (across, pictures)), ask, strict=True)
    )
    for which in one:
        np.testing.assert_allclose(several[which], one[which], rtol=1e-3, atol=1e-4, err_msg=f"{name} of {which}")
"""


def on_four_devices(script):
    flags = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    flags.pop("JAX_DISABLE_MOST_OPTIMIZATIONS", None)  # its roundings differ, and with them the most active unit
    command = [sys.executable, "-c", NETWORK + script]
    found = subprocess.run(command, env=flags, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]


@pytest.mark.slow
def test_divided_images_have_the_results_of_one_device_divided_as_they_are():
    on_four_devices(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("script", [METHOD, METRIC], ids=["method", "metric"])
def test_divided_images_have_the_results_of_one_device_of_every(script):
    on_four_devices(script)


def test_arrays_on_one_device_are_not_divided():
    division = division_of({"images": np.zeros((3, 2)), "numbers": np.arange(3)})
    assert (division.given, division.blocks) == (None, 1)
    assert division.place("as it is") == division.back("as it is") == "as it is"
