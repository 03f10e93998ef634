"""Folders of images as people have them: nested, with other files among them, of every kind of picture and size."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import data
from cnnviz.errors import InputError

pytestmark = pytest.mark.usefixtures("alone")
RANDOM = np.random.default_rng(0)


def picture(path, size=(6, 5), mode="RGB", **options):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,)}[mode]
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.integers(0, 256, (*size, *channels), dtype=np.uint8)
    Image.fromarray(pixels, mode).save(path, options.pop("format", "PNG"), **options)
    return path


@pytest.fixture
def toy(tmp_path):
    """Nine images each of a cat and a dog."""
    for name in ("cat", "dog"):
        for i in range(9):
            picture(tmp_path / "toy" / name / f"{i}.png")
    return tmp_path / "toy"


def count(dataset):
    splits = (dataset.train, dataset.test, dataset.validation)
    return sum(len(split.labels) for split in splits if split is not None)


def test_pictures_in_subfolders_of_a_class_belong_to_it_which_is_said(toy):
    for i in range(3):
        picture(toy / "cat" / "more" / "yet" / f"{i}.png")
    found = data.load(toy)
    assert count(found) == 21
    assert "3 images in subfolders of classes (cat/more/yet) belong to these." in found.notes


@pytest.mark.parametrize("ending", [".jfif", ".JPG", ".PNG", ".avif", ".webp", ".Tiff", ".ppm", ""])
def test_other_endings_and_none_are_read(toy, ending):
    format = {"": "PNG", ".avif": "AVIF", ".webp": "WEBP", ".tiff": "TIFF", ".ppm": "PPM", ".png": "PNG"}
    picture(toy / "cat" / f"x{ending}", format=format.get(ending.lower(), "JPEG"))
    assert count(data.load(toy)) == 19


def test_files_that_are_no_pictures_are_counted_and_junk_is_not(toy):
    for name in ("notes.txt", "x.heic", "noending", "Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"):
        (toy / "cat" / name).write_bytes(b"nothing")
    found = data.load(toy)
    assert count(found) == 18
    assert "3 files left out, not pictures: cat/noending, cat/notes.txt, cat/x.heic." in found.notes


def test_folders_that_systems_make_are_no_classes(toy):
    for name in ("__MACOSX", "@eaDir", ".git", "$RECYCLE.BIN"):
        picture(toy / name / "cat" / "x.png")
    assert data.load(toy).classes == ("cat", "dog")
    picture(toy / "dog" / "__MACOSX" / "._x.png")
    assert count(data.load(toy)) == 18


def test_pictures_of_no_class_are_counted(toy):
    picture(toy / "x.png")
    assert f"1 image directly in {toy} of no class, left out: x.png." in data.load(toy).notes


def test_a_hint_leads_to_the_inner_folder(toy, tmp_path):
    outer = tmp_path / "pets" / "archive"
    outer.mkdir(parents=True)
    toy.rename(outer / "PetImages")
    with pytest.raises(InputError, match=f"{outer / 'PetImages'} has several .cat, dog.; name that folder"):
        data.load(tmp_path / "pets")
    for name in ("one", "two"):
        shutil.copytree(outer / "PetImages", tmp_path / "folds" / name)
    with pytest.raises(InputError, match="Each of .* subfolders .one, two. has the subfolders cat, dog; name one of"):
        data.load(tmp_path / "folds")


def test_one_class_is_refused(toy):
    shutil.rmtree(toy / "dog")
    with pytest.raises(InputError, match="toy has one class, cat; a network needs two or more"):
        data.load(toy)


@pytest.mark.parametrize("names", ["train test val", "Training Testing Validation", "train_set test_set val_set"])
def test_train_test_and_val_are_used_as_such(toy, tmp_path, names):
    (tmp_path / "all").mkdir()
    for name in names.split():
        shutil.copytree(toy, tmp_path / "all" / name)
    picture(tmp_path / "all" / names.split()[2] / "cat" / "more.png")
    found = data.load(tmp_path / "all")
    assert [len(part.labels) for part in (found.train, found.test, found.validation)] == [18, 18, 19]
    assert "Its own 19 validation images are for validation." in found.notes
    images, labels, held = found.for_training(limit=4)
    assert (len(images), len(labels), held) == (8, 8, 4)
    np.testing.assert_array_equal(images[4:], found.validation.images[:4])
    shutil.rmtree(tmp_path / "all" / names.split()[1])
    found = data.load(tmp_path / "all")
    assert (len(found.test.labels), found.validation) == (19, None)
    assert "Without test images, its 19 validation images test." in found.notes


def test_a_second_start_has_validation_and_notes_too(toy, tmp_path, monkeypatch):
    (tmp_path / "all").mkdir()
    for name in ("train", "test", "val"):
        shutil.copytree(toy, tmp_path / "all" / name)
    picture(tmp_path / "all" / "val" / "cat" / "see_through.png", mode="RGBA")
    first = data.load(tmp_path / "all")
    monkeypatch.setattr("cnnviz.data.pictures.decode", lambda *_: pytest.fail("pictures were decoded again"))
    second = data.load(tmp_path / "all")
    assert (second.notes, second.fingerprint) == (first.notes, first.fingerprint)
    np.testing.assert_array_equal(second.validation.images, first.validation.images)


def test_a_rare_class_is_said_to_have_no_test_image(toy):
    for i in range(3):
        picture(toy / "rare" / f"{i}.png")
    assert "rare has no test image." in data.load(toy).notes


def test_unbalanced_classes_are_said(toy):
    for i in range(100):
        shutil.copy(toy / "cat" / "0.png", toy / "cat" / f"copy{i}.png")
    assert "The classes are unbalanced: they have 8 (dog) to 91 (cat) training images." in data.load(toy).notes


def test_pictures_of_several_sizes_need_a_size(toy):
    picture(toy / "cat" / "wide.png", (4, 9))
    with pytest.raises(InputError, match=r"wide.png has 4x9 pixels .* same size; --resize 32 \(or HEIGHTxWIDTH\)"):
        data.load(toy)
    found = data.load(toy, resize="8x10")
    assert found.train.images.shape[1:] == (8, 10, 3)
    assert "The images are resized to 8x10, scaled to cover that size and cropped around the center." in found.notes
    assert data.load(toy, resize=8).train.images.shape[1:] == (8, 8, 3)
    assert data.load(toy, resize=(8, 10)).fingerprint == found.fingerprint


def test_resizing_neither_distorts_nor_leaves_a_border(tmp_path):
    for name, level in (("a", 40), ("b", 200)):
        for i in range(6):
            wide = np.full((10, 30), 255, np.uint8)
            wide[:, 10:20] = level
            (tmp_path / "t" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(wide).save(tmp_path / "t" / name / f"{i}.png")
    found = data.load(tmp_path / "t", resize=5)
    assert set(found.train.images[found.train.labels == 0][:, 1:4, 1:4].ravel().tolist()) == {40}


@pytest.mark.parametrize("size", ["0", "-3", "a", "3x", "3x4x5", "5000", 0, (2, 3, 4)])
def test_a_size_that_is_none(toy, size):
    with pytest.raises(InputError, match="resize must be a side or HEIGHTxWIDTH, each of 1 to 4096 pixels; it was"):
        data.load(toy, resize=size)


def test_arrays_are_resized_too(tmp_path):
    images = RANDOM.integers(0, 256, (24, 6, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(24) % 2)
    found = data.load(tmp_path / "x.npz", resize=12)
    assert found.train.images.shape[1:] == (12, 12, 4)
    assert found.fingerprint != data.load(tmp_path / "x.npz").fingerprint


def test_unreadable_pictures_are_all_named_or_left_out(toy):
    (toy / "cat" / "a.png").write_bytes(b"\x89PNG\r\n no more")
    (toy / "dog" / "b.jpg").write_bytes((picture(toy / "b.jpg", format="JPEG")).read_bytes()[:60])
    (toy / "b.jpg").unlink()
    with pytest.raises(InputError, match=r"2 files are not readable .*a.png, .*b.jpg; .*; --skip-unreadable leaves"):
        data.load(toy)
    found = data.load(toy, skip_unreadable=True)
    assert count(found) == 18
    assert any(note.startswith("Unreadable and left out: 2 (") for note in found.notes)


def test_transparency_is_laid_on_white_and_said_once(toy):
    for i, alpha in enumerate((0, 0, 255)):
        Image.new("RGBA", (5, 6), (200, 30, 90, alpha)).save(toy / "cat" / f"a{i}.png")
    found = data.load(toy)
    first, opaque = (found.train.images[i, 0, 0].tolist() for i in (7, 8))
    assert [255, 255, 255] in found.train.images[:, 0, 0].tolist()
    assert [200, 30, 90] in [*found.train.images[:, 0, 0].tolist(), *found.test.images[:, 0, 0].tolist()]
    assert "Transparency laid on white: 2 pictures." in found.notes


def opened(**saved):
    """Pixels and remarks of a picture written by Pillow."""
    from cnnviz.data.pictures import picture as read

    image, format = saved.pop("image"), saved.pop("format", "PNG")
    image.save(buffer := io.BytesIO(), format, **saved)
    return read("x", buffer)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_orientation_is_that_of_exif(format):
    upright = np.zeros((4, 6), np.uint8)
    upright[:, 0] = 255
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels, remarks = opened(image=Image.fromarray(upright), format=format, exif=exif)
        assert remarks == ([] if orientation == 1 else ["turned upright as EXIF says"])
        assert pixels.shape == ((4, 6, 1) if orientation < 5 else (6, 4, 1))
        edge = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}[orientation]
        edges = {"left": pixels[:, 0], "right": pixels[:, -1], "top": pixels[0], "bottom": pixels[-1]}
        assert (edges[edge] == 255).all()


def test_sixteen_bits_become_eight():
    values = np.array([[0, 128, 257, 32768, 65535]], np.uint16)
    for format in ("PNG", "TIFF"):
        pixels, remarks = opened(image=Image.fromarray(values), format=format)
        assert pixels[0, :, 0].tolist() == [0, 0, 1, 128, 255]
        assert remarks == ["reduced to 8 bits per channel"]


def test_cmyk_palettes_one_bit_and_gray_with_alpha():
    pixels, remarks = opened(image=Image.new("CMYK", (2, 2), (0, 255, 255, 0)), format="TIFF")
    assert (pixels[0, 0].tolist(), remarks) == ([255, 0, 0], ["converted from CMYK to RGB"])
    assert opened(image=Image.new("RGB", (2, 2), (9, 80, 200)).quantize(4))[0][0, 0].tolist() == [9, 80, 200]
    see_through = Image.new("RGB", (2, 2), (9, 80, 200)).quantize(4)
    assert opened(image=see_through, transparency=0)[1] == ["transparency laid on white"]
    assert opened(image=Image.new("1", (2, 2), 1))[0].tolist() == [[[255]] * 2] * 2
    assert opened(image=Image.new("LA", (2, 2), (40, 0)))[0].tolist() == [[[255]] * 2] * 2


def test_of_an_animation_the_first_frame():
    frames = [Image.new("L", (2, 2), level) for level in (10, 250)]
    for format in ("GIF", "PNG", "WEBP"):
        lossless = {"lossless": True} if format == "WEBP" else {}
        pixels, remarks = opened(image=frames[0], format=format, save_all=True, append_images=frames[1:], **lossless)
        assert (int(pixels[0, 0, 0]), remarks) == (10, ["only the first frame or page read"])


def test_floating_point_values_have_no_range(toy):
    Image.fromarray(np.ones((6, 5), np.float32)).save(toy / "cat" / "x.tiff")
    with pytest.raises(InputError, match=r"x.tiff is not a readable image \(pixels of mode F, whose range is not"):
        data.load(toy)


def test_prepared_data_are_never_written_among_the_classes(toy, tmp_path):
    for folder in (tmp_path, toy, toy / "cat"):
        with pytest.raises(InputError, match="would be among the classes of .*; choose another --data-dir"):
            data.prepare("toy", folder)
    assert sorted(entry.name for entry in toy.iterdir()) == ["cat", "dog"]
    (tmp_path / "elsewhere").mkdir()
    prepared = data.prepare("toy", tmp_path / "elsewhere")
    shutil.copytree(prepared, toy / "1.0.0")  # as an earlier version did
    assert data.load(toy).classes == ("cat", "dog")


def test_validation_is_prepared_too(toy, tmp_path):
    (tmp_path / "all").mkdir()
    for name in ("train", "test", "val"):
        shutil.copytree(toy, tmp_path / "all" / name)
    (tmp_path / "given").mkdir()
    prepared = data.prepare("all", tmp_path / "given")
    found = data.load("all", tmp_path / "given") if not Path("all").exists() else data.load(prepared)
    np.testing.assert_array_equal(found.validation.images, data.load(tmp_path / "all").validation.images)


def test_links_to_folders_are_not_followed(toy, tmp_path):
    picture(tmp_path / "secret" / "x.png")
    (toy / "cat" / "link").symlink_to(tmp_path / "secret")
    assert count(data.load(toy)) == 18


def test_parts_with_other_classes_and_a_class_s_own_folder_lead_to_what_is_right(toy, tmp_path):
    for part, name in (("train", "cat"), ("train", "dog"), ("test", "cat"), ("test", "bird")):
        shutil.copytree(toy / "cat", tmp_path / "parts" / part / name)
    train, test = (tmp_path / "parts" / part for part in ("train", "test"))
    with pytest.raises(InputError, match=f"{test} lacks dog and has bird; its classes must be those of {train}"):
        data.load(tmp_path / "parts")
    shutil.move(test / "bird", test / "dog")
    shutil.copytree(toy / "cat", test / "emu")
    with pytest.raises(InputError, match=f"{test} has emu besides; its classes"):
        data.load(tmp_path / "parts")
    with pytest.raises(InputError, match=rf"has one per class. {toy} has several \(cat, dog\); name that folder if"):
        data.load(toy / "dog")


def test_a_folder_with_one_class_left_is_refused(toy):
    for file in (toy / "cat").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="toy has one class, dog; a network needs two or more to tell apart"):
        data.load(toy, skip_unreadable=True)


def test_a_folder_of_an_archive_leads_to_it(tmp_path):
    (tmp_path / "gzip.zip").write_bytes(b"nothing")
    with pytest.raises(InputError, match="one per class. If its data are in gzip.zip, name that file, or unpack it."):
        data.load(tmp_path)


def test_a_file_in_the_place_of_the_folder_that_is_searched_is_called_one(toy):
    with pytest.raises(InputError, match="0.png is a file; --data-dir must be a folder"):
        data.load(toy, toy / "cat" / "0.png")
