"""Ways to train the chapter's network, one a function: it makes `run()`, one pass over random images, and names itself.

`python benchmarks/contenders.py NAME BATCH` says what it is once it is ready, then runs once for each line that it is
given, and answers with the images per second. Each imports only what it needs, so that it runs in an environment of its
own.
"""

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

IMAGES, PARAMETERS = 5120, 333_526
Contender = tuple[Callable[[], Any], str]


def random_images() -> tuple[np.ndarray, np.ndarray]:
    """Pixels as uint8, and labels: what they show does not matter to the time."""
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (IMAGES, 28, 28, 1), np.uint8), draw.integers(0, 10, IMAGES, np.int32)


def cnnviz(batch: int) -> Contender:
    """Our step, as `train.py` runs it: images are gathered and prepared inside, totals kept."""
    import jax

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from cnnviz.models.cnn import CNN
    from cnnviz.networks import Prepare
    from cnnviz.training.advance import in_turn
    from cnnviz.training.feed import feed_of
    from cnnviz.training.members import member
    from cnnviz.training.mesh import mesh_of
    from cnnviz.training.recipe import Recipe
    from cnnviz.training.state import initial_state
    from cnnviz.training.step import make_step

    recipe = Recipe(batch_size=batch)
    one, step = member(0, IMAGES, recipe), make_step(CNN(), recipe, Prepare(), steps=1)
    advance = in_turn(step, [one], feed_of(*random_images(), mesh_of()))
    held = [[initial_state(CNN(), recipe, (28, 28, 1), jax.random.key(0))]]

    def run() -> None:
        refused = None
        for rows in np.random.default_rng(1).permutation(IMAGES).reshape(-1, batch):
            held[0], refused = advance(held[0], {0: rows[None]})
        jax.block_until_ready(refused)

    return run, f"JAX {jax.__version__}"


def flax(batch: int) -> Contender:
    """What one would write by hand: a jitted step on float images, batches taken by index."""
    import flax
    import jax
    import optax

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from cnnviz.models.cnn import CNN

    pixels, labels = random_images()
    images, labels = jax.numpy.asarray(pixels / np.float32(255)), jax.numpy.asarray(labels)
    model, optimizer, key = CNN(), optax.adam(1e-3, eps=1e-7), jax.random.key(0)

    @jax.jit
    def step(params, opt_state, x, y, key):
        def loss_of(params):
            logits: Any = model.apply({"params": params}, x, train=True, rngs={"dropout": key})
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params = jax.jit(model.init)(key, images[:1])["params"]
    held = [params, optimizer.init(params)]

    def run() -> None:
        loss = None
        for i, rows in enumerate(jax.random.permutation(key, IMAGES).reshape(-1, batch)):
            *held[:], loss = step(*held, images[rows], labels[rows], jax.random.fold_in(key, i))
        jax.block_until_ready(loss)

    return run, f"Flax {flax.__version__}, JAX {jax.__version__}"


def keras(batch: int, backend: str) -> Contender:
    """`model.fit` on arrays in memory; on TensorFlow without XLA, which is twice as slow for it on CPU."""
    os.environ["KERAS_BACKEND"] = backend
    import keras  # pyright: ignore[reportMissingImports]

    layer, pool = keras.layers, keras.layers.MaxPooling2D
    convolution = lambda filters: layer.Conv2D(filters, 3, padding="same", activation="relu")
    hidden = [layer.Flatten(), layer.Dense(100, activation="relu"), layer.Dropout(0.4), layer.Dense(10)]
    model = keras.Sequential([layer.Input((28, 28, 1)), convolution(32), pool(), convolution(64), pool(), *hidden])
    assert model.count_params() == PARAMETERS
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled = "auto" if backend == "jax" else False
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], jit_compile=compiled)
    pixels, labels = random_images()
    images = pixels / np.float32(255)
    version = f"Keras {keras.__version__}, {backend} {import_module(backend).__version__}"
    return lambda: model.fit(images, labels, batch_size=batch, verbose=0), version


def torch(batch: int, compiled: bool) -> Contender:
    """The usual loop, in channels-last memory and with the fused Adam, both faster than the default."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    def block(inputs: int, outputs: int) -> list[Any]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]

    hidden = [nn.Flatten(), nn.Linear(3136, 100), nn.ReLU(), nn.Dropout(0.4), nn.Linear(100, 10)]
    model = nn.Sequential(*block(1, 32), *block(32, 64), *hidden).to(memory_format=torch.channels_last)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7, fused=True)
    loss_of, forward = nn.CrossEntropyLoss(), torch.compile(model) if compiled else model
    pixels, labels = map(torch.from_numpy, random_images())
    images = (pixels.permute(0, 3, 1, 2) / 255).contiguous(memory_format=torch.channels_last)
    labels = labels.long()

    def run() -> None:
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for rows in torch.randperm(IMAGES).split(batch):
            logits = forward(images[rows])
            loss = loss_of(logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            correct += (logits.argmax(1) == labels[rows]).sum()

    return run, f"PyTorch {torch.__version__}"


CONTENDERS: dict[str, Callable[[int], Contender]] = {
    "cnnviz": cnnviz,
    "Flax by hand": flax,
    "Keras on JAX": lambda batch: keras(batch, "jax"),
    "Keras on TensorFlow": lambda batch: keras(batch, "tensorflow"),
    "PyTorch": lambda batch: torch(batch, compiled=False),
    "PyTorch compiled": lambda batch: torch(batch, compiled=True),
}


def main() -> None:
    name, batch = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")  # libraries print what they like to the other one
    os.dup2(2, 1)
    run, version = CONTENDERS[name](batch)
    run()  # compiles
    print(version, file=answers, flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        run()
        print(IMAGES / (time.perf_counter() - begun), file=answers, flush=True)


if __name__ == "__main__":
    main()
