"""Rows, samples and steps in chunks give what they give at once; what is padded never counts."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.batching import fold_rows, map_rows, map_samples, map_steps, steps, take_steps
from cnnviz.errors import InputError
from cnnviz.fast.linear_samples import over_samples

ROWS = np.arange(7, dtype=np.float32)


def contribute(keep, samples):
    """A row's sample i gives 10 times the row, plus i."""

    def contribute(rows, first, size):
        one = lambda row: over_samples(lambda i: 10 * row + i, first, size, samples, keep=keep)
        return jax.vmap(one)(jnp.asarray(rows))

    return contribute


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 20, 1000, None])
@pytest.mark.parametrize("samples", [1, 4, 11])
def test_samples_are_summed_or_kept_whatever_the_chunks(samples, batch_size):
    finish = lambda rows, total: total
    every = 10 * ROWS[:, None] + np.arange(samples)
    summed = map_samples(contribute(False, samples), finish, ROWS, samples, batch_size)
    kept = map_samples(contribute(True, samples), finish, ROWS, samples, batch_size, keep=True)
    np.testing.assert_allclose(summed, every.sum(1))
    np.testing.assert_allclose(kept, every)


@pytest.mark.parametrize("in_turn", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_steps_go_on_from_the_last_one_s_state(batch_size, in_turn, monkeypatch):
    monkeypatch.setattr(steps, "is_in_turn", lambda: in_turn)
    reports, counts = [], []

    def step(rows, state, first, count):
        counts.append(count)
        return take_steps(lambda state, i: 2 * state + i, state, first, count)

    found = map_steps(
        lambda rows: jnp.asarray(rows),
        step,
        lambda rows, state: state - rows,
        ROWS,
        3,
        batch_size,
        report=lambda *now: reports.append(now),
    )
    np.testing.assert_allclose(found, 8 * ROWS + 4 - ROWS)
    chunks = -(-len(ROWS) // min(batch_size, len(ROWS)))
    calls = 3 * chunks if in_turn else chunks
    assert reports == [(i + 1, calls) for i in range(calls)]
    assert set(counts) == ({1} if in_turn else {3})


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("multiple", [1, 4])
def test_a_fold_sees_each_row_once_in_chunks_of_one_size(batch_size, multiple):
    sizes, reports = set(), []

    def step(held, state, rows, mask):
        sizes.add(len(mask))
        assert len(rows) == len(mask)
        return state + held * (rows * mask).sum()

    found = fold_rows(
        step, 10.0, 1.0, ROWS + 1, None, batch_size, multiple=multiple, report=lambda *r: reports.append(r)
    )
    assert found == 1 + 10 * (ROWS + 1).sum()
    (size,) = sizes
    assert size == -(-min(batch_size, 7) // multiple) * multiple
    assert reports == [(i + 1, -(-7 // size)) for i in range(-(-7 // size))]


DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from cnnviz.batching import fold_rows
assert len(jax.local_devices()) == 3
seen, reports = [], []
def step(held, state, rows, mask):
    seen.append(rows.devices())
    assert held.devices() == state.devices() == rows.devices() == mask.devices()
    return state + held * jnp.where(mask, rows, 0).sum()
ask = dict(batch_size=2, report=lambda *now: reports.append(now))
total = fold_rows(step, jnp.float32(10), jnp.float32(0), np.arange(9.0, dtype=np.float32), jnp.add, **ask)
assert total == 360 and len(set.union(*seen)) == 3 and len(seen) == 5
assert reports == [(i, 5) for i in range(1, 6)], reports
"""


def test_a_fold_with_merge_uses_every_device():
    flags = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", DEVICES], check=True, env=flags, cwd=Path(__file__).parent.parent)


def test_no_chunk_holds_more_than_the_batch_size():
    sizes = []

    def contribute(rows, first, size):
        sizes.append(len(rows) * size)
        return jnp.zeros(len(rows))

    map_samples(contribute, lambda rows, total: total, ROWS, 11, 6)
    assert max(sizes) <= 6
    assert len(sizes) == 7 * 2  # 11 samples in two chunks of 6 and 5, for each of 7 rows


def test_a_batch_of_nothing_is_said():
    with pytest.raises(InputError, match="batch_size was 0"):
        map_samples(contribute(False, 2), lambda rows, total: total, ROWS, 2, 0)
    with pytest.raises(InputError, match="No images were given"):
        map_rows(lambda rows: rows, ROWS[:0])
