"""What a network gets right, against NumPy over all images at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.models.dense import DenseNetwork
from cnnviz.networks import Prepare
from cnnviz.networks.measures import ByClass
from cnnviz.training.evaluate import make_evaluate
from cnnviz.training.feed import feed_of
from cnnviz.training.mesh import mesh_of
from cnnviz.training.tally import Tally, make_tally


@pytest.fixture(scope="module")
def labelled():
    """Logits of nine classes, of which class 7 has no image and no prediction, and class 8 only predictions."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(60, 9)).astype(np.float32)
    logits[:, 7] = -99
    return logits, rng.integers(0, 7, 60).astype(np.int32)


def counted(logits, labels, mask=None):
    mask = jnp.ones(len(labels), bool) if mask is None else mask
    return jax.jit(lambda *rows: Tally.zero(9).add(*rows))(logits, labels, mask)


def test_measures_are_those_of_the_complete_confusion(labelled):
    logits, labels = labelled
    tally, predicted = counted(logits, labels), logits.argmax(1)
    by_class = ByClass.of_confusion(np.asarray(tally.confusion))
    assert tally.means()[1] == pytest.approx((predicted == labels).mean())
    ranks = (logits > logits[np.arange(60), labels][:, None]).sum(1)
    assert tally.top_accuracy == pytest.approx((ranks < 5).mean())
    expected = [(predicted[labels == k] == k).mean() if (labels == k).any() else None for k in range(9)]
    assert [None if np.isnan(share) else share for share in by_class.recall] == pytest.approx(expected)
    scores = []
    for k in range(9):
        hits, called, there = ((predicted == k) & (labels == k)).sum(), (predicted == k).sum(), (labels == k).sum()
        if called + there:
            scores.append(2 * hits / (called + there))
    assert len(scores) == 8
    assert by_class.macro_f1 == pytest.approx(np.mean(scores))


def test_padding_does_not_count(labelled):
    logits, labels = labelled
    padded = counted(logits, labels, jnp.arange(60) < 41)
    alone = counted(logits[:41], labels[:41])
    np.testing.assert_array_equal(padded.confusion, alone.confusion)
    assert padded.top_accuracy == alone.top_accuracy
    assert int(padded.totals.count) == 41


def test_a_network_s_tally_has_the_bits_of_its_evaluation(toy):
    model = DenseNetwork(classes=2)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 12, 12, 1)))
    feed = feed_of(*map(np.asarray, toy), mesh_of(1))
    tally = make_tally(model, Prepare(), 2)(variables, feed)
    assert tally.means() == make_evaluate(model, Prepare())(variables, feed, np.arange(200))
    assert tally.top_accuracy == 1  # of two classes
    assert np.asarray(tally.confusion).sum() == 200
