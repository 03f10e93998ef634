"""Rows, samples and steps in chunks give what they give at once; what is padded never counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.batching import map_rows, map_samples, map_steps
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


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_steps_go_on_from_the_last_one_s_state(batch_size):
    told = []
    found = map_steps(
        lambda rows: jnp.asarray(rows),
        lambda rows, state, i: 2 * state + i,
        lambda rows, state: state - rows,
        ROWS,
        3,
        batch_size,
        report=lambda *now: told.append(now),
    )
    np.testing.assert_allclose(found, 8 * ROWS + 4 - ROWS)
    chunks = -(-len(ROWS) // min(batch_size, len(ROWS)))
    assert told[-1] == (3 * chunks, 3 * chunks)


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
    with pytest.raises(InputError, match="There are no images"):
        map_rows(lambda rows: rows, ROWS[:0])
