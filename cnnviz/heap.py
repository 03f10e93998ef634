"""`keep_freed_memory`: what the process frees stays with it, for the next compiled call.

XLA takes the temporary memory of a call from malloc, and frees it after. What is above 32 MB glibc then returns to the
system, which hands it out page by page, each cleared first: a quarter of a training step over 256 images.
"""

import ctypes
import os

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt(3): M_TRIM_THRESHOLD, M_MMAP_MAX
KEPT = 2**30  # bytes free at the end of the heap, above which they are returned


def keep_freed_memory() -> bool:
    """Whether malloc now keeps what is freed: where it is glibc's, and no MALLOC_ variable says how it should be."""
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, KEPT))
