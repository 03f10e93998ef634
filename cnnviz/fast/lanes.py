"""Calls that are sent to JAX from two threads in turn, so that two of them are computed side by side on CPU.

JAX computes what one thread sends one after another, and most operations but convolutions and matrix products have one
core each: of two cores, half a core is idle. Two chunks at once take two thirds to nine tenths of the time. This thread
waits while the other one sends a call, so no two of them are in Python at once.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

import jax
from jax.extend.core import get_opaque_trace_state

from cnnviz.fast.switch import Rewrite, is_on
from cnnviz.types import Send

NAME = "cnnviz-lane"
MOST_BYTES = 2**28  # of what a call computes: there is twice as much then, and a large call fills the cores alone


def lanes(call_bytes: int = 0) -> Send | None:
    """Sends every second call from another thread; None where a call is large or alone as fast.

    `call_bytes` is what the values of one call take. Devices that share a call need all calls in one order.
    """
    several = (os.cpu_count() or 1) > 1 and jax.device_count() == 1
    is_other = threading.current_thread().name.startswith(NAME)  # which would wait for itself
    return _Lanes() if several and not is_other and is_on(Rewrite.LANES) and call_bytes <= MOST_BYTES else None


class _Lanes:
    def __init__(self) -> None:
        self.count = 0
        self.are_two: bool | None = None

    def __call__(self, call: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count == 2:
            self.are_two = _settings() == _other_thread().submit(_settings).result()
        if not self.are_two or self.count % 2:
            return call()
        return _other_thread().submit(copy_context().run, call).result()


def _settings() -> Any:
    """What JAX keeps for each thread: settings that a context manager made, a mesh, and the transform around a call."""
    return dict(jax.config.values), jax.sharding.get_abstract_mesh(), get_opaque_trace_state()


@cache
def _other_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, NAME)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_other_thread.cache_clear)  # a child process has only the thread that forked
