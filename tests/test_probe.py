"""The seam: names, order, values, offsets, pruning and errors, for Linen and NNX alike."""

import re
import subprocess
import sys
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.training import train_state

from cnnviz import kernels, probe
from cnnviz.errors import InputError, InputTypeError
from cnnviz.models.cnn import CNN
from cnnviz.probe.folds import _fold_chunk
from cnnviz.types import LOGITS

ORDER = ["z_first", "norm", "shared@0", "shared@1", "block/z", "block/y", "block/a", "block", "a_last"]


def test_layers_are_in_order_of_execution_not_of_the_alphabet(foreign):
    names = [layer.name for layer in probe.layers(*foreign, (8, 8, 3))]
    assert [name for name in names if name in ORDER] == sorted(ORDER, key=ORDER.index)


def test_the_default_network_has_the_chapters_table():
    model = CNN()
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    rows = {layer.name: layer for layer in probe.layers(model, variables, (28, 28, 1))}
    assert list(rows) == "conv1 relu1 pool1 conv2 relu2 pool2 flatten dense1 relu3 dropout logits".split()
    assert sum(layer.parameters for layer in rows.values()) == kernels.parameter_count(variables) == 333_526
    assert [rows[name].receptive_field for name in ("relu1", "pool1", "relu2", "pool2", "logits")] == [
        (3, 3), (4, 4), (8, 8), (10, 10), (28, 28)
    ]  # fmt: skip
    assert rows["relu2"].shape == (14, 14, 64)
    assert (rows["relu1"].kind, rows["pool1"].kind, rows["conv1"].kind) == ("relu", "max_pool", "Conv")


def test_activations_are_what_the_modules_return(foreign, images):
    model, variables = foreign
    _, state = model.apply(variables, images, train=False, capture_intermediates=True, mutable=["intermediates"])
    found = probe.activations(model, variables, images, batch_size=2)
    for name, call in [("z_first", 0), ("shared@0", 0), ("shared@1", 1), ("a_last", 0)]:
        expected = state["intermediates"][name.split("@")[0]]["__call__"][call]
        np.testing.assert_allclose(found[name], expected, atol=1e-6)
    np.testing.assert_allclose(found["block/a"], jax.nn.relu(found["block/y"]), atol=1e-6)


def test_the_batch_size_is_only_a_matter_of_memory(foreign, images):
    one, all_at_once = (probe.activations(*foreign, images, batch_size=size) for size in (1, 5))
    for name in one:
        np.testing.assert_allclose(one[name], all_at_once[name], atol=1e-5)


def test_one_early_layer_compiles_to_one_convolution(foreign, images):
    model, variables = foreign
    count = lambda names: (
        jax.jit(lambda v, x: probe.activations(model, v, x, names))
        .lower(variables, images)
        .as_text()
        .count("stablehlo.convolution")
    )
    assert (count(["z_first"]), count(["shared@0"]), count(None)) == (1, 2, 4)


def test_the_score_is_the_logit_before_the_softmax(foreign, images):
    model, variables = foreign
    logits = probe.activations(model, variables, images, "a_last")["a_last"]
    np.testing.assert_allclose(probe.logits(model, variables, images), logits, atol=1e-6)
    score, values = probe.score_of(model, variables, 2)(images[0], {})
    np.testing.assert_allclose(score, logits[0, 2], atol=1e-6)
    assert values["block"].shape == (8, 8, 4)


class HiddenLogits(nn.Module):
    """A hidden layer called "logits", a module's output or a sown value, in front of the layer that is the output."""

    sown: bool

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        self.sow("intermediates", "relu", x)
        hidden = nn.Dense(5, name="hidden" if self.sown else "logits")(x.mean((1, 2)))
        if self.sown:
            self.sow("intermediates", "logits", hidden)
        return nn.Dense(3, name="head")(nn.tanh(hidden))


@pytest.mark.parametrize("sown", [False, True])
def test_a_layer_that_the_user_calls_logits_is_not_taken_for_the_logits(sown, images):
    model = HiddenLogits(sown)
    variables = model.init(jax.random.key(0), images)
    true = model.apply(variables, images)
    hidden = probe.activations(model, variables, images, "logits")["logits"]
    assert hidden.shape == (5, 5)
    np.testing.assert_allclose(probe.logits(model, variables, images), true, atol=1e-6)
    found, activations = probe.network_of(model, variables)(images[0], {})
    np.testing.assert_allclose(found, true[0], atol=1e-6)
    np.testing.assert_allclose(activations["logits"], hidden[0], atol=1e-6)
    score, values = probe.score_of(model, variables, 2)(images[0], {})
    np.testing.assert_allclose(score, true[0, 2], atol=1e-6)
    np.testing.assert_allclose(values["logits"], hidden[0], atol=1e-6)
    np.testing.assert_allclose(values[LOGITS], true[0], atol=1e-6)


def test_without_such_a_layer_logits_names_the_output_before_the_softmax(foreign, images):
    found = probe.activations(*foreign, images, ["logits", "norm"])
    assert list(found) == ["norm", "logits"]
    np.testing.assert_allclose(found["logits"], probe.logits(*foreign, images), atol=1e-6)


def test_a_name_reserved_for_the_logits_is_refused(images):
    class Reserved(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2, name=LOGITS)(x.mean((1, 2)))

    variables = Reserved().init(jax.random.key(0), images)
    with pytest.raises(InputError, match="The name '//logits' is reserved for the logits; this model has a layer of"):
        probe.layers(Reserved(), variables, (8, 8, 3))


def test_offsets_to_two_names_of_one_value_add(images):
    class Shell(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Sequential([nn.Conv(2, (3, 3)), nn.relu, nn.Conv(3, (3, 3))], name="shell")(x).mean((1, 2))

    variables = Shell().init(jax.random.key(0), images)
    score = probe.score_of(Shell(), variables, 1)
    one, two = jnp.full((8, 8, 3), 2.0), jnp.full((8, 8, 3), 3.0)
    shifted = score(images[0], {"shell": one, "Conv_1": two})[0] - score(images[0], {})[0]
    np.testing.assert_allclose(shifted, 5.0, atol=1e-5)


def test_an_offset_shifts_the_layer_for_all_that_comes_after(foreign, images):
    model, variables = foreign
    dense = variables["params"]["a_last"]["kernel"]
    score = probe.score_of(model, variables, 1)
    before, _ = score(images[0], {})
    after, values = score(images[0], {"block": jnp.full((8, 8, 4), 0.5)})
    np.testing.assert_allclose(after - before, 0.5 * dense[:, 1].sum(), atol=1e-5)
    gradient = jax.grad(lambda offsets: score(images[0], offsets)[0])({"block/y": jnp.zeros((8, 8, 4))})
    np.testing.assert_allclose(gradient["block/y"].sum((0, 1)), 2 * dense[:, 1], atol=1e-5)


def test_a_target_may_be_a_pair_a_function_or_traced(foreign, images):
    model, variables = foreign
    logits = probe.logits(model, variables, images)[0]
    value = lambda target: probe.score_of(model, variables, target)(images[0], {})[0]
    np.testing.assert_allclose(value((2, 0)), logits[2] - logits[0], atol=1e-6)
    np.testing.assert_allclose(value(jax.nn.logsumexp), jax.nn.logsumexp(logits), atol=1e-6)
    np.testing.assert_allclose(jax.jit(value)(1), logits[1], atol=1e-6)


def test_fold_counts_each_row_once_and_no_padding(foreign, images):
    labels = jnp.arange(5)

    def update(state, activations, mask, labels):
        total, seen = state
        return total + jnp.where(mask[:, None], activations["logits"], 0).sum(0), seen + jnp.where(
            mask, labels, 0
        ).sum()

    add = lambda a, b: jax.tree.map(jnp.add, a, b)
    init = (jnp.zeros(3), 0)
    total, seen = probe.fold(*foreign, images, ["logits"], init, update, add, rows=[labels], batch_size=2)
    np.testing.assert_allclose(total, probe.logits(*foreign, images).sum(0), atol=1e-5)
    assert seen == 10


def halved(images):
    return images.astype(jnp.float32) / 2


PIXELS = np.random.default_rng(0).integers(0, 3, (5, 8, 8, 3)).astype(np.uint8)


def test_images_are_prepared_one_chunk_at_a_time(foreign):
    sizes = set()

    def prepare(images):
        sizes.add(len(images))
        return halved(images)

    expected = probe.logits(*foreign, halved(PIXELS))
    total = lambda state, activations, mask: state + (activations["logits"] * mask[:, None]).sum(0)
    ask = dict(prepare=prepare, batch_size=2)
    np.testing.assert_allclose(probe.logits(*foreign, PIXELS, **ask), expected, atol=1e-6)
    np.testing.assert_allclose(probe.activations(*foreign, PIXELS, "logits", **ask)["logits"], expected, atol=1e-6)
    found = probe.fold(*foreign, PIXELS, "logits", jnp.zeros(3), total, **ask)
    np.testing.assert_allclose(found, expected.sum(0), atol=1e-5)
    assert sizes == {2}


@pytest.mark.parametrize("read", [probe.logits, probe.activations])
def test_integer_images_need_a_prepare_that_makes_them_floats(foreign, read):
    with pytest.raises(TypeError, match="floats as the run's `prepare` makes them; these are uint8"):
        read(*foreign, PIXELS)
    with pytest.raises(TypeError, match="floats as the run's `prepare` makes them; these are int32"):
        read(*foreign, PIXELS, prepare=lambda images: images.astype(jnp.int32))
    with pytest.raises(TypeError, match="Images are an array; these are a list"):
        probe.Reader(*foreign, prepare=halved).request([PIXELS])


def means(state, activations, mask, labels):
    """The sums of all that is read, and of the labels, over the images that are no padding."""
    sums = jax.tree.map(lambda values: (values.mean(tuple(range(1, values.ndim))) * mask).sum(), activations)
    return jax.tree.map(jnp.add, state, (sums, (labels * mask).sum()))


def test_several_networks_are_read_from_the_same_chunk(foreign, images):
    model, variables = foreign
    other = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    readers = {
        "plain": probe.Reader(model, variables, ["block", "norm"]),
        "other": probe.Reader(model, other, [probe.LOGITS], prepare=lambda images: images / 2),
    }
    zeros = {"plain": {"block": 0.0, "norm": 0.0}, "other": {probe.LOGITS: 0.0}}, 0
    add, labels, done = lambda a, b: jax.tree.map(jnp.add, a, b), np.arange(5), []
    ask = dict(rows=[labels], batch_size=2, report=lambda *now: done.append(now))
    sums, of_labels = probe.fold_readers(readers, images, zeros, means, add, **ask)
    for name in ("block", "norm"):
        expected = probe.activations(model, variables, images, name)[name]
        np.testing.assert_allclose(sums["plain"][name], expected.mean((1, 2, 3)).sum(), rtol=1e-5)
    np.testing.assert_allclose(
        sums["other"][probe.LOGITS], probe.logits(model, other, images / 2).mean(1).sum(), rtol=1e-5
    )
    assert of_labels == 10
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_a_list_of_networks_is_read_by_place_and_one_alone_as_itself(foreign, images):
    reader = probe.Reader(*foreign, "norm")
    alone, _ = probe.fold_readers(reader, images, ({"norm": 0.0}, 0), means, rows=[np.arange(5)])
    both, _ = probe.fold_readers([reader] * 2, images, ([{"norm": 0.0}] * 2, 0), means, rows=[np.arange(5)])
    np.testing.assert_allclose([one["norm"] for one in both], [alone["norm"]] * 2, rtol=1e-6)
    with pytest.raises(InputTypeError, match="A network is read by a probe.Reader; this is a str"):
        probe.fold_readers(["norm"], images, 0, means)


def test_a_second_fold_compiles_nothing(foreign, images):
    fold = lambda: probe.fold(*foreign, images, "norm", 0.0, count_images, prepare=halved, batch_size=2)
    fold()
    before = _fold_chunk.cache_size()
    assert fold() == 5
    assert _fold_chunk.cache_size() == before


def count_images(state, activations, mask):
    return state + mask.sum()


def test_an_nnx_module_reads_as_a_linen_one(small_nnx, images):
    model, variables = probe.from_nnx(small_nnx)
    names = [layer.name for layer in probe.layers(model, variables, (8, 8, 3))]
    assert names == ["conv", "norm", "relu", "mean", "drop", "dense"]
    small_nnx.eval()
    np.testing.assert_allclose(probe.logits(model, variables, images), small_nnx(images), atol=1e-6)
    assert list(kernels.kernels(variables)) == ["conv"]
    assert type(small_nnx).__name__ == "Small"


class Named(nn.Module):
    """A module whose field, methods and collection are called as parts of this package and of Flax are."""

    record: int = 2

    @nn.compact
    def __call__(self, x):
        scale = self.variable("cnnviz", "scale", lambda: jnp.full((), 3.0))
        return scale.value * nn.Dense(self.record, name="head")(x.mean((1, 2)))

    def apply(self, *arguments, **options):
        raise AssertionError("The model's own apply is not Flax's.")

    def module(self, variables):
        raise AssertionError("This is no adapter.")


class Recorder(nn.Module):
    """A module with a method called `record`, with the arguments of an adapter's."""

    @nn.compact
    def __call__(self, x):
        return self.record(nn.Dense(2, name="head")(x.mean((1, 2))), None, {})

    def record(self, x, images, call):
        return 2 * x


@pytest.mark.parametrize("model", [Named(), Recorder()])
def test_a_module_s_own_names_do_not_make_it_an_adapter(model, images):
    drawn = nn.Module.init(model, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: leaf + 1, drawn)
    expected = nn.Module.apply(model, variables, images)
    np.testing.assert_allclose(probe.logits(model, variables, images), expected, atol=1e-6)
    assert [layer.name for layer in probe.layers(model, variables, (8, 8, 3))] == ["mean", "head"]


def test_an_object_with_a_method_record_is_not_an_adapter(images):
    class Recording:
        def record(self, variables, images, call):
            raise AssertionError("It was taken for an adapter.")

    with pytest.raises(InputTypeError, match="or an NNX one brought in by from_nnx; Recording is neither"):
        probe.layers(Recording(), {}, (8, 8, 3))


def test_a_train_state_is_read_as_its_variables(foreign, images):
    class WithStatistics(train_state.TrainState):
        batch_stats: Any = None

    model, variables = foreign
    made = dict(apply_fn=model.apply, params=variables["params"], tx=optax.sgd(0.1))
    state: Any = WithStatistics.create(batch_stats=variables["batch_stats"], **made)
    np.testing.assert_array_equal(probe.logits(model, state, images), probe.logits(model, variables, images))
    found = probe.activations(model, state, images, "block")
    np.testing.assert_array_equal(found["block"], probe.activations(model, variables, images, "block")["block"])
    assert probe.layers(model, state, (8, 8, 3)) == probe.layers(model, variables, (8, 8, 3))
    assert probe.output_shape(model, state, (8, 8, 3)) == (3,)
    score = lambda variables: probe.score_of(model, variables, 1)(images[0], {})[0]
    np.testing.assert_array_equal(score(state), score(variables))
    with pytest.raises(InputError, match="The variables are not those of this model"):
        probe.logits(model, train_state.TrainState.create(**made), images)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m, x: probe.logits(m, [1], x),
        lambda m, x: probe.activations(m, [1], x),
        lambda m, x: probe.layers(m, [1], (8, 8, 3)),
        lambda m, x: probe.score_of(m, [1], 0)(x[0], {}),
        lambda m, x: probe.fold(m, [1], x, None, 0, lambda state, activations, mask: state),
    ],
)
def test_what_are_no_variables_is_said(foreign, images, ask):
    text = r"Variables are a mapping such as \{'params': ...\}, or a Flax TrainState; these are of the type list"
    with pytest.raises(InputTypeError, match=text):
        ask(foreign[0], images)


def test_names_may_come_from_an_iterator(foreign, images):
    assert list(probe.activations(*foreign, images, iter(["block", "norm"]))) == ["norm", "block"]


@pytest.mark.parametrize("layers", [0.5, [True], ("block", None), b"block"])
def test_layers_that_are_neither_names_nor_numbers_are_said(foreign, images, layers):
    text = "Layers are given by name or number, one or several; these were "
    with pytest.raises(InputTypeError, match=re.escape(text + repr(layers))):
        probe.activations(*foreign, images, layers)
    with pytest.raises(InputTypeError, match=re.escape(text + repr(layers))):
        probe.fold(*foreign, images, layers, 0, lambda state, activations, mask: state)


def test_a_model_may_hold_a_traced_number(images):
    class Scaled(nn.Module):
        least: Any

        @nn.compact
        def __call__(self, x):
            x = jnp.maximum(nn.Dense(2, name="dense")(x.mean((1, 2))), self.least)
            self.sow("intermediates", "cut", x)
            return x

    variables = Scaled(0.0).init(jax.random.key(0), images)
    read = jax.jit(lambda least: probe.activations(Scaled(least), variables, images)["cut"])
    np.testing.assert_allclose(read(0.3), probe.activations(Scaled(0.3), variables, images)["cut"], atol=1e-6)


def test_a_missing_argument_is_named(images):
    class Wants(nn.Module):
        @nn.compact
        def __call__(self, x, temperature):
            return nn.Dense(2)(x.reshape(len(x), -1)) / temperature

    model = Wants()
    variables = model.init(jax.random.key(0), images, 1.0)
    with pytest.raises(InputError, match="needs an argument 'temperature'"):
        probe.layers(model, variables, (8, 8, 3))
    cold, warm = (probe.logits(model, variables, images, call={"temperature": t}) for t in (1.0, 2.0))
    np.testing.assert_allclose(cold, 2 * warm, atol=1e-6)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda m, v, x: probe.activations(m, v, x, ["blok"]), "'blok' is not a layer; did you mean 'block'"),
        (lambda m, v, x: probe.activations(m, v, (x * 255).astype("uint8")), "as the run's `prepare` makes them"),
        (lambda m, v, x: probe.activations(m, v, x[0]), r"Images of the shape \[n, 8, 3\] do not fit"),
        (lambda m, v, x: probe.score_of(m, v, 3)(x[0], {}), "class from 0 to 2; it was 3"),
        (lambda m, v, x: probe.score_of(m, v, 0)(x[0], {"block": jnp.zeros(4)}), "offset has the shape of its layer"),
        (lambda m, v, x: probe.layers("cnn", v, (8, 8, 3)), "str is neither"),
        (lambda m, v, x: probe.logits(m, v, x, batch_size=0), "batch_size was 0"),
    ],
)
def test_what_cannot_be_used_is_said(foreign, images, ask, text):
    with pytest.raises(InputError, match=text):
        ask(*foreign, images)


def test_what_is_no_model_s_input_is_said(foreign, images):
    model, variables = foreign
    with pytest.raises(InputError, match="The variables are not those of this model"):
        probe.activations(model, {"params": {}}, images)
    with pytest.raises(InputError, match="No images were given; at least one is needed"):
        probe.activations(model, variables, images[:0])
    with pytest.raises(InputError, match=r"Images of the shape \[n, 8, 8\] do not fit this model's weights"):
        probe.layers(model, variables, (8, 8))
    with pytest.raises(
        InputError, match=r"An image has a shape such as \(h, w, c\), in whole numbers; it was \(8.0, 8\)"
    ):
        probe.layers(model, variables, (8.0, 8))
    with pytest.raises(InputError, match="from_nnx takes an NNX module; Foreign is not one"):
        probe.from_nnx(model)


@pytest.mark.parametrize("target", [3, -1, np.int64(3), np.int32(-5)])
def test_a_class_that_is_not_there_is_said(foreign, images, target):
    with pytest.raises(InputError, match="A target is a class from 0 to 2"):
        probe.score_of(*foreign, target)(images[0], {})


def test_a_model_without_one_logit_a_class_needs_a_function(images):
    model = nn.Dense(3)
    variables = model.init(jax.random.key(0), images)
    with pytest.raises(InputError, match=r"this model gives \(8, 8, 3\) per image, so give a function"):
        probe.score_of(model, variables, 1)(images[0], {})
    assert probe.score_of(model, variables, lambda y: y.sum())(images[0], {})[0].shape == ()
    assert [layer.parameters for layer in probe.layers(model, variables, (8, 8, 3))] == [12]


def test_layers_are_a_table_in_a_notebook(foreign, images):
    model, variables = foreign
    found = probe.layers(model, variables, images.shape[1:])
    html = found._repr_html_()
    assert html.count("<tr>") == len(found) + 1
    assert "<td>z_first</td><td>Conv</td><td>8x8x4</td><td>112</td><td>3x3</td>" in html


def test_layers_are_found_without_assertions():
    """Under `python -O` Flax's interceptors are not removed."""
    code = (
        "import jax, jax.numpy as jnp\nfrom cnnviz import probe\nfrom cnnviz.models.cnn import CNN\n"
        "variables = CNN().init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))\n"
        "print(*[layer.name for layer in probe.layers(CNN(), variables, (28, 28, 1))][:3])"
    )
    found = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True)
    assert found.stdout.split() == ["conv1", "relu1", "pool1"], found.stderr
