"""Imported Keras models that are no chains, against what each call of a layer gave in real Keras."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz import interop

GOLDENS = Path(__file__).parent / "goldens" / "keras"
NAMES = "branches nested several reshaping normalizing signal volume first functions operations".split()
NAMES += ["shared", "preprocessing", "called", "along", "computed"]
FILES = sorted(p for p in GOLDENS.iterdir() if p.suffix in (".h5", ".keras") and p.stem.split("_")[1] in NAMES)


def record(model, variables, images):
    """What each layer gives at each call, by `name` or `name@0`, in evaluation mode."""
    capture = {"capture_intermediates": True, "mutable": ["intermediates"]}
    _, state = jax.jit(partial(model.apply, **capture))(variables, images)
    found = {}
    for path, calls in jax.tree_util.tree_leaves_with_path(
        state["intermediates"], is_leaf=lambda leaf: isinstance(leaf, tuple)
    ):
        name = "/".join(entry.key for entry in path[:-1])
        arrays = [call for call in calls if isinstance(call, jax.Array)]
        found |= {f"{name}@{i}" if len(calls) > 1 else name: array for i, array in enumerate(arrays)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_call_gives_what_keras_gives(path):
    golden = np.load(path.with_suffix(".npz"))
    moved = lambda values: (
        np.moveaxis(values, 1, -1) if ("first" in path.name or "along" in path.name) and values.ndim > 2 else values
    )
    images = {key.split("/")[1]: moved(golden[key]) for key in golden if key.startswith("images/")}
    model, variables = interop.load_keras(path)
    images = jax.tree.map(jnp.asarray, images or moved(golden["images"]))
    found = record(model, variables, images)
    for name in golden["names"].tolist():
        expected = moved(golden[name])
        assert found[name].shape == expected.shape, name
        np.testing.assert_allclose(found[name], expected, atol=1e-5, rtol=1e-5, err_msg=name)
