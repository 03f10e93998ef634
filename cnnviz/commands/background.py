"""Work in a background thread, in order and without losing errors."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def background() -> Iterator[Callable[..., None]]:
    """Yields `later(function, *arguments)`, which calls the function in a background thread.

    `later` first waits for the previous call and raises its exception, so at most one call runs at a time. The end of
    the block waits for the last call in the same way.
    """
    pending: list[Future] = []

    def settle() -> None:
        while pending:
            pending.pop().result()

    def later(function: Callable, *arguments: object) -> None:
        settle()
        pending.append(pool.submit(function, *arguments))

    with ThreadPoolExecutor(max_workers=1) as pool:
        yield later
        settle()
