"""Work that is done beside the main thread, in order, with no error lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def background() -> Iterator[Callable[..., None]]:
    """`later(function, *arguments)` calls it in a thread, after what was given before.

    It waits for what was given before, so that at most one call is under way, and raises what that raised; so does the
    end of the block.
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
