"""How the networks of a training take their steps: in turn on CPU, all at once on an accelerator.

On CPU each step of each network is a compiled call (see `batching.is_in_turn`); one call for several networks would
also convolve with several networks' kernels at once, which takes twice as long as in turn. On an accelerator many
steps of all networks are one compiled call.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnnviz.fast.jit import options
from cnnviz.training.feed import Batches, Feed
from cnnviz.training.members import Member
from cnnviz.training.mesh import on_all
from cnnviz.training.state import State
from cnnviz.types import Array

Rows = Mapping[int, np.ndarray]  # the rows of each network's next batches [steps, batch], by its place
Advance = Callable[[Sequence[State], Rows], tuple[list[State], dict[int, Array]]]


def in_turn(step: Callable, members: Sequence[Member], feed: Feed) -> Advance:
    """One step of each network that has rows; `refused` `[1]` of each is by the network's place."""

    @partial(jax.jit, donate_argnums=0, out_shardings=on_all(feed.mesh), compiler_options=options())
    def once(state: State, key: Array, batches: Batches) -> tuple[State, Array]:
        state, refused = step(state, key, *batches.at(0))
        return state, refused[None]

    def advance(states: Sequence[State], rows: Rows) -> tuple[list[State], dict[int, Array]]:
        found = {i: once(states[i], members[i].step_key, feed(own)) for i, own in rows.items()}
        after = [found[i][0] if i in found else state for i, state in enumerate(states)]
        return after, {i: refused for i, (_, refused) in found.items()}

    return advance


def at_once(step: Callable, members: Sequence[Member], feed: Feed) -> Advance:
    """All steps of all networks in one compiled call; a network without rows stays as it is."""
    keys = jnp.stack([member.step_key for member in members])

    def steps(state: State, key: Array, batches: Batches, count: int) -> tuple[State, Array]:
        # One step is a scan too: a call may end anywhere, and the bits must not depend on where.
        return jax.lax.scan(lambda held, i: step(held, key, *batches.at(i)), state, jnp.arange(count))

    @partial(jax.jit, donate_argnums=0, static_argnums=4, out_shardings=on_all(feed.mesh))
    def call(states: list[State], keys: Array, batches: Batches, active: Array, count: int) -> Any:
        before = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        over_members = jax.vmap(partial(steps, count=count), in_axes=(0, 0, feed.axes))
        after, refused = over_members(before, keys, batches)
        keep = lambda new, old: jnp.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        after = jax.tree.map(keep, after, before)
        return [jax.tree.map(lambda leaf: leaf[i], after) for i in range(len(states))], refused  # noqa: B023

    def advance(states: Sequence[State], rows: Rows) -> tuple[list[State], dict[int, Array]]:
        some = next(iter(rows.values()))
        order = np.stack([rows.get(i, some) for i in range(len(states))])
        active = np.array([i in rows for i in range(len(states))])
        after, refused = call(list(states), keys, feed(order), active, some.shape[0])
        return after, {i: refused[i] for i in rows}

    return advance
