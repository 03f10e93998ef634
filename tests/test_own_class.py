"""A class of one's own on the command line: trained, resumed, verified, drawn, and imported only where it is typed."""

import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import LINEN

from cnnviz import networks, runs
from cnnviz.commands import console, train, visualize
from cnnviz.errors import InputError
from cnnviz.models import MODELS
from cnnviz.runs import json_files

NNX = """
from flax import nnx


class Net(nnx.Module):
    def __init__(self, in_channels: int, num_classes: int, width: int = 4, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(in_channels, width, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.layers = nnx.List([nnx.Linear(width, width, rngs=rngs), nnx.Linear(width, num_classes, rngs=rngs)])

    def __call__(self, x):
        x = self.drop(nnx.relu(self.norm(self.conv(x))).mean((1, 2)))
        return self.layers[1](nnx.relu(self.layers[0](x)))
"""
PLANTED = "open('imported.txt', 'w').close()\n"


pytestmark = pytest.mark.usefixtures("our_models")


def trained(data, *options, model="net.py:Net"):
    """Trains for an epoch as the run "own"; the exit code."""
    own = ["--dataset", str(data), "--model", model, "--name", "own", "--batch-size", "16", *options]
    return train.main(own if "--epochs" in options else [*own, "--epochs", "1"])


def forget(name="net.py:Net"):
    """Makes this process forget an imported class, as a new one does not know it."""
    MODELS.pop(name, None)


@pytest.mark.parametrize("source", [LINEN, NNX], ids=["linen", "nnx"])
def test_a_class_of_ones_own_is_trained_verified_and_drawn(source, here, data, capsys):
    Path("net.py").write_text(source + PLANTED)
    assert trained(data, "--model-options", '{"width": 6}', "--seeds", "2") == 0
    said = capsys.readouterr().out
    assert f"Next: {console.command_line('visualize')} runs/own --model net.py:Net\n" in said
    assert f"{console.command_line('train')} --resume --runs runs --name own --model net.py:Net --epochs 2\n" in said
    run = Path("runs/own")
    config = json.loads((run / "config.json").read_text())
    assert (config["model"], config["model_options"]) == ("net.py:Net", {"width": 6})
    manifest = json.loads(next(run.glob("checkpoints/*/manifest.json")).read_text())
    assert manifest["model"] == {"class": "net.py:Net", "options": {"width": 6}, "source": config["model_source"]}
    forget()
    Path("imported.txt").unlink()
    assert train.main(["--verify", str(run)]) == visualize.main(["layers", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("a run never imports one by itself: add --model net.py:Net") == 2
    assert not Path("imported.txt").exists()
    assert train.main(["--verify", str(run), "--model", "net.py:Net"]) == 0
    assert visualize.main([str(run), "--model", "net.py:Net", "--dataset", str(data)]) == 0
    assert Path("imported.txt").exists()
    drawn = {path.name.split("_")[0].split(".")[0] for path in (run / "figures").glob("*.png")}
    assert {"layers", "kernel", "kernels", "activations", "curves", "attribute", "confusion"} <= drawn


@pytest.mark.parametrize("source", [LINEN, NNX], ids=["linen", "nnx"])
def test_its_statistics_move_its_dropout_draws_and_resuming_gives_the_same_bits(source, here, data):
    Path("net.py").write_text(source)
    assert trained(data, "--epochs", "2") == 0
    whole = runs.load_states(Path("runs/own"))[0][0]
    first = runs.load_run("runs/own").untrained["batch_stats"]
    moved = [(a != b).any() for a, b in zip(*map(jax.tree.leaves, (whole.batch_stats, first)), strict=True)]
    assert all(moved)
    model = runs.load_config(Path("runs/own")).model
    images = jax.random.uniform(jax.random.key(0), (4, 12, 12, 1))
    from cnnviz import probe

    draw = lambda seed: probe.training_logits(model, whole.latest, images, jax.random.key(seed))[0]
    assert (draw(1) != draw(2)).any()
    assert (draw(1) == draw(1)).all()
    before = probe.logits(model, whole.latest, images)
    np.testing.assert_array_equal(before, probe.logits(model, whole.latest, images))


COLLECTIONS = """
import flax.linen as nn
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = x.mean((1, 2))
        calls = self.variable("counts", "calls", lambda: jnp.zeros((), jnp.int32))
        center = self.variable("centers", "mean", jnp.zeros, (1, x.shape[1]))
        if train:
            calls.value += 1
            center.value = 0.5 * (center.value + x.mean(0, keepdims=True))
        return nn.Dense(2)(x - center.value)
"""


@pytest.mark.parametrize("recipe", ["classic", "fast"])
def test_collections_of_a_models_own_are_carried_from_step_to_step(recipe, here, data):
    Path("net.py").write_text(COLLECTIONS)
    assert trained(data, "--name", "own", "--epochs", "2", "--recipe", recipe) == 0
    (state,), _ = runs.load_states(Path("runs/own"))
    assert state.latest["counts"]["calls"] == state.variables["counts"]["calls"] == state.step > 0
    assert runs.load_run("runs/own").untrained["counts"]["calls"] == 0
    assert (state.latest["centers"]["mean"] > 0.1).all()
    assert runs.load_run("runs/own").variables["centers"]["mean"].shape == (1, 1)


def test_training_goes_on_with_the_class_that_is_typed(here, data, capsys, monkeypatch):
    from cnnviz.commands import terminal

    assert trained(data, "--epochs", "2", "--keep", "9") == 0
    expected = runs.load_states(Path("runs/own"))[0][0].params
    run = Path("runs/own")
    (run / "summary.json").unlink()
    last = max(run.glob("checkpoints/step_*"))
    for file in last.iterdir():
        file.unlink()
    last.rmdir()
    forget()
    assert train.main(["--resume", "--name", "own"]) == 2
    assert "add --model net.py:Net" in capsys.readouterr().err
    Path("moved").mkdir()
    Path("net.py").rename("moved/net.py")
    assert train.main(["--resume", "--name", "own", "--model", "moved/net.py:Net"]) == 0
    for a, b in zip(*map(jax.tree.leaves, (runs.load_states(run)[0][0].params, expected)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert terminal


def test_a_changed_source_is_said_and_no_error(here, data, capsys):
    assert trained(data) == 0
    Path("net.py").write_text(LINEN + "\n# one line more\n")
    capsys.readouterr()
    assert visualize.main(["layers", "runs/own", "--model", "net.py:Net"]) == 0
    assert "note: The source of net.py:Net was changed since training began" in capsys.readouterr().out


def test_another_class_is_refused_for_a_run(here, data, capsys):
    Path("net.py").write_text(LINEN + LINEN.replace("class Net", "class Other"))
    assert trained(data) == 0
    assert visualize.main(["layers", "runs/own", "--model", "net.py:Other"]) == 2
    assert "has the model net.py:Net, not net.py:Other" in capsys.readouterr().err
    assert trained(data, model="cnn") == 2  # the run exists
    assert train.main(["--dataset", str(data), "--name", "ours", "--model", "dense", "--epochs", "1"]) == 0
    assert visualize.main(["layers", "runs/ours", "--model", "net.py:Net"]) == 2
    assert "The run runs/ours has the model dense, not net.py:Net." in capsys.readouterr().err


def test_a_module_by_its_dotted_name(here, data):
    Path("nets/deep").mkdir(parents=True)
    Path("nets/deep/own_nets.py").write_text("from nets.parts import Net\n")
    Path("nets/parts.py").write_text(LINEN)
    assert trained(data, model="nets.deep.own_nets:Net") == 0
    assert runs.load_config(Path("runs/own"))["model_source"] is not None


def test_a_sibling_of_the_file_can_be_imported(here, data):
    Path("folder").mkdir()
    Path("folder/blocks_of_mine.py").write_text(LINEN)
    Path("folder/net.py").write_text("from blocks_of_mine import Net as Base\n\nclass Net(Base):\n    pass\n")
    assert trained(data, model="folder/net.py:Net") == 0


def test_a_class_in_memory_is_an_entry_of_models(here, data):
    names = {"__name__": "__main__"}
    exec(LINEN, names)
    MODELS["mine"] = names["Net"]
    assert trained(data, model="mine") == 0
    net = networks.open("runs/own")
    assert [layer.name for layer in net.layers][-1] == "Dense_0"
    forget("mine")
    with pytest.raises(InputError, match=r"cnnviz\.models\.MODELS\['mine'\] = the class"):
        networks.open("runs/own")


SOFTMAX = LINEN.replace(
    "return nn.Dense(self.num_classes)", "return (lambda y: nn.softmax(nn.Dense(self.num_classes)(y)))"
)


def test_a_softmax_at_the_end_trains_as_its_logits_do(here, data):
    assert trained(data) == 0
    plain = runs.load_run("runs/own")
    Path("net.py").write_text(SOFTMAX)
    assert trained(data, "--runs", "other") == 0
    ending = runs.load_run("other/own")
    for a, b in zip(*map(jax.tree.leaves, (plain.variables, ending.variables)), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    assert plain.history[0]["val_loss"] == pytest.approx(ending.history[0]["val_loss"], abs=1e-4)


FIELD = LINEN.replace("    width: int = 4\n", "    width: int = 4\n    train: bool = True\n").replace(
    "(self, x, train: bool)", "(self, x)"
)


def test_a_mode_that_is_a_field_of_the_class_is_set(here, data):
    assert trained(data) == 0
    Path("net.py").write_text(FIELD.replace("not train", "not self.train"))
    assert trained(data, "--runs", "other") == 0
    for a, b in zip(
        *(jax.tree.leaves(runs.load_states(Path(f"{folder}/own"))[0][0].latest) for folder in ("runs", "other")),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("model", "options", "width"),
    [("cnn", {"width": 5, "hidden": 7}, 5), ("resnet", {"channels": 6}, 6), ("dense", {"width": 9, "depth": 2}, 9)],
)
def test_the_built_in_networks_take_options(model, options, width, here, data):
    assert trained(data, "--model-options", json.dumps(options), model=model) == 0
    net = networks.open("runs/own")
    assert next(layer for layer in net.layers if layer.parameters).shape[-1] == width
    assert "model_source" not in net.config


def test_a_function_and_a_partial_make_models_too(here, data):
    made = "\nfrom functools import partial\nSmall = partial(Net, width=2)\n\n\ndef wide(classes):\n"
    Path("net.py").write_text(LINEN + made + "    return Net(num_classes=classes, width=9)\n")
    for name, width in (("Small", 2), ("wide", 9)):
        assert trained(data, "--runs", name, model=f"net.py:{name}") == 0
        assert networks.open(f"{name}/own").layers[0].shape[-1] == width


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("net.py:Nte", None, "net.py has no 'Nte'; the Flax modules there are: Net."),
        ("net.py", None, "--model net.py lacks the class (--model net.py:Net); the Flax modules there are: Net."),
        ("nowhere.py:Net", None, "nowhere.py does not exist; --model takes path/to/net.py:Net or package.module:Net"),
        ("nowhere.to.be:Net", None, "The module 'nowhere' is neither in this folder nor an installed package;"),
        ("a b:Net", None, "'a b' is neither a file that ends in .py nor a module;"),
        ("resnt", None, "'resnt' is not a model; did you mean 'resnet'?"),
        ("bad.py:Plain", None, "bad.py:Plain is a class, not the class of a Flax module"),
        ("bad.py:value", None, "bad.py:value is an object of type int, not the class of a Flax module"),
        ("raises.py:Net", None, "raises.py, when it is imported, raises ZeroDivisionError (raises.py, line 2):"),
        ("syntax.py:Net", None, "syntax.py, when it is imported, raises SyntaxError"),
        ("leaves.py:Net", None, "leaves.py, when it is imported, raises SystemExit (leaves.py, line 3): 3."),
        ("needs.py:Net", None, "needs.py, when it is imported, raises ModuleNotFoundError (needs.py, line 1):"),
        ("net.py:Net", '{"widht": 3}', "'widht' is not an option of net.py:Net; did you mean 'width'?"),
        ("net.py:Net", '{"width": "3"}', "The option width of net.py:Net is of type int; it was '3'."),
        (
            "net.py:Net",
            '{"num_classes": 7}',
            "net.py:Net gives an output of shape (7,) per image; the data's 2 classes",
        ),
        ("net.py:Net", '{"width": 0}', "net.py:Net"),
        ("net.py:Net", "[1]", "--model-options is a JSON object such as '{\"width\": 64}'; it was '[1]'."),
        ("net.py:Net", "{width: 1}", "--model-options is a JSON object such as '{\"width\": 64}'; it was '{width: 1}'"),
        ("cnn", '{"widht": 3}', "'widht' is not an option of cnn; did you mean 'width'?"),
        ("dense", '{"classes": 3}', "dense gives an output of shape (3,) per image; the data's 2 classes need (2,)."),
        ("bad.py:Needs", None, "bad.py:Needs needs 'depth', pass it by --model-options '{\"depth\": ...}'."),
        ("bad.py:Fixed", None, "bad.py:Fixed gives an output of shape (7,) per image; the data's 2 classes need (2,)."),
        ("bad.py:Two", None, "It is not clear which output the logits are; the model gives 0 (1, 2), 1 (1, 3)."),
        (
            "bad.py:Asks",
            None,
            "The call of bad.py:Asks needs 'mask' too, not images alone; train.py trains networks",
        ),
        ("bad.py:Deep", None, "; if a layer leaves no pixels, the images are too small for it."),
        (
            "bad.py:Narrow",
            None,
            "bad.py:Narrow is for larger images: Conv_0 leaves (0, 0, 4) of the shape (12, 12, 1).",
        ),
        ("bad.py:Falls", None, "raises KeyError (bad.py, line "),
        ("bad.py:Empty", None, "The model has no parameters that could be trained."),
        ("bad.py:odd", None, "gives an object of type int, not a Flax module."),
    ],
)
def test_what_cannot_be_used_is_one_line(model, options, message, here, data, capsys):
    Path("raises.py").write_text("def f():\n    1 / 0\n\nf()\n")
    Path("syntax.py").write_text("class Net(:\n")
    Path("leaves.py").write_text("import sys\n\nsys.exit(3)\n")
    Path("needs.py").write_text("import a_package_that_nobody_has\n")
    Path("bad.py").write_text(BAD)
    given = ["--model-options", options] if options else []
    assert trained(data, *given, model=model) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert not Path("runs").exists()


BAD = """
import flax.linen as nn
import jax.numpy as jnp

value = 3


def odd():
    return 3


class Plain:
    pass


class Needs(nn.Module):
    depth: int

    def __call__(self, x):
        return x


class Fixed(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(7)(x.mean((1, 2)))


class Two(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x.mean((1, 2))), nn.Dense(3)(x.mean((1, 2)))


class Deep(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(6):
            x = nn.max_pool(nn.Conv(4, (3, 3))(x), (2, 2), strides=(2, 2))
        return nn.Dense(2)(x.reshape(len(x), -1))


class Narrow(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.Conv(4, (15, 15), padding="VALID")(x).mean((1, 2)))


class Asks(nn.Module):
    @nn.compact
    def __call__(self, x, mask):
        return nn.Dense(2)(x.mean((1, 2)))


class Falls(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense({}["classes"])(x)


class Empty(nn.Module):
    def __call__(self, x):
        return x.reshape(len(x), -1)[:, :2]
"""


def rewritten(run, entries):
    """Puts these entries into a run's config, as if it had been written so."""
    file = run / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))
    for file in run.glob("checkpoints/*/manifest.json"):
        content = json.loads(file.read_text())
        content = {key: value for key, value in content.items() if key not in ("run", "digest")} | {"format": 1}
        file.write_text(json.dumps(json_files.sealed(content)))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("dense", {"depth": 10**9}, "depth must be from 0 to 100; it was 1000000000."),
        ("resnet", {"blocks": 10**9}, "blocks must be from 1 to 100; it was 1000000000."),
        ("dense", {"width": 10**9}, "does not fit the model"),
        ("dense", {"width": 10**30}, "dense"),
        ("dense", {"width": -1}, "The option width of dense must be at least 1; it was -1."),
        ("resnet", {"channels": 0}, "The option channels of resnet must be at least 1; it was 0."),
        ("cnn", {"dropout": 1.0}, "The option dropout of cnn must be from 0 to below 1; it was 1.0."),
        ("vgg11", {"dropout": -0.5}, "The option dropout of vgg11 must be from 0 to below 1; it was -0.5."),
        ("cnn", {"dropout": "much"}, "The option dropout of cnn is of type float; it was 'much'."),
        ("cnn", {"width": [[[]]]}, "The option width of cnn is of type int"),
        ("cnn", {"parent": 3}, "'parent' is not an option of cnn"),
        ("cnn", {"train": True}, "'train' is not an option of cnn"),
        ("cnn", [1], "model_options is [1]; it must be an object"),
    ],
)
def test_options_in_a_runs_config_are_checked(model, options, message, here, data, capsys):
    assert trained(data, model="dense") == 0
    rewritten(Path("runs/own"), {"model": model, "model_options": options})
    capsys.readouterr()
    assert visualize.main(["layers", "runs/own"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["evil.py:Net", "evil:Net", "os:system", "evil.py"])
def test_a_run_that_names_a_class_imports_nothing(name, here, data, capsys):
    assert trained(data, model="dense") == 0
    Path("evil.py").write_text(LINEN + PLANTED)
    run = Path("runs/own")
    rewritten(run, {"model": name, "model_source": "0" * 64, "model_options": {"width": 4}})
    (run / "summary.json").unlink()
    capsys.readouterr()
    sys.path.insert(0, str(here))
    for command in (
        lambda: visualize.main([str(run)]),
        lambda: train.main(["--resume", "--name", "own"]),
        lambda: train.main(["--verify", str(run), "--dataset", str(data)]),
    ):
        command()
        assert not Path("imported.txt").exists()
    said = capsys.readouterr().err
    assert f"add --model {name if ':' in name else 'path/to/net.py:Net'} if you trust it" in said
    with pytest.raises(InputError, match="a run never imports one by itself"):
        networks.open(run)
    assert not Path("imported.txt").exists()
