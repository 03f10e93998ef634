"""Wrong values of options are refused before JAX is imported and anything is opened, by the option as it is typed."""

import ast
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from cnnviz.attribution.methods import METHODS
from cnnviz.attribution.shapes import options_in
from cnnviz.commands import train, visualize
from cnnviz.commands.choices import CHOICES, OF_KINDS
from cnnviz.commands.declared import fields_of, kind_of
from cnnviz.commands.numbers import NO_COUNTS
from cnnviz.errors.ranges import RANGES
from cnnviz.interop.place import Facts
from cnnviz.metrics.metrics import METRICS
from cnnviz.models import MODELS
from cnnviz.networks.build import parameters
from cnnviz.pictures import PICTURES
from cnnviz.registry import resolve

WRONG = {
    "kernels R --member 7": "--member must be a seed of R, which has 3, 4; it was 7.",
    "kernels R@7": "The run R has no seed 7; it has 3, 4.",
    "kernels R:step_7": "The run R keeps no step 7; it keeps 0, 20.",
    "compare R@3": "A comparison takes two networks or more, or a run of several seeds; only R was given.",
    "compare R R@7": "The run R has no seed 7; it has 3, 4.",
    "film R --steps 0,7": "The run keeps no step 7; it keeps 0, 20.",
    "film R --steps a": "--steps must be numbers with commas between them, such as 0,400; it was 'a'.",
    "attribute R --target frog": "--target: 'frog' is not a target. Known: predicted, label, cat, dog.",
    "attribute R --target cat,frog": "--target: 'frog' is not a target. Known: predicted, label, cat, dog.",
    "film R --of attributions --target 2": "--target must be a class, by name or by its number from 0 to 1; it was 2.",
    "film R --target cat": "--target cat has no effect on --of kernels; it is for attributions: leave it out.",
    "film R --of loss,classes --layer conv1": "--layer conv1 has no effect on --of loss,classes; it is for kernels, ",
    "attribute R --methods gradient,lrp --layer 0": "--layer 0 has no effect on --methods gradient,lrp; leave it out.",
    "compare R --level 95": "--level must be between 0 and 1, such as 0.95; it was 95.",
    "compare R --level nan": "--level must be between 0 and 1, such as 0.95; it was nan.",
    "compare R --resamples 99": "--resamples must be at least 100; it was 99.",
    "compare R --bins 1001": "--bins must be from 1 to 1000; it was 1001.",
    "compare R --top 0": "--top must be a share of a map's values, above 0 and at most 1; it was 0.",
    "compare R --among 3": "--among must be at least 4 images to compare on; it was 3.",
    "robustness R --epsilon 2": "--epsilon must be a share of a value's range, above 0 and at most 1; it was 2.",
    "robustness R --epsilons 0.1,2": "--epsilons must be a share of a value's range, above 0 and at most 1; it was 2.",
    "robustness R --epsilons x": "--epsilons must be numbers with commas between them; it was 'x'.",
    "robustness R --images a.png": "--images must be numbers such as 3, 0:8 or 3,5,9; it was 'a.png'.",
    "embed R --images a.png": "--images must be numbers such as 3, 0:8 or 3,5,9; it was 'a.png'.",
    "embed R --perplexity 0": "--perplexity must be at least 1 and below the number of images; it was 0.",
    "embed R --by pca --perplexity 5": "--perplexity 5.0 has no effect on --by pca; it is for tsne: leave it out.",
    "compare R R --parts churn --measure rsa": "--measure rsa has no effect on --parts churn; it is for similarity: ",
    "embed R --neighbors 1": "--neighbors must be at least 2; it was 1.",
    "units R --unit -1": "--unit must be at least 0; it was -1.",
    "units R --pairs": "--pairs is about one unit; name it by --unit",
    "responses R --channels x": "--channels must be numbers such as 3, 0:8 or 3,5,9; it was 'x'.",
    "kernels R --layer conv1,": "--layer must be a name, a pattern, a kind or a number; it was 'conv1,'.",
    "kernels R --font Wingdongs": "--font: 'Wingdongs' is not a font",
    "kernels R --out R/config.json": "--out R/config.json is a file; give a folder.",
    "attribute R --input left": "--input left is one of several inputs, which are given by --inputs FILE.npz.",
    "attribute R --inputs none.npz": "--inputs none.npz does not exist; give a file.",
    "attribute R --resize x": "--resize must be a side or HEIGHTxWIDTH, each of 1 to 4096 pixels; it was 'x'.",
    "attribute R --image none.png": "none.png does not exist; give a picture, a folder of pictures or a pattern.",
    "attribute R --image F/a/1.png": "F/a/1.png is not a picture that can be read (an empty file); leave it out",
    "predict R W.png --split train": "--split train is for images of a data set, and only pictures of your own were",
    "attribute R --image W.png --split train": "--split train is for images of a data set, and only pictures of your",
    "predict R W.png --dataset F --resize 32": "--resize 32 is for images of a data set, and only pictures of your own",
    "predict R F/a": "F/a/1.png is not a picture that can be read (an empty file); leave it out or replace it.",
    "attribute R --methods rise:n=3": "--methods: 'n' is not an option of rise",
    "attribute R --methods rise:samples=x": "--methods: The option samples of rise must be a whole number; it was 'x'.",
    "attribute R --methods occlusion:over=3": "--methods: 'over' is not an option of occlusion. Known: window,",
    "attribute R --methods score_cam:widths=3": "--methods: 'widths' is not an option of score_cam",
    "attribute R --methods gradient:n=3": "--methods: 'n' is not an option of gradient. Known: at, channels.",
    "attribute R --methods grad_cam:at=relu1": "--methods: grad_cam looks at layers by itself: name them as layers=",
    "attribute R --methods gradient:channels=kep": "--methods: 'kep' is not a way to reduce channels; did you mean",
    "evaluate R --methods lrp:channels=keep": "--methods: lrp: channels is an option of methods in attribute",
    "film R --method lrp:channels=keep": "--method: lrp: channels is an option of methods in attribute",
    "evaluate R --metrics road:at=relu1": "--metrics: 'at' is not an option of road",
    "evaluate R --metrics non_sensitivity:pixels=3": "--metrics: 'pixels' is not an option of non_sensitivity",
    "evaluate R --metrics road:n=3": "--metrics: 'n' is not an option of road",
    "kernels R --seed 9223372036854775808": "--seed must be from -2^63 to 2^63 - 1",
    "kernels --runs none": "none has no run; train one with train.py, or name one.",
    "kernels --weights none.npz --model cnn": "--weights none.npz does not exist; give a file.",
    "kernels --weights W.npz --model cnn --image-shape x": "--image-shape must be an image's sides",
    "kernels --weights W.npz --model cnn --model-options x": "--model-options is a JSON object",
    "kernels --weights W.npz --model cnn --prepare x": "--prepare is a JSON object",
    "kernels --weights W.npz --model cnn --classes a,a": "--classes must be how many there are, or their names, each",
    "kernels --weights W.npz --model cnn --classes 0": "--classes must be how many there are, or their names, each",
    "kernels --weights W.pth --model cnn --names none.json": "--names none.json does not exist; give a file.",
    "units R --sort men": "--sort: 'men' is not an order of units; did you mean 'mean'?",
    "units R --by relevence": "--by: 'relevence' is not an order of images; did you mean 'relevance'?",
    "embed R --by t-sne": "--by: 't-sne' is not an embedding; did you mean 'tsne'?",
    "film R --of kernel": "--of: 'kernel' is not a film; did you mean 'kernels'?",
    "report R --member 7": "--member must be a seed of R, which has 3, 4; it was 7.",
    "report R none": "none does not exist; give a run's directory or a file",
}
WRONG_OF_TRAINING = {
    "--list --sort acc": "--sort: 'acc' is not a column; did you mean 'accuracy'?",
    "--resume --name none": "runs/none is not a run: it has no config.json",
    "--resume": "runs has no run; train one with train.py, or name one.",
    "--name R --runs .": "The run R exists; go on with it by --resume, or choose another --name.",
    "--init-from R@7": "The run R has no seed 7; it has 3, 4.",
    "--init-from R:step_7": "The run R keeps no step 7; it keeps 0, 20.",
    "--export R@7 --to onnx": "The run R has no seed 7; it has 3, 4.",
    "--export none --to onnx": "none does not exist; give a run's directory or a file",
    "--export R --to onnx --epochs 3": "--epochs 3 has no effect with --export R, which trains nothing; leave it out.",
    "--export m.h5 --to onnx --model cnn": "--model cnn has no effect with --export m.h5, which trains nothing;",
    "--list --name x --no-flip": "--no-flip, --name x have no effect with --list, which trains nothing; leave them",
    "--verify R --devices 2": "--devices 2 has no effect with --verify R, which trains nothing; leave it out.",
    "--prepare-data --resize 3x4": "--resize 3x4 has no effect with --prepare-data, which trains nothing;",
    "--timeout 3": "--timeout 3 has no effect without --distributed; add it, or leave this out.",
    "--init-from none": "--init-from none does not exist; give a run or a file of weights.",
    "--init-from RR": "--init-from RR does not exist; did you mean R?",
    "--verify none": "none does not exist; give a run's directory.",
    "--export R --to onnx --out W.npz": "--out W.npz is a file; give a folder.",
    "--export R": "--export needs a format: --to keras, onnx, safetensors, stablehlo, msgpack.",
    "--class-weights nobody=3": "--class-weights: 'nobody' is not a class. Known: T-shirt/top, Trouser,",
    "--dataset mnist,F --class-weights c=3": "--class-weights: 'c' is not a class. Known: 0, 1, 2,",
    "--distributed x": '--distributed must be "auto", "off" or "host:port,n,id"; it was \'x\'.',
    "--distributed h:1,2,2": "n processes have the ids 0 to n - 1; 'h:1,2,2' has n = 2 and id = 2.",
    '--model-options {"widht":3}': "'widht' is not an option of cnn",
}
# Options whose values only the network or the images can refuse, or that take any text or file.
OPEN = "layer unit target image images channels steps output inputs input others run names weights width out font model"
OPEN += " data_dir runs classes prepare image_shape model_options dataset resize epsilons methods metrics scale"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working folder, with as much of a run R, of seeds 3 and 4 and steps 0 and 20, as is read without JAX."""
    monkeypatch.chdir(tmp_path)
    for step in (0, 20):
        Path(f"R/checkpoints/step_{step:08}").mkdir(parents=True)
    config = {"model": "cnn", "recipe": {"seed": 3}, "seeds": 2, "data": {"classes": ["cat", "dog"]}}
    Path("R/config.json").write_text(json.dumps(config))
    for name in ("F/a", "F/b"):
        Path(name).mkdir(parents=True)
    for name in ("W.npz", "W.pth", "F/a/1.png", "F/b/1.png"):
        Path(name).touch()
    return tmp_path


@pytest.fixture
def refused(place, capsys, monkeypatch):
    """What a command says that ends with exit code 2 before it begins."""
    monkeypatch.setattr(visualize, "visualize", lambda *_: pytest.fail("something was opened"))
    monkeypatch.setattr("cnnviz.commands.report._written", lambda *_: pytest.fail("something was opened"))
    monkeypatch.setattr(train, "_trained", lambda *_: pytest.fail("it was trained"))

    def ask(main, typed):
        assert main(typed.split()) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return ask


@pytest.mark.parametrize("typed", WRONG)
def test_a_wrong_value_of_a_picture_s_option_is_refused_before_anything_is_opened(typed, refused):
    from cnnviz.commands import main

    line = refused(lambda arguments: main.run("visualize", arguments, "visualize.py"), typed)
    assert line.partition(": ")[2].startswith(WRONG[typed])


@pytest.mark.parametrize("typed", WRONG_OF_TRAINING)
def test_a_wrong_value_of_a_training_s_option_is_refused_before_anything_is_trained(typed, refused):
    assert refused(train.main, typed).removeprefix("train.py: ").startswith(WRONG_OF_TRAINING[typed])


@pytest.mark.parametrize(
    ("command", "typed", "package", "extra"),
    [
        ("train", "--export R --to onnx", "jax2onnx", "onnx"),
        ("train", "--export R --to msgpack,keras", "keras", "keras"),
        ("train", "--track tensorboard", "tensorboardX", "tensorboard"),
        ("visualize", "embed R --by umap", "umap", "embed"),
        ("visualize", "embed R --by tsne", "sklearn", "embed"),
    ],
)
def test_a_package_that_is_not_installed_is_said_with_the_line_that_installs_it(
    command, typed, package, extra, refused, monkeypatch
):
    from cnnviz.commands import main

    monkeypatch.setattr("cnnviz.commands.train.export", lambda *_: pytest.fail("it was exported"))
    for name in ("jax2onnx", "onnx", "keras", "tensorboardX", "umap", "sklearn"):
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    option, value = typed.split()[-2], typed.split(",")[-1].split()[-1]
    line = refused(lambda arguments: main.run(command, arguments, "x"), typed)
    says = f'{option} {value} needs {package}, which is not installed; install it by: pip install "cnnviz[{extra}]".'
    assert line.partition(": ")[2] == says


def test_jax_is_not_imported_for_it(place):
    code = "import sys\nfrom cnnviz.commands import main\n"
    code += "for line in sys.argv[1:]: main.run('visualize', line.split(), 'x')\n"
    code += "print('jax' in sys.modules, 'flax' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, *WRONG], capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == "False False"
    assert len(found.stderr.splitlines()) == len(WRONG)


@pytest.mark.parametrize("kind", PICTURES)
def test_each_option_of_a_kind_has_a_check_or_is_open(kind):
    names = {*CHOICES, *OF_KINDS.get(kind, {}), *NO_COUNTS, *OPEN.split()}
    own = {field.name: kind_of(field.type) for field in fields(visualize.options_of(kind))}
    ranges = {name for name, its in own.items() if its in (int, float) and (its is int or name in RANGES)}
    flags = {name for name, its in own.items() if its is bool}
    assert set(own) - names - ranges - flags == set()


@pytest.mark.parametrize("registry", [METHODS, METRICS], ids=["methods", "metrics"])
def test_options_of_methods_and_metrics_are_read_from_their_sources(registry):
    for name, path in registry.items():
        own = options_in(resolve(registry, name, "entry"))
        read = {option: its for option, its in fields_of(path).items() if not its.is_filled_in}
        assert set(own) == set(read), name
        numbers = {option for option, its in own.items() if its in (int, float)}
        assert numbers == {option for option, its in read.items() if ast.unparse(its.type) in ("int", "float")}


def test_options_of_models_are_read_from_their_sources_or_not_at_all():
    for name in ("cnn", "resnet", "dense"):
        assert set(fields_of(MODELS[name])) == set(parameters(resolve(MODELS, name, "model"))[0])
    for name, path in MODELS.items():
        known = fields_of(path)
        assert not known or set(known) == set(parameters(resolve(MODELS, name, "model"))[0])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"recipe": 3}', '{"recipe": {}, "data": {"classes": 3}}'])
def test_a_damaged_config_is_left_to_what_opens_it(place, content):
    assert Facts.of(Path("R")) is not None
    Path("R/config.json").write_text(content)
    assert Facts.of(Path("R")) is None
