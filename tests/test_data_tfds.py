"""TFDS without TensorFlow: what cnnviz prepares TFDS reads, and what TFDS prepared cnnviz reads."""

import json
import sys

import numpy as np
import pytest

from cnnviz import data
from cnnviz.data import builder
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


LEGACY = "tensorflow_datasets.core.features"


@pytest.mark.parametrize("nested", [False, True], ids=["plain", "proto in a string"])
def test_what_an_older_tfds_wrote_is_read(npz, tmp_path, nested):
    """Two shards of TFRECORD under a template, features by `type` and `content`, no names of classes."""
    from cnnviz.data import records

    before = data.load(npz)
    path = data.prepare(npz, tmp_path / "given")
    info = json.loads((path / "dataset_info.json").read_text())
    for split in info["splits"]:
        file = next(path.glob(f"*-{split['name']}.*"))
        shards = np.array_split(np.array(list(records.FORMATS[info["fileFormat"]](file)), object), 2)
        for index, shard in enumerate(shards):
            content = [len(record).to_bytes(8, "little") + bytes(4) + record + bytes(4) for record in shard]
            (path / f"old_{split['name']}_{index:05d}.tfrecord").write_bytes(b"".join(content))
        split |= {"shardLengths": [str(len(shard)) for shard in shards]}
        split |= {"filepathTemplate": "old_{SPLIT}_{SHARD_INDEX}.{FILEFORMAT}"}
        file.unlink()
    (path / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "tfrecord"}))
    (path / "label.labels.txt").unlink()
    features = json.loads((path / "features.json").read_text())
    shape = list(before.train.images.shape[1:])
    content = {
        "image": {
            "type": f"{LEGACY}.image_feature.Image",
            "content": {"shape": shape, "dtype": "uint8", "encoding_format": "png"},
        },
        "label": {"type": f"{LEGACY}.class_label_feature.ClassLabel", "content": {"num_classes": 3}},
    }
    older = {"type": f"{LEGACY}.features_dict.FeaturesDict", "content": content}
    if nested:
        older |= {"content": json.dumps(features["featuresDict"]), "proto_cls": "tensorflow_datasets.FeaturesDict"}
    (path / "features.json").write_text(json.dumps(older))
    after = data.load("shapes", tmp_path / "given")
    assert after.fingerprint == before.fingerprint
    assert after.classes == ("0", "1", "2")


def test_files_with_other_lengths_than_described(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    info = json.loads((path / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["7"]
    (path / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=r"cannot be read \(ValueError: .* has \d+ of 7 records\); prepare it again"):
        data.load("shapes", tmp_path / "given")


def test_damaged_records_are_an_error_that_names_them(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    for file in path.glob("*train*"):
        file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(InputError, match="cannot be read .*; prepare it again"):
        data.load("shapes", tmp_path / "given")


def test_a_description_that_is_damaged(npz, tmp_path):
    path = data.prepare(npz, tmp_path / "given")
    (path / "dataset_info.json").write_text("{")
    with pytest.raises(InputError, match="is not a data set that TFDS prepared .JSONDecodeError: Expecting"):
        data.load("shapes", tmp_path / "given")


def test_a_name_that_tfds_cannot_have(npz, tmp_path):
    with pytest.raises(InputError, match="A TFDS name has only letters, digits and underscores"):
        data.prepare(npz.rename(tmp_path / "a-b.npz"), tmp_path / "given")


@pytest.mark.parametrize("package", ["tensorflow_datasets", "pyarrow.parquet"])
def test_without_the_extra_the_line_that_installs_it(npz, tmp_path, monkeypatch, package):
    monkeypatch.setattr(builder, "_file_format", lambda: "parquet")
    data.prepare(npz, tmp_path / "given")
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r'shapes-train.* cannot be read .*: pip install "cnnviz\[tfds\]"\.$'):
        data.load("shapes", tmp_path / "given")


def test_preparing_without_the_extra(npz, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "cnnviz.data.builder", raising=False)
    monkeypatch.delattr(data, "builder", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r'shapes.npz cannot be prepared .*: pip install "cnnviz\[tfds\]"\.$'):
        data.prepare(npz, tmp_path / "given")
