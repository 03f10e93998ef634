"""Lets the processes of a training wait for each other at an address, before JAX connects them.

JAX aborts a program whose peers do not connect, with no exception to catch; this raises an InputError that names them.
"""

import os
import re
import socket
import time
from contextlib import ExitStack

from cnnviz.errors import InputError, OptionError
from cnnviz.errors.wording import counted, listed

MANUAL = re.compile(r"(?P<host>.+):(?P<port>\d+),(?P<count>\d{1,6}),(?P<number>\d{1,6})")
NUMBER = 4  # bytes of a process's id on the wire
NAMED = 8  # missing processes that a message lists


def address(where: str) -> tuple[str, int, int, int]:
    """The host, the port, the number of processes and the id in "host:port,n,id"; raises InputError for other texts."""
    parts = MANUAL.fullmatch(where)
    if parts is None:
        raise OptionError(f'distributed must be "auto", "off" or "host:port,n,id"; it was {where!r}.')
    count, number = int(parts["count"]), int(parts["number"])
    if number >= count:
        raise InputError(f"n processes have the ids 0 to n - 1; {where!r} has n = {count} and id = {number}.")
    return parts["host"], int(parts["port"]), count, number


def meet(host: str, port: int, count: int, number: int, timeout: int | float) -> None:
    """Returns when all `count` processes have connected; process 0 listens at the address and the others connect to it.

    Raises InputError, which names the missing processes, after `timeout` seconds, or if process 0 cannot listen.
    """
    if not 1 <= port <= 65535:
        raise InputError(f"A port must be a number from 1 to 65535; it was {port} in {host}:{port}.")
    until = time.monotonic() + timeout
    if number:
        _connect(host, port, number, until, timeout)
    else:
        _wait(port, count, until, timeout)


def _wait(port: int, count: int, until: float, timeout: int | float) -> None:
    guests: dict[int, socket.socket] = {}
    with ExitStack() as open_sockets:
        server = open_sockets.enter_context(_server(port))
        while len(guests) < count - 1:
            try:
                server.settimeout(max(until - time.monotonic(), 0.01))
                guest = open_sockets.enter_context(server.accept()[0])
                guest.settimeout(1)
                number = int.from_bytes(guest.recv(NUMBER))
                if 0 < number < count:  # a port scanner sends nothing, or something else
                    guests[number] = guest
            except OSError as error:
                if time.monotonic() > until:
                    missing = listed([str(one) for one in range(1, count) if one not in guests], NAMED)
                    what = f"Of {count} processes {missing} did not connect in {counted(timeout, 'second')}"
                    raise InputError(f"{what}; start them too, or give a longer --timeout.") from error
        for guest in guests.values():
            guest.sendall(b"!")
        for guest in guests.values():
            guest.recv(1)  # the guest closes first, so that the port is free again at once


def _server(port: int) -> socket.socket:
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise InputError(f"Process 0 cannot listen at port {port} ({os.strerror(error.errno or 0)}).") from error


def _connect(host: str, port: int, number: int, until: float, timeout: int | float) -> None:
    while True:
        left = until - time.monotonic()
        try:
            with socket.create_connection((host, port), timeout=max(left, 0.01)) as coordinator:
                coordinator.sendall(number.to_bytes(NUMBER))
                if coordinator.recv(1) == b"!":
                    return
                reason = "it closed the connection"
        except (OSError, UnicodeError) as error:  # UnicodeError: the name cannot be a host's
            reason = getattr(error, "strerror", None) or str(error)
        if time.monotonic() > until:
            what = f"The coordinator {host}:{port} did not answer in {counted(timeout, 'second')} ({reason})"
            raise InputError(f"{what}; process 0 must run there, and all other processes must be started too.")
        time.sleep(0.2)
