"""A training step of cnnviz against one written by hand in plain Flax and optax, in one run: milliseconds and a ratio.

python benchmarks/train_step.py
"""

import time
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cnnviz.models.cnn import CNN
from cnnviz.runs import prepare
from cnnviz.training.advance import in_turn
from cnnviz.training.feed import feed_of
from cnnviz.training.members import member
from cnnviz.training.mesh import mesh_of
from cnnviz.training.recipe import Recipe
from cnnviz.training.state import initial_state
from cnnviz.training.step import make_step

BATCH, STEPS, ROUNDS = 32, 40, 15


def by_hand(model, images, labels):
    """What a user would write: float images in memory, batches taken by index, the state updated in place."""
    optimizer = optax.adam(1e-3, eps=1e-7)

    @jax.jit
    def step(params, opt_state, x, y, key):
        def loss_of(params):
            logits = model.apply({"params": params}, x, train=True, rngs={"dropout": key})
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        loss, gradient = jax.value_and_grad(loss_of)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params = model.init(jax.random.key(0), images[:1])["params"]
    held = [params, optimizer.init(params)]
    key = jax.random.key(1)

    def run(order):
        loss = None
        for i, rows in enumerate(order):
            *held[:], loss = step(*held, images[rows], labels[rows], jax.random.fold_in(key, i))
        jax.block_until_ready(loss)

    return run


def by_cnnviz(model, images, labels):
    recipe = Recipe(batch_size=BATCH)
    one = member(0, len(labels), recipe)
    advance = in_turn(make_step(model, recipe, prepare, steps=1), [one], feed_of(images, labels, mesh_of()))
    held = [[initial_state(model, recipe, (28, 28, 1), jax.random.key(0))]]

    def run(order):
        refused = None
        for rows in order:
            held[0], refused = advance(held[0], {0: rows[None]})
        jax.block_until_ready(refused)

    return run


def main() -> None:
    pixels = jax.random.randint(jax.random.key(0), (8000, 28, 28, 1), 0, 256).astype(jnp.uint8)
    labels = jax.random.randint(jax.random.key(1), (8000,), 0, 10)
    order = np.random.default_rng(2).permutation(8000)[: BATCH * STEPS].reshape(STEPS, BATCH)
    model = CNN()
    ours, theirs = by_cnnviz(model, pixels, labels), by_hand(model, prepare(pixels), labels)
    times = []
    for _ in range(ROUNDS + 1):  # the first compiles
        pair = []
        for run in (ours, theirs):
            begun = time.perf_counter()
            run(order)
            pair.append((time.perf_counter() - begun) / STEPS * 1e3)
        times.append(pair)
    ratios = [one / other for one, other in times[1:]]
    for name, column in (("cnnviz", 0), ("by hand", 1)):
        print(f"{name:8s} {median(pair[column] for pair in times[1:]):6.2f} ms a step")
    print(f"ratio    {median(ratios):6.3f} (median of {ROUNDS} rounds)")


if __name__ == "__main__":
    main()
