"""Data that somebody else wrote: reading it runs no code, starts no program and opens no file outside."""

import contextlib
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import data
from cnnviz.data import pictures
from cnnviz.errors import InputError
from cnnviz.interop.picture_files import SUFFIXES

pytestmark = pytest.mark.usefixtures("alone")
NATIVE = "tensorflow_datasets.core.features"
FEATURES = f"{NATIVE}.features_dict.FeaturesDict"
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 6, 5), dtype=np.uint8)


@pytest.fixture
def toy(tmp_path):
    """A data set in `data/`, as TFDS prepares it."""
    np.savez(tmp_path / "toy_set.npz", images=IMAGES, labels=np.arange(30) % 3)
    (tmp_path / "data").mkdir()
    return data.prepare(tmp_path / "toy_set.npz", tmp_path / "data")


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A file that appears once a planted module is imported or Ghostscript is started."""
    mark = tmp_path / "RAN"
    for module in ("data/toy_set/evil", "data/toy_set/toy_set", "data/toy_set/toy_set_dataset_builder", "toy_set"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{module}.py").write_text(f"open({str(mark)!r}, 'a').write(__name__)")
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {mark}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.syspath_prepend(tmp_path)
    return mark


def changed(path, change):
    """Has `change` work on a JSON file's content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


EVIL = {"pythonClassName": "data.toy_set.evil.X", "jsonFeature": {"json": "{}"}}
LEGACY = {"type": "data.toy_set.evil.X", "content": {}}
INSIDE = json.dumps({"features": {"label": EVIL}})


@pytest.mark.parametrize(
    "features",
    [
        EVIL,
        LEGACY,
        {**EVIL, "pythonClassName": f"{NATIVE}./../../data.toy_set.evil.X"},
        {"python_class_name": EVIL["pythonClassName"], "json_feature": {"json": "{}"}},
        {"pythonClassName": FEATURES, "featuresDict": {"features": {"extra": EVIL}}},
        {"pythonClassName": FEATURES, "jsonFeature": {"json": json.dumps({"extra": LEGACY})}},
        {"type": FEATURES, "content": {"extra": LEGACY}},
        {"type": FEATURES, "content": INSIDE, "proto_cls": "tensorflow_datasets.FeaturesDict"},
        {"type": FEATURES, "content": {"a": {"type": f"{NATIVE}.sequence_feature.Sequence", "content": [LEGACY]}}},
    ],
    ids="top legacy odd snake nested string legacy-nested legacy-string list".split(),
)
@pytest.mark.parametrize("place", ["features.json", "dataset_info.json"])
def test_a_class_that_is_not_of_tfds_is_not_imported(toy, ran, features, place):
    if place == "features.json":
        (toy / place).write_text(json.dumps(features))
    else:
        changed(toy / place, lambda info: info.update(features=features))
    with pytest.raises(InputError, match=r"names the class .*evil.X'; only classes of tensorflow_datasets.core.feat"):
        data.load("toy_set", "data")
    assert not ran.exists()


def test_a_version_or_config_below_it_is_no_other_matter(toy, ran):
    (toy / "features.json").write_text(json.dumps(EVIL))
    toy.rename(toy.parent / "2.0.0")
    (toy.parent / "config").mkdir()
    (toy.parent / "2.0.0").rename(toy.parent / "config" / "2.0.0")
    for name in ("toy_set", "toy_set/config", "toy_set/config:2.0.0"):
        with pytest.raises(InputError, match=r"names the class 'data.toy_set.evil.X'"):
            data.load(name, "data")
    assert not ran.exists()


def test_modules_beside_the_data_are_not_imported(toy, ran, tmp_path):
    changed(toy / "dataset_info.json", lambda info: info.update(moduleName="data.toy_set.toy_set"))
    found = data.load("toy_set", "data")
    data.prepare(tmp_path / "toy_set.npz", tmp_path / "bin")
    assert len(found.train.labels) + len(found.test.labels) == 30
    (toy / "dataset_info.json").unlink()
    with pytest.raises(InputError, match="'toy_set' is not a data set"):
        data.load("toy_set", "data")
    assert not ran.exists()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "\ud800", "[]", '"x"', '{"features": 7}', ""])
@pytest.mark.parametrize("file", ["features.json", "dataset_info.json"])
def test_a_damaged_description_is_one_line(toy, file, content):
    (toy / file).write_text(content, errors="surrogatepass")
    with pytest.raises(InputError, match="is not a data set that TFDS prepared") as raised:
        data.load("toy_set", "data")
    assert "\n" not in str(raised.value)


def test_a_description_without_end_is_not_read_to_its_end(toy):
    with open(toy / "features.json", "r+b") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(InputError, match=r"features.json has more than 16777216 bytes"):
        data.load("toy_set", "data")


@pytest.mark.parametrize("template", ["../../outside", "/{DATASET}", "{DATASET.__class__}"])
def test_records_outside_the_directory_are_not_opened(toy, template):
    changed(toy / "dataset_info.json", lambda info: info["splits"][0].update(filepathTemplate=template))
    with pytest.raises(InputError, match=r"names the file .*; it must be in the same directory"):
        data.load("toy_set", "data")


def test_a_pipe_named_like_the_records_is_not_waited_for(toy):
    records = next(toy.glob("*train*"))
    records.unlink()
    os.mkfifo(records)
    with pytest.raises(InputError, match=f"{records.name} is missing"):
        data.load("toy_set", "data")


def test_classes_are_not_read_from_a_file_that_a_feature_names(toy, tmp_path):
    (tmp_path / "secret").write_text("first\nsecond\nthird\n")
    (toy / "label.labels.txt").unlink()
    label = {"type": f"{NATIVE}.class_label_feature.ClassLabel", "content": {"names_file": str(tmp_path / "secret")}}
    image = {"type": f"{NATIVE}.image_feature.Image", "content": {}}
    (toy / "features.json").write_text(json.dumps({"type": FEATURES, "content": {"image": image, "label": label}}))
    assert data.load("toy_set", "data").classes == ("0", "1", "2")


def test_a_second_image_in_an_example_starts_no_program(toy, ran):
    """TFDS decodes what is not skipped, with every format that Pillow knows."""
    from tensorflow_datasets.core import file_adapters
    from tensorflow_datasets.proto import tf_example_pb2

    info = json.loads((toy / "dataset_info.json").read_text())
    for file in toy.glob("*-of-*"):
        file.unlink()
    buffer = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(buffer, "PNG")
    example = tf_example_pb2.Example()  # type: ignore[attr-defined]
    for name, content in (("image", buffer.getvalue()), ("thumbnail", POSTSCRIPT)):
        example.features.feature[name].bytes_list.value.append(content)
    example.features.feature["label"].int64_list.value.append(1)
    for split in info["splits"]:
        name = f"toy_set-{split['name']}.parquet-00000-of-00001"
        records = [(n, example.SerializeToString()) for n in range(int(split["shardLengths"][0]))]
        file_adapters.ParquetFileAdapter.write_examples(toy / name, records)
    changed(toy / "dataset_info.json", lambda info: info.update(fileFormat="parquet"))
    second = {
        "pythonClassName": f"{NATIVE}.image_feature.Image",
        "image": {"shape": {"dimensions": ["8", "8", "3"]}, "dtype": "uint8"},
    }
    changed(toy / "features.json", lambda features: features["featuresDict"]["features"].update(thumbnail=second))
    np.testing.assert_array_equal(data.load("toy_set", "data").train.images[0, ..., 0], IMAGES[0])
    assert not ran.exists()


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_postscript_under_another_name_starts_no_program(tmp_path, ran, suffix):
    (tmp_path / "D" / "a").mkdir(parents=True)
    (tmp_path / "D" / "a" / f"000{suffix}").write_bytes(POSTSCRIPT)
    with pytest.raises(InputError, match=f"000{suffix} is not a readable image"):
        data.load(tmp_path / "D")
    assert not ran.exists()


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_of_a_folder_is_of_a_format_that_is_read(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    Image.new("L", (4, 3), 7).save(path)
    assert pictures.stack([("image", path)]).shape[:3] == (1, 3, 4)


@pytest.mark.parametrize("name", ["eps", "pdf", "ico", "pcx", "sgi", "tga", "im", "msp", "dib", "icns"])
def test_other_formats_are_no_images(tmp_path, name):
    path = tmp_path / f"image.{name}"
    Image.new("1" if name == "msp" else "L", (16, 16), 1).save(path)
    with pytest.raises(InputError, match="is not a readable image"):
        pictures.stack([("image", path.rename(tmp_path / "image.png"))])


def test_a_decompression_bomb_is_refused(tmp_path):
    """30,000 x 30,000 pixels, which a file of 900 kB unpacks to."""
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 2**20
    with pytest.raises(InputError, match="bomb is not a readable image"):
        pictures.stack([("bomb", tmp_path / "bomb.png")])


def test_a_picture_of_16_bits_takes_few_times_its_own_bytes(tmp_path):
    """In float64, the largest picture that is read took 6 GB, out of a file of 340 kB."""
    values = np.zeros((4096, 4096), np.uint16)
    values[0], values[-1] = 12_345, 65_535
    Image.fromarray(values).save(tmp_path / "deep.png")
    tracemalloc.start()
    (found,) = pictures.stack([("deep", tmp_path / "deep.png")])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found[..., 0], np.rint(values / 257).astype(np.uint8))
    assert most < 5 * values.nbytes


class Planted:
    """Unpickled, it starts a program."""

    def __reduce__(self):
        return os.system, ("gs pickled",)


@pytest.mark.parametrize("name", ["x_train", "other"])
def test_a_pickle_in_an_npz_is_not_loaded(tmp_path, ran, name):
    arrays = {"x_train": IMAGES, "y_train": np.zeros(30, int), "x_test": IMAGES, "y_test": np.zeros(30, int)}
    np.savez(tmp_path / "x.npz", allow_pickle=True, **{**arrays, name: np.array([Planted()], object)})
    if name == "other":  # not asked for, so not read
        assert len(data.load(tmp_path / "x.npz").train.labels) == 30
    else:
        with pytest.raises(InputError, match="holds pickled objects, which are never loaded"):
            data.load(tmp_path / "x.npz")
    assert not ran.exists()


def test_a_pickle_named_npz_is_not_loaded(tmp_path, ran):
    import pickle

    (tmp_path / "x.npz").write_bytes(pickle.dumps(Planted()))
    with pytest.raises(InputError, match="is not a readable .npz file"):
        data.load(tmp_path / "x.npz")
    assert not ran.exists()


def zipped(path, arrays, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return path


def with_header(shape, dtype="|u1", content=bytes(900)):
    """An array whose header claims this shape."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def refused(path, said):
    """The data set is refused in one line, before more than a megabyte is allocated for it."""
    tracemalloc.start()
    with pytest.raises(InputError) as raised:
        data.load(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert most < 2**20


@pytest.mark.parametrize(
    ("places", "value", "said"),
    [
        ((6, 8), 0x01, "images.npy is encrypted; the files of a data set that NumPy saved are not."),
        ((6, 8), 0x41, "images.npy is encrypted; the files of a data set that NumPy saved are not."),
        ((6, 8), 0x20, "x.npz is not a readable .npz file (compressed patched data (flag bit 5))."),
        ((8, 10), 99, "images.npy is compressed by a method that NumPy does not use; it must be stored or deflated."),
        ((8, 10), 14, "images.npy is compressed by a method that NumPy does not use; it must be stored or deflated."),
        ((4, 6), 90, "x.npz is not a readable .npz file (zip file version 9.0)."),
    ],
    ids="encrypted strongly patched unknown lzma version".split(),
)
def test_an_npz_of_another_kind_of_zip_is_one_line(tmp_path, places, value, said):
    np.savez(path := tmp_path / "x.npz", images=IMAGES, labels=np.arange(30) % 3)
    content = bytearray(path.read_bytes())
    for start, place in zip((b"PK\3\4", b"PK\1\2"), places, strict=True):
        for found in re.finditer(start, content):
            content[found.start() + place : found.start() + place + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)
    refused(path, said)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((4000, 1000, 1000), "|u1"),
        ((10**6,) * 3, "|u1"),
        ((-1, 30), "|u1"),
        ((0, 10**30), "|u1"),
        ((3,), "<U400000000"),
        ((29, 6, 5), "|u1"),
    ],
)
def test_a_shape_that_an_npz_does_not_store_is_not_allocated(tmp_path, shape, dtype):
    arrays = {"images": with_header(shape, dtype), "labels": with_header((900,))}
    refused(zipped(tmp_path / "x.npz", arrays), "x.npz is not a readable .npz file (images.npy claims ")


def test_an_npz_that_unpacks_to_far_more_than_it_stores_is_not_unpacked(tmp_path):
    bomb = with_header((4, 1000, 1000), content=bytes(4_000_000))
    path = zipped(tmp_path / "x.npz", {"images": bomb, "labels": with_header((4,), content=bytes(4))})
    refused(path, "images.npy claims 4000128 bytes out of 4")


def test_sorted_labels_which_are_stored_in_very_few_bytes_are_no_bomb(tmp_path):
    labels = np.repeat([0, 1], 100_000)
    images = np.random.default_rng(0).integers(0, 256, (200_000, 1, 1), np.uint8)
    np.savez_compressed(tmp_path / "x.npz", images=images, labels=labels)
    assert len(data.load(tmp_path / "x.npz").train.labels) > 160_000


def test_no_flipped_byte_of_an_npz_is_a_traceback(tmp_path):
    np.savez(path := tmp_path / "x.npz", images=IMAGES, labels=np.arange(30) % 3)
    original, draw = path.read_bytes(), random.Random(0)
    for _ in range(int(os.environ.get("CNNVIZ_FUZZ", "300"))):
        content = bytearray(original)
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            data.load(path)


def run_of(path, **facts):
    """A run's config whose data is the toy's."""
    found = data.load("toy_set", "data")
    return path, {"data": {"name": "toy_set", "dir": "data", "fingerprint": found.fingerprint, **facts}}


@pytest.mark.parametrize("facts", [{"dir": "runs/x/d"}, {"dir": "outside"}, {"dir": "runs", "name": "x/d"}])
def test_a_directory_inside_a_run_is_not_its_data_by_itself(toy, tmp_path, facts):
    from cnnviz.commands.recorded import recorded_data

    run = tmp_path / "runs" / "x"
    (run / "d").mkdir(parents=True)
    path, config = run_of(run, **facts)
    toy.parent.rename(run / "d" / "toy_set")
    (tmp_path / "outside").symlink_to(run / "d")
    with pytest.raises(InputError, match="names data inside itself, .* read only if --data-dir names it") as raised:
        recorded_data(path, config)
    assert "\n" not in str(raised.value)
    assert recorded_data(path, {"data": {**config["data"], "name": "toy_set"}}, run / "d")[0].title == "toy_set"


@pytest.mark.parametrize("name", ["runs/x/things.npz", "link.npz", "{absolute}"])
def test_a_file_inside_a_run_is_not_its_data_by_itself(tmp_path, toy, name):
    from cnnviz.commands.recorded import recorded_data

    run = tmp_path / "runs" / "x"
    run.mkdir(parents=True)
    (tmp_path / "toy_set.npz").rename(run / "things.npz")
    (tmp_path / "link.npz").symlink_to(run / "things.npz")
    path, config = run_of(run, name=name.format(absolute=run / "things.npz"), dir=None)
    with pytest.raises(InputError, match="names data inside itself, .* read only if --dataset names it"):
        recorded_data(path, config)
    for named in (str(run / "things.npz"), f"garments,{run / 'things.npz'}"):
        assert recorded_data(path, config, dataset=named)[0].title in ("things", "link")
    with pytest.raises(InputError, match="read only if --dataset names it"):
        recorded_data(path, config, dataset="garments")


@pytest.mark.parametrize("command", ["visualize", "train --resume", "train --verify"])
def test_no_command_opens_data_inside_a_run(tmp_path, toy, ran, command, in_format_1, capsys):
    from cnnviz.commands import train, visualize

    np.savez(tmp_path / "twelve.npz", images=np.zeros((60, 12, 12), np.uint8), labels=np.arange(60) % 3)
    arguments = ["--dataset", "twelve.npz", "--model", "dense", "--epochs", "1", "--name", "x"]
    assert train.main(arguments) == 0
    run = tmp_path / "runs" / "x"
    in_format_1(run)  # whose manifests have no digest of the config; an attacker could make that right, too
    changed(run / "config.json", lambda config: config["data"].update(name="toy_set", dir=str(run / "d")))
    digest = hashlib.sha256((run / "config.json").read_bytes()).hexdigest()
    changed(run / "summary.json", lambda summary: summary["files"].update({"config.json": digest}))
    if command == "train --resume":
        (run / "summary.json").unlink()  # a finished run needs no data
    toy.parent.parent.rename(run / "d")
    (run / "d" / "toy_set" / "1.0.0" / "features.json").write_text(json.dumps(EVIL))
    main, arguments = {
        "visualize": (visualize.main, ["activations", str(run)]),
        "train --resume": (train.main, ["--resume", "--name", "x"]),
        "train --verify": (train.main, ["--verify", str(run)]),
    }[command]
    capsys.readouterr()
    assert main(arguments) == 2
    assert (
        f"names data inside itself, {run / 'd'}, which is read only if --data-dir names it." in capsys.readouterr().err
    )
    assert not ran.exists()


def test_what_is_read_imports_nothing_of_the_current_folder(toy, ran, tmp_path):
    """As a user starts it: in a process of its own, from the folder where the modules are planted."""
    (toy / "features.json").write_text(json.dumps(EVIL))
    root = str(Path(data.__file__).parents[2])
    found = subprocess.run(
        [sys.executable, f"{root}/train.py", "--dataset", "toy_set", "--data-dir", "data"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert "data.toy_set.evil.X" in found.stderr
    assert not ran.exists()
