"""Measures of similarity: equal to independent oracles in float64, and invariant to what they say and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import sqrtm, subspace_angles
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group, spearmanr

from cnnviz.comparison.measures import MEASURES
from cnnviz.errors import InputError

n, p, q = 60, 7, 5


@pytest.fixture(scope="module")
def pair():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((n, p)) * np.linspace(0.5, 3, p) + draw.standard_normal(p)
    return x, np.tanh(x @ draw.standard_normal((p, q)) / 5) + 0.3 * draw.standard_normal((n, q))


def gram(x):
    centering = np.eye(len(x)) - 1 / len(x)
    return centering @ x @ x.T @ centering


def hsic_1(k, l):
    """Song et al., Eq. 5, as it is printed there."""
    k, l, m, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), len(k), np.ones(len(k))
    sums = (one @ k @ one) * (one @ l @ one) / ((m - 1) * (m - 2)) - 2 / (m - 2) * one @ k @ l @ one
    return (np.trace(k @ l) + sums) / (m * (m - 3))


def ratio(product, k, l):
    return product(k, l) / np.sqrt(product(k, k) * product(l, l))


def rbf(x):
    squares = squareform(pdist(x, "sqeuclidean"))
    centering = np.eye(len(x)) - 1 / len(x)
    return centering @ np.exp(-squares / (2 * np.median(squares))) @ centering


def largest(x, share=0.99):
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, : np.argmax(np.cumsum(s**2) / np.sum(s**2) >= share) + 1]


def projection_weighted(x, y):
    """The eigenvectors of Σxx^-½ Σxy Σyy^-1 Σyx Σxx^-½, for the representation with fewer features."""
    x, y = (x, y) if x.shape[1] <= y.shape[1] else (y, x)
    x, y = x - x.mean(0), y - y.mean(0)
    white = np.linalg.inv(np.real(sqrtm(x.T @ x)))
    squares, turn = np.linalg.eigh(white @ x.T @ y @ np.linalg.inv(y.T @ y) @ y.T @ x @ white)
    weights = np.abs((x @ white @ turn).T @ x).sum(1)
    return weights @ np.sqrt(squares.clip(0)) / weights.sum()


def rotated(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.real(np.trace(sqrtm(y.T @ x @ x.T @ y))) / np.linalg.norm(x) / np.linalg.norm(y)


def neighbors(x, k=10):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    return [set(row) for row in np.argsort(-near, 1)[:, :k]]


ORACLES = {
    "linear_cka": lambda x, y: ratio(lambda k, l: np.trace(k @ l), gram(x), gram(y)),
    "debiased_cka": lambda x, y: ratio(hsic_1, x @ x.T, y @ y.T),
    "rbf_cka": lambda x, y: ratio(lambda k, l: np.sum(k * l), rbf(x), rbf(y)),
    "svcca": lambda x, y: np.cos(subspace_angles(largest(x), largest(y))).mean(),
    "pwcca": projection_weighted,
    "procrustes": rotated,
    "mutual_knn": lambda x, y: np.mean([len(a & b) / 10 for a, b in zip(neighbors(x), neighbors(y), strict=True)]),
    "rsa": lambda x, y: spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0],
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_equals_its_oracle(name, pair):
    assert abs(MEASURES[name](*pair) - ORACLES[name](*pair)) < 1e-6
    assert abs(MEASURES[name](*pair[::-1]) - ORACLES[name](*pair[::-1])) < 1e-6
    single = [each.astype(np.float32) for each in pair]
    assert abs(MEASURES[name](*single) - ORACLES[name](*[each.astype(np.float64) for each in single])) < 1e-6


@pytest.mark.parametrize("name", ["linear_cka", "debiased_cka", "rbf_cka", "procrustes", "mutual_knn", "rsa"])
def test_a_measure_equals_its_oracle_with_more_features_than_images(name):
    draw = np.random.default_rng(1)
    x = draw.standard_normal((20, 90))
    y = x[:, :70] + draw.standard_normal((20, 70))
    assert abs(MEASURES[name](x, y) - ORACLES[name](x, y)) < 1e-6


@pytest.mark.parametrize("name", MEASURES)
def test_a_representation_is_entirely_similar_to_itself(name, pair):
    assert abs(MEASURES[name](pair[0], pair[0].copy()) - 1) < 1e-9


@pytest.mark.parametrize("name", MEASURES)
def test_symmetry_where_it_is_claimed(name, pair):
    x, y = pair[0], pair[0] ** 2 + np.random.default_rng(2).standard_normal((n, p))  # as many directions
    assert (abs(MEASURES[name](x, y) - MEASURES[name](y, x)) < 1e-9) == MEASURES[name].symmetric


CHANGES = {
    "orthogonal": lambda x: x @ ortho_group.rvs(x.shape[1], random_state=3),
    "scale": lambda x: 1e3 * x,
    "translation": lambda x: x + np.arange(x.shape[1])[None, :],
    "linear": lambda x: x * np.geomspace(0.01, 100, x.shape[1])[None, :],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", MEASURES)
def test_invariance_where_it_is_claimed_and_not_where_it_is_not(name, change, pair):
    x, y = pair
    before, after = MEASURES[name](y, x), MEASURES[name](CHANGES[change](y), x)
    assert (abs(before - after) < 1e-9) == (change in MEASURES[name].invariant_to)


def test_options_that_make_a_measure_invariant(pair):
    x, y = pair
    for name, options in (("mutual_knn", {"nearness": "euclidean"}), ("rsa", {"dissimilarity": "euclidean"})):
        for change in ("orthogonal", "translation"):
            assert abs(MEASURES[name](x, y, **options) - MEASURES[name](CHANGES[change](x), y, **options)) < 1e-9


def test_svcca_of_all_directions_is_the_mean_canonical_correlation_which_no_linear_map_changes(pair):
    svcca = replace(MEASURES["svcca"], keep=1.0)
    assert abs(svcca(*pair) - svcca(CHANGES["linear"](pair[0]), pair[1])) < 1e-9
    assert abs(svcca(*pair) - svcca(*pair, keep=p)) < 1e-12
    assert abs(svcca(*pair, keep=2) - svcca(*pair, keep=5)) > 0.01


def test_many_images_take_another_way_to_the_same_correlations():
    draw = np.random.default_rng(7)
    x = draw.standard_normal((2000, 80)) * np.geomspace(1e-3, 1, 80)
    y = np.tanh(x @ draw.standard_normal((80, 75)))
    for name in ("svcca", "pwcca"):
        assert abs(MEASURES[name](x, y) - ORACLES[name](x, y)) < 1e-6


def test_the_published_code_of_cka_prints_these_numbers():
    """google-research/representation_similarity, Demo.ipynb: its data and what it prints."""
    draw = np.random.RandomState(1337)
    x = draw.randn(100, 10)
    y = draw.randn(100, 10) + x
    assert f"{MEASURES['linear_cka'](x, y):.5f}" == "0.55761"
    assert f"{MEASURES['debiased_cka'](x, y):.5f}" == "0.51346"
    assert f"{MEASURES['rbf_cka'](x, y, fraction=0.5):.5f}" == "0.65483"


def test_negative_debiased_values_are_reported_as_they_are():
    draw = np.random.default_rng(4)
    found = [MEASURES["debiased_cka"](*draw.standard_normal((2, 10, 30))) for _ in range(200)]
    assert min(found) < -0.1
    assert abs(np.mean(found)) < 0.05
    assert np.mean([MEASURES["linear_cka"](*draw.standard_normal((2, 10, 30))) for _ in range(50)]) > 0.5


def test_the_debiased_value_is_the_same_from_features_and_from_kernels(pair):
    from cnnviz.comparison.measures.cka import Linear, debiased_product
    from cnnviz.comparison.measures.hsic import inner
    from cnnviz.comparison.measures.measure import centered

    x, y = (Linear(centered(each)) for each in pair)
    assert abs(debiased_product(x, y) - inner(x.u_kernel, y.u_kernel)) < 1e-9 * abs(inner(x.u_kernel, y.u_kernel))


@pytest.mark.parametrize("name", MEASURES)
def test_a_prepared_representation_can_be_shuffled(name, pair):
    measure, order = MEASURES[name], np.random.default_rng(5).permutation(n)
    x, y = map(measure.prepare, pair)
    shuffled = measure.compare(x, measure.shuffled(y, order))
    assert abs(shuffled - measure(pair[0], pair[1][order])) < 1e-9
    assert shuffled < measure(*pair) - 0.1


def test_shuffled_images_share_neighbors_by_chance():
    draw = np.random.default_rng(6)
    assert abs(MEASURES["mutual_knn"](*draw.standard_normal((2, 500, 8))) - 10 / 499) < 0.01


def test_equally_near_images_count_in_their_order():
    x = np.zeros((30, 3))
    x[0] = 1, 2, 3  # all other images have no direction, and are equally near to all
    found = MEASURES["mutual_knn"].prepare(x)
    assert sorted(found[20].tolist()) == list(range(10))


@pytest.mark.parametrize("name", MEASURES)
def test_large_and_tiny_values_do_not_overflow(name, pair):
    x, y = (each.astype(np.float32) for each in pair)
    assert abs(MEASURES[name](x * np.float32(1e30), y * np.float32(1e-30)) - MEASURES[name](x, y)) < 1e-4


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.eye(3), np.eye(3), "at least 4 images; X has 3"),
        (np.eye(5), np.eye(6), "they have 5 and 6"),
        (np.ones((20, 3)), np.eye(20), "X is the same for all 20 images"),
        (np.eye(20), np.full((20, 2), np.nan), "Y has 40 values that are NaN"),
        (np.eye(20)[None], np.eye(20), "its shape is (1, 20, 20)"),
        (np.eye(20)[:, :0], np.eye(20), "X has no features"),
    ],
)
def test_what_cannot_be_compared_is_refused(name, x, y, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
        MEASURES[name](x, y)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("mutual_knn", {"k": 0}, "at least 1"),
        ("mutual_knn", {"k": 59}, "at least 61 images"),
        ("mutual_knn", {"nearness": "cosin"}, "did you mean 'cosine'"),
        ("svcca", {"keep": 1.5}, "keep"),
        ("rbf_cka", {"fraction": 0.0}, "fraction"),
        ("rsa", {"by": "kendall"}, "kendall"),
    ],
)
def test_options_are_checked(name, options, said, pair):
    with pytest.raises(InputError, match=said):
        MEASURES[name](*pair, **options)


@pytest.mark.parametrize("size", [20, 25])  # three minibatches of 20 in both cases
def test_cka_of_minibatches_averages_hsic(pair, size):
    x, y = pair
    parts = [slice(0, 20), slice(20, 40), slice(40, 60)]
    linear = [[each[part] @ each[part].T for part in parts] for each in (x, y)]
    mean = lambda one, other: sum(hsic_1(k, l) for k, l in zip(one, other, strict=True))
    found = MEASURES["debiased_cka"](x, y, minibatch=size)
    assert found == pytest.approx(ratio(mean, *linear), abs=1e-9)
    assert abs(found - MEASURES["debiased_cka"](x, y)) > 1e-3
    mean = lambda one, other: sum(np.sum(k * l) for k, l in zip(one, other, strict=True))
    of_parts = [[gram(each[part]) for part in parts] for each in (x, y)]
    assert MEASURES["linear_cka"](x, y, minibatch=size) == pytest.approx(ratio(mean, *of_parts), abs=1e-9)
    assert MEASURES["debiased_cka"](x, x, minibatch=size) == pytest.approx(1, abs=1e-12)


def test_one_minibatch_of_all_images_is_no_minibatch(pair):
    for name in ("linear_cka", "debiased_cka"):
        assert MEASURES[name](*pair, minibatch=n) == pytest.approx(MEASURES[name](*pair), abs=1e-9)


@pytest.mark.parametrize(
    ("size", "text"), [(3, "at least 4 images for CKA; it had 3"), (5, "Minibatches of 5 leave 3")]
)
def test_minibatches_too_small_are_refused(pair, size, text):
    with pytest.raises(InputError, match=text):
        MEASURES["debiased_cka"](*(each[:7] if size == 5 else each for each in pair), minibatch=size)
