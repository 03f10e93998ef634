"""CIFAR-10 and CIFAR-100 in their archives and folders, binary and pickled, and what is said of damaged ones."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from cnnviz import data
from cnnviz.errors import InputError

pytestmark = pytest.mark.usefixtures("alone")
RANDOM = np.random.default_rng(0)
TEN = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
HUNDRED = ["train", "test"]
FOLDERS = {10: ("cifar-10-batches-bin", "cifar-10-batches-py"), 100: ("cifar-100-binary", "cifar-100-python")}


def batches(classes, n=7):
    """For each file its images `[n h w c]` and labels."""
    names = TEN if classes == 10 else HUNDRED
    return {
        name: (RANDOM.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), RANDOM.integers(0, classes, n))
        for name in names
    }


def planes(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def binary(images, labels, classes):
    own = np.stack([labels // 5, labels] if classes == 100 else [labels], axis=1)
    return np.concatenate([own, planes(images)], axis=1).astype(np.uint8).tobytes()


def pickled(images, labels, classes, protocol=2):
    return pickle.dumps({"data": planes(images), KEYS[classes]: labels.tolist(), "filenames": ["a.png"]}, protocol)


KEYS = {10: "labels", 100: "fine_labels"}


def tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def contents(made, classes, form):
    ending, encode = (".bin", binary) if form == "binary" else ("", pickled)
    return {f"{name}{ending}": encode(*batch, classes) for name, batch in made.items()}


def check(found, made, classes):
    train = [batch for name, batch in made.items() if not name.startswith("test")]
    np.testing.assert_array_equal(found.train.images, np.concatenate([images for images, _ in train]))
    np.testing.assert_array_equal(found.train.labels, np.concatenate([labels for _, labels in train]))
    np.testing.assert_array_equal(found.test.images, list(made.values())[-1][0])
    assert len(found.classes) == classes


@pytest.mark.parametrize("form", ["binary", "pickled"])
@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("how", ["folder by name", "folder by path", "archive by path", "archive by name"])
def test_every_form_in_every_place_is_the_same_data(tmp_path, classes, form, how):
    made = batches(classes)
    folder = FOLDERS[classes][form == "pickled"]
    files = {f"{folder}/{name}": content for name, content in contents(made, classes, form).items()}
    if how.startswith("archive"):
        where = tar(tmp_path / f"cifar-{classes}-{'binary' if form == 'binary' else 'python'}.tar.gz", files)
    else:
        (where := tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
    found = data.load(where) if how.endswith("path") else data.load(f"cifar{classes}", tmp_path)
    check(found, made, classes)
    assert found.train.images.shape[1:] == (32, 32, 3)
    is_unlike = how == "archive by name" and form == "binary"
    assert any("is not the published archive: its SHA256" in note for note in found.notes) == is_unlike


@pytest.mark.parametrize(
    "place", ["keras/datasets", "data", "data/cifar10", "keras/datasets/cifar-10-batches-py-target"]
)
def test_the_caches_of_keras_and_torchvision_are_found(tmp_path, place):
    made = batches(10)
    (folder := tmp_path / place / "cifar-10-batches-py").mkdir(parents=True)
    for name, content in contents(made, 10, "pickled").items():
        (folder / name).write_bytes(content)
    check(data.load("CIFAR-10"), made, 10)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_that_python_3_writes(tmp_path, protocol):
    made = batches(10)
    (tmp_path / "c").mkdir()
    for name, (images, labels) in made.items():
        content = {b"data": planes(images), b"labels": labels.tolist()}
        (tmp_path / "c" / name).write_bytes(pickle.dumps(content, protocol))
    if protocol < 2:
        with pytest.raises(InputError, match="opcode .* which NumPy does not write; use the binary archive"):
            data.load(tmp_path / "c")
    else:
        check(data.load(tmp_path / "c"), made, 10)


class Planted:
    def __reduce__(self):
        return os.system, ("touch RAN",)


@pytest.mark.parametrize(
    "what", [Planted(), {"data": Planted(), "labels": [0]}, [1, 2], {"data": np.ones(3), "labels": [0]}]
)
def test_a_pickle_of_anything_else_is_refused_and_runs_nothing(tmp_path, what):
    (tmp_path / "c").mkdir()
    for name in TEN:
        (tmp_path / "c" / name).write_bytes(pickle.dumps(what))
    with pytest.raises(InputError, match="data_batch_1 in .*c (is not|cannot be read)") as raised:
        data.load(tmp_path / "c")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "RAN").exists()


def hostile(files):
    """Archives that are no good, each with what is said of it."""
    link, outside, twice = tarfile.TarInfo("c/data_batch_1.bin"), {}, {}
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("c/data_batch_1.bin")
    hard.type, hard.linkname = tarfile.LNKTYPE, "c/data_batch_2.bin"
    rest = {name: content for name, content in files.items() if "data_batch_1" not in name}
    first = files["c/data_batch_1.bin"]
    outside, twice = {"../../data_batch_1.bin": first} | rest, {**files, "d/data_batch_1.bin": first}
    return {
        "symbolic link": ({"c/data_batch_1.bin": link} | rest, "data_batch_1.bin is a link or a special file"),
        "hard link": (rest | {"c/data_batch_1.bin": hard}, "data_batch_1.bin is a link or a special file"),
        "outside": (outside, "lies outside of its folder, or comes twice"),
        "absolute": ({"/data_batch_1.bin": first} | rest, "lies outside of its folder, or comes twice"),
        "twice": (twice, "lies outside of its folder, or comes twice"),
        "missing": (rest, "lacks data_batch_1.bin"),
        "empty": ({**files, "c/data_batch_1.bin": b""}, "has 0 bytes; it must have a multiple of 3073"),
        "cut": ({**files, "c/data_batch_1.bin": first[:-1]}, "it must have a multiple of 3073"),
        "label": ({**files, "c/data_batch_1.bin": b"\x0a" + first[1:]}, "must be 0 to 9"),
        "another": ({"c/readme": b"x"}, "has no batches of CIFAR-10 or CIFAR-100"),
    }


@pytest.mark.parametrize("what", list(hostile({"c/data_batch_1.bin": b""})))
def test_a_bad_archive_is_one_line_and_leaves_nothing_on_disk(tmp_path, what):
    files = {f"c/{name}": content for name, content in contents(batches(10), 10, "binary").items()}
    changed, said = hostile(files)[what]
    tar(tmp_path / "c.tar.gz", changed)
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    with pytest.raises(InputError, match=said) as raised:
        data.load(tmp_path / "c.tar.gz")
    assert "\n" not in str(raised.value)
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_an_archive_that_is_cut_off(tmp_path, share):
    files = {f"c/{name}": content for name, content in contents(batches(10), 10, "binary").items()}
    content = tar(tmp_path / "c.tar.gz", files).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="c.tar.gz (is a damaged tar archive|has no batches|lacks)"):
        data.load(tmp_path / "c.tar.gz")


def test_an_archive_that_unpacks_to_far_more_than_it_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnviz.data.tarballs.LEAST_LIMIT", 2**20)
    tar(tmp_path / "c.tar.gz", {"c/data_batch_1.bin": bytes(2**23)})
    with pytest.raises(InputError, match="unpacks to more than 1,048,576 bytes"):
        data.load(tmp_path / "c.tar.gz")


def test_without_a_copy_it_is_said_what_to_do():
    with pytest.raises(
        data.Unavailable, match=r"cifar10 is not on this machine .* with https://www.cs.toronto.edu/~kriz"
    ):
        data.load("cifar10")
