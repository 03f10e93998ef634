"""The processes of one training, on one machine or several: how they find each other, agree, and stop together."""

import json
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from cnnviz.errors import InputError
from cnnviz.training.rendezvous import meet
from cnnviz.types import PyTree

MANUAL = re.compile(r"(?P<host>.+):(?P<port>\d+),(?P<count>\d{1,6}),(?P<number>\d{1,6})")


def join(where: str, timeout: int) -> str:
    """Makes this process one of several, before JAX is used for anything else; a sentence that says which.

    `where` is "auto" (Slurm, a TPU pod, GKE, as JAX finds them), or "host:port,n,id": the address of process 0,
    how many there are, and which this is. Processes that do not come in `timeout` seconds are an InputError.
    """
    if where == "auto":
        return _join_found(timeout)
    given = MANUAL.fullmatch(where)
    if given is None:
        raise InputError(f'distributed is "auto", "off" or "host:port,n,id"; it was {where!r}.')
    host, port, count, number = given["host"], int(given["port"]), int(given["count"]), int(given["number"])
    if number >= count:
        raise InputError(f"n processes have the ids 0 to n - 1; {where!r} says {count} and {number}.")
    meet(host, port, count, number, timeout)
    _initialize(timeout, coordinator_address=f"{host}:{port}", num_processes=count, process_id=number)
    return _described()


def _join_found(timeout: int) -> str:
    from jax._src.clusters import ClusterEnv  # JAX has no public name for what its initialize() finds

    address, count, number, _ = ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, timeout)
    if address is not None and count is not None and number is not None:
        host, port = address.rsplit(":", 1)
        meet(host, int(port), count, number, timeout)
    try:
        _initialize(timeout)
    except ValueError:  # JAX's word for "no cluster"
        return "No cluster was found: this process trains alone."
    return _described()


def _initialize(timeout: int, **how: Any) -> None:
    try:
        jax.distributed.initialize(initialization_timeout=timeout, **how)
    except RuntimeError as error:
        what = str(error).splitlines()[0]
        raise InputError(f"The processes did not find each other in {timeout} seconds ({what}).") from error


def _described() -> str:
    devices = f"{jax.local_device_count()} of {jax.device_count()} devices"
    return f"Process {jax.process_index()} of {jax.process_count()}, with {devices}."


def are_several() -> bool:
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def broadcast(find: Callable[[], Any]) -> Any:
    """What the first process finds (JSON), for all; the InputError that keeps it from that is raised in all."""
    if not are_several():
        return find()
    answer: dict[str, Any] = {}
    if is_first():
        try:
            answer = {"found": find()}
        except InputError as error:
            answer = {"fault": str(error)}
    answer = json.loads(_broadcast_text(json.dumps(answer)))
    if "fault" in answer:
        raise InputError(answer["fault"])
    return answer["found"]


def on_every_process(find: Callable[[], Any]) -> Any:
    """What each process finds for itself; if one of them cannot, all end, each with an InputError."""
    if not are_several():
        return find()
    found, fault = None, None
    try:
        found = find()
    except InputError as error:
        fault = error
    failed = np.flatnonzero(multihost_utils.process_allgather(np.array(fault is not None)))
    if fault is not None:
        raise fault
    if failed.size:
        raise InputError(f"Process {failed[0]} cannot go on; its own message says why.")
    return found


def broadcast_arrays(tree: PyTree) -> PyTree:
    """The first process's arrays, for all."""
    return multihost_utils.broadcast_one_to_all(tree) if are_several() else tree


def wait_for_all(name: str) -> None:
    """Returns when all processes have come here."""
    if are_several():
        multihost_utils.sync_global_devices(name)


def _broadcast_text(text: str) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
    padded = np.resize(data, length) if len(data) else np.zeros(length, np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))).decode()
