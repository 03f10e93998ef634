"""`train.py`: train a network, one line an epoch, and keep the best checkpoint as a run that visualize.py reads."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnnviz.commands import console, terminal
from cnnviz.commands.begin import new_run
from cnnviz.commands.resume import data_of, is_finished, resumed
from cnnviz.errors import InputError, unknown
from cnnviz.models import MODELS
from cnnviz.registry import resolve
from cnnviz.training.recipe import IMAGES_ON, RECIPES, Recipe, seeds_of

DEFAULT = "fast"
USUAL = {"dataset": "garments", "model": "cnn", "seeds": 1, "keep": 1}  # of a new run; a run gone on with has its own


@dataclass(frozen=True)
class Options:
    """Train a convolutional network and keep it as a run."""

    dataset: str | None = None
    """Data sets in order of preference ("fashion_mnist,garments"): the first that can be had is used (garments)."""
    data_dir: Path | None = None
    """Where to look for the data set first."""
    prepare_data: bool = False
    """Write the data set as a standard TFDS data set, and train nothing."""
    model: str | None = None
    """The network: cnn, resnet or dense (cnn)."""
    limit: int | None = None
    """Train and test with only the first so many images of each split."""
    recipe: str | None = None
    """fast (the default), classic (the chapter's) or best; the next seven options change a number of it."""
    epochs: int | None = None
    """Passes over the training images, at most (fast: 4, classic: 20, best: 40)."""
    batch_size: int | None = None
    """Images a step (128, classic: 32)."""
    learning_rate: float | None = None
    """The optimizer's learning rate, at its highest (fast: 0.006, classic: 0.001, best: 0.004)."""
    patience: int | None = None
    """Epochs without a smaller validation loss before training stops (fast: 4, classic: 2, best: 40)."""
    validation: float | None = None
    """Share of the training images that is held out for validation (0.1, classic: 0.2)."""
    seed: int | None = None
    """Decides the initial weights, the split, the order of images and dropout (0)."""
    precision: str | None = None
    """What is computed in: float32 or bfloat16 (float32)."""
    seeds: int | None = None
    """How many networks to train side by side, alike in all but their seed: --seed and those after it (1)."""
    keep: int | None = None
    """How many of the latest checkpoints stay, besides the first and the best (1)."""
    keep_every: int | None = None
    """Also keep the checkpoint of every so many epochs."""
    snapshots: int | None = None
    """Also keep so many checkpoints at log-spaced steps, for a film of the training."""
    track: str | None = None
    """Tell trackers of every epoch too: tensorboard, wandb, or both as "tensorboard,wandb"."""
    runs: Path = Path("runs")
    """The folder of all runs."""
    name: str | None = None
    """The run's name in that folder; by default the data set, the model and a number."""
    resume: bool = False
    """Go on with the run --name, or with the latest."""
    verify: Path | None = None
    """Train nothing: check a run's files, and that its network still has the recorded test accuracy."""
    devices: int | None = None
    """How many of the local devices share each batch; all by default."""
    images_on: str = "auto"
    """Where the images lie: device, host, or auto, on the device where they take up to a quarter of its memory."""
    distributed: str = "off"
    """Several processes as one: auto (Slurm, TPU pods, GKE), or "host:port,n,id" of process 0 and of this one."""
    timeout: int = 60
    """Seconds to wait for the other processes."""
    debug: bool = False
    """Show where an error comes from."""

    @property
    def trackers(self) -> list[str]:
        return [name.strip() for name in self.track.split(",")] if self.track is not None else []

    @property
    def numbers(self) -> dict[str, Any]:
        """Those of the recipe's numbers that were given, by its name or one by one."""
        if self.recipe is not None and self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        named = asdict(RECIPES[self.recipe]) if self.recipe else {}
        alone = {name: getattr(self, name, None) for name in asdict(Recipe())}
        return named | {name: value for name, value in alone.items() if value is not None}

    def with_usual(self) -> Any:
        """These options for a new run: what was not given is as usual."""
        return replace(self, **{name: value for name, value in USUAL.items() if getattr(self, name) is None})


def main(arguments: Sequence[str] | None = None, program: str = "train.py") -> int:
    """Runs the command and gives its exit code: 0, 2 for what cannot be used, 130 for Ctrl-C, 143 for SIGTERM."""
    return console.run(train, Options, sys.argv[1:] if arguments is None else arguments, program)


def train(options: Options) -> int:
    from cnnviz import data
    from cnnviz.commands.verify import verify
    from cnnviz.runs.keep import Keep

    new = options.with_usual()
    if options.prepare_data:
        print(f"Prepared: {data.prepare(new.dataset, options.data_dir)}")
        return 0
    if options.verify is not None:
        return verify(options.verify, options)
    recipe = Recipe(**asdict(RECIPES[DEFAULT]) | options.numbers)
    keep = Keep(new.keep, options.keep_every)
    if options.limit is not None and options.limit < 1:
        raise InputError(f"limit must be at least 1; it was {options.limit}.")
    if options.timeout < 1:
        raise InputError(f"timeout must be at least 1 second; it was {options.timeout}.")
    if options.images_on not in IMAGES_ON:
        raise unknown("place for the images", options.images_on, IMAGES_ON)
    seeds_of(recipe, new.seeds)
    resolve(MODELS, new.model, "model")
    console.use_compilation_cache()
    with terminal.any_process(options.debug) if _is_one_of_several(options) else terminal.ctrl_c() as stop:
        return _in_this_process(options, recipe, keep, stop)


def _is_one_of_several(options: Options) -> bool:
    """Joins the other processes, if there are any."""
    if options.distributed == "off":
        return False
    from cnnviz.training import processes

    print(processes.join(options.distributed, options.timeout), flush=True)
    return processes.are_several()


def _in_this_process(options: Options, recipe: Recipe, keep: Any, stop: terminal.Stop) -> int:
    """Trains as one of several processes, of which the first begins the run and writes it, or alone."""
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
            own = resumed(options) if options.resume else new_run(options.with_usual(), recipe, keep, mesh)
            if own is None:
                return None
            path, config, begun["dataset"] = own
            held.enter_context(locked(path))
            return None if is_finished(path) else (str(path), dict(config))  # by another process, before it let go

        if (found := processes.broadcast(begin)) is None:
            return 0
        path, config = Path(found[0]), Config(found[1])
        dataset = processes.on_every_process(lambda: begun.get("dataset") or data_of(path, config, options))
        return train_on(path, config, dataset, stop, mesh, options.images_on)


if __name__ == "__main__":
    raise SystemExit(main())
