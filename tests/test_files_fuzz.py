"""Data sets and weights with random damage: each is read or refused in one line, soon, and in bounded memory.

CNNVIZ_FUZZ=20000 tries so many files of each format instead of 40; each is made from its number alone, which a failure
names. Keras files and PyTorch's have tests of their own.
"""

import gzip
import os
import random
import resource
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from test_cifar import batches, contents, tar
from test_interop_fuzz import damaged
from test_other_data import idx, zipped
from test_weights import WRITERS

from cnnviz import data
from cnnviz.data import cache
from cnnviz.errors import InputError
from cnnviz.interop.weights import read_weights

pytestmark = pytest.mark.slow
NUMBER = int(os.environ.get("CNNVIZ_FUZZ", 40))
RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.integers(0, 256, (30, 6, 5), dtype=np.uint8), np.arange(30) % 3
RECORDS = ("array_record", "parquet", "tfrecord")
SUFFIXES = "png jpg bmp gif webp tif pgm avif".split()
WEIGHTS = {"params": {"conv": {"kernel": RANDOM.normal(size=(3, 3, 1, 4)).astype("f4"), "bias": np.zeros(4, "f4")}}}


def npz(folder, save):
    save(folder / "x.npz", images=IMAGES, labels=LABELS)
    return folder / "x.npz"


def pictures(folder, suffix):
    """Pictures of gray and of color, with a palette and of 16 bits where the format has them, as classes."""
    gray = Image.fromarray(RANDOM.integers(0, 256, (20, 16), dtype=np.uint8))
    deep = Image.fromarray(RANDOM.integers(0, 65536, (20, 16), dtype=np.uint16))
    kinds = {"gray": gray, "color": gray.convert("RGB"), "palette": gray.convert("P"), "deep": deep}
    for name, image in kinds.items() if suffix in ("png", "tif") else [*kinds.items()][:2]:
        for part in ("train", "test"):
            (folder / "d" / part / name).mkdir(parents=True)
            options = {"compression": "tiff_lzw"} if suffix == "tif" else {}
            image.save(folder / "d" / part / name / f"0.{suffix}", **options)
    return folder / "d"


def idx_files(folder, ending, pack):
    (folder / "d").mkdir()
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS.astype(np.uint8))):
            (folder / "d" / f"{part}-{kind}-ubyte{ending}").write_bytes(pack(idx(array)))
    return folder / "d"


def idx_archive(folder):
    images = {f"emnist-mnist-{part}-images-idx3-ubyte": idx(IMAGES) for part in ("train", "test")}
    labels = {name.replace("images-idx3", "labels-idx1"): idx(LABELS.astype(np.uint8)) for name in images}
    return zipped(folder / "x.zip", images | labels)


def table(folder):
    header = ",".join(["label", *(f"pixel{n}" for n in range(16))])
    rows = [",".join(map(str, [n % 3, *row])) for n, row in enumerate(RANDOM.integers(0, 256, (20, 16)))]
    (folder / "x.csv").write_text("\n".join([header, *rows]))
    return folder / "x.csv"


def matlab(folder, packed):
    images = RANDOM.integers(0, 256, (8, 8, 3, 16), dtype=np.uint8)
    savemat(folder / "x.mat", {"X": images, "y": np.arange(16)[:, None] % 3 + 1.0}, do_compression=packed)
    return folder / "x.mat"


def cifar(folder, form):
    (folder / "d").mkdir()
    for name, content in contents(batches(10, 3), 10, form).items():
        (folder / "d" / name).write_bytes(content)
    return folder / "d"


def tfds(folder, form):
    """A directory as TFDS prepares it, its records in this format."""
    from tensorflow_datasets.core import file_adapters

    directory = data.prepare(npz(folder, np.savez), folder)
    (folder / "x.npz").unlink()
    for file in directory.glob("*array_record*") if form != "array_record" else ():
        records = list(records_of(file))
        other = file.with_name(file.name.replace("array_record", form))
        if form == "parquet":
            file_adapters.ParquetFileAdapter.write_examples(other, list(enumerate(records)))
        else:
            other.write_bytes(b"".join(len(r).to_bytes(8, "little") + bytes(4) + r + bytes(4) for r in records))
        file.unlink()
    info = directory / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", form))
    return directory


def records_of(file):
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(file))
    yield from reader.read_all()
    reader.close()


def weights(folder, name):
    WRITERS[name](folder / name, WEIGHTS)
    return folder / name


DATA = {
    "npz": lambda folder: npz(folder, np.savez),
    "npz compressed": lambda folder: npz(folder, np.savez_compressed),
    **{f"pictures {suffix}": lambda folder, suffix=suffix: pictures(folder, suffix) for suffix in SUFFIXES},
    "idx": lambda folder: idx_files(folder, "", bytes),
    "idx gzipped": lambda folder: idx_files(folder, ".gz", gzip.compress),
    "idx zip": idx_archive,
    "csv": table,
    "mat": lambda folder: matlab(folder, False),
    "mat compressed": lambda folder: matlab(folder, True),
    "cifar": lambda folder: cifar(folder, "binary"),
    "cifar pickled": lambda folder: cifar(folder, "pickled"),
    "cifar tar.gz": lambda folder: tar(folder / "x.tar.gz", contents(batches(10, 3), 10, "binary")),
    **{
        f"tfds {form}": lambda folder, form=form: tfds(folder, form) for form in ("array_record", "parquet", "tfrecord")
    },
}
FORMATS = {name: (make, data.load) for name, make in DATA.items()}
FORMATS |= {f"weights {name}": (lambda folder, name=name: weights(folder, name), read_weights) for name in WRITERS}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("alone")
def test_damage_is_one_line(tmp_path, monkeypatch, name):
    monkeypatch.setattr(cache, "folder", lambda: None)
    make, read = FORMATS[name]
    (tmp_path / "files").mkdir()
    path = make(tmp_path / "files")
    files = files_in(tmp_path)
    read(path)
    peak, slowest, outcomes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0, Counter()
    for number in range(NUMBER):
        draw = random.Random(number)
        file = draw.choice([file for file in files if file.stat().st_size > 8])
        whole = file.read_bytes()
        file.write_bytes(damaged(draw, whole))
        start = time.process_time()
        outcomes[outcome(read, path, f"file {number}")] += 1
        slowest = max(slowest, time.process_time() - start)
        file.write_bytes(whole)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1e6
    print(name, dict(outcomes), f"slowest {slowest:.2f} s, GB more {grown:.2f}")
    assert files_in(tmp_path) == files
    assert outcomes["refused"] > 0
    assert slowest < 10
    assert grown < 4


def outcome(read, path, which):
    """How reading ended; anything but what is read or one line is raised."""
    try:
        read(path)
    except InputError as error:
        said = str(error)
    except Exception as error:
        raise AssertionError(f"{which} is not refused in one line") from error
    else:
        return "read"
    assert "\n" not in said, which
    return "refused"


def files_in(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())
