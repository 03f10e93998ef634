"""The built-in data set: drawings of Fashion-MNIST's ten classes of garments from a random key, without any files.

Image `i` depends only on the key, the stream and `i`, so the first images of a larger set are those of a smaller one.
Each block of ten images has every class once.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt64

from cnnviz.data import cache
from cnnviz.data.dataset import Dataset, Split, assemble
from cnnviz.data.garments import cloth, others, tops
from cnnviz.data.garments.canvas import SIZE, Draws, posed
from cnnviz.data.published import FASHION_MNIST

KEY = 71  # with this key the first image is an ankle boot, as in Fashion-MNIST
TRAIN, TEST = 60_000, 10_000
NUMBERS = 64  # random 64-bit words per image for its shape; its noise takes one more byte per pixel
CHUNK = 2_000  # images drawn at a time, to limit memory; a multiple of ten

DRAWINGS = (
    tops.t_shirt,
    others.trouser,
    tops.pullover,
    tops.dress,
    tops.coat,
    others.sandal,
    tops.shirt,
    others.sneaker,
    others.bag,
    others.ankle_boot,
)


def garments(data_dir: Path | None = None) -> Dataset:
    """60,000 training and 10,000 test images, uint8 `[n 28 28 1]`; drawn once, then cached. `data_dir` is ignored."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return cache.remembered("garments", f"key {KEY}", cache.stamp(files), _dataset)


def draw(key: int, n: int, stream: int = 0) -> tuple[UInt8[np.ndarray, "n h w c"], Int32[np.ndarray, " n"]]:
    """The first `n` images and labels of a key and stream (stream 0 is for training, 1 for testing)."""
    source = np.random.Philox(key=[key, stream])
    chunks = [_chunk(source, min(CHUNK, n - start)) for start in range(0, n, CHUNK)] or [_chunk(source, 0)]
    return np.concatenate([images for images, _ in chunks]), np.concatenate([labels for _, labels in chunks])


def _dataset() -> Dataset:
    train, test = Split(*draw(KEY, TRAIN, stream=0)), Split(*draw(KEY, TEST, stream=1))
    return assemble("garments", train, test, FASHION_MNIST.classes, f"cnnviz's own drawing from key {KEY}")


def _chunk(source: np.random.Philox, n: int) -> tuple[UInt8[np.ndarray, "n h w c"], Int32[np.ndarray, " n"]]:
    """The next `n` images and labels of a stream, drawn class by class."""
    drawn = -(-n // 10) * 10  # each block of ten images has every class once
    words = source.random_raw((drawn, NUMBERS + SIZE * SIZE // 8))
    labels = words[:, 0].reshape(-1, 10).argsort(axis=1).reshape(-1).astype(np.int32)[:n]
    images = np.empty((n, SIZE, SIZE), np.float32)
    for label, drawing in enumerate(DRAWINGS):
        images[labels == label] = _drawn(drawing, words[:n][labels == label])
    return (images * 255 + np.float32(0.5)).astype(np.uint8)[..., None], labels


def _drawn(drawing, words: UInt64[np.ndarray, "n k"]) -> Float32[np.ndarray, "n h w"]:
    """Images of one class, from 0 to 1."""
    numbers = Draws((words[:, 1:NUMBERS] >> 11) * 2.0**-53)
    noise = words[:, NUMBERS:].astype("<u8").view(np.uint8).reshape(-1, SIZE, SIZE)
    canvas = posed(numbers, turn=0.12, shift=0.18, low=0.75, high=1.05)
    shape, brightness = drawing(canvas, numbers)
    return cloth.dyed(canvas, shape, brightness, noise, numbers)
