"""TFDS without TensorFlow: what cnnviz prepares TFDS reads, and what TFDS prepared cnnviz reads."""

import sys

import numpy as np
import pytest

from cnnviz import data
from cnnviz.errors import InputError

pytestmark = pytest.mark.usefixtures("alone")
RANDOM = np.random.default_rng(0)


@pytest.fixture(params=[1, 3], ids=["gray", "rgb"])
def npz(request, tmp_path):
    """Thirty images of three classes, gray and in color."""
    images = RANDOM.integers(0, 256, (30, 6, 5, request.param), dtype=np.uint8)
    np.savez(tmp_path / "shapes.npz", images=images, labels=np.arange(30) % 3)
    (tmp_path / "given").mkdir()
    return tmp_path / "shapes.npz"


def test_what_was_prepared_is_the_same_data_by_its_name(npz, tmp_path):
    import tensorflow_datasets as tfds

    before = data.load(npz)
    path = data.prepare(npz, tmp_path / "given")
    assert path == tmp_path / "given" / "shapes" / "1.0.0"
    after = data.load("shapes", tmp_path / "given")
    assert after.fingerprint == before.fingerprint
    source = tfds.builder_from_directory(path).as_data_source("train")
    assert len(source) == len(before.train.labels)
    for name in ("train", "test"):
        np.testing.assert_array_equal(getattr(after, name).images, getattr(before, name).images)
        np.testing.assert_array_equal(getattr(after, name).labels, getattr(before, name).labels)
    assert "tensorflow" not in sys.modules


def test_prepared_twice_it_stays_and_another_is_not_written_over(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    facts = (path / "dataset_info.json").stat().st_mtime_ns
    (tmp_path / "elsewhere").mkdir()
    assert data.prepare(npz, tmp_path / "given") == path
    assert (path / "dataset_info.json").stat().st_mtime_ns == facts
    other = tmp_path / "elsewhere" / "shapes.npz"
    np.savez(other, images=RANDOM.integers(0, 256, (30, 6, 5), dtype=np.uint8), labels=np.arange(30) % 3)
    with pytest.raises(InputError, match="has another data set named shapes"):
        data.prepare(other, tmp_path / "given")


def test_without_a_folder_it_goes_where_tfds_looks(npz, tmp_path):
    assert data.prepare(npz) == tmp_path / "tfds" / "shapes" / "1.0.0"
    assert data.load("shapes").title == "shapes"


def test_loading_prepares_nothing(npz, tmp_path):
    data.load(npz)
    assert not (tmp_path / "tfds").exists()


def test_damaged_records_are_an_error_that_names_them(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    for file in path.glob("*train*"):
        file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(InputError, match="cannot be read .*; prepare it anew"):
        data.load("shapes", tmp_path / "given")


def test_a_description_that_is_damaged(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    (path / "dataset_info.json").write_text("{")
    with pytest.raises(InputError, match="is no data set that TFDS can open"):
        data.load("shapes", tmp_path / "given")


def test_a_name_that_tfds_cannot_have(npz, tmp_path):
    with pytest.raises(InputError, match="TFDS names are letters, digits and underscores"):
        data.prepare(npz.rename(tmp_path / "a-b.npz"), tmp_path / "given")
