"""Without a home directory, as in a container with an unknown user, the places inside it are left out."""

import os
import pwd
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from cnnviz import data
from cnnviz.commands import console
from cnnviz.data import cache, search, tfds
from cnnviz.errors import InputError


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user without HOME, whose number the system does not know."""
    for name in ("HOME", "CNNVIZ_CACHE", "XDG_CACHE_HOME", "TFDS_DATA_DIR", "KERAS_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    monkeypatch.setattr(search, "SYSTEM", tmp_path / "system")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("homeless")
def test_places_in_the_home_directory_are_left_out(tmp_path):
    assert cache.folder() is None
    assert tfds.root() is None
    assert search.places(None) == [Path("data"), tmp_path / "system"]


@pytest.mark.usefixtures("homeless")
def test_a_data_set_is_read_without_a_cache(tmp_path):
    for name in ("circles", "squares"):
        (tmp_path / "shapes" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / "shapes" / name / f"{number}.png")
    assert data.load("shapes").classes == ("circles", "squares")
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


@pytest.mark.usefixtures("homeless")
def test_a_data_set_that_must_be_downloaded_says_what_is_missing():
    with pytest.raises(data.Unavailable, match="no folder to download to; set CNNVIZ_CACHE") as raised:
        data.load("fashion_mnist")
    assert "None" not in str(raised.value)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: data.prepare("garments"),
            "garments cannot be prepared without a home directory to put it in; name a folder by --data-dir",
        ),
        (lambda: data.load("garments", "~/data"), "The folder ~/data does not exist"),
        (lambda: data.load("~/images"), "~/images does not exist"),
    ],
)
def test_a_path_that_needs_a_home_is_one_sentence(call, text):
    with pytest.raises(InputError, match=text):
        call()


@pytest.mark.usefixtures("homeless")
def test_compiled_programs_are_kept_only_where_there_is_a_folder(monkeypatch, tmp_path):
    settings = {}
    monkeypatch.setattr(jax.config, "update", settings.__setitem__)
    console.use_compilation_cache()
    assert settings == {}
    monkeypatch.setenv("CNNVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a file system that cannot be written to
    console.use_compilation_cache()
    assert settings == {}
    monkeypatch.undo()
