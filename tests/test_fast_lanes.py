"""Calls that are sent from two threads: in turn, in order, and only where the other thread would compute the same."""

import os
import threading
from contextvars import ContextVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnnviz.attribution import attribute
from cnnviz.batching import map_samples
from cnnviz.fast import lanes as fast
from cnnviz.models.dense import DenseNetwork

pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu" or jax.device_count() > 1, reason="lanes are of one CPU")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def threads(calls=4):
    """For each call, whether it was sent from another thread than this one."""
    send = fast.lanes()
    return [send(threading.get_ident) != threading.get_ident() for _ in range(calls)]


def test_every_second_call_is_sent_from_another_thread():
    assert threads() == [False, True, False, True]


@pytest.mark.parametrize(
    "settings", [lambda: jax.enable_x64(True), lambda: jax.default_matmul_precision("bfloat16"), jax.disable_jit]
)
def test_what_holds_in_this_thread_alone_keeps_calls_here(settings):
    with settings():
        assert not any(threads())


def test_calls_inside_a_transform_stay_here():
    found = []
    jax.jit(lambda x: (found.extend(threads()), x)[1])(1.0)
    assert found == [False] * 4


def test_there_are_no_lanes_for_large_calls_one_core_or_without_the_switch(monkeypatch):
    assert fast.lanes(fast.MOST_BYTES + 1) is None
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert fast.lanes() is None
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setenv("CNNVIZ_PLAIN", "1")
    assert fast.lanes() is None


def test_there_are_no_lanes_on_an_accelerator_or_several_devices(monkeypatch):
    assert fast.lanes() is not None
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    assert fast.lanes() is None
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert fast.lanes() is None


def test_calls_of_a_call_stay_in_its_thread():
    send = fast.lanes()
    assert send(fast.lanes) is not None
    assert send(fast.lanes) is None


def test_the_other_thread_has_the_context_of_this_one():
    name = ContextVar("name", default="")
    name.set("mine")
    send = fast.lanes()
    assert [send(name.get) for _ in range(2)] == ["mine", "mine"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_child_process_has_its_own_other_thread():
    threads()
    child = os.fork()
    if not child:
        os._exit(0 if fast._other_thread().submit(int).result(5) == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_error_in_the_other_thread_is_raised_here():
    send = fast.lanes()
    assert send(int) == 0
    with pytest.raises(ZeroDivisionError):
        send(lambda: 1 / 0)


def test_samples_of_several_chunks_are_in_order_and_each_call_is_reported():
    told = []
    found = map_samples(
        lambda rows, first, size: rows[:, None] + first + jnp.arange(size)[None],
        lambda rows, total: total.sum(1),
        jnp.arange(7.0),
        5,
        4,
        keep=True,
        report=lambda done, total: told.append((done, total)),
        send=fast.lanes(),
    )
    np.testing.assert_array_equal(found, 5 * np.arange(7) + 10)
    assert told == [(i, 14) for i in range(1, 15)]


@pytest.mark.parametrize("method", ["gradient", "occlusion", "smooth_grad"])
def test_maps_are_the_same_bits_with_and_without_lanes(method, monkeypatch):
    images = np.random.default_rng(0).uniform(size=(9, 6, 6, 1)).astype(np.float32)
    model = DenseNetwork(classes=3)
    variables = model.init(jax.random.key(0), jnp.asarray(images))
    maps = lambda: np.asarray(attribute(method, model, variables, images, 1, key=jax.random.key(1), batch_size=2))
    found = maps()
    monkeypatch.setattr("cnnviz.attribution.run.lanes", lambda call_bytes: None)
    np.testing.assert_array_equal(maps(), found)
