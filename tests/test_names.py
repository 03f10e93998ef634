"""Names of operations in models that nobody edited, in the styles that people write, and how layers are asked for."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cnnviz import kernels, probe
from cnnviz.attribution import attribute
from cnnviz.errors import InputError
from cnnviz.probe import calls

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))


class Setup(nn.Module):
    def setup(self):
        self.first = nn.Conv(4, (3, 3))
        self.second = nn.Conv(4, (3, 3))
        self.head = nn.Dense(3)

    def features(self, x):
        return nn.relu(self.second(nn.max_pool(nn.relu(self.first(x)), (2, 2), strides=(2, 2))))

    def __call__(self, x):
        return self.head(self.features(x).reshape(len(x), -1))


class Compact(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = jax.nn.silu(nn.Conv(4, (3, 3))(x))
        x = nn.avg_pool(nn.BatchNorm(use_running_average=True)(x), (2, 2), strides=(2, 2))
        x = nn.leaky_relu(nn.Dense(5)(x.mean((1, 2))))
        return nn.softmax(nn.Dense(3)(x))


class Chain(nn.Module):
    @nn.compact
    def __call__(self, x):
        pool = partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2))
        body = [nn.Conv(4, (3, 3)), nn.relu, pool, nn.Conv(4, (3, 3)), nn.relu]
        x = nn.Sequential(body)(x)
        return nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(5), nn.tanh, nn.Dense(3)])(x)


class Listed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), rngs=rngs)
        self.layers = nnx.List([conv(3, 4), nnx.relu, conv(4, 4), jnp.tanh])
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean((1, 2)))


class Jitted(Listed):
    __call__ = nnx.jit(Listed.__call__)


class Stack(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), rngs=rngs)
        self.body = nnx.Sequential(conv(3, 4), nnx.relu, nnx.LayerNorm(4, rngs=rngs), nnx.gelu)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(jnp.max(self.body(x), axis=(1, 2)))


class Residual(nn.Module):
    width: int = 3

    @nn.compact
    def __call__(self, x):
        y = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(self.width, (3, 3))(x)))
        y = nn.BatchNorm(use_running_average=True)(nn.Conv(self.width, (3, 3))(y))
        return nn.relu(x + y)


class Remat(nn.Module):
    transform: bool = True

    @nn.compact
    def __call__(self, x):
        block = nn.remat(Residual) if self.transform else Residual
        for i in range(2):
            x = block(name=f"block{i + 1}")(x)
        return nn.Dense(3)(x.mean((1, 2)))


class Step(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        y = nn.relu(nn.Conv(3, (3, 3))(x))
        self.sow("intermediates", "twice", 2 * y)
        return x + y, None


class Scan(nn.Module):
    length: int = 2

    @nn.compact
    def __call__(self, x):
        options = dict(variable_axes={"params": 0}, split_rngs={"params": True}, length=self.length)
        x, _ = nn.scan(Step, **options)(name="layers")(x, None)
        return nn.Dense(3)(x.mean((1, 2)))


class Lambdas(nn.Module):
    activations = (
        lambda x: jnp.maximum(x, 0),
        lambda x: jax.lax.max(x, 0.0),
        lambda x: jnp.where(x > 0, x, 0),
        lambda x: x * nn.sigmoid(x),
        lambda x: jnp.maximum(x, 0.1 * x),
        lambda x: x * jnp.clip(x + 3, 0, 6) / 6,
        lambda x: 0.5 * x * (1 + jax.scipy.special.erf(x / np.sqrt(2))),
        lambda x: jnp.log(1 + jnp.exp(x)),
        lambda x: jnp.minimum(jnp.maximum(x, 0), 6),
        jnp.sin,
        nn.elu,
        jax.jit(lambda x: nn.hard_swish(x)),
    )

    @nn.compact
    def __call__(self, x):
        for activation in self.activations:
            x = activation(nn.Conv(3, (1, 1))(x))
        return nn.Dense(3)(x.mean((1, 2)))


class Gate(nn.Module):
    @nn.compact
    def __call__(self, x):
        squeezed = x.mean((1, 2), keepdims=True)
        return x * nn.sigmoid(nn.Dense(x.shape[-1])(nn.relu(nn.Dense(2)(squeezed))))


class Branches(nn.Module):
    @nn.compact
    def __call__(self, x):
        a = nn.relu(nn.Conv(4, (1, 1), name="one")(x))
        b = nn.relu(nn.Conv(4, (3, 3), name="three")(x))
        x = jnp.concatenate([a, b, nn.max_pool(x, (3, 3), padding="SAME")], axis=-1)
        x = Gate(name="gate")(x)
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        x = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale.reshape(1, 1, 1, -1)
        return nn.Dense(3)(x.sum((1, 2)))


class Shared(nn.Module):
    @nn.compact
    def __call__(self, x):
        block = Residual(name="block")
        return nn.Dense(3)(block(block((x - 0.5) / 0.25)).mean((1, 2)))


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (4, 4), strides=(4, 4), name="patches")(x).reshape(len(x), -1, 4)
        x = x + self.param("position", nn.initializers.normal(), (1, *x.shape[1:]))
        y = nn.LayerNorm(name="norm")(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=2, name="attention")(y, y)
        return nn.Dense(3, name="head")(x.mean(1))


class Taken(nn.Module):
    """A user's own names where an operation's would be."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(3, (3, 3), name="relu")(x)
        self.sow("intermediates", "tanh_0", nn.relu(x))
        x = nn.tanh(nn.Conv(3, (3, 3), name="mean")(nn.tanh(nn.relu(x))))
        return nn.Dense(3)(x.mean((1, 2)))


BLOCK = "Conv_0 BatchNorm_0 relu Conv_1 BatchNorm_1 add"
STYLES = {
    Setup(): "first relu_0 max_pool second relu_1 flatten head",
    Compact(): "Conv_0 silu BatchNorm_0 avg_pool mean Dense_0 leaky_relu Dense_1 softmax",
    Chain(): "Conv_0 Sequential_0/relu Sequential_0/max_pool Conv_1 Sequential_0 Sequential_1/flatten Dense_0 "
    "Sequential_1/tanh Dense_1 Sequential_1",
    Listed: "layers/0 relu layers/2 tanh mean head",
    Jitted: "layers/0 relu layers/2 tanh mean head",
    Stack: "body/layers/0 body/relu body/layers/2 body max head",
    Remat(): " ".join(f"block{i}/{name}" if name else f"block{i}" for i in (1, 2) for name in [*BLOCK.split(), ""])
    + " mean Dense_0",
    Scan(): " ".join(f"layers/{i}/{name}" for i in range(2) for name in ("Conv_0", "relu", "twice", "add"))
    + " mean Dense_0",
    Lambdas(): " ".join(
        f"Conv_{i} {name}"
        for i, name in enumerate(
            "relu_0 relu_1 relu_2 silu leaky_relu hard_swish_0 gelu softplus relu6 sin elu hard_swish_1".split()
        )
    )
    + " mean Dense_0",
    Branches(): "one relu_0 three relu_1 max_pool concatenate gate/mean gate/Dense_1 gate/relu gate/Dense_0 "
    "gate/sigmoid gate normalize sum Dense_0",
    Shared(): " ".join(f"block/{name}@{i}" if name else f"block@{i}" for i in (0, 1) for name in [*BLOCK.split(), ""])
    + " mean Dense_0",
    Attention(): "patches flatten norm attention/query attention/key attention/value attention/out attention add mean "
    "head",
    Taken(): "relu tanh_0 relu_0 tanh_1 mean tanh_2 mean_0 Dense_0",
}


def opened(model):
    if isinstance(model, type):
        return probe.from_nnx(model(nnx.Rngs(0)))
    shapes = jax.eval_shape(model.init, jax.random.key(0), X)
    return model, jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), shapes)


@pytest.fixture(scope="module")
def networks():
    return {model: opened(model) for model in STYLES}


def named(model, variables, images=X):
    return [layer.name for layer in probe.layers(model, variables, images.shape[1:])]


each_style = pytest.mark.parametrize(
    "style", STYLES, ids=lambda style: getattr(style, "__name__", type(style).__name__)
)


@each_style
def test_every_operation_that_a_person_would_name_has_a_name(style, networks):
    assert named(*networks[style]) == STYLES[style].split()


@pytest.mark.parametrize("style", [Compact(), Jitted, Remat(), Scan(), Branches(), Shared()], ids=lambda s: str(s)[:20])
def test_names_are_the_same_for_other_batches_and_types_and_inside_jit(style, networks):
    model, variables = networks[style]
    expected, found = named(model, variables), []
    for images in (X[:1], jnp.zeros((7, 16, 16, 3))):
        jax.eval_shape(lambda v, x: found.append(list(probe.activations(model, v, x))), variables, images)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
    jax.jit(lambda x: found.append(list(probe.activations(model, half, x)))).lower(X.astype(jnp.bfloat16))
    assert found == [expected] * 3


def test_remat_and_jit_change_no_name(networks):
    model, variables = networks[Remat()]
    assert named(Remat(transform=False), variables) == named(model, variables)
    twice = jax.jit(lambda x: x)

    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Compact(name="inner")(twice(x))

    class Jit(Plain):
        __call__ = nn.jit(Plain.__call__)

    inner = {"params": {"inner": networks[Compact()][1]["params"]}}
    inner["batch_stats"] = {"inner": networks[Compact()][1]["batch_stats"]}
    assert named(Jit(), inner) == named(Plain(), inner)


def test_values_by_name_are_those_of_the_code(images):
    model = Residual()
    variables = model.init(jax.random.key(0), images)
    found = probe.activations(model, variables, images)
    np.testing.assert_allclose(found["relu_0"], jax.nn.relu(found["BatchNorm_0"]), atol=1e-6)
    np.testing.assert_allclose(found["add"], images + found["BatchNorm_1"], atol=1e-6)
    score = probe.score_of(model, variables, lambda y: y.sum())
    raised = score(images[0], {"add": jnp.full((8, 8, 3), 100.0)})[0] - score(images[0], {})[0]
    above = np.minimum(np.asarray(found["add"][0]), 0).sum()  # what the last ReLU cuts off without the offset
    np.testing.assert_allclose(raised, 100 * 192 + above, rtol=1e-5)


def test_the_iterations_of_a_scan_have_values_and_gradients(images):
    model = Scan(3)
    variables = model.init(jax.random.key(0), images)
    np.testing.assert_allclose(probe.logits(model, variables, images), model.apply(variables, images), atol=1e-5)
    found, x = probe.activations(model, variables, images), images
    for i in range(3):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], variables["params"]["layers"])
        x, _ = Step().apply({"params": own}, x, None)
        np.testing.assert_allclose(found[f"layers/{i}/add"], x, atol=1e-5)
        np.testing.assert_allclose(found[f"layers/{i}/twice"], 2 * found[f"layers/{i}/relu"], atol=1e-6)
    weights = attribute("grad_cam", model, variables, images, 1, layers="layers/1/relu")
    assert np.isfinite(weights).all()
    assert sum(layer.parameters for layer in probe.layers(model, variables, (8, 8, 3))) == kernels.parameter_count(
        variables
    )


def test_what_a_long_scan_hides_is_said(images):
    model, variables = opened(Scan(100))
    with pytest.raises(
        InputError, match=r"No layer of this model has a spatial extent.* The layers inside `scan` \(in "
    ):
        attribute("grad_cam", model, variables, images, 1)


def test_a_long_loop_is_a_layer_with_the_parameters_inside(images):
    model, variables = opened(Scan(100))
    rows = {layer.name: layer for layer in probe.layers(model, variables, (8, 8, 3))}
    inside = kernels.parameter_count({"params": variables["params"]["layers"]})
    assert rows["scan"].parameters == inside > 0
    assert sum(row.parameters for row in rows.values()) == kernels.parameter_count(variables)
    assert rows["scan"].shape == (8, 8, 3)
    small = jax.tree.map(lambda leaf: leaf / 100, variables)  # a hundred sums of larger values overflow
    found = attribute("grad_cam", model, small, images, 1, layers="scan")
    assert np.isfinite(found).all()
    assert found.any()


def test_an_array_of_a_module_without_a_layer_counts_where_it_shows(images):
    class Bare(nn.Module):
        @nn.compact
        def __call__(self, x):
            scale, shift = (self.param(name, nn.initializers.ones, (8, 8, 3)) for name in ("scale", "shift"))
            x = jnp.maximum(x * scale[None], 0.5)
            return nn.Dense(4)((nn.relu(nn.Conv(2, (1, 1))(x + shift[None]))).mean((1, 2)))

    rows = probe.layers(Bare(), Bare().init(jax.random.key(0), images), (8, 8, 3))
    assert {row.name: row.parameters for row in rows} == {
        "maximum": 192, "Conv_0": 192 + 8, "relu": 0, "mean": 0, "Dense_0": 12
    }  # fmt: skip


def test_cam_works_with_an_unedited_network(images):
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.relu(nn.Conv(4, (3, 3))(x)).mean((1, 2)))

    variables = Plain().init(jax.random.key(0), images)
    found = attribute("cam", Plain(), variables, images, 1, details=True, upsampling=None)
    logits = probe.logits(Plain(), variables, images)  # the bias is zero
    assert list(found.layers) == ["relu"]
    np.testing.assert_allclose(found.maps.mean((1, 2)), logits[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("block1/relu", "block1/relu"),
        ("block*/relu", "block1/relu block2/relu"),
        ("block1/relu_1", "block1/relu_1"),  # another name of the block's output
        ("block[2]/*", "block2/Conv_0 block2/BatchNorm_0 block2/relu block2/Conv_1 block2/BatchNorm_1 block2/add"),
        ("**/add", "block1/add block2/add"),
        ("kind:relu", "block1/relu block1 block2/relu block2"),
        ("kind:residual", "block1 block2"),
        (["kind:mean", "block?/Conv_1"], "block1/Conv_1 block2/Conv_1 mean"),
        (-1, "Dense_0"),
        ("-2", "mean"),
        ([np.int64(0), "0", 1], "block1/Conv_0 block1/BatchNorm_0"),
        (("logits", "mean"), "mean logits"),
        ("0,-1", "block1/Conv_0 Dense_0"),
        ("mean, block?/relu ,kind:residual", "block1/relu block1 block2/relu block2 mean"),
        (["mean,0", 0], "block1/Conv_0 mean"),
        (np.array([0, -1]), "block1/Conv_0 Dense_0"),
        ([], ""),
    ],
)
def test_layers_are_asked_for_by_name_pattern_kind_and_number(asked, found, networks):
    names = []
    jax.eval_shape(lambda x: names.extend(probe.activations(*networks[Remat()], x, asked)), X)
    assert names == found.split()


def test_a_name_with_a_comma_is_that_layer():
    layers = [probe.Layer(name, "Dense", (4,), 0, None) for name in ("a,b", "a", "b")]
    assert probe.find("a,b", layers) == ("a,b",)
    assert probe.find("b,a", layers) == ("a", "b")
    with pytest.raises(InputError, match="'c' is not a layer"):
        probe.find("a,c", layers)


def test_one_name_stands_for_all_calls_of_a_module_and_all_operations_of_a_kind(networks):
    layers = probe.layers(*networks[Shared()], (8, 8, 3))
    assert probe.find("block", layers) == ("block@0", "block@1")
    assert probe.find("block/relu", layers) == ("block/relu@0", "block/relu@1")
    assert probe.find("relu", probe.layers(*networks[Setup()], (8, 8, 3))) == ("relu_0", "relu_1")
    with pytest.raises(InputError, match="One layer is needed here; 'block' means 2: block@0, block@1"):
        probe.find_one("block", layers)
    with pytest.raises(InputError, match=r"'\*\*' means 16: block/Conv_0@0, (\S+, ){4}\.\.\.\."):
        probe.find_one("**", layers)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("block1/rel", "'block1/rel' is not a layer; did you mean 'block1/relu'"),
        ("blok*/relu", r"'blok\*/relu' is not a layer; did you mean 'block"),
        ("kind:Convolution", "'Convolution' is not a kind of layer here; the kinds are Conv, BatchNorm, relu, add, "),
        (16, "Layers are numbered from 0 to 15, or from the end by -1 to -16; it was 16"),
        ("-17", "it was -17"),
    ],
)
def test_what_no_layer_is_called_is_said(asked, text, networks):
    with pytest.raises(InputError, match=text):
        probe.activations(*networks[Remat()], X, asked)


def test_a_table_is_folded_to_a_depth_and_sums_to_the_model(networks):
    model, variables = networks[Remat()]
    count = kernels.parameter_count(variables)
    for depth, names in ((1, ["block1", "block2", "mean", "Dense_0"]), (2, STYLES[Remat()].split())):
        rows = probe.layers(model, variables, (8, 8, 3), depth)
        assert [row.name for row in rows] == names
        assert sum(row.parameters for row in rows) == count
    assert [row.folded for row in probe.layers(model, variables, (8, 8, 3), 1)] == [6, 6, 0, 0]
    assert [
        row.name for row in probe.layers(*networks[Shared()], (8, 8, 3), 1)
    ] == "block@0 block@1 mean Dense_0".split()
    assert [row.name for row in probe.layers(*networks[Scan()], (8, 8, 3), 1)] == ["layers", "mean", "Dense_0"]
    for wrong in (0, -1, True):
        with pytest.raises(InputError, match="depth must be a positive integer"):
            probe.layers(model, variables, (8, 8, 3), wrong)


class Mode(nn.Module):
    train: bool = True

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.BatchNorm(use_running_average=not self.train)(x).mean((1, 2)))


class Inside(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Mode(name="inner")(x)


class IsTrain(nn.Module):
    @nn.compact
    def __call__(self, x, is_train):
        return nn.Dense(3)(nn.BatchNorm(use_running_average=not is_train)(x).mean((1, 2)))


class Updates(nn.Module):
    @nn.compact
    def __call__(self, x, update_batch_norm=True):
        return nn.Dense(3)(nn.BatchNorm(use_running_average=not update_batch_norm)(x).mean((1, 2)))


def test_a_model_is_read_in_evaluation_mode_or_what_to_give_is_said(images):
    variables = Mode().init(jax.random.key(0), images)
    expected = Mode(train=False).apply(variables, images)
    np.testing.assert_allclose(probe.logits(Mode(), variables, images), expected, atol=1e-6)
    np.testing.assert_allclose(probe.logits(IsTrain(), variables, images), expected, atol=1e-6)
    np.testing.assert_allclose(probe.logits(Updates(), variables, images), expected, atol=1e-6)
    inner = {name: {"inner": tree} for name, tree in variables.items()}
    with pytest.raises(InputError, match=r"it is in training mode: give the argument .* call=\{'train': False\}.*\.$"):
        probe.logits(Inside(), inner, images)


def test_a_model_without_modules_has_names(images):
    class Functions(nn.Module):
        @nn.compact
        def __call__(self, x):
            kernel = self.param("kernel", nn.initializers.normal(), (3, 3, 3, 4))
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = nn.relu(x + self.param("bias", nn.initializers.ones, (4,)).reshape(1, 1, 1, 4))
            return x.mean((1, 2)) @ self.param("head", nn.initializers.normal(), (4, 3))

    variables = Functions().init(jax.random.key(0), images)
    rows = probe.layers(Functions(), variables, (8, 8, 3))
    assert [row.name for row in rows] == ["conv", "relu", "mean", "dense"]
    assert sum(row.parameters for row in rows) == 108 + 4 + 12
    found = probe.activations(Functions(), variables, images, ["conv", "relu"])
    np.testing.assert_allclose(jax.nn.relu(found["conv"]), found["relu"], atol=1e-6)  # with its bias


def test_what_is_linear_in_one_value_has_no_name():
    class Linear(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = (2 * x - 1.0) / 0.5 + self.param("shift", nn.initializers.zeros, (1, 1, 1, 3))
            x = jnp.roll(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 1, 1)[:, ::2].transpose(0, 2, 1, 3)
            return jnp.where(jnp.arange(3).reshape(1, 1, 1, 3) > 0, x, 0.0).astype(jnp.bfloat16)

    assert named(*opened(Linear())) == ["Linear"]


class Identity(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


class HandedOn(nn.Module):
    """Operations whose values a later module hands on as they are."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3))(x)), (2, 2), (2, 2))
        x = nn.relu(nn.Conv(4, (3, 3))(Identity(name="skip")(x)))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(3)(x.mean((1, 2)))


def test_an_operation_before_dropout_or_an_identity_has_its_name():
    model = HandedOn()
    variables = model.init(jax.random.key(0), np.zeros((1, 8, 8, 3)))
    layers = probe.layers(model, variables, (8, 8, 3))
    names = "Conv_0 relu_0 max_pool skip Conv_1 relu_1 Dropout_0 mean Dense_0".split()
    assert [layer.name for layer in layers] == names
    assert [layer.name for layer in layers if layer.repeats] == ["skip", "Dropout_0"]


class Chosen(nn.Module):
    """A branch chosen by a number, with modules in both."""

    index: int = 1

    @nn.compact
    def __call__(self, x):
        branches = [lambda m, x: nn.relu(wide(x)), lambda m, x: nn.tanh(narrow(x))]
        wide, narrow = nn.Conv(4, (5, 5), name="wide"), nn.Conv(4, (3, 3), name="narrow")
        wide(x), narrow(x)
        return nn.Dense(3)(nn.switch(self.index, branches, self, x).mean((1, 2)))


def test_the_branch_that_a_switch_takes_has_names_and_maps(images):
    variables = Chosen().init(jax.random.key(0), images)
    assert list(probe.activations(Chosen(), variables, images)) == "wide narrow@0 narrow@1 tanh mean Dense_0".split()
    maps = attribute("lrp", Chosen(), variables, images, 1)
    assert np.isfinite(maps).all()
    assert maps.any()


class Keywords(nn.Module):
    @nn.compact
    def __call__(self, *, images, deterministic=None):
        x = nn.Dropout(0.5)(nn.relu(nn.Conv(4, (3, 3))(images)), deterministic=deterministic)
        return nn.Dense(3)(x.mean((1, 2)))


class NNXKeywords(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv, self.norm = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, *, images):
        return self.norm(self.conv(images)).mean((1, 2))


@pytest.mark.parametrize("model", [Keywords(), NNXKeywords], ids=["linen", "nnx"])
def test_images_go_by_name_where_all_arguments_do(model, images):
    model, variables = (
        opened(model) if isinstance(model, type) else (model, calls.initial_variables(model, KEY, images))
    )
    if isinstance(model, nn.Module):
        own = model.apply(variables, images=images, deterministic=True)
        np.testing.assert_allclose(probe.logits(model, variables, images), own, atol=1e-6)
    assert np.isfinite(attribute("gradient", model, variables, images, 1)).all()
    trained, changed = calls.training_logits(model, variables, images, KEY)
    assert np.abs(trained - probe.logits(model, variables, images)).max() > 1e-3  # dropout, or the batch's statistics
    assert set(changed) == set(variables) - {"params"}


class Scaled(nn.Conv):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Attends(nn.MultiHeadDotProductAttention):
    @nn.compact
    def __call__(self, x):
        return super().__call__(x, x)


class Inherits(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(Scaled(4, (4, 4), strides=4)(x)).reshape(len(x), -1, 4)
        return nn.Dense(3)(Attends(2)(x).mean(1))


def test_a_module_that_calls_its_parents_call_is_called_once(images):
    variables = Inherits().init(KEY, images)
    found = probe.activations(Inherits(), variables, images)
    assert [name for name in found if "/" not in name] == "Scaled_0 relu flatten Attends_0 mean Dense_0".split()
    np.testing.assert_allclose(found["relu"], np.maximum(found["Scaled_0"], 0), atol=1e-6)
