"""Labels that a function gives to parts of its graph while it is traced: a part by a scope, one value by a mark.

Both pass through `jit`, `remat`, `vmap` and loops, and neither changes a value. A graph reads them and keeps neither:
labels are taken out of the nodes' scopes, and a marked value is the value itself.
"""

import re
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import jax
from jax.ad_checkpoint import checkpoint_name

MARK = "//cnnviz:"
LABEL = re.compile(r"<([^<>]*)>/?")


def label(text: str) -> AbstractContextManager:
    """A context in which everything that is traced has this label, inside the labels around it."""
    return jax.named_scope(f"<{quote(text, safe='/#!*@')}>")


def mark(array: Any, text: str) -> Any:
    """The array, which the graph lists among its marks with this text."""
    return checkpoint_name(array, MARK + text)


@lru_cache(maxsize=10_000)
def split(scope: str) -> tuple[str, tuple[str, ...]]:
    """A scope without labels, and its labels, the outermost first."""
    return LABEL.sub("", scope).strip("/"), tuple(map(unquote, LABEL.findall(scope)))
