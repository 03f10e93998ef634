"""Fashion-MNIST and its like: IDX files in every usual place, downloads, and what is said of damaged files."""

import dataclasses
import gzip
import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from cnnviz import data
from cnnviz.data import download
from cnnviz.data.published import FASHION_MNIST, FILES
from cnnviz.data.search import find
from cnnviz.errors import InputError

pytestmark = pytest.mark.usefixtures("alone")
RANDOM = np.random.default_rng(0)
ARRAYS = {
    name: RANDOM.integers(0, 256 if "images" in name else 10, (12, 4, 3) if "images" in name else 12).astype(np.uint8)
    for name in FILES
}


def encoded(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


PLAIN = {name: encoded(array) for name, array in ARRAYS.items()}


@pytest.fixture
def published():
    """A little data set that is published as Fashion-MNIST is."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in PLAIN.items()}
    return dataclasses.replace(FASHION_MNIST, digests=digests)


def put(folder, change=lambda name, content: (name, content)):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in PLAIN.items():
        name, content = change(name, content)
        (folder / name).write_bytes(content)
    return folder


SPELLINGS = {
    "plain": lambda name, content: (name, content),
    "gzipped": lambda name, content: (f"{name}.gz", gzip.compress(content)),
    "dotted": lambda name, content: (name.replace("-idx", ".idx"), content),
}
PLACES = [
    "given",
    "given/fashion_mnist",
    "keras/datasets/fashion-mnist",
    "data/FashionMNIST/raw",
    "system/fashion-mnist",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", PLACES)
def test_found_in_every_usual_place(published, tmp_path, place, spelling):
    put(tmp_path / place, SPELLINGS[spelling])
    (tmp_path / "given").mkdir(exist_ok=True)
    found = find(published, tmp_path / "given")
    np.testing.assert_array_equal(found.train.images[..., 0], ARRAYS[FILES[0]])
    np.testing.assert_array_equal(found.train.labels, ARRAYS[FILES[1]])
    np.testing.assert_array_equal(found.test.images[..., 0], ARRAYS[FILES[2]])
    assert found.classes[9] == "Ankle boot"


def test_the_folder_that_is_given_comes_first(published, tmp_path):
    put(tmp_path / "system" / "fashion-mnist")
    given = put(tmp_path / "given")
    assert find(published, given).source == str(given)


def test_the_second_start_decodes_nothing(published, tmp_path, monkeypatch):
    given = put(tmp_path / "given")
    first = find(published, given)
    monkeypatch.setattr("cnnviz.data.idx.read", lambda *_: pytest.fail("a file was decoded again"))
    assert find(published, given).fingerprint == first.fingerprint


def test_a_file_that_is_missing_is_named(published, tmp_path):
    given = put(tmp_path / "given")
    (given / FILES[3]).unlink()
    with pytest.raises(data.Unavailable, match=f"{given} lacks {FILES[3]}"):
        find(published, given)


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGE = [
    (0, lambda content: content[:-5], "ends early: its header promises 12 x 4 x 3 bytes"),
    (0, lambda content: content[:9], "ends early: its header has 9 of 16 bytes"),
    (0, lambda content: content + b"x", "goes on after its end"),
    (
        0,
        lambda content: b"\x00\x00\x0d" + content[3:],
        "starts with 00000d03; an IDX file of images starts with 00000803",
    ),
    (1, lambda content: b"", "starts with nothing; an IDX file of labels starts with 00000801"),
    (
        0,
        lambda content: content[:4] + b"\xff" * 12,
        "ends early: its header promises .* more than such a file can hold",
    ),
    (2, flipped, "has the wrong checksum: its SHA-256 is .*; put the published file in its place, or name the folder"),
]


@pytest.mark.parametrize(("which", "change", "text"), DAMAGE)
def test_a_damaged_file_is_named_with_its_fault(published, tmp_path, which, change, text):
    given = put(tmp_path / "given")
    path = given / FILES[which]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=f"{path} {text}"):
        find(published, given)


def test_a_damaged_gzip_file(published, tmp_path):
    given = put(tmp_path / "given", SPELLINGS["gzipped"])
    path = given / f"{FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"\.gz is a damaged gzip file"):
        find(published, given)


def test_labels_out_of_range_and_counts_that_disagree(published, tmp_path):
    unchecked = dataclasses.replace(published, digests={})
    given = put(tmp_path / "given")
    (given / FILES[1]).write_bytes(encoded(np.full(12, 10, np.uint8)))
    with pytest.raises(InputError, match="run from 10 to 10; for 10 classes they must be 0 to 9"):
        find(unchecked, given)
    (given / FILES[1]).write_bytes(encoded(np.zeros(11, np.uint8)))
    with pytest.raises(InputError, match="has 12 images and 11 labels"):
        find(unchecked, given)


class Server:
    """Stands in for pooch's downloader: gives the four files, as `change` has them."""

    def __init__(self, change=lambda content: content):
        self.change = change

    def __call__(self, **_):
        return self

    def get(self, url, path, _):
        name = url.rsplit("/", 1)[1].removesuffix(".gz")
        with open(path, "wb") as file:
            file.write(gzip.compress(self.change(PLAIN[name])))

    def __get__(self, *_):
        return self


@pytest.fixture
def online(monkeypatch):
    """Puts a server in the network's place."""
    import pooch

    def put_up(**options):
        server = Server(**options)
        monkeypatch.setenv("CNNVIZ_OFFLINE", "0")
        monkeypatch.setattr(download, "preflight", lambda url: None)
        monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: server.get)

    return put_up


def test_downloaded_once_and_then_found(published, online, monkeypatch):
    online()
    first = find(published)
    monkeypatch.setenv("CNNVIZ_OFFLINE", "1")
    assert find(published).fingerprint == first.fingerprint
    np.testing.assert_array_equal(first.test.labels, ARRAYS[FILES[3]])


def test_a_download_with_the_wrong_checksum_leaves_nothing(published, online, tmp_path):
    online(change=flipped)
    with pytest.raises(InputError, match="has the wrong checksum"):
        find(published)
    assert list((tmp_path / "cache" / "downloads" / "fashion_mnist").iterdir()) == []


def test_a_download_that_breaks_off_is_unavailable(published, online, monkeypatch):
    import pooch
    import requests

    def broken(url, path, _):
        raise requests.ConnectionError("reset")

    online()
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: broken)
    with pytest.raises(data.Unavailable, match="ConnectionError"):
        find(published)


def test_without_a_network_it_is_over_within_ten_seconds(tmp_path):
    """Of its own process, with names that nothing answers to."""
    code = (
        "from cnnviz.data import download, search; from cnnviz.data.published import FASHION_MNIST as f\n"
        "import dataclasses, pathlib\n"
        f"search.SYSTEM = pathlib.Path({str(tmp_path)!r})\n"
        "f = dataclasses.replace(f, url='https://cnnviz.invalid/')\n"
        "try: search.find(f)\nexcept ValueError as error: print(error)"
    )
    begun = time.perf_counter()
    environment = dict(os.environ, CNNVIZ_OFFLINE="0", PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "cannot be downloaded (" in found.stdout, found.stderr
    assert time.perf_counter() - begun < 10


@pytest.mark.real_data
def test_fashion_mnist_itself(monkeypatch):
    monkeypatch.undo()
    try:
        found = data.load("fashion_mnist")
    except data.Unavailable:
        pytest.skip("Fashion-MNIST is not on this machine")
    assert found.train.images.shape == (60_000, 28, 28, 1)
    assert np.bincount(found.test.labels).tolist() == [1000] * 10
    assert found.classes[found.train.labels[0]] == "Ankle boot"
    assert found.train.images[0].sum() == 76247
