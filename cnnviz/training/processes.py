"""The processes of one training, on one machine or several: how they connect, agree, and stop together."""

import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import counted
from cnnviz.training.rendezvous import address, meet
from cnnviz.types import PyTree


def join(where: str, timeout: int) -> str:
    """Connects this process to the others, before any other use of JAX; returns a sentence that says which one it is.

    `where` is "auto" (Slurm, a TPU pod or GKE, as JAX detects them), or "host:port,n,id": the address of process 0, the
    number of processes, and the id of this one. Raises InputError if a process has not connected after `timeout`
    seconds.
    """
    if where == "auto":
        return _join_cluster(timeout)
    host, port, count, number = address(where)
    meet(host, port, count, number, timeout)
    _initialize(timeout, coordinator_address=f"{host}:{port}", num_processes=count, process_id=number)
    return _described()


def _join_cluster(timeout: int) -> str:
    from jax._src.clusters import ClusterEnv  # initialize() detects the cluster by this; it has no public name

    address, count, number, _ = ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, timeout)
    if address is not None and count is not None and number is not None:
        host, port = address.rsplit(":", 1)
        meet(host, int(port), count, number, timeout)
    try:
        _initialize(timeout)
    except ValueError:  # JAX found no cluster
        return "No cluster was found: this process trains alone."
    return _described()


def _initialize(timeout: int, **how: Any) -> None:
    try:
        jax.distributed.initialize(initialization_timeout=timeout, **how)
    except RuntimeError as error:
        what = f"The processes did not find each other in {counted(timeout, 'second')} ({str(error).splitlines()[0]})"
        raise InputError(f"{what}; start all of them.") from error


def _described() -> str:
    devices = f"{jax.local_device_count()} of {counted(jax.device_count(), 'device')}"
    return f"Process {jax.process_index()} of {jax.process_count()}, with {devices}."


def are_several() -> bool:
    """Whether the training has more than one process."""
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this is process 0, the one that writes files."""
    return jax.process_index() == 0


def broadcast(find: Callable[[], Any]) -> Any:
    """The result (JSON) of `find` in process 0, on every process; if it raises InputError, every process does."""
    if not are_several():
        return find()
    answer: dict[str, Any] = {}
    if is_first():
        try:
            answer = {"found": find()}
        except InputError as error:
            answer = {"fault": str(error), "is_of_option": isinstance(error, OptionError)}
    answer = json.loads(_broadcast_text(json.dumps(answer)))
    if "fault" in answer:
        raise (OptionError if answer["is_of_option"] else InputError)(answer["fault"])
    return answer["found"]


def on_every_process(find: Callable[[], Any]) -> Any:
    """Each process's own result of `find`; if it raises InputError in one of them, every process raises one."""
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
    """The arrays of process 0, on every process."""
    return multihost_utils.broadcast_one_to_all(tree) if are_several() else tree


def wait_for_all(name: str) -> None:
    """Returns when every process has made this call."""
    if are_several():
        multihost_utils.sync_global_devices(name)


def _broadcast_text(text: str) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
    padded = np.resize(data, length) if len(data) else np.zeros(length, np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))).decode()
