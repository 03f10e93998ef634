"""Where the time of ten training steps goes: JAX's profile of them, and the operations that take most of it."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax

from benchmarks.accelerated.case import NETWORKS, Case, Row, Sizes
from benchmarks.accelerated.roofline import step

STEPS, LONGEST = 10, 8


def cases(sizes: Sizes) -> Iterator[Case]:
    for network in NETWORKS:
        yield Case(f"{network}, batch {sizes.batches[-1]}", partial(traced, network, sizes))


def traced(network: str, sizes: Sizes) -> Row:
    """The share of the devices' busy time by operation, the longest first."""
    function, (state, *others) = step(network, sizes.batches[-1])
    compiled, folder = jax.jit(function), sizes.out / f"trace_{network}"
    state, _ = jax.block_until_ready(compiled(state, *others))
    with jax.profiler.trace(str(folder)):
        for _ in range(STEPS):
            state, _ = compiled(state, *others)
        jax.block_until_ready(state)
    spent = _spent(folder)
    total = sum(spent.values()) or 1
    longest = {name: f"{share / total:.0%}" for name, share in spent.most_common(LONGEST)}
    return {"profile": folder.name, "busy ms a step": total / 1e6 / STEPS, **longest}


def _spent(folder: Path) -> Counter[str]:
    """The nanoseconds of each operation on the devices' lines of the profile; those of the host, where it has none."""
    spent: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for file in folder.rglob("*.xplane.pb"):
        profile: Any = jax.profiler.ProfileData.from_file(str(file))
        for plane in profile.planes:
            for line in plane.lines:
                for event in line.events:
                    spent[plane.name.startswith("/device:")][event.name.split(".")[0]] += event.duration_ns
    return spent[True] or spent[False]
