"""SVHN, EMNIST, MedMNIST, tables of labels and other arrays: small archives in each format, and damaged ones."""

import contextlib
import gzip
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from cnnviz import data
from cnnviz.data import medmnist
from cnnviz.data.arrays import Span
from cnnviz.errors import InputError

pytestmark = pytest.mark.usefixtures("alone")
RANDOM = np.random.default_rng(0)
DIGITS = RANDOM.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(params=[True, False], ids=["compressed", "plain"])
def svhn(request, tmp_path):
    for name in ("train", "test"):
        arrays = {"X": DIGITS.transpose(1, 2, 3, 0), "y": np.array([[10], [1], [9], [3]], np.uint8)}
        savemat(tmp_path / f"{name}_32x32.mat", {"other": "text", **arrays}, do_compression=request.param)
    return tmp_path


@pytest.mark.parametrize("name", ["svhn", "SVHN", "svhn_cropped", "path"])
def test_svhn_as_scipy_writes_it(svhn, name):
    found = data.load(svhn if name == "path" else name, None if name == "path" else svhn)
    np.testing.assert_array_equal(found.train.images, DIGITS)
    assert found.test.labels.tolist() == [0, 1, 9, 3]
    assert any("is not the published file: its SHA256" in note for note in found.notes)


def test_one_file_of_svhns_form(tmp_path):
    many = np.concatenate([DIGITS] * 4)
    savemat(tmp_path / "x.mat", {"X": many.transpose(1, 2, 3, 0), "y": np.full((16, 1), 10.0)})
    found = data.load(tmp_path / "x.mat")
    assert (len(found.train.labels), len(found.test.labels), found.train.labels[0]) == (14, 2, 0)


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(name="X", shape=(2, 2), kind=9, content=b"abcd", stored=2):
    flags = element(6, struct.pack("<II", kind, 0))
    sides = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, flags + sides + element(1, name.encode()) + element(stored, content))


def mat(*elements, version=b"\0\1IM"):
    return b"MATLAB 5.0 MAT-file".ljust(124) + version + b"".join(elements)


def squeezed(content):
    packed = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(packed)) + packed


HOSTILE = {
    "empty": (b"", "not a MATLAB 5 file"),
    "hdf5": (b"\x89HDF\r\n\x1a\n".ljust(600), "an HDF5 file of MATLAB 7.3; save it by"),
    "version 4": (mat(version=b"\0\2IM"), "of a version of MATLAB files other than 5"),
    "no arrays": (mat(), "lacks the arrays X, y"),
    "cut": (mat(matrix())[:-4], "claims .* bytes, more than the file has"),
    "claims": (mat(struct.pack("<II", 14, 2**31)), "claims 2147483648 bytes, more than the file has"),
    "shape": (mat(matrix(shape=(2, 3))), r"X claims \[2, 3\] and stores 4 bytes"),
    "huge shape": (mat(matrix(shape=(2**31 - 1,) * 4)), "X claims"),
    "negative": (mat(matrix(shape=(-2, -2))), "shape that no array can have"),
    "object": (mat(matrix(kind=3)), "its array X is not of plain numbers"),
    "function": (mat(matrix(kind=16)), "its array X is not of plain numbers"),
    "a type of no number": (mat(matrix(stored=16)), "its array X is not of plain numbers"),
    "not zlib": (mat(element(15, b"not compressed at all")), "is a damaged MATLAB file"),
    "bomb": (mat(squeezed(element(14, bytes(2**27)))), "claims 134,217,728 bytes out of"),
    "claims when unpacked": (mat(squeezed(struct.pack("<II", 14, 2**26) + matrix()[8:])), "an element ends early"),
    "two axes": (mat(matrix(), matrix("y", (4, 1))), r"has X of shape \[2, 2\]; it must be \[h, w, c, n\]"),
    "floats": (
        mat(matrix(stored=7, shape=(1, 1), content=struct.pack("<f", 0.5))),
        "other than integers from 0 to 255",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_bad_matlab_file_is_one_line(tmp_path, what):
    content, said = HOSTILE[what]
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(InputError, match=said) as raised:
        data.load(tmp_path / "x.mat")
    assert "\n" not in str(raised.value)


def test_no_flipped_byte_of_a_matlab_file_is_a_traceback(svhn):
    path = svhn / "train_32x32.mat"
    original = path.read_bytes()
    for _ in range(150):
        content = bytearray(original)
        for place in RANDOM.integers(0, min(len(content), 600), 3):
            content[place] = RANDOM.integers(0, 256)
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            data.load(path)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


LETTERS = RANDOM.integers(0, 256, (26, 28, 28), dtype=np.uint8)


def emnist(name, labels):
    """The four files of one of the sets, by name."""
    files = {}
    for part in ("train", "test"):
        files[f"emnist-{name}-{part}-images-idx3-ubyte"] = idx(LETTERS)
        files[f"emnist-{name}-{part}-labels-idx1-ubyte"] = idx(labels)
    return files


def zipped(path, files, folder="gzip/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{folder}{name}.gz", gzip.compress(content))
    return path


LETTER_LABELS = np.arange(1, 27, dtype=np.uint8)
DIGIT_LABELS = (np.arange(26) % 10).astype(np.uint8)


@pytest.mark.parametrize("how", ["zip", "unpacked", "gzipped", "zip by path", "folder by path"])
def test_emnist_upright_and_counted_from_zero(tmp_path, how):
    letters, digits = emnist("letters", LETTER_LABELS), emnist("digits", DIGIT_LABELS)
    if how.startswith("zip"):
        path = zipped(tmp_path / "gzip.zip", letters if "path" in how else letters | digits)
    else:
        (path := tmp_path / "EMNIST" / "raw").mkdir(parents=True)
        for name, content in (letters if "path" in how else letters | digits).items():
            file = path / (f"{name}.gz" if how == "gzipped" else name)
            file.write_bytes(gzip.compress(content) if how == "gzipped" else content)
        path = path.parent
    found = data.load(path) if "path" in how else data.load("emnist/letters", tmp_path)
    np.testing.assert_array_equal(found.train.images[..., 0], LETTERS.transpose(0, 2, 1))
    assert found.test.labels.tolist() == list(range(26))
    if "path" not in how:
        assert found.classes == tuple("abcdefghijklmnopqrstuvwxyz")
        assert data.load("emnist_digits", tmp_path).train.labels.tolist() == DIGIT_LABELS.tolist()


def test_a_zip_or_folder_of_several_sets_needs_a_name(tmp_path):
    zipped(tmp_path / "gzip.zip", emnist("letters", LETTER_LABELS) | emnist("digits", DIGIT_LABELS))
    with pytest.raises(InputError, match=r"has the IDX files of 2 data sets .*--dataset emnist_letters --data-dir"):
        data.load(tmp_path / "gzip.zip")
    zipped(tmp_path / "other.zip", {"readme": b"x"})
    with pytest.raises(InputError, match="has no IDX files; unpack"):
        data.load(tmp_path / "other.zip")


@pytest.mark.parametrize("names", ["train t10k", "train test"])
def test_a_folder_of_idx_files(tmp_path, names):
    (folder := tmp_path / "mine" / "raw").mkdir(parents=True)
    for part in names.split():
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(LETTERS))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(DIGIT_LABELS)))
    for place in (folder, folder.parent):
        found = data.load(place)
        np.testing.assert_array_equal(found.test.images[..., 0], LETTERS)
        assert len(found.classes) == 10
    (folder / f"{names.split()[1]}-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="lacks the IDX files test-labels; it has"):
        data.load(folder)
    with pytest.raises(InputError, match="is one file of a data set; name the folder that has all of them"):
        data.load(folder / "train-images-idx3-ubyte")


@pytest.mark.parametrize("change", ["cut", "bomb", "header"])
def test_a_bad_zip_is_one_line(tmp_path, change):
    files = emnist("letters", LETTER_LABELS)
    name = "emnist-letters-train-images-idx3-ubyte"
    if change == "header":
        files[name] = b"\0\0\x08\x03" + b"\xff" * 12
    if change == "bomb":
        files[name] = b"\0\0\x08\x03" + np.array([2**15, 2**10, 2**10], ">u4").tobytes()
    path = zipped(tmp_path / "gzip.zip", files)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="gzip.zip") as raised:
        data.load(path)
    assert "\n" not in str(raised.value)


def test_medmnist_with_its_validation_images(tmp_path, monkeypatch):
    arrays = {}
    for part, n in (("train", 18), ("val", 9), ("test", 9)):
        arrays[f"{part}_images"] = RANDOM.integers(0, 256, (n, 28, 28, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n) % 9).reshape(-1, 1).astype(np.uint8)
    (tmp_path / "home" / ".medmnist").mkdir(parents=True)
    np.savez(tmp_path / "home" / ".medmnist" / "pathmnist.npz", **arrays)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = data.load("PathMNIST")
    np.testing.assert_array_equal(found.validation.images, arrays["val_images"])
    assert found.classes[7] == "cancer-associated stroma"
    assert "Its own 9 validation images are for validation." in found.notes


def test_every_published_set_has_a_checksum_for_every_file_that_is_downloaded():
    from cnnviz.data import cifar, emnist, svhn

    every = [cifar.CIFAR10, cifar.CIFAR100, svhn.SVHN, *emnist.PUBLISHED.values(), *medmnist.PUBLISHED.values()]
    for published in every:
        assert all(len(published.digests[name]) in (32, 64) for name in published.downloaded)
        assert all(published.address(name).startswith("http") for name in published.downloaded)


def test_a_download_is_compared_with_its_checksum(tmp_path, monkeypatch):
    import pooch

    from cnnviz.data import download

    def get(url, path, _):
        assert url == "https://zenodo.org/records/10519652/files/breastmnist.npz?download=1"
        np.savez(open(path, "wb"), train_images=LETTERS, train_labels=DIGIT_LABELS)

    monkeypatch.setenv("CNNVIZ_OFFLINE", "0")
    monkeypatch.setattr(download, "preflight", lambda url: None)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: get)
    with pytest.raises(
        InputError, match="breastmnist.npz has the wrong checksum: its MD5 is .*, the published one is 7506"
    ):
        data.load("breastmnist")
    assert list((tmp_path / "cache" / "downloads" / "breastmnist").iterdir()) == []


IMAGES = RANDOM.integers(0, 256, (24, 6, 5), dtype=np.uint8)
LABELS = np.arange(24) % 2


@pytest.mark.parametrize(
    "names",
    ["x_train y_train", "X_train Y_train", "trainImages trainLabels", "images labels", "x y", "X y", "data target"]
    + ["train_data train_labels", "images_train labels_train", "training_images training_targets", "arr_0 arr_1"],
)
def test_arrays_under_the_names_that_people_give_them(tmp_path, names):
    images, labels = names.split()
    np.savez(tmp_path / "x.npz", **{images: IMAGES, labels: LABELS, "mean": np.ones(3)})
    assert len(data.load(tmp_path / "x.npz").train.labels) == 20


def test_names_of_classes_and_one_hot_labels_in_an_npz(tmp_path):
    names = np.array(["cat", "dog"])
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=np.eye(2, dtype=np.float32)[LABELS], class_names=names)
    found = data.load(tmp_path / "x.npz")
    assert found.classes == ("cat", "dog")
    assert found.train.labels.tolist() == [*LABELS[:10].tolist(), *LABELS[12:22].tolist()]


def test_two_arrays_for_one_thing(tmp_path):
    np.savez(tmp_path / "x.npz", images=IMAGES, x=IMAGES, labels=LABELS)
    with pytest.raises(InputError, match="has two arrays of train images: images and x"):
        data.load(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=np.ones((24, 3), int))
    with pytest.raises(InputError, match="they must be integers .n., one class per image"):
        data.load(tmp_path / "x.npz")


def test_channels_that_are_neither_gray_nor_rgb_are_said(tmp_path):
    np.savez(tmp_path / "x.npz", images=RANDOM.integers(0, 256, (24, 6, 5, 4), dtype=np.uint8), labels=LABELS)
    note = "The images have 4 channels, numbered 0 to 3; pictures draw channel 0 of them."
    assert note in data.load(tmp_path / "x.npz").notes


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((3, 6, 5), "If the 3 of 3x6x5 are their channels, move that axis last."),
        ((1, 8, 8), "If the 1 of 1x8x8 are their channels, move that axis last."),
        ((6, 6, 6), "Volumes of one channel are read by --image-shape 6,6,6,1."),
        ((6, 5, 4), "pictures draw channel 0 of them."),
        ((3, 5, 2), "pictures draw channel 0 of them."),
    ],
)
def test_axes_that_are_probably_others_are_said(tmp_path, shape, text):
    np.savez(tmp_path / "x.npz", images=RANDOM.integers(0, 256, (24, *shape), dtype=np.uint8), labels=LABELS)
    assert data.load(tmp_path / "x.npz").notes[-1].endswith(text)


def test_a_path_that_does_not_exist_leads_to_a_near_one(tmp_path, monkeypatch):
    np.savez(tmp_path / "mine.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, meant in {"picturs": "'pictures'", "./picturs": "pictures", "mien.npz": "mine.npz"}.items():
        with pytest.raises(InputError, match=rf"; did you mean {meant}\?"):
            data.load(name)
    with pytest.raises(InputError, match="elsewhere.npz does not exist; give a folder"):
        data.load("elsewhere.npz")


@pytest.fixture
def table(tmp_path):
    """Writes the images and a table with these lines, to which `{0}` is the name of each image."""

    def write(header, line="{0},{1}", name="labels.csv", folder=""):
        (tmp_path / "t" / folder).mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(IMAGES):
            Image.fromarray(image).save(tmp_path / "t" / folder / f"{i:02d}.png")
        lines = [line.format(f"{i:02d}", ("cat", "dog")[i % 2], "train" if i < 16 else "test") for i in range(24)]
        (tmp_path / "t" / name).write_text("\n".join([*([header] if header else []), *lines]) + "\n")
        return tmp_path / "t" / name

    return write


@pytest.mark.parametrize(
    ("header", "line", "name", "folder"),
    [
        ("filename,label", "{0}.png,{1}", "labels.csv", ""),
        ("", "{0}.png,{1}", "labels.csv", ""),
        ("id,breed", "{0},{1}", "train.csv", "train"),
        ("image_id,dx", "{0},{1}", "labels.csv", "images"),
        ("Label,Image Path", "{1},img/{0}.png", "labels.csv", "img"),
        ("\ufefffilename;label", "{0}.png;{1}", "labels.csv", ""),
        ("path\tclass", "{0}.png\t{1}", "labels.tsv", ""),
        ("width,filename,label", "5,{0}.png,{1}", "labels.csv", ""),
    ],
)
def test_a_table_of_labels(table, header, line, name, folder):
    found = data.load(table(header, line, name, folder))
    assert (found.classes, len(found.train.labels), len(found.test.labels)) == (("cat", "dog"), 20, 4)
    np.testing.assert_array_equal(found.train.images[0, :, :, 0], IMAGES[0])
    assert data.load(found.name).fingerprint == found.fingerprint


def test_a_table_may_say_the_split(table):
    found = data.load(table("filename,label,split", "{0}.png,{1},{2}"))
    assert (len(found.train.labels), len(found.test.labels)) == (16, 8)


def test_a_folder_with_a_table_leads_to_it(table):
    path = table("filename,label", "{0}.png,{1}")
    with pytest.raises(InputError, match="If labels.csv says which image is of which class, name that file"):
        data.load(path.parent)


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ("a,b,c", "{0},{1},x", "has the columns a, b, c; it needs one of files"),
        ("filename,label", "missing{0}.png,{1}", "names 'missing00.png', which is not in"),
        ("filename,label", "/etc/passwd,{1}", "names '/etc/passwd'"),
        ("filename,label", "../secret.png,{1}", "names '../secret.png'"),
        ("filename,label", "{0}.png", "has 1 value in line 2 and 2 in the first"),
        ("filename,label,split", "{0}.png,{1},fold7", "has a split 'fold7'; the splits are train"),
        ("filename,label", "{0}.png,cat", "has one class, cat"),
    ],
)
def test_a_table_that_is_no_data_set(table, tmp_path, header, line, said):
    Image.fromarray(IMAGES[0]).save(tmp_path / "secret.png")
    with pytest.raises(InputError, match=said) as raised:
        data.load(table(header, line))
    assert "\n" not in str(raised.value)


def test_a_table_of_pixels(tmp_path):
    squares = IMAGES[:, :5, :5].reshape(24, 25)
    lines = [",".join(map(str, [label, *row])) for label, row in zip(LABELS, squares, strict=True)]
    header = ",".join(["label", *(f"pixel{i}" for i in range(25))])
    (tmp_path / "p.csv").write_text("\n".join([header, *lines]))
    found = data.load(tmp_path / "p.csv")
    np.testing.assert_array_equal(found.train.images[0, :, :, 0], IMAGES[0, :5, :5])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("MNIST", "mnist"), ("fashion-mnist", "fashion_mnist"), ("FashionMNIST", "fashion_mnist"), ("CIFAR-10", "cifar10")]
    + [
        ("fmnist", "fashion_mnist"),
        ("cifar_100", "cifar100"),
        ("EMNIST/letters", "emnist_letters"),
        ("KMNIST", "kmnist"),
    ],
)
def test_names_as_people_type_them(typed, meant):
    with pytest.raises(data.Unavailable, match=f"^{meant} is not on this machine"):
        data.load(typed)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "imagenet",
            "'imagenet' is not a data set; ImageNet is not downloaded: it needs an account. Known: fashion_mnist",
        ),
        ("ILSVRC2012", "ImageNet is not downloaded"),
        ("fashion_minst", "did you mean 'fashion_mnist'"),
        ("ciphar10", "did you mean 'cifar10'"),
        ("flowers", r"'flowers' is not a data set\. Known: .* or the path of a folder with one subfolder per class"),
        ("celeba_mine", "its images have several labels each"),
        ("chestmnist", "'chestmnist' is not a data set; its images have several labels each"),
        ("medmnist", "the sets of MedMNIST have their own names, such as pathmnist. Known: "),
        ("fashion-mnsit", "'fashion-mnsit' is not a data set; did you mean 'fashion_mnist'"),
    ],
)
def test_names_that_are_none_get_no_nonsense(typed, said):
    with pytest.raises(InputError, match=said):
        data.load(typed)


def test_a_pickle_is_named_for_what_it_is(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(InputError, match="is a pickle, which could run any code and is never read; save the arrays by"):
        data.load(tmp_path / "x.pkl")


def test_only_those_that_fit_are_tried_for_a_network():
    assert data.fitting((28, 28, 1), 10) == [
        "fashion_mnist",
        "mnist",
        "kmnist",
        "garments",
        "emnist_digits",
        "emnist_mnist",
    ]
    assert data.fitting((32, 32, 3), 10) == ["garments", "cifar10", "svhn"]


def test_a_prepared_version_may_be_named_by_its_path(tmp_path):
    np.savez(tmp_path / "shapes.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "given").mkdir()
    prepared = data.prepare(tmp_path / "shapes.npz", tmp_path / "given")
    assert data.load(prepared).fingerprint == data.load(tmp_path / "shapes.npz").fingerprint


def test_narrow_pictures_may_be_signals_and_what_reads_them_so_is_said(tmp_path):
    labels, path = np.arange(12) % 2, tmp_path / "signals.npz"
    np.savez(path, x_train=np.zeros((12, 20, 3), np.uint8), y_train=labels)
    assert "x_train is read as gray pictures of 20x3; --image-shape 20,3 reads it as signals." in data.load(path).notes
    assert not any("signals" in note for note in data.load(path, image_shape=(20, 3)).notes)
    np.savez(path, x_train=np.zeros((12, 20, 9), np.uint8), y_train=labels)
    assert not any("signals" in note for note in data.load(path).notes)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 1, "The values of x are float16 from 0 to 1, kept in 8 bits."),
        (0, 2, 'shown 0 to 1 in their place (--prepare \'{"scale": 0.00784314, "mean": [0]}\' shows'),
        (-1, 1, '(--prepare \'{"scale": 0.00784314, "mean": [1]}\' shows'),
    ],
)
def test_what_is_said_of_floats_in_8_bits(low, high, said):
    assert said in Span(low, high).note("x", np.dtype(np.float16))
    assert ("--prepare" in said) == ("--prepare" in Span(low, high).note("x", np.dtype(np.float16)))
