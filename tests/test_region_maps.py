"""Regions of any map, and the mean of any method's maps over copies of the images."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from cnnviz.attribution import attribute, augmented, regions
from cnnviz.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 6, 6, 1)).astype(np.float32)
HALVES = np.repeat(np.arange(6)[:, None] // 3, 6, 1)
THIRDS = np.repeat(np.arange(6)[None] // 2, 6, 0)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), name="conv")(x))
        return nn.Dense(3, name="logits")(x.reshape(len(x), -1))


VARIABLES = jax.jit(Net().init)(jax.random.key(0), IMAGES)


def test_one_mask_gives_each_segment_its_mean():
    maps = RNG.normal(size=(2, 6, 6))
    found = regions(maps, IMAGES, [HALVES], widen=0)
    means = np.stack([maps[:, :3].mean((1, 2)), maps[:, 3:].mean((1, 2))], 1)
    np.testing.assert_allclose(found, np.repeat(np.repeat(means, 3, 1)[..., None], 6, 2))


def test_the_region_with_the_largest_gain_comes_first_and_the_next_counts_what_it_adds():
    maps = np.zeros((1, 6, 6))
    maps[0, :, :2], maps[0, :3, 2:] = 5, 1
    found = regions(maps, IMAGES[:1], [HALVES, THIRDS], widen=0)[0]
    assert (found[:, :2] == 5).all()  # the first third has the largest mean
    assert (found[:3, 2:] == 1).all()  # of the upper half its other columns are new
    assert not found[3:, 2:].any()


def test_segments_are_widened_by_a_disk():
    maps = np.zeros((1, 6, 6))
    maps[0, :3] = 2
    found = regions(maps, IMAGES[:1], [HALVES], widen=1)[0]
    assert (found[:4] == 1.5).all()  # three rows of 2 and one of 0
    assert not found[4:].any()


def test_what_no_region_adds_enough_to_has_its_own_mean():
    images, mask = np.zeros((1, 40, 50, 1)), np.zeros((40, 50), int)
    mask[0, 0] = 1
    maps = np.ones((1, 40, 50))
    maps[0, 0, 0] = 9
    found = regions(maps, images, [mask], widen=0)  # one pixel of 2000 is less than a thousandth
    assert found[0, 0, 0] == 9
    assert (found[0].ravel()[1:] == 1).all()


def test_felzenszwalbs_segments_follow_the_picture():
    pytest.importorskip("skimage")
    images = np.zeros((1, 28, 28, 1), np.float32)
    images[0, 6:20, 6:20] = 1
    maps = np.where(images[..., 0] > 0, RNG.uniform(1, 2, (1, 28, 28)), 0)
    found = regions(maps, images)
    inside = found[0, 8:18, 8:18]
    assert np.ptp(inside) < 0.1  # of values from 1 to 2
    assert inside.min() > found[0, :4].max()


@pytest.mark.parametrize(
    ("maps", "options", "text"),
    [
        (np.zeros((2, 5, 6)), {}, r"these are \(2, 5, 6\) and \(2, 6, 6, 1\)"),
        (np.full((2, 6, 6), np.nan), {}, "Map 0 holds NaN"),
        (np.zeros((2, 6, 6)), {"widen": -1}, "not negative; it was -1"),
        (np.zeros((2, 6, 6)), {"masks": [np.stack([HALVES] * 3)]}, r"one per image \(2\); there are 3"),
        (np.zeros((2, 6, 6)), {"masks": ["gird:2"]}, "'gird' is not a mask"),
    ],
)
def test_maps_and_masks_that_do_not_fit_are_refused(maps, options, text):
    with pytest.raises(InputError, match=text):
        regions(maps, IMAGES, **options)


def test_augmented_maps_are_the_mean_over_copies_brought_back():
    ask = lambda images, key: np.asarray(attribute("smooth_grad", Net(), VARIABLES, images, [1, 2], key=key, samples=3))
    key, total = jax.random.key(3), 0
    for i, (factor, side) in enumerate([(0.5, False), (0.5, True), (2.0, False), (2.0, True)]):
        seen = (IMAGES[:, :, ::-1] if side else IMAGES) * np.float32(factor)
        maps = ask(seen, jax.random.fold_in(key, i))
        total = total + (maps[:, :, ::-1] if side else maps)
    found = augmented("smooth_grad", Net(), VARIABLES, IMAGES, [1, 2], key=key, samples=3, factors=(0.5, 2.0))
    np.testing.assert_allclose(found, total / 4, atol=1e-6)


def test_one_copy_is_the_method_and_the_prediction_is_that_of_the_image_itself():
    plain = attribute("gradient", Net(), VARIABLES, IMAGES, "predicted")
    same = augmented("gradient", Net(), VARIABLES, IMAGES, "predicted", mirrored=False, factors=(1.0,))
    np.testing.assert_allclose(same, plain, atol=1e-6)
    dark = augmented("gradient", Net(), VARIABLES, IMAGES, "predicted", mirrored=False, factors=(-1.0,))
    classes = np.asarray(Net().apply(VARIABLES, IMAGES)).argmax(-1)
    np.testing.assert_allclose(dark, attribute("gradient", Net(), VARIABLES, -IMAGES, classes), atol=1e-6)
    for target in ((0, 1), lambda logits: logits.sum()):
        assert augmented("gradient", Net(), VARIABLES, IMAGES, target).shape == (2, 6, 6)


def test_augmentation_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="at least one factor"):
        augmented("gradient", Net(), VARIABLES, IMAGES, 0, factors=())
    with pytest.raises(InputError, match="pictures, signals or volumes"):
        augmented("gradient", Net(), VARIABLES, IMAGES[:, 0, 0], 0)
