"""The options of `train.py`, in groups that are headings of its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class DataOptions:
    """Which images are trained on."""

    dataset: str | None = None
    """Data sets in order of preference ("fashion_mnist,garments"): the first one available is used."""
    data_dir: Path | None = None
    """The folder to search for the data set first."""
    resize: str | None = None
    """Resize all images: 32, or HEIGHTxWIDTH; they are scaled to cover that size and cropped around the center."""
    image_shape: str | None = None
    """The shape of one image of an .npz that holds no pictures: 128,9 for signals of 128 steps and 9 channels,
    28,28,28,1 for volumes."""
    skip_unreadable: bool | None = None
    """Leave out pictures of a folder that cannot be read, and list them; else the folder is refused."""
    normalize: bool | None = None
    """Bring each channel to mean 0 and deviation 1 over the training images, instead of values from 0 to 1."""
    limit: int | None = None
    """Train and test with only the first N images of each split."""


@dataclass(frozen=True)
class StartOptions:
    """The network and what its training starts from."""

    model: str | None = None
    """The network: cnn, resnet, dense, vgg11, vgg13, vgg16, vgg19, vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn,
    resnet18, resnet34, resnet50, mobilenet_v2, efficientnet_lite0, convnext_tiny; or a Flax class of yours,
    path/to/net.py:Net or package.module:Net."""
    model_options: str | None = None
    """The network's options as JSON, such as '{"width": 64}'."""
    init_from: str | None = None
    """Start from the weights of a run (runs/x, x@3, x:step_400) or of a file (.safetensors, .npz, .msgpack,
    .pth, .keras, Orbax); the classifier is drawn anew if the classes differ."""
    recipe: str | None = None
    """fast, classic (the book chapter's) or best: the hyperparameters, of which the options below override one each."""
    config: Path | None = None
    """Start from the options in a file: a run's config.json, or a .toml with options by their names; options that are
    typed override it."""


@dataclass(frozen=True)
class RunOptions:
    """The run that is made, and what it keeps."""

    runs: Path = Path("runs")
    """The folder that holds all runs."""
    name: str | None = None
    """The run's name in --runs; by default the data set, the model and a number."""
    seeds: int | None = None
    """How many networks to train side by side, which differ only in their seed: --seed and the next ones."""
    keep: int | None = None
    """How many of the latest checkpoints to keep, in addition to the first and the best."""
    keep_every: int | None = None
    """Also keep a checkpoint every N epochs."""
    snapshots: int | None = None
    """Also keep N checkpoints at log-spaced steps, for a film of the training."""
    track: str | None = None
    """Also log every epoch to these trackers: tensorboard, wandb, or both as "tensorboard,wandb"."""


@dataclass(frozen=True)
class ModeOptions:
    """What is done in place of one new training."""

    resume: bool = False
    """Resume the run --name, or the latest one; one that is finished goes on if --epochs asks for more."""
    sweep: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Train one run per value: learning_rate=1e-3,3e-3 or seed=0..2; several --sweep make a run of each combination."""
    list: bool = False
    """Do not train: list the runs in --runs."""
    sort: str | None = None
    """With --list: the column to sort by: when, accuracy, run, model, recipe, data, seeds or epochs (when)."""
    verify: Path | None = None
    """Do not train: check the files of this run, and that its network still has the recorded test accuracy."""
    prepare_data: bool = False
    """Do not train: write the data set as a standard TFDS data set."""


@dataclass(frozen=True)
class MachineOptions:
    """Where it is computed."""

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
