"""Numbers and nouns in sentences: one of a thing is not said in the plural."""

import numpy as np
import pytest

from cnnviz.data import Dataset, Split
from cnnviz.errors import InputError
from cnnviz.errors.wording import counted
from cnnviz.figures.style import Style, drawn_in, page
from cnnviz.networks.prepare import Prepare
from cnnviz.pictures import kernel_maps


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "image", "1 image"),
        (1200, "batch", "1,200 batches"),
        (1.0, "inch", "1 inch"),
        (1.25, "inch", "1.25 inches"),
        (2, "class", "2 classes"),
        (0, "epoch", "0 epochs"),
    ],
)
def test_a_number_of_things(count, noun, said):
    assert counted(count, noun) == said


def test_a_width_of_one_inch():
    with pytest.raises(InputError, match=r"^A width of 1 inch is too small"), drawn_in(Style(width=1.0)):
        page(3.0, 0.0)


def test_one_image_one_class_and_one_channel():
    part = Split(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32))
    assert repr(part) == "Split(1 image 2x2x1, labels 0 to 0)"
    assert "1 class)" in repr(Dataset("things", part, part, ("cat",), "", ""))
    with pytest.raises(InputError, match="has 2 numbers; images of 1 channel need 1"):
        Prepare(mean=(0.1, 0.2), deviation=(1.0,)).check(1)


def test_one_kernel_and_one_input():
    said = lambda inputs: kernel_maps.arrange(np.zeros((3, 3, inputs, 1), np.float32)).what
    assert said(1) == "1 kernel of 3x3x1"
    assert said(64).endswith("by 1 output of its kernels, 3x3 each")
