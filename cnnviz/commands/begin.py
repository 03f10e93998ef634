"""Starting a run: loads its data, and creates its config and its directory with the first checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import count as count_up
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError
from cnnviz.training.recipe import Recipe


def new_run(options: Any, recipe: Recipe, keep: Any, mesh: Any) -> tuple[Path, Any, Any]:
    """Creates a run; returns its directory, its config and its data set.

    Raises InputError if the run exists, its name is not a folder name, or the options do not fit the data.
    """
    from cnnviz import data, tracking
    from cnnviz.networks import Prepare
    from cnnviz.runs import Config
    from cnnviz.runs.config import FORMAT
    from cnnviz.runs.environment import environment
    from cnnviz.runs.keep import log_spaced
    from cnnviz.training.fit import steps_per_epoch
    from cnnviz.training.members import held_out
    from cnnviz.training.mesh import check_batch

    if options.name is not None and (Path(options.name).name != options.name or options.name in ("", "..")):
        raise InputError(f"name must be a folder's name, without a path; it was {options.name!r}.")
    path = options.runs / options.name if options.name else None
    if path is not None and path.exists():
        raise InputError(f"The run {path} exists; go on with it by --resume, or choose another --name.")
    tracking.load(options.trackers)
    reading = data.Reading.of(options.resize, options.skip_unreadable)
    dataset, line = data.first_available(options.dataset, options.data_dir, **reading.given)
    print(line)
    count = len(dataset.train.labels[: options.limit])
    count -= 0 if dataset.validation else held_out(count, recipe.validation)
    check_batch(min(recipe.batch_size, count), mesh)
    total = recipe.epochs * steps_per_epoch(count, recipe)
    snapshots = [] if options.snapshots is None else log_spaced(options.snapshots, total)
    described = {key: getattr(dataset, key) for key in ("name", "title", "fingerprint", "classes")}
    described |= {"image_shape": [int(n) for n in dataset.train.images.shape[1:]], "limit": options.limit}
    described |= {"dir": str(options.data_dir) if options.data_dir else None} | reading.given
    config = {"format": FORMAT, "model": options.model, "recipe": asdict(recipe), "seeds": options.seeds}
    prepare = Prepare.normalizing(dataset.train.images[: options.limit]) if options.normalize else Prepare()
    config |= _model(options) | {"data": described, "prepare": prepare.described(), "track": options.trackers}
    config["keep"] = asdict(keep) | {"snapshots": snapshots}
    model = options.model.rpartition(":")[2]  # of a class of one's own, its name
    paths = [path] if path else (options.runs / f"{dataset.title}-{model}-{number}" for number in count_up(1))
    check_fits(Config(config), count)
    return _created(paths, config, environment(dataset.fingerprint)), Config(config), dataset


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

    if config.is_own or config.model_options:
        check_outputs(config.model, config["model"], len(config["data"]["classes"]), config.image_shape)
    batch_size = min(config.recipe.batch_size, count)
    check_memory(config.model, config.shapes(), config.image_shape, batch_size, len(config.seeds))


def _created(paths: Iterable[Path], config: Mapping[str, Any], environment: Mapping[str, Any]) -> Path:
    """Creates a run at the first of the paths that does not exist, also if another process creates one meanwhile.

    Raises Exists, the error of the last path, if all exist.
    """
    from cnnviz import runs

    exists = None
    for path in paths:
        try:
            runs.create(path, config, environment)
            return path
        except runs.Exists as error:
            exists = error
    assert exists is not None
    raise exists
