"""Attacks against foolbox's, where it is installed: the same network in PyTorch, the same images."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
foolbox = pytest.importorskip("foolbox")

from benchmarks.twin import twin  # noqa: E402
from cnnviz.metrics.attacks.run import attacked  # noqa: E402
from cnnviz.models.cnn import CNN  # noqa: E402

IMAGES = np.random.default_rng(1).uniform(size=(8, 28, 28, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def both():
    """A network whose weights are all drawn, what it says of the images, and its twin as foolbox takes it."""
    rng, model = np.random.default_rng(0), CNN()
    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES)["params"]
    draw = lambda leaf: rng.normal(0, 1 / np.sqrt(max(leaf.size / leaf.shape[-1], 4)), leaf.shape).astype(np.float32)
    variables = {"params": jax.tree.map(draw, shapes)}
    network = foolbox.PyTorchModel(twin(model, variables), bounds=(0, 1), device="cpu")
    labels = network(theirs(IMAGES)).argmax(-1).numpy()
    return model, variables, labels, network


def theirs(images):
    return torch.from_numpy(np.array(np.asarray(images).transpose(0, 3, 1, 2), order="C"))


def run(attack, both, epsilon, **options):
    """The images that our attack and foolbox's end at, as ours are laid out."""
    model, variables, labels, network = both
    name, norm, given = options.pop("name"), options["norm"], options.pop("theirs", {})
    own = attacked(attack, model, variables, IMAGES, labels, epsilon, key=jax.random.key(0), **options)
    prefix = {"linf": "Linf", "l2": "L2"}[norm]
    peer = getattr(foolbox.attacks, prefix + name)(**given)
    _, found, _ = peer(network, theirs(IMAGES), torch.from_numpy(labels), epsilons=epsilon)
    return np.asarray(own), found.numpy().transpose(0, 2, 3, 1)


def loss(both, images):
    """The mean cross-entropy of the labels, and how many images keep their class."""
    _, _, labels, network = both
    with torch.no_grad():
        logits = network(theirs(images))
    return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))), (
        logits.argmax(-1).numpy() == labels
    )


def lead(both, images):
    """By how much each label's logit is above the largest other one."""
    _, _, labels, network = both
    with torch.no_grad():
        logits = network(theirs(images)).numpy()
    own = logits[np.arange(len(labels)), labels]
    logits[np.arange(len(labels)), labels] = -np.inf
    return own - logits.max(-1)


def lengths(images, norm):
    change = (images - IMAGES).reshape(len(images), -1)
    return np.linalg.norm(change, ord=np.inf if norm == "linf" else 2, axis=1)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.02), ("l2", 0.5)])
def test_the_fast_gradient_step_is_that_of_foolbox(both, norm, epsilon):
    own, other = run("fgsm", both, epsilon, norm=norm, name="FastGradientAttack")
    apart = abs(own - other)
    assert (apart > 1e-5).mean() < 1e-3  # where the gradient is zero but for rounding, its sign may differ
    assert apart.mean() < 1e-5


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.02), ("l2", 0.5)])
def test_projected_descent_is_as_strong_as_that_of_foolbox(both, norm, epsilon):
    name = {"linf": "PGD", "l2": "ProjectedGradientDescentAttack"}[norm]
    steps = {"steps": 20, "rel_stepsize": 2.5 / 20}
    own, other = run("pgd", both, epsilon, norm=norm, name=name, theirs=steps)
    (ours, kept), (reference, kept_by_theirs) = loss(both, own), loss(both, other)
    assert ours == pytest.approx(reference, rel=0.05)
    assert reference > loss(both, IMAGES)[0] + 0.1
    assert abs(kept.sum() - kept_by_theirs.sum()) <= 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_minimal_change_is_no_longer_than_that_of_foolbox(both, norm):
    own, other = run("minimal", both, None, norm=norm, name="DeepFoolAttack")
    assert (lead(both, own) < 1e-3).all()  # at the boundary PyTorch's rounding may find the other side
    assert (lead(both, IMAGES) > 1e-2).all()
    ratio = lengths(own, norm) / lengths(other, norm)
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert (ratio < 1.1).all()
