"""Films as files: frames of one size, whatever the length of their titles, which say what they are of."""

import json

import numpy as np
import pytest
from PIL import Image

from cnnviz.figures.image import image as one_image
from cnnviz.pictures.animated import Film
from cnnviz.pictures.page import Page

BOOT = np.zeros((4, 4, 1), np.uint8)
LONG = "the logit of each class and itself, with a title that is about as wide as the page; step"
ABOUT = {"run": "runs/x", "seed": [3]}


def film(titles, format="gif"):
    return Film(
        {f"step_{i}": lambda title=title: one_image(BOOT, title=title) for i, title in enumerate(titles)}, format
    )


@pytest.mark.parametrize("page", [Page("slide", dpi=20), Page("column", dpi=40), Page("column", "paper", dpi=40)])
def test_frames_with_titles_of_one_and_of_several_lines_have_one_size(page):
    images = film(["step 1", f"{LONG} 164", f"{LONG} 1,263 {LONG}"]).images(page)
    assert len({each.size for each in images.values()}) == 1


def test_films_and_frames_say_what_they_are_of(tmp_path):
    write = lambda format: film(["a", "b"], format).write(tmp_path, "x", Page("column", dpi=40), "The title", ABOUT)
    for path in write("frames"):
        with Image.open(path) as frame:
            assert frame.info["Title"] == "The title"
            assert json.loads(frame.info["Description"]) == ABOUT
    with Image.open(write("gif")[0]) as found:
        title, about = found.info["comment"].decode().split("\n")
        assert (title, json.loads(about)) == ("The title", ABOUT)
