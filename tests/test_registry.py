"""Entries of registries as they are typed: names, and options after a colon."""

import pytest

from cnnviz.errors import InputError
from cnnviz.registry import spelled


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lrp", [("lrp", "lrp", {})]),
        ("grad_cam, lrp", [("grad_cam", "grad_cam", {}), ("lrp", "lrp", {})]),
        (
            "occlusion:window=5,infill=mean;integrated_gradients:samples=200",
            [
                ("occlusion:window=5,infill=mean", "occlusion", {"window": 5, "infill": "mean"}),
                ("integrated_gradients:samples=200", "integrated_gradients", {"samples": 200}),
            ],
        ),
        ("a,b:x=1,c", [("a", "a", {}), ("b:x=1", "b", {"x": 1}), ("c", "c", {})]),
        (
            "b:window=(3, 5),y=[1,2],z=None",
            [("b:window=(3, 5),y=(1, 2),z=None", "b", {"window": (3, 5), "y": (1, 2), "z": None})],
        ),
        ("a:mask=grid:7,scaled=True", [("a:mask=grid:7,scaled=True", "a", {"mask": "grid:7", "scaled": True})]),
        ("a:noise=1e-3; ;b", [("a:noise=0.001", "a", {"noise": 0.001}), ("b", "b", {})]),
        ("a:x=1;a:x=2", [("a:x=1", "a", {"x": 1}), ("a:x=2", "a", {"x": 2})]),
    ],
)
def test_entries_have_names_options_and_labels(text, found):
    assert [tuple(each) for each in spelled(text)] == found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x=1", "an option without a name before it; write NAME:x=1"),
        ("b;a(x=1, y=2)", "has its options in brackets; write a:x=1,y=2"),
        ("a:x", "a:x has no value"),
        ("a:=1", "has no value"),
        ("a,a", "a is given twice"),
        (" ; ", "At least one name is needed"),
    ],
)
def test_what_cannot_be_read_is_said(text, error):
    with pytest.raises(InputError, match=error):
        spelled(text)
