"""`train.py`: trains a network, prints one line per epoch, and keeps the best checkpoint as a run for visualize.py."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from cnnviz.commands import console, terminal
from cnnviz.commands.begin import check_name, new_run
from cnnviz.commands.choices import check_names, named
from cnnviz.commands.config_file import with_config
from cnnviz.commands.contradictions import check_options, check_recipe
from cnnviz.commands.export import ExportOptions, export
from cnnviz.commands.numbers import check_numbers
from cnnviz.commands.own_model import check_model_options, options_of, use, use_for
from cnnviz.commands.places import placed
from cnnviz.commands.recipe_options import RecipeOptions
from cnnviz.commands.resume import data_of, is_finished, longer, resumed
from cnnviz.commands.sweep import sweep
from cnnviz.commands.train_options import DataOptions, MachineOptions, ModeOptions, RunOptions, StartOptions
from cnnviz.data import Reading, known_classes
from cnnviz.errors import unknown
from cnnviz.interop.place import is_run
from cnnviz.training.class_weights import BALANCED, NONE, check_class_weights
from cnnviz.training.recipe import IMAGES_ON, RECIPES, Recipe, seeds_of
from cnnviz.training.rendezvous import address

DEFAULT_RECIPE = "fast"
DEFAULTS = {"dataset": "garments", "model": "cnn", "seeds": 1, "keep": 1}  # of a new run; a resumed one has its own
GROUPS = {
    "Data": DataOptions,
    "Network and start": StartOptions,
    "Recipe": RecipeOptions,
    "Run": RunOptions,
    "Instead of one new training": ModeOptions,
    "Export": ExportOptions,
    "Machine": MachineOptions,
}


@dataclass(frozen=True)
class Options(ExportOptions, MachineOptions, ModeOptions, RunOptions, RecipeOptions, StartOptions, DataOptions):
    """Train a convolutional network and keep it as a run."""

    EXAMPLE: ClassVar[str] = "--dataset fashion_mnist,garments --epochs 2"
    DEFAULTS: ClassVar[dict[str, Any]] = {**DEFAULTS, "recipe": DEFAULT_RECIPE}
    HEADINGS: ClassVar[dict[str, str]] = {
        heading: " ".join(field.name for field in fields(group)) for heading, group in GROUPS.items()
    }

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
        return (asdict(RECIPES[self.recipe]) if self.recipe else {}) | self.single_numbers

    @property
    def single_numbers(self) -> dict[str, Any]:
        """The hyperparameters that are set one by one."""
        single = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        return {name: value for name, value in single.items() if value is not None}

    @property
    def new_recipe(self) -> Recipe:
        """The recipe of a new run; raises InputError if it cannot be one."""
        return Recipe(**asdict(RECIPES[DEFAULT_RECIPE]) | self.numbers)

    def with_defaults(self) -> Any:
        """These options for a new run, with the defaults of those that are not set."""
        return replace(self, **{name: value for name, value in DEFAULTS.items() if getattr(self, name) is None})


def main(arguments: Sequence[str] | None = None, program: str = "train.py") -> int:
    """Runs the command; returns its exit code: 0, 2 after an InputError, 130 after Ctrl-C, 143 after SIGTERM."""
    arguments = sys.argv[1:] if arguments is None else arguments
    return console.run(train, Options, arguments, program, smaller="--batch-size, --limit, --seeds or --model")


def train(options: Options) -> int:
    """Trains a network, prepares its data, or lists or verifies runs; returns the exit code.

    Raises InputError, before anything is loaded or written, if an option cannot be used.
    """
    options = _with_places(options)
    check_options(options)
    if options.export is not None:
        return export(options)
    if options.list:
        from cnnviz.commands.listing import list_runs

        return list_runs(options.runs, options.sort)
    if options.prepare_data:
        from cnnviz import data

        print(f"Prepared: {data.prepare(options.with_defaults().dataset, options.data_dir)}")
        return 0
    if options.verify is not None:
        from cnnviz.commands.verify import verify

        return verify(options.verify, options)
    started = _with_places(with_config(options))
    if started.sweep:
        check_options(replace(options, sweep=started.sweep))
        return sweep(started, _check, _trained)
    _check(started, typed=options)
    return _trained(started)[0]


def _with_places(options: Options) -> Options:
    """The options with the place of each run that was named by its name in `--runs`; `--resume` also takes a path."""
    named = {name: getattr(options, name) for name in ("init_from", "export", "verify", "config")}
    found = {name: type(it)(placed(str(it), options.runs)) for name, it in named.items() if it is not None}
    if options.resume and options.name and is_run(path := Path(options.name)) and not is_run(options.runs / path):
        found |= {"runs": path.parent, "name": path.name}
    return replace(options, **found)


def _check(options: Options, typed: Options | None = None) -> None:
    """Raises InputError if an option cannot be used; `typed` are those without what a file adds."""
    new = options.with_defaults()
    check_names(options)  # those of a sweep too
    check_numbers(options)
    check_recipe(typed or options, options.new_recipe)
    check_name(options)
    if options.images_on not in IMAGES_ON:
        raise unknown("place for the images", options.images_on, IMAGES_ON)
    seeds_of(options.new_recipe, new.seeds)
    Reading.of(options.resize, image_shape=options.image_shape)
    if not options.resume and options.distributed == "off" and options.new_recipe.class_weights not in (NONE, BALANCED):
        with named("class_weights"):
            check_class_weights(options.new_recipe.class_weights, known_classes(new.dataset, options.data_dir))
    check_model_options(new.model, options_of(options.model_options))
    if options.distributed not in ("off", "auto"):
        address(options.distributed)
    if not options.resume:
        use(new.model)


def _trained(options: Options) -> tuple[int, Path | None]:
    """Trains one run, alone or as one of several processes; returns the exit code and the run, if there is one."""
    console.use_compilation_cache()
    with terminal.any_process(options.debug) if _is_one_of_several(options) else terminal.ctrl_c() as stop:
        return _in_this_process(options, stop)


def _is_one_of_several(options: Options) -> bool:
    """Connects to the other processes, if --distributed is set; whether there are any."""
    if options.distributed == "off":
        return False
    from cnnviz.training import processes

    print(processes.join(options.distributed, options.timeout), flush=True)
    return processes.are_several()


def _in_this_process(options: Options, stop: terminal.Stop) -> tuple[int, Path | None]:
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
            own = resumed(options) if options.resume else new_run(options.with_defaults(), mesh)
            if own is None:
                return None
            path, config, begun["dataset"] = own
            held.enter_context(locked(path))
            config = longer(path, config, options, begun["dataset"])
            return None if is_finished(path) else (str(path), dict(config))  # by another process, before it let go

        if (found := processes.broadcast(begin)) is None:
            return 0, None
        path, config = Path(found[0]), Config(found[1])
        if options.resume and not processes.is_first():
            use_for(path, config, options.model)
        dataset = processes.on_every_process(lambda: begun.get("dataset") or data_of(path, config, options))
        return train_on(path, config, dataset, stop, mesh, options.images_on), path


if __name__ == "__main__":
    raise SystemExit(main())
