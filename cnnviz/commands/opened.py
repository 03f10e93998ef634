"""The network that the options of `visualize.py` name: a run, a file, or a class of your own with weights."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from cnnviz.commands.own_inputs import EXAMPLE, are_several, one_input, only_images, shapes_in, shapes_of
from cnnviz.commands.own_model import options_of, use, use_for
from cnnviz.errors import InputError
from cnnviz.errors.wording import listed
from cnnviz.interop import READERS
from cnnviz.interop.place import is_run
from cnnviz.models.imagenet import NOTES

# options that a run or file leaves no room for
FOR_WEIGHTS = ("model_options", "image_shape", "classes", "prepare", "names")


class Asked:
    """The data set that `--dataset` names, loaded when it is first needed; None without the option."""

    def __init__(self, options: Any):
        self.options = options
        shape = options.image_shape  # or that of a network which is opened before
        self.image_shape = None if are_several(shape) else shape

    @cached_property
    def dataset(self) -> Any:
        """The first available data set of those that are named, which is printed."""
        from cnnviz import data

        if self.options.dataset is None:
            return None
        reading = data.Reading.of(self.options.resize, image_shape=self.image_shape)
        dataset, line = data.first_available(
            self.options.dataset, self.options.data_dir, **reading.given, image_shape=reading.image_shape
        )
        print(line)
        return dataset


def opened(options: Any, kinds: Iterable[Any], asked: Asked) -> Any:
    """The network that the options name, by default that of the latest run.

    A run of a class of your own is opened with the class in `--model`. Raises InputError for options that do not go
    together, and for a network that cannot be read.
    """
    from cnnviz.training.recipe import check_seed

    check_seed(options.seed)
    net = _of_run_or_file(options, kinds) if options.weights is None else _of_weights(options, asked)
    net = replace(net, model=_with_output(options, net.model))
    asked.image_shape = asked.image_shape or net.image_shape
    return net


def tell_drawn(nets: Iterable[Any], told: set[str]) -> None:
    """Prints of each network whose untrained twin has been drawn that it was, once; `told` are names of earlier ones.

    A file does not say what its training began with.
    """
    for net in nets:
        if getattr(net.beginnings, "is_drawn", False) and net.name not in told:
            told.add(net.name)
            print(
                f"note: {net.name} keeps no untrained weights; those next to it are a fresh draw of the same layers "
                f"from jax.random.key({net.beginnings.seed}), by --seed"
            )


def _of_run_or_file(options: Any, kinds: Iterable[Any]) -> Any:
    from cnnviz import networks, runs

    where = options.run or str(runs.latest(options.runs))
    place = networks.Where.read(where)
    if is_run(place.path):
        use_for(place.path, runs.load_config(place.path), options.model)
    elif options.model is not None:
        raise InputError(f"{place.path} is not a run; --model is for a run of a class of yours, or for --weights.")
    net = networks.open(where if options.member is None else f"{where}@{options.member}", seed=options.seed)
    if options.prepare is not None:
        net = replace(net, prepare=_prepare(options, net.image_shape))
    if note := getattr(net, "note", ""):
        print(f"note: {note}")
    if options.seed and net.path and not any(hasattr(kind, "seed") for kind in kinds):
        print("note: --seed is the key of random draws, of which there are none here; --member shows another network")
    return net


def _of_weights(options: Any, asked: Asked) -> Any:
    """A model in `--model` filled with `--weights`; the data set says the shape and the classes that no option says."""
    from cnnviz import networks
    from cnnviz.interop.torch.read import StateDict
    from cnnviz.interop.weights import read_weights

    if options.model is None:
        raise InputError(f"{options.weights} holds weights without their network; name its class by --model.")
    if Path(options.model).suffix.lower() in (*READERS, ".json"):
        return _of_keras(options)
    use(options.model)
    chosen = networks.as_options(options_of(options.model_options))
    tree = read_weights(options.weights)
    expected = dict(networks.published(tree, options.model) or {})
    shape = _shape(options, asked, expected.pop("image_shape", None))
    prepare = _prepare(options, shape, expected)
    if expected and not chosen and options.model in NOTES:
        print(f"note: {NOTES[options.model]}")
    names, count = _classes(options, asked)
    build = partial(_built, options, chosen, shape=shape)
    model = build(count)
    if isinstance(tree, StateDict) and expected and count is None:
        count = networks.count_classes(tree, model)
        model = model if count is None else build(count)
    then = f"of several inputs --image-shape '{EXAMPLE}' says the shapes, or --inputs a file."
    with only_images(options.model, then):
        if count is not None:
            networks.check_outputs(model, options.model, count, shape)
        table = _table(options, tree, model, shape) if isinstance(tree, StateDict) else None
        if table is None and isinstance(tree, StateDict) and (others := networks.left_out(tree, model)):
            print(f"note: {options.weights} also holds {listed(others)}, which {options.model} does not have")
        variables = networks.fit(tree, model, shape, source=str(options.weights), name=options.model, table=table)
    own = {"image_shape": shape, "classes": names, "prepare": prepare, "seed": options.seed}
    return networks.open(model, variables, name=options.weights.name.partition(".")[0], **own)


def _built(options: Any, chosen: Mapping[str, Any], count: int | None, shape: Any) -> Any:
    from cnnviz import networks

    return _with_output(options, networks.build(options.model, chosen, count, one_input(shape)))


def _with_output(options: Any, model: Any) -> Any:
    """The model with the output in `--output` as its logits."""
    from cnnviz.probe import OneOutput

    return model if options.output is None or isinstance(model, OneOutput) else OneOutput(model, options.output)


def _of_keras(options: Any) -> Any:
    """A model of Keras in the file `--model`, with the weights in the file `--weights`."""
    from cnnviz.networks.file import read

    if given := [name for name in FOR_WEIGHTS if name != "prepare" and getattr(options, name) is not None]:
        raise InputError(f"--{given[0].replace('_', '-')}: {options.model} says this itself; it is for a Flax class.")
    net = read(Path(options.model), options.seed, options.weights)
    return net if options.prepare is None else replace(net, prepare=_prepare(options, net.image_shape))


def _prepare(options: Any, shape: Any, expected: Mapping[str, Any] | None = None) -> Any:
    """The preparation that `--prepare` says, or else the expected one; of several inputs it is checked later."""
    from cnnviz import networks

    prepare = networks.Prepare.read(options_of(options.prepare, "--prepare") or expected or None)
    if one_input(shape):
        prepare.check(shape[-1])
    return prepare


def _table(options: Any, tree: Any, model: Any, shape: Any) -> dict[str, str] | None:
    """Which array of PyTorch's is which variable: what `--names` says, or else what was found, which is printed.

    None for a network whose weights have known names.
    """
    from cnnviz import networks
    from cnnviz.interop.torch.convert import read_table

    if options.names is not None:
        return read_table(options.names)
    if networks.published(tree, options.model):
        return None
    table = networks.pytorch_table(tree, model, shape)
    if table:  # else the error lists what does not fit
        print("\n".join(f"  {name} -> {path}" for name, path in table.items()))
        print(f"note: {options.weights} is read as above; --names FILE, a JSON object of such pairs, says otherwise")
    return table


def _shape(options: Any, asked: Asked, expected: tuple[int, ...] | None) -> Any:
    """The shape of the images: that of `--image-shape`, "28,28,1", of the data set, or what such weights expect.

    Of several inputs their shapes by name: those of `--image-shape`, as JSON, or of the file of `--inputs`.
    """
    from cnnviz.data.arrays import shape_of

    if are_several(options.image_shape):
        return shapes_of(options.image_shape)
    if options.image_shape is None and getattr(options, "inputs", None) is not None:
        return shapes_in(options.inputs, options.model)
    if options.image_shape is None and asked.dataset is None and expected is not None:
        return expected
    if options.image_shape is None:
        if asked.dataset is None:
            raise InputError(
                f"{options.weights} does not say the shape of the images; add --image-shape 28,28,1 (height, width, "
                "channels; 128,9 of signals), or a --dataset."
            )
        return tuple(int(n) for n in asked.dataset.train.images.shape[1:])
    return shape_of(options.image_shape) or ()


def _classes(options: Any, asked: Asked) -> tuple[tuple[str, ...], int | None]:
    """The names of the classes and their number: those of `--classes`, or of the data set; nothing if neither is."""
    if options.classes is None:
        names = asked.dataset.classes if asked.dataset is not None else ()
        return tuple(names), len(names) or None
    if options.classes.strip().isdecimal():
        count = int(options.classes)
        return tuple(map(str, range(count))), count
    names = tuple(name.strip() for name in options.classes.split(","))
    return names, len(names)
