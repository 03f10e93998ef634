"""Weights of Flax's users from every file that they are saved in, put into a model by its own names and shapes."""

import json
import os
from pathlib import Path

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import ml_dtypes
import msgpack
import numpy as np
import optax
import pytest
import safetensors.numpy
from flax import nnx
from flax.training.train_state import TrainState
from flax.traverse_util import flatten_dict

from cnnviz import networks, probe
from cnnviz.errors import InputError
from cnnviz.interop import WEIGHTS
from cnnviz.interop.weights import read_weights
from cnnviz.interop.weights.tree import flat

SHAPE = (8, 8, 3)


class Net(nn.Module):
    """A convolution, BatchNorm and a dense layer."""

    classes: int = 3

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3))(x)))
        return nn.Dense(self.classes)(x.mean((1, 2)))


class Deep(nnx.Module):
    """An NNX network with BatchNorm, dropout and a list of layers."""

    def __init__(self, width: int = 4, *, rngs: nnx.Rngs):
        self.convs = nnx.List([nnx.Conv(3, width, (3, 3), rngs=rngs), nnx.Conv(width, width, (3, 3), rngs=rngs)])
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(width, 3, rngs=rngs)

    def __call__(self, x):
        for conv in self.convs:
            x = nnx.relu(conv(x))
        return self.dense(self.drop(self.norm(x).mean((1, 2))))


@pytest.fixture(scope="module")
def variables():
    drawn = jax.jit(Net().init)(jax.random.key(3), jnp.zeros((1, *SHAPE)))
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 0.25, drawn)


def names(tree, separator="/"):
    return {separator.join(map(str, path)): np.asarray(leaf) for path, leaf in flatten_dict(tree).items()}


def save_msgpack(path, tree):
    path.write_bytes(flax.serialization.to_bytes(tree))


def save_orbax(path, tree):
    import orbax.checkpoint as ocp

    checkpointer = ocp.StandardCheckpointer()
    checkpointer.save(path.resolve(), tree)
    checkpointer.wait_until_finished()


WRITERS = {
    "w.msgpack": save_msgpack,
    "w.safetensors": lambda path, tree: safetensors.numpy.save_file(names(tree), path),
    "dots.safetensors": lambda path, tree: safetensors.numpy.save_file(names(tree, "."), path),
    "w.npz": lambda path, tree: np.savez(path, **names(tree)),
    "small.npz": lambda path, tree: np.savez_compressed(path, **names(tree, ".")),
    "checkpoint": save_orbax,
}


def fitted(path, model=None, shape=SHAPE):
    return networks.fit(read_weights(path), model or Net(), shape, source=path.name, name="Net")


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("name", WRITERS)
def test_variables_come_back_from_every_kind_of_file(name, variables, tmp_path):
    WRITERS[name](tmp_path / name, variables)
    assert_same(fitted(tmp_path / name), variables)


class Trained(TrainState):
    """A TrainState as Flax's examples have it for BatchNorm."""

    batch_stats: dict


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda v: Trained.create(apply_fn=None, params=v["params"], batch_stats=v["batch_stats"], tx=optax.adam(1e-3)),
        lambda v: TrainState.create(apply_fn=None, params=v, tx=optax.adam(1e-3)),
        lambda v: {"model": v, "config": {"width": 4, "name": "x", "list": [1, 2]}, "epoch": 3},
        lambda v: {"state": {"model": v}},
        lambda v: {**v, "ema": v["params"], "step": np.int32(3)},
        lambda v: {"params": {"params": v["params"]}, "batch_stats": v["batch_stats"]},
    ],
    ids=["TrainState", "variables in params", "model", "deep", "ema", "params twice"],
)
def test_the_variables_are_found_inside_what_was_saved(wrapped, variables, tmp_path):
    save_msgpack(tmp_path / "w.msgpack", wrapped(variables))
    assert_same(fitted(tmp_path / "w.msgpack"), variables)


def test_parameters_alone_are_enough_for_a_network_without_statistics(tmp_path):
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.relu(nn.Conv(4, (3, 3))(x)).mean((1, 2)))

    drawn = jax.jit(Plain().init)(jax.random.key(1), jnp.zeros((1, *SHAPE)))
    np.savez(tmp_path / "w.npz", **names(drawn["params"]))
    assert_same(fitted(tmp_path / "w.npz", Plain()), drawn)


def made(key):
    return Deep(rngs=nnx.Rngs(key))


@pytest.mark.parametrize("name", ["w.msgpack", "w.safetensors", "w.npz", "checkpoint"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole state", "by kind"])
def test_the_state_of_an_nnx_module(name, whole, tmp_path):
    module = made(7)
    model, own = probe.from_nnx(module)
    expected = {key: own[key] for key in ("params", "batch_stats")}
    mixed = nnx.to_pure_dict(nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat)))
    if whole and name != "w.safetensors":
        mixed["drop"] = {"rngs": {"count": np.uint32(3), "key": np.zeros(2, np.uint32)}}
    tree = mixed if whole else expected
    WRITERS[name](tmp_path / name, tree if name != "w.msgpack" else _text_keys(tree))
    found = networks.fit(read_weights(tmp_path / name), probe.nnx_model(made), SHAPE, source="w", name="Deep")
    assert_same(found, jax.tree.map(jnp.asarray, expected))
    images = jax.random.uniform(jax.random.key(0), (2, *SHAPE))
    np.testing.assert_allclose(probe.logits(probe.nnx_model(made), found, images), probe.logits(model, own, images))


def _text_keys(tree):
    return {str(key): _text_keys(value) for key, value in tree.items()} if isinstance(tree, dict) else tree


def test_numbers_as_keys_and_values_in_wrappers_are_understood(tmp_path):
    _, own = probe.from_nnx(made(7))
    wrap = lambda tree: {k: wrap(v) if isinstance(v, dict) else {"value": v} for k, v in tree.items()}
    numbers = {name: jax.tree.map(np.asarray, own[name]) for name in ("params", "batch_stats")}
    (tmp_path / "w.msgpack").write_bytes(flax.serialization.msgpack_serialize(wrap(numbers)))
    found = networks.fit(read_weights(tmp_path / "w.msgpack"), probe.nnx_model(made), SHAPE, source="w", name="Deep")
    np.testing.assert_array_equal(found["params"]["convs"][1]["kernel"], own["params"]["convs"][1]["kernel"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("name", ["w.npz", "w.msgpack", "w.safetensors", "checkpoint"])
def test_other_floats_become_the_models(name, dtype, variables, tmp_path):
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    other = jax.tree.map(lambda leaf: leaf.astype(kind), variables)
    WRITERS[name](tmp_path / name, other)
    assert_same(fitted(tmp_path / name), jax.tree.map(lambda leaf: leaf.astype(np.float32), other))


def test_a_value_that_the_models_type_rounds_to_infinity_is_named(tmp_path):
    class Half(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2, param_dtype=jnp.float16, use_bias=False, name="dense")(x.mean((1, 2)))

    kernel = np.array([[1, 2], [3, -1e5], [np.nan, np.inf]], np.float32)
    save_msgpack(tmp_path / "w.msgpack", {"params": {"dense": {"kernel": kernel}}})
    with pytest.raises(InputError, match=r"params/dense/kernel has values up to 1e\+05; float16 ends at 6.55e\+04"):
        networks.fit(read_weights(tmp_path / "w.msgpack"), Half(), SHAPE, source="w", name="Half")


def test_an_array_in_pieces_is_put_together(tmp_path, monkeypatch, variables):
    monkeypatch.setattr(flax.serialization, "MAX_CHUNK_SIZE", 64)
    save_msgpack(tmp_path / "w.msgpack", variables)
    assert b"__msgpack_chunked_array__" in (tmp_path / "w.msgpack").read_bytes()
    assert_same(fitted(tmp_path / "w.msgpack"), variables)


def test_complex_numbers_and_scalars_are_read_as_flax_reads_them(tmp_path):
    tree = {"a": 1 + 2j, "b": np.float32(0.5), "c": np.zeros((0, 3)), "d": np.array(True)}
    (tmp_path / "w.msgpack").write_bytes(flax.serialization.msgpack_serialize(dict(tree)))
    found = flat(read_weights(tmp_path / "w.msgpack"))
    for name, value in tree.items():
        np.testing.assert_array_equal(found[name,], value)


def test_every_difference_is_counted_and_the_first_five_are_named(variables, tmp_path):
    other = jax.jit(Net(classes=5).init)(jax.random.key(3), jnp.zeros((1, 8, 8, 1)))
    tree = {**other, "params": {**other["params"], "Extra": {"kernel": np.zeros(3, np.float32)}}}
    del tree["params"]["BatchNorm_0"]
    save_msgpack(tmp_path / "w.msgpack", tree)
    with pytest.raises(InputError) as error:
        fitted(tmp_path / "w.msgpack")
    assert str(error.value) == (
        "w.msgpack does not fit Net: 3 of 8 arrays fit; the first 5 that do not: params/BatchNorm_0/bias is missing; "
        "params/BatchNorm_0/scale is missing; params/Conv_0/kernel has the shape (3, 3, 1, 4), not (3, 3, 3, 4); "
        "params/Dense_0/bias has the shape (5,), not (3,); params/Dense_0/kernel has the shape (4, 5), not (4, 3); "
        "those that fit: batch_stats/BatchNorm_0/mean, batch_stats/BatchNorm_0/var, params/Conv_0/bias."
    )


def test_whole_numbers_are_not_weights_and_arrays_too_many_are_named(variables, tmp_path):
    for dtype in (np.float32, ml_dtypes.bfloat16):
        tree = {**variables, "params": {**variables["params"], "Extra": {"kernel": np.zeros(3, dtype)}}}
        np.savez(tmp_path / "w.npz", **names(tree))
        with pytest.raises(
            InputError, match=r"8 of 8 arrays fit; those that do not: params/Extra/kernel is not in the mod"
        ):
            fitted(tmp_path / "w.npz")
    np.savez(tmp_path / "i.npz", **{name: array.astype(np.int32) for name, array in names(variables).items()})
    with pytest.raises(InputError, match=r"0 of 8 arrays fit; .*Conv_0/bias has the type int32, not float32"):
        fitted(tmp_path / "i.npz")


def test_a_network_of_other_names_fits_nowhere(tmp_path):
    np.savez(tmp_path / "w.npz", **{"features/0/weight": np.zeros((3, 3), np.float32)})
    with pytest.raises(InputError, match=r"w.npz does not fit Net: 0 of 8 arrays fit; the first 5 that do not: "):
        fitted(tmp_path / "w.npz")


def test_every_reader_is_tried_here():
    assert set(WEIGHTS) >= {".msgpack", ".safetensors", ".npz", "orbax"}


# What somebody else made


def packed(tree):
    return msgpack.packb(tree, use_bin_type=True)


def array(shape, dtype, values):
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, values), use_bin_type=True))


MANY = b"\xdf\x00\x00\x00\x02" + packed("a") + b"\xdc\x20\x00" + (b"\xdc\x1f\xff" + b"\x80" * 8191) * 64
BOMBS = {
    "empty": (b"", "Unpack failed: incomplete input"),
    "not a map": (packed([1, 2]), "it holds [1, 2], not named arrays"),
    "a map of 4 billion": (b"\xdf\xff\xff\xff\xff", "exceeds max_map_len"),
    "a list of 4 billion": (b"\x81\xa1a\xdd\xff\xff\xff\xff", "exceeds max_array_len"),
    "a text of 4 GB": (b"\x81\xa1a\xdb\xff\xff\xff\xff", "incomplete input"),
    "a long text": (packed({"a": "x" * 10**5}), "exceeds max_str_len"),
    "bytes of 4 GB": (b"\x81\xa1a\xc6\xff\xff\xff\xff", "incomplete input"),
    "many bytes": (packed({"a": b"x" * 10**5}), "exceeds max_bin_len"),
    "an array of 4 GB": (b"\x81\xa1a\xc9\xff\xff\xff\xff\x01", "exceeds max_ext_len"),
    "half a million empty maps": (MANY, "it has more than 262144 values"),
    "a million lists in each other": (b"\x81\xa1a" + b"\x91" * 10**6 + b"\xc0", ""),
    "70 dicts in each other": (b"\x81\xa1a" * 70 + packed(array([1], "uint8", b"1")), "more than 64 levels deep"),
    "an object array": (packed({"a": array([1], "object", b"12345678")}), "the type 'object'"),
    "an unknown type": (packed({"a": array([1], "V8", b"12345678")}), "the type 'V8'"),
    "a structured type": (packed({"a": array([1], "i4,i4", b"12345678")}), "the type 'i4,i4'"),
    "a huge shape": (packed({"a": array([2**40, 2**40], "float32", b"1234")}), "and stores 4 bytes"),
    "a negative shape": (packed({"a": array([-1], "float32", b"1234")}), "an array has the shape [-1]"),
    "a shape of texts": (packed({"a": array(["1"], "float32", b"1234")}), "an array has the shape"),
    "no array": (packed({"a": msgpack.ExtType(1, b"\xc0")}), ""),
    "another extension": (packed({"a": msgpack.ExtType(42, b"x")}), "an extension of type 42"),
    "a timestamp": (packed({"a": msgpack.Timestamp(0)}), "0 of 8 arrays fit"),
    "a key twice": (b"\x82\xa1a\x01\xa1a\x02", "it has a key twice"),
    "a list as a key": (b"\x81\x91\x01\x02", ""),
    "bytes after the end": (packed({}) + b"x", "extra data"),
    "pieces of nothing": (packed({"a": {"__msgpack_chunked_array__": True, "shape": {}, "chunks": {}}}), "in pieces"),
    "pieces that are missing": (packed({"a": {"__msgpack_chunked_array__": True}}), "chunks"),
    "pieces of another size": (
        packed(
            {
                "a": {
                    "__msgpack_chunked_array__": True,
                    "shape": {"0": 9},
                    "chunks": {"0": array([1], "float32", b"1234")},
                }
            }
        ),
        "and stores 4 bytes",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_msgpack_is_refused_in_one_line(name, tmp_path):
    data, message = BOMBS[name]
    (tmp_path / "w.msgpack").write_bytes(data)
    with pytest.raises(InputError) as error:
        fitted(tmp_path / "w.msgpack")
    assert message.lower() in str(error.value).lower()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


class Runs:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (open, ("unpickled.txt", "w"))


def test_pickles_in_an_npz_are_not_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("w.npz", **{"params/a": np.array([Runs()], object)}, allow_pickle=True)
    with pytest.raises(InputError, match="holds pickled objects, which are never loaded; save plain arrays"):
        read_weights("w.npz")
    assert not Path("unpickled.txt").exists()


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors", "w.msgpack"])
def test_damaged_files_are_one_line(name, variables, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, variables)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"\x00" * 64, whole[:20] + b"\xff" * 20 + whole[40:]):
        path.write_bytes(broken)
        with pytest.raises(InputError) as error:
            fitted(path)
        assert "\n" not in str(error.value)


def test_names_that_contradict_each_other_are_one_line(tmp_path):
    safetensors.numpy.save_file({"a/b": np.zeros(1), "a": np.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="has names that no tree has: 'a"):
        read_weights(tmp_path / "w.safetensors")


@pytest.fixture
def checkpoint(variables, tmp_path):
    save_orbax(tmp_path / "checkpoint", variables)
    return tmp_path / "checkpoint"


def test_a_step_of_orbaxs_manager_is_found(variables, tmp_path):
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(tmp_path / "steps") as manager:
        for step in (3, 20):
            manager.save(step, args=ocp.args.StandardSave(variables))
            manager.wait_until_finished()
    assert_same(fitted(tmp_path / "steps" / "20"), variables)
    with pytest.raises(InputError, match=r"steps has the steps 3, 20; name one, such as .*steps/20\."):
        fitted(tmp_path / "steps")


def test_a_folder_of_several_checkpoints_is_not_read_as_its_first(variables, tmp_path):
    for name in ("one", "two"):
        save_orbax(tmp_path / "all" / name, variables)
    with pytest.raises(InputError, match=r"all has the parts one, two; name one, such as .*all/one\."):
        fitted(tmp_path / "all")
    assert_same(fitted(tmp_path / "all" / "two"), variables)


def test_orbax_without_its_database_is_read_too(variables, tmp_path):
    import orbax.checkpoint as ocp

    ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False)).save(tmp_path / "plain", variables)
    assert_same(fitted(tmp_path / "plain"), variables)


def test_a_link_that_leads_outside_is_refused(checkpoint, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    (checkpoint / "d" / "0").parent.mkdir(exist_ok=True)
    (checkpoint / "d" / "link").symlink_to(secret)
    with pytest.raises(InputError, match=r"d/link is a link that leads out of the checkpoint"):
        fitted(checkpoint)
    (checkpoint / "d" / "link").unlink()
    (checkpoint / "folder").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"folder is a link that leads out of the checkpoint"):
        fitted(checkpoint)


def test_a_pipe_in_a_checkpoint_is_refused(checkpoint):
    os.mkfifo(checkpoint / "d" / "pipe")
    with pytest.raises(InputError, match="is neither a file nor a folder"):
        fitted(checkpoint)


def test_a_zarr_array_that_claims_too_much_is_refused(tmp_path):
    folder = tmp_path / "w" / "params.a"
    folder.mkdir(parents=True)
    header = {"zarr_format": 2, "shape": [10**6, 10**6], "chunks": [10, 10], "dtype": "<f4", "fill_value": 0}
    header |= {"compressor": None, "filters": None, "order": "C"}
    (folder / ".zarray").write_text(json.dumps(header))
    with pytest.raises(InputError, match=r"params.a, of shape \(1000000, 1000000\), claims more bytes than the files"):
        read_weights(tmp_path / "w")


def test_a_damaged_checkpoint_is_one_line(checkpoint):
    (checkpoint / "manifest.ocdbt").write_bytes(b"not a manifest")
    with pytest.raises(InputError, match="is not a readable checkpoint of Orbax") as error:
        fitted(checkpoint)
    assert "\n" not in str(error.value)


def test_a_folder_without_arrays_is_said(tmp_path):
    (tmp_path / "w" / "default").mkdir(parents=True)
    with pytest.raises(InputError, match="is not a checkpoint of Orbax; it has no arrays"):
        read_weights(tmp_path / "w")


def test_without_the_extra_the_line_to_type_is_said(checkpoint, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorstore", None)
    with pytest.raises(InputError, match=r'needs: pip install "cnnviz\[orbax\]"'):
        read_weights(checkpoint)
