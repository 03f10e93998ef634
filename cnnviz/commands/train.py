"""`train.py`: train a network, one line an epoch, and keep the best checkpoint as a run that visualize.py reads."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnviz.commands import console, terminal
from cnnviz.errors import InputError, unknown
from cnnviz.models import MODELS
from cnnviz.registry import resolve
from cnnviz.training.recipe import RECIPES, Recipe


@dataclass(frozen=True)
class Options:
    """Train a convolutional network and keep it as a run."""

    dataset: str = "garments"
    """Data sets in order of preference ("fashion_mnist,garments"): the first that can be had is used."""
    data_dir: Path | None = None
    """Where to look for the data set first."""
    prepare_data: bool = False
    """Write the data set as a standard TFDS data set, and train nothing."""
    model: str = "cnn"
    """The network: cnn, resnet or dense."""
    limit: int | None = None
    """Train and test with only the first so many images of each split."""
    recipe: str | None = None
    """The chapter's recipe (classic, the default), or fast; the next six options change a number of it."""
    epochs: int | None = None
    """Passes over the training images, at most (classic: 20)."""
    batch_size: int | None = None
    """Images a step (classic: 32)."""
    learning_rate: float | None = None
    """Adam's learning rate (classic: 0.001)."""
    patience: int | None = None
    """Epochs without a smaller validation loss before training stops (classic: 2)."""
    validation: float | None = None
    """Share of the training images that is held out for validation (classic: 0.2)."""
    seed: int | None = None
    """Decides the initial weights, the split, the order of images and dropout (classic: 0)."""
    runs: Path = Path("runs")
    """The folder of all runs."""
    name: str | None = None
    """The run's name in that folder; by default the data set, the model and a number."""
    resume: bool = False
    """Go on with the run --name, or with the latest."""
    debug: bool = False
    """Show where an error comes from."""

    @property
    def numbers(self) -> dict[str, Any]:
        """Those of the recipe's numbers that were given, by its name or one by one."""
        if self.recipe is not None and self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        named = asdict(RECIPES[self.recipe]) if self.recipe else {}
        alone = {name: getattr(self, name, None) for name in asdict(Recipe())}
        return named | {name: value for name, value in alone.items() if value is not None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and gives its exit code: 0, 2 for what cannot be used, 130 for Ctrl-C, 143 for SIGTERM."""
    return console.run(train, Options, sys.argv[1:] if arguments is None else arguments, "train.py")


def train(options: Options) -> int:
    from cnnviz import data

    if options.prepare_data:
        print(f"Prepared: {data.prepare(options.dataset, options.data_dir)}")
        return 0
    recipe = Recipe(**options.numbers)
    if options.limit is not None and options.limit < 1:
        raise InputError(f"limit must be at least 1; it was {options.limit}.")
    resolve(MODELS, options.model, "model")
    console.use_compilation_cache()
    with terminal.ctrl_c() as stopped:  # from here on, since what is interrupted inside an import of JAX may be lost
        path, config, dataset = _resumed(options) if options.resume else _new(options, recipe)
        return _train(path, config, dataset, stopped)


def _new(options: Options, recipe: Recipe) -> tuple[Path, dict[str, Any], Any]:
    """The directory of a new run, with its first checkpoint, what it was asked for, and its data."""
    from cnnviz import data, runs
    from cnnviz.environment import environment
    from cnnviz.training.fit import held_out

    if options.name is not None and (Path(options.name).name != options.name or options.name in ("", "..")):
        raise InputError(f"A run's name is that of a folder in --runs; it was {options.name!r}.")
    path = options.runs / options.name if options.name else None
    if path is not None and path.exists():
        raise InputError(f"The run {path} exists; go on with it by --resume, or choose another --name.")
    dataset, line = data.first_available(options.dataset, options.data_dir)
    print(line)
    held_out(len(dataset.train.labels[: options.limit]), recipe.validation)
    shape = [int(n) for n in dataset.train.images.shape[1:]]
    described = {key: getattr(dataset, key) for key in ("name", "title", "fingerprint", "classes")}
    described |= {"image_shape": shape, "limit": options.limit}
    described |= {"dir": str(options.data_dir) if options.data_dir else None}
    config = {"format": 1, "model": options.model, "recipe": asdict(recipe), "data": described}
    config["prepare"] = "float32(pixel) / 255"
    path = path or _free_name(options.runs, f"{dataset.title}-{options.model}")
    runs.create(path, config, environment(dataset.fingerprint))
    return path, config, dataset


def _resumed(options: Options) -> tuple[Path, dict[str, Any], Any]:
    """The directory of an earlier run, what it was asked for, and the same data again."""
    from cnnviz import data, runs

    path = options.runs / options.name if options.name else runs.latest(options.runs)
    config = runs.load_config(path)
    if others := _others(options, config):
        raise InputError(f"The run {path} goes on only with what it was started with, not with {', '.join(others)}.")
    dataset = data.load(config["data"]["name"], options.data_dir or config["data"]["dir"])
    if dataset.fingerprint != config["data"]["fingerprint"]:
        raise InputError(f"The run {path} was trained on other data than {dataset.source}; give its own by --data-dir.")
    print(f"Going on with {path}.")
    return path, config, dataset


def _others(options: Options, config: dict[str, Any]) -> list[str]:
    """Options given that differ from those that a run was started with, each with both values."""
    started = {**config["recipe"], "model": config["model"], "limit": config["data"]["limit"]}
    asked = options.numbers | {name: getattr(options, name) for name in ("model", "limit")}
    usual = {name: getattr(Options(), name, None) for name in asked}
    differ = [name for name, value in sorted(asked.items()) if value not in (usual[name], started[name])]
    others = [f"--{name.replace('_', '-')} {asked[name]} (it has {started[name]})" for name in differ]
    name = config["data"]["name"]
    same = options.dataset == Options().dataset or name in map(_address, options.dataset.split(","))
    return others if same else [*others, f"--dataset {options.dataset} (it has {name})"]


def _address(name: str) -> str:
    """A data set's name as a run keeps it: of a path, the absolute one."""
    return str(Path(name).resolve()) if Path(name).exists() else name.strip()


def _train(path: Path, config: dict[str, Any], dataset: Any, stopped: list[int]) -> int:
    """Trains from the run's latest checkpoint to its end, or to Ctrl-C."""
    import jax
    import jax.numpy as jnp

    from cnnviz import runs
    from cnnviz.training.fit import NotFinite, fit, split
    from cnnviz.training.step import Examples

    recipe, limit = Recipe(**config["recipe"]), config["data"]["limit"]
    on_device = lambda part: Examples(jnp.asarray(part.images[:limit]), jnp.asarray(part.labels[:limit]))
    split_key, fit_key = jax.random.split(jax.random.fold_in(jax.random.key(recipe.seed), 1))
    training, validation = split(on_device(dataset.train), recipe.validation, split_key)
    model = runs.build_model(config)
    reached, history = runs.load_state(path)
    with terminal.progress() as on_step:
        how = {"history": history, "stop": lambda: bool(stopped), "on_step": on_step}
        try:
            for state, record in fit(model, reached, training, validation, recipe, runs.prepare, fit_key, **how):
                reached = state
                if record is None:
                    break
                history.append(record)
                runs.save(path, state, history)
                print(_line(record, recipe.epochs), flush=True)
        except NotFinite as error:
            raise NotFinite(f"{error} The last good checkpoint of {path} is kept.") from error
    if stopped:
        runs.save(path, reached, history)
        print(f"Stopped at step {int(reached.step)} and saved; go on with: {_how_to_resume(path)}", file=sys.stderr)
        return 128 + stopped[0]  # 130 for Ctrl-C, 143 for SIGTERM
    _conclude(path, model, on_device(dataset.test), history)
    return 0


def _conclude(path: Path, model: Any, test: Any, history: list[dict[str, Any]]) -> None:
    """Measures the kept checkpoint on the test images, once, and writes and prints what came out."""
    from cnnviz import runs
    from cnnviz.training.fit import best
    from cnnviz.training.step import make_evaluate

    loss, accuracy = make_evaluate(model, runs.prepare)(runs.load_run(path).variables, test)
    kept = best(history)
    runs.write_summary(path, {"best": kept, "test_loss": loss, "test_accuracy": accuracy, "epochs": len(history)})
    print(f"Kept epoch {kept['epoch']}: test accuracy {accuracy:.4f}, test loss {loss:.4f}. Run: {path}")


def _line(record: dict[str, Any], epochs: int) -> str:
    numbers = [f"{name} {record[name]:.4f}" for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")]
    return "  ".join([f"epoch {record['epoch']:2d}/{epochs}", *numbers, f"{record['seconds']:.1f} s"])


def _free_name(folder: Path, stem: str) -> Path:
    """The first of `stem-1`, `stem-2`, ... that is not there yet."""
    number = 1
    while (folder / f"{stem}-{number}").exists():
        number += 1
    return folder / f"{stem}-{number}"


def _how_to_resume(path: Path) -> str:
    return f"python train.py --resume --runs {path.parent} --name {path.name}"
