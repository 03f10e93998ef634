"""Images varied at random: each way by hand, and what the draws come out to over many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.training.augment import AREA, ASPECT, augment, erased, shifted

KEY = jax.random.key(0)
IMAGE = jnp.arange(1, 13, dtype=jnp.uint8).reshape(3, 4, 1)


@pytest.mark.parametrize("by", [(0, 0), (1, 0), (0, -2), (-2, 1)])
def test_a_shifted_image_is_black_where_nothing_comes_in(by):
    expected = np.zeros((3, 4, 1), np.uint8)
    for row in range(3):
        for column in range(4):
            at = row - by[0], column - by[1]
            if 0 <= at[0] < 3 and 0 <= at[1] < 4:
                expected[row, column] = IMAGE[at]
    np.testing.assert_array_equal(shifted(IMAGE, jnp.array(by), 2), expected)


def test_all_shifts_and_both_sides_are_drawn_and_no_other():
    images = jnp.broadcast_to(jnp.zeros((9, 9, 2), jnp.uint8).at[4, 4, 0].set(9).at[4, 5, 1].set(9), (600, 9, 9, 2))
    varied = np.asarray(augment(images, KEY, shift=2, flip=True, erase=0.0))
    places = {tuple(int(i[0]) for i in np.nonzero(image[..., 0])) for image in varied}
    assert {row for row, _ in places} == {2, 3, 4, 5, 6}
    assert {column for _, column in places} == {2, 3, 4, 5, 6}
    first, second = (np.nonzero(varied[..., channel].any(1))[1] for channel in (0, 1))
    flipped = np.mean(second < first)
    assert 0.4 < flipped < 0.6
    assert set(np.unique(second - first)) == {-1, 1}


def test_as_many_as_asked_lose_a_rectangle_of_the_paper_s_size():
    image = jnp.full((40, 40, 3), 255, jnp.uint8)
    keys = jax.random.split(KEY, 2000)
    found = np.asarray(jax.jit(jax.vmap(lambda key: erased(image, key, 0.3)))(keys))
    black = (found == 0).all(-1)
    assert (black == (found == 0).any(-1)).all()  # all channels alike
    hit = black.any((1, 2))
    assert 0.26 < hit.mean() < 0.34
    areas = []
    for one in black[hit]:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # a rectangle
        assert one.sum() == len(rows) * len(columns)
        areas.append(one.mean())
        if one.mean() > 0.1 and max(len(rows), len(columns)) < 40:
            assert ASPECT[0] * 0.7 < len(rows) / len(columns) < ASPECT[1] * 1.4
    assert min(areas) < 0.05
    assert 0.14 < np.mean(areas) < sum(AREA) / 2 + 0.02
    assert max(areas) < AREA[1] + 0.03


def test_nothing_asked_changes_nothing_and_the_same_key_varies_alike():
    images = jax.random.randint(KEY, (5, 8, 8, 1), 0, 256).astype(jnp.uint8)
    np.testing.assert_array_equal(augment(images, KEY, shift=0, flip=False, erase=0.0), images)
    how = {"shift": 1, "flip": True, "erase": 0.5}
    one, same, other = (augment(images, key, **how) for key in (KEY, KEY, jax.random.key(1)))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one.dtype == jnp.uint8
