"""What `train.py` does beyond one new training: it goes on, starts from files, sweeps and lists, and says so."""

import io
import json
import shutil
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import count
from pathlib import Path

import jax
import numpy as np
import pytest

from cnnviz import data as data_sets
from cnnviz import networks, runs
from cnnviz.commands import announced, begin, epochs, paced, terminal, train
from cnnviz.commands.listing import row_of
from cnnviz.errors import InputError
from cnnviz.runs import continued
from cnnviz.runs.keep import log_spaced
from cnnviz.training.fit import Progress
from cnnviz.training.members import is_over
from cnnviz.training.optimizer import learning_rate_at
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import Totals
from cnnviz.training.watch import Diverged, check_converges


def ran(*arguments):
    """The exit code of `train.py`, and the lines that it prints to stdout and stderr."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = train.main(list(map(str, arguments)))
    return code, out.getvalue().splitlines(), err.getvalue()


def new(data, folder, name, *more):
    given = ["--dataset", data, "--runs", folder, "--name", name, "--model", "dense", "--recipe", "classic"]
    return ran(*given, *([] if "--epochs" in more else ["--epochs", "2"]), *more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    """A folder of runs with a finished one, "two", of two epochs."""
    folder = tmp_path_factory.mktemp("runs")
    code, out, _ = new(data, folder, "two")
    assert code == 0
    (folder / "said.txt").write_text("\n".join(out))
    return folder


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(folder / "two", tmp_path / "two")
    return tmp_path / "two"


def weights(run):
    return runs.checkpoints.files_of({"model": runs.load_run(run).variables})


def content(run):
    return {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def test_the_start_says_what_is_trained_and_the_end_what_to_type(folder):
    out = (folder / "said.txt").read_text().splitlines()
    begun = [line.partition(":")[0] for line in out[1:9]]
    assert begun[:6] == ["Images", "Classes", "Model", "Recipe", "Optimizer", "Devices"]
    assert "Images: 120 to train, 30 to validate, 50 to test, each 12x12x1." in out
    assert "Model: dense, 14,702 parameters." in out
    assert "Recipe: classic with epochs 2; up to 2 epochs of 3 batches of 32 images." in out
    epochs = [line for line in out if line.startswith("epoch")]
    assert len(epochs) == 2
    assert all(len(line) <= 80 for line in epochs)
    assert out[-2].startswith("Next: ")
    assert out[-2].endswith(str(folder / "two"))
    assert out[-1].endswith(f"--resume --runs {folder} --name two --epochs 4")


def test_what_to_type_next_is_quoted_where_a_path_has_spaces(folder, capsys):
    config = runs.load_config(folder / "two")
    announced.say_next(Path("my runs/a b"), config)
    said = capsys.readouterr().out
    assert "'my runs/a b'\n" in said
    assert said.endswith("--resume --runs 'my runs' --name 'a b' --epochs 4\n")
    announced.say_next(Path("my runs/a b"), runs.Config({**config, "track": ["tensorboard"]}))
    assert capsys.readouterr().out == f"{said}      tensorboard --logdir 'my runs'\n"


def test_a_record_has_the_learning_rate_and_the_speed_and_the_summary_has_further_measures(folder):
    records = runs.load_run(folder / "two").history
    assert [record["learning_rate"] for record in records] == [1e-3, 1e-3]
    assert all(record["images_per_second"] == pytest.approx(96 / record["seconds"]) for record in records)
    summary = json.loads((folder / "two" / "summary.json").read_text())
    accuracies = summary["test_class_accuracy"]
    assert list(accuracies) == list(runs.load_run(folder / "two").classes)
    assert 0 <= summary["test_macro_f1"] <= 1
    assert "test_top5_accuracy" not in summary  # of two classes


def test_a_finished_run_is_left_as_it_is_and_goes_on_with_the_bits_of_a_longer_one(data, folder, copied):
    before = content(copied)
    code, out, _ = ran("--resume", "--runs", copied.parent, "--name", "two")
    assert code == 0
    assert "is finished; all its files are as they were written" in out[0]
    assert content(copied) == before
    code, out, _ = ran("--resume", "--runs", copied.parent, "--name", "two", "--epochs", "4")
    assert code == 0
    assert "It goes on with epochs 3 to 4. The learning rate stays 0.001." in out
    assert (copied / "config.json").read_bytes() == before[copied / "config.json"]
    assert runs.load_config(copied).recipe.epochs == 4
    assert [record["epoch"] for record in runs.load_run(copied).history] == [1, 2, 3, 4]
    assert new(data, folder, "four", "--epochs", "4")[0] == 0
    assert weights(copied) == weights(folder / "four")
    assert ran("--verify", copied)[0] == 0
    assert "is finished" in ran("--resume", "--runs", copied.parent, "--name", "two", "--epochs", "4")[1][0]


def test_a_schedule_is_continued_as_that_of_all_epochs_and_what_is_stopped_then_is_resumed(data, folder, monkeypatch):
    assert new(data, folder, "cycle", "--schedule", "one_cycle", "--epochs", "1")[0] == 0
    begin = ["--resume", "--runs", folder, "--name", "cycle"]
    with monkeypatch.context() as patched:
        looks = count()
        patched.setattr("cnnviz.commands.terminal.ctrl_c", lambda: _stopping_at(looks, 3))
        code, out, _ = ran(*begin, "--epochs", "3")
    assert code == 130
    recipe = Recipe(epochs=3, schedule="one_cycle")
    first, last = (f"{learning_rate_at(recipe, 9, step):.3g}" for step in (3, 8))
    said = f"of a training of 3 epochs, from its step 3: the learning rate is {first} there and {last} at the end"
    assert said in " ".join(out)
    code, out, _ = ran(*begin)
    assert code == 0
    assert runs.load_run(folder / "cycle").history[-1]["learning_rate"] == learning_rate_at(recipe, 9, 8)


class _stopping_at:
    """In place of `terminal.ctrl_c`: a signal that arrives at the n-th look."""

    def __init__(self, looks, most):
        self.looks, self.most = looks, most

    def __enter__(self):
        return lambda: 2 if next(self.looks) >= self.most else 0

    def __exit__(self, *_):
        return None


def test_what_is_damaged_does_not_go_on_and_nothing_is_written(copied):
    (latest,) = (path for path in (copied / "checkpoints").iterdir() if path.name.endswith("6"))
    file = latest / "training.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    before = content(copied)
    code, _, err = ran("--resume", "--runs", copied.parent, "--name", "two", "--epochs", "4")
    assert (code, "training.safetensors is damaged" in err) == (2, True)
    assert content(copied) == before


def test_fewer_epochs_or_another_option_are_refused(copied):
    begin = ["--resume", "--runs", copied.parent, "--name", "two"]
    assert "not with --epochs 1 (it has 2)" in ran(*begin, "--epochs", "1")[2]
    assert "not with --learning-rate 0.1 (it has 0.001)" in ran(*begin, "--epochs", "4", "--learning-rate", "0.1")[2]
    (copied / "summary.json").unlink()
    assert "once it is finished" in ran(*begin, "--epochs", "4")[2]


def test_what_is_read_is_said_meanwhile(data, folder, copied, monkeypatch):
    told = []
    monkeypatch.setattr(terminal, "progress", lambda: nullcontext(lambda *what: told.append(what[2])))
    assert new(data, folder, "read")[0] == 0
    assert told[0] == f"reading the data set {data}"
    assert ran("--resume", "--runs", copied.parent, "--name", "two", "--epochs", 3)[0] == 0
    assert told.count("reading the data set toy") == 1


def test_more_steps_than_are_counted_are_refused(data, folder, copied):
    many = str(10**11)
    code, _, err = new(data, folder, "many", "--epochs", many)
    assert code == 2
    assert "--epochs must be at most " in err
    assert not (folder / "many").exists()
    before = (copied / "config.json").read_bytes()
    code, _, err = ran("--resume", "--runs", copied.parent, "--name", "two", "--epochs", many)
    assert code == 2
    assert "in each; it was 100,000,000,000." in err
    assert ((copied / "config.json").read_bytes(), (copied / "summary.json").is_file()) == (before, True)


def test_what_says_that_a_run_went_on_is_sealed(copied):
    continued.write(copied, 2, 5)
    continued.write(copied, 5, 9)
    assert runs.load_config(copied).recipe.epochs == 9
    assert runs.load_config(copied).begun == 5
    file = copied / "continued.json"
    file.write_text(file.read_text().replace("9", "8"))
    with pytest.raises(InputError, match=r"continued.json was changed after it was written"):
        runs.load_run(copied)
    file.unlink()
    continued.write(copied, 1, 2)
    with pytest.raises(InputError, match=r"continued.json is damaged \(it has 2 epochs, and config.json 2\)"):
        runs.load_run(copied)


def test_why_a_training_ended_early_is_said(folder, tmp_path):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (60, 6, 6, 1), dtype=np.uint8), random.permutation(np.arange(60) % 2)
    np.savez(tmp_path / "noise.npz", images=images, labels=labels)
    more = ["--patience", "1", "--epochs", "40", "--learning-rate", "0.01"]
    code, out, err = new(tmp_path / "noise.npz", folder, "early", *more)
    assert code == 0, err
    last = max(record["epoch"] for record in runs.load_run(folder / "early").history)
    assert last < 40
    assert f"Ended after epoch {last} of 40: 1 epoch (--patience) without a smaller validation loss." in out
    assert not any("Ended" in line for line in (folder / "said.txt").read_text().splitlines())


def test_a_loss_takes_six_characters():
    losses = {0.0: "0.0000", 9.972: "9.9720", 9.99996: "10.000", 42.5: "42.500", 999.96: "999.96", 54321.0: "5.4e+04"}
    assert {loss: epochs._six(loss) for loss in losses} == losses


def test_patience_counts_from_where_a_training_went_on():
    history = [{"val_loss": loss} for loss in (1.0, 2.0, 3.0)]
    recipe = Recipe(patience=2, epochs=9)
    assert is_over(history, recipe)
    assert not is_over(history, recipe, begun=3)
    assert not is_over([*history, {"val_loss": 4.0}], recipe, begun=3)
    assert is_over([*history, {"val_loss": 4.0}, {"val_loss": 5.0}], recipe, begun=3)


def test_a_run_s_config_is_a_starting_point_that_options_override(folder, tmp_path):
    config = folder / "two" / "config.json"
    assert ran("--config", config, "--runs", tmp_path, "--name", "same")[0] == 0
    assert weights(tmp_path / "same") == weights(folder / "two")
    options = train.with_config(train.Options(config=config, seed=3, recipe=None))
    assert (options.seed, options.epochs, options.model, options.schedule) == (3, 2, "dense", "constant")
    best = train.with_config(train.Options(config=config.parent, recipe="best"))
    assert (best.new_recipe.epochs, best.model) == (40, "dense")


def test_the_snapshots_of_a_config_fit_a_shorter_training_and_those_that_are_typed_must(capsys):
    options = train.Options(config=Path("config.json"), snapshots=8)
    assert begin._snapshots(options, 3) == 3
    assert capsys.readouterr().out == "Snapshots: 3 instead of 8, as this training has 3 steps.\n"
    assert begin._snapshots(options, 8) == 8
    with pytest.raises(InputError, match="snapshots must be from 1 to 3, .* it was 8"):
        log_spaced(begin._snapshots(train.Options(snapshots=8), 3), 3)


def test_a_file_of_one_s_own_has_options_by_name(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('model = "dense"\n[recipe]\nlearning-rate = 1\nflip = true\n[model-options]\nwidth = 3\n')
    options = train.with_config(train.Options(config=file, learning_rate=0.5))
    assert (options.learning_rate, options.flip, options.model_options) == (0.5, True, '{"width": 3}')
    assert train.with_config(train.Options(config=file)).learning_rate == 1.0


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("x.toml", "epoch = 3", "'epoch' is not an option; did you mean 'epochs'"),
        ("x.toml", "lr = 1e-3", "'lr' is not an option; did you mean 'learning_rate'?"),
        (
            "x.toml",
            "lr = 1e-3\nzzz = 1\nbs = 3",
            "'lr' is not an option; did you mean 'learning_rate'? 'zzz' is not an option. 'bs' is not an option",
        ),
        ("x.toml", 'epochs = "3"', "epochs must be of type int; it was '3'"),
        ("x.toml", "epochs = ", "x.toml is not TOML"),
        ("x.toml", "epochs = 3\n[a]\nepochs = 4", "has the option epochs twice"),
        ("x.toml", "resume = true", "x.toml: resume is an option of the command line alone; leave it out of the file."),
        ("x.toml", "list = true", "x.toml: list is an option of the command line alone; leave it out of the file."),
        ("x.toml", "prepare-data = true", "prepare-data is an option of the command line alone; leave it out"),
        (
            "x.toml",
            'export = "R"\nhelp = true\nlr = 1',
            "export and help are options of the command line alone; leave them out of the file. 'lr' is not an option;",
        ),
        ("x.toml", 'model = "net.py:Net"', "a file never imports one by itself: add --model net.py:Net"),
        ("x.yaml", "epochs: 3", "takes a run's config.json, or a .toml"),
        ("config.json", '{"format": 1, "model": "cnn", "depth": 3}', "config.json has depth, which this version"),
        ("config.json", '{"format": 7, "new": {}}', "has the format 7; this version of cnnviz reads 1"),
    ],
)
def test_a_config_that_cannot_be_used_is_one_line(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text)
    code, _, err = ran("--config", tmp_path / name, "--runs", tmp_path / "runs")
    assert (code, err.count("\n")) == (2, 1)
    assert fault in err


@pytest.fixture(scope="module")
def other_classes(tmp_path_factory, toy):
    """The toy images with a third class."""
    path, (images, labels) = tmp_path_factory.mktemp("data") / "three.npz", map(np.asarray, toy)
    labels = np.where(np.arange(200) % 5 == 0, 2, labels)
    np.savez(path, x_train=images[:150], y_train=labels[:150], x_test=images[150:], y_test=labels[150:])
    return path


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("limit = 0", "limit must be at least 1; it was 0."),
        ("snapshots = -2", "snapshots must be at least 1; it was -2."),
        ('recipe = "fastt"', "recipe: 'fastt' is not a recipe; did you mean 'fast'?"),
        ('dataset = "fashion-mnsit"', "'fashion-mnsit' is not a data set; did you mean 'fashion_mnist'?"),
    ],
)
def test_values_of_a_file_are_checked_as_typed_ones_are(tmp_path, line, fault):
    file = tmp_path / "own.toml"
    file.write_text(line)
    code, out, err = ran("--config", file)
    assert (code, out) == (2, [])
    assert err.startswith(f"train.py: {file}: {fault}")


@pytest.mark.parametrize("spec", ["limit=0,5", "keep=1,-1", "dataset=garments,fashion-mnsit", "optimizer=sgd,sdg"])
def test_all_values_of_a_sweep_are_checked_before_one_is_trained(tmp_path, monkeypatch, spec):
    monkeypatch.setattr(train, "_trained", lambda *_: pytest.fail("one was trained"))
    code, _, err = ran("--runs", tmp_path, "--sweep", spec)
    assert code == 2
    assert "must be at least 1; it was " in err or "did you mean" in err


def test_a_training_starts_from_the_weights_of_a_run(data, folder, other_classes):
    before = runs.load_run(folder / "two").variables
    code, out, _ = new(data, folder, "again", "--init-from", folder / "two", "--average", "0.5")
    assert code == 0
    assert f"The weights start from {folder / 'two'}: 4 arrays." in out
    begun = runs.load_run(folder / "again").untrained
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), begun, before))
    code, out, _ = new(other_classes, folder, "three", "--init-from", folder / "two")
    assert code == 0
    said = "The classifier, logits/bias and logits/kernel, is drawn anew: 2 classes there, 3 others here."
    assert any(line.endswith(said) for line in out)
    begun = runs.load_run(folder / "three").untrained
    assert (begun["params"]["dense1"]["kernel"] == before["params"]["dense1"]["kernel"]).all()
    assert begun["params"]["logits"]["kernel"].shape == (100, 3)
    assert runs.load_config(folder / "three")["init_from"]["redrawn"] == ["logits/bias", "logits/kernel"]
    file = folder / "three" / "checkpoints" / "step_00000000" / "model.safetensors"
    file.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"Its weights came from .*two and cannot be drawn again"):
        runs.restore_first(folder / "three", runs.load_config(folder / "three"))


def test_a_training_starts_from_a_file_of_weights(data, folder, other_classes, tmp_path):
    tree = jax.tree.map(np.asarray, runs.load_run(folder / "two").variables["params"])
    np.savez(tmp_path / "w.npz", **{f"{layer}/{name}": a for layer, own in tree.items() for name, a in own.items()})
    one_step = ["--epochs", "1", "--batch-size", "500"]
    code, out, _ = new(other_classes, folder, "file", "--init-from", tmp_path / "w.npz", *one_step)
    assert code == 0
    assert any("the batch size 500 is larger than the 120 training images" in line for line in out)
    begun = runs.load_run(folder / "file").untrained["params"]
    np.testing.assert_array_equal(begun["dense1"]["kernel"], tree["dense1"]["kernel"])


NET = """
import flax.linen as nn

class Net(nn.Module):
    classes: int = 2

    @nn.compact
    def __call__(self, x):
        for name, width in (("second", 3), ("first", 4)):
            x = nn.max_pool(nn.relu(nn.Conv(width, (3, 3), name=name)(x)), (2, 2), (2, 2))
        x = nn.relu(nn.Dense(5)(x.reshape(len(x), -1)))
        return nn.Dense(self.classes)(x)
"""


def test_a_training_starts_from_a_keras_file_whose_layers_are_paired_in_their_order(tmp_path):
    """Of 3 classes there and 2 here, so that the last layer stays as drawn; an image of another size does not fit."""
    path = Path(__file__).parent / "goldens" / "keras" / "keras2_chapter.h5"
    there = networks.open(path)
    (tmp_path / "net.py").write_text(NET)
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 1), np.uint8)
    for side in (8, 12):
        data = {"x": images[:, :side, :side], "y": np.arange(40) % 2}
        split = {f"{name}_{part}": array for name, array in data.items() for part in ("train", "test")}
        np.savez(tmp_path / f"{side}.npz", **split)
    given = ["--runs", tmp_path, "--epochs", "1", "--init-from", path, "--model", f"{tmp_path / 'net.py'}:Net"]
    code, out, err = ran(*given, "--dataset", tmp_path / "8.npz", "--name", "own")
    assert code == 0, err
    assert any("6 arrays, paired in the order of the layers. The classifier, " in line for line in out)
    begun = runs.load_run(tmp_path / "own").untrained["params"]
    for here, own in (("second", "conv2d"), ("first", "conv2d_1"), ("Dense_0", "dense")):
        np.testing.assert_array_equal(begun[here]["kernel"], there.variables["params"][own]["kernel"])
    code, _, err = ran(*given, "--dataset", tmp_path / "12.npz", "--name", "larger")
    assert code == 2
    assert "7 of 8 arrays fit; those that do not: params/Dense_0/kernel has the shape (16, 5), not (36, 5)" in err


RIGHT = ": start from weights of dense for images of 12x12x1, or leave --init-from out."


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        (
            ["--model-options", '{"width": 7}'],
            ["1 of 4 arrays fit", "dense1/kernel has the shape", "; those that fit: ", RIGHT],
        ),
        (["--init-from", "/nowhere"], ["--init-from /nowhere does not exist; give a run"]),
        (["--init-from", "tow"], ["--init-from tow does not exist; did you mean ", "/two?"]),
    ],
)
def test_weights_of_another_network_are_refused_with_what_fits(data, folder, more, faults):
    start = [] if "--init-from" in more else ["--init-from", folder / "two"]
    code, _, err = new(data, folder, "wrong", *start, *more)
    assert code == 2
    assert [fault for fault in faults if fault not in err] == []
    assert not (folder / "wrong").exists()


def test_runs_are_listed_in_an_order_and_damaged_ones_named(data, folder, tmp_path):
    for name in ("a", "b", "c"):
        shutil.copytree(folder / "two", tmp_path / name)
    file = next((tmp_path / "b").glob("checkpoints/*/model.safetensors"))
    file.write_bytes(b"x")
    (tmp_path / "c" / "summary.json").unlink()
    code, out, _ = ran("--list", "--runs", tmp_path, "--sort", "run")
    table = "\n".join(out)
    assert code == 0
    assert [line.split()[0] for line in out if line.strip()[:2] in ("a ", "b ", "c ")] == ["a", "b", "c"]
    assert [line.partition(" ")[0] for line in out if "damaged:" in line] == ["b:"]
    assert max(len(line) for line in out if "damaged:" not in line) < 110
    assert row_of(tmp_path / "b")["note"].startswith(f"damaged: {file.relative_to(tmp_path / 'b')} is damaged")
    assert row_of(tmp_path / "a")["recipe"] == "classic with epochs 2"
    assert "(val)" in table
    for name in ("a-10", "a-9"):
        shutil.copytree(tmp_path / "a", tmp_path / name)
    out = ran("--list", "--runs", tmp_path, "--sort", "run")[1]
    assert [line.split()[0] for line in out if line.strip()[:2] in ("a ", "a-")] == ["a", "a-9", "a-10"]
    for file in (tmp_path / "a-9").glob("checkpoints/*/*.safetensors"):
        file.write_bytes(b"x")
    assert f" more: --verify {tmp_path / 'a-9'} names all." in row_of(tmp_path / "a-9")["note"]
    assert "'acuracy' is not a column; did you mean 'accuracy'" in ran("--list", "--sort", "acuracy")[2]
    assert "has no run" in ran("--list", "--runs", tmp_path / "none")[2]


def test_a_sweep_trains_the_product_and_ends_with_a_table(data, folder):
    code, out, _ = new(data, folder, "s", "--sweep", "learning_rate=1e-3,1e-2", "--sweep", "seed=0..1", "--epochs", "1")
    assert code == 0
    recipes = [runs.load_config(folder / f"s-{n}").recipe for n in (1, 2, 3, 4)]
    assert [(r.learning_rate, r.seed) for r in recipes] == [(1e-3, 0), (1e-3, 1), (1e-2, 0), (1e-2, 1)]
    assert "Run 3 of 4: learning_rate 0.01, seed 0." in out
    table = out[-8:]
    assert sum(f"s-{n} " in line for line in table for n in (1, 2, 3, 4)) == 4


def test_what_a_stopped_sweep_has_not_begun_is_said(data, folder, monkeypatch):
    begun = iter([(0, folder / "two"), (130, folder / "two")])
    monkeypatch.setattr(train, "_trained", lambda _: next(begun))
    code, out, _ = new(data, folder, "t", "--sweep", "learning_rate=1e-3,1e-2", "--sweep", "seed=0..1")
    assert code == 130
    assert out[-1] == "Not begun: 2 runs of 4 (learning_rate 0.01, seed 0; learning_rate 0.01, seed 1)."


def test_a_folder_of_runs_is_no_run_and_names_them(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for arguments in (["--verify", folder], ["--export", folder, "--to", "msgpack"]):
        code, _, err = ran(*arguments)
        assert code == 2
        assert f"{folder} is a folder with runs in it (" in err
        assert err.endswith("); name one of them.\n")


def test_a_sweep_in_a_file_is_obeyed_and_contradicts_what_is_typed(tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('sweep = ["seed=0..1", "epochs=1,2"]\nlimit = 9\n')
    asked = []
    monkeypatch.setattr(train, "sweep", lambda options, *_: asked.append(options) or 0)
    assert ran("--config", file, "--runs", tmp_path)[0] == 0
    assert (asked[0].sweep, asked[0].limit) == (("seed=0..1", "epochs=1,2"), 9)
    assert "--sweep and --seed do not go together" in ran("--config", file, "--runs", tmp_path, "--seed", 3)[2]
    assert "--sweep and --resume do not go together" in ran("--sweep", "seed=0..1", "--resume")[2]


def test_a_run_is_resumed_by_its_path_and_taken_as_a_config_by_its_name(copied, monkeypatch):
    monkeypatch.chdir(copied.parent.parent)
    path = copied.relative_to(copied.parent.parent)
    assert f"The run {path} is finished" in ran("--resume", "--name", path)[1][0]
    asked = []
    monkeypatch.setattr(train, "_trained", lambda options: asked.append(options) or (0, None))
    assert ran("--config", "two", "--runs", path.parent, "--name", "again")[0] == 0
    assert (asked[0].model, asked[0].name) == ("dense", "again")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--sweep", "lerning_rate=1"], "'lerning_rate' is not an option to sweep over; did you mean 'learning_rate'"),
        (["--sweep", "lr=1e-3,3e-3"], "'lr' is not an option to sweep over; did you mean 'learning_rate'?"),
        (
            ["--sweep", "seed=0..2", "--seeds", "3"],
            "--sweep and --seeds do not go together: seed=0..2 makes a run of each",
        ),
        (["--sweep", "runs=a,b"], "'runs' is not an option to sweep over"),
        (["--sweep", "seed=a"], "--sweep seed takes values of type int; it was 'a'"),
        (["--sweep", "seed=3..1"], "the range is empty"),
        (["--sweep", "seed"], "--sweep takes an option and its values"),
        (["--sweep", "seed=1,1"], "has a value twice"),
        (["--sweep", "seed=1", "--sweep", "seed=2"], "names an option twice"),
        (["--sweep", "seed=0..2", "--seed", "1"], "--sweep and --seed do not go together"),
        (["--sweep", "optimizer=adam,sdg"], "did you mean 'sgd'"),
        (["--resume", "--config", "x.toml"], "--resume and --config do not go together"),
        (["--resume", "--init-from", "x"], "--resume and --init-from do not go together"),
        (["--list", "--verify", "x"], "--list and --verify do not go together"),
        (["--sweep", "seed=1", "--resume"], "--sweep and --resume do not go together"),
        (["--sort", "when"], "--sort when has no effect without --list; add it, or leave this out."),
        (["--momentum", "0.5"], "--momentum is for --optimizer sgd; the optimizer is adam"),
        (["--optimizer", "sgd", "--epsilon", "1"], "--epsilon is for --optimizer adam"),
        (["--warmup", "2"], "warmup must be shorter than the training of 2 epochs; it was 2."),
        (["--optimizer", "adamw"], "--optimizer adamw needs a weight decay, which is 0"),
        (["--class-weights", "left=2"], "--class-weights: 'left' is not a class"),
    ],
)
def test_options_that_contradict_each_other_are_named(data, folder, more, fault):
    before = sorted(folder.iterdir())
    code, _, err = new(data, folder, "never", *more)
    assert (code, err.count("\n")) == (2, 1)
    assert fault in err
    assert sorted(folder.iterdir()) == before


def test_what_diverges_ends_with_a_sentence_and_the_last_good_checkpoint(data, folder):
    wild = ["--optimizer", "sgd", "--batch-size", "10"]
    code, _, err = new(data, folder, "far", *wild, "--learning-rate", "1000")
    assert code == 2
    assert err.startswith("train.py: The training diverged: the loss was ")
    assert "try a smaller learning rate than 1000, or gradient clipping; " in err
    assert err.endswith(f"; {folder / 'far'} keeps its last good checkpoint.\n")
    assert ". " not in err.removeprefix("train.py: ")
    assert int(runs.load_states(folder / "far")[0][0].step) == 0


def test_one_loss_alone_or_a_bad_start_is_no_divergence():
    recipe = Recipe(learning_rate=0.1, gradient_clip=1.0)
    record = {"epoch": 1, "train_loss": 900.0, "val_loss": 2.0, "learning_rate": 0.1}
    check_converges(record, 2.3, recipe)
    check_converges(record | {"val_loss": 900.0, "train_loss": 2.0}, 2.3, recipe)
    check_converges(record | {"val_loss": 800.0}, 300.0, recipe)
    check_converges(record | {"val_loss": 20.0}, 2.3, recipe)
    for loss, text in ((30.0, "30"), (9000.0, r"9e\+03")):
        with pytest.raises(
            Diverged,
            match=rf"was 2.3 at the start, 900 in epoch 1 and {text} after it; try a smaller learning rate than 0.1.$",
        ):
            check_converges(record | {"val_loss": loss}, 2.3, recipe)


def test_progress_is_read_now_and_then_and_says_the_speed(monkeypatch):
    times, reported = iter([10.0, 10.1, 10.2, 12.2, 12.2]), []
    monkeypatch.setattr("cnnviz.commands.paced.time.monotonic", lambda: next(times))
    on_step = paced.paced(lambda *what: reported.append(what), 4, "compiling")
    totals = [Totals(jax.numpy.float32(8.0), jax.numpy.int32(3), jax.numpy.int32(4))]
    for done in (1, 2, 3):
        on_step(Progress(2, done, 10, 100, totals))
    assert reported[0] == (0, 1, "compiling")
    assert reported[1] == (11, 40, "epoch 2/4, loss 2.0000, accuracy 0.7500")
    assert reported[2] == (13, 40, "epoch 2/4, loss 2.0000, accuracy 0.7500, 91 images/s")
    assert len(reported) == 3


def test_synthetic_images_in_place_of_others_are_a_warning(alone, data, monkeypatch):
    drawn = replace(data_sets.load(data), name="garments")
    monkeypatch.setitem(data_sets.DATASETS, "garments", lambda data_dir: drawn)
    _, line = data_sets.first_available("fashion_mnist,garments")
    assert line.startswith("WARNING: synthetic garments take the place of fashion_mnist. ")
    assert "fashion_mnist is not on this machine" in line
    assert data_sets.first_available("garments")[1].startswith("Data set garments from")
