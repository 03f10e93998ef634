"""How often two standard errors contain the true value: `python benchmarks/standard_errors.py`.

One image of 14 x 14 pixels is explained 200 times, each time with other draws, by every method that reports a standard
error, for a score of 16 rectified and saturating units. The true value is the mean over a thousand more times. A
normal estimate would be inside in 95.4% of all.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from cnnviz.attribution import build
from cnnviz.attribution.inputs import Row
from cnnviz.attribution.present import Presentation
from cnnviz.attribution.run import run

SHAPE, KEYS, MORE, UNITS = (14, 14, 1), 200, 1000, 16
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("shapley_sampling", {"mask": "grid:4"}),
    ("shapley_sampling", {"mask": "grid:7"}),
    ("shapley_sampling", {"mask": "grid:4", "antithetic": False}),
    ("kernel_shap", {"mask": "grid:4", "samples": 300}),
    ("lime", {"mask": "grid:4", "samples": 300}),
    ("rise", {"samples": 300}),
    ("sobol", {"mask": "grid:4"}),
    ("sobol", {"mask": "grid:4", "order": "first"}),
    ("sobol", {"mask": "grid:4", "samples": 32}),
    ("sobol", {"mask": "grid:4", "samples": 32, "order": "first"}),
    ("sobol", {"mask": "grid:4", "samples": 64}),
    ("sobol", {"mask": "grid:4", "samples": 64, "order": "first"}),
    ("feature_permutation", {"mask": "grid:4"}),
    ("feature_permutation", {"mask": "grid:4", "samples": 40}),
    ("hsic", {"mask": "grid:4", "samples": 200}),
    ("hsic", {"mask": "grid:4", "samples": 400}),
]


def score_of(weights: Any, row: Row) -> Any:
    """A score that is not linear in the image."""
    units = lambda x: jnp.tanh(jax.nn.relu(jnp.einsum("khwc,hwc->k", weights[0], x)))
    return lambda image, offsets: (units(image) @ weights[1], {})


def drawn() -> tuple[Any, np.ndarray]:
    """The weights of the score, and the image."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(UNITS, *SHAPE)) / 5, rng.normal(size=UNITS)
    return tuple(jnp.asarray(w, jnp.float32) for w in weights), rng.uniform(0, 1, SHAPE).astype(np.float32)


def explained(name: str, options: dict[str, Any], times: int, seed: int, details: bool) -> Any:
    """The image's attributions with so many draws."""
    weights, image = drawn()
    method = build(name, **options).fitted_to([], SHAPE)
    rows = Row(jnp.asarray(np.repeat(image[None], times, 0)))
    return run(method, score_of, weights, rows, key=jax.random.key(seed), finish=Presentation(None, None, details))


def main() -> None:
    print(f"{'method':20}{'options':45}{'inside':>8}{'least':>8}{'most':>8}{'error / sd':>12}")
    for name, options in ASKED:
        found = explained(name, options, KEYS, 3, True)
        maps, error = np.asarray(found.maps), np.asarray(found.error)
        true = np.asarray(explained(name, options, MORE, 9, False).maps).mean(0)
        inside = abs(maps - true) <= 2 * error
        ratio = np.sqrt(np.square(error).mean() / maps.var(0, ddof=1).mean())
        shares = f"{inside.mean():8.3f}{inside.mean(0).min():8.3f}{inside.mean(0).max():8.3f}"
        print(f"{name:20}{options!s:45}{shares}{ratio:12.2f}", flush=True)


if __name__ == "__main__":
    main()
