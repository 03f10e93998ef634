"""`attacked`: images changed so that a network's answer becomes another one."""

from typing import Any

import numpy as np

from cnnviz.attribution.explain import build as build_method
from cnnviz.attribution.explained import ask
from cnnviz.attribution.inputs import check_key
from cnnviz.attribution.run import run
from cnnviz.attribution.shapes import Method
from cnnviz.batching import Report
from cnnviz.errors import InputError
from cnnviz.metrics.attacks import ATTACKS
from cnnviz.metrics.measuring import check_single
from cnnviz.metrics.outcome import Outcome
from cnnviz.probe import NOTHING, Call
from cnnviz.registry import resolve
from cnnviz.types import Array, Key, VariablesLike


def attacked(
    attack: str | type[Method] | Method,
    model: Any,
    variables: VariablesLike,
    images: Any,
    labels: Any,
    epsilon: Any = None,
    *,
    key: Key | None = None,
    batch_size: int | None = None,
    call: Call = NOTHING,
    report: Report | None = None,
    **options: Any,
) -> Array:
    """The changed images, in the shape of `images`, which are against their `labels`.

    `attack` is a name in `ATTACKS` or an attack, with its `options`. `epsilon` is the largest change, one number or one
    per image in the attack's norm and in units of the network's input; another one does not recompile. "minimal" takes
    none: it looks for the smallest. Raises InputError for an epsilon that is missing, negative or not wanted.
    """
    known: Any = resolve(ATTACKS, attack, "attack") if isinstance(attack, str) else attack
    asked = build_method(known, **options)
    check_key(asked, key)
    images = check_single(images)
    question = ask(model, variables, images, labels, None, call, None)
    explained, rows, _ = question.of_inputs(None, None, lambda *each: each)
    if hasattr(asked, "epsilon"):
        asked = build_method(asked, epsilon=_epsilons(epsilon, len(images)))
    elif epsilon is not None:
        raise InputError(f"{type(asked).__name__} looks for the smallest change, so it takes no epsilon.")
    outcome = Outcome(explained, "log_probability", question.traced.ending)
    shared = {"key": key, "batch_size": batch_size, "report": report, "row_bytes": 2 * question.traced.row_bytes}
    return run(asked, outcome, question.variables, rows, **shared)


def _epsilons(epsilon: Any, count: int) -> np.ndarray:
    values = np.asarray(np.nan if epsilon is None else epsilon, np.float32)
    if values.shape not in ((), (count,)) or not (values >= 0).all():
        raise InputError(
            f"epsilon is the largest change, one number or one per image, not negative; it was {epsilon!r}."
        )
    return np.broadcast_to(values, (count,))
