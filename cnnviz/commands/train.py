"""`train.py`: trains a network, prints one line per epoch, and keeps the best checkpoint as a run for visualize.py."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnnviz.commands import console, terminal
from cnnviz.commands.begin import new_run
from cnnviz.commands.export import ExportOptions, check_alone, export
from cnnviz.commands.own_model import options_of, use, use_for
from cnnviz.commands.resume import data_of, is_finished, resumed
from cnnviz.errors import InputError, unknown
from cnnviz.training.recipe import IMAGES_ON, RECIPES, Recipe, seeds_of

DEFAULT_RECIPE = "fast"
DEFAULTS = {"dataset": "garments", "model": "cnn", "seeds": 1, "keep": 1}  # of a new run; a resumed one has its own


@dataclass(frozen=True)
class Options(ExportOptions):
    """Train a convolutional network and keep it as a run."""

    dataset: str | None = None
    """Data sets in order of preference ("fashion_mnist,garments"): the first one available is used (garments)."""
    data_dir: Path | None = None
    """The folder to search for the data set first."""
    resize: str | None = None
    """Resize all images: 32, or HEIGHTxWIDTH; they are scaled to cover that size and cropped around the center."""
    skip_unreadable: bool = False
    """Leave out pictures of a folder that cannot be read, and list them, instead of refusing the folder."""
    normalize: bool = False
    """Bring each channel to mean 0 and deviation 1 over the training images, instead of values from 0 to 1."""
    prepare_data: bool = False
    """Write the data set as a standard TFDS data set, and do not train."""
    model: str | None = None
    """The network (cnn): cnn, resnet, dense, vgg11, vgg13, vgg16, vgg19, vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn,
    resnet18, resnet34, resnet50, mobilenet_v2, efficientnet_lite0, convnext_tiny; or a Flax class of yours,
    path/to/net.py:Net or package.module:Net."""
    model_options: str | None = None
    """The network's options as JSON, such as '{"width": 64}'."""
    limit: int | None = None
    """Train and test with only the first N images of each split."""
    recipe: str | None = None
    """fast (the default), classic (the book chapter's) or best; each of the next seven options overrides one number."""
    epochs: int | None = None
    """Largest number of passes over the training images (fast: 4, classic: 20, best: 40)."""
    batch_size: int | None = None
    """Images per step (128, classic: 32)."""
    learning_rate: float | None = None
    """The learning rate, or the highest one of a schedule (fast: 0.006, classic: 0.001, best: 0.004)."""
    patience: int | None = None
    """Epochs without a smaller validation loss after which training stops (fast: 4, classic: 2, best: 40)."""
    validation: float | None = None
    """Share of the training images held out for validation (0.1, classic: 0.2)."""
    seed: int | None = None
    """Random seed of the initial weights, the split, the order of images, dropout and augmentation (0)."""
    precision: str | None = None
    """Precision of the computation: float32 or bfloat16 (float32)."""
    seeds: int | None = None
    """How many networks to train side by side, which differ only in their seed: --seed and the next ones (1)."""
    keep: int | None = None
    """How many of the latest checkpoints to keep, in addition to the first and the best (1)."""
    keep_every: int | None = None
    """Also keep a checkpoint every N epochs."""
    snapshots: int | None = None
    """Also keep N checkpoints at log-spaced steps, for a film of the training."""
    track: str | None = None
    """Also log every epoch to these trackers: tensorboard, wandb, or both as "tensorboard,wandb"."""
    runs: Path = Path("runs")
    """The folder that holds all runs."""
    name: str | None = None
    """The run's name in --runs; by default the data set, the model and a number."""
    resume: bool = False
    """Resume the run --name, or the latest one."""
    verify: Path | None = None
    """Do not train: check the files of this run, and that its network still has the recorded test accuracy."""
    devices: int | None = None
    """How many devices share each batch; all by default."""
    images_on: str = "auto"
    """Where the images are stored: device, host, or auto (device if they take at most a quarter of its memory)."""
    distributed: str = "off"
    """Train with several processes: auto (Slurm, TPU pods, GKE), or "host:port,n,id" (process 0's address, this id)."""
    timeout: int = 60
    """Seconds to wait for the other processes to connect."""
    debug: bool = False
    """Show the traceback of an error."""

    @property
    def trackers(self) -> list[str]:
        """The names in `track`."""
        return [name.strip() for name in self.track.split(",")] if self.track is not None else []

    @property
    def numbers(self) -> dict[str, Any]:
        """The hyperparameters that the options set, by the recipe's name or one by one.

        Raises InputError if the recipe's name is unknown.
        """
        if self.recipe is not None and self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        recipe = asdict(RECIPES[self.recipe]) if self.recipe else {}
        single = {name: getattr(self, name, None) for name in asdict(Recipe())}
        return recipe | {name: value for name, value in single.items() if value is not None}

    def with_defaults(self) -> Any:
        """These options for a new run, with the defaults of those that are not set."""
        return replace(self, **{name: value for name, value in DEFAULTS.items() if getattr(self, name) is None})


def main(arguments: Sequence[str] | None = None, program: str = "train.py") -> int:
    """Runs the command; returns its exit code: 0, 2 after an InputError, 130 after Ctrl-C, 143 after SIGTERM."""
    arguments = sys.argv[1:] if arguments is None else arguments
    return console.run(train, Options, arguments, program, smaller="--batch-size, --limit, --seeds or --model")


def train(options: Options) -> int:
    """Trains a network, prepares its data, or verifies a run; returns the exit code.

    Raises InputError, before anything is loaded or written, if an option cannot be used.
    """
    from cnnviz import data
    from cnnviz.commands.verify import verify
    from cnnviz.runs.keep import Keep

    new = options.with_defaults()
    if options.prepare_data:
        print(f"Prepared: {data.prepare(new.dataset, options.data_dir)}")
        return 0
    if options.verify is not None:
        return verify(options.verify, options)
    if options.export is not None:
        return export(options)
    check_alone(options)
    recipe = Recipe(**asdict(RECIPES[DEFAULT_RECIPE]) | options.numbers)
    keep = Keep(new.keep, options.keep_every)
    if options.limit is not None and options.limit < 1:
        raise InputError(f"limit must be at least 1; it was {options.limit}.")
    if options.timeout < 1:
        raise InputError(f"timeout must be at least 1 second; it was {options.timeout}.")
    if options.images_on not in IMAGES_ON:
        raise unknown("place for the images", options.images_on, IMAGES_ON)
    seeds_of(recipe, new.seeds)
    options_of(options.model_options)
    if not options.resume:
        use(new.model)
    console.use_compilation_cache()
    with terminal.any_process(options.debug) if _is_one_of_several(options) else terminal.ctrl_c() as stop:
        return _in_this_process(options, recipe, keep, stop)


def _is_one_of_several(options: Options) -> bool:
    """Connects to the other processes, if --distributed is set; whether there are any."""
    if options.distributed == "off":
        return False
    from cnnviz.training import processes

    print(processes.join(options.distributed, options.timeout), flush=True)
    return processes.are_several()


def _in_this_process(options: Options, recipe: Recipe, keep: Any, stop: terminal.Stop) -> int:
    """Trains alone, or as one of several processes, of which the first creates and writes the run."""
    from cnnviz.commands.epochs import train_on
    from cnnviz.runs import Config
    from cnnviz.runs.lock import locked
    from cnnviz.training import processes
    from cnnviz.training.mesh import mesh_of

    mesh, begun = mesh_of(options.devices), {}
    with ExitStack() as held:
        if not processes.is_first():
            held.enter_context(redirect_stdout(held.enter_context(open(os.devnull, "w"))))

        def begin() -> tuple[str, dict[str, Any]] | None:
            own = resumed(options) if options.resume else new_run(options.with_defaults(), recipe, keep, mesh)
            if own is None:
                return None
            path, config, begun["dataset"] = own
            held.enter_context(locked(path))
            return None if is_finished(path) else (str(path), dict(config))  # by another process, before it let go

        if (found := processes.broadcast(begin)) is None:
            return 0
        path, config = Path(found[0]), Config(found[1])
        if options.resume and not processes.is_first():
            use_for(path, config, options.model)
        dataset = processes.on_every_process(lambda: begun.get("dataset") or data_of(path, config, options))
        return train_on(path, config, dataset, stop, mesh, options.images_on)


if __name__ == "__main__":
    raise SystemExit(main())
