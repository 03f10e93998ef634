"""Metrics of maps: cases by hand, and values written again in NumPy as their papers and other libraries define them."""

from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from cnnviz.attribution import METHODS, attribute
from cnnviz.attribution.alike import fractional_ranks
from cnnviz.errors import InputError, InputTypeError
from cnnviz.graph import Graph
from cnnviz.graph.cost import products
from cnnviz.metrics import METRICS
from cnnviz.metrics.imputation import imputed
from cnnviz.metrics.measuring import build, measure
from cnnviz.metrics.members import OfMembers
from cnnviz.metrics.order import ranks
from cnnviz.metrics.remade import OfMethod
from cnnviz.metrics.shapes import OfMap, Perturbation
from cnnviz.metrics.subsets import random_subset

KEY = jax.random.key(3)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(6, 6, 1)).astype(np.float32)
IMAGE = RNG.uniform(0.1, 1, (6, 6, 1)).astype(np.float32)
SHARED = ("infidelity", "faithfulness_correlation", "mu_fidelity", "sensitivity_n", "non_sensitivity")
OF_MAP = [name for name in METRICS if isinstance(build(name), OfMap)]


def linear(image, offsets):
    """A linear score, whose exact map is its weights times the image."""
    return (WEIGHTS * image).sum(), {}


def of(name, map, score=linear, image=IMAGE, key=KEY, **options):
    """A metric's number for one image, as its formula gives it."""
    metric = build(name, **options)
    return float(jax.jit(lambda image, map, key: metric(score, image, map, key))(image, map, key))


EXACT = (WEIGHTS * IMAGE)[..., 0]


@pytest.mark.parametrize("name", ["sensitivity_n", "faithfulness_correlation", "mu_fidelity"])
def test_the_exact_map_of_a_linear_score_correlates_perfectly(name):
    assert of(name, EXACT) == pytest.approx(1, abs=1e-4)
    assert of(name, -EXACT) == pytest.approx(-1, abs=1e-4)
    assert abs(of(name, np.roll(EXACT, 17).astype(np.float32))) < 0.6


@pytest.mark.parametrize("perturbation", ["noise", "square"])
def test_the_gradient_of_a_linear_score_has_no_infidelity(perturbation):
    assert of("infidelity", WEIGHTS[..., 0], perturbation=perturbation) == pytest.approx(0, abs=1e-9)
    assert of("infidelity", 2 * WEIGHTS[..., 0], perturbation=perturbation, scaled=True) == pytest.approx(0, abs=1e-9)
    assert of("infidelity", 2 * WEIGHTS[..., 0], perturbation=perturbation) > 1e-3


def test_infidelity_by_noise_is_its_expectation():
    """For a linear score and a wrong map it is noise^2 ||m - w||^2."""
    wrong = np.zeros_like(EXACT)
    expected = 0.2**2 * np.square(WEIGHTS).sum()
    assert of("infidelity", wrong, samples=20_000) == pytest.approx(expected, rel=0.04)


def deleted(map, steps, start, end):
    """The scores of Xplique's deletion for one image, as a loop."""
    order = np.argsort(-map.ravel(), kind="stable")
    scores = []
    for count in np.linspace(0, map.size, steps + 1).astype(int):
        flat = start.copy().ravel()
        flat[order[:count]] = end.ravel()[order[:count]]
        scores.append((WEIGHTS.ravel() * flat).sum())
    return np.array(scores)


@pytest.mark.parametrize("steps", [1, 5, 10, 36])
def test_deletion_and_insertion_are_areas_under_their_curves(steps):
    black = np.zeros_like(IMAGE)
    area = lambda curve: np.mean((curve[1:] + curve[:-1]) / 2)
    options = {"steps": steps, "infill": 0.0, "of": "logit"}
    assert of("deletion", EXACT, **options) == pytest.approx(area(deleted(EXACT, steps, IMAGE, black)), rel=1e-4)
    assert of("insertion", EXACT, **options) == pytest.approx(area(deleted(EXACT, steps, black, IMAGE)), rel=1e-4)


def test_pixel_flipping_is_the_mean_fall_of_the_score():
    curve = deleted(EXACT, 36, IMAGE, IMAGE.min() + IMAGE.max() - IMAGE)
    assert of("pixel_flipping", EXACT) == pytest.approx(np.mean(curve[0] - curve), rel=1e-4)
    curve = deleted(EXACT, 9, IMAGE, np.zeros_like(IMAGE))
    options = {"pixels": 4, "infill": 0.0, "area": "under"}
    assert of("pixel_flipping", EXACT, **options) == pytest.approx(np.mean((curve[1:] + curve[:-1]) / 2), rel=1e-4)


def test_pixels_of_pixel_flipping_that_do_not_divide_all_leave_a_rest():
    metric = build("pixel_flipping", pixels=10).fitted_to((), (6, 6, 1))
    assert metric.amounts(36).tolist() == [0, 10, 20, 30, 36]


def test_no_order_is_better_than_the_exact_one_for_a_linear_score():
    orders = [RNG.permutation(EXACT.ravel()).reshape(6, 6) for _ in range(20)]
    best = of("deletion", EXACT, of="logit")
    assert all(of("deletion", order, of="logit") > best for order in orders)
    options = {"of": "logit", "infill": 0.0}
    best = of("insertion", EXACT, **options)
    assert all(of("insertion", order, **options) < best for order in orders)


def test_ties_go_in_the_order_of_memory_or_at_random():
    flat = jnp.zeros((4, 4))
    assert ranks(flat, "first", KEY).ravel().tolist() == list(range(16))
    drawn = [ranks(flat, "random", jax.random.key(i)).ravel().tolist() for i in range(5)]
    assert all(sorted(each) == list(range(16)) for each in drawn)
    assert len({tuple(each) for each in drawn}) == 5
    some = jnp.asarray([[1.0, 3.0], [2.0, 3.0]])
    assert ranks(some, "first", KEY).tolist() == [[3, 0], [2, 1]]
    assert ranks(some, "first", KEY, ascending=True).tolist() == [[0, 2], [1, 3]]


def test_ranks_share_the_mean_of_ties_as_scipy_does():
    a, b = RNG.integers(0, 5, (2, 30))
    found = np.corrcoef(fractional_ranks(jnp.asarray(a)), fractional_ranks(jnp.asarray(b)))[0, 1]
    assert found == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)


def solved(image, mask):
    """The linear system of ROAD's authors, dense."""
    h, w = mask.shape
    weights = {(0, 1): 1 / 6, (0, -1): 1 / 6, (1, 0): 1 / 6, (-1, 0): 1 / 6}
    weights |= {(i, j): 1 / 12 for i in (-1, 1) for j in (-1, 1)}
    places = [tuple(at) for at in np.argwhere(mask)]
    system, right = np.zeros((len(places), len(places))), np.zeros((len(places), image.shape[-1]))
    for row, (i, j) in enumerate(places):
        for (di, dj), weight in weights.items():
            at = i + di, j + dj
            if not (0 <= at[0] < h and 0 <= at[1] < w):
                continue
            system[row, row] += weight
            if mask[at]:
                system[row, places.index(at)] -= weight
            else:
                right[row] += weight * image[at]
    found = image.copy()
    found[mask] = np.linalg.solve(system, right)
    return found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_imputed_pixels_solve_the_system_of_their_neighbours(share):
    image, mask = RNG.uniform(size=(9, 7, 2)).astype(np.float32), RNG.uniform(size=(9, 7)) < share
    found = np.asarray(jax.jit(imputed, static_argnums=2)(image, mask, 0.0, KEY))
    np.testing.assert_allclose(found, solved(image, mask), atol=2e-4)
    noisy = np.asarray(jax.jit(imputed, static_argnums=2)(image, mask, 0.1, KEY)) - found
    assert not noisy[~mask].any()
    assert noisy[mask].std() == pytest.approx(0.1, rel=0.6)


def test_images_imputed_together_are_those_imputed_one_by_one():
    images = RNG.uniform(size=(3, 9, 7, 2)).astype(np.float32)
    masks = RNG.uniform(size=(4, 9, 7)) < np.array([0.1, 0.5, 0.9, 0.97])[:, None, None]
    of_masks = jax.vmap(lambda image, mask: imputed(image, mask, 0.0, KEY), (None, 0))
    found = jax.jit(jax.vmap(of_masks, (0, None)))(images, masks)
    for i, image in enumerate(images):
        for j, mask in enumerate(masks):
            np.testing.assert_allclose(found[i, j], solved(image, mask), atol=2e-4)
            np.testing.assert_allclose(
                found[i, j], jax.jit(imputed, static_argnums=2)(image, mask, 0.0, KEY), atol=1e-6
            )


@pytest.mark.parametrize(("shape", "sizes"), [((5, 5), range(26)), ((300, 300), (1, 7, 4001, 4002, 45000, 90000))])
def test_a_random_subset_has_its_size_and_the_places_of_the_smallest_draws(shape, sizes):
    """Of 90,000 draws of 23 bits some hundred are equal to another one."""
    subset = jax.jit(random_subset, static_argnums=1)
    order = np.argsort(np.asarray(jax.random.uniform(KEY, (np.prod(shape),))), kind="stable")
    for size in sizes:
        found = np.asarray(subset(KEY, shape, size))
        assert found.sum() == size
        assert set(np.flatnonzero(found)) == set(order[:size])


def test_road_is_the_mean_over_imputed_images():
    options = {"percentages": (20, 50), "noise": 0.0, "of": "logit"}
    order = np.argsort(-EXACT.ravel(), kind="stable")
    scores = []
    for percentage in (20, 50):
        mask = np.zeros(36, bool)
        mask[order[: int(36 * percentage / 100)]] = True
        scores.append((WEIGHTS * solved(IMAGE, mask.reshape(6, 6))).sum())
    assert of("road", EXACT, **options) == pytest.approx(np.mean(scores), rel=1e-3)
    assert of("road", -EXACT, **options, first="least") == pytest.approx(np.mean(scores), rel=1e-3)


def saturating(image, offsets):
    """A score between 0 and 1, like a probability."""
    return jax.nn.sigmoid((WEIGHTS * image).sum()), {}


def test_drop_increase_and_gain_are_those_of_the_masked_image():
    p = lambda image: 1 / (1 + np.exp(-(WEIGHTS * image).sum()))
    for map in (EXACT, -EXACT):
        mask = (map - map.min()) / (map.max() - map.min())
        y, o = p(IMAGE), p(IMAGE * mask[..., None])
        assert of("average_drop", map, saturating) == pytest.approx(max(0, y - o) / y, abs=1e-5)
        assert of("average_increase", map, saturating) == float(o > y)
        assert of("average_gain", map, saturating) == pytest.approx(max(0, o - y) / (1 - y), abs=1e-4)
    mask = abs(EXACT) - abs(EXACT).min()
    o = p(IMAGE * (mask / mask.max())[..., None])
    assert of("average_drop", EXACT, saturating, absolute=True) == pytest.approx(max(0, y - o) / y, abs=1e-5)


def test_complexity_and_sparseness_of_maps_known_by_hand():
    one, equal = np.zeros((6, 6), np.float32), np.full((6, 6), -2.0, np.float32)
    one[2, 3] = -1e-20
    assert of("complexity", one) == pytest.approx(0, abs=1e-6)
    assert of("complexity", equal) == pytest.approx(np.log(36), rel=1e-6)
    assert of("sparseness", one) == pytest.approx(1 - 1 / 36, rel=1e-6)
    assert of("sparseness", equal) == pytest.approx(0, abs=1e-6)
    p = abs(EXACT.ravel()) / abs(EXACT).sum()
    assert of("complexity", EXACT) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
    ordered = np.sort(abs(EXACT).ravel())  # as Quantus has it
    gini = ((2 * np.arange(1, 37) - 37) * ordered).sum() / (36 * ordered.sum())
    assert of("sparseness", EXACT) == pytest.approx(gini, rel=1e-4)


def test_completeness_and_non_sensitivity_of_a_linear_score():
    assert of("completeness", EXACT) == pytest.approx(0, abs=1e-5)
    assert of("completeness", 2 * EXACT) == pytest.approx(1, abs=1e-4)
    assert of("completeness", 2 * EXACT, relative=False) == pytest.approx(abs(EXACT.sum()), rel=1e-4)
    some = WEIGHTS.copy()
    some[:2] = 0
    score = lambda image, offsets: ((some * image).sum(), {})
    exact = (some * IMAGE)[..., 0]
    assert of("non_sensitivity", exact, score) == 0
    exact[0, :3], exact[4, :2] = 1, 0
    assert of("non_sensitivity", exact, score) == pytest.approx(5 / 36)


# a small network through `measure`


class Net(nn.Module):
    dtype: type = jnp.float32

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv", dtype=self.dtype)(x))
        return nn.Dense(3, name="logits", dtype=self.dtype)(x.reshape(len(x), -1))


IMAGES = jnp.asarray(RNG.uniform(size=(5, 8, 8, 2)), jnp.float32)
TARGETS = np.array([0, 1, 2, 1, 0])


@cache
def network(dtype=jnp.float32):
    model = Net(dtype)
    return model, jax.jit(model.init)(jax.random.key(0), IMAGES)


@cache
def maps_of(method="input_x_gradient"):
    return attribute(method, *network(), IMAGES, TARGETS)


def measured(name, maps=None, **options):
    maps = maps_of() if maps is None else maps
    return measure(name, *network(), IMAGES, TARGETS, maps, **{"key": KEY, "method": "input_x_gradient"} | options)


SMALL = {"infidelity": 6, "faithfulness_correlation": 6, "mu_fidelity": 6, "sensitivity_n": 3, "max_sensitivity": 2}


def short(name):
    return {"samples": SMALL[name]} if name in SMALL else {}


@pytest.mark.parametrize("name", [name for name in METRICS if not isinstance(build(name), OfMembers)])
def test_a_metric_is_one_finite_number_per_image_for_any_batch_size(name):
    found = measured(name, **short(name))
    assert found.shape == (5,)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(measured(name, **short(name), batch_size=3), found, atol=1e-5)


def test_the_network_and_the_formula_agree():
    model, variables = network()
    logits = lambda image: model.apply(variables, image[None])[0]
    score = lambda image, offsets: (jax.nn.softmax(logits(image))[TARGETS[2]], {})
    one = build("deletion", steps=7)
    expected = jax.jit(lambda image, map: one(score, image, map, KEY))(IMAGES[2], maps_of()[2])
    assert measured("deletion", steps=7)[2] == pytest.approx(float(expected), rel=1e-4)
    curve = measured("deletion", steps=7, details=True)
    assert curve.parts.shape == (5, 8)
    p = jax.nn.softmax(jax.vmap(logits)(IMAGES))[np.arange(5), TARGETS]
    np.testing.assert_allclose(curve.parts[:, 0], p, rtol=1e-4)


@pytest.mark.parametrize("name", OF_MAP)
def test_several_maps_are_measured_as_each_alone(name):
    every = {method: maps_of(method) for method in ("gradient", "input_x_gradient")}
    every["values"] = attribute("gradient", *network(), IMAGES, TARGETS, channels="keep")
    found = measured(name, every, **short(name), details=True)
    assert list(found) == list(every)
    for method, maps in every.items():
        alone = measured(name, maps, **short(name), details=True)
        np.testing.assert_allclose(found[method].values, alone.values, atol=1e-5)
        assert (found[method].parts is None) == (alone.parts is None)
        if alone.parts is not None:
            np.testing.assert_allclose(found[method].parts, alone.parts, atol=1e-5)


@pytest.mark.parametrize("name", OF_MAP)
def test_images_that_are_perturbed_alike_pass_the_network_once(name):
    metric = build(name, **short(name)).fitted_to((), (6, 6, 1))
    mixing = jnp.ones((36, 5))
    score = lambda image, offsets: (jnp.tanh(image.ravel() @ mixing).sum(), {})

    def spent(count):
        one = Perturbation(metric=metric, map=jnp.stack([EXACT] * count)) if metric.shared else None
        sample = lambda image: one.contribute(score, image, one.draw(KEY, jnp.int32(0), image))
        return products(Graph.of(sample, jnp.asarray(IMAGE))[0]) if one else 0

    assert spent(3) == spent(1)
    assert metric.shared == (name in SHARED)


def test_several_maps_are_no_question_for_a_metric_that_asks_for_more():
    with pytest.raises(InputTypeError, match="MPRT asks one method for more maps, so it takes one array of maps"):
        measured("mprt", {"gradient": maps_of("gradient")})


def test_maps_with_channels_are_taken_value_by_value():
    raw = attribute("input_x_gradient", *network(), IMAGES, TARGETS, channels="keep")
    assert raw.shape == IMAGES.shape
    assert np.isfinite(measured("pixel_flipping", raw, steps=4)).all()
    np.testing.assert_allclose(measured("completeness", raw), measured("completeness"), atol=1e-4)


@pytest.mark.parametrize(
    ("maps", "text"),
    [
        (np.ones((5, 4, 4)), r"shape \(5, 8, 8\) or \(5, 8, 8, 2\); these have \(5, 4, 4\)"),
        (np.ones((4, 8, 8)), r"these have \(4, 8, 8\)"),
        (np.full((5, 8, 8), np.nan), "Map 0 holds NaN"),
        (np.ones((5, 8, 8)), r"Deletion is not defined for a constant map: map 0 is 1 everywhere \(5 of 5 maps\)"),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps, text):
    with pytest.raises(InputError, match=text):
        measured("deletion", maps)


@pytest.mark.parametrize("name", METRICS)
def test_a_map_that_a_metric_is_not_defined_for_is_said_and_never_a_silent_nan(name):
    metric = build(name)
    if isinstance(metric, OfMembers):
        return
    maps = np.array(maps_of())
    maps[3] = 0
    if metric.needs:
        with pytest.raises(InputError, match="map 3 is zero everywhere"):
            measured(name, maps, **short(name))
    found = measured(name, maps, **short(name), undefined="nan")
    assert np.isnan(found).tolist() == [False, False, False, bool(metric.needs), False]


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("deletion", {"steps": 0}, "steps is a positive integer; it was 0"),
        ("deletion", {"of": "prob"}, "'prob' is not a number of a network"),
        ("deletion", {"infill": "blak"}, "'blak' is not an infill; did you mean 'black'"),
        ("deletion", {"infill": "data"}, "needs images of a data set"),
        ("deletion", {"stpes": 3}, "'stpes' is not an option of Deletion; did you mean 'steps'"),
        ("deltion", {}, "'deltion' is not a metric; did you mean 'deletion'"),
        ("deletion", {"steps": 999}, "at most as many steps as an image has values, [0-9]+; steps was 999"),
        ("pixel_flipping", {"steps": 999}, "at most as many steps as an image has values, [0-9]+; steps was 999"),
        ("average_drop", {"of": "logit"}, "AverageDrop is a share of a probability: of is probability or correct"),
        ("average_gain", {"of": "log_probability"}, "of is probability or correct; it was log_probability"),
        ("infidelity", {"side": 9, "perturbation": "square"}, "at most as large as the image .*; side was 9"),
        ("input_invariance", {"shift": 0.0, "method": "gradient"}, "shift is .* a number that is not 0; it was 0"),
        ("input_invariance", {"shift": float("nan"), "method": "gradient"}, "not 0; it was nan"),
        ("road", {"percentages": (0, 50)}, "more than 0 and less than 100"),
        ("infidelity", {"samples": 0}, "samples is a positive integer"),
        ("infidelity", {"key": None}, "Infidelity draws at random; give it a key"),
        ("faithfulness_correlation", {"size": 64}, "A subset has fewer pixels than the map, which has 64"),
        ("random_logit", {"similarity": "sim"}, "'sim' is not a similarity"),
        ("mprt", {"method": None}, "MPRT asks for more maps, so it needs the method"),
        ("mege", {}, "MeGe compares several networks"),
    ],
)
def test_what_a_metric_cannot_do_is_an_error_that_says_so(name, options, text):
    with pytest.raises(InputError, match=text):
        measured(name, **options)


def test_other_targets_than_classes_have_logits_only():
    model, variables = network()
    maps = attribute("gradient", model, variables, IMAGES, lambda logits: logits.sum())
    given = model, variables, IMAGES, lambda logits: logits.sum(), maps
    assert np.isfinite(measure("deletion", *given, of="logit")).all()
    with pytest.raises(InputError, match="needs a class as the target"):
        measure("deletion", *given)
    pair = measure("deletion", model, variables, IMAGES, (0, 1), maps, steps=4)
    one, other = (measure("deletion", model, variables, IMAGES, i, maps, steps=4) for i in (0, 1))
    np.testing.assert_allclose(pair, one - other, atol=1e-5)


def test_images_of_several_inputs_are_refused():
    with pytest.raises(InputTypeError, match="one input"):
        measure("deletion", *network(), {"a": IMAGES}, 0, maps_of())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("deletion", {"steps": 7}),
        ("road", {"of": "probability", "percentages": (20, 50)}),
        ("faithfulness_correlation", {"samples": 20}),
        ("max_sensitivity", {"samples": 2}),
    ],
)
def test_a_bfloat16_network_is_measured_in_float32(name, options):
    model, variables = network(jnp.bfloat16)
    maps = attribute("input_x_gradient", model, variables, IMAGES, TARGETS)
    given = {"key": KEY, "method": "input_x_gradient", **options}
    found = measure(name, model, variables, IMAGES, TARGETS, maps, **given)
    np.testing.assert_allclose(found, measured(name, **options), rtol=0.05, atol=0.02)


def test_every_metric_says_its_paper():
    docs = [build(name).__doc__ or "" for name in METRICS]
    assert all("arXiv:" in text for text in docs)
    assert not set(METRICS) & set(METHODS)
    assert all(build(name).better in ("lower", "higher") for name in METRICS)
    assert [name for name in METRICS if isinstance(build(name), OfMethod)] == [
        "max_sensitivity", "mprt", "random_logit", "input_invariance",
    ]  # fmt: skip
    assert len(OF_MAP) == 15
