"""Data sets by name and by path: lists of preference, folders of images, `.npz` files, and what is said of bad ones."""

import gzip
import zipfile

import numpy as np
import pytest
from PIL import Image

from cnnviz import data
from cnnviz.data import cache
from cnnviz.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 6, 5), dtype=np.uint8)
LABELS = np.arange(24) % 2
pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "things.npz"
    np.savez(path, x_train=IMAGES[:16], y_train=LABELS[:16], x_test=IMAGES[16:], y_test=LABELS[16:])
    return path


@pytest.fixture
def folder(tmp_path):
    """Twelve images each of two classes, as PNG files."""
    for i, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        path = tmp_path / "pets" / ("cat", "dog")[label] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "pets"


def test_an_npz_file_is_a_data_set_that_its_name_gives_again(npz):
    found = data.load(npz)
    np.testing.assert_array_equal(found.train.images, IMAGES[:16, :, :, None])
    np.testing.assert_array_equal(found.test.labels, LABELS[16:])
    assert (found.classes, found.title) == (("0", "1"), "things")
    assert data.load(found.name).fingerprint == found.fingerprint


def test_of_one_part_every_sixth_image_of_a_class_is_for_testing(tmp_path):
    np.savez(tmp_path / "one.npz", images=IMAGES, labels=LABELS)
    found = data.load(tmp_path / "one.npz")
    np.testing.assert_array_equal(found.test.images[..., 0], IMAGES[[10, 11, 22, 23]])
    assert len(found.train.images) == 20


def test_a_folder_has_a_class_for_each_sub_folder(folder):
    found = data.load(folder)
    assert (found.classes, found.title) == (("cat", "dog"), "pets")
    np.testing.assert_array_equal(found.test.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.test.images[:, :, :, 0], IMAGES[[10, 22, 11, 23]])
    assert data.load(found.name).fingerprint == found.fingerprint


def test_a_folder_that_changed_is_read_again(folder):
    before = data.load(folder)
    Image.fromarray(255 - IMAGES[0]).save(folder / "cat" / "00.png")
    assert data.load(folder).fingerprint != before.fingerprint


def test_gray_and_colored_images_together_are_colored(folder):
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(folder / "cat" / "00.png")
    assert data.load(folder).train.images.shape[1:] == (6, 5, 3)


def test_the_first_that_can_be_had_is_taken_and_it_is_said_why(npz):
    found, line = data.first_available(["fashion_mnist", str(npz)])
    assert found.title == "things"
    assert line.startswith(f"Data set {npz} from {npz}. fashion_mnist is not on this machine")
    assert "CNNVIZ_OFFLINE is set" in line


def test_a_damaged_or_unknown_one_in_a_list_is_not_passed_over(npz, tmp_path):
    (tmp_path / "bad.npz").write_bytes(npz.read_bytes()[:-40])
    with pytest.raises(InputError, match="bad.npz is not a readable .npz file"):
        data.first_available(f"{tmp_path / 'bad.npz'},garments")
    with pytest.raises(InputError, match="did you mean 'fashion_mnist'"):
        data.first_available("garments,fashon_mnist")


def test_named_alone_a_data_set_is_never_replaced():
    with pytest.raises(data.Unavailable, match="or use --dataset garments"):
        data.load("fashion_mnist")


def test_every_place_that_was_looked_in_is_named(tmp_path):
    (tmp_path / "given").mkdir()
    with pytest.raises(data.Unavailable) as raised:
        data.load("fashion_mnist", tmp_path / "given")
    places = ("given", "tfds", "keras/datasets", "data", "system", "cache/downloads")
    found = [str(raised.value).find(place if place == "data" else str(tmp_path / place)) for place in places]
    assert found == sorted(found)
    assert min(found) > 0
    assert "apt-get install dataset-fashion-mnist" in str(raised.value)


def test_a_data_set_of_tfds_that_is_not_prepared_is_unavailable():
    with pytest.raises(data.Unavailable, match="food101 is known to TFDS and not prepared"):
        data.load("food101")


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": IMAGES}, "has the arrays x; it needs"),
        ({"images": IMAGES, "labels": LABELS[:-1]}, "has 24 images and 23 labels"),
        ({"images": IMAGES.astype(np.float32), "labels": LABELS}, "are float32.*; uint8 of shape"),
        ({"images": IMAGES, "labels": LABELS - 1}, "run from -1 to 0; they must count up from 0"),
        ({"images": IMAGES, "labels": LABELS * 1000}, "go up to 1000 for 20 images"),
        ({"images": IMAGES, "labels": LABELS + 0.5}, "are float64.*; they must be integers"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "uint8 of shape"),
        ({"images": IMAGES[:4], "labels": LABELS[:4]}, "fewer than six images in every class"),
    ],
)
def test_arrays_that_are_no_data_set(tmp_path, arrays, text):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=text):
        data.load(tmp_path / "bad.npz")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "bad.npz", images=np.array([print], object), labels=LABELS)
    with pytest.raises(InputError, match="holds pickled objects, which are never loaded"):
        data.load(tmp_path / "bad.npz")


def test_folders_that_are_no_data_set(folder, tmp_path):
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty has no images; each class needs at least one \(.bmp"):
        data.load(folder)
    (folder / "empty" / "x.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(InputError, match="x.png is not a readable image"):
        data.load(folder)
    Image.fromarray(IMAGES[0, :3]).save(folder / "empty" / "x.png")
    with pytest.raises(InputError, match="x.png has 3x5 pixels and the first 6x5; all images must have the same size"):
        data.load(folder)
    (folder / "empty" / "x.png").unlink()
    (folder / "empty" / "x.png").symlink_to("nowhere")
    with pytest.raises(InputError, match="empty has no images"):
        data.load(folder)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="nothing has no subfolders"):
        data.load(tmp_path / "nothing")


def test_a_folder_with_train_alone_is_said_to_lack_test(folder, tmp_path):
    (tmp_path / "part").mkdir()
    folder.rename(tmp_path / "part" / "train")
    with pytest.raises(InputError, match="part has train; it needs train and test, or one subfolder per class"):
        data.load(tmp_path / "part")


def test_a_path_may_have_a_comma(npz, tmp_path):
    path = npz.rename(tmp_path / "a, b.npz")
    assert data.first_available(str(path))[0].title == "a, b"


def test_a_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("images.npy", b"junk")
        archive.writestr("labels.npy", b"junk")
    with pytest.raises(InputError, match=r"is not a readable .npz file \(not an array: images, labels\)"):
        data.load(tmp_path / "bad.npz")


def test_train_and_test_need_the_same_classes(folder, tmp_path):
    (tmp_path / "both").mkdir()
    folder.rename(tmp_path / "both" / "train")
    (tmp_path / "both" / "test" / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="test lacks dog; its classes must be those of"):
        data.load(tmp_path / "both")


def test_paths_and_folders_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="does not exist; give a folder"):
        data.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="The folder .*nowhere does not exist; --data-dir must be"):
        data.load("garments", tmp_path / "nowhere")
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(InputError, match="is neither a folder of images nor an .npz file"):
        data.load(tmp_path / "text.txt")
    with pytest.raises(InputError, match="lack a name"):
        data.first_available("garments,,mnist")


def test_what_is_cached_is_compared_with_its_fingerprint(folder, tmp_path):
    before = data.load(folder)
    entry = next((tmp_path / "cache" / "data").glob("pets-*"))
    images = np.load(entry / "train_images.npy")
    images[0, 0, 0, 0] ^= 1
    np.save(entry / "train_images.npy", images)
    assert data.load(folder).fingerprint == before.fingerprint


def test_a_cache_that_cannot_be_written_is_no_error(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path / "file"))
    assert cache.folder() == tmp_path / "file"
    assert len(data.load(folder).train.images) == 20


def test_a_gzipped_npz_is_told_apart(npz, tmp_path):
    (tmp_path / "zipped.npz").write_bytes(gzip.compress(npz.read_bytes()))
    with pytest.raises(InputError, match="is not a readable .npz file"):
        data.load(tmp_path / "zipped.npz")
