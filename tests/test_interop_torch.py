"""State dicts that real PyTorch wrote (tests/goldens/make_torch.py), and what becomes of them in Flax models."""

import json
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from cnnviz.errors import InputError
from cnnviz.interop.torch.arrays import fitted
from cnnviz.interop.torch.convert import convert, read_table, table_of
from cnnviz.interop.torch.read import read_state_dict

GOLDENS = Path(__file__).parent / "goldens" / "torch"
TUTORIAL = ["tutorial.pth", "legacy.pth", "protocol4.pth", "tutorial.safetensors"]
TUTORIAL += ["checkpoint.pth.tar", "checkpoint_legacy.pth.tar"]
SHAPE = (8, 12, 3)
PARTS = ("0.weight", "0.bias", "1.weight", "1.bias")


@pytest.mark.parametrize("name", TUTORIAL)
def test_every_kind_of_file_has_the_arrays_that_were_saved(name):
    golden = np.load(GOLDENS / "tutorial.npz")
    state = read_state_dict(GOLDENS / name)
    assert set(state) == set(golden.files) - {"images", "logits"}
    for key, array in state.items():
        assert array.dtype == golden[key].dtype
        np.testing.assert_array_equal(array, golden[key], err_msg=key)


def test_the_arrays_come_in_the_order_in_which_they_were_saved():
    names = "conv1.weight conv1.bias bn1.weight bn1.bias bn1.running_mean bn1.running_var bn1.num_batches_tracked"
    for name in set(TUTORIAL) - {"tutorial.safetensors"}:  # which sorts them
        assert list(read_state_dict(GOLDENS / name))[:7] == names.split()


@pytest.mark.parametrize("name", ["dtypes.pth", "dtypes_legacy.pth", "dtypes.safetensors"])
def test_dtypes_strides_and_parts_of_storages(name):
    golden, state = np.load(GOLDENS / "dtypes.npz"), read_state_dict(GOLDENS / name)
    assert set(golden.files) - set(state) <= ({"part", "column"} if name.endswith("safetensors") else set())
    for key, array in state.items():
        assert (array.dtype, array.shape) == (golden[key].dtype, golden[key].shape)
        np.testing.assert_array_equal(array, golden[key], err_msg=key)


class Tutorial(nn.Module):
    """The network of make_torch.py, as somebody who knows neither file would write it in Flax."""

    @nn.compact
    def __call__(self, x, train=False):
        norm = lambda x: nn.BatchNorm(use_running_average=not train, epsilon=1e-5)(x)
        x = nn.max_pool(nn.relu(norm(nn.Conv(4, (3, 3))(x))), (2, 2), strides=(2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3), feature_group_count=2)(x)), (2, 2), strides=(2, 2))
        x = norm(x.reshape(len(x), -1))
        return nn.Dense(3)(nn.relu(nn.Dense(5)(x)))


class ChannelsFirst(Tutorial):
    """The same, which flattens as PyTorch does."""

    @nn.compact
    def __call__(self, x, train=False):
        norm = lambda x: nn.BatchNorm(use_running_average=not train, epsilon=1e-5)(x)
        x = nn.max_pool(nn.relu(norm(nn.Conv(4, (3, 3))(x))), (2, 2), strides=(2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3), feature_group_count=2)(x)), (2, 2), strides=(2, 2))
        x = norm(x.transpose(0, 3, 1, 2).reshape(len(x), -1))
        return nn.Dense(3)(nn.relu(nn.Dense(5)(x)))


TABLE = {
    "conv1": "Conv_0",
    "bn1": "BatchNorm_0",
    "conv2": "Conv_1",
    "bn2": "BatchNorm_1",
    "fc1": "Dense_1",  # which Flax numbers in the order in which they are written
    "fc2.weight": "Dense_0/kernel",
    "fc2.bias": "params/Dense_0/bias",
}


def shapes_of(model, shape=SHAPE):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))


@pytest.mark.parametrize("model", [Tutorial(), ChannelsFirst()], ids=["hwc", "chw"])
@pytest.mark.parametrize("table", [None, TABLE], ids=["by order", "by a table"])
@pytest.mark.parametrize("file", ["tutorial.pth", "tutorial.safetensors"])  # which sorts the names
def test_one_s_own_network_gives_the_logits_of_pytorch(model, table, file):
    golden = np.load(GOLDENS / "tutorial.npz")
    variables = convert(read_state_dict(GOLDENS / file), model, shapes_of(model), SHAPE, table)
    np.testing.assert_allclose(model.apply(variables, golden["images"]), golden["logits"], atol=1e-5)


def test_the_table_can_be_looked_at_and_used_again():
    model = Tutorial()
    state, shapes = read_state_dict(GOLDENS / "tutorial.pth"), shapes_of(model)
    table = table_of(state, model, shapes, SHAPE)
    assert table["conv2.weight"] == "params/Conv_1/kernel"
    assert table["bn1.running_var"] == "batch_stats/BatchNorm_0/var"
    assert len(table) == len(jax.tree.leaves(shapes))
    first, second = (convert(state, model, shapes, SHAPE, used) for used in (None, table))
    jax.tree.map(np.testing.assert_array_equal, first, second)


def test_a_network_whose_modules_are_named_alike_is_converted_by_its_names():
    class Named(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            x = nn.Dense(4, name="second")(x.mean((1, 2)))  # used first
            return nn.Dense(4, name="first")(x)

    model = Named()
    state = {
        f"{name}.{leaf}": np.random.default_rng(i).normal(size=(4, 4)[: 1 + (leaf == "weight")])
        for i, name in enumerate(("first", "second"))
        for leaf in ("weight", "bias")
    }
    variables = convert(state, model, shapes_of(model, (2, 2, 4)), (2, 2, 4))
    np.testing.assert_allclose(variables["params"]["first"]["kernel"], state["first.weight"].T, rtol=1e-6)


class Deep(nn.Module):
    """Twelve dense layers of one shape, and normalization between them."""

    @nn.compact
    def __call__(self, x):
        for i in range(12):
            x = nn.LayerNorm(name=f"a{i}")(nn.Dense(4, name=f"b{11 - i}")(x))
        return x


@pytest.mark.parametrize("is_sorted", [False, True], ids=["in order", "sorted by safetensors"])
def test_modules_of_one_shape_come_in_their_order(tmp_path, is_sorted):
    draw = np.random.default_rng(0)
    shapes = {f"layers.{i}.{part}": (4, 4) if part == "0.weight" else (4,) for i in range(12) for part in PARTS}
    state = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    if is_sorted:
        safetensors.numpy.save_file(state, tmp_path / "a.safetensors")
        assert list(read_state_dict(tmp_path / "a.safetensors"))[:3] == [
            "layers.0.0.bias",
            "layers.0.0.weight",
            "layers.0.1.bias",
        ]
        state = read_state_dict(tmp_path / "a.safetensors")
    params = convert(state, Deep(), shapes_of(Deep(), (2, 2, 4)), (2, 2, 4))["params"]
    for i in range(12):
        np.testing.assert_array_equal(params[f"b{11 - i}"]["kernel"], state[f"layers.{i}.0.weight"].T)
        np.testing.assert_array_equal(params[f"b{11 - i}"]["bias"], state[f"layers.{i}.0.bias"])
        np.testing.assert_array_equal(params[f"a{i}"]["scale"], state[f"layers.{i}.1.weight"])


class Branches(nn.Module):
    """Two branches are flattened and joined, one of them through an activation, before a dense layer."""

    @nn.compact
    def __call__(self, x):
        flat = lambda x: x.reshape(len(x), -1)
        return nn.Dense(2)(jnp.concatenate([nn.tanh(flat(x)), flat(x[:, :2])], axis=-1))


def test_flattened_branches_that_are_joined():
    x = np.random.default_rng(0).normal(size=(1, 3, 2, 4)).astype(np.float32)
    weight = np.random.default_rng(1).normal(size=(2, 24 + 16)).astype(np.float32)
    model, state = Branches(), {"fc.weight": weight, "fc.bias": np.zeros(2, np.float32)}
    variables = convert(state, model, shapes_of(model, (3, 2, 4)), (3, 2, 4))
    flat = lambda x: x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    expected = np.concatenate([np.tanh(flat(x)), flat(x[:, :2])], -1) @ weight.T
    np.testing.assert_allclose(model.apply(variables, x), expected, atol=1e-5)


def misfit(change, table=None):
    """The error for the tutorial's state dict after a change."""
    state = read_state_dict(GOLDENS / "tutorial.pth")
    change(state)
    with pytest.raises(InputError) as caught:
        convert(state, Tutorial(), shapes_of(Tutorial()), SHAPE, table)
    return str(caught.value)


def test_what_does_not_fit_is_counted_and_named():
    said = misfit(lambda state: state.update({"fc2.weight": np.zeros((7, 5)), "fc2.bias": np.zeros(7)}), TABLE)
    assert said.startswith("14 of 16 arrays fit; those that do not: ")
    assert "fc2.weight (7, 5) for params/Dense_0/kernel becomes (5, 7); the model's is (5, 3)" in said
    said = misfit(lambda state: state.pop("conv1.bias"), TABLE)
    assert said == "15 of 16 arrays fit; those that do not: params/Conv_0/bias (4,) has no array conv1.bias."
    said = misfit(lambda state: state.update(extra=np.zeros((2, 3))))
    assert said == "16 of 16 arrays fit; those that do not: extra (2, 3) has no place."
    said = misfit(lambda state: [state.update({f"extra{i}": np.zeros(999)}) for i in range(7)])
    assert "the first five of 7 that do not" in said
    assert said.count(";") == 5
    said = misfit(lambda state: state.update({"fc2.bias": np.zeros(3, int)}), TABLE)
    assert "has the type int64, not float32" in said


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_arrays_become_those_of_a_model_whose_parameters_have_another_type(dtype):
    for given in (np.float32, ml_dtypes.bfloat16):
        found = fitted(np.full((3, 1), 0.75, given), (3,), np.dtype(dtype))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.astype(np.float32), np.full(3, 0.75))
    with pytest.raises(InputError, match="has the type int8, not"):
        fitted(np.zeros(3, np.int8), (3,), np.dtype(dtype))


def test_a_table_with_a_path_that_the_model_does_not_have():
    said = misfit(lambda state: None, {**TABLE, "fc1": "Dense_7"})
    assert "'Dense_7' is not a module or variable of the model; did you mean 'Dense_" in said


def test_a_table_from_a_file(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(TABLE))
    assert read_table(path) == TABLE
    for wrong in ("[]", '{"a": 1}', "{", "[" * 100_000):
        path.write_text(wrong)
        with pytest.raises(InputError, match="JSON object"):
            read_table(path)


class Decoder(nn.Module):
    transposed: bool = False  # in which layout Flax has the second kernel

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.ConvTranspose(3, (2, 3), strides=(2, 2), padding="VALID")(x))
        return nn.ConvTranspose(3, (3, 2), (2, 1), padding="VALID", transpose_kernel=self.transposed)(x).reshape(1, -1)


def conv_transpose(x, weight, bias, strides):
    """PyTorch's ConvTranspose2d by its definition: each input adds its multiple of the kernel to the output."""
    (_, height, width), (_, channels, *kernel) = x.shape, weight.shape
    out = np.zeros((channels, (height - 1) * strides[0] + kernel[0], (width - 1) * strides[1] + kernel[1]))
    for i, j in np.ndindex(height, width):
        rows, columns = (slice(at * by, at * by + k) for at, by, k in zip((i, j), strides, kernel, strict=True))
        out[:, rows, columns] += np.einsum("i,iokl->okl", x[:, i, j], weight)
    return out + bias[:, None, None]


@pytest.mark.parametrize("transposed", [False, True])
def test_kernels_of_transposed_convolutions(transposed):
    draw = np.random.default_rng(0).normal
    state = {"up1.weight": (5, 3, 2, 3), "up1.bias": (3,), "up2.weight": (3, 3, 3, 2), "up2.bias": (3,)}
    state = {name: draw(size=shape).astype(np.float32) for name, shape in state.items()}
    x = draw(size=(5, 4, 4)).astype(np.float32)
    up1, up2 = ((state[f"{name}.weight"], state[f"{name}.bias"]) for name in ("up1", "up2"))
    expected = conv_transpose(np.maximum(conv_transpose(x, *up1, (2, 2)), 0), *up2, (2, 1))
    model = Decoder(transposed)
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 4, 4, 5)))
    found = model.apply(convert(state, model, variables, (4, 4, 5)), x.transpose(1, 2, 0)[None])
    np.testing.assert_allclose(found[0], expected.transpose(1, 2, 0).ravel(), rtol=1e-4, atol=1e-4)
