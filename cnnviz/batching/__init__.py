"""The one driver that chunks work: rows in, chunks of one size for one compiled call, the last one padded and masked.

Work comes in four shapes: a function of each row (`map_rows`), a summary of all rows (`fold_rows`), a sum over samples
of each row (`map_samples`), and steps that each row goes through (`map_steps`). Chunks are a Python loop over the
compiled call: on CPU a convolution inside `lax.scan` or `lax.map` is 20 to 70 times slower.
"""

from cnnviz.batching.chunks import (
    IMAGE_ROWS,
    SAMPLED_ROWS,
    WINDOW_ROWS,
    Report,
    batch_size_or_default,
    of_backend,
    part,
)
from cnnviz.batching.divided import beside
from cnnviz.batching.rows import fold_rows, map_rows
from cnnviz.batching.samples import map_samples
from cnnviz.batching.spaced import evenly_spaced
from cnnviz.batching.steps import is_in_turn, map_steps, take_steps

__all__ = [
    "IMAGE_ROWS",
    "SAMPLED_ROWS",
    "WINDOW_ROWS",
    "Report",
    "batch_size_or_default",
    "beside",
    "evenly_spaced",
    "fold_rows",
    "is_in_turn",
    "map_rows",
    "map_samples",
    "map_steps",
    "of_backend",
    "part",
    "take_steps",
]
