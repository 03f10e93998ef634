"""Starting a run: loads its data, and creates its config and its directory with the first checkpoint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import count as count_up
from pathlib import Path
from typing import Any

from cnnviz.commands import terminal
from cnnviz.commands.choices import named
from cnnviz.commands.own_inputs import only_images
from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import counted, size

PICTURE = 3  # numbers in the shape of a picture, (h, w, c)
MOST_STEPS = 2**31 - 1
FOR_ANY_SIDES = ("cnn", "dense")  # those of our networks that take signals and volumes too
Start = Callable[[Any], Any]  # the variables that a training begins with, of the drawn ones


def new_run(options: Any, mesh: Any) -> tuple[Path, Any, Any]:
    """Creates a run; returns its directory, its config and its data set.

    Raises InputError if the run exists, its name is not a folder name, or the options do not fit the data.
    """
    from cnnviz import data
    from cnnviz.networks import Prepare
    from cnnviz.runs import Config
    from cnnviz.runs.config import FORMAT
    from cnnviz.runs.environment import environment
    from cnnviz.runs.keep import Keep, log_spaced
    from cnnviz.training.augment import check_augmented
    from cnnviz.training.class_weights import class_weights
    from cnnviz.training.fit import steps_per_epoch
    from cnnviz.training.mesh import check_batch
    from cnnviz.training.tracking import load as load_trackers

    path, recipe = _named(options), options.new_recipe
    load_trackers(options.trackers)
    reading = data.Reading.of(options.resize, bool(options.skip_unreadable), options.image_shape)
    dataset = _loaded(options, reading)
    check_augmented(recipe, dataset.train.images.shape[1:])
    with named("class_weights"):
        class_weights(recipe.class_weights, dataset.train.labels[: options.limit], dataset.classes)
    count = training_count(dataset, options.limit, recipe)
    check_batch(min(recipe.batch_size, count), mesh)
    total = steps_of(recipe.epochs, steps_per_epoch(count, recipe))
    snapshots = [] if options.snapshots is None else log_spaced(_snapshots(options, total), total)
    config = {"format": FORMAT, "model": options.model, "recipe": asdict(recipe), "seeds": options.seeds}
    prepare = Prepare.normalizing(dataset.train.images[: options.limit]) if options.normalize else Prepare()
    config |= _model(options) | {"data": _described(dataset, options) | reading.given, "prepare": prepare.described()}
    config |= {
        "track": options.trackers,
        "keep": asdict(Keep(options.keep, options.keep_every)) | {"snapshots": snapshots},
    }
    config, start = _start(options, config)
    model = options.model.rpartition(":")[2]  # of a class of one's own, its name
    paths = [path] if path else (options.runs / f"{dataset.title}-{model}-{number}" for number in count_up(1))
    check_fits(Config(config), count)
    return _created(paths, config, environment(dataset.fingerprint), start), Config(config), dataset


def _snapshots(options: Any, total: int) -> int:
    """How many snapshots are kept; the number of a `--config` may be that of a longer training, which is printed."""
    if options.config is None or options.snapshots <= total:
        return options.snapshots
    print(f"Snapshots: {total} instead of {options.snapshots}, as this training has {counted(total, 'step')}.")
    return total


def _loaded(options: Any, reading: Any) -> Any:
    """The data set, which is printed; raises InputError unless its images have the shape that was asked for, if any."""
    from cnnviz import data

    asked = reading.image_shape
    with terminal.at_work(f"reading the data set {options.dataset}"):
        dataset, line = data.first_available(options.dataset, options.data_dir, **reading.given, image_shape=asked)
    print(line)
    if asked not in (None, found := tuple(int(n) for n in dataset.train.images.shape[1:])):
        raise InputError(f"The images of {dataset.title} have the shape {found}; --image-shape was {asked}.")
    return dataset


def training_count(dataset: Any, limit: int | None, recipe: Any) -> int:
    """How many images a network is trained on; raises InputError if none are left for training or validation."""
    from cnnviz.training.members import held_out

    count = len(dataset.train.labels[:limit])
    return count if dataset.validation else count - held_out(count, recipe.validation)


def steps_of(epochs: int, steps: int) -> int:
    """The steps of all epochs; raises OptionError if they cannot be counted in 32 bits, as a state counts them."""
    if epochs * steps > MOST_STEPS:
        most = f"{MOST_STEPS // steps:,} with {counted(steps, 'step')} in each"
        raise OptionError(f"epochs must be at most {most}; it was {epochs:,}.")
    return epochs * steps


def _named(options: Any) -> Path | None:
    """The run's directory if it has a name; raises InputError if it exists or the name is none of a folder."""
    check_name(options)
    if options.name is None:
        return None
    if (path := options.runs / options.name).exists():
        raise InputError(f"The run {path} exists; go on with it by --resume, or choose another --name.")
    return path


def check_name(options: Any) -> None:
    """Raises OptionError if the run's name is none of a folder."""
    name = options.name
    if name is not None and (Path(name).name != name or name in ("", "..") or not name.isprintable()):
        raise OptionError(f"name must be a folder's name, without a path; it was {name!r}.")


def _described(dataset: Any, options: Any) -> dict[str, Any]:
    """The config's entry for the data set."""
    described = {key: getattr(dataset, key) for key in ("name", "title", "fingerprint", "classes")}
    described |= {"image_shape": [int(n) for n in dataset.train.images.shape[1:]], "limit": options.limit}
    return described | {"dir": str(options.data_dir) if options.data_dir else None}


def _model(options: Any) -> dict[str, Any]:
    """The config's entries for the model's options and, if its class is not one of ours, the digest of its source."""
    from cnnviz.commands.own_model import options_of
    from cnnviz.models import MODELS
    from cnnviz.models.own import source_digest

    given, made = options_of(options.model_options), MODELS[options.model]
    own = {} if isinstance(made, str) else {"model_source": source_digest(made)}
    return ({"model_options": given} if given else {}) | own


def check_fits(config: Any, count: int) -> None:
    """Raises InputError unless the model gives a logit per class, OutOfMemory if training needs more than there is.

    `count` is the number of training images.
    """
    from cnnviz.networks import check_outputs
    from cnnviz.training.footprint import check_memory

    if len(config.image_shape) != PICTURE and not config.is_own and config["model"] not in FOR_ANY_SIDES:
        sides = size(config.image_shape)
        raise InputError(
            f"{config['model']} is for pictures; images of {sides} need --model {' or '.join(FOR_ANY_SIDES)}, or a "
            "class of yours (path/to/net.py:Net)."
        )
    if config.is_own or config.model_options or len(config.image_shape) != PICTURE:
        with only_images(config["model"], "train.py trains networks of one input."):
            check_outputs(config.model, config["model"], len(config["data"]["classes"]), config.image_shape)
    batch_size = min(config.recipe.batch_size, count)
    check_memory(config.model, config.shapes(), config.image_shape, batch_size, len(config.seeds))


def _start(options: Any, config: dict[str, Any]) -> tuple[dict[str, Any], Start]:
    """The config with what its weights start from, and what makes them of the drawn ones."""
    from cnnviz.commands.init_from import weights_from
    from cnnviz.runs import Config

    if options.init_from is None:
        return config, _as_drawn
    start, redrawn, line = weights_from(options.init_from, Config(config))
    print(line)
    return config | {"init_from": {"source": options.init_from, "redrawn": redrawn}}, start


def _as_drawn(drawn: Any) -> Any:
    return drawn


def _created(
    paths: Iterable[Path], config: Mapping[str, Any], environment: Mapping[str, Any], start: Start = _as_drawn
) -> Path:
    """Creates a run at the first of the paths that does not exist, also if another process creates one meanwhile.

    Raises Exists, the error of the last path, if all exist.
    """
    from cnnviz import runs

    exists = None
    for path in paths:
        try:
            runs.create(path, config, environment, start)
            return path
        except runs.Exists as error:
            exists = error
    assert exists is not None
    raise exists
