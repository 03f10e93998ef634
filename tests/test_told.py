"""What a user is told who types a name of another tool's, a wrong name, or too much; and while they wait."""

import io
import json
import subprocess
import sys
import threading
import time
from dataclasses import fields
from pathlib import Path

import pytest

from cnnviz.batching import part
from cnnviz.commands import console, declared, kinds, output, terminal, train, visualize
from cnnviz.errors.meant import MEANT, OTHER_NAMES, meant
from cnnviz.pictures import ON_REQUEST, PICTURES
from cnnviz.registry import resolve

ROOT = Path(__file__).parent.parent


@pytest.fixture
def told(capsys):
    """`told(main, *arguments)`: the line on stderr of a command that refuses them with exit code 2."""

    def ask(main, *arguments):
        assert main(list(map(str, arguments))) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return ask


def asks_for(main, option, told):
    return told(main, option, "3").partition("did you mean ")[2].partition("?")[0].split(" or ")


@pytest.mark.parametrize(
    ("typed", "means"),
    {
        "--lr": "--learning-rate",
        "--bs": "--batch-size",
        "--batch": "--batch-size",
        "-b": "--batch-size",
        "--per_device_train_batch_size": "--batch-size",
        "--gpu": "--devices",
        "--gpus=2": "--devices",
        "--arch": "--model",
        "--nb-epochs": "--epochs",
        "--max_epochs": "--epochs",
        "-e": "--epochs",
        "--checkpoint": "--resume",
        "--output-dir": "--runs",
        "--data": "--dataset",
        "--fp16": "--precision",
        "--val-split": "--validation",
        "--early-stopping": "--patience",
        "--wandb": "--track",
        "--Epochs": "--epochs",
        "--no-resume": "--resume",
        "--learning-rat": "--learning-rate",
    }.items(),
)
def test_an_option_s_name_in_another_tool_is_known(typed, means, told):
    assert means in asks_for(train.main, typed, told)


@pytest.mark.parametrize("typed", ["--lr-schedule", "--sched", "--opt", "--wd", "--warmup-epochs"])
def test_what_a_recipe_decides_leads_to_it_or_to_an_option_of_its_own(typed, told):
    found = asks_for(train.main, typed, told)
    assert set(found) <= {"--recipe", "--schedule", "--optimizer", "--weight-decay", "--warmup", "--warmup-epochs"}
    assert found


@pytest.mark.parametrize(
    ("typed", "means"),
    {
        "--checkpoint": "--weights",
        "--output-dir": "--out",
        "--fmt": "--format",
        "--target-layer": "--layer",
        "--arch": "--model",
        "--index": "--image",
        "--pretrained": "--weights",
        "--num-classes": "--classes",
    }.items(),
)
def test_an_option_s_name_in_another_tool_is_known_to_visualize_too(typed, means, told):
    assert means in asks_for(visualize.main, typed, told)


@pytest.mark.parametrize(
    ("main", "arguments", "text"),
    [
        (train.main, ["--num-workers", 4], "images are in memory"),
        (train.main, ["--lr", 1, "--bs", 2], "did you mean --learning-rate? '--bs' is not an option; did you mean --b"),
        (train.main, ["--mixup", 0.2], "'--mixup' is not an option; train.py augments images by --shift, --crop, --fl"),
        (train.main, ["--shuffle"], "'--shuffle' is not an option; train.py shuffles the training images"),
        (train.main, ["--seed_everything", 1], "did you mean --seed?"),
        (train.main, ["--steps_per_epoch", 9], "did you mean --limit?"),
        (train.main, ["--initial_epoch", 9], "did you mean --resume?"),
        (train.main, ["--accumulate_grad_batches", 2], "--batch-size is the whole batch, as gradients are not accum"),
        (train.main, ["--min-lr", 0], "'--min-lr' is not an option; the schedules end near 0, except constant"),
        (train.main, ["--check_val_every_n_epoch", 2], "train.py validates and saves after every epoch."),
        (train.main, ["--deterministic"], "the same options on the same machine give the same result."),
        (train.main, ["--mixup-off-epoch", 2], "'--mixup-off-epoch' is not an option; train.py augments images by"),
        (train.main, ["--no-aug"], "'--no-aug' is not an option; train.py augments images by"),
        (train.main, ["--validation_freq", 2], "did you mean --validation? train.py validates and saves after every"),
        (train.main, ["--name", "."], "--name must be a folder's name, without a path; it was '.'."),
        (train.main, ["--name", "a\nb"], r"--name must be a folder's name, without a path; it was 'a\nb'."),
        (train.main, ["--init-from", ""], "--init-from needs a value; it was empty."),
        (train.main, ["--runs="], "--runs needs a value; it was empty."),
        (
            train.main,
            ["--timeout", 10**20, "--distributed", "x:1,2,0"],
            "--timeout must be at most 86,400 seconds, a day",
        ),
        (train.main, ["--learning-rate", "1e-320"], "--learning-rate must be positive and finite in float32; it was"),
        (train.main, ["--epsilon", "1e300"], "--epsilon must be at least 0 and finite in float32; it was 1e+300."),
        (train.main, ["--class-weights", "Bag=1e300"], "--class-weights must be none, balanced, or a positive weight"),
        (train.main, ["--name", ".."], "--name must be a folder's name, without a path; it was '..'."),
        (train.main, ["--runs", Path(__file__)], f"--runs {__file__} is a file; give a folder."),
        (
            train.main,
            ["--runs", Path(__file__, "x")],
            f"{__file__}/x is in {__file__}, which is a file; give a folder.",
        ),
        (train.main, ["--attakc", 1], "'--attakc' is not an option; --help lists all options."),
        (train.main, ["--accelerator", "gpu"], "did you mean --devices? JAX uses the GPU or TPU that it finds"),
        (visualize.main, ["kernels", "--title", "x"], "'--title' is not an option; titles and captions say"),
        (visualize.main, ["kernels", "--run", "x"], "RUN is given without one: visualize.py kernels RUN."),
        (visualize.main, ["compare", "--metric", "cka"], "did you mean --measure?"),
        (
            train.main,
            ["--epochs", 2, "--epochs=5"],
            "train.py: --epochs 2 and --epochs 5 are two values of one option; l",
        ),
        (train.main, ["--batch_size", 2, "--batch-size", 3], "--batch-size 2 and --batch-size 3 are two values of one"),
        (visualize.main, ["--layer", "a", "--layer", "b"], "leave one out, or type --layer a,b."),
        (
            visualize.main,
            ["compare", "--among", 9, "--among=10"],
            "--among 9 and --among 10 are two values of one opti",
        ),
        (train.main, ["--xyzzy", 4], "'--xyzzy' is not an option; --help lists all options."),
        (visualize.main, ["--epochs", 4], "'--epochs' is not an option; it is an option of train.py."),
        (visualize.main, ["--methods", "grad_cam"], "it is an option of visualize.py attribute|evaluate|robustness."),
        (
            visualize.main,
            ["curves", "--target", "label"],
            "'--target' is not an option; it is an option of visualize.py",
        ),
        (
            visualize.main,
            ["kernels", "--depth", 2],
            "'--depth' is not an option; it is an option of visualize.py layers.",
        ),
        (train.main, ["--format", "png"], "it is an option of visualize.py."),
        (visualize.main, ["attribute", "--method", "cam"], "did you mean --methods? It is an option of visualize.py"),
        (train.main, ["mnist"], "'mnist' is one argument too many; did you mean --dataset mnist?"),
        (train.main, ["resnet18"], "did you mean --model resnet18?"),
        (train.main, ["best"], "did you mean --recipe best?"),
        (train.main, [ROOT], f"did you mean --dataset {ROOT}?"),
        (train.main, ["--resume", "True"], "'True' is one argument too many; --resume takes no value."),
        (train.main, ["--resume", "own"], "--resume takes no value, and --name names the run: --resume --name own."),
        (train.main, ["--epochs"], "train.py: --epochs needs a value."),
        (train.main, ["--learning-rate", "high"], "--learning-rate takes a number; it was 'high'."),
        (visualize.main, ["--member", "first"], "--member takes a whole number; it was 'first'."),
        (visualize.main, ["--seed", "first"], "--seed takes a whole number; it was 'first'."),
        (visualize.main, ["kernels", ROOT, "more"], "'more' is one argument too many; one network is drawn at a time"),
    ],
)
def test_what_to_type_is_said(main, arguments, text, told):
    assert text in told(main, *arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--model", "resnet-50"], "did you mean 'resnet50'?"),
        (["--model", "mlp"], "did you mean 'dense'?"),
        (["--precision", "bf16"], "did you mean 'bfloat16'?"),
        (["--recipe", "book"], "did you mean 'classic'?"),
        (["--track", "tb"], "did you mean 'tensorboard'?"),
        (["--images-on", "gpu"], "did you mean 'device'?"),
    ],
)
def test_a_value_s_other_names_are_known(arguments, text, told):
    assert text in told(train.main, *arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["attribute", "--methods", "gradcam,ig"], "'gradcam' is not a method; did you mean 'grad_cam'?"),
        (["attribute", "--methods", "grad_cam,ig"], "'ig' is not a method; did you mean 'integrated_gradients'?"),
        (["attribute", "--methods", "Grad-CAM++"], "did you mean 'grad_cam_pp'?"),
        (["attribute", "--methods", "saliency"], "did you mean 'gradient'?"),
        (["--format", "JPG"], "did you mean 'png'?"),
        (["--split", "val"], "did you mean 'test'?"),
        (["filters", ROOT], "did you mean 'kernels'?"),
        (["confusion-matrix", ROOT], "did you mean 'predictions'?"),
        (["gradcam"], "did you mean 'attribute'?"),
        (["tsne"], "did you mean 'embed'?"),
        (["nothing_like_it"], "'nothing_like_it' is not a kind of picture or run. Known: layers,"),
        (["runs/nowhere"], "runs/nowhere does not exist; give a run's directory or a file"),
        (["kernels", "curves", ROOT], "'kernels' and 'curves' are 2 kinds of picture; name one, or none to draw all."),
    ],
)
def test_a_kind_or_method_s_other_names_are_known(arguments, text, told):
    assert text in told(visualize.main, *arguments)


@pytest.mark.parametrize("name", ["imagenet", "zzz", "한국어", "", "+"])
def test_nothing_is_suggested_where_nothing_is_near(name):
    assert meant(name, ["fashion_mnist", "mnist", "kmnist", "garments"]) == []


def test_no_name_of_ours_means_another_one_of_the_same_registry():
    """A name that is known is taken as it is, so that an entry for it would be dead."""
    assert [name for name, ours in MEANT.items() if [name] == ours] == []
    assert all(len(set(others.split())) == len(others.split()) for others in OTHER_NAMES.values())


@pytest.mark.parametrize(
    "arguments",
    [
        ["kernels", "RUN", "--layer", "conv1"],
        ["RUN", "kernels", "--layer", "conv1"],
        ["--layer", "conv1", "kernels", "RUN"],
        ["--data", "kernels", "--layer=conv1", "RUN"],
        ["--out", "kernels", "RUN", "--layer", "conv1", "kernels"],
    ],
)
def test_a_kind_may_stand_anywhere_among_the_positionals(arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("RUN").mkdir()
    Path("RUN/config.json").touch()
    asked = []
    monkeypatch.setattr(visualize, "visualize", lambda options, names, _: asked.append((options, names)) or 0)
    assert visualize.main(arguments) == 0
    ((options, names),) = asked
    assert names == ["kernels"]
    assert (options.run, options.layer) == ("RUN", "conv1")


def test_a_value_that_is_a_kind_s_name_stays_a_value(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("runs/toy").mkdir(parents=True)
    Path("runs/toy/metrics.jsonl").touch()
    asked = []
    monkeypatch.setattr(visualize, "visualize", lambda options, names, _: asked.append((options, names)) or 0)
    assert visualize.main(["--out", "kernels"]) == 0
    assert asked[0][0].out == Path("kernels")
    assert asked[0][1] == [kind for kind in PICTURES if kind not in ON_REQUEST]


def test_a_name_near_to_a_run_s_leads_to_it(monkeypatch, tmp_path, told):
    monkeypatch.chdir(tmp_path)
    Path("runs/toy").mkdir(parents=True)
    Path("runs/toy/config.json").touch()
    assert f"tyo@3 does not exist; did you mean {Path('runs/toy')}?" in told(visualize.main, "tyo@3")
    assert f"tyo does not exist; did you mean {Path('runs/toy')}?" in told(visualize.main, "kernels", "tyo")


def test_a_run_s_name_is_taken_where_nothing_of_that_name_is(monkeypatch, tmp_path, told):
    monkeypatch.chdir(tmp_path)
    for run in (Path("runs/toy"), Path("others/toys")):
        run.mkdir(parents=True)
        (run / "config.json").touch()
    asked = []
    monkeypatch.setattr(visualize, "visualize", lambda options, names, _: asked.append(options) or 0)
    for arguments in (["toy"], ["kernels", "toy@3"], ["--runs", "others", "toys"], ["compare", "toy", "toy:step_4"]):
        assert visualize.main(arguments) == 0
    assert [one.run for one in asked] == [str(Path("runs/toy")), "runs/toy@3", "others/toys", "runs/toy"]
    assert asked[-1].others == "runs/toy:step_4"
    Path("toy").mkdir()
    assert "toy is not a run" in told(visualize.main, "toy")


@pytest.mark.parametrize("option", ["--verify", "--init-from", "--export"])
def test_a_run_s_name_is_taken_by_options_of_training(option, monkeypatch, tmp_path, told):
    monkeypatch.chdir(tmp_path)
    Path("runs/toy/checkpoints/step_00000000").mkdir(parents=True)
    config = {"recipe": {"seed": 3}, "seeds": 1, "data": {"classes": ["cat"]}}
    Path("runs/toy/config.json").write_text(json.dumps(config))
    to = ["--to", "keras"] if option == "--export" else []
    where = "toy" if option == "--verify" else "toy@7"
    assert "runs/toy" in told(train.main, option, where, *to)


@pytest.mark.parametrize(
    ("arguments", "both"),
    [
        (["RUN", "--weights", "w.npz"], ["RUN", "--weights w.npz"]),
        (["RUN", "--prepare", '{"scale": 1}'], ["RUN", '--prepare {"scale": 1}']),
        (["--weights", "w.npz", "--model", "cnn", "--member", 1], ["--member 1", "--weights w.npz"]),
        (["--weights", "w.npz", "--model", "cnn", "--names", "n.json"], ["--names n.json", "--weights w.npz"]),
        (["RUN", "--classes", 3], ["RUN", "--classes 3"]),
        (["RUN@3", "--member", 2], ["RUN@3", "--member 2"]),
        (["m.h5", "--member", 2], ["m.h5", "--member 2"]),
        (["kernels", "RUN", "--dataset", "mnist"], ["kernels", "--dataset mnist"]),
        (["curves", "RUN", "--data-dir", "."], ["curves", "--data-dir ."]),
        (["RUN", "--out", "x/a.pdf"], ["--out x", "--format pdf"]),
    ],
)
def test_options_that_contradict_each_other_are_both_named(arguments, both, monkeypatch, tmp_path, told):
    monkeypatch.chdir(tmp_path)
    Path("RUN").mkdir()
    Path("m.h5").touch()
    line = told(visualize.main, *arguments)
    assert [name for name in both if name not in line] == []


WRONG = [
    ["visualize", "attribute", "--methods", "gradcam"],
    ["visualize", "kernels", "--formt", "png"],
    ["visualize", "kernls"],
    ["visualize", "runs/nowhere"],
    ["visualize", "--format", "jpg"],
    ["visualize", "attribute", "--help"],
    ["train", "--recipe", "fats"],
    ["train", "--model", "resnt"],
    ["train", "--lr", "1"],
    ["train", "--epochs", "0"],
    ["train", "--learning-rate", "-1"],
    ["train", "--name", "a/b"],
    ["visualize", "predict", "runs", "--top", "0"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_wrong_name_is_refused_before_jax_is_imported(arguments):
    code = "import sys; from cnnviz.commands.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('jax', 'matplotlib', 'flax') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == "[]", found.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--epochs 0", "--epochs must be at least 1; it was 0."),
        ("--batch-size -3", "--batch-size must be at least 1; it was -3."),
        ("--limit 0", "--limit must be at least 1; it was 0."),
        ("--snapshots 0", "--snapshots must be at least 1; it was 0."),
        ("--devices 0", "--devices must be at least 1; it was 0."),
        ("--learning-rate nan", "--learning-rate must be positive and finite in float32; it was nan."),
        ("--weight-decay -1", "--weight-decay must be at least 0 and finite in float32; it was -1.0."),
        ("--gradient-clip inf", "--gradient-clip must be at least 0 and finite in float32; it was inf."),
        ("--shift -1", "--shift must be at least 0 and finite in float32; it was -1."),
        ("--validation 1", "--validation must be a share of the training images between 0 and 1; it was 1.0."),
        ("--resize 3x", "--resize must be a side or HEIGHTxWIDTH, each of 1 to 4096 pixels; it was '3x'."),
        ("--class-weights heavy", "--class-weights must be none, balanced, or a positive weight for each of some"),
        ("--sweep epochs=0,1", "--epochs must be at least 1; it was 0."),
        ("--optimizer adamw --weight-decay 0", "--optimizer adamw needs a weight decay, which is 0"),
    ],
)
def test_a_number_out_of_range_is_refused_by_the_option_as_it_is_typed(arguments, line, told, monkeypatch):
    monkeypatch.setattr(train, "_trained", lambda *_: pytest.fail("it was trained"))
    assert told(train.main, *arguments.split()).startswith(f"train.py: {line}")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("predict RUN --top 0", "--top must be at least 1; it was 0."),
        ("film RUN --columns 0", "--columns must be at least 1; it was 0."),
        ("compare RUN RUN --line-images 1", "--line-images must be at least 2; it was 1."),
        ("ablation RUN --draws 0", "--draws must be at least 1; it was 0."),
        ("kernels RUN --dpi 5", "--dpi must be from 20 to 2400 pixels per inch; it was 5."),
    ],
)
def test_a_number_of_a_picture_is_refused_before_anything_is_opened(arguments, line, told, monkeypatch):
    monkeypatch.setattr(visualize, "visualize", lambda *_: pytest.fail("something was opened"))
    assert told(visualize.main, *arguments.replace("RUN", str(ROOT)).split()) == f"visualize.py: {line}"


@pytest.mark.parametrize("kind", PICTURES)
def test_the_options_read_from_a_source_are_those_of_the_class(kind):
    own = resolve(PICTURES, kind, "kind of picture")
    read = declared.fields_of(PICTURES[kind])
    assert set(read) == {field.name for field in fields(own)}
    made = visualize.options_of(kind)()
    assert {name: getattr(made, name) for name in read} == {name: getattr(own(), name) for name in read}
    assert all(option.text for option in read.values())


@pytest.mark.parametrize("options", [train.Options, visualize.Every, *map(visualize.options_of, PICTURES)])
def test_help_has_each_option_once_with_its_text_under_a_heading(options, capsys):
    with pytest.raises(SystemExit):
        console.parse(options, ["--help"], "x.py")
    text = capsys.readouterr().out
    for field in fields(options):
        name = field.name.upper() if field.name == "run" else f"--{field.name.replace('_', '-')}"
        names = [name, name.replace("--", "--[no-]", 1)]  # of an option that is on or off
        found = [line for line in text.splitlines() if line[:8].strip() and line.split()[0] in names]
        assert len(found) == (field.name not in getattr(options, "HIDDEN", ()))
    assert "None" not in text
    assert options is train.Options or "Example: python x.py " in text
    assert all(declared.texts_of(options)[field.name] for field in fields(options))


def test_help_of_visualize_lists_the_kinds_and_that_of_a_kind_its_options_alone(capsys):
    for arguments in (["--help"], ["curves", "--help"]):
        with pytest.raises(SystemExit):
            visualize.main(arguments)
    every, curves = capsys.readouterr().out.split("usage: ")[1:]
    assert [kind for kind in PICTURES if f"\n  {kind} " not in every] == []
    assert "--layer" not in curves
    assert not any(f"\n  --{name}" in curves for name in ("dataset", "weights", "classes"))
    for kind, absent in (("compare", "--member"), ("kernels", "the run's own, or for a Keras file")):
        with pytest.raises(SystemExit):
            visualize.main([kind, "--help"])
        assert absent not in capsys.readouterr().out
    assert "--methods" not in every


def test_a_part_of_the_work_moves_its_share_of_the_whole():
    seen = []
    whole = lambda *call: seen.append(call)
    inner = part(part(whole, 1, 2, "attribute"), 0, 4, "smooth_grad")
    inner(3, 6)
    assert seen[0] == (1, 2, "attribute")
    assert [(done / total, what) for done, total, what in seen[1:]] == [
        (0.5, "attribute, smooth_grad"),
        (0.5 + 0.5 / 8, "attribute, smooth_grad"),
    ]
    assert part(None, 0, 1) is None


def test_on_a_pipe_a_line_says_what_is_worked_on_until_something_else_is_printed(monkeypatch, tmp_path):
    monkeypatch.setattr(terminal, "FIRST", 0.3)
    monkeypatch.setattr(terminal, "LATER", 0.3)
    before = threading.active_count()
    with (tmp_path / "err").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with output.guarded(), terminal.progress() as report:
            report(1, 4, "attribute, lrp\x1b[2J")
            time.sleep(1.2)
    lines = (tmp_path / "err").read_text().splitlines()
    assert 2 <= len(lines) <= 5
    assert lines[0].startswith("attribute, lrp\\x1b[2J: 25%, ")
    assert threading.active_count() == before


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_few_characters_shows_the_bar_and_what_is_printed(monkeypatch, encoding):
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    file = io.BytesIO()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal(file, encoding=encoding))
    with output.guarded(), terminal.progress() as report:
        report(1, 2, "opening runs/한국")
        print("0.9 ± 0.1 한국")
    assert b"0.1 \\ud55c\\uad6d" in file.getvalue()


def test_a_kind_in_the_registry_that_its_source_does_not_tell_is_imported(monkeypatch):
    monkeypatch.setattr(kinds, "static", lambda *_: (_ for _ in ()).throw(declared.NotStatic("x")))
    assert {field.name for field in fields(visualize.options_of("attribute"))} >= {"methods", "out"}


@pytest.mark.parametrize("main", [train.main, visualize.main])
def test_no_option_of_the_help_is_cut_off(main, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    listed = [words[1] for words in shown if len(words) > 1 and words[0].startswith("--") and "|" in words[1]]
    known = (
        "classic|fast|best",
        "float32|tensorfloat32|bfloat16",
        "tensorboard|wandb",
        "auto|device|host",
        "train|test",
        "png|svg|pdf",
        "screen|paper",
        "layer|map",
        "own|shared",
        "zero|mean",
        "pca|umap|tsne",
        "weights|activations|both",
        "train|test|all",
    )
    assert listed
    assert set(listed) <= set(known)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["kernels", "nowhere"], "nowhere does not exist; give a run's directory or a file"),
        (["compare", ROOT, "nowhere"], "nowhere does not exist"),
        (["attribute", ROOT, "--scale", "same"], "'same' is not a scale; did you mean 'shared'?"),
        (["activations", ROOT, "--scale", "shared"], "'shared' is not a scale. Known: layer, map."),
        (["kernels", ROOT, "--style", "papr"], "did you mean 'paper'?"),
        (["kernels", ROOT, "--width", "0.9"], "--width must be from 1 to 60 inches; it was 0.9."),
        (["compare", ROOT, "--parts", "churm"], "did you mean 'churn'?"),
        (["activations", ROOT, "--invert"], "--invert is for pictures of your own, and none was given"),
        (["kernels", ROOT, "--resize", "32"], "kernels shows no images, so --resize 32 has no effect"),
        (["kernels", ROOT, "--data-dir", "nowhere"], "kernels shows no images"),
        (["predict", ROOT, "--data-dir", "nowhere"], "The folder nowhere does not exist; --data-dir must be"),
        (["layers", ROOT, "--split", "train"], "--split train has no effect without --statistics"),
        (["units", ROOT, "--image", "3"], "--image 3 is for the page of one unit; name it by --unit"),
        (
            ["film", ROOT, "--image", "3"],
            "--image 3 has no effect on --of kernels; it is for activations, attributions",
        ),
        (["film", ROOT, "--of", "loss", "--invert", "--image", "x.png"], "--image x.png has no effect on --of loss"),
        (["kernels", ROOT, "--lr", "1"], "'--lr' is not an option; --learning-rate is an option of train.py."),
        (["kernels", ROOT, "--verbose"], "commands print their progress"),
        (["neuron", ROOT], "did you mean 'units'?"),
        (["attribute", ROOT, "--methods", "sobol_attribution"], "did you mean 'sobol'?"),
    ],
)
def test_names_and_places_are_refused_before_anything_is_opened(arguments, text, told, monkeypatch):
    monkeypatch.setattr(visualize, "visualize", lambda *_: pytest.fail("something was opened"))
    assert text in told(visualize.main, *arguments)


def test_the_options_of_a_kind_are_read_without_the_packages_that_it_is_in():
    code = "import sys; from cnnviz.commands import visualize; visualize.options_of('compare')"
    code += "; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
