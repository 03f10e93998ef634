"""64 feature maps drawn as one montage against 64 subplots, both in this run: `python benchmarks/grid.py`.

The montage is the figure that `visualize.py` writes, with title, indices and scale; the subplots are bare images.
"""

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from cnnviz.figures.grids import grids
from cnnviz.figures.scales import scale_of


def one_montage(maps: np.ndarray) -> Figure:
    return grids({"": maps}, scale_of(maps), title="garments, relu2: 64 feature maps", label="activation")


def many_subplots(maps: np.ndarray) -> Figure:
    figure = Figure(figsize=(8, 8))
    for ax, image in zip(figure.subplots(8, 8).flat, maps, strict=True):
        ax.imshow(image)
        ax.axis("off")
    return figure


def milliseconds(draw: Callable[[np.ndarray], Figure], maps: np.ndarray) -> float:
    """From arrays to the bytes of a PNG file."""
    start = time.perf_counter()
    draw(maps).savefig(io.BytesIO(), dpi=100, format="png")
    return 1000 * (time.perf_counter() - start)


def main(repeats: int = 9) -> None:
    maps = np.maximum(np.random.default_rng(0).standard_normal((64, 14, 14), np.float32), 0)  # as after a ReLU
    milliseconds(one_montage, maps)  # the first figure of a process loads fonts
    pairs = [(milliseconds(one_montage, maps), milliseconds(many_subplots, maps)) for _ in range(repeats)]
    one, many = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(slow / fast for fast, slow in pairs)
    print(f"one montage {one:.0f} ms, 64 subplots {many:.0f} ms: {ratio:.1f} times faster (median of {repeats} pairs)")


if __name__ == "__main__":
    main()
