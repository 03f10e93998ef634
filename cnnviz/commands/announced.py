"""What is said at the start of a training: data, model, recipe, devices; and at its end: what to type next."""

from pathlib import Path
from shlex import quote
from typing import Any

from cnnviz.commands import console
from cnnviz.commands.own_model import typed_again
from cnnviz.errors.wording import counted, listed
from cnnviz.kernels import parameter_count
from cnnviz.training.fit import steps_per_epoch

SHOWN = 10  # classes that are named


def announce(path: Path, config: Any, dataset: Any, members: Any, mesh: Any, feed: Any) -> None:
    """Prints what is trained, on what and where."""
    recipe, count, tested = config.recipe, len(members[0].training), dataset.test.labels[: config["data"]["limit"]]
    parts = f"{count:,} to train, {len(members[0].validation):,} to validate, {len(tested):,} to test"
    print(f"Images: {parts}, each {'x'.join(map(str, config.image_shape))}.")
    print(f"Classes: {len(dataset.classes)} ({listed(dataset.classes, SHOWN)}).")
    parameters = parameter_count({"params": config.shapes().params})
    several = f", {len(members)} networks of seeds {config.seeds[0]} to {config.seeds[-1]}" if len(members) > 1 else ""
    print(f"Model: {config['model']}, {parameters:,} parameters{several}.")
    batch, steps = min(recipe.batch_size, count), steps_per_epoch(count, recipe)
    epochs = f"{counted(recipe.epochs, 'epoch')} of {counted(steps, 'batch')}"
    print(f"Recipe: {recipe.described()}; up to {epochs} of {counted(batch, 'image')}.")
    print(f"Optimizer: {recipe.optimizer}, learning rate {recipe.learning_rate:g} ({recipe.schedule}).")
    if recipe.batch_size > count:
        images = counted(count, "training image")
        print(f"note: the batch size {recipe.batch_size:,} is larger than the {images}; a batch has all")
    if recipe.precision == "tensorfloat32" and {device.device_kind for device in mesh.devices.flat} == {"cpu"}:
        print("note: a CPU computes tensorfloat32 as float32")
    place = "on the device" if feed.keeps_images else "in host memory"
    print(f"Devices: {_devices(mesh)}; {recipe.precision}; images {place}.")
    print(f"Run: {path}", flush=True)


def compiling(config: Any, count: int) -> str:
    """What is compiled before the first step, of a training on `count` images."""
    return (
        f"compiling the training step of {config['model']} for {counted(min(config.recipe.batch_size, count), 'image')}"
    )


def say_next(path: Path, config: Any) -> None:
    """Prints the commands that a finished training leads to."""
    print(f"Next: {console.command_line('visualize')} {quote(str(path))}{typed_again(config)}")
    print(f"      {how_to_resume(path, config)} --epochs {2 * config.recipe.epochs}")
    if "tensorboard" in config.get("track", []):
        print(f"      tensorboard --logdir {quote(str(path.parent))}")


def how_to_resume(path: Path, config: Any) -> str:
    """The command that goes on with a run."""
    place = f"--runs {quote(str(path.parent))} --name {quote(path.name)}"
    return f"{console.command_line('train')} --resume {place}{typed_again(config)}"


def _devices(mesh: Any) -> str:
    kinds = sorted({device.device_kind for device in mesh.devices.flat})
    return f"{mesh.size} x {', '.join(kinds)}"
