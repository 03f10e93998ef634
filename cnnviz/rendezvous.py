"""Several processes waiting for each other at an address, before JAX is asked to join them.

JAX ends a program whose peers do not come, with no exception to catch; here an InputError says who is missing.
"""

import socket
import time
from contextlib import ExitStack

from cnnviz.errors import InputError

NUMBER = 4  # bytes in which a process says which it is


def meet(host: str, port: int, count: int, number: int, timeout: int | float) -> None:
    """Returns when all of `count` processes are here; process 0 listens at the address and the others come to it."""
    until = time.monotonic() + timeout
    if number:
        _come(host, port, number, until, timeout)
    else:
        _wait(port, count, until, timeout)


def _wait(port: int, count: int, until: float, timeout: int | float) -> None:
    missing = set(range(1, count))
    with ExitStack() as open_sockets:
        server = open_sockets.enter_context(socket.create_server(("", port)))
        guests = []
        while missing:
            try:
                server.settimeout(max(until - time.monotonic(), 0.01))
                guest = open_sockets.enter_context(server.accept()[0])
                guest.settimeout(1)
                missing.discard(int.from_bytes(guest.recv(NUMBER)))
                guests.append(guest)
            except OSError as error:
                if time.monotonic() > until:
                    names = ", ".join(map(str, sorted(missing)))
                    raise InputError(f"Of {count} processes {names} did not come in {timeout} seconds.") from error
        for guest in guests:
            guest.sendall(b"!")
        for guest in guests:
            guest.recv(1)  # it closes first, so that the port is free again at once


def _come(host: str, port: int, number: int, until: float, timeout: int | float) -> None:
    while True:
        left = until - time.monotonic()
        try:
            with socket.create_connection((host, port), timeout=max(left, 0.01)) as coordinator:
                coordinator.sendall(number.to_bytes(NUMBER))
                if coordinator.recv(1) == b"!":
                    return
                reason = "it gave up"
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() > until:
            what = f"The coordinator {host}:{port} did not answer in {timeout} seconds ({reason})"
            raise InputError(f"{what}; process 0 must be started there, and all the others too.")
        time.sleep(0.2)
